"""Which delays a high limit needs on a recorded series, and where the limit may then be.

The longer an alarm waits, the fewer excursions outlast the wait and the nearer to the normal values its limit may be
(delay timers: Izadi et al., An introduction to alarm analysis and design, IFAC Safeprocess 2009; Adnan et al., On
expected detection delays for alarm systems, J. Process Control 21, 2011).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.excursions import Course, raised, sustained_above, sustained_below
from alerting.noise import below_step, deadband, outside_step, step_of
from alerting.tails import Tail, cluster_starts, fit, resample

__all__ = ["DAY_MS", "FEWEST_CLUSTERS", "Setting", "choose"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAY_MS: Final = 86_400_000.0
FEWEST_CLUSTERS: Final = 10
"""A tail needs so many clusters above its threshold."""

_ENOUGH: Final = 60
"""Clusters wanted above the threshold."""
_QUANTILES: Final = (0.9999, 0.9995, 0.999, 0.998, 0.995, 0.99, 0.98, 0.95, 0.9, 0.85, 0.8, 0.7)
"""Thresholds tried, the highest first: as far out as there are clusters enough."""
_INSIDE: Final = 0.99
"""No limit lies within this part of the normal values, however long the delay: a small shift would be a long alarm."""
_WORTH: Final = 1.2
"""A longer on-delay must bring the limit nearer to the normal values by more than this factor."""
_DELAYS_MS: Final = (1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000)
"""On-delays tried beside 1 to 3 periods, up to the longest of the EEMUA 191 / ISA-18.2 starting points."""
_PAUSES: Final = 0.9
"""An off-delay joins this part of the pauses within clusters."""
_FLAT: Final = 1e-3
"""Clusters that exceed the threshold by less than this part of a standard deviation show no tail."""
_DRAWS: Final = 400
_BLOCKS: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """A limit with its delays, and the tail it comes from."""

    course: Course
    limit: float
    deadband: float
    on_delay_ms: int
    off_delay_ms: int
    inside: float
    """No limit is nearer to the normal values than this."""
    above: Floats
    """Of `sustained_above` with the on-delay."""
    below: Floats
    """Of `sustained_below` with the off-delay."""
    tail: Tail
    peak: Floats
    """Highest of each cluster above the tail's threshold."""
    peak_at: Ints
    """Position of the sample each cluster starts with."""
    alarm_at: Ints
    """Positions of the alarms with the limit at the threshold; of the clusters, when they are more."""

    @property
    def seen(self) -> int:
        """How often this setting would have raised an alarm on its own course."""
        return len(raised(self.above, self.below, self.limit, self.deadband))

    def resampled(self, wanted: float) -> tuple[Floats, Floats]:
        """Put the course together anew from its own blocks, again and again.

        Returns:
            Each time the alarms a day at this limit, and the limit for the wanted alarms a day.
        """
        width_ms = max(self.course.held_ms / _BLOCKS, 1.0)

        def block(position: Ints) -> Ints:
            return np.minimum(self.course.begin_ms[position] / width_ms, _BLOCKS - 1).astype(np.int64)

        alarms = np.bincount(block(self.alarm_at), minlength=_BLOCKS)
        days = self.course.held_ms / DAY_MS
        tails = resample(self.peak, block(self.peak_at), alarms, self.tail, days, _DRAWS)
        return tails.rate_at(self.limit), tails.limit_for(wanted)


def choose(course: Course, wanted: float, longest_ms: float = math.inf) -> Setting | None:
    """Return the shortest on-delay whose limit is nearly as near to the normal values as that of any other.

    Args:
        course: A normal period; high is bad.
        wanted: Alarms a day.
        longest_ms: No on-delay is longer.

    Returns:
        None when too few independent excursions outlast even the shortest, or all reach the same value.
    """
    inside = outside_step(course.y, float(np.quantile(course.y, _INSIDE)))
    middle = float(np.median(course.y))
    settings: list[Setting] = []
    for delay_ms in _delays(course):
        if delay_ms > longest_ms:
            break
        setting = _at_delay(course, delay_ms, wanted, inside)
        if setting is None:
            break  # a longer one lets even less through
        settings.append(setting)
        if setting.limit <= inside:
            break
    nearest = min((one.limit - middle for one in settings), default=0.0)
    return next((one for one in settings if one.limit - middle <= _WORTH * nearest), None)


