"""How fast a recorded quantity rose: the slope of the window of `ROC+` and `ROC-` at every sample of a whole series."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.rules import SLOTS
from alerting.segments import first_of_runs
from alerting.windows import FEWEST

__all__ = ["window_slopes"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MINUTE_MS: Final = 60_000.0


def window_slopes(time_ms: Ints, value: Floats, window_ms: int) -> Floats:
    """Return the least-squares slope over the window that ends at each sample.

    A window has 16 slots (`alerting.rings`); the samples of a slot are one point, their mean time
    and mean value. A line needs 6 points that span half the window.

    Args:
        time_ms: n times of good samples, not falling.
        value: n finite values.
        window_ms: Length of the window, > 0.

    Returns:
        n slopes, unit per minute; NaN where the window does not hold enough for a line.
    """
    if not len(time_ms):
        return np.empty(0)
    slot = time_ms // max(1, -(-window_ms // SLOTS))
    opens = first_of_runs(slot)
    group, first = np.cumsum(opens) - 1, np.flatnonzero(opens)
    at = (time_ms - time_ms[0]).astype(np.float64)  # milliseconds are whole: spans compare exactly
    y = value - np.median(value)  # the smaller the numbers, the more of a sum's digits are left
    own_at, own_y = _running_mean(at, first, group), _running_mean(y, first, group)
    last = np.append(first[1:], len(slot)) - 1
    whole_at, whole_y, slot = own_at[last], own_y[last], slot[first]

    count, sum_at, sum_y, oldest = np.ones(len(at)), own_at.copy(), own_y.copy(), own_at.copy()
    before = [_earlier(slot, group, back) for back in range(1, SLOTS)]
    for where, which in before:
        count[where] += 1.0
        sum_at[where] += whole_at[which]
        sum_y[where] += whole_y[which]
        oldest[where] = whole_at[which]
    mean_at, mean_y = sum_at / count, sum_y / count
    covariance, variance = (own_at - mean_at) * (own_y - mean_y), (own_at - mean_at) ** 2
    for where, which in before:
        off = whole_at[which] - mean_at[where]
        covariance[where] += off * (whole_y[which] - mean_y[where])
        variance[where] += off**2
    formed = (count >= FEWEST) & (own_at - oldest >= window_ms / 2)
    return np.where(formed, covariance / np.where(formed, variance, 1.0) * _MINUTE_MS, np.nan)


def _running_mean(values: Floats, first: Ints, group: Ints) -> Floats:
    """Return the mean of each value and those before it in its group."""
    sums = np.cumsum(values)
    start = first[group]
    return (sums - (sums - values)[start]) / (np.arange(len(values)) - start + 1)


def _earlier(slot: Ints, group: Ints, back: int) -> tuple[Ints, Ints]:
    """Find the samples whose window holds the slot ``back`` entries before their own, and which entry that is."""
    which = group - back
    where = np.flatnonzero((which >= 0) & (slot[np.maximum(which, 0)] > slot[group] - SLOTS))
    return where, which[where]
