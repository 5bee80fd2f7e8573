"""What operators have before them now: flood or not, what chatters, what stands, which alarm came first."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Engine, Select, func, select
from sqlalchemy.exc import DBAPIError

from alerting.rates import DAY_MS, NOT_YET
from gateway.kpi.compute import ChatterRow, FloodRow, StandingRow
from gateway.kpi.desks import Desks
from gateway.kpi.rows import LOOK_BACK_MS
from gateway.kpi.running import RunningChatter, RunningFlood, RunningGroups
from gateway.live import AlarmNotice
from gateway.records.dialects import meaning_of
from gateway.records.schema import OPEN_STATES, alarm, alarm_event

__all__ = ["DeskNow", "FirstOutRow", "Now", "NowReport", "Running"]

_LISTED: Final = 100
_STEPS_BACK: Final = 50
"""Links of a chain of alarms that a group is followed back when the gateway starts."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeskNow:
    """What one desk has before it. Lists hold the first of many."""

    desk: str
    flood: FloodRow | None
    """It goes on."""
    last_flood: FloodRow | None
    """The last one that is over, if none goes on."""
    last_10_min: int
    """Alarms annunciated."""
    chattering_count: int
    chattering: tuple[ChatterRow, ...]
    standing_count: int
    standing: tuple[StandingRow, ...]
    """The oldest."""


@dataclass(frozen=True, slots=True)
class FirstOutRow:
    """The first alarm of a hazard unit in which alarms are open."""

    hazard_unit: str
    alarm_id: str
    opened_ms: int
    """When the group began, gateway clock."""
    by_source: bool
    """First by the clocks of the sources; else one of these cannot be trusted, and it is the first that the gateway
    raised."""
    size: int
    open: int


@dataclass(frozen=True, slots=True)
class NowReport:
    """The moment."""

    at_ms: int
    desks: tuple[DeskNow, ...]
    first_out: tuple[FirstOutRow, ...]


class Running:
    """The state behind a `NowReport`, kept alarm by alarm. For one thread at a time.

    Args:
        desks: Who watches what.
    """

    def __init__(self, desks: Desks) -> None:
        self._desks = desks
        self._floods: defaultdict[str, RunningFlood] = defaultdict(RunningFlood)
        self._chatter: defaultdict[str, RunningChatter] = defaultdict(RunningChatter)
        self._groups = RunningGroups()
        self._active: dict[str, tuple[int, str, str, str]] = {}
        """Alarm -> raised, tag, condition, desk."""
        self._latest_ms = 0

    def activate(self, row: Mapping[str, Any]) -> None:
        """Take an alarm that was annunciated; in the order of the gateway."""
        self._latest_ms = max(self._latest_ms, row["received_ms"])  # its clock may have been set back
        desk = self._desks.desk(row["hazard_unit"])
        self._floods[desk].add(self._latest_ms)
        self._chatter[desk].add((row["tag"], row["condition"]), self._latest_ms)

    def stand(self, row: Mapping[str, Any]) -> None:
        """Take an alarm as it is now."""
        if row["state"] == "active" and not _is_apart(row):
            desk = self._desks.desk(row["hazard_unit"])
            self._active[row["alarm_id"]] = row["raised_ms"], row["tag"], row["condition"], desk
        else:
            self._active.pop(row["alarm_id"], None)

    def group(self, row: Mapping[str, Any], order: int, *, is_open: bool) -> None:
        """Take that an alarm of a hazard unit has been raised, or is over."""
        if not row["hazard_unit"] or row["retrospective"]:
            return
        if is_open:
            self._groups.open(row, order)
        else:
            self._groups.close(row)

    def take(self, notice: AlarmNotice) -> None:
        """Take what has just been committed."""
        row = notice.alarm
        if notice.kind == "raised" and not _is_apart(row):
            self.activate(row)
        self.stand(row)
        # A process without a pipeline is told of an alarm as it is by now: one that was raised has been open, even if
        # it is over already; the event that closed it follows.
        if notice.kind == "raised":
            self.group(row, notice.event_id, is_open=True)
        elif row["state"] not in OPEN_STATES:
            self.group(row, notice.event_id, is_open=False)

    def report(self, now_ms: int) -> NowReport:
        """Return the moment."""
        standing: dict[str, list[tuple[int, str, str]]] = {}
        for raised_ms, tag, condition, desk in self._active.values():
            if now_ms - raised_ms > DAY_MS:
                standing.setdefault(desk, []).append((raised_ms, tag, condition))
        groups = self._groups.now().items()
        return NowReport(
            now_ms,
            tuple(self._desk(desk, now_ms, sorted(standing.get(desk, []))) for desk in self._desks.names),
            tuple(
                FirstOutRow(unit, one.first, one.opened_ms, one.trusted, one.size, len(one.open))
                for unit, one in sorted(groups)
            ),
        )

    def _desk(self, desk: str, now_ms: int, standing: list[tuple[int, str, str]]) -> DeskNow:
        found = self._floods[desk].latest(now_ms)
        goes_on = found is not None and found.end_ms == NOT_YET
        row = None
        if found is not None:
            row = FloodRow(found.begin_ms, None if goes_on else found.end_ms, found.count, found.peak)
        chatter = sorted(self._chatter[desk].now(now_ms).items(), key=lambda item: (-item[1].count, item[0]))
        return DeskNow(
            desk=desk,
            flood=row if goes_on else None,
            last_flood=None if goes_on else row,
            last_10_min=self._floods[desk].count(now_ms),
            chattering_count=len(chatter),
            chattering=tuple(ChatterRow(*key, one.begin_ms, one.end_ms, one.count) for key, one in chatter[:_LISTED]),
            standing_count=len(standing),
            standing=tuple(StandingRow(tag, condition, raised) for raised, tag, condition in standing[:_LISTED]),
        )


