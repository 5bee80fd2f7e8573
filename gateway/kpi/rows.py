"""Alarms of the records as columns of numbers: the one place that knows which columns a KPI is made from.

The handling of alarms may not be recorded yet in every column: what is missing is named in ``missing`` and tells as
"not yet known", never as zero.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Table, and_, case, func, select

from alerting.rates import DAY_MS, NOT_YET
from gateway.records.schema import alarm

__all__ = ["INHIBITED", "LOOK_BACK_MS", "OPTIONAL", "AlarmColumns", "Key", "ReadAlarms", "read_alarms"]

LOOK_BACK_MS: Final = 4 * 3_600_000
"""Before a window: decides whether it begins in a flood, and holds every alarm whose clock runs out in it."""

INHIBITED: Final = ("shelved", "suppressed", "out_of_service")
"""Codes 1, 2, 3 of `AlarmColumns.inhibited`; 4 stands for anything else."""
FALSE_VERDICTS: Final = ("false", "false_alarm")
OPTIONAL: Final = ("inhibited", "verdict", "closed_ms", "measured_ms")
"""Columns of the table `alarm` that may not be there yet; ``measured_ms``: when the first measure was taken."""

_CHUNK = 512
_BETWEEN = "\x1f"


@dataclass(frozen=True, slots=True)
class Key:
    """What alarms are counted by."""

    tag: str
    condition: str
    hazard_unit: str


@dataclass(frozen=True, slots=True)
class AlarmColumns:
    """Alarms, a row each. Arrays of equal length; a moment that has not come is `NOT_YET`."""

    key: NDArray[np.int64]
    """Place in `ReadAlarms.keys`."""
    told_ms: NDArray[np.int64]
    """When it was annunciated, gateway clock."""
    raised_ms: NDArray[np.int64]
    """By the clock of its source; likewise onset and clearing."""
    onset_ms: NDArray[np.int64]
    cleared_ms: NDArray[np.int64]
    alarmed_ms: NDArray[np.int64]
    """Annunciated, or annunciated anew by a rise of its tier; gateway clock, likewise below."""
    acknowledged_ms: NDArray[np.int64]
    closed_ms: NDArray[np.int64]
    measured_ms: NDArray[np.int64]
    marks: NDArray[np.int64]
    """Small things, packed; see `_marks`."""

    @property
    def tier(self) -> NDArray[np.int64]:
        """As it is now."""
        return self.marks & 7

    @property
    def base_tier(self) -> NDArray[np.int64]:
        """As it was raised."""
        return self.marks >> 3 & 7

    @property
    def retrospective(self) -> NDArray[np.bool_]:
        """Missed live."""
        return (self.marks >> 6 & 1).astype(np.bool_)

    @property
    def inhibited(self) -> NDArray[np.int64]:
        """0, or 1 + place in `INHIBITED`."""
        return self.marks >> 7 & 7

    @property
    def caused(self) -> NDArray[np.bool_]:
        """Somebody said what it was."""
        return (self.marks >> 10 & 3).astype(np.bool_)

    @property
    def false(self) -> NDArray[np.bool_]:
        """A false alarm, somebody said."""
        return (self.marks >> 11 & 1).astype(np.bool_)

    def __len__(self) -> int:
        """How many."""
        return len(self.key)

    def where(self, wanted: NDArray[np.bool_]) -> AlarmColumns:
        """Return some of them."""
        return AlarmColumns(*(getattr(self, one.name)[wanted] for one in fields(self)))


@dataclass(frozen=True, slots=True)
class ReadAlarms:
    """All that the figures of a window are made from, by the time of annunciation."""

    columns: AlarmColumns
    keys: tuple[Key, ...]
    missing: frozenset[str]
    """Names of `OPTIONAL` columns the records do not have."""


def read_alarms(connection: Connection, from_ms: int, to_ms: int, table: Table = alarm) -> ReadAlarms:
    """Read the alarms annunciated in a window or `LOOK_BACK_MS` before, and those that reach into it from before.

    Args:
        connection: To read from.
        from_ms: Beginning of the window.
        to_ms: Its end.
        table: The alarms.
    """
    begin_ms, column = from_ms - LOOK_BACK_MS, table.c
    # Day by day: a driver that takes all rows of an answer at once shall not hold those of a year.
    days = range(begin_ms, to_ms, DAY_MS)
    wanted = (
        *(and_(column.received_ms >= day, column.received_ms < min(day + DAY_MS, to_ms)) for day in days),
        # + 0: an index over times, not over all states or keys, leads to the few that are left.
        and_(column.state == "active", column.received_ms + 0 < begin_ms),
        and_(column.cleared_ms >= begin_ms, column.received_ms + 0 < begin_ms),
    )
    codes: defaultdict[str, int] = defaultdict()
    codes.default_factory = codes.__len__
    parts = [chunk for one in wanted for chunk in _chunks(connection, table, one, codes)]
    columns = [np.concatenate([part[at] for part in parts] or [np.zeros(0, np.int64)]) for at in range(10)]
    order = np.argsort(columns[1], kind="stable")
    keys = tuple(Key(*name.split(_BETWEEN)) for name in codes)
    missing = frozenset(name for name in OPTIONAL if name not in column)
    return ReadAlarms(AlarmColumns(*(one[order] for one in columns)), keys, missing)


def _chunks(
    connection: Connection, table: Table, wanted: ColumnElement[bool], codes: defaultdict[str, int]
) -> Iterator[list[NDArray[np.int64]]]:
    selected = _selected(table)
    query = select(*(one for one in selected if one is not None)).where(wanted)
    found = connection.execute(query)
    # The driver's own tuples, few at a time: wrapped into rows, and by the thousands, they take three times as long.
    while rows := found.cursor.fetchmany(_CHUNK):
        names, *numbers = zip(*rows, strict=True)
        key = np.fromiter(map(codes.__getitem__, names), np.int64, len(rows))
        read = (np.fromiter(one, np.int64, len(rows)) for one in numbers)
        yield [key, *(np.full(len(rows), NOT_YET) if one is None else next(read) for one in selected[1:])]


def _selected(table: Table) -> Sequence[ColumnElement[Any] | None]:
    """Return what is read of an alarm, in the order of the fields of `AlarmColumns`; nothing of it is null.

    None stands for a column the records do not have.
    """
    column = table.c
    name = column.tag + _BETWEEN + column.condition + _BETWEEN + column.hazard_unit
    alarmed = case((column.alarmed_ms > column.received_ms, column.alarmed_ms), else_=column.received_ms)
    nullable = ("acknowledged_ms", "closed_ms", "measured_ms")
    return (
        name,
        column.received_ms,
        column.raised_ms,
        column.onset_ms,
        func.coalesce(column.cleared_ms, NOT_YET),
        alarmed,
        *(func.coalesce(column[one], NOT_YET) if one in column else None for one in nullable),
        _marks(table),
    )


def _marks(table: Table) -> ColumnElement[int]:
    """Pack tier (3 bits), tier as raised (3), retrospective (1), inhibited (3), verdict (2: none, some, false)."""
    column = table.c
    base = case((column.base_tier > 0, column.base_tier), else_=column.tier)
    packed = column.tier + 8 * base + case((column.retrospective, 64), else_=0)
    if "inhibited" in column:
        known = [(column.inhibited == kind, 128 * code) for code, kind in enumerate(INHIBITED, 1)]
        packed += case((column.inhibited.is_(None), 0), *known, else_=128 * 4)
    if "verdict" in column:
        is_false = column.verdict.in_(FALSE_VERDICTS)
        packed += case((column.verdict.is_(None), 0), (is_false, 2048), else_=1024)
    return packed
