"""From a normal period of a tag to limits, deadbands and delays for a wanted rate of false alarms, and how sure.

The method, and what each reason means, is in docs/limits-suggest.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.errors import SeriesError
from alerting.excursions import Course
from alerting.quality import is_bad
from alerting.slopes import window_slopes
from alerting.tails import poisson_upper
from alerting.timers import DAY_MS, FEWEST_CLUSTERS, choose
from alerting.trust import Confidence, Trust, judge, told_days, unusable

__all__ = ["SUGGESTED", "Confidence", "Normal", "Suggestion", "suggest"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SUGGESTED: Final = ("H", "L", "ROC+", "ROC-")
"""Conditions that limits can be suggested for."""

_ROC: Final = ("ROC+", "ROC-")
_LOW: Final = ("L", "ROC-")
_ROC_WAITS: Final = 1 / 4
"""Longest on-delay of a rate of change, in windows: the window is a delay already."""
_SURE: Final = 0.95
_DRAWN: Final = 0.99
"""Quantile of the resampled rates taken for the 95 % bound: resampling 60 clusters shows too little of the spread."""


@dataclass(frozen=True, slots=True, eq=False)
class Normal:
    """What a tag showed while nothing was wrong. Arrays of the same length n, in any order of time.

    Raises:
        SeriesError: The arrays are not of the same length, or a time span is not positive.
    """

    time_ms: Ints
    """Source time, UTC."""
    value: Floats
    quality: NDArray[np.uint8]
    """Packed as in `config.contract.quality`; bad samples are left out, as is what is not finite."""
    hold_ms: int
    """How long a sample stands for the process."""
    window_ms: int
    """Over which the slope of ROC+ and ROC- is taken."""

    def __post_init__(self) -> None:
        lengths = {len(self.time_ms), len(self.value), len(self.quality)}
        if len(lengths) > 1:
            raise SeriesError(f"time, value and quality have {sorted(lengths)} entries; they need equally many")
        if self.hold_ms <= 0 or self.window_ms <= 0:
            raise SeriesError(f"hold {self.hold_ms} ms and window {self.window_ms} ms must be more than 0")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One condition. Numbers are in the unit of the values (a minute, for slopes); NaN when nothing can be said."""

    condition: str
    """One of `SUGGESTED`."""
    limit: float
    """As written in a plant file: for ROC- positive, how fast it falls."""
    limit_range: tuple[float, float]
    """90 % interval of the limit that gives exactly the wanted rate."""
    deadband: float
    on_delay_ms: int
    off_delay_ms: int
    wanted_per_day: float
    """False alarms a day allowed to this condition."""
    expected_per_day: float
    """By the tail above the threshold."""
    upper_per_day: float
    """Its 95 % upper bound, as far as the tail may be believed."""
    seen: int
    """Alarms these very settings would have raised in the normal period."""
    seen_upper_per_day: float
    """95 % upper bound from that count alone; believes nothing about the tail."""
    days: float
    """Length of the normal period, gaps and bad samples not counted."""
    confidence: Confidence
    reasons: tuple[str, ...]
    """Why not more."""


def suggest(
    normal: Normal, false_alarms_per_day: float, conditions: Sequence[str] = SUGGESTED
) -> tuple[Suggestion, ...]:
    """Suggest settings for one tag.

    Args:
        normal: The normal period.
        false_alarms_per_day: Wanted of all ``conditions`` together, > 0; each gets an equal share.
        conditions: Some of `SUGGESTED`.

    Returns:
        One for each condition, in that order.

    Raises:
        SeriesError: The wanted rate is not a positive number, or a condition is none of these.
    """
    unknown = [name for name in conditions if name not in SUGGESTED]
    if unknown:
        raise SeriesError(f"no limits can be suggested for {', '.join(unknown)}; only for {', '.join(SUGGESTED)}")
    if not (false_alarms_per_day > 0.0 and math.isfinite(false_alarms_per_day)):
        raise SeriesError(f"{false_alarms_per_day} false alarms a day: a positive number is needed")
    level, slope = _courses(normal, with_slope=any(name in _ROC for name in conditions))
    span_ms = int(np.ptp(normal.time_ms)) if len(normal.time_ms) else 0
    share = false_alarms_per_day / max(len(conditions), 1)
    found = []
    for name in conditions:
        course = slope if name in _ROC else level
        longest_ms = _ROC_WAITS * normal.window_ms if name in _ROC else math.inf
        found.append(_suggest(name, course.mirrored if name in _LOW else course, share, longest_ms, span_ms))
    return tuple(found)


