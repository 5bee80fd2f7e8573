"""The alarm engine: batches and ticks in, transitions out; a pure function of rules, state and input."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Batch, Disposition, Evaluation, Transitions
from alerting.calm import Calm
from alerting.delays import advance, mature
from alerting.disposition import all_newer, dispositions
from alerting.evidence import gather
from alerting.quality import is_bad
from alerting.rings import Slotted, accumulate
from alerting.rules import DEV, STALE, Rules
from alerting.samples import Samples, last_of_each
from alerting.segments import first_of_runs, order_by
from alerting.silence import break_silence, count_from, notice_silence
from alerting.snapshot import Reset, pack_state, unpack_state, unpack_unchanged
from alerting.state import IDLE, State

__all__ = ["Engine"]

S = TypeVar("S", bound=np.generic)


class Engine:
    """Evaluates samples against rules; what it decides is written in docs/alarm-conditions.md.

    Call `start` when the gateway (re)starts, `evaluate` for every batch in the order of the log, `tick` about once a
    second. Not thread-safe: one thread calls, and the arrays it shows change with the next call.

    Args:
        rules: The rules in force.
        state: What to go on from; by default no tag was ever heard.
    """

    def __init__(self, rules: Rules, state: State | None = None) -> None:
        self._rules = rules
        self._state = State.fresh(rules.count, len(rules.ringed)) if state is None else state
        self._calm = Calm(rules)
        self._place = np.zeros(rules.count, np.int32)  # scratch
        self._marked = np.zeros(rules.count, np.bool_)  # scratch, all False between calls

    @classmethod
    def restore(cls, rules: Rules, payload: bytes) -> Engine:
        """Return the engine a snapshot was taken of; tags appended to the rules since then start fresh.

        Raises:
            SnapshotError: It is damaged, of another version, or of other rules.
        """
        return cls(rules, unpack_state(rules, payload))

    @classmethod
    def restore_changed(cls, rules: Rules, payload: bytes) -> tuple[Engine, Reset]:
        """Return an engine that takes from a snapshot of other rules what they have in common.

        Last values, clocks and silences are kept, and every condition of a tag whose own rule (limit, deadband,
        delays, enabled, hold or allowance) is the same; the other conditions start fresh.

        Returns:
            The engine, and the alarms that were active in conditions it had to start fresh: no CLEARED will come for
            them.

        Raises:
            SnapshotError: It is damaged, of another version, or its tags are not the first rows of the rules.
        """
        state, reset = unpack_unchanged(rules, payload)
        return cls(rules, state), reset

    def snapshot(self) -> bytes:
        """Return the whole state as bytes for `restore`."""
        return pack_state(self._rules, self._state)

    def start(self, now_ms: int) -> None:
        """Say that the gateway (re)started: what happened before ``now_ms`` is nobody's silence.

        Staleness of every tag, and the time its last sample goes on holding at ticks, count from now on. Without it
        they count from the first tick.
        """
        count_from(self._state, now_ms)

    def adopt(self, tag: NDArray[np.int32], condition: NDArray[np.uint8], onset_ms: NDArray[np.int64]) -> None:
        """Take alarms as raised that others remember and this engine does not, its snapshot being lost.

        No data is not good news: they stay until samples clear them. Where the condition is not enabled nothing
        happens.

        Args:
            tag: m rows.
            condition: Position in `config.plant.model.CONDITIONS` of each.
            onset_ms: Onset of each.
        """
        state = self._state
        known = self._rules.enabled[condition, tag]
        condition, tag = condition[known], tag[known]
        state.active[condition, tag] = True
        state.onset_ms[condition, tag] = onset_ms[known]
        state.pending[condition, tag] = IDLE
        state.held_ms[condition, tag] = 0
        state.reference[tag[condition == DEV]] = np.nan
        silent = condition == STALE
        state.stale[tag[silent]] = True
        state.busy[tag[~silent]] = True

    def evaluate(self, batch: Batch, received_ms: int) -> Evaluation:
        """Evaluate samples in order of arrival.

        Args:
            batch: Samples with the quality `alerting.quality.assess` found.
            received_ms: Gateway clock when they came.

        Returns:
            What became of each sample, and the transitions they caused.
        """
        if not len(batch):
            return Evaluation(np.empty(0, np.uint8), Transitions.empty())
        newer, samples = all_newer(self._state, Samples.of(batch, received_ms, self._place))
        disposition = np.zeros(len(samples), np.uint8)
        if not newer:
            samples = samples.by_tag()
            verdict = dispositions(self._state, samples)
            disposition[samples.arrival] = verdict
            dropped = (verdict == Disposition.LATE) | (verdict == Disposition.DUPLICATE)
            samples = samples.take(np.flatnonzero(~dropped))
        elif self._rules.looks_beyond:
            samples = samples.by_tag()
        return Evaluation(disposition, self._take(samples, received_ms))

    def tick(self, now_ms: int) -> Transitions:
        """Let the gateway clock reach ``now_ms``: delays run out, silences become too long."""
        matured = mature(self._rules, self._state, now_ms)
        return Transitions.concat([matured, notice_silence(self._rules, self._state, now_ms)])

    def _take(self, samples: Samples, received_ms: int) -> Transitions:
        rules, state, row = self._rules, self._state, samples.row
        parts: list[Transitions] = []
        if state.stale.any():  # rarely: cheaper than to look at each sample's
            stale = np.flatnonzero(state.stale.take(row))
            if len(stale):
                parts.append(break_silence(rules, state, samples.take(stale), received_ms))
        stirred = self._calm.stirred(state, samples)
        rows = np.empty(0, np.int64)
        if stirred.any():
            rows, position = self._all_of(samples, row[stirred])
            if rules.looks_beyond and not samples.distinct:
                still = self._calm.still(state, samples, rows)
                position = position[~still.take(np.searchsorted(rows, row.take(position)))]
            if len(position):
                evidence = gather(rules, state, samples, position, self._marked) if rules.looks_beyond else None
                parts.append(advance(rules, state, samples.take(position), evidence))
        self._note(samples, received_ms)
        if rules.looks_beyond:
            self._remember(samples)
            self._calm.settle(state, rows)
        return Transitions.concat(parts)

    def _all_of(self, samples: Samples, stirred: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the tags that are stirred or compared with one that is, and the positions of all their samples.

        Returns:
            Rows, each once; positions, sorted by tag, in order of arrival within a tag.
        """
        self._marked[stirred] = True
        self._marked[self._calm.dependents(stirred)] = True
        position = np.flatnonzero(self._marked.take(samples.row))
        self._marked[stirred] = False
        self._marked[self._calm.dependents(stirred)] = False
        row = samples.row.take(position)
        if (row[1:] < row[:-1]).any():
            order = order_by(row)
            position, row = position.take(order), row.take(order)
        return row[first_of_runs(row)], position

    def _remember(self, samples: Samples) -> None:
        """Put the good samples into the windows of their tags."""
        if not len(self._rules.ringed):
            return
        sample = Slotted.of(self._rules, samples, ~is_bad(samples.quality))
        accumulate(self._state.rings, sample, distinct=samples.distinct)

    def _note(self, samples: Samples, received_ms: int) -> None:
        """Remember the last sample of each tag (of a repeated index, numpy keeps the last assignment)."""
        if not (samples.distinct or samples.suspect.any()):
            last = last_of_each(samples.row, self._place) if samples.last is None else samples.last
            samples = samples.take(last)
        state, row, suspect = self._state, samples.row, samples.suspect
        state.value[row] = samples.value
        state.quality[row] = samples.quality
        state.received_ms[row] = received_ms
        state.heard_ms[row] = received_ms
        state.latest_ms = max(state.latest_ms, received_ms)
        if suspect.any():
            state.clock_ms[row[~suspect]] = samples.time_ms[~suspect]
        else:
            state.clock_ms[row] = samples.time_ms

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return self._rules

    @property
    def time_ms(self) -> NDArray[np.int64]:
        """[row]: latest source time evaluated whose clock is to be trusted; -1 when there was none."""
        return _shown(self._state.clock_ms)

    @property
    def received_ms(self) -> NDArray[np.int64]:
        """[row]: gateway clock of the last evaluated sample; -1 when there was none."""
        return _shown(self._state.received_ms)

    @property
    def value(self) -> NDArray[np.float64]:
        """[row]: last evaluated value; NaN when there was none."""
        return _shown(self._state.value)

    @property
    def quality(self) -> NDArray[np.uint8]:
        """[row]: quality byte of the last evaluated sample; bad, not finite, when there was none."""
        return _shown(self._state.quality)

    @property
    def stale(self) -> NDArray[np.bool_]:
        """[row]: silent for longer than its allowance at the last tick, whether or not STALE is enabled."""
        return _shown(self._state.stale)

    @property
    def active(self) -> NDArray[np.bool_]:
        """[condition, row]: the alarm is raised."""
        return _shown(self._state.active)

    @property
    def onset_ms(self) -> NDArray[np.int64]:
        """[condition, row]: onset of the alarm where it is raised; elsewhere of no meaning."""
        return _shown(self._state.onset_ms)


def _shown(array: NDArray[S]) -> NDArray[S]:
    """Return a view that cannot be written."""
    view = array.view()
    view.setflags(write=False)
    return view