def _delays(course: Course) -> list[int]:
    """Return the delays to choose from, rising."""
    stands = course.end_ms - course.begin_ms
    period_ms = max(int(np.median(stands[stands > 0])), 1)
    habitual = [delay_ms for delay_ms in _DELAYS_MS if delay_ms >= period_ms]
    return sorted({0, period_ms, 2 * period_ms, 3 * period_ms, *habitual})


def _at_delay(course: Course, delay_ms: int, wanted: float, inside: float) -> Setting | None:
    """Fit the tail of what outlasts an on-delay; None when too little does, or always to the same value."""
    days = course.held_ms / DAY_MS
    above = sustained_above(course, delay_ms)
    found = _threshold(course.y, above, max(_ENOUGH, math.ceil(2.0 * wanted * days)))
    if found is None:
        return None
    threshold, position, starts = found
    peak, peak_at = np.maximum.reduceat(above[position], starts), position[starts]
    if float(peak.mean()) - threshold < _FLAT * float(course.y.std()):
        return None
    off_delay_ms = _off_delay(course, position, starts, delay_ms)
    below = sustained_below(course, off_delay_ms)
    alarm_at = raised(above, below, threshold, deadband(course.y, threshold))
    alarm_at = alarm_at if len(alarm_at) > len(peak) else peak_at
    step = step_of(course.y)
    tail = Tail(threshold, np.asarray(len(alarm_at) / days), *fit(peak - threshold, step), step)
    limit = max(outside_step(course.y, float(tail.limit_for(wanted))), inside)
    return Setting(
        course=course,
        limit=limit,
        deadband=deadband(course.y, limit),
        on_delay_ms=delay_ms,
        off_delay_ms=off_delay_ms,
        inside=inside,
        above=above,
        below=below,
        tail=tail,
        peak=peak,
        peak_at=peak_at,
        alarm_at=alarm_at,
    )


def _threshold(y: Floats, above: Floats, enough: int) -> tuple[float, Ints, Ints] | None:
    """Find the threshold that is farthest out and still has clusters enough above it, else the one that has most.

    Returns:
        The threshold, the positions above it, and where among them clusters start.
    """
    formed = above[np.isfinite(above)]
    if len(formed) < FEWEST_CLUSTERS:
        return None
    best: tuple[float, Ints, Ints] | None = None
    for level in np.quantile(formed, _QUANTILES, method="higher"):
        threshold = below_step(y, float(level))
        position = np.flatnonzero(above >= threshold)
        starts = cluster_starts(position)
        if len(starts) >= FEWEST_CLUSTERS and (best is None or len(starts) > len(best[2])):
            best = threshold, position, starts
        if len(starts) >= enough:
            break
    return best


def _off_delay(course: Course, position: Ints, starts: Ints, on_delay_ms: int) -> int:
    """Return the off-delay that joins what belongs to one cluster, as long as it is one of the habitual."""
    pause_ms = course.begin_ms[position[1:]] - course.end_ms[position[:-1]]
    within = np.ones(len(pause_ms), np.bool_)
    within[starts[1:] - 1] = False
    usual_ms = float(np.quantile(pause_ms[within], _PAUSES)) if within.any() else 0.0
    delays = _delays(course)
    needed_ms = max(usual_ms, float(on_delay_ms), float(delays[1]))
    return next((delay_ms for delay_ms in delays if delay_ms >= needed_ms), delays[-1])