class Now:
    """Keeps a `Running` up to date. Thread-safe.

    Args:
        engine: The records, to begin from; read when first asked, and again after a failure.
        desks: Who watches what.
    """

    def __init__(self, engine: Engine, desks: Desks) -> None:
        self._engine = engine
        self._desks = desks
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._running: Running | None = None
        self.failures = 0
        """How often the state was lost and read anew."""
        self._waiting: deque[AlarmNotice] | None = None
        """What comes while the records are read; None: nobody is reading, and nothing is kept."""

    def hear(self, notice: AlarmNotice) -> None:
        """Take a notice, on the thread of the pipeline: returns at once, never raises."""
        with self._lock:
            if self._running is not None:
                try:
                    self._running.take(notice)
                except Exception:
                    # Whatever it is, the pipeline goes on; the next who asks begins anew.
                    self.failures += 1
                    self._running = None
                    log.exception("state_of_the_moment_lost", event_id=notice.event_id)
            elif self._waiting is not None:
                self._waiting.append(notice)

    def report(self, now_ms: int) -> NowReport:
        """Return the moment.

        Raises:
            RecordsError: The records cannot be read, from which it begins.
        """
        with self._loading:
            if self._running is None:
                self._load(now_ms)
        with self._lock:
            running = self._running or Running(self._desks)
            return running.report(now_ms)

    def _load(self, now_ms: int) -> None:
        with self._lock:
            self._waiting = deque()
        running = Running(self._desks)
        try:
            with self._engine.connect() as connection:
                last = _begin(connection, running, now_ms)
        except DBAPIError as error:
            with self._lock:
                self._waiting = None
            raise meaning_of(error)(f"reading the records database: {error.orig}") from error
        with self._lock:
            for notice in self._waiting:
                if notice.event_id > last:
                    running.take(notice)
            self._running, self._waiting = running, None


def _is_apart(row: Mapping[str, Any]) -> bool:
    """Say whether an alarm was never annunciated; a column that is not there yet says nothing."""
    return bool(row["retrospective"]) or row.get("inhibited") is not None


def _begin(connection: Connection, running: Running, now_ms: int) -> int:
    """Bring a state up to the last event of the records; returns its number."""
    last: int | None = connection.scalar(select(func.max(alarm_event.c.event_id)))
    lately = select(alarm).where(alarm.c.received_ms >= now_ms - LOOK_BACK_MS)
    for row in _rows(connection, lately.order_by(alarm.c.received_ms, alarm.c.alarm_id)):
        if not _is_apart(row):
            running.activate(row)
    units: dict[str, int] = {}
    for row in _rows(connection, select(alarm).where(alarm.c.state.in_(OPEN_STATES))):
        running.stand(row)
        if row["hazard_unit"]:
            units[row["hazard_unit"]] = min(row["raised_ms"], units.get(row["hazard_unit"], row["raised_ms"]))
    for unit, begin_ms in units.items():
        _begin_group(connection, running, unit, begin_ms)
    return last or 0


def _begin_group(connection: Connection, running: Running, unit: str, begin_ms: int) -> None:
    """Find the group of a hazard unit with open alarms: from the times of alarms, link by link backwards."""
    column = alarm.c
    of_unit = (column.hazard_unit == unit, column.retrospective.is_(False))
    for _ in range(_STEPS_BACK):
        # Open ones are not before begin_ms. + 0: the index over the ends of alarms is the one that leads to few.
        earlier = (*of_unit, column.cleared_ms >= begin_ms, column.raised_ms + 0 < begin_ms)
        found: int | None = connection.scalar(select(func.min(column.raised_ms + 0)).where(*earlier))
        if found is None:
            break
        begin_ms = found
    else:
        log.warning("first_out_incomplete", hazard_unit=unit, since_ms=begin_ms)
    members = select(alarm).where(*of_unit, column.raised_ms >= begin_ms)
    rows = sorted(_rows(connection, members), key=lambda row: (row["received_ms"], row["alarm_id"]))
    for order, row in enumerate(rows, -len(rows)):
        running.group(row, order, is_open=True)
    for row in rows:
        if row["state"] not in OPEN_STATES:
            running.group(row, 0, is_open=False)


def _rows(connection: Connection, query: Select[Any]) -> Iterator[dict[str, Any]]:
    return (dict(row) for row in connection.execute(query).mappings())
