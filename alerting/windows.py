"""What the window of a tag shows at a sample: slope, how sure it is, range (docs/alarm-conditions.md, "Windows")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.rings import Rings, Slotted
from alerting.rules import SLOTS, Rules
from alerting.segments import first_of_runs

__all__ = ["FEWEST", "Looks", "Spans", "look_back", "look_now", "spans"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FEWEST: Final = 6
"""A line needs so many points."""

_STUDENT: Final = np.array(
    [np.inf] * (FEWEST - 2) + [4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169, 3.106, 3.055, 3.012, 2.977]
)
"""[degrees of freedom]: Student's t, 99 % two-sided (ISO 2602 table)."""

_MINUTE_MS: Final = 60_000.0
_PIECE: Final = 4_096
"""So many samples are looked at in one go: their windows fit into the cache of a core."""
_SHIFT: Final = 33
"""Quanta are smaller than 2 to this power."""


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What the windows show. All arrays have the same length m."""

    formed: Bools
    """The window holds enough to speak of a line and of a range."""
    slope: Floats
    """Canonical unit per minute."""
    margin: Floats
    """Half of the 99 % interval of the slope."""
    range: Floats
    """Greatest less least value, canonical unit."""

    @classmethod
    def none(cls, count: int) -> Looks:
        """Return ``count`` windows that are not formed."""
        return cls(np.zeros(count, np.bool_), *(np.full(count, np.nan) for _ in range(3)))

    def put(self, positions: Ints, others: Looks) -> None:
        """Set those at ``positions``."""
        for name in Looks.__slots__:
            getattr(self, name)[positions] = getattr(others, name)

    def take(self, positions: Ints) -> Looks:
        """Return those at ``positions``."""
        return Looks(*(getattr(self, name).take(positions) for name in Looks.__slots__))


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """The slots of m windows, [SLOTS, m], the latest first."""

    used: Bools
    at_ms: Floats
    """Mean time of the samples of the slot."""
    mean: Floats
    """Mean value, quanta."""
    low: Ints
    high: Ints


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Samples summed up, each for a slot or a part of one. All arrays have the same length."""

    slot: Ints
    count: Ints
    low: Ints
    high: Ints
    ms: Ints
    sum: Ints

    @classmethod
    def of(cls, slot: Ints, cell: NDArray[np.void]) -> _Sums:
        """Return the sums of `alerting.rings.Rings`."""
        return cls(slot, *(cell[name].astype(np.int64) for name in ("count", "low", "high", "ms", "sum")))

    def take(self, positions: Ints) -> _Sums:
        """Return those at ``positions``, of any shape."""
        return _Sums(*(getattr(self, name).take(positions) for name in _Sums.__slots__))

    def put(self, positions: Ints, others: _Sums) -> None:
        """Set those at ``positions``."""
        for name in _Sums.__slots__:
            getattr(self, name)[positions] = getattr(others, name)


def look_now(rules: Rules, rings: Rings, rows: Ints, time_ms: Ints) -> Looks:
    """Return what the windows of ``rows`` show at their last good sample, whose effective time is given."""
    ring = rules.ring.take(rows)
    slot = rings.slot.take(ring) - np.arange(SLOTS)[:, None]
    sums = _Sums.of(slot, rings.latest(ring))
    return _fit(rules, rows, time_ms, _points(rules, rows, sums, sums.count > 0))


