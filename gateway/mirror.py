"""The state of the moment in a process without a pipeline: the log is followed by an engine of its own.

The engine is a pure function of rules, snapshot and log, so this one shows what the worker's shows, bit for bit. Alarm
events come from the records in their order. Nothing here writes.
"""

from __future__ import annotations

import threading
from dataclasses import fields

import msgspec
import structlog

from alerting.engine import Engine
from alerting.rules import compile_rules
from config.clock import Clock
from config.plant.model import Plant
from gateway.errors import RecordsError
from gateway.live import AlarmNotice, Board, Health, Hub, values_of
from gateway.records.log import Kind
from gateway.records.queries import Queries
from gateway.records.writer import Records
from gateway.resume import replay_row, restore_engine
from gateway.tags import assign_rows

__all__ = ["Mirror"]

_EVERY_S = 0.2
_RETRY_S = 2.0
_EVENTS = 1_000
_OWN = {"beat_monotonic_s"}
"""Of a health that came from another process, this means nothing here."""

log = structlog.get_logger(__name__)


class Mirror:
    """Follows the log, the events and the worker's health.

    Args:
        plant: As the worker has it.
        records: To read from only.
        queries: To read from.
        board: Where the state is shown.
        hub: Where alarm notices go.
        clock: Wall and monotonic.
    """

    def __init__(self, plant: Plant, records: Records, queries: Queries, board: Board, hub: Hub, clock: Clock) -> None:
        self._plant = plant
        self._records = records
        self._queries = queries
        self._board = board
        self._hub = hub
        self._clock = clock
        self._engine: Engine | None = None
        self._names: tuple[str, ...] = ()
        self._position = 0
        self._began_at = 0
        self._event_id = -1
        self._health_ms = -1

    def run(self, stop: threading.Event) -> None:
        """Follow until ``stop`` is set."""
        while not stop.is_set():
            try:
                self.turn()
            except RecordsError as error:
                log.error("records_unusable", error=str(error))
                self._board.report(records_ok=False, records_error=str(error))
                stop.wait(_RETRY_S)
            else:
                stop.wait(_EVERY_S)

    def turn(self) -> None:
        """Take what is new.

        Raises:
            RecordsError: The records cannot be read.
        """
        if self._event_id < 0:
            self._event_id = self._queries.last_event_id()
        if self._engine is None:
            self._begin()
        self._follow()
        for told in self._queries.events_after(self._event_id, _EVENTS):
            self._event_id = told.event["event_id"]
            self._hub.tell(AlarmNotice(self._event_id, told.event["kind"], told.alarm))
        self._look_at_the_worker()

    def _begin(self) -> None:
        stored = self._records.load()
        self._names = assign_rows(stored.names, self._plant)
        self._engine, _ = restore_engine(compile_rules(self._plant, self._names), stored)
        self._position = stored.snapshot[0] if stored.snapshot else stored.trimmed
        self._began_at = stored.position

    def _follow(self) -> None:
        engine = self._engine
        if engine is None:
            return
        for row in self._records.rows_after(self._position):
            begun = row.kind is Kind.START and row.position > self._began_at
            if row.position != self._position + 1 or begun:
                self._engine = None  # the log was trimmed beyond us, or another worker began, perhaps with more tags
                break
            replay_row(engine, row)
            self._position = row.position
        self._board.values = values_of(engine, self._names, self._clock.wall_ms())

    def _look_at_the_worker(self) -> None:
        found = self._queries.worker()
        if found is None:
            return
        at_ms, health = found
        known = {one.name for one in fields(Health)} - _OWN
        told = {name: value for name, value in msgspec.json.decode(health).items() if name in known}
        beat = {} if at_ms == self._health_ms else {"beat_monotonic_s": self._clock.monotonic_s()}
        self._health_ms = at_ms
        self._board.report(**told, **beat)
