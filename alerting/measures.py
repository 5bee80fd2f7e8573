"""What the conditions beyond the limits compare with their limits: slope, minutes left, deviation, range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerting.rules import DEV, FLATLINE, FORECAST, HIGHS, ROC_HIGH, ROC_LOW, Rules
from alerting.windows import Looks

__all__ = ["Measures", "forecast", "measure"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """m measured quantities; NaN where there is none."""

    measure: Floats
    """Slope per minute, minutes left, deviation, or range."""
    low: Floats
    """Slope and minutes left: the lower end of the 99 % interval. Deviation: the reference."""
    high: Floats
    """The upper end. Deviation: the reference."""

    @classmethod
    def none(cls, count: int) -> Measures:
        """Return ``count`` times nothing."""
        return cls(*(np.full(count, np.nan) for _ in range(3)))

    def put(self, at: Ints, others: Measures) -> None:
        """Set those at ``at``."""
        for name in Measures.__slots__:
            getattr(self, name)[at] = getattr(others, name)


def forecast(rules: Rules, row: Ints, value: Floats, look: Looks) -> Measures:
    """Return in how many minutes the next limit is reached: at the present slope, and at the ends of its interval.

    Infinite when the slope is not significant or no limit lies ahead.
    """
    rising, falling = look.slope - look.margin > 0, look.slope + look.margin < 0
    above = _ahead(rules.raise_at[: len(HIGHS)], row, value)
    below = _ahead(rules.raise_at[len(HIGHS) :], row, -value)
    ahead = np.where(rising, above, np.where(falling, below, np.inf))
    moves = rising | falling
    rate, margin = np.where(moves, np.abs(look.slope), 1.0), np.where(moves, look.margin, 0.0)
    return Measures(ahead / rate, ahead / (rate + margin), ahead / (rate - margin))


def _ahead(raise_at: Floats, row: Ints, y: Floats) -> Floats:
    """Return how far the next limit is; infinite when there is none."""
    limits = raise_at.take(row, axis=1)
    return np.asarray(np.where(limits > y, limits - y, np.inf).min(axis=0))


def measure(
    rules: Rules,
    condition: NDArray[np.integer],
    subject: tuple[Ints, Floats, Floats],
    look_at: Callable[[Ints], Looks],
) -> Measures:
    """Return what some conditions measured at some samples.

    Args:
        rules: The rules in force.
        condition: m conditions.
        subject: m rows, values, and what DEV compared with.
        look_at: Returns what the windows show at some of the m.
    """
    row, value, reference = subject
    found = Measures.none(len(condition))
    for conditions in ((ROC_HIGH, ROC_LOW), (FORECAST,), (FLATLINE,)):
        at = np.flatnonzero(np.isin(condition, conditions))
        if len(at):
            look = look_at(at)
            if FORECAST in conditions:
                found.put(at, forecast(rules, row.take(at), value.take(at), look))
            elif FLATLINE in conditions:
                found.measure[at] = look.range
            else:
                found.put(at, Measures(look.slope, look.slope - look.margin, look.slope + look.margin))
    at = np.flatnonzero(condition == DEV)
    compared = reference.take(at)
    found.put(at, Measures(value.take(at) - compared, compared, compared))
    return found
