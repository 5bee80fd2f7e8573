"""The order of things: messages in, samples evaluated, everything kept in one transaction, then told (design 6).

This is the one file that knows the order. It runs in a thread of its own; nothing it calls waits for anybody but the
network (bounded) and the records database.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import structlog

from alerting.batch import Disposition, Transitions
from alerting.engine import Engine
from alerting.quality import assess
from alerting.rules import Rules
from config.clock import Clock
from config.duty.handling import DEFAULT_HANDLING, Handling
from config.plant.model import Plant
from config.reserve import Reserve
from config.settings import GatewaySettings
from gateway.alarm_rows import Decided
from gateway.alarms import AlarmBook
from gateway.attend import attend
from gateway.commands import Inbox, Order
from gateway.errors import OverloadError, RecordsBusyError, RecordsError, RecordsFullError
from gateway.history.port import Behind
from gateway.ingest.acceptance import Intake, Mark, take_in
from gateway.ingest.decode import Decoder
from gateway.ingest.transport import Message, Transport
from gateway.late_lane import FOLLOWER as LATE_LANE
from gateway.late_lane import LateLane
from gateway.live import AlarmNotice, Board, Hub, values_of
from gateway.orders import Desk, carry_out
from gateway.outlet import FOLLOWER, Outlet
from gateway.pace import Pace
from gateway.records.log import Kind, LogRow, encode_samples
from gateway.records.writer import Commit, Records
from gateway.resume import Resumed, resume
from gateway.system import Watch
from gateway.tags import Rows
from gateway.tally import Tally

__all__ = ["Pipeline"]

_TICK_MS = 1_000
_DESK_S = 0.1
"""Between two looks at what other processes ask for."""
_JUMP_MS = 2_000
"""More than a clock is slewed between two ticks."""
_TRIM_PER_ROW = 3
"""Rows trimmed for each one written: faster than the log grows."""
_BUSY_TRIES = 20
_BUSY_WAIT_S = 0.25
_RECOVER_WAIT_S = 1.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Work:
    """The state that follows from the log; thrown away and rebuilt when a commit fails."""

    rows: Rows
    rules: Rules
    engine: Engine
    book: AlarmBook
    decoder: Decoder
    outlet: Outlet
    marks: dict[tuple[str, str], Mark]
    position: int
    tally: Tally
    watch: Watch


class Pipeline:
    """One gateway's pipeline, to be run in one thread.

    Args:
        plant: What is watched.
        settings: Of the gateway.
        records: The records database.
        transport: Where messages come from and answers go.
        clock: Wall and monotonic.
        lane: Where late samples are evaluated again.
        board: Where the state of the moment is shown.
        hub: Where alarm notices go.
        inbox: What people ask for.
        reserve: Disk space, given up when there is no other.
        history: Carries the log into the history; rows it needs are not trimmed.
        handling: The site's clocks and rules.
    """

    def __init__(  # noqa: PLR0913 - the one place where everything meets
        self,
        *,
        plant: Plant,
        settings: GatewaySettings,
        records: Records,
        transport: Transport,
        clock: Clock,
        lane: LateLane,
        board: Board,
        hub: Hub,
        inbox: Inbox,
        reserve: Reserve,
        history: Behind,
        handling: Handling = DEFAULT_HANDLING,
    ) -> None:
        self._plant = plant
        self._handling = handling
        self._settings = settings
        self._records = records
        self._transport = transport
        self._clock = clock
        self._lane = lane
        self._recalled = 0
        self._board = board
        self._hub = hub
        self._inbox = inbox
        self._reserve = reserve
        self._full = ""
        """Why nothing is taken in: what the database said when its disk was full."""
        self._offset_ms = 0.0
        """Of the wall clock to the monotonic one, when it was last looked at."""
        self._history = history
        self._rejected = 0
        self._pace = Pace(clock)
        self._snapshot_at_s = 0.0
        self._tick_at_s = 0.0
        self._desk_at_s = 0.0
        self._outlet_written = 0
        self._replayable_from = 0
        self._trimmed = 0

    def run(self, stop: threading.Event) -> None:
        """Go round until ``stop`` is set, then leave a snapshot behind."""
        work = self._recover(stop)
        # Plant, rules and book live as long as the process: looking through them again and again for garbage would
        # stop the pipeline for a tenth of a second each time.
        gc.collect()
        gc.freeze()
        while work is not None and not stop.is_set():
            try:
                self._turn(work, stop)
            except RecordsError as error:
                log.error("records_failed", error=str(error))
                if isinstance(error, RecordsFullError):
                    self._full = str(error)
                    self._reserve.give_up()
                self._inbox.fail_taken(error)
                self._transport.drop()
                work = self._recover(stop)
        gc.unfreeze()
        self._inbox.take()
        self._inbox.fail_taken(OverloadError("the gateway is stopping"))
        if work is not None:
            self._leave(work)

    # --- one turn ----------------------------------------------------------------------------------------------

    def _turn(self, work: _Work, stop: threading.Event) -> None:
        messages = self._receive(work)
        received_ms = self._clock.wall_ms()
        intake = take_in(work.decoder.read(messages), work.marks, received_ms)
        commit = self._open_commit(intake)
        for edge, status in intake.statuses.items():
            work.watch.hear(edge, status, received_ms)
        decided = Decided()
        if len(intake.batch.tag):
            self._evaluate(work, intake, commit, decided)
        if len(intake.backlog.tag):
            self._set_by(work, intake, commit)
        ticking = self._clock.monotonic_s() >= self._tick_at_s
        if ticking:
            self._tick(work, commit, decided, received_ms)
        orders = self._orders()
        desk = Desk(work.book, self._records, decided, commit.audit, self._clock.wall_ms(), work.position)
        for order in orders:
            carry_out(order, desk)
        commit.answers = {order.id: order.answer() for order in orders if order.id}
        commit.alarms, commit.events = decided.alarms, decided.events
        commit.inhibitions = tuple(decided.inhibitions.values())
        if not commit.is_empty:
            self._trim(commit)
            self._commit(commit, stop)
        self._tell(work, intake, decided, messages)
        for order in orders:
            order.settle()
        if ticking:
            self._show(work, received_ms)

    def _receive(self, work: _Work) -> Sequence[Message]:
        """Wait for messages until something else is due."""
        now_s = self._clock.monotonic_s()
        wait_s = min(max(0.0, self._tick_at_s - now_s), work.outlet.due_s(now_s))
        if self._settings.records is not None:
            wait_s = min(wait_s, _DESK_S)
        messages = self._transport.poll(wait_s)
        # On a full disk not acknowledged, not confirmed: everything comes again when there is room.
        return () if self._full else messages

    def _orders(self) -> list[Order]:
        """Return what people ask for: in this process, and through the records in others."""
        orders = self._inbox.take()
        now_s = self._clock.monotonic_s()
        if self._settings.records is not None and now_s >= self._desk_at_s:
            self._desk_at_s = now_s + _DESK_S
            orders += self._records.asked()
        return orders

    @staticmethod
    def _open_commit(intake: Intake) -> Commit:
        return Commit(
            marks=tuple(intake.marks.values()),
            counts=intake.counts,
            dead_letters=intake.dead_letters,
            statuses=intake.statuses,
            local_alarms=tuple(intake.local_alarms.values()),
            received_ms=intake.received_ms,
        )

    def _evaluate(self, work: _Work, intake: Intake, commit: Commit, decided: Decided) -> None:
        received_ms = intake.received_ms
        batch = replace(intake.batch, quality=assess(work.rules, intake.batch, received_ms))
        evaluation = work.engine.evaluate(batch, received_ms)
        work.tally.add(batch, evaluation.disposition, received_ms, intake.counts)
        work.position += 1
        payload = encode_samples(batch, evaluation.disposition)
        commit.log.append(LogRow(work.position, Kind.SAMPLES, received_ms, len(batch.tag), payload))
        self._decide(work, evaluation.transitions, decided, received_ms)

    def _set_by(self, work: _Work, intake: Intake, commit: Commit) -> None:
        """Keep samples of an earlier epoch for the history and the late lane; the live state does not see them."""
        received_ms = intake.received_ms
        batch = replace(intake.backlog, quality=assess(work.rules, intake.backlog, received_ms))
        disposition = np.full(len(batch.tag), Disposition.LATE, np.uint8)
        work.tally.add(batch, disposition, received_ms, intake.counts)
        work.position += 1
        payload = encode_samples(batch, disposition)
        commit.log.append(LogRow(work.position, Kind.BACKLOG, received_ms, len(batch.tag), payload))

    def _tick(self, work: _Work, commit: Commit, decided: Decided, now_ms: int) -> None:
        transitions = work.engine.tick(now_ms)
        work.position += 1
        commit.log.append(LogRow(work.position, Kind.TICK, now_ms))
        commit.health = self._board.health
        self._decide(work, transitions, decided, now_ms, ticking=True)
        self._recall(work, decided)
        rejected = self._history.rejected()
        commit.dead_letters = (*commit.dead_letters, *rejected)
        self._rejected = len(rejected)
        self._look_after(work, now_ms)
        decided.add(work.book.report(work.watch.troubles(now_ms), now_ms, work.position))
        attend(work.book, self._plant, self._records, decided, now_ms, work.position)
        now_s = self._clock.monotonic_s()
        self._tick_at_s = max(self._tick_at_s + _TICK_MS / 1000, now_s)
        if now_s >= self._snapshot_at_s and not self._full:
            commit.snapshot = (work.position, work.engine.snapshot())
            self._snapshot_at_s = now_s + self._settings.snapshot_every_s
            self._replayable_from = work.position
            commit.followers |= {LATE_LANE: self._lane.position(), **self._history.cursors()}
        if work.outlet.position != self._outlet_written:
            commit.followers |= {FOLLOWER: work.outlet.position}
            self._outlet_written = work.outlet.position

    def _look_after(self, work: _Work, now_ms: int) -> None:
        """Note what is wrong with the gateway itself, and whether there is room again."""
        if self._full and self._held():
            log.warning("records_have_room_again")
            self._full = ""
            self._transport.drop()  # so that everything that was not taken in is delivered again
        health = self._board.health
        work.watch.see("RECORDS_FULL", now_ms, wrong=bool(self._full), detail=self._full)
        work.watch.see("HISTORY_BEHIND", now_ms, wrong=not health.history_ok, detail=health.history_error)
        for one in self._board.findings():
            work.watch.see(one.fault, now_ms, wrong=one.wrong, detail=one.detail)
        offset_ms = now_ms - self._clock.monotonic_s() * 1000
        jumped_ms = offset_ms - (self._offset_ms or offset_ms)
        self._offset_ms = offset_ms
        if abs(jumped_ms) > _JUMP_MS:
            log.error("clock_jumped", by_ms=round(jumped_ms))
            work.watch.see("CLOCK_JUMPED", now_ms, wrong=True, detail=f"{jumped_ms / 1000:+.1f} s")

    def _held(self) -> bool:
        """Say whether the reserve could be set aside; once the disk was full, only with as much again to spare."""
        try:
            self._reserve.hold(self._settings.reserve_bytes if self._full else 0)
        except OSError:
            return False
        return True

    def _decide(
        self, work: _Work, transitions: Transitions, decided: Decided, received_ms: int, *, ticking: bool = False
    ) -> None:
        """Let transitions change alarms, and what is active now (or for how long) change tiers."""
        decided_ms = self._clock.wall_ms()
        decided.add(work.book.decide(transitions, received_ms, decided_ms, work.position))
        if ticking or len(transitions):
            decided.add(work.book.escalate(received_ms, decided_ms, work.position))

    def _recall(self, work: _Work, decided: Decided) -> None:
        """Record what the late lane has found."""
        found = self._lane.findings()
        now_ms = self._clock.wall_ms()
        for one in found:
            decided.add(work.book.recall(one.tag, one.alarms, one.received_ms, now_ms, work.position))
        self._recalled = len(found)

    def _trim(self, commit: Commit) -> None:
        """Let go of log rows that neither a replay nor history needs: a few each time, so that no commit is long."""
        needless = min(self._replayable_from, self._history.needless(), self._lane.position())
        if self._trimmed < needless:
            self._trimmed = min(needless, self._trimmed + _TRIM_PER_ROW * len(commit.log) + 1)
            commit.trim_upto = self._trimmed

    def _commit(self, commit: Commit, stop: threading.Event) -> None:
        """Commit, waiting for whoever holds the database as long as that may help.

        Raises:
            RecordsError: It did not help; nothing of this turn was kept.
        """
        for _ in range(_BUSY_TRIES):
            try:
                return self._records.commit(commit)
            except RecordsBusyError as error:
                log.warning("records_busy", error=str(error))
                if stop.wait(_BUSY_WAIT_S):
                    break
        return self._records.commit(commit)

    def _tell(self, work: _Work, intake: Intake, decided: Decided, messages: Sequence[Message]) -> None:
        """Everything here is durable: say so, and hand it on."""
        self._lane.recorded(self._recalled)
        self._history.recorded(self._rejected)
        self._recalled = self._rejected = 0
        work.marks.update(intake.marks)
        self._transport.acknowledge(messages)
        for (edge, epoch), refused in intake.announce.items():
            mark = work.marks.get((edge, epoch))
            work.outlet.keep(edge, epoch, mark.upto if mark else 0, refused)
        for alarm, happened in zip(decided.alarms, decided.events, strict=True):
            self._hub.tell(AlarmNotice(happened["event_id"], happened["kind"], alarm))
        work.outlet.tell(decided.alarms)
        work.outlet.flush(self._clock.monotonic_s(), work.book.open_alarms)
        if len(intake.batch.tag):
            self._pace.note(intake.batch.time_ms, self._clock)
        if len(intake.batch.tag) or len(intake.backlog.tag):
            self._history.wake()

    def _show(self, work: _Work, now_ms: int) -> None:
        """Put a copy of the values and the state of health on the board."""
        self._board.values = values_of(work.engine, work.rows.names, now_ms)
        self._board.report(
            at_ms=now_ms,
            beat_monotonic_s=self._clock.monotonic_s(),
            broker_connected=self._transport.connected,
            replayed=True,
            plant=self._plant.digest,
            records_ok=not self._full,
            records_error=self._full,
            log_position=work.position,
            **self._pace.figures(),
        )

    # --- beginning and end -------------------------------------------------------------------------------------

    def _recover(self, stop: threading.Event) -> _Work | None:
        """Build the state from the records, however long it takes them to be readable."""
        while not stop.is_set():
            try:
                return self._resume()
            except RecordsFullError as error:
                self._full = str(error)
                if self._reserve.give_up():
                    log.error("records_full", error=str(error))
                    continue
                self._wait_for_records(error, stop)
            except RecordsError as error:
                self._wait_for_records(error, stop)
        return None

    def _wait_for_records(self, error: RecordsError, stop: threading.Event) -> None:
        log.error("records_unusable", error=str(error))
        self._board.report(beat_monotonic_s=self._clock.monotonic_s(), records_ok=False, records_error=str(error))
        stop.wait(_RECOVER_WAIT_S)

    def _resume(self) -> _Work:
        """Load, replay, and commit that a process has taken over.

        Raises:
            RecordsError: The records cannot be read or written.
        """
        now_ms = self._clock.wall_ms()
        resumed = resume(self._records, self._plant, self._settings.delayed_after_ms, now_ms, self._handling)
        self._records.commit(resumed.commit)
        work = self._work(resumed)
        work.outlet.tell(resumed.untold)
        for alarm, happened in zip(resumed.commit.alarms, resumed.commit.events, strict=True):
            self._hub.tell(AlarmNotice(happened["event_id"], happened["kind"], dict(alarm)))
        if not self._full and not self._held():
            self._full = "there is no space to set aside"
        now_s = self._clock.monotonic_s()
        self._tick_at_s = now_s + _TICK_MS / 1000
        self._snapshot_at_s = now_s + self._settings.snapshot_every_s
        self._replayable_from = resumed.snapshot_position
        self._trimmed = resumed.trimmed
        self._outlet_written = work.outlet.position
        self._lane.start_from(max(resumed.trimmed, resumed.reconsidered))
        self._recalled = self._rejected = 0
        self._show(work, now_ms)
        return work

    def _work(self, resumed: Resumed) -> _Work:
        rows = Rows(resumed.names, self._plant)
        return _Work(
            rows=rows,
            rules=resumed.rules,
            engine=resumed.engine,
            book=resumed.book,
            decoder=Decoder(self._plant.site.id, rows),
            outlet=Outlet(self._transport, self._plant, resumed.told_upto),
            marks=dict(resumed.marks),
            position=resumed.position,
            tally=Tally(self._plant, resumed.names),
            watch=Watch(self._plant, resumed.book.open_alarms, self._clock.wall_ms()),
        )

    def _leave(self, work: _Work) -> None:
        """Leave a snapshot, so that the next start has nothing to replay."""
        commit = Commit(received_ms=self._clock.wall_ms(), snapshot=(work.position, work.engine.snapshot()))
        if work.outlet.position != self._outlet_written:
            commit.followers = {FOLLOWER: work.outlet.position}
        try:
            self._records.commit(commit)
        except RecordsError as error:
            log.warning("no_last_snapshot", error=str(error))  # the log holds everything; the start takes longer
