"""What a recorded series would have done to a limit: exactly the alarms of the engine, for whole series at once.

Highs only; a low limit is a high one of the mirrored series.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Course", "raised", "sustained_above", "sustained_below"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """A series against held time, which stands still in gaps and while samples are bad. Arrays of the same length n."""

    y: Floats
    """Values of the samples that say something; the higher the worse."""
    begin_ms: Ints
    """Held time at which each begins to stand for the process, not falling."""
    end_ms: Ints
    """Held time at which it ceases to."""

    @classmethod
    def of(cls, time_ms: Ints, y: Floats, usable: Bools, hold_ms: int) -> Course:
        """Lay a series out against held time, as docs/alarm-conditions.md, "Runs and delays" counts it.

        Args:
            time_ms: n source times, not falling.
            y: n values.
            usable: n: whether the sample says something.
            hold_ms: How long a sample stands at most.
        """
        stands = np.zeros(len(time_ms), np.int64)
        stands[:-1] = np.minimum(np.diff(time_ms), hold_ms)
        stands[~usable] = 0
        end_ms = np.cumsum(stands)
        return cls(y[usable], (end_ms - stands)[usable], end_ms[usable])

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.y)

    @property
    def held_ms(self) -> int:
        """How long samples stood for the process altogether."""
        return int(self.end_ms[-1]) if len(self) else 0

    @property
    def mirrored(self) -> Course:
        """The same with low for high."""
        return Course(-self.y, self.begin_ms, self.end_ms)


def sustained_above(course: Course, delay_ms: int) -> Floats:
    """Return the highest limit that would have been raised at each sample, given an on-delay.

    It is the minimum over the shortest run of samples up to this one that is held for the delay: a limit is raised
    with that delay exactly where this reaches it.

    Returns:
        n values; -inf where so much time had not passed yet.
    """
    count = len(course)
    position = np.arange(count)
    start = np.searchsorted(course.begin_ms, course.end_ms - delay_ms, side="right") - 1
    start = np.minimum(start, position)
    power = np.where(start >= 0, np.frexp(position - start + 1)[1] - 1, -1)
    lowest = np.full(count, -np.inf)
    table, width = course.y, 1
    for level in range(int(power.max(initial=-1)) + 1):
        # table[i] is the minimum of y[i : i + width]; two of them, overlapping, make any longer window
        at = np.flatnonzero(power == level)
        lowest[at] = np.minimum(table[start[at]], table[at - width + 1])
        table = np.minimum(table[:-width], table[width:])
        width *= 2
    return lowest


def sustained_below(course: Course, delay_ms: int) -> Floats:
    """Return the maximum over the shortest run of samples up to each that is held for the off-delay (inf: none yet)."""
    return -sustained_above(course.mirrored, delay_ms)


def raised(above: Floats, below: Floats, limit: float, deadband: float) -> Ints:
    """Return the positions of the samples at which the alarm would have been raised.

    Args:
        above: n, of `sustained_above` with the on-delay.
        below: n, of `sustained_below` with the off-delay.
        limit: Raised at >= limit.
        deadband: Cleared at < limit - deadband.
    """
    on, off = above >= limit, below < limit - deadband
    says = np.flatnonzero(on | off)
    up = on[says]
    begins = up.copy()
    begins[1:] &= ~up[:-1]
    return says[begins]
