"""The windows of the tags: the good samples of the last sixteen slots, summed up (docs/alarm-conditions.md, "Windows").

Values are counted in whole quanta of the instrument's range and times in milliseconds of their slot, so every sum is
exact and does not depend on how the samples fell into batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.rules import NOBODY, QUANTA, SLOTS, Rules
from alerting.samples import Samples
from alerting.segments import first_of_runs

__all__ = ["CELL", "EMPTY", "Groups", "Rings", "Slotted", "accumulate", "summed"]

Ints = NDArray[np.int64]

CELL: Final = np.dtype(
    [
        ("count", np.int32),
        ("low", np.int32),
        ("high", np.int32),
        ("spare", np.int32),
        ("ms", np.int64),
        ("sum", np.int64),
    ]
)
"""One slot: samples in it, least and greatest value, sums of time within the slot and of values; half a cache line."""

_WHOLE: Final = np.dtype(f"V{CELL.itemsize}")
"""A slot as one piece of memory: gathered and scattered several times faster than field by field."""
_NOTHING: Final = np.zeros((), CELL).view(_WHOLE)

EMPTY: Final = -1
"""`Rings.slot` before the first good sample."""

_MASK: Final = SLOTS - 1
_LOWEST, _HIGHEST = -QUANTA, 2 * QUANTA - 1
_LARGEST: Final = np.int32(_HIGHEST)


@dataclass(slots=True, eq=False)
class Rings:
    """The windows of the tags that have one, [ring]."""

    slot: Ints
    """[ring]: number of the latest slot; EMPTY before."""
    open: NDArray[np.void]
    """[ring] of `CELL`: the latest slot. By itself, for most samples touch nothing else."""
    cell: NDArray[np.void]
    """[ring, SLOTS] of `CELL`: slot number s before it lies at s mod SLOTS; count 0 where it has no sample."""

    @classmethod
    def fresh(cls, rings: int) -> Rings:
        """Return windows without a sample."""
        return cls(np.full(rings, EMPTY, np.int64), np.zeros(rings, CELL), np.zeros((rings, SLOTS), CELL))

    def latest(self, ring: Ints) -> NDArray[np.void]:
        """Return the slots of some rings, [SLOTS, m] of `CELL`, the latest first."""
        before = (self.slot.take(ring) - np.arange(1, SLOTS)[:, None]) & _MASK
        cells = np.empty((SLOTS, len(ring)), _WHOLE)
        cells[0] = self.open.view(_WHOLE).take(ring)
        cells[1:] = self.cell.view(_WHOLE).reshape(-1).take(ring * SLOTS + before)
        return cells.view(CELL)


@dataclass(frozen=True, slots=True, eq=False)
class Slotted:
    """Good samples of tags with a window, and the slots they fall into. All arrays have the same length m."""

    at: Ints
    """Where in the samples given."""
    row: Ints
    ring: Ints
    slot: Ints
    ms: Ints
    """Time since the begin of the slot."""
    quanta: Ints
    """The value, counted from the low end of the range."""

    @classmethod
    def of(cls, rules: Rules, samples: Samples, good: NDArray[np.bool_]) -> Slotted:
        """Return where the good samples fall."""
        ring = rules.ring.take(samples.row)
        taken = good & (ring != NOBODY)
        at = np.flatnonzero(taken)
        row, time_ms, value = samples.row, samples.time_ms, samples.value
        if len(at) < len(row):
            row, time_ms, value, ring = row.take(at), time_ms.take(at), value.take(at), ring.take(at)
        step_ms = rules.step_ms.take(row)
        slot = time_ms // step_ms
        part = (value - rules.range_low.take(row)) / rules.quantum.take(row)
        quanta = np.clip(np.rint(part), _LOWEST, _HIGHEST).astype(np.int64)
        return cls(at, row, ring, slot, time_ms - slot * step_ms, quanta)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.at)


def accumulate(rings: Rings, sample: Slotted, *, distinct: bool) -> None:
    """Put samples into the windows.

    Args:
        rings: Changed in place.
        sample: Sorted by tag and in order of time within a tag, or of distinct tags in any order.
        distinct: No tag has two of them.
    """
    if not len(sample):
        return
    group = _one_each(sample) if distinct else summed(sample)
    begins: slice | Ints = slice(None)
    ends: slice | Ints = slice(None)
    if not distinct:
        begins = np.flatnonzero(first_of_runs(group.ring))
        ends = np.append(begins[1:], len(group.ring)) - 1
    tags, newest = group.ring[begins], group.slot[ends]
    before = rings.slot.take(tags)

    opened = rings.open.view(_WHOLE)
    goes_on = group.slot[begins] == before
    _add(group.cell, begins, opened.take(tags).view(CELL), goes_on)
    moved = np.flatnonzero(newest != before)
    if len(moved):
        _move_on(rings, tags.take(moved), before.take(moved), newest.take(moved), goes_on.take(moved))
        if not distinct:
            _close(rings, group, newest)
        rings.slot[tags] = newest
    opened[tags] = group.cell.view(_WHOLE)[ends]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Samples summed up by ring and slot, in that order. All arrays have the same length."""

    ring: Ints
    slot: Ints
    cell: NDArray[np.void]
    """Of `CELL`."""


