"""The ledger of hidden dangers (台账): pages, counts, and how much of it is rectified in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, and_, case, func, or_, select

from config.clock import Clock
from config.dangers import Clocked
from gateway.access.roles import Scope
from gateway.dangers.model import Danger, danger_from, rank_of
from gateway.dangers.rows import seen_at_place
from gateway.dangers.states import State
from gateway.records.danger_tables import danger, danger_clock
from gateway.records.transaction import using
from gateway.registry.store import seen_by

__all__ = ["Counts", "DangerLedger", "DangerSort", "OnTime", "Wanted", "key_of"]

_c = danger.c


class DangerSort(StrEnum):
    """In which order dangers are listed."""

    TIME = "time"
    """Newest first."""
    DUE = "due"
    """What is due first, first; only what is due at all."""
    WORST = "worst"
    """Worst first, newest first within; only what is not over."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dangers are wanted. An empty tuple, an empty text or None does not restrict."""

    states: tuple[str, ...] = ()
    grades: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    enterprise: str = ""
    district: str = ""
    hazard_unit: str = ""
    vessel: str = ""
    tag: str = ""
    open: bool | None = None
    overdue: bool | None = None
    listed: bool | None = None
    from_ms: int | None = None
    """Found at or after."""
    to_ms: int | None = None
    """Found before."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are."""

    by_state: dict[str, int]
    by_grade: dict[str, int]
    """Of those that are not over."""
    overdue: int
    listed: int


@dataclass(frozen=True, slots=True)
class OnTime:
    """How much of what was to be rectified in a month was, of one enterprise."""

    enterprise: str
    due: int
    """Its deadline was in the month, and is over or was met."""
    in_time: int
    late: int
    """Done, after its deadline."""
    missing: int
    """Not done, and its deadline is over."""
    reopened: int
    """Was closed and came back: counts as not done."""

    @property
    def rate(self) -> float | None:
        """None: nothing was due."""
        return None if not self.due else self.in_time / self.due


