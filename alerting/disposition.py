"""Which samples of a batch are evaluated: late ones and duplicates are not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Disposition
from alerting.quality import CLOCK_SUSPECT
from alerting.samples import Samples
from alerting.segments import first_of_runs, rising, running_max
from alerting.state import State

__all__ = ["all_newer", "dispositions"]


def dispositions(state: State, samples: Samples) -> NDArray[np.uint8]:
    """Say what becomes of each sample, taken in order of arrival; sorted by tag, or of distinct tags.

    LATE: older than the clock of its tag. DUPLICATE: of the same source time and value (NaN equals NaN) as the last
    evaluated sample. SAME_TIME: not newer than the clock, but neither of these. Samples whose clock is suspect are
    none of them, and never move the clock of their tag.

    Returns:
        n bytes, a `Disposition` each, aligned with the samples.
    """
    first = first_of_runs(samples.row)
    clock_ms = np.where(samples.suspect, -1, samples.time_ms)
    before_ms = state.clock_ms[samples.row[first]]
    clock_ms[first] = np.maximum(clock_ms[first], before_ms)
    clock_ms = running_max(np.cumsum(first) - 1, clock_ms)
    late = ~samples.suspect & (samples.time_ms < clock_ms)
    clock_ms = np.roll(clock_ms, 1)  # from here on: the clock each sample found
    clock_ms[first] = before_ms

    timely = np.flatnonzero(~late)
    verdict = np.where(late, np.uint8(Disposition.LATE), np.uint8(Disposition.EVALUATED))
    verdict[~samples.suspect & (samples.time_ms == clock_ms)] = Disposition.SAME_TIME
    verdict[timely[_repeats(state, samples.take(timely))]] = Disposition.DUPLICATE
    return verdict


def all_newer(state: State, samples: Samples) -> tuple[bool, Samples]:
    """Say whether every sample is trusted and newer than all before it of its tag (the common case).

    Returns:
        Whether; and the samples, sorted by tag if that was needed to find out.
    """
    row, time_ms = samples.row, samples.time_ms
    if samples.suspect.any() or (time_ms <= state.clock_ms.take(row)).any():
        return False, samples
    if samples.distinct or rising(time_ms, row):
        return True, samples
    samples = samples.by_tag()
    return rising(samples.row, samples.time_ms), samples


def _repeats(state: State, sample: Samples) -> NDArray[np.bool_]:
    """Say which samples repeat time and value of the one before them of their tag (none late).

    The one before may be a duplicate itself: then it stands for the evaluated sample it repeats.
    """
    first = first_of_runs(sample.row)
    row = sample.row[first]
    time_ms, value, suspect = np.roll(sample.time_ms, 1), np.roll(sample.value, 1), np.roll(sample.suspect, 1)
    time_ms[first], value[first] = state.clock_ms[row], state.value[row]
    suspect[first] = state.quality[row] == CLOCK_SUSPECT
    same: NDArray[np.bool_] = (value == sample.value) | (np.isnan(value) & np.isnan(sample.value))
    same &= time_ms == sample.time_ms
    same &= ~(suspect | sample.suspect)
    return same
