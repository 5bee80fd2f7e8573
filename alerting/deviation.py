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
class _Arrivals:
    """The samples of the partners in a batch, in order of tag and arrival."""

    key: Ints
    """Row and arrival in one number, rising."""
    at: Ints
    """Where in the batch."""


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """Which partners are asked for, and when."""

    partner: Ints
    arrival: Ints
    time_ms: Ints


def references(rules: Rules, state: State, batch: Samples, position: Ints, scratch: Bools) -> tuple[Floats, Bools]:
    """Return what the samples at ``position`` are compared with, and whether that can be used.

    Args:
        rules: The rules in force.
        state: Before the batch.
        batch: All evaluated samples.
        position: m good samples of tags with DEV.
        scratch: [row], all False; left so.

    Returns:
        [m] the partner's value, or the median of three; [m] whether every partner there is can be used.
    """
    row, value, time_ms = batch.row.take(position), batch.value.take(position), batch.time_ms.take(position)
    first, second = rules.partners[0].take(row), rules.partners[1].take(row)
    paired = second != NOBODY
    arrivals = _arrivals(batch, np.concatenate([first, second[paired]]), scratch)
    arrival = batch.arrival.take(position)
    one, usable = _ask(rules, state, batch, arrivals, _Question(first, arrival, time_ms))
    if not paired.any():
        return one, usable
    question = _Question(np.where(paired, second, first), arrival, time_ms)
    other, other_usable = _ask(rules, state, batch, arrivals, question)
    median = np.maximum(np.minimum(one, other), np.minimum(np.maximum(one, other), value))
    return np.where(paired, median, one), usable & other_usable


def _arrivals(batch: Samples, rows: Ints, scratch: Bools) -> _Arrivals:
    scratch[rows] = True
    at = np.flatnonzero(scratch.take(batch.row))
    scratch[rows] = False
    key = batch.row.take(at) << 32
    key |= batch.arrival.take(at)
    order = np.argsort(key)
    return _Arrivals(key.take(order), at.take(order))


def _ask(rules: Rules, state: State, batch: Samples, arrivals: _Arrivals, asked: _Question) -> tuple[Floats, Bools]:
    """Return the last value of each partner before an arrival, and whether it is good and young enough."""
    partner = asked.partner
    time_ms, value, quality = state.last_ms(partner), state.value.take(partner), state.quality.take(partner)
    before = np.searchsorted(arrivals.key, (partner << 32) | asked.arrival) - 1
    found = before >= 0
    found[found] = arrivals.key.take(before[found]) >> 32 == partner[found]
    at = arrivals.at.take(before[found])
    time_ms[found], value[found], quality[found] = batch.time_ms.take(at), batch.value.take(at), batch.quality.take(at)
    usable = ~is_bad(quality)
    usable &= np.abs(asked.time_ms - time_ms) <= rules.hold_ms.take(partner)
    return value, usable
