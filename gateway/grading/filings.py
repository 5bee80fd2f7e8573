"""The legal grade of a unit (重大危险源备案): filed from design maxima, in versions that nobody changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, RowMapping, insert, select
from sqlalchemy.exc import IntegrityError

from config.chemicals import load_catalogue
from config.clock import Clock
from config.days import day_of
from config.gb18218 import edition_on
from config.plant.model import Text
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import BadRequestError, ConflictError, DeclarationError, NotFoundError
from gateway.grading.assessment import Assessment, Line, assess
from gateway.grading.factors import Item, Mixture
from gateway.grading.ground import Grounds, Unit
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.dialects import storable
from gateway.records.grading_tables import grade_filing
from gateway.records.transaction import using
from gateway.registry.store import seen_by

__all__ = ["Body", "Declaration", "FiledLine", "Filing", "Filings"]

_AT_ONCE = 500
"""Units in one statement."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is filed."""

    items: tuple[Item, ...]
    people: int
    """Possibly exposed outside the fence within 500 m."""
    number: str = ""
    """Of the filing (备案编号)."""
    filed_on: str = ""
    """Day on the filing, YYYY-MM-DD; empty: today."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class FiledLine:
    """A substance as it was filed, and what it was weighed by. Figures are exact: ``3/10`` is 0.3."""

    name: str
    cas: str
    vessel: str
    row: int
    categories: tuple[str, ...]
    mixture: Mixture
    quantity_t: str
    critical_t: str
    """Q."""
    beta: str


@dataclass(frozen=True, slots=True)
class Body:
    """What a row holds besides its columns."""

    lines: tuple[FiledLine, ...]
    why: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Filing:
    """A filing."""

    unit: str
    version: int
    enterprise: str
    district: str
    filed_on: str
    filed_ms: int
    number: str
    standard: str
    people: int
    alpha: float
    s: float
    r: float
    grade: int | None
    by: str
    note: str
    lines: tuple[FiledLine, ...]
    why: tuple[Text, ...]


class Filings:
    """Takes filings in, and finds them. Any thread may use it.

    Args:
        writing: For short transactions beside the pipeline.
        reader: Cannot write.
        clock: Wall.
        grounds: Units and vessels.
    """

    def __init__(self, writing: Engine, reader: Engine, clock: Clock, grounds: Grounds) -> None:
        self._writing = writing
        self._reader = reader
        self._clock = clock
        self.grounds = grounds

    def preview(self, unit: str, declared: Declaration, scope: Scope) -> Assessment:
        """Return what a declaration would be graded, without filing it.

        Raises:
            NotFoundError: There is no such unit that may be seen.
            BadRequestError: What is declared makes no sense; `DeclarationError` names each item.
        """
        self._unit(unit, scope)
        self._check_vessels(unit, declared.items, scope)
        return assess(declared.items, declared.people, edition_on(self._day(declared)), load_catalogue())

    def file(self, unit: str, declared: Declaration, scope: Scope, by: By, expected: int | None = None) -> Filing:
        """Take a filing in, as the next version.

        Args:
            unit: Id.
            declared: What is filed.
            scope: Whose things may be seen.
            by: In whose name.
            expected: The version that was seen last; 0: none; None: whatever there is.

        Raises:
            NotFoundError: There is no such unit that may be seen.
            BadRequestError: What is declared makes no sense; `DeclarationError` names each item.
            ConflictError: Somebody else filed in between.
        """
        owner = self._unit(unit, scope)
        found = self.preview(unit, declared, scope)
        now_ms = self._clock.wall_ms()
        body = Body(tuple(map(_filed_line, found.lines)), found.why)
        row = {
            "unit": unit,
            "enterprise": owner.enterprise,
            "district": owner.district,
            "filed_on": self._day(declared).isoformat(),
            "filed_ms": now_ms,
            "number": storable(declared.number)[:128],
            "standard": found.standard,
            "people": found.people,
            "alpha": float(found.alpha),
            "s": float(found.s),
            "r": float(found.r),
            "grade": found.grade,
            "body": storable(msgspec.json.encode(body).decode()),
            "by": storable(by.account)[:128],
            "note": storable(declared.note),
        }
        try:
            with using(self._writing, "filing a grade") as connection:
                row["version"] = _next_version(connection, unit, expected)
                connection.execute(insert(grade_filing), row)
                detail = {name: row[name] for name in ("version", "filed_on", "number", "people", "s", "r", "grade")}
                audit.append(connection, [Entry(now_ms, by.account, by.origin, "grade.file", unit, detail=detail)])
        except IntegrityError:
            raise ConflictError(f"another filing of {unit} came first: look again（已有他人备案，请刷新）") from None
        return _filing(row)

    def current(self, unit: str, scope: Scope, day: str) -> Filing | None:
        """Return the filing in force on a day; None: there is none that may be seen."""
        return self.in_force((unit,), scope, day).get(unit)

    def in_force(self, units: Sequence[str], scope: Scope, day: str) -> dict[str, Filing]:
        """Return the filings in force on a day of those of some units that have one that may be seen."""
        found: dict[str, Filing] = {}
        with using(self._reader, "reading filings") as connection:
            for start in range(0, len(units), _AT_ONCE):
                asked = select(grade_filing).where(
                    grade_filing.c.unit.in_(units[start : start + _AT_ONCE]),
                    grade_filing.c.filed_on <= day,
                    _seen(scope),
                )
                oldest_first = asked.order_by(grade_filing.c.unit, grade_filing.c.filed_on, grade_filing.c.version)
                rows = {row["unit"]: row for row in connection.execute(oldest_first).mappings()}
                found |= {unit: _filing(row) for unit, row in rows.items()}
        return found

    def get(self, unit: str, version: int, scope: Scope) -> Filing | None:
        """Return a filing; None: there is none that may be seen."""
        asked = select(grade_filing).where(grade_filing.c.unit == unit, grade_filing.c.version == version, _seen(scope))
        with using(self._reader, "reading filings") as connection:
            row = connection.execute(asked).mappings().first()
        return None if row is None else _filing(row)

    def of_unit(self, unit: str, scope: Scope, before: int | None, limit: int) -> list[Filing]:
        """Return filings of a unit, the newest version first, below ``before``."""
        asked = select(grade_filing).where(grade_filing.c.unit == unit, _seen(scope))
        if before is not None:
            asked = asked.where(grade_filing.c.version < before)
        with using(self._reader, "reading filings") as connection:
            rows = connection.execute(asked.order_by(grade_filing.c.version.desc()).limit(limit)).mappings()
            return [_filing(row) for row in rows]

    def _unit(self, name: str, scope: Scope) -> Unit:
        unit = self.grounds.unit(name, scope)
        if unit is None:
            raise NotFoundError(f"there is no hazard unit {name!r}")
        return unit

    def _day(self, declared: Declaration) -> date:
        today = day_of(self._clock.wall_ms())
        try:
            day = date.fromisoformat(declared.filed_on or today)
        except ValueError:
            raise BadRequestError(f"filed_on: {declared.filed_on!r} is no day: YYYY-MM-DD") from None
        if day.isoformat() > today:
            raise BadRequestError(f"filed_on: {declared.filed_on} is in the future; today is {today}")
        return day

    def _check_vessels(self, unit: str, items: Sequence[Item], scope: Scope) -> None:
        faults = []
        for number, item in enumerate(items, 1):
            tank = self.grounds.tank(item.vessel, scope) if item.vessel else None
            if item.vessel and (tank is None or tank.unit != unit):
                faults.append(f"item {number} ({item.name}): vessel {item.vessel!r} is none of unit {unit}")
        if faults:
            raise DeclarationError(faults)


def _next_version(connection: Connection, unit: str, expected: int | None) -> int:
    newest = select(grade_filing.c.version).where(grade_filing.c.unit == unit)
    there: int = connection.scalar(newest.order_by(grade_filing.c.version.desc()).limit(1)) or 0
    if expected is not None and expected != there:
        raise ConflictError(f"the newest filing of {unit} is {there}, not {expected}: look again（备案已更新，请刷新）")
    return there + 1


def _filed_line(line: Line) -> FiledLine:
    item = line.item
    return FiledLine(
        name=item.name,
        cas=item.cas,
        vessel=item.vessel,
        row=item.row,
        categories=item.categories,
        mixture=item.mixture,
        quantity_t=str(item.quantity_t),
        critical_t=str(line.factors.quantity_t),
        beta=str(line.factors.beta),
    )


def _filing(row: RowMapping | dict[str, Any]) -> Filing:
    body = msgspec.json.decode(row["body"], type=Body)
    columns = {name: row[name] for name in Filing.__slots__ if name not in {"lines", "why"}}
    return Filing(**columns, lines=body.lines, why=body.why)


def _seen(scope: Scope) -> Any:  # noqa: ANN401 - SQLAlchemy's own types
    return seen_by(scope, grade_filing.c.enterprise, grade_filing.c.district)
