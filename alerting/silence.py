"""STALE: tags that stopped sending, by the gateway's clock (docs/alarm-conditions.md, "STALE")."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Change, Transitions
from alerting.rules import STALE, Rules
from alerting.samples import Samples
from alerting.state import State

__all__ = ["break_silence", "count_from", "notice_silence"]


def count_from(state: State, now_ms: int) -> None:
    """Count the silence of every tag from now (the gateway starts; before, it could not have heard anything)."""
    state.heard_ms[:] = now_ms
    state.latest_ms = now_ms


def notice_silence(rules: Rules, state: State, now_ms: int) -> Transitions:
    """Mark the tags that have been silent for longer than their allowance.

    Args:
        rules: The rules in force.
        state: Changed in place.
        now_ms: Gateway clock. When it was set back, silence counts from the new time.

    Returns:
        A RAISED for each tag whose STALE is enabled.
    """
    if now_ms < state.latest_ms:
        np.minimum(state.heard_ms, now_ms, out=state.heard_ms)
        state.latest_ms = now_ms
    overdue = now_ms - state.heard_ms > rules.stale_after_ms
    overdue &= ~state.stale
    rows = np.flatnonzero(overdue)
    state.stale[rows] = True
    rows = rows[rules.enabled[STALE][rows]]
    if not len(rows):
        return Transitions.empty()
    onset_ms = state.heard_ms[rows]
    time_ms = np.maximum(onset_ms + rules.stale_after_ms[rows], state.changed_ms[STALE][rows])
    state.active[STALE][rows] = True
    state.onset_ms[STALE][rows] = onset_ms
    state.changed_ms[STALE][rows] = time_ms
    return _tell(rules, rows, Change.RAISED, onset_ms, time_ms, (state.value[rows], state.quality[rows]))


def break_silence(rules: Rules, state: State, samples: Samples, received_ms: int) -> Transitions:
    """Say that stale tags have been heard again.

    Args:
        rules: The rules in force.
        state: Changed in place.
        samples: Evaluated samples of stale tags, in order of arrival.
        received_ms: Gateway clock when they came.

    Returns:
        A CLEARED for each of the tags whose STALE alarm was active.
    """
    rows, first = np.unique(samples.row, return_index=True)
    state.stale[rows] = False
    active = state.active[STALE][rows]
    rows, first = rows[active], first[active]
    onset_ms = state.onset_ms[STALE][rows]
    time_ms = np.maximum(received_ms, state.changed_ms[STALE][rows])
    state.active[STALE][rows] = False
    state.onset_ms[STALE][rows] = 0
    state.changed_ms[STALE][rows] = time_ms
    return _tell(rules, rows, Change.CLEARED, onset_ms, time_ms, (samples.value[first], samples.quality[first]))


def _tell(
    rules: Rules,
    rows: NDArray[np.integer],
    change: Change,
    onset_ms: NDArray[np.int64],
    time_ms: NDArray[np.int64],
    sample: tuple[NDArray[np.float64], NDArray[np.uint8]],
) -> Transitions:
    value, quality = sample
    nothing = np.full(len(rows), np.nan)
    return Transitions(
        tag=rows.astype(np.int32),
        condition=np.full(len(rows), STALE, np.uint8),
        change=np.full(len(rows), change, np.uint8),
        onset_ms=onset_ms,
        time_ms=time_ms,
        value=value,
        quality=quality,
        limit=rules.limit[STALE][rows],
        measure=nothing,
        low=nothing,
        high=nothing,
    )
