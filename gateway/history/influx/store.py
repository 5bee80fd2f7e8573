"""Writes samples and alarm events to an InfluxDB server: nothing is let go of before the server surely has it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Protocol

import structlog

from config.clock import Clock
from config.plant.model import Plant
from gateway.errors import HistoryError
from gateway.history.influx.client import BadLinesError, InfluxClient
from gateway.history.influx.lines import alarm_lines, series_of, telemetry_lines
from gateway.history.influx.trail import Trail
from gateway.history.port import HistoryBatch
from gateway.ingest.acceptance import DeadLetter
from gateway.records.queries import Told

__all__ = ["ALARM_FOLLOWER", "FOLLOWER", "Events", "InfluxWriter"]

FOLLOWER = "history"
ALARM_FOLLOWER = "history_alarms"
"""Names under which the positions are kept."""

_LINES = 10_000
"""In one request; about 1.3 MB before compression."""
_EVENTS = 5_000
_PING_EVERY_S = 2.0
_REJECTED = "history_rejected"
_HEAD_BYTES = 1024

log = structlog.get_logger(__name__)


class Events(Protocol):
    """Where alarm events are read."""

    def events_after(self, event_id: int, limit: int) -> Sequence[Told]:
        """Return at most ``limit`` events behind ``event_id``, oldest first."""
        ...


class InfluxWriter:
    """A `gateway.history.port.HistoryWriter` on a server.

    Writing the same points again changes nothing, so in doubt it goes back: after every trouble, and whenever a new
    connection shows that the server may have been started anew, to what was acknowledged a horizon ago.

    Args:
        client: The server.
        plant: Where tags are.
        tag_name: Number of a tag -> its name.
        events: Alarm events, which go there too.
        clock: For the horizon.
        kept: Where to go on, as `cursors` told it last.
        horizon_s: What was acknowledged within this time may still get lost with the server.
        lines_per_s: It goes no faster: making lines takes the interpreter that the pipeline needs, and a server that
            catches up takes the processor.
    """

    def __init__(
        self,
        *,
        client: InfluxClient,
        plant: Plant,
        tag_name: Callable[[int], str | None],
        events: Events,
        clock: Clock,
        kept: Mapping[str, int],
        horizon_s: float,
        lines_per_s: float,
    ) -> None:
        self._client = client
        self._lines_per_s = lines_per_s
        self._pause = threading.Event()
        self._plant = plant
        self._tag_name = tag_name
        self._events = events
        self._clock = clock
        self._trail = Trail(kept.get(FOLLOWER, 0), horizon_s)
        self._alarms = Trail(kept.get(ALARM_FOLLOWER, 0), horizon_s)
        self._series: dict[int, str] = {}
        self._reconnections = 0
        self._in_doubt = False
        self._prepared = False
        self._ping_at_s = 0.0
        self._rejected: list[DeadLetter] = []
        self._lock = threading.Lock()

    def position(self) -> int:
        """See `HistoryWriter.position`."""
        return self._trail.position

    def needless(self) -> int:
        """See `HistoryWriter.needless`."""
        with self._lock:
            return self._trail.safe(self._clock.monotonic_s())

    def cursors(self) -> Mapping[str, int]:
        """See `HistoryWriter.cursors`."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            return {FOLLOWER: self._trail.safe(now_s), ALARM_FOLLOWER: self._alarms.safe(now_s)}

    def rejected(self) -> tuple[DeadLetter, ...]:
        """See `HistoryWriter.rejected`."""
        return tuple(self._rejected)

    def recorded(self, count: int) -> None:
        """See `HistoryWriter.recorded`."""
        with self._lock:
            del self._rejected[:count]

    def append(self, batch: HistoryBatch, position: int) -> int:
        """See `HistoryWriter.append`; what is sent again is the same point, so nothing is ever there twice."""
        if position <= self._trail.position:
            raise ValueError(f"history has taken the log up to {self._trail.position} already, not only to {position}")
        self._be_sure()
        for first in range(0, len(batch.tag_id), _LINES):
            began_s = self._clock.monotonic_s()
            part = _part(batch, slice(first, first + _LINES))
            self._write(telemetry_lines(part, [self._series_of(tag) for tag in part.tag_id.tolist()]))
            rest_s = len(part.tag_id) / self._lines_per_s - (self._clock.monotonic_s() - began_s)
            if first + _LINES < len(batch.tag_id):
                self._pause.wait(max(0.0, rest_s))
        with self._lock:
            self._trail.advance(position, self._clock.monotonic_s())
        return 0

    def settle(self) -> bool:
        """Send alarm events, and see from time to time whether the server is still the same."""
        now_s = self._clock.monotonic_s()
        if now_s >= self._ping_at_s:
            self._ping_at_s = now_s + _PING_EVERY_S
            self._asked(self._client.ping)
            self._be_sure()
        told = self._events.events_after(self._alarms.position, _EVENTS)
        if not told:
            return False
        self._write(alarm_lines(self._plant.site.id, [(one.event, one.alarm) for one in told]))
        with self._lock:
            self._alarms.advance(told[-1].event["event_id"], self._clock.monotonic_s())
        return len(told) == _EVENTS

    def _be_sure(self) -> None:
        """Go back when the server may have forgotten something.

        Raises:
            HistoryError: It went back; nothing of the present batch was written.
        """
        if not self._prepared:
            self._asked(self._client.prepare)
            self._prepared = True
        if not self._in_doubt:
            return
        self._in_doubt = False
        now_s = self._clock.monotonic_s()
        with self._lock:
            back = self._trail.go_back(now_s) + self._alarms.go_back(now_s)
        if back:
            log.info("history_sent_again", log_rows=back, since=self._trail.position)
            raise HistoryError("the connection to the history server is new: the last minute is sent again")

    def _write(self, lines: Sequence[str]) -> None:
        for first in range(0, len(lines), _LINES):
            self._asked(lambda part=lines[first : first + _LINES]: self._store(part))  # type: ignore[misc]

    def _asked(self, ask: Callable[[], None]) -> None:
        """Ask the server for something; after a failure or on a new connection nobody knows what it still has."""
        try:
            ask()
        except HistoryError:
            self._in_doubt = True
            raise
        finally:
            known, self._reconnections = self._reconnections, self._client.reconnections
            self._in_doubt |= self._reconnections != known

    def _store(self, lines: Sequence[str]) -> None:
        """Write lines; those the server calls wrong are found by halving and set aside, all others are stored."""
        if not lines:
            return
        try:
            self._client.write(lines)
        except BadLinesError as error:
            if len(lines) == 1:
                self._set_aside(lines[0], str(error))
                return
            half = len(lines) // 2
            self._store(lines[:half])
            self._store(lines[half:])

    def _set_aside(self, line: str, why: str) -> None:
        body = line.encode()
        letter = DeadLetter(
            reason=_REJECTED,
            site=self._plant.site.id,
            edge="",
            topic="history",
            detail=why[:500],
            sha256=sha256(body).hexdigest(),
            size=len(body),
            head=body[:_HEAD_BYTES],
            samples=1,
        )
        log.error("history_rejected", line=line[:200], why=why)
        with self._lock:
            self._rejected.append(letter)

    def _series_of(self, tag_id: int) -> str:
        series = self._series.get(tag_id)
        if series is None:
            name = self._tag_name(tag_id)
            if name is None:
                raise HistoryError(f"the records have no tag number {tag_id}")
            series = self._series[tag_id] = series_of(self._plant, name)
        return series


def _part(batch: HistoryBatch, rows: slice) -> HistoryBatch:
    return HistoryBatch(*(getattr(batch, name)[rows] for name in HistoryBatch.__slots__))
