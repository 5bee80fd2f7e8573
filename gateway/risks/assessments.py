"""When the risks of a unit were gone through, when they are to be again, and what re-opens that early."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Engine, and_, func, insert, or_, select

from config.clock import Clock
from config.days import day_of
from config.plant.model import Text
from config.risks import RiskEdition, RiskRules
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import BadRequestError
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.dialects import storable
from gateway.records.registry_tables import FOREVER_MS, record
from gateway.records.risk_tables import risk_assessment
from gateway.records.transaction import using
from gateway.registry.store import Registry, Version, Wanted, seen_by
from gateway.risks.model import Assessment

__all__ = ["STANDING_NAMES", "Assessments", "Filed", "Reopening", "Standing", "UnitStanding"]

_a = risk_assessment.c
_AT_ONCE = 500


class Standing(StrEnum):
    """How it stands with the assessment of a unit."""

    NEVER = "never"
    OVERDUE = "overdue"
    REOPENED = "reopened"
    DUE = "due"
    CURRENT = "current"


STANDING_NAMES: Mapping[Standing, Text] = {
    Standing.NEVER: Text("未评估", "never assessed"),
    Standing.OVERDUE: Text("评估已到期", "overdue"),
    Standing.REOPENED: Text("变更后须重新评估", "re-opened by a change"),
    Standing.DUE: Text("即将到期", "due soon"),
    Standing.CURRENT: Text("有效", "current"),
}


@dataclass(frozen=True, slots=True)
class Reopening:
    """What changed after an assessment was signed."""

    kind: str
    """Of the registry; or ``filing``: what was filed of the unit's inventory."""
    id: str
    version: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class UnitStanding:
    """How it stands with a unit."""

    hazard_unit: str
    name: str
    enterprise: str
    standing: Standing
    last: Assessment | None
    changes: tuple[Reopening, ...]


class Filed(Protocol):
    """Knows what was filed of units' inventories (the room of grading)."""

    def filed_since(self, signed_ms: Mapping[str, int]) -> Iterable[tuple[str, Reopening]]:
        """Yield what was filed of each of some units after a time; whoever asks may see these units."""
        ...


