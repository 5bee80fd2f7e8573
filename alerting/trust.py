"""How far a suggested limit may be believed, and why not farther."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.excursions import Course

__all__ = ["Confidence", "Trust", "judge", "told_days", "unusable"]

_FEWEST_SAMPLES: Final = 100
_FEW_CLUSTERS, _MANY_CLUSTERS = 30, 60
_INTERPOLATES: Final = 3.0
"""So many alarms at the wanted rate should fall into the normal period: none seen then says the rate is not higher."""
_EXTRAPOLATES: Final = 0.1
_BOUNDS: Final = (3.0, 10.0)
"""The upper bound of the rate may be so many times the wanted rate: for high, for medium."""
_SHIFT: Final = 0.5
"""Half against half, in robust standard deviations."""
_STRETCH: Final = 2.0
_COVERED: Final = 0.8


class Confidence(StrEnum):
    """How sure."""

    HIGH = "high"
    """The normal period is long enough to have shown the wanted rate itself."""
    MEDIUM = "medium"
    """Extrapolated, but not far."""
    LOW = "low"
    """A starting point to be watched."""
    NONE = "cannot say"


@dataclass(frozen=True, slots=True)
class Trust:
    """What the judgement rests on."""

    days: float
    wanted_per_day: float
    upper_per_day: float
    clusters: int
    covered: float
    """Part of the time for which good samples stood."""


def unusable(course: Course) -> str:
    """Say why nothing at all can be said of a course; empty when something can."""
    if len(course) < _FEWEST_SAMPLES:
        return f"only {len(course)} usable samples; {_FEWEST_SAMPLES} are the least"
    if course.held_ms <= 0:
        return "all samples have the same time"
    if float(course.y.min()) == float(course.y.max()):
        return f"it never changed: {_FEWEST_SAMPLES} or more samples of one value say nothing of what is unusual"
    return ""


def judge(course: Course, trust: Trust) -> tuple[Confidence, tuple[str, ...]]:
    """Return how sure, and every reason why not more."""
    low, medium = _drift(course), list[str]()
    expected = trust.days * trust.wanted_per_day
    if expected < _INTERPOLATES:
        far = f"only {told_days(trust.days)} of normal data for one alarm in {told_days(1 / trust.wanted_per_day)}"
        (medium if expected >= _EXTRAPOLATES else low).append(far)
    if trust.clusters < _MANY_CLUSTERS:
        few = f"only {trust.clusters} independent excursions to learn from"
        (medium if trust.clusters >= _FEW_CLUSTERS else low).append(few)
    ratio = trust.upper_per_day / trust.wanted_per_day
    if ratio > _BOUNDS[0]:
        (medium if ratio <= _BOUNDS[1] else low).append(f"the rate may be {ratio:.0f} times the wanted one")
    if trust.covered < _COVERED:
        medium.append(
            f"good samples stood for {trust.covered:.0%} of the time (gaps, bad quality, or too short a hold)"
        )
    confidence = Confidence.LOW if low else Confidence.MEDIUM if medium else Confidence.HIGH
    return confidence, (*low, *medium)


def told_days(days: float) -> str:
    """Return a length of time for people."""
    units = ((1.0, "days"), (1 / 24, "h"), (1 / 1440, "min"))
    unit_days, unit = next((one for one in units if days >= 2 * one[0]), units[-1])
    return f"{days / unit_days:.3g} {unit}"


def _drift(course: Course) -> list[str]:
    """Compare the first half of the time with the second: what differs within will differ from what comes."""
    half = int(np.searchsorted(course.begin_ms, course.held_ms // 2))
    first, second = course.y[:half], course.y[half:]
    if not (len(first) and len(second)):
        return []
    spreads = _spread(first), _spread(second)
    usual = max(sum(spreads) / 2.0, np.finfo(np.float64).tiny)
    shift = abs(float(np.median(second) - np.median(first))) / usual
    reasons = []
    if shift > _SHIFT:
        reasons.append(
            f"it drifts: the halves of the normal period lie {min(shift, 999):.1f} standard deviations apart"
        )
    if max(spreads) > _STRETCH * min(spreads):
        reasons.append("it is not steady: one half of the normal period varies more than twice as much as the other")
    return reasons


def _spread(y: NDArray[np.float64]) -> float:
    """Return a standard deviation that some outliers do not change (as it is where most values are equal)."""
    return 1.4826 * float(np.median(np.abs(y - np.median(y)))) or float(y.std())
