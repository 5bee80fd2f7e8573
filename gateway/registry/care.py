"""What has to be seen to in time: duties of responsible persons, papers, certificates, calibrations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import JSON, ColumnElement, Engine, and_, case, cast, or_, select, type_coerce

from config.clock import Clock
from config.days import day_after, day_of
from gateway.access.roles import Scope
from gateway.errors import FaultyError, NotFoundError
from gateway.records.registry_tables import FOREVER_MS, record
from gateway.records.transaction import using
from gateway.registry.changes import Asked, Changes
from gateway.registry.faults import NOWHERE, Fault
from gateway.registry.kinds import ResponsibleFor
from gateway.registry.store import Registry, Version, seen_by

__all__ = ["Care", "Expiring", "Responsible"]

_EXPIRES: Final[Mapping[str, str]] = {
    "document": "valid_until",
    "person": "certificate_until",
    "tag": "calibration_due",
}
"""Kind -> the field with the last day on which it holds."""


@dataclass(frozen=True, slots=True)
class Responsible:
    """A duty of somebody who answers for a hazard unit."""

    duty: Version
    person: Version | None
    """None: no longer there."""
    due_on: str
    """The last day on which it is to be done again; empty: no fixed period."""
    overdue: bool


@dataclass(frozen=True, slots=True)
class Expiring:
    """Something that holds to the end of a day."""

    kind: str
    id: str
    name: str
    enterprise: str
    day: str
    expired: bool = field(kw_only=True)


class Care:
    """Knows what is due. Any thread may use it.

    Args:
        registry: What there is.
        changes: Writes that a duty was done.
        reader: Cannot write.
        clock: Wall.
    """

    def __init__(self, registry: Registry, changes: Changes, reader: Engine, clock: Clock) -> None:
        self._registry = registry
        self._changes = changes
        self._reader = reader
        self._clock = clock

    @property
    def today(self) -> str:
        """The day of the calendar in China."""
        return day_of(self._clock.wall_ms())

    def responsible(self, unit: str, scope: Scope) -> list[Responsible]:
        """Return the duties of those who answer for a unit: principal, technical, operating.

        Raises:
            NotFoundError: There is no such unit that may be seen.
        """
        if self._registry.get("hazard-unit", unit, scope) is None:
            raise NotFoundError(f"there is no hazard-unit {unit}（不存在）")
        duties = self._registry.find("responsibility", scope, parent=unit)
        people = self._registry.many("person", (str(one.body["person"]) for one in duties), scope)
        roles = list(ResponsibleFor)
        duties.sort(key=lambda one: (roles.index(ResponsibleFor(one.body["role"])), one.id))
        return [self._responsible(one, people.get(str(one.body["person"]))) for one in duties]

    def done(self, duty: str, day: str, asked: Asked) -> Responsible:
        """Write that a duty was done.

        Args:
            duty: Id of the responsibility.
            day: When; empty: today.
            asked: Who says so.

        Raises:
            NotFoundError: There is no such duty that may be seen.
            FaultyError: On a day that has not come.
        """
        there = self._registry.get("responsibility", duty, asked.scope)
        if there is None:
            raise NotFoundError(f"there is no responsibility {duty}（不存在）")
        if day > self.today:
            raise FaultyError(
                [Fault.at(NOWHERE, "done_on", day, f"不晚于今天 {self.today}", f"not after {self.today}")]
            )
        latest = max(day or self.today, str(there.body["done_on"]))
        written = self._changes.put("responsibility", duty, {**there.body, "done_on": latest}, asked)
        person = self._registry.get("person", str(written.body["person"]), asked.scope)
        return self._responsible(written, person)

    def _responsible(self, duty: Version, person: Version | None) -> Responsible:
        days, done_on = duty.body["every_days"], str(duty.body["done_on"])
        if days is None:
            return Responsible(duty, person, "", overdue=False)
        # One never done is due since it was laid down.
        due_on = day_after(done_on or day_of(duty.since_ms), int(days))
        return Responsible(duty, person, due_on, overdue=due_on < self.today)

    def expiring(
        self, scope: Scope, days: int, after: tuple[str, str, str] | None = None, limit: int = 1_000
    ) -> list[Expiring]:
        """Return what has expired, or will within so many days, the longest expired first.

        Args:
            scope: Whose things may be seen.
            days: From today.
            after: Day, kind and id behind which to go on.
            limit: At most so many.
        """
        day = self._day()
        asked = select(record.c.kind, record.c.id, record.c.name, record.c.enterprise, day.label("day")).where(
            record.c.kind.in_(list(_EXPIRES)),
            record.c.until_ms == FOREVER_MS,
            record.c.gone.is_(False),
            seen_by(scope, record.c.enterprise, record.c.district),
            day != "",
            day <= day_after(self.today, days),
        )
        if after is not None:
            same_day = and_(day == after[0], record.c.kind == after[1], record.c.id > after[2])
            asked = asked.where(or_(day > after[0], and_(day == after[0], record.c.kind > after[1]), same_day))
        asked = asked.order_by(day, record.c.kind, record.c.id).limit(limit)
        today = self.today
        with using(self._reader, "reading the registry") as connection:
            rows = connection.execute(asked).all()
        return [Expiring(row.kind, row.id, row.name, row.enterprise, row.day, expired=row.day < today) for row in rows]

    def _day(self) -> ColumnElement[str]:
        body: Any = record.c.body
        read = cast(body, JSON) if self._reader.dialect.name == "postgresql" else type_coerce(body, JSON)
        return case(*((record.c.kind == kind, read[field].as_string()) for kind, field in _EXPIRES.items()), else_="")