class Assessments:
    """The assessments of units. Any thread may use it.

    Args:
        writing: For short transactions beside the pipeline.
        reader: Cannot write.
        clock: Wall.
        registry: The units.
        rules: How often.
        filed: Left out: nothing is filed here.
    """

    def __init__(
        self,
        writing: Engine,
        reader: Engine,
        clock: Clock,
        registry: Registry,
        rules: RiskRules,
        filed: Filed | None = None,
    ) -> None:
        self._writing = writing
        self._reader = reader
        self._clock = clock
        self._registry = registry
        self._rules = rules
        self._filed = filed

    def sign(self, hazard_unit: str, day: str, document: str, text: str, scope: Scope, by: By) -> Assessment:
        """Sign that the risks of a unit were gone through.

        Raises:
            BadRequestError: There is no such unit that may be seen, or the day is none, or is not yet.
        """
        now_ms = self._clock.wall_ms()
        unit = self._registry.get("hazard-unit", hazard_unit, scope)
        if unit is None:
            raise BadRequestError(f"hazard_unit: there is no hazard-unit {hazard_unit!r}（不存在）")
        edition = self._rules.at(now_ms)
        made = Assessment(
            id=f"RA{secrets.token_hex(12).upper()}",
            enterprise=unit.enterprise,
            district=unit.district,
            hazard_unit=hazard_unit,
            assessed_on=day,
            due_on=_due_on(day, day_of(now_ms), edition),
            signed_ms=now_ms,
            signed_by=by.account,
            document=storable(document)[:256],
            text=storable(text),
        )
        with using(self._writing, "signing an assessment") as connection:
            connection.execute(insert(risk_assessment), asdict(made))
            detail = {"assessment": made.id, "assessed_on": day, "due_on": made.due_on, "document": made.document}
            audit.append(connection, [Entry(now_ms, by.account, by.origin, "risk.assess", hazard_unit, detail=detail)])
        return made

    def of_unit(self, hazard_unit: str, scope: Scope, limit: int = 100) -> list[Assessment]:
        """Return the assessments of a unit, the newest first."""
        asked = select(risk_assessment).where(_a.hazard_unit == hazard_unit, _seen(scope))
        with using(self._reader, "reading assessments") as connection:
            rows = connection.execute(asked.order_by(_a.signed_ms.desc(), _a.id.desc()).limit(limit)).mappings()
            return [_assessment(row) for row in rows]

    def standings(
        self, wanted: Sequence[Standing], scope: Scope, after: str, limit: int, enterprise: str | None = None
    ) -> list[UnitStanding]:
        """Return how it stands with units, in order of id.

        Args:
            wanted: Only these; empty: all.
            scope: Whose may be seen.
            after: Behind this unit.
            limit: At most so many.
            enterprise: Of this one only.
        """
        found: list[UnitStanding] = []
        for units in self._pages(scope, after, enterprise):
            found += [one for one in self._stand(units, scope) if not wanted or one.standing in wanted]
            if len(found) >= limit:
                break
        return found[:limit]

    def _pages(self, scope: Scope, after: str, enterprise: str | None) -> Iterator[list[Version]]:
        while True:
            page = self._registry.page("hazard-unit", scope, Wanted(enterprise), after=after, limit=_AT_ONCE)
            if page:
                yield page
            if len(page) < _AT_ONCE:
                return
            after = page[-1].id

    def _stand(self, units: Sequence[Version], scope: Scope) -> Iterator[UnitStanding]:
        now_ms = self._clock.wall_ms()
        last = self._last([unit.id for unit in units], scope)
        changes = self._changes({name: one.signed_ms for name, one in last.items()}, scope)
        edition = self._rules.at(now_ms)
        for unit in units:
            mine, moved = last.get(unit.id), tuple(changes.get(unit.id, ()))
            standing = _standing(mine, moved, day_of(now_ms), edition)
            yield UnitStanding(unit.id, unit.name, unit.enterprise, standing, mine, moved)

    def _last(self, units: Sequence[str], scope: Scope) -> dict[str, Assessment]:
        newest = (
            select(_a.hazard_unit, func.max(_a.signed_ms).label("at"))
            .where(_a.hazard_unit.in_(units))
            .group_by(_a.hazard_unit)
            .subquery()
        )
        same = and_(newest.c.hazard_unit == _a.hazard_unit, newest.c.at == _a.signed_ms)
        asked = select(risk_assessment).join(newest, same).where(_seen(scope)).order_by(_a.id)
        with using(self._reader, "reading assessments") as connection:
            return {row["hazard_unit"]: _assessment(row) for row in connection.execute(asked).mappings()}

    def _changes(self, signed_ms: Mapping[str, int], scope: Scope) -> dict[str, list[Reopening]]:
        """Return what changed of each of some units since it was signed: the unit, its vessels, what was filed."""
        if not signed_ms:
            return {}
        c, earliest = record.c, min(signed_ms.values())
        moved = or_(c.since_ms > earliest, and_(c.until_ms > earliest, c.until_ms < FOREVER_MS))
        of_unit = and_(c.kind == "hazard-unit", c.id.in_(list(signed_ms)), c.version > 1, c.since_ms > earliest)
        of_vessel = and_(c.kind == "vessel", c.parent.in_(list(signed_ms)), moved)
        columns = (c.kind, c.id, c.version, c.parent, c.since_ms, c.until_ms)
        asked = (
            select(*columns)
            .where(or_(of_unit, of_vessel), seen_by(scope, c.enterprise, c.district))
            .order_by(c.kind, c.id, c.version)
        )
        newest: dict[tuple[str, str, str], Reopening] = {}
        with using(self._reader, "reading what changed of units") as connection:
            for row in connection.execute(asked).mappings():
                unit = row["id"] if row["kind"] == "hazard-unit" else row["parent"]
                for change in _moves(row, signed_ms[unit]):
                    newest[unit, row["kind"], row["id"]] = change
        for name, change in () if self._filed is None else self._filed.filed_since(signed_ms):
            newest[name, change.kind, change.id] = change
        found: dict[str, list[Reopening]] = {}
        for (unit, _, _), change in newest.items():
            found.setdefault(unit, []).append(change)
        return found


def _moves(row: Mapping[Any, Any], signed_ms: int) -> Iterator[Reopening]:
    """Yield that a record became so, and that it is no longer so: what left a unit is elsewhere from then on."""
    if row["since_ms"] > signed_ms:
        yield Reopening(row["kind"], row["id"], row["version"], row["since_ms"])
    if signed_ms < row["until_ms"] < FOREVER_MS:
        yield Reopening(row["kind"], row["id"], row["version"] + 1, row["until_ms"])


def _standing(last: Assessment | None, changes: Sequence[Reopening], today: str, edition: RiskEdition) -> Standing:
    if last is None:
        return Standing.NEVER
    if last.due_on < today:
        return Standing.OVERDUE
    if changes:
        return Standing.REOPENED
    soon = (date.fromisoformat(today) + timedelta(days=edition.remind_days)).isoformat()
    return Standing.DUE if last.due_on <= soon else Standing.CURRENT


def _due_on(day: str, today: str, edition: RiskEdition) -> str:
    """Return the last day on which an assessment holds.

    Raises:
        BadRequestError: The day is none, or is not yet.
    """
    try:
        on = date.fromisoformat(day)
    except ValueError:
        raise BadRequestError(f"assessed_on: {day!r} is no day of the calendar（不是有效日期）") from None
    if day > today:
        raise BadRequestError(f"assessed_on: {day} is not yet, today is {today}（评估日期晚于今天）")
    year = on.year + edition.assess_every_years
    try:
        return on.replace(year=year).isoformat()
    except ValueError:  # the 29th of February
        return on.replace(year=year, day=28).isoformat()


def _assessment(row: Mapping[Any, Any]) -> Assessment:
    return Assessment(**{one.name: row[one.name] for one in fields(Assessment)})


def _seen(scope: Scope) -> ColumnElement[bool]:
    return seen_by(scope, _a.enterprise, _a.district)
