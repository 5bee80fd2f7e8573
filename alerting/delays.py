"""On-delay and off-delay for every condition that samples decide (docs/alarm-conditions.md, "Runs and delays").

Runs are disjoint in time, so an alarm is simply raised or not by the last *qualified* run: one of ON samples that was
held for the on-delay, or one of OFF samples held for the off-delay. That makes the automaton a few scans: fill the
class forward over samples that say nothing, sum the held time within each run, look where it reaches the delay.

A *lane* is one condition of one tag. Its elements are the state carried in (as a sample that is there already),
then the samples of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Change, Transitions
from alerting.classes import BETWEEN, FROZEN, OFF, ON, classify
from alerting.evidence import Evidence, remembered
from alerting.measures import Measures
from alerting.rules import DEV, Rules
from alerting.samples import Samples
from alerting.segments import first_of_runs, running_max
from alerting.state import COUNTING, IDLE, SUSPENDED, State

__all__ = ["advance", "mature"]

G = TypeVar("G", bound=np.generic)
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_NO_DELAY: Final = 1 << 62
"""The delay after which a run of BETWEEN samples would change something: never."""


@dataclass(frozen=True, slots=True, eq=False)
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
    of: Ints
    """[element]: the lane it belongs to."""
    active: Bools
    """As carried in; so are the next two."""
    pending: NDArray[np.uint8]
    onset_ms: Ints


@dataclass(frozen=True, slots=True, eq=False)
class _Elements:
    """The elements of all lanes, one after the other."""

    kind: NDArray[np.uint8]
    """Class, filled forward over FROZEN."""
    frozen: Bools
    time_ms: Ints
    span_ms: Ints
    """For how long the element adds time to its run."""
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """The run each element belongs to."""

    first: Ints
    """Position of the first element of the run."""
    held_ms: Ints
    """Time held in the run before the element."""
    delay_ms: Ints
    """After how much held time the run qualifies."""


@dataclass(frozen=True, slots=True, eq=False)
class _Changes:
    """Where alarms are raised and cleared; alternating within a lane."""

    at: Ints
    """Position of the deciding element."""
    lane: Ints
    raised: Bools
    """True: raised; False: cleared."""
    onset_ms: Ints
    time_ms: Ints


def advance(rules: Rules, state: State, samples: Samples, evidence: Evidence | None) -> Transitions:
    """Move the conditions of some tags over their samples of one batch.

    Args:
        rules: The rules in force.
        state: Changed in place: ``busy``, ``reference`` and the tables of conditions.
        samples: All evaluated samples of these tags, sorted by tag, in order of arrival within a tag.
        evidence: What they show beyond their values; None when no condition asks for it.

    Returns:
        The transitions.
    """
    classes = classify(rules, samples, evidence)
    starts = np.flatnonzero(first_of_runs(samples.row))
    rows = samples.row.take(starts)
    touched = _alive(state, _cells(rules, rows))
    touched |= np.logical_or.reduceat(classes == ON, starts, axis=1)
    which, group = np.nonzero(touched)
    if not len(which):
        return Transitions.empty()
    counts = np.empty_like(starts)
    np.subtract(starts[1:], starts[:-1], out=counts[:-1])
    counts[-1] = len(samples) - starts[-1]
    lanes = _lanes(rules, state, rules.sampled.take(which), rows.take(group), counts.take(group))
    source = np.arange(lanes.end[-1] + 1)
    source += (starts.take(group) - lanes.start - 1).take(lanes.of)
    source[lanes.start] += 1  # the carried element: overwritten with the state
    kind = classes.reshape(-1).take((which * len(samples)).take(lanes.of) + source)
    elements = _elements(rules, state, lanes, samples.take(source), kind)
    runs = _runs(rules, state, lanes, elements)
    changes = _changes(state, lanes, elements, runs)
    found = _measure(rules, state, (samples, evidence), lanes, changes, source)
    _settle(state, lanes, elements, runs, changes)
    if evidence is not None:
        _remember(state, lanes, evidence.reference.take(source.take(lanes.end)))
    state.busy[rows] = False
    state.busy[lanes.row[_alive(state, lanes.cell)]] = True
    return _tell(rules, lanes, elements, changes, found)


def _cells(rules: Rules, rows: Ints) -> Ints:
    """Return where the conditions that samples decide lie in the flattened tables, [len(sampled), len(rows)]."""
    return rules.sampled[:, None] * rules.count + rows


def _alive(state: State, cells: Ints) -> Bools:
    """Say which cells are active or have a run on its way."""
    alive: Bools = state.pending.take(cells) != IDLE
    alive |= state.active.take(cells)
    return alive


def _lanes(rules: Rules, state: State, condition: Ints, row: Ints, samples: Ints) -> _Lanes:
    """Give each lane its place: one carried element, then its samples."""
    end = np.cumsum(samples + 1)
    cell = condition * rules.count + row
    return _Lanes(
        condition=condition,
        row=row,
        cell=cell,
        start=end - samples - 1,
        end=end - 1,
        of=np.repeat(np.arange(len(row)), samples + 1),
        active=state.active.take(cell),
        pending=state.pending.take(cell),
        onset_ms=state.onset_ms.take(cell),
    )


def _elements(rules: Rules, state: State, lanes: _Lanes, taken: Samples, kind: NDArray[np.uint8]) -> _Elements:
    """Put the carried elements in front of the samples and measure for how long each one adds time."""
    start, end, row = lanes.start, lanes.end, lanes.row
    time_ms, value, quality = taken.time_ms, taken.value, taken.quality
    time_ms[start] = state.last_ms(row)
    value[start] = state.value.take(row)
    quality[start] = state.quality.take(row)
    kind[start] = np.where(lanes.pending == IDLE, BETWEEN, np.where(lanes.active, OFF, ON))

    span_ms = np.empty_like(time_ms)
    np.subtract(time_ms[1:], time_ms[:-1], out=span_ms[:-1])
    span_ms[end] = 0
    np.minimum(span_ms, rules.hold_ms.take(taken.row), out=span_ms)
    np.maximum(span_ms, 0, out=span_ms)
    span_ms[start[lanes.pending != COUNTING]] = 0
    frozen = kind == FROZEN
    if frozen.any():
        span_ms[frozen] = 0
        kind = kind.take(np.maximum.accumulate(np.where(frozen, 0, np.arange(len(kind)))))
    return _Elements(kind, frozen, time_ms, span_ms, value, quality)


def _runs(rules: Rules, state: State, lanes: _Lanes, elements: _Elements) -> _Runs:
    """Find the runs, the time held in each so far, and what it takes to qualify."""
    begins = first_of_runs(elements.kind)
    begins[lanes.start] = True
    first = np.flatnonzero(begins).take(np.cumsum(begins) - 1)
    before = np.cumsum(elements.span_ms)
    before -= elements.span_ms
    base = before.copy()
    base[lanes.start] -= state.held_ms.take(lanes.cell)
    delays = np.empty((len(lanes.cell), 3), np.int64)
    delays[:, OFF] = rules.off_delay_ms.take(lanes.cell)
    delays[:, ON] = rules.on_delay_ms.take(lanes.cell)
    delays[:, BETWEEN] = _NO_DELAY
    return _Runs(first, before - base.take(first), delays.take(lanes.of * 3 + elements.kind))


def _changes(state: State, lanes: _Lanes, elements: _Elements, runs: _Runs) -> _Changes:
    """Find where a run qualifies and says something new."""
    at = np.flatnonzero(runs.held_ms + elements.span_ms >= runs.delay_ms)
    at = at[first_of_runs(runs.first.take(at))]
    lane, raised = lanes.of.take(at), elements.kind.take(at) == ON
    new = raised != _before(raised, lane, lanes.active)
    at, lane, raised = at[new], lane[new], raised[new]

    first = first_of_runs(lane)
    time_ms = elements.time_ms.take(at) + runs.delay_ms.take(at) - runs.held_ms.take(at)
    time_ms[first] = np.maximum(time_ms[first], state.changed_ms.take(lanes.cell.take(lane[first])))
    if (time_ms[1:] < time_ms[:-1])[~first[1:]].any():
        time_ms = running_max(np.cumsum(first) - 1, time_ms)
    begun_ms = _run_onset(lanes, elements, runs, at)
    onset_ms = np.where(raised, begun_ms, _before(begun_ms, lane, lanes.onset_ms))
    return _Changes(at, lane, raised, onset_ms, time_ms)


def _before(values: NDArray[G], lane: Ints, carried: NDArray[G]) -> NDArray[G]:
    """Return for each value the one before it in its lane; for the first the one carried into the lane."""
    before = np.empty_like(values)
    before[1:] = values[:-1]
    first = first_of_runs(lane)
    before[first] = carried.take(lane[first])
    return before


def _run_onset(lanes: _Lanes, elements: _Elements, runs: _Runs, at: Ints) -> Ints:
    """Return when the runs of the elements ``at`` began; a carried run knows its onset itself."""
    lane, first = lanes.of.take(at), runs.first.take(at)
    return np.where(first == lanes.start.take(lane), lanes.onset_ms.take(lane), elements.time_ms.take(first))


def _measure(
    rules: Rules,
    state: State,
    samples: tuple[Samples, Evidence | None],
    lanes: _Lanes,
    changes: _Changes,
    source: Ints,
) -> Measures:
    """Return what the deciding elements measured: samples of the batch, or the last one before it."""
    found = Measures.none(len(changes.at))
    taken, evidence = samples
    if evidence is None or not len(changes.at):
        return found
    condition, row = lanes.condition.take(changes.lane), lanes.row.take(changes.lane)
    carried = changes.at == lanes.start.take(changes.lane)
    now, before = np.flatnonzero(~carried), np.flatnonzero(carried)
    found.put(now, evidence.measure(rules, taken, condition.take(now), source.take(changes.at.take(now))))
    found.put(before, remembered(rules, state, condition.take(before), row.take(before)))
    return found


def _remember(state: State, lanes: _Lanes, reference: NDArray[np.float64]) -> None:
    """Keep what DEV compares with, while its run may yet be decided by the last sample."""
    compared = np.flatnonzero(lanes.condition == DEV)
    counting = state.pending.take(lanes.cell.take(compared)) == COUNTING
    state.reference[lanes.row.take(compared)] = np.where(counting, reference.take(compared), np.nan)


def _tell(rules: Rules, lanes: _Lanes, elements: _Elements, changes: _Changes, found: Measures) -> Transitions:
    """Return the changes as transitions."""
    return Transitions(
        tag=lanes.row[changes.lane].astype(np.int32),
        condition=lanes.condition[changes.lane].astype(np.uint8),
        change=np.where(changes.raised, np.uint8(Change.RAISED), np.uint8(Change.CLEARED)),
        onset_ms=changes.onset_ms,
        time_ms=changes.time_ms,
        value=elements.value[changes.at],
        quality=elements.quality[changes.at],
        limit=rules.limit.take(lanes.cell.take(changes.lane)),
        measure=found.measure,
        low=found.low,
        high=found.high,
    )


def _settle(state: State, lanes: _Lanes, elements: _Elements, runs: _Runs, changes: _Changes) -> None:
    """Write back what each lane carries on from its last sample."""
    cell, end = lanes.cell, lanes.end
    active, onset_ms = lanes.active.copy(), lanes.onset_ms.copy()
    active[changes.lane] = changes.raised  # the last change of a lane stays
    onset_ms[changes.lane] = changes.onset_ms
    pending = elements.kind.take(end) == np.where(active, OFF, ON)
    begun_ms = np.where(pending, _run_onset(lanes, elements, runs, end), 0)
    state.active.reshape(-1)[cell] = active
    state.onset_ms.reshape(-1)[cell] = np.where(active, onset_ms, begun_ms)
    state.held_ms.reshape(-1)[cell] = np.where(pending, runs.held_ms.take(end), 0)
    state.pending.reshape(-1)[cell] = np.where(pending, np.where(elements.frozen.take(end), SUSPENDED, COUNTING), IDLE)
    state.changed_ms.reshape(-1)[cell.take(changes.lane)] = changes.time_ms


def mature(rules: Rules, state: State, now_ms: int) -> Transitions:
    """Change the conditions whose pending run is held long enough by now, though no further sample came.

    Args:
        rules: The rules in force.
        state: Changed in place: ``busy`` and the tables of conditions.
        now_ms: Gateway clock; the last sample of a silent tag stands for the process, for its hold at most.

    Returns:
        The transitions, at the instants at which the delays were over.
    """
    rows = np.flatnonzero(state.busy)
    cells = _cells(rules, rows)
    which, group = np.nonzero(state.pending.take(cells) == COUNTING)
    cell, row = cells[which, group], rows.take(group)
    active = state.active.take(cell)
    left_ms = np.where(active, rules.off_delay_ms.take(cell), rules.on_delay_ms.take(cell))
    left_ms -= state.held_ms.take(cell)
    due = left_ms <= np.minimum(now_ms - state.heard_ms.take(row), rules.hold_ms.take(row))
    if not due.any():
        return Transitions.empty()
    cell, row, left_ms, active = cell[due], row[due], left_ms[due], active[due]
    time_ms = np.maximum(state.last_ms(row) + left_ms, state.changed_ms.take(cell))
    condition = cell // rules.count
    found = remembered(rules, state, condition, row)
    transitions = Transitions(
        tag=row.astype(np.int32),
        condition=condition.astype(np.uint8),
        change=np.where(active, np.uint8(Change.CLEARED), np.uint8(Change.RAISED)),
        onset_ms=state.onset_ms.take(cell),
        time_ms=time_ms,
        value=state.value.take(row),
        quality=state.quality.take(row),
        limit=rules.limit.take(cell),
        measure=found.measure,
        low=found.low,
        high=found.high,
    )
    state.reference[row[condition == DEV]] = np.nan
    state.active.reshape(-1)[cell] = ~active
    state.pending.reshape(-1)[cell] = IDLE
    state.held_ms.reshape(-1)[cell] = 0
    state.changed_ms.reshape(-1)[cell] = time_ms
    state.onset_ms.reshape(-1)[cell[active]] = 0
    state.busy[row] = _alive(state, _cells(rules, row)).any(axis=0)
    return transitions