def look_back(rules: Rules, rings: Rings, sample: Slotted, time_ms: Ints) -> Looks:
    """Return what the windows show at each sample, that sample included and all before it.

    Args:
        rules: The rules in force.
        rings: The windows before these samples.
        sample: m good samples, sorted by tag, in order of time within a tag.
        time_ms: Effective time of each.
    """
    if not len(sample):
        return Looks.none(0)
    own, closed, entry = _lay_out(rings, sample)
    parts = [
        _look(rules, sample.row[piece], time_ms[piece], (own, closed), np.arange(piece.start, piece.stop), entry[piece])
        for piece in _pieces(len(sample))
    ]
    return Looks(*(np.concatenate([getattr(part, name) for part in parts]) for name in Looks.__slots__))


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Between which values windows lie, slot by slot. All arrays have the same length g."""

    row: Ints
    low: Ints
    """Least value of the slot and the fifteen before it, quanta."""
    high: Ints
    before: Ints
    """Greatest less least value of the fifteen before it alone; negative when they are empty."""


def spans(rings: Rings, sample: Slotted) -> Spans:
    """Return between which values the windows lie while samples fall into their slots.

    Args:
        rings: The windows before these samples.
        sample: Good samples, sorted by tag, in order of time within a tag; at least one.
    """
    _, closed, entry = _lay_out(rings, sample)
    own, first = np.unique(entry, return_index=True)
    whole = closed.take(own - np.arange(SLOTS)[:, None])
    used = (whole.count > 0) & (whole.slot > whole.slot[0] - SLOTS)
    low = np.where(used, whole.low, np.int64(1) << _SHIFT)
    high = np.where(used, whole.high, -(np.int64(1) << _SHIFT))
    before = high[1:].max(axis=0) - low[1:].min(axis=0)
    return Spans(sample.row.take(first), low.min(axis=0), high.max(axis=0), before)


def _pieces(count: int) -> Iterator[slice]:
    for start in range(0, count, _PIECE):
        yield slice(start, min(start + _PIECE, count))


def _lay_out(rings: Rings, sample: Slotted) -> tuple[_Sums, _Sums, Ints]:
    """Sum the samples up.

    Returns:
        For each sample the sums of its slot up to and with it; the sums of whole slots, those carried in and those of
        these samples one after the other for each tag; and the position of each sample's own slot among them.
    """
    begins = first_of_runs(sample.ring)
    opens = begins | first_of_runs(sample.slot)
    tag = np.cumsum(begins) - 1
    group = np.cumsum(opens) - 1
    first, first_of_tag = np.flatnonzero(opens), np.flatnonzero(begins)
    ring = sample.ring.take(first_of_tag)
    cells = rings.latest(ring)[::-1]
    slots = rings.slot.take(ring) - np.arange(SLOTS - 1, -1, -1)[:, None]
    carried = _Sums.of(slots, cells)

    own = _running(sample, group, first)
    goes_on = (sample.slot.take(first_of_tag) == slots[-1]) & (carried.count[-1] > 0)
    _go_on(own, carried, goes_on.take(tag) & (group == group.take(first_of_tag).take(tag)), tag)

    closes = np.append(first[1:], len(sample)) - 1
    group_of_tag = group.take(first_of_tag)
    base = np.arange(len(ring)) * SLOTS + group_of_tag
    entry_of_group = (base + SLOTS - goes_on - group_of_tag).take(tag.take(first)) + np.arange(len(first))
    total = len(ring) * SLOTS + len(first)
    closed = _Sums(*(np.zeros(total, np.int64) for _ in _Sums.__slots__))
    places = (base + np.arange(SLOTS)[:, None]).reshape(-1)
    closed.put(places, _Sums(*(getattr(carried, name).reshape(-1) for name in _Sums.__slots__)))
    closed.put(entry_of_group, own.take(closes))
    return own, closed, entry_of_group.take(group)


def _running(sample: Slotted, group: Ints, first: Ints) -> _Sums:
    """Sum each sample up with those before it in its group."""
    start = first.take(group)
    lift = group << _SHIFT

    def total(values: Ints) -> Ints:
        sums = np.cumsum(values)
        return sums - (sums - values).take(start)

    return _Sums(
        slot=sample.slot,
        count=np.arange(1, len(sample) + 1) - start,
        low=np.minimum.accumulate(sample.quanta - lift) + lift,
        high=np.maximum.accumulate(sample.quanta + lift) - lift,
        ms=total(sample.ms),
        sum=total(sample.quanta),
    )


def _go_on(own: _Sums, carried: _Sums, where: Bools, tag: Ints) -> None:
    """Add to the first slot of a tag what it held before."""
    at = np.flatnonzero(where)
    which = tag.take(at)
    own.count[at] += carried.count[-1].take(which)
    own.low[at] = np.minimum(own.low[at], carried.low[-1].take(which))
    own.high[at] = np.maximum(own.high[at], carried.high[-1].take(which))
    own.ms[at] += carried.ms[-1].take(which)
    own.sum[at] += carried.sum[-1].take(which)


def _look(rules: Rules, row: Ints, time_ms: Ints, sums: tuple[_Sums, _Sums], position: Ints, entry: Ints) -> Looks:
    """Look at the windows of some samples: their own slot so far, and the slots before it."""
    own, closed = sums
    whole = closed.take(entry - np.arange(SLOTS)[:, None])
    mine = own.take(position)
    for name in _Sums.__slots__:
        getattr(whole, name)[0] = getattr(mine, name)
    used = (whole.count > 0) & (whole.slot > mine.slot - SLOTS)
    return _fit(rules, row, time_ms, _points(rules, row, whole, used))


def _points(rules: Rules, row: Ints, sums: _Sums, used: Bools) -> _Points:
    count = np.where(used, sums.count, 1)
    return _Points(
        used,
        sums.slot * rules.step_ms.take(row) + sums.ms / count,
        sums.sum / count,
        np.where(used, sums.low, np.iinfo(np.int64).max),
        np.where(used, sums.high, np.iinfo(np.int64).min),
    )


def _fit(rules: Rules, row: Ints, time_ms: Ints, point: _Points) -> Looks:
    """Lay the least-squares line through the points (Draper and Smith, Applied Regression Analysis, 1.2-1.4).

    Sums go from the latest point to the oldest, one after the other, so that they are the same for one window as for
    many.
    """
    x = np.where(point.used, point.at_ms - time_ms, 0.0)
    y = np.where(point.used, point.mean - point.mean[0], 0.0)
    count = point.used.sum(axis=0)
    sx, sy, sxx, sxy, syy = (np.cumsum(one, axis=0)[-1] for one in (x, y, x * x, x * y, y * y))
    formed = count >= FEWEST
    formed &= x[0] - x.min(axis=0) >= rules.window_ms.take(row) / 2
    some = np.where(formed, count, FEWEST)
    spread = np.where(formed, count * sxx - sx * sx, 1.0)
    joint = count * sxy - sx * sy
    slope = joint / spread
    residual = np.maximum((count * syy - sy * sy - slope * joint) / some, 0.0)
    error = np.sqrt(residual / (some - 2) * (some / spread))
    per_minute = rules.quantum.take(row) * _MINUTE_MS
    span = (point.high.max(axis=0) - point.low.min(axis=0)) * rules.quantum.take(row)
    return Looks(
        formed,
        np.where(formed, slope * per_minute, np.nan),
        np.where(formed, _STUDENT.take(some - 2) * error * per_minute, np.nan),
        np.where(formed, span, np.nan),
    )
