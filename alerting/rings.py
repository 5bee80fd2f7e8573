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
from alerting.segments import first_of_runs, order_by

__all__ = ["CELL", "EMPTY", "Rings", "Slotted", "accumulate"]

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

EMPTY: Final = -1
"""`Rings.slot` before the first good sample."""

_MASK: Final = SLOTS - 1
_LOWEST, _HIGHEST = -QUANTA, 2 * QUANTA - 1


@dataclass(slots=True, eq=False)
class Rings:
    """The windows of the tags that have one, [ring]."""

    slot: Ints
    """[ring]: number of the latest slot; EMPTY before."""
    cell: NDArray[np.void]
    """[ring, SLOTS] of `CELL`: slot number s lies at s mod SLOTS; count 0 where it has no sample."""

    @classmethod
    def fresh(cls, rings: int) -> Rings:
        """Return windows without a sample."""
        return cls(np.full(rings, EMPTY, np.int64), np.zeros((rings, SLOTS), CELL))

    def latest(self, ring: Ints) -> NDArray[np.void]:
        """Return the slots of some rings, [SLOTS, m] of `CELL`, the latest first."""
        at = (self.slot.take(ring) - np.arange(SLOTS)[:, None]) & _MASK
        cells: NDArray[np.void] = self.cell.reshape(-1).take(ring * SLOTS + at)
        return cells


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
        at = np.flatnonzero(good & (ring != NOBODY))
        row, time_ms = samples.row.take(at), samples.time_ms.take(at)
        step_ms = rules.step_ms.take(row)
        slot = time_ms // step_ms
        part = (samples.value.take(at) - rules.range_low.take(row)) / rules.quantum.take(row)
        quanta = np.clip(np.rint(part), _LOWEST, _HIGHEST).astype(np.int64)
        return cls(at, row, ring.take(at), slot, time_ms - slot * step_ms, quanta)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.at)

    def take(self, positions: Ints) -> Slotted:
        """Return the samples at ``positions``."""
        return Slotted(*(getattr(self, name).take(positions) for name in Slotted.__slots__))


def accumulate(rings: Rings, sample: Slotted, *, distinct: bool) -> None:
    """Put samples into the windows.

    Args:
        rings: Changed in place.
        sample: In order of time within a tag.
        distinct: No tag has two of them.
    """
    if not len(sample):
        return
    if distinct:
        count = np.ones(len(sample), np.int32)
        _store(rings, sample, sample.slot, (count, sample.quanta, sample.quanta, sample.ms, sample.quanta))
        return
    if (sample.ring[1:] < sample.ring[:-1]).any():
        sample = sample.take(order_by(sample.ring))
    begins = first_of_runs(sample.ring)
    last = np.flatnonzero(np.append(begins[1:], True))
    newest = sample.slot.take(last).take(np.cumsum(begins) - 1)
    begins |= first_of_runs(sample.slot)
    first = np.flatnonzero(begins)
    count = np.diff(np.append(first, len(sample))).astype(np.int32)
    sums = (
        count,
        np.minimum.reduceat(sample.quanta, first),
        np.maximum.reduceat(sample.quanta, first),
        np.add.reduceat(sample.ms, first),
        np.add.reduceat(sample.quanta, first),
    )
    _store(rings, sample.take(first), newest.take(first), sums)


def _store(rings: Rings, group: Slotted, newest: Ints, sums: tuple[NDArray[np.int32], Ints, Ints, Ints, Ints]) -> None:
    """Add sums to slots; each slot of a ring once.

    Args:
        rings: Changed in place.
        group: One sample of each slot.
        newest: Number of the latest slot of the ring after this.
        sums: Count, least, greatest, sum of times, sum of values.
    """
    ring = group.ring
    before = rings.slot.take(ring)
    _forget(rings, ring, before, newest)
    rings.slot[ring] = newest
    kept = group.slot > newest - SLOTS
    if not kept.all():
        ring, sums = ring[kept], tuple(one[kept] for one in sums)  # type: ignore[assignment]
        group = group.take(np.flatnonzero(kept))
    count, low, high, ms, quanta = sums
    at = ring * SLOTS + (group.slot & _MASK)
    cell = rings.cell.reshape(-1)
    there = cell["count"][at]
    used = there != 0
    cell["count"][at] = there + count
    cell["low"][at] = np.where(used, np.minimum(cell["low"][at], low), low)
    cell["high"][at] = np.where(used, np.maximum(cell["high"][at], high), high)
    cell["ms"][at] += ms
    cell["sum"][at] += quanta


def _forget(rings: Rings, ring: Ints, before: Ints, newest: Ints) -> None:
    """Empty the slots that a window leaves behind when it moves on."""
    ahead = np.minimum(newest - before, SLOTS)
    moved = np.flatnonzero(ahead > 0)
    ring, before, ahead = ring.take(moved), before.take(moved), ahead.take(moved)
    words = rings.cell.view(np.int64).reshape(-1, CELL.itemsize // 8)
    for step in range(1, SLOTS + 1):
        if not len(ring):
            return
        words[ring * SLOTS + ((before + step) & _MASK)] = 0
        further = np.flatnonzero(ahead > step)
        ring, before, ahead = ring.take(further), before.take(further), ahead.take(further)
