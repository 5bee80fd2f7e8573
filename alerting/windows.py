"""What the window of a tag shows at a sample: slope, how sure it is, range (docs/alarm-conditions.md, "Windows")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.rings import Groups, Rings, Slotted, summed
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


def spans(rules: Rules, rings: Rings, sample: Slotted) -> Spans:
    """Return between which values the windows lie while samples fall into their slots.

    Args:
        rules: The rules in force.
        rings: The windows before these samples.
        sample: Good samples, sorted by tag, in order of time within a tag; at least one.
    """
    group = summed(sample)
    closed, entry, _ = _closed(rings, group)
    whole = closed.take(entry - np.arange(SLOTS)[:, None])
    used = (whole.count > 0) & (whole.slot > whole.slot[0] - SLOTS)
    low = np.where(used, whole.low, np.int64(1) << _SHIFT)
    high = np.where(used, whole.high, -(np.int64(1) << _SHIFT))
    before = high[1:].max(axis=0) - low[1:].min(axis=0)
    return Spans(rules.ringed.take(group.ring), low.min(axis=0), high.max(axis=0), before)


def _pieces(count: int) -> Iterator[slice]:
    for start in range(0, count, _PIECE):
        yield slice(start, min(start + _PIECE, count))


def _lay_out(rings: Rings, sample: Slotted) -> tuple[_Sums, _Sums, Ints]:
    """Sum the samples up.

    Returns:
        For each sample the sums of its slot up to and with it; the sums of whole slots, see `_closed`; and the position
        of each sample's own slot among them.
    """
    opens = first_of_runs(sample.ring) | first_of_runs(sample.slot)
    group = np.cumsum(opens) - 1
    closed, entry, carried = _closed(rings, summed(sample))
    own = _running(sample, group, np.flatnonzero(opens))
    at = np.flatnonzero((carried >= 0).take(group))
    _go_on(own, at, _Sums.of(own.slot.take(at), rings.open.take(carried.take(group.take(at)))))
    return own, closed, entry.take(group)


def _closed(rings: Rings, group: Groups) -> tuple[_Sums, Ints, Ints]:
    """Line up the slots of each tag: the sixteen carried in, then those of its samples.

    Returns:
        The slots, tag after tag; the position of each group among them; and of each group the ring whose latest slot
        it goes on with, else -1.
    """
    begins = first_of_runs(group.ring)
    tag, first = np.cumsum(begins) - 1, np.flatnonzero(begins)
    ring = group.ring.take(first)
    slots = rings.slot.take(ring) - np.arange(SLOTS - 1, -1, -1)[:, None]
    goes_on = group.slot.take(first) == slots[-1]
    carried = np.full(len(begins), -1, np.int64)
    carried[first[goes_on]] = ring[goes_on]

    sums = _Sums.of(group.slot, group.cell)
    _go_on(sums, first[goes_on], _Sums.of(slots[-1][goes_on], rings.open.take(ring[goes_on])))
    base = np.arange(len(ring)) * SLOTS + first
    entry = (base + SLOTS - goes_on - first).take(tag) + np.arange(len(begins))
    closed = _Sums(*(np.zeros(len(ring) * SLOTS + len(begins), np.int64) for _ in _Sums.__slots__))
    before = _Sums.of(slots.reshape(-1), rings.latest(ring)[::-1].reshape(-1))
    closed.put((base + np.arange(SLOTS)[:, None]).reshape(-1), before)
    closed.put(entry, sums)
    return closed, entry, carried


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


def _go_on(sums: _Sums, at: Ints, before: _Sums) -> None:
    """Add to the sums ``at`` what their slots held before."""
    for name in ("count", "ms", "sum"):
        getattr(sums, name)[at] += getattr(before, name)
    sums.low[at] = np.minimum(sums.low.take(at), before.low)
    sums.high[at] = np.maximum(sums.high.take(at), before.high)


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
