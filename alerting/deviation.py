"""DEV: what a tag is compared with (docs/alarm-conditions.md, "DEV")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerting.quality import is_bad
from alerting.rules import NOBODY, Rules
from alerting.samples import Samples
from alerting.state import State

__all__ = ["references"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Last:
    """The last evaluated sample of some tags at some moments."""

    time_ms: Ints
    value: Floats
    quality: NDArray[np.uint8]


def references(rules: Rules, state: State, batch: Samples, position: Ints, scratch: Bools) -> tuple[Floats, Bools]:
    """Return what the samples at ``position`` are compared with, and whether that can be used.

    Args:
        rules: The rules in force.
        state: Before the batch.
        batch: All evaluated samples, in order of arrival.
        position: m samples of tags with DEV.
        scratch: [row], all False; left so.

    Returns:
        [m] the partner's value, or the median of three; [m] whether every partner there is can be used.
    """
    row, value, time_ms = batch.row.take(position), batch.value.take(position), batch.time_ms.take(position)
    first, second = (rules.partners[which].take(row) for which in (0, 1))
    keys = _arrivals(batch, np.concatenate([first, second[second != NOBODY]]), scratch)
    one, usable = _usable(rules, state, batch, keys, (first, position, time_ms))
    paired = second != NOBODY
    if not paired.any():
        return one, usable
    other, other_usable = _usable(rules, state, batch, keys, (np.where(paired, second, first), position, time_ms))
    median = np.maximum(np.minimum(one, other), np.minimum(np.maximum(one, other), value))
    return np.where(paired, median, one), usable & (other_usable | ~paired)


def _arrivals(batch: Samples, rows: Ints, scratch: Bools) -> Ints:
    """Return row and position, in one number, of the samples of ``rows``, rising."""
    scratch[rows] = True
    position = np.flatnonzero(scratch.take(batch.row))
    scratch[rows] = False
    keys = batch.row.take(position) << 32
    keys |= position
    keys.sort()
    return keys


def _usable(
    rules: Rules, state: State, batch: Samples, keys: Ints, wanted: tuple[Ints, Ints, Ints]
) -> tuple[Floats, Bools]:
    """Return the last value of a partner before a moment, and whether it is good and young enough."""
    partner, _, time_ms = wanted
    last = _last(state, batch, keys, wanted)
    usable = ~is_bad(last.quality)
    usable &= np.abs(time_ms - last.time_ms) <= rules.hold_ms.take(partner)
    return last.value, usable


def _last(state: State, batch: Samples, keys: Ints, wanted: tuple[Ints, Ints, Ints]) -> _Last:
    partner, position, _ = wanted
    time_ms, value, quality = state.last_ms(partner), state.value.take(partner), state.quality.take(partner)
    before = np.searchsorted(keys, (partner << 32) | position) - 1
    found = before >= 0
    found[found] = keys.take(before[found]) >> 32 == partner[found]
    at = keys.take(before[found]) & 0xFFFF_FFFF
    time_ms[found] = batch.time_ms.take(at)
    value[found] = batch.value.take(at)
    quality[found] = batch.quality.take(at)
    return _Last(time_ms, value, quality)
