"""On-delay and off-delay for every condition that samples decide (docs/alarm-conditions.md, "Runs and delays").

Runs are disjoint in time, so an alarm is simply raised or not by the last *qualified* run: one of ON samples that was
held for the on-delay, or one of OFF samples held for the off-delay. That makes the automaton a few scans: fill the
class forward over samples that say nothing, sum the held time within each run, look where it reaches the delay.

A *lane* is one condition of one tag. Its elements are the state carried in (as a sample that is there already),
then the samples of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Batch, Change, Transitions
from alerting.classes import BETWEEN, FROZEN, OFF, ON, SAMPLED, classify
from alerting.quality import CLOCK_SUSPECT
from alerting.rules import Rules
from alerting.segments import first_of_runs, running_max
from alerting.state import COUNTING, IDLE, SUSPENDED, State

__all__ = ["advance", "mature"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_SAMPLED: Final = np.array(SAMPLED)

_NO_DELAY: Final = 1 << 62
"""The delay after which a run of BETWEEN samples would change something: never."""


@dataclass(frozen=True, slots=True)
class _Lanes:
    """The lanes in which something can change, and where their elements lie."""

    condition: Ints
    row: Ints
    cell: Ints
    """Position in the flattened [condition, row] tables."""
    start: Ints
    """Position of the carried element; the samples follow it."""
    end: Ints
    """Position of the last sample."""


@dataclass(frozen=True, slots=True)
class _Elements:
    """The elements of all lanes, one after the other."""

    lane: Ints
    kind: NDArray[np.uint8]
    """Class, filled forward over FROZEN."""
    frozen: Bools
    time_ms: Ints
    """Effective time."""
    span_ms: Ints
    """For how long the element adds time to its run."""
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Runs:
    """The run each element belongs to."""

    first: Ints
    """Position of the first element of the run."""
    held_ms: Ints
    """Time held in the run before the element."""
    delay_ms: Ints
    """After how much held time the run qualifies."""


@dataclass(frozen=True, slots=True)
class _Changes:
    """Where alarms are raised and cleared; alternating within a lane."""

    at: Ints
    """Position of the deciding element."""
    lane: Ints
    raised: Bools
    """True: raised; False: cleared."""
    onset_ms: Ints
    time_ms: Ints


def advance(rules: Rules, state: State, samples: Batch, received_ms: int) -> Transitions:
    """Move the conditions of some tags over their samples of one batch.

    Args:
        rules: The rules in force.
        state: Changed in place: ``busy`` and the tables of conditions.
        samples: All evaluated samples of these tags, sorted by tag, in order of arrival within a tag.
        received_ms: Gateway clock; the effective time of samples whose clock is suspect.

    Returns:
        The transitions.
    """
    classes = classify(rules, samples)
    starts = np.flatnonzero(first_of_runs(samples.tag))
    rows = samples.tag[starts].astype(np.int64)
    touched = np.logical_or.reduceat(classes == ON, starts, axis=1)
    touched |= state.active[_SAMPLED[:, None], rows] | (state.pending[_SAMPLED[:, None], rows] != IDLE)
    which, group = np.nonzero(touched)
    if not len(which):
        return Transitions.empty()
    counts = np.diff(starts, append=len(samples))[group]
    lanes = _lay_out(rules.count, _SAMPLED[which], rows[group], counts)
    source = np.arange(lanes.end[-1] + 1) + np.repeat(starts[group] - lanes.start - 1, counts + 1)
    source[lanes.start] += 1  # the carried element: overwritten with the state
    kind = classes.reshape(-1)[np.repeat(which * len(samples), counts + 1) + source]
    elements = _elements(rules, state, lanes, samples.take(source), kind, received_ms)
    runs = _runs(rules, state, lanes, elements)
    changes = _changes(state, lanes, elements, runs)
    transitions = _tell(rules, lanes, elements, changes)
    _settle(state, lanes, elements, runs, changes)
    state.busy[rows] = False
    state.busy[lanes.row[_alive(state, lanes.cell)]] = True
    return transitions


def _lay_out(rows: int, condition: Ints, row: Ints, samples: Ints) -> _Lanes:
    """Give each lane its place: one carried element, then its samples."""
    end = np.cumsum(samples + 1)
    return _Lanes(condition, row, condition * rows + row, end - samples - 1, end - 1)


def _elements(
    rules: Rules, state: State, lanes: _Lanes, taken: Batch, kind: NDArray[np.uint8], received_ms: int
) -> _Elements:
    """Put the carried elements in front of the samples and measure for how long each one adds time."""
    start = lanes.start
    lane = np.repeat(np.arange(len(start)), lanes.end - start + 1)
    pending = state.pending.reshape(-1)[lanes.cell]
    active = state.active.reshape(-1)[lanes.cell]
    time_ms, value, quality = taken.time_ms, taken.value, taken.quality
    suspect = quality == CLOCK_SUSPECT
    if suspect.any():
        time_ms = np.where(suspect, received_ms, time_ms)
    time_ms[start] = state.last_ms(lanes.row)
    value[start], quality[start] = state.value[lanes.row], state.quality[lanes.row]
    kind[start] = np.where(pending == IDLE, BETWEEN, np.where(active, OFF, ON))

    span_ms = np.diff(time_ms, append=0)
    np.clip(span_ms, 0, rules.hold_ms[lanes.row][lane], out=span_ms)
    span_ms[lanes.end] = 0
    frozen = kind == FROZEN
    if frozen.any():
        span_ms[frozen] = 0
        kind = kind[np.maximum.accumulate(np.where(frozen, 0, np.arange(len(kind))))]
    span_ms[start[pending != COUNTING]] = 0
    return _Elements(lane, kind, frozen, time_ms, span_ms, value, quality)


def _runs(rules: Rules, state: State, lanes: _Lanes, elements: _Elements) -> _Runs:
    """Find the runs, the time held in each so far, and what it takes to qualify."""
    begins = first_of_runs(elements.kind)
    begins[lanes.start] = True
    first = np.maximum.accumulate(np.where(begins, np.arange(len(begins)), 0))
    before = np.cumsum(elements.span_ms) - elements.span_ms
    base = before.copy()
    base[lanes.start] -= state.held_ms.reshape(-1)[lanes.cell]
    delays = np.empty((len(lanes.cell), 3), np.int64)
    delays[:, OFF] = rules.off_delay_ms.reshape(-1)[lanes.cell]
    delays[:, ON] = rules.on_delay_ms.reshape(-1)[lanes.cell]
    delays[:, BETWEEN] = _NO_DELAY
    return _Runs(first, before - base[first], delays.reshape(-1)[elements.lane * 3 + elements.kind])


def _changes(state: State, lanes: _Lanes, elements: _Elements, runs: _Runs) -> _Changes:
    """Find where a run qualifies and says something new."""
    enough = runs.held_ms + elements.span_ms >= runs.delay_ms
    already = np.zeros_like(enough)
    np.logical_and(enough[:-1], runs.first[1:] == runs.first[:-1], out=already[1:])
    at = np.flatnonzero(enough & ~already)
    lane, raised = elements.lane[at], elements.kind[at] == ON
    before = np.roll(raised, 1)
    first = first_of_runs(lane)
    before[first] = state.active.reshape(-1)[lanes.cell[lane[first]]]
    new = raised != before
    at, lane, raised = at[new], lane[new], raised[new]

    first = first_of_runs(lane)
    cell = lanes.cell[lane]
    time_ms = elements.time_ms[at] + runs.delay_ms[at] - runs.held_ms[at]
    time_ms[first] = np.maximum(time_ms[first], state.changed_ms.reshape(-1)[cell[first]])
    if (time_ms[1:] < time_ms[:-1])[~first[1:]].any():
        time_ms = running_max(np.cumsum(first) - 1, time_ms)
    onset_ms = _run_onset(state, lanes, elements, runs, at)
    ends = ~raised
    onset_ms[ends] = np.where(first, state.onset_ms.reshape(-1)[cell], np.roll(onset_ms, 1))[ends]
    return _Changes(at, lane, raised, onset_ms, time_ms)


def _run_onset(state: State, lanes: _Lanes, elements: _Elements, runs: _Runs, at: Ints) -> Ints:
    """Return when the runs of the elements ``at`` began; a carried run knows its onset itself."""
    lane, first = elements.lane[at], runs.first[at]
    return np.where(first == lanes.start[lane], state.onset_ms.reshape(-1)[lanes.cell[lane]], elements.time_ms[first])


def _tell(rules: Rules, lanes: _Lanes, elements: _Elements, changes: _Changes) -> Transitions:
    """Return the changes as transitions."""
    return Transitions(
        tag=lanes.row[changes.lane].astype(np.int32),
        condition=lanes.condition[changes.lane].astype(np.uint8),
        change=np.where(changes.raised, np.uint8(Change.RAISED), np.uint8(Change.CLEARED)),
        onset_ms=changes.onset_ms,
        time_ms=changes.time_ms,
        value=elements.value[changes.at],
        quality=elements.quality[changes.at],
        limit=rules.limit.reshape(-1)[lanes.cell[changes.lane]],
    )


def _settle(state: State, lanes: _Lanes, elements: _Elements, runs: _Runs, changes: _Changes) -> None:
    """Write back what each lane carries on from its last sample."""
    cell, end = lanes.cell, lanes.end
    active = state.active.reshape(-1)[cell]
    active[changes.lane] = changes.raised  # the last change of a lane stays
    kind = elements.kind[end]
    pending = np.where(active, kind == OFF, kind == ON)
    onset_ms = np.where(active, state.onset_ms.reshape(-1)[cell], 0)
    onset_ms[changes.lane] = changes.onset_ms
    onset_ms[~active] = np.where(pending, _run_onset(state, lanes, elements, runs, end), 0)[~active]
    state.active.reshape(-1)[cell] = active
    state.pending.reshape(-1)[cell] = np.where(pending, np.where(elements.frozen[end], SUSPENDED, COUNTING), IDLE)
    state.onset_ms.reshape(-1)[cell] = onset_ms
    state.held_ms.reshape(-1)[cell] = np.where(pending, runs.held_ms[end], 0)
    state.changed_ms.reshape(-1)[cell[changes.lane]] = changes.time_ms


def _alive(state: State, cell: Ints) -> Bools:
    """Say which cells are active or have a run on its way."""
    alive: Bools = state.active.reshape(-1)[cell]
    alive |= state.pending.reshape(-1)[cell] != IDLE
    return alive


def mature(rules: Rules, state: State, now_ms: int) -> Transitions:
    """Change the conditions whose pending run is held long enough by now, though no further sample came.

    Args:
        rules: The rules in force.
        state: Changed in place: ``busy`` and the tables of conditions.
        now_ms: Gateway clock. The last sample of a tag stands for the process while the tag is silent, for its
            hold at most.

    Returns:
        The transitions, at the instants at which the delays were over.
    """
    rows = np.flatnonzero(state.busy)
    if not len(rows):
        return Transitions.empty()
    which, group = np.nonzero(state.pending[_SAMPLED[:, None], rows] == COUNTING)
    cell, row = _SAMPLED[which] * rules.count + rows[group], rows[group]
    active = state.active.reshape(-1)[cell]
    delay_ms = np.where(active, rules.off_delay_ms.reshape(-1)[cell], rules.on_delay_ms.reshape(-1)[cell])
    left_ms = delay_ms - state.held_ms.reshape(-1)[cell]
    due = left_ms <= np.minimum(now_ms - state.heard_ms[row], rules.hold_ms[row])
    cell, row, left_ms, active = cell[due], row[due], left_ms[due], active[due]
    time_ms = np.maximum(state.last_ms(row) + left_ms, state.changed_ms.reshape(-1)[cell])
    transitions = Transitions(
        tag=row.astype(np.int32),
        condition=(cell // rules.count).astype(np.uint8),
        change=np.where(active, np.uint8(Change.CLEARED), np.uint8(Change.RAISED)),
        onset_ms=state.onset_ms.reshape(-1)[cell],
        time_ms=time_ms,
        value=state.value[row],
        quality=state.quality[row],
        limit=rules.limit.reshape(-1)[cell],
    )
    state.active.reshape(-1)[cell] = ~active
    state.pending.reshape(-1)[cell] = IDLE
    state.held_ms.reshape(-1)[cell] = 0
    state.changed_ms.reshape(-1)[cell] = time_ms
    state.onset_ms.reshape(-1)[cell[active]] = 0
    state.busy[row] = _alive(state, _SAMPLED[:, None] * rules.count + row).any(axis=0)
    return transitions
