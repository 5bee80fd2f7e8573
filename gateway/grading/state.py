"""What vessels make of units now: kept in the records by the worker, read by every process; and crossings of bands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Engine, RowMapping, Table, delete, func, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from config.plant.model import Text
from gateway.access.roles import Scope
from gateway.records.dialects import storable
from gateway.records.grading_tables import grade_event, grade_now
from gateway.records.transaction import using
from gateway.registry.store import seen_by

__all__ = ["Contents", "Crossing", "Standing", "Standings", "UnitNow"]

_AT_ONCE = 500
"""Units in one statement."""
_NOT_YET = Text("尚未计算", "not weighed yet")
_INSERTS: Mapping[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a vessel."""

    vessel: str
    cas: str
    level_fraction: float | None
    """Of the inner height, 0 to 1."""
    volume_m3: float | None
    mass_t: float | None
    """As counted; see ``basis``."""
    temperature_c: float | None
    at_ms: int | None
    """When the level was measured; None: never."""
    basis: str
    """`gateway.grading.inventory.Basis`, lower case: ``level`` measured; ``uncertain`` measured, and the gauge doubts
    it; ``last_known`` what it last said; ``design_max`` never measured, the design maximum stands for it; ``unknown``.
    """


@dataclass(frozen=True, slots=True)
class Standing:
    """What a row holds besides its columns."""

    contents: tuple[Contents, ...] = ()
    reasons: tuple[Text, ...] = ()
    """Why it is not complete, vessel by vessel."""
    why: tuple[Text, ...] = ()
    """How the figures came about, line by line."""
    name: Text = _NOT_YET
    """Of the grade."""


@dataclass(frozen=True, slots=True)
class UnitNow:
    """The operational figures of a unit."""

    unit: str
    enterprise: str
    district: str
    at_ms: int
    grade: int | None
    """1-4; None: S < 1, or not known."""
    rank: int
    """0: S < 1, then the bands, the mildest first; -1: not known."""
    s: float
    r: float | None
    complete: bool
    standing: Standing


@dataclass(frozen=True, slots=True)
class Crossing:
    """The operational R crossed the edge of a band, or S crossed 1."""

    id: str
    unit: str
    enterprise: str
    district: str
    at_ms: int
    before: int | None
    """Grade; None: S < 1."""
    after: int | None
    s: float
    r: float
    complete: bool
    standing: Standing


class Standings:
    """Keeps and finds them. Any thread may use it.

    Args:
        writing: For short transactions beside the pipeline.
        reader: Cannot write.
    """

    def __init__(self, writing: Engine, reader: Engine) -> None:
        self._writing = writing
        self._reader = reader
        self._put = _upsert(writing, grade_now, "unit")

    def put(self, units: Sequence[UnitNow], crossings: Sequence[Crossing]) -> None:
        """Keep figures and crossings, all of them or none.

        Raises:
            RecordsError: The records cannot be used.
        """
        with using(self._writing, "keeping grades") as connection:
            if units:
                connection.execute(self._put, [_row(grade_now, one) for one in units])
            if crossings:
                connection.execute(insert(grade_event), [_row(grade_event, one) for one in crossings])

    def of_unit(self, unit: str, scope: Scope) -> UnitNow | None:
        """Return the figures of a unit; None: there are none that may be seen."""
        return self.many((unit,), scope).get(unit)

    def many(self, units: Sequence[str], scope: Scope) -> dict[str, UnitNow]:
        """Return the figures of those of some units that have any and may be seen."""
        found: dict[str, UnitNow] = {}
        with using(self._reader, "reading grades") as connection:
            for start in range(0, len(units), _AT_ONCE):
                asked = select(grade_now).where(
                    grade_now.c.unit.in_(units[start : start + _AT_ONCE]),
                    seen_by(scope, grade_now.c.enterprise, grade_now.c.district),
                )
                found |= {row["unit"]: _now(row) for row in connection.execute(asked).mappings()}
        return found

    def keep_only(self, units: Collection[str]) -> None:
        """Forget the figures of all other units: nobody weighs them any more, and what was true of them is not now."""
        wanted = set(units)
        with using(self._reader, "reading grades") as connection:
            others = [name for name in connection.scalars(select(grade_now.c.unit)) if name not in wanted]
        if not others:
            return
        with using(self._writing, "forgetting grades") as connection:
            for start in range(0, len(others), _AT_ONCE):
                named = others[start : start + _AT_ONCE]
                connection.execute(delete(grade_now).where(grade_now.c.unit.in_(named)))

    def crossings(
        self,
        scope: Scope,
        *,
        unit: str | None = None,
        span: tuple[int | None, int | None] = (None, None),
        before: tuple[int, str] | None = None,
        limit: int = 100,
    ) -> list[Crossing]:
        """Return crossings that may be seen, the newest first.

        Args:
            scope: Whose things may be seen.
            unit: Of this unit only.
            span: At or after the first moment, before the second.
            before: Behind this (time, id).
            limit: At most so many.
        """
        asked = select(grade_event).where(seen_by(scope, grade_event.c.enterprise, grade_event.c.district))
        for wanted in _restricted(unit, span, before):
            asked = asked.where(wanted)
        newest = asked.order_by(grade_event.c.at_ms.desc(), grade_event.c.id.desc()).limit(limit)
        with using(self._reader, "reading crossings") as connection:
            return [_crossing(row) for row in connection.execute(newest).mappings()]

    def figures(self) -> tuple[int, int]:
        """Return how often a band was crossed, all in all; and of how many units not every vessel is weighed."""
        crossed = select(func.count()).select_from(grade_event)
        partly = select(func.count()).select_from(grade_now).where(grade_now.c.complete.is_(False))
        with using(self._reader, "counting grades") as connection:
            return connection.scalar(crossed) or 0, connection.scalar(partly) or 0


def _restricted(
    unit: str | None, span: tuple[int | None, int | None], before: tuple[int, str] | None
) -> list[ColumnElement[bool]]:
    from_ms, to_ms = span
    wanted: list[ColumnElement[bool]] = []
    if unit is not None:
        wanted.append(grade_event.c.unit == unit)
    if from_ms is not None:
        wanted.append(grade_event.c.at_ms >= from_ms)
    if to_ms is not None:
        wanted.append(grade_event.c.at_ms < to_ms)
    if before is not None:
        wanted.append(tuple_(grade_event.c.at_ms, grade_event.c.id) < before)
    return wanted


def _row(table: Table, kept: UnitNow | Crossing) -> dict[str, Any]:
    body = storable(msgspec.json.encode(kept.standing).decode())
    return {**{column.name: getattr(kept, column.name) for column in table.c if column.name != "body"}, "body": body}


def _now(row: RowMapping) -> UnitNow:
    return UnitNow(**_fields(row))


def _crossing(row: RowMapping) -> Crossing:
    return Crossing(**_fields(row))


def _fields(row: RowMapping) -> Mapping[str, Any]:
    standing = msgspec.json.decode(row["body"], type=Standing)
    return {**{name: value for name, value in row.items() if name != "body"}, "standing": standing}


def _upsert(engine: Engine, table: Table, key: str) -> Any:  # noqa: ANN401 - SQLAlchemy's own types
    statement = _INSERTS[engine.dialect.name](table)
    changed = {column.name: statement.excluded[column.name] for column in table.c if column.name != key}
    return statement.on_conflict_do_update(index_elements=(key,), set_=changed)
