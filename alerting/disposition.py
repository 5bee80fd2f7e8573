"""Which samples of a batch are evaluated: late ones and duplicates are not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Batch, Disposition
from alerting.quality import CLOCK_SUSPECT
from alerting.segments import first_of_runs, order_by, running_max
from alerting.state import State

__all__ = ["dispositions"]


def dispositions(state: State, batch: Batch) -> NDArray[np.uint8]:
    """Say what becomes of each sample, taken in order of arrival.

    LATE: older than the clock of its tag. DUPLICATE: of the same source time and value (NaN equals NaN) as the last
    evaluated sample. Samples whose clock is suspect are neither, and never move the clock of their tag.

    Returns:
        n bytes, a `Disposition` each.
    """
    if _all_newer(state, batch):
        return np.zeros(len(batch), np.uint8)
    order = order_by(batch.tag)
    sample = batch.take(order)
    trusted = sample.quality != CLOCK_SUSPECT
    first = first_of_runs(sample.tag)
    clock_ms = np.where(trusted, sample.time_ms, -1)
    clock_ms[first] = np.maximum(clock_ms[first], state.clock_ms[sample.tag[first]])
    late = trusted & (sample.time_ms < running_max(np.cumsum(first) - 1, clock_ms))

    timely = np.flatnonzero(~late)
    again = trusted[timely] & _repeats(state, sample.take(timely))
    verdict = np.where(late, np.uint8(Disposition.LATE), np.uint8(Disposition.EVALUATED))
    verdict[timely[again]] = Disposition.DUPLICATE
    disposition = np.empty_like(verdict)
    disposition[order] = verdict
    return disposition


def _all_newer(state: State, batch: Batch) -> bool:
    """Say whether every sample is trusted and newer than all before it of its tag (the common case)."""
    if (batch.quality == CLOCK_SUSPECT).any() or (batch.time_ms <= state.clock_ms[batch.tag]).any():
        return False
    if (batch.tag[1:] > batch.tag[:-1]).all():
        return True
    order = order_by(batch.tag)
    tag, time_ms = batch.tag[order], batch.time_ms[order]
    return bool(((tag[1:] != tag[:-1]) | (time_ms[1:] > time_ms[:-1])).all())


def _repeats(state: State, sample: Batch) -> NDArray[np.bool_]:
    """Say which samples repeat time and value of the one before them (sorted by tag, none late).

    The one before may be a duplicate itself: then it stands for the evaluated sample it repeats.
    """
    first = first_of_runs(sample.tag)
    row = sample.tag[first]
    time_ms, value, quality = np.roll(sample.time_ms, 1), np.roll(sample.value, 1), np.roll(sample.quality, 1)
    time_ms[first], value[first], quality[first] = state.clock_ms[row], state.value[row], state.quality[row]
    same: NDArray[np.bool_] = (value == sample.value) | (np.isnan(value) & np.isnan(sample.value))
    same &= time_ms == sample.time_ms
    same &= quality != CLOCK_SUSPECT
    return same