def _courses(normal: Normal, *, with_slope: bool) -> tuple[Course, Course]:
    """Return the course of the values, and that of the slopes of the window as the engine looks at it."""
    order = np.argsort(normal.time_ms, kind="stable")
    time_ms, value = normal.time_ms[order], normal.value[order]
    usable = ~is_bad(normal.quality[order]) & np.isfinite(value)
    slope = np.full(len(value), np.nan)
    if with_slope:
        slope[usable] = window_slopes(time_ms[usable], value[usable], normal.window_ms)
    return (
        Course.of(time_ms, value, usable, normal.hold_ms),
        Course.of(time_ms, slope, np.isfinite(slope), normal.hold_ms),
    )


def _suggest(name: str, course: Course, wanted: float, longest_ms: float, span_ms: int) -> Suggestion:
    """Suggest a high limit on a course; for a low condition the course comes mirrored."""
    days = course.held_ms / DAY_MS
    why_not = unusable(course)
    if why_not:
        return _nothing(name, wanted, days, why_not)
    setting = choose(course, wanted, longest_ms)
    if setting is None:
        few = f"fewer than {FEWEST_CLUSTERS} independent excursions in {told_days(days)} of normal data"
        why_not = f"{few}, or all to the same value"
        return _nothing(name, wanted, days, why_not)
    if name in _ROC and setting.limit <= 0.0:
        return _nothing(name, wanted, days, "the normal period itself goes the other way throughout")
    rates, limits = setting.resampled(wanted)
    expected = float(setting.tail.rate_at(setting.limit))
    upper = max(float(np.quantile(rates, _DRAWN)), expected)
    confidence, reasons = judge(course, Trust(days, wanted, upper, len(setting.peak), course.held_ms / max(span_ms, 1)))
    edges = np.maximum(np.quantile(limits, (1.0 - _SURE, _SURE)), setting.inside)
    low, high = sorted(
        (_sign(name) * min(float(edges[0]), setting.limit), _sign(name) * max(float(edges[1]), setting.limit))
    )
    return Suggestion(
        condition=name,
        limit=_sign(name) * setting.limit,
        limit_range=(low, high),
        deadband=setting.deadband,
        on_delay_ms=setting.on_delay_ms,
        off_delay_ms=setting.off_delay_ms,
        wanted_per_day=wanted,
        expected_per_day=expected,
        upper_per_day=upper,
        seen=setting.seen,
        seen_upper_per_day=poisson_upper(setting.seen, _SURE) / days,
        days=days,
        confidence=confidence,
        reasons=reasons,
    )


def _sign(name: str) -> float:
    """Return what turns a high limit into that of the condition; that of ROC- is written as how fast it falls."""
    return -1.0 if name == "L" else 1.0


def _nothing(name: str, wanted: float, days: float, why: str) -> Suggestion:
    nan = math.nan
    return Suggestion(
        condition=name,
        limit=nan,
        limit_range=(nan, nan),
        deadband=nan,
        on_delay_ms=0,
        off_delay_ms=0,
        wanted_per_day=wanted,
        expected_per_day=nan,
        upper_per_day=nan,
        seen=0,
        seen_upper_per_day=nan,
        days=days,
        confidence=Confidence.NONE,
        reasons=(why,),
    )