def _one_each(sample: Slotted) -> Groups:
    cell = np.zeros(len(sample), CELL)
    cell["count"] = 1
    cell["low"] = cell["high"] = cell["sum"] = sample.quanta
    cell["ms"] = sample.ms
    return Groups(sample.ring, sample.slot, cell)


def summed(sample: Slotted) -> Groups:
    """Sum up what falls into one slot; samples sorted by tag, in order of time within a tag."""
    first = np.flatnonzero(first_of_runs(sample.ring) | first_of_runs(sample.slot))
    cell = np.zeros(len(first), CELL)
    cell["count"] = np.diff(np.append(first, len(sample)))
    cell["low"] = np.minimum.reduceat(sample.quanta, first)
    cell["high"] = np.maximum.reduceat(sample.quanta, first)
    cell["ms"] = np.add.reduceat(sample.ms, first)
    cell["sum"] = np.add.reduceat(sample.quanta, first)
    return Groups(sample.ring.take(first), sample.slot.take(first), cell)


def _add(cell: NDArray[np.void], at: slice | Ints, others: NDArray[np.void], where: NDArray[np.bool_]) -> None:
    """Add to the first slots of some tags what these slots held already."""
    for name in ("count", "ms", "sum"):
        cell[name][at] += np.where(where, others[name], 0)
    cell["low"][at] = np.minimum(cell["low"][at], np.where(where, others["low"], _LARGEST))
    cell["high"][at] = np.maximum(cell["high"][at], np.where(where, others["high"], -_LARGEST))


def _close(rings: Rings, group: Groups, newest: Ints) -> None:
    """Store the slots of a backlog that are over and still in the window."""
    begins = first_of_runs(group.ring)
    is_over = np.append(~begins[1:], False)
    kept = np.flatnonzero(is_over & (group.slot > newest.take(np.cumsum(begins) - 1) - SLOTS))
    at = group.ring.take(kept) * SLOTS + (group.slot.take(kept) & _MASK)
    rings.cell.view(_WHOLE).reshape(-1)[at] = group.cell.view(_WHOLE).take(kept)


def _move_on(rings: Rings, ring: Ints, before: Ints, newest: Ints, goes_on: NDArray[np.bool_]) -> None:
    """Close the latest slots of some rings, unless they go on, and forget what their windows leave behind."""
    cell = rings.cell.view(_WHOLE).reshape(-1)
    passed = np.minimum(newest - before, SLOTS)
    late_ring, late, left = ring, newest, passed
    while len(late_ring):  # sixteen times at most
        cell[late_ring * SLOTS + (late & _MASK)] = _NOTHING
        further = np.flatnonzero(left > 1)
        late_ring, late, left = late_ring.take(further), late.take(further) - 1, left.take(further) - 1
    closes = np.flatnonzero(~goes_on & (before > newest - SLOTS))
    ring, before = ring.take(closes), before.take(closes)
    cell[ring * SLOTS + (before & _MASK)] = rings.open.view(_WHOLE).take(ring)