class DangerLedger:
    """Reads the ledger. Any thread may use it.

    Args:
        reader: Cannot write.
        clock: Wall.
    """

    def __init__(self, reader: Engine, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock

    def page(
        self, wanted: Wanted, scope: Scope, sort: DangerSort, after: Sequence[int | str] | None, limit: int
    ) -> list[Danger]:
        """Return the first ``limit`` dangers behind ``after`` (`key_of` of the last one seen)."""
        columns, down = _ORDERS[sort]
        asked = self._asked(select(danger), wanted, scope)
        if sort is DangerSort.DUE:
            asked = asked.where(_c.due_ms.is_not(None))
        if sort is DangerSort.WORST:
            asked = asked.where(_c.urgency > 0)
        if after is not None:
            asked = asked.where(_behind(columns, after, down=down))
        order = [column.desc() if down else column.asc() for column in columns]
        with using(self._reader, "reading hidden dangers") as connection:
            rows = connection.execute(asked.order_by(*order).limit(limit)).mappings()
            return [danger_from(dict(row)) for row in rows]

    def number(self, wanted: Wanted, scope: Scope) -> int:
        """Return how many dangers are wanted."""
        with using(self._reader, "counting hidden dangers") as connection:
            return connection.scalar(self._asked(select(func.count()).select_from(danger), wanted, scope)) or 0

    def counts(self, wanted: Wanted, scope: Scope) -> Counts:
        """Count what is wanted, in what may be seen; late is what was so at the last turn of the clocks."""
        states = self._asked(select(_c.state, func.count()), wanted, scope).group_by(_c.state)
        # Grade, listing and level are all in `urgency`, and that is in an index with whose it is.
        ranks = self._asked(select(_c.urgency, func.count()), wanted, scope).where(_c.urgency > 0)
        with using(self._reader, "counting hidden dangers") as connection:
            by_state = {row[0]: row[1] for row in connection.execute(states)}
            found = [(rank_of(row[0]), row[1]) for row in connection.execute(ranks.group_by(_c.urgency))]
        by_grade: dict[str, int] = {}
        for rank, number in found:
            grade = rank.grade.value or "none"
            by_grade[grade] = by_grade.get(grade, 0) + number
        return Counts(
            by_state={state.value: by_state.get(state.value, 0) for state in State},
            by_grade=by_grade,
            overdue=sum(number for rank, number in found if rank.level),
            listed=sum(number for rank, number in found if rank.listed),
        )

    def on_time(self, from_ms: int, to_ms: int, scope: Scope, after: str = "", limit: int = 1_000) -> list[OnTime]:
        """Return, enterprise by enterprise, how much of what was due in a span was rectified in time.

        A danger that was returned or reopened counts as not done, also in a month that was reported before.
        """
        one, now_ms = danger_clock.c, self._clock.wall_ms()
        done = and_(one.outcome == "done", one.done_ms.is_not(None))
        over = one.due_ms < now_ms
        kinds = {
            "in_time": and_(done, one.done_ms <= one.due_ms),
            "late": and_(done, one.done_ms > one.due_ms),
            "missing": and_(one.outcome == "", over),
            "reopened": one.outcome == "reopened",
        }
        sums = [func.sum(case((which, 1), else_=0)).label(name) for name, which in kinds.items()]
        asked = (
            select(one.enterprise, *sums)
            .where(one.clock == Clocked.RECTIFY.value, one.due_ms >= from_ms, one.due_ms < to_ms)
            .where(one.outcome != "void", or_(one.outcome != "", over), one.enterprise > after)
            .where(seen_by(scope, one.enterprise, one.district))
        )
        with using(self._reader, "reading the clocks of hidden dangers") as connection:
            rows = connection.execute(asked.group_by(one.enterprise).order_by(one.enterprise).limit(limit)).all()
        return [OnTime(row.enterprise, sum(map(int, row[1:])), *map(int, row[1:])) for row in rows]

    def _asked(self, asked: Select[Any], wanted: Wanted, scope: Scope) -> Select[Any]:
        placed = wanted.hazard_unit or wanted.vessel or wanted.tag
        asked = asked.where(seen_at_place(scope) if placed else seen_by(scope, _c.enterprise, _c.district))
        for column, values in ((_c.state, wanted.states), (_c.grade, wanted.grades), (_c.source, wanted.sources)):
            if values:
                asked = asked.where(column.in_(values))
        for name in ("enterprise", "district", "hazard_unit", "vessel", "tag"):
            if getattr(wanted, name):
                asked = asked.where(_c[name] == getattr(wanted, name))
        return asked.where(*self._when(wanted))

    def _when(self, wanted: Wanted) -> list[ColumnElement[bool]]:
        now_ms, which = self._clock.wall_ms(), []
        if wanted.open is not None:
            which.append(_c.urgency > 0 if wanted.open else _c.urgency == 0)
        if wanted.overdue is not None:
            which.append(_c.due_ms < now_ms if wanted.overdue else or_(_c.due_ms.is_(None), _c.due_ms >= now_ms))
        if wanted.listed is not None:
            listed = and_(_c.listed_ms.is_not(None), _c.delisted_ms.is_(None))
            which.append(listed if wanted.listed else or_(_c.listed_ms.is_(None), _c.delisted_ms.is_not(None)))
        if wanted.from_ms is not None:
            which.append(_c.found_ms >= wanted.from_ms)
        if wanted.to_ms is not None:
            which.append(_c.found_ms < wanted.to_ms)
        return which


def key_of(one: Danger, sort: DangerSort) -> tuple[int | str, ...]:
    """Return where a danger stands in an order; a page begins behind one."""
    return tuple(getattr(one, column.name) for column in _ORDERS[sort][0])


_ORDERS: dict[DangerSort, tuple[tuple[Any, ...], bool]] = {
    DangerSort.TIME: ((_c.found_ms, _c.id), True),
    DangerSort.DUE: ((_c.due_ms, _c.id), False),
    DangerSort.WORST: ((_c.urgency, _c.found_ms, _c.id), True),
}


def _behind(columns: Sequence[Any], after: Sequence[int | str], *, down: bool) -> ColumnElement[bool]:
    """Return the condition that a row stands behind a key, in the order of the columns."""
    first, rest = columns[0], columns[1:]
    beyond: ColumnElement[bool] = first < after[0] if down else first > after[0]
    if not rest:
        return beyond
    same = and_(first == after[0], _behind(rest, after[1:], down=down))
    reached = first <= after[0] if down else first >= after[0]
    return and_(reached, or_(beyond, same))  # the range first: an index begins there
