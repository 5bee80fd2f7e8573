"""A pipeline on real records, with a transport in memory, a clock set by hand, and a crash wherever one is wanted."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine as Database
from sqlalchemy import select

from alerting.batch import Change, Disposition
from alerting.engine import Engine
from alerting.rules import compile_rules
from config.contract.alarms import alarm_id
from config.contract.frame import Frame, encode_frame
from config.contract.messages import Kept, decode
from config.contract.topics import Kind, edge_topic
from config.plant.model import CONDITIONS, Plant
from config.reserve import Reserve
from config.settings import GatewaySettings, RecordsAddress
from gateway.commands import Inbox
from gateway.errors import RecordsError
from gateway.history.duckdb_store import HistoryStore
from gateway.history.follower import follow_once
from gateway.ingest.acceptance import DeadLetter
from gateway.late_lane import LateLane
from gateway.live import AlarmNotice, Board, Hub
from gateway.pipeline import Pipeline, _Work
from gateway.records import log as rows_of_log
from gateway.records import schema
from gateway.records.database import checkpoint, open_reader, open_writer
from gateway.records.following import LogFollowing
from gateway.records.log import LogRow, decode_samples
from gateway.records.queries import Queries
from gateway.records.writer import Commit, Records
from tests.support.clocks import ManualClock
from tests.support.queue_transport import QueueTransport

__all__ = ["Edge", "Killed", "Rig", "Step", "replayed_events"]

Step = Callable[["Rig"], object] | float
"""Something to do, or seconds to let pass."""


class Killed(BaseException):
    """The process is gone, between one instruction and the next."""


class _Records(Records):
    """The records, with an accident before or after a commit."""

    def __init__(self, engine: Database) -> None:
        super().__init__(engine)
        self.before: BaseException | None = None
        self.after: BaseException | None = None
        self.commits: list[Commit] = []

    def commit(self, commit: Commit) -> None:
        before, self.before = self.before, None
        if before is not None:
            raise before
        super().commit(commit)
        self.commits.append(commit)
        after, self.after = self.after, None
        if after is not None:
            raise after


class _Pipeline(Pipeline):
    """A pipeline whose state can be looked at."""

    work: _Work | None = None

    def _resume(self) -> _Work:
        self.work = super()._resume()
        return self.work


class _RestingLane(LateLane):
    """A late lane that never runs and holds nothing up."""

    def position(self) -> int:
        return 1 << 62


@dataclass(slots=True)
class _History:
    """What the pipeline sees of the history of a rig."""

    rig: Rig

    def wake(self) -> None:
        self.rig.history_woken += 1

    def needless(self) -> int:
        return self.rig.position_of_history()

    def cursors(self) -> dict[str, int]:
        return {}

    def rejected(self) -> Sequence[DeadLetter]:
        return self.rig.rejected

    def recorded(self, count: int) -> None:
        del self.rig.rejected[:count]


class Edge:
    """An edge that resends from the oldest frame that is not kept, as often as it is asked.

    Args:
        frames: Of one epoch, from seq 1.
        name: Of the edge.
    """

    def __init__(self, frames: Sequence[Frame], name: str = "edge-a") -> None:
        self.frames = frames
        self.name = name
        self.epoch = frames[0].epoch

    def kept(self, transport: QueueTransport) -> int:
        """Return the seq up to which everything is kept, as the gateway says."""
        payload = transport.retained.get(edge_topic("mini", self.name, Kind.KEPT))
        said = decode(payload, Kept) if payload else None
        return said.upto if said and said.epoch == self.epoch else 0

    def send(self, transport: QueueTransport, at_most: int = 1_000) -> bool:
        """Send what is not kept; False when there is nothing."""
        waiting = self.frames[self.kept(transport) :][:at_most]
        transport.send(edge_topic("mini", self.name, Kind.TELEMETRY), [encode_frame(one) for one in waiting])
        return bool(waiting)


@dataclass
class Rig:
    """One gateway's pipeline over any number of processes; `play` runs one of them."""

    data_dir: Path
    plant: Plant
    snapshot_every_s: float = 10.0
    history_position: Callable[[], int] = lambda: 0
    reserve_bytes: int = 65_536
    records_address: RecordsAddress | None = None
    checkpointing: bool = False
    """The write-ahead log is kept short, as `gateway.records.keeper` does."""
    with_history: bool = False
    """Samples are carried into a real history while the pipeline waits, and late ones are evaluated again."""

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self.transport = QueueTransport(self._idle)
        self.board, self.hub, self.inbox = Board(), Hub(), Inbox()
        self.notices: list[AlarmNotice] = []
        self.hub.listen(self.notices.append)
        self.stop = threading.Event()
        self.history_woken = 0
        self.rejected: list[DeadLetter] = []
        self.engine: Engine | None = None
        """Of the process that was killed last, as it was."""
        self.history: HistoryStore | None = None
        self._steps: list[Step] = []
        self._left_s = 0.0
        self._open()

    def _open(self) -> None:
        self.database, self.reader = (
            open_writer(self.data_dir, self.records_address),
            open_reader(self.data_dir, self.records_address),
        )
        self.records = _Records(self.database)
        self.lane: LateLane = _RestingLane(*self._for_lane())
        if self.with_history:
            self.history = HistoryStore(self.data_dir / "history.duckdb")
            self.lane = LateLane(*self._for_lane())
        self.pipeline = _Pipeline(
            plant=self.plant,
            settings=GatewaySettings(
                data_dir=self.data_dir, snapshot_every_s=self.snapshot_every_s, reserve_bytes=self.reserve_bytes
            ),
            records=self.records,
            transport=self.transport,
            clock=self.clock,
            lane=self.lane,
            board=self.board,
            hub=self.hub,
            inbox=self.inbox,
            reserve=Reserve(self.data_dir / "records.reserve", self.reserve_bytes),
            history=_History(self),
        )

    def close(self) -> None:
        """Close the databases."""
        self.database.dispose()
        self.reader.dispose()
        if self.history is not None:
            self.history.close()

    def play(self, *steps: Step) -> bool:
        """Run the pipeline through the steps and stop it; True when it was killed on the way."""
        self._steps, self._left_s = list(steps), 0.0
        self.stop.clear()
        try:
            self.pipeline.run(self.stop)
        except Killed:
            self.engine = self.pipeline.work.engine if self.pipeline.work else None
            self.restart()
            return True
        return False

    def restart(self, plant: Plant | None = None) -> None:
        """Begin as a new process on the same data."""
        self.plant = plant or self.plant
        self.transport.drop()
        self.close()
        self._open()

    def _idle(self, timeout_s: float) -> None:
        """Let time pass, or take the next step; nothing waits for real."""
        if self._left_s > 0:
            passing_s = min(self._left_s, max(timeout_s, 0.001))
            self._left_s -= passing_s
            self.clock.advance_s(passing_s)
            if self.checkpointing:
                with contextlib.suppress(sqlite3.OperationalError):  # a full disk
                    checkpoint(self.reader)
            if self.history is not None:
                follow_once(LogFollowing(self.reader), self.history)
                self.lane.turn()
        elif not self._steps:
            self.stop.set()
        else:
            step = self._steps.pop(0)
            if isinstance(step, (int, float)):
                self._left_s = step
            else:
                step(self)

    def position_of_history(self) -> int:
        """Return how far the history has come, or is said to have."""
        return self.history_position() if self.history is None else self.history.position()

    def _for_lane(self) -> tuple[LogFollowing, Any, Queries, Plant, ManualClock, Callable[[], int]]:
        following, queries = LogFollowing(self.reader), Queries(self.reader)
        return following, self.history, queries, self.plant, self.clock, self.position_of_history

    # --- steps -------------------------------------------------------------------------------------------------

    def send(self, *frames: Frame, edge: str = "edge-a", kind: Kind = Kind.TELEMETRY) -> Step:
        """Send frames, live ones or backlog."""
        payloads = [encode_frame(one) for one in frames]
        return lambda rig: rig.transport.send(edge_topic("mini", edge, kind), payloads)

    def put(self, topic: str, *payloads: bytes) -> Step:
        """Send any message."""
        return lambda rig: rig.transport.send(topic, payloads)

    @staticmethod
    def kill() -> Step:
        """End the process while it waits for messages."""

        def step(_rig: Rig) -> None:
            raise Killed

        return step

    @staticmethod
    def fail_commit(error: BaseException | None = None, *, durable: bool = False) -> Step:
        """Let the next commit fail: before anything is written, or just after it has become durable."""

        def step(rig: Rig) -> None:
            accident = error or RecordsError("disk I/O error")
            if durable:
                rig.records.after = accident
            else:
                rig.records.before = accident

        return step

    # --- what came of it ---------------------------------------------------------------------------------------

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return all rows of a table, in the order of its key."""
        of = schema.metadata.tables[table]
        with self.database.begin() as connection:
            return [dict(row) for row in connection.execute(select(of).order_by(*of.primary_key)).mappings()]

    def log(self) -> list[LogRow]:
        """Return the log."""
        return list(self.records.rows_after(0))

    def samples(self) -> list[tuple[str, int, float, Disposition]]:
        """Return every sample in the log, in order: (tag, time_ms, value, disposition)."""
        names = [row["name"] for row in self.rows("tag")]
        found = []
        for row in self.log():
            if row.kind in (rows_of_log.Kind.SAMPLES, rows_of_log.Kind.BACKLOG):
                batch, disposition = decode_samples(row.payload)
                for at in range(len(batch)):
                    number = float(batch.value[at])
                    found.append(
                        (names[batch.tag[at]], int(batch.time_ms[at]), number, Disposition(int(disposition[at])))
                    )
        return found

    def events(self) -> list[tuple[str, str, int]]:
        """Return every alarm event in order: (alarm_id, kind, at_ms)."""
        return [(row["alarm_id"], row["kind"], row["at_ms"]) for row in self.rows("alarm_event")]

    def alarms(self) -> list[tuple[str, str, str]]:
        """Return (tag, condition, state) of every alarm in the order of onset."""
        ordered = sorted(self.rows("alarm"), key=lambda row: (row["onset_ms"], row["tag"], row["condition"]))
        return [(row["tag"], row["condition"], row["state"]) for row in ordered]

    def ledger(self, edge: str = "edge-a") -> dict[str, int]:
        """Return the counts of an edge that are not 0."""
        row = next((row for row in self.rows("ledger") if row["edge"] == edge), {})
        return {name: count for name, count in row.items() if name != "edge" and count}


def replayed_events(rig: Rig) -> list[tuple[str, str, int]]:
    """Return the alarm events that follow from the log alone, evaluated anew from its first row to its last."""
    names = tuple(row["name"] for row in rig.rows("tag"))
    engine = Engine(compile_rules(rig.plant, names))
    events = []
    for row in rig.log():
        if row.kind is rows_of_log.Kind.SAMPLES:
            batch, disposition = decode_samples(row.payload)
            evaluation = engine.evaluate(batch, row.received_ms)
            assert np.array_equal(evaluation.disposition, disposition), "a replay decides about samples as it was"
            transitions = evaluation.transitions
        elif row.kind is rows_of_log.Kind.TICK:
            transitions = engine.tick(row.received_ms)
        else:
            if row.kind is rows_of_log.Kind.START:
                engine.start(row.received_ms)
            continue
        for at in range(len(transitions)):
            tag, condition = names[transitions.tag[at]], CONDITIONS[transitions.condition[at]]
            kind = "raised" if transitions.change[at] == Change.RAISED else "cleared"
            name = alarm_id(tag, condition, int(transitions.onset_ms[at]))
            events.append((name, kind, int(transitions.time_ms[at])))
    return events
