"""Evaluates again what came late, behind the pipeline: what would have been an alarm is recorded, never paged.

Follows the log for late samples, waits until no more of a tag come, reads all samples of the tag from the history in
the order of their own times, and hands what was missed to the pipeline, which alone writes alarms. A crash loses
nothing: its position is kept with the alarms, and the log is kept for what is still on its way.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
import structlog

from alerting.batch import Batch, Disposition
from alerting.retrospect import Alarms, Known, evaluate_in_order, lead_ms, missed, tail_ms
from alerting.rules import Rules, compile_rules
from config.clock import Clock
from config.plant.model import CONDITIONS, Condition, Plant
from gateway.errors import HistoryError, RecordsError
from gateway.history.port import HistoryReader, HistoryRows, LogEntry, LogReader

__all__ = ["FOLLOWER", "Findings", "LateLane", "Recorded"]

FOLLOWER = "late_lane"
"""Name under which the position is kept."""

_QUIET_MS = 2_000
_LONGEST_MS = 30_000
"""A tag that goes on receiving late samples is evaluated meanwhile."""
_READ_SAMPLES = 100_000
_SLICE_PERIODS = 50_000
_SLICE_SAMPLES = 1_000_000
_PAUSE_S = 0.5
_RETRY_S = 5.0
_FOREVER_MS: Final = int(np.iinfo(np.int64).max)

log = structlog.get_logger(__name__)


class Recorded(Protocol):
    """What the lane asks of the records. For any thread."""

    def tag_id(self, name: str) -> int | None:
        """Return the row of a tag, or None when it never had one."""
        ...

    def alarms_overlapping(self, tag: str, from_ms: int, to_ms: int) -> Sequence[dict[str, Any]]:
        """Return the alarms of a tag whose time from onset to clearing meets a span."""
        ...


@dataclass(frozen=True, slots=True)
class Findings:
    """Alarms that were missed on one tag."""

    tag: str
    alarms: Alarms
    received_ms: int
    """When the last of the late samples came, gateway clock."""
    position: int
    """First log row with a late sample that led here."""


@dataclass(slots=True)
class _Span:
    """Late samples of one tag."""

    from_ms: int
    to_ms: int
    first_position: int
    last_position: int
    first_received_ms: int
    last_received_ms: int


class LateLane:
    """The second lane, to be run in a thread of its own.

    Args:
        log_reader: The log.
        history: Where all samples of a tag are.
        recorded: The records.
        plant: Says what is watched.
        clock: Wall.
        history_position: Log position that the history has taken.
    """

    def __init__(
        self,
        log_reader: LogReader,
        history: HistoryReader,
        recorded: Recorded,
        plant: Plant,
        clock: Clock,
        history_position: Callable[[], int],
    ) -> None:
        self._reader = log_reader
        self._history = history
        self._recorded = recorded
        self._plant = plant
        self._clock = clock
        self._history_position = history_position
        self._names: dict[int, str] = {}
        self._rules: dict[str, Rules] = {}
        self._spans: dict[int, _Span] = {}
        self._lock = threading.Lock()
        self._read_upto: int | None = None
        self._found: deque[Findings] = deque()
        self.windows = 0
        """Evaluated again since the start."""
        self.late_samples = 0
        """Seen since the start."""

    def start_from(self, position: int) -> None:
        """Say up to which log row nothing is left to be done; once, before anything else."""
        with self._lock:
            if self._read_upto is None:
                self._read_upto = position

    def position(self) -> int:
        """Return the log position up to which this lane needs no row any more. From any thread."""
        with self._lock:
            firsts = [span.first_position for span in self._spans.values()]
            firsts += [one.position for one in self._found]
            return min([self._read_upto or 0, *(first - 1 for first in firsts)])

    def findings(self) -> tuple[Findings, ...]:
        """Return what is to be recorded; say `recorded` when it is. For one thread."""
        return tuple(self._found)

    def recorded(self, count: int) -> None:
        """Say that the first ``count`` findings are durable."""
        with self._lock:
            for _ in range(count):
                self._found.popleft()

    def run(self, stop: threading.Event) -> None:
        """Go round until ``stop`` is set; trouble is logged and tried again."""
        while not stop.is_set():
            try:
                more = self.turn()
            except (HistoryError, RecordsError) as error:
                log.error("late_lane_behind", error=str(error), retry_s=_RETRY_S)
                stop.wait(_RETRY_S)
                continue
            if not more:
                stop.wait(_PAUSE_S)

    def turn(self) -> bool:
        """Look at some rows of the log, then evaluate the tags from which no more late samples come.

        Returns:
            Whether there are more rows to look at.

        Raises:
            RecordsError: The records cannot be read.
            HistoryError: The history cannot be read.
        """
        if self._read_upto is None:
            return False
        entries, upto = self._reader.read_after(self._read_upto, _READ_SAMPLES)
        more = upto > self._read_upto
        with self._lock:
            for entry in entries:
                self._note(entry)
            self._read_upto = upto
        now_ms, taken = self._clock.wall_ms(), self._history_position()
        for row, span in list(self._spans.items()):
            quiet = now_ms - span.last_received_ms >= _QUIET_MS or now_ms < span.last_received_ms
            if (quiet or now_ms - span.first_received_ms >= _LONGEST_MS) and taken >= span.last_position:
                self._settle(row, span)
        return more

    def _note(self, entry: LogEntry) -> None:
        """Widen the spans of the tags that have late samples in a row of the log."""
        late = np.flatnonzero(entry.disposition == Disposition.LATE)
        self.late_samples += len(late)
        for row in np.unique(entry.tag[late]).tolist():
            times = entry.time_ms[late][entry.tag[late] == row]
            span = self._spans.setdefault(
                row, _Span(_FOREVER_MS, 0, entry.position, entry.position, entry.received_ms, entry.received_ms)
            )
            span.from_ms, span.to_ms = min(span.from_ms, int(times.min())), max(span.to_ms, int(times.max()))
            span.last_position, span.last_received_ms = entry.position, entry.received_ms

    def _settle(self, row: int, span: _Span) -> None:
        """Evaluate one tag again and note what was missed."""
        name = self._name_of(row)
        found = None if name is None else self._evaluate(name, span)
        with self._lock:
            del self._spans[row]
            if name is not None and found is not None and len(found):
                self._found.append(Findings(name, found, span.last_received_ms, span.first_position))
        if found is not None:
            self.windows += 1
            log.info("late_samples_evaluated", tag=name, from_ms=span.from_ms, to_ms=span.to_ms, missed=len(found))

    def _evaluate(self, name: str, span: _Span) -> Alarms:
        rules = self._rules_of(name)
        from_ms = max(0, span.from_ms - lead_ms(rules, 0))
        to_ms = span.to_ms + tail_ms(rules, 0) + 1
        found = evaluate_in_order(rules, self._batches(rules, from_ms, to_ms), to_ms)
        own = found.take(found.tag == 0)
        known = self._recorded.alarms_overlapping(name, from_ms, to_ms)
        return missed(own, _known(known), span.from_ms, span.to_ms)

    def _batches(self, rules: Rules, from_ms: int, to_ms: int) -> Iterator[Batch]:
        """Read the samples of a tag and its partners, slice by slice, in the order of their times."""
        width_ms = _SLICE_PERIODS * self._plant.tags[rules.names[0]].period_ms
        for begin_ms in range(from_ms, to_ms, width_ms):
            parts = [
                _batch(row, self._history.samples(tag_id, begin_ms, min(begin_ms + width_ms, to_ms), _SLICE_SAMPLES))
                for row, name in enumerate(rules.names)
                if (tag_id := self._recorded.tag_id(name)) is not None
            ]
            whole = Batch(*(np.concatenate([getattr(part, column) for part in parts]) for column in Batch.__slots__))
            order = np.argsort(whole.time_ms, kind="stable")
            yield Batch(*(getattr(whole, column)[order] for column in Batch.__slots__))

    def _rules_of(self, name: str) -> Rules:
        """Return the rules of a tag, and of its partners as far as they are compared with."""
        if name not in self._rules:
            tag = self._plant.tags[name]
            partners = dict.fromkeys(partner for rule in tag.conditions for partner in rule.partners)
            tags = {name: tag} | {one: replace(self._plant.tags[one], conditions=()) for one in partners}
            self._rules[name] = compile_rules(replace(self._plant, tags=tags), tuple(tags))
        return self._rules[name]

    def _name_of(self, row: int) -> str | None:
        """Return the name of a tag; None when the plant no longer has it."""
        if row not in self._names:
            self._names = {
                tag_id: name for name in self._plant.tags if (tag_id := self._recorded.tag_id(name)) is not None
            }
        return self._names.get(row)


def _batch(row: int, rows: HistoryRows) -> Batch:
    return Batch(np.full(len(rows.time_ms), row, np.int32), rows.time_ms, rows.value, rows.quality)


def _known(rows: Sequence[dict[str, Any]]) -> Known:
    cleared_ms = [_FOREVER_MS if row["cleared_ms"] is None else row["cleared_ms"] for row in rows]
    return Known(
        tag=np.zeros(len(rows), np.int32),
        condition=np.array([CONDITIONS.index(Condition(row["condition"])) for row in rows], np.uint8),
        onset_ms=np.array([row["onset_ms"] for row in rows], np.int64),
        cleared_ms=np.array(cleared_ms, np.int64),
    )
