"""What samples show beyond their own values: the windows of their tags, and the tags they are compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerting.deviation import references
from alerting.measures import Measures, measure
from alerting.quality import is_bad
from alerting.rings import Slotted
from alerting.rules import DEV, Rules
from alerting.samples import Samples
from alerting.state import State
from alerting.windows import Looks, look_back, look_now

__all__ = ["Evidence", "gather", "remembered"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What n samples show, each with all before it. All arrays have the same length n."""

    looks: Looks
    """Not formed where the sample is bad or its tag has no window."""
    reference: NDArray[np.float64]
    """What DEV compares with; NaN where it does not."""
    comparable: NDArray[np.bool_]
    """The sample and what it is compared with are good."""

    def measure(self, rules: Rules, samples: Samples, condition: NDArray[np.integer], at: Ints) -> Measures:
        """Return what some conditions measured at the samples ``at``."""
        subject = samples.row.take(at), samples.value.take(at), self.reference.take(at)
        return measure(rules, condition, subject, lambda some: self.looks.take(at.take(some)))


def gather(rules: Rules, state: State, batch: Samples, position: Ints, scratch: NDArray[np.bool_]) -> Evidence:
    """Look at the samples at ``position``.

    Args:
        rules: The rules in force.
        state: Before the batch.
        batch: All evaluated samples.
        position: n samples: all of some tags, sorted by tag.
        scratch: [row], all False; left so.
    """
    samples = batch.take(position)
    good = ~is_bad(samples.quality)
    looks = Looks.none(len(samples))
    if len(rules.ringed):
        sample = Slotted.of(rules, samples, good)
        looks.put(sample.at, look_back(rules, state.rings, sample, samples.time_ms.take(sample.at)))
    reference, comparable = np.full(len(samples), np.nan), np.zeros(len(samples), np.bool_)
    compared = np.flatnonzero(good & rules.enabled[DEV].take(samples.row))
    if len(compared):
        reference[compared], comparable[compared] = references(rules, state, batch, position.take(compared), scratch)
    return Evidence(looks, reference, comparable)


def remembered(rules: Rules, state: State, condition: NDArray[np.integer], row: Ints) -> Measures:
    """Return what some conditions measured at the last sample of their tags, for which they are counting."""
    subject = row, state.value.take(row), state.reference.take(row)

    def look_at(some: Ints) -> Looks:
        rows = row.take(some)
        return look_now(rules, state.rings, rows, state.clock_ms.take(rows))

    return measure(rules, condition, subject, look_at)
