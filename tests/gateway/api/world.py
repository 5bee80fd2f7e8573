"""A gateway's surroundings for tests of its API: records, board, hub, history and a clock one can set."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI
from numpy.typing import NDArray
from sqlalchemy import Engine, create_engine, insert, update

from config.duty.model import DEFAULT_DUTY, Duty
from config.plant.model import Plant
from gateway.api.app import create_api
from gateway.api.context import Desk
from gateway.api.feed import Source
from gateway.api.guard import Gate, OpenGate
from gateway.api.server import ApiServer
from gateway.commands import Inbox
from gateway.history.port import HistoryRows, MinMaxRows, Outline, Stretch
from gateway.kpi.compute import Kpis
from gateway.kpi.desks import Desks
from gateway.live import AlarmNotice, Board, Health, Hub, Values
from gateway.notify.desk import DutyDesk
from gateway.place.app import Ground, Place, make_place
from gateway.records import schema
from gateway.records.database import open_desk, open_reader
from gateway.records.queries import Queries
from gateway.shift.attachments import Attachments
from gateway.shift.handover import Handovers
from gateway.shift.links import Links
from tests.support.plants import mini_plant
from tests.support.waiting import eventually_async

T0 = 1_800_000_000_000

DOCUMENT: dict[str, Any] = {}
"""The OpenAPI document, which takes a while to make and is the same for every application."""


@dataclass
class SetClock:
    """A clock that stands where it is put."""

    now_ms: int = T0
    now_s: float = 1000.0

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic_s(self) -> float:
        return self.now_s


@dataclass
class ListHistory:
    """History kept in lists; the twin of what a store does."""

    rows: dict[int, list[tuple[int, float, int]]] = field(default_factory=dict)
    """Tag number -> (time_ms, value, packed quality)."""
    error: Exception | None = None

    def samples(self, tag_id: int, from_ms: int, to_ms: int, limit: int) -> HistoryRows:
        if self.error is not None:
            raise self.error
        found = [row for row in sorted(self.rows.get(tag_id, [])) if from_ms <= row[0] < to_ms][:limit]
        times = np.array([row[0] for row in found], np.int64)
        return HistoryRows(
            time_ms=times,
            received_ms=times + 5,
            value=np.array([row[1] for row in found], np.float64),
            quality=np.array([row[2] for row in found], np.uint8),
            late=np.zeros(len(found), np.bool_),
        )

    def stretch(self, tag_id: int, from_ms: int, to_ms: int) -> Stretch:
        rows = self.samples(tag_id, from_ms, to_ms, 1 << 40)
        return Stretch(rows.time_ms, rows.value, rows.quality)

    def min_max(self, tag_id: int, from_ms: int, to_ms: int, buckets: int) -> MinMaxRows:
        rows = self.samples(tag_id, from_ms, to_ms, 1 << 40)
        width = max(1, -(-(to_ms - from_ms) // buckets))
        starts, folded = [], []
        bucket = (rows.time_ms - from_ms) // width
        for number in np.unique(bucket).tolist():
            inside = bucket == number
            good = rows.value[inside & ((rows.quality & 3) < 2) & np.isfinite(rows.value)]
            ends = (good.min(), good.max(), good[0], good[-1]) if len(good) else (np.nan,) * 4
            worst = max(rows.quality[inside].tolist(), key=lambda packed: packed & 3)
            starts.append(from_ms + number * width)
            folded.append((*ends, int(inside.sum()), worst))
        columns = np.array(folded, np.float64).reshape(-1, 6).T
        return MinMaxRows(
            start_ms=np.array(starts, np.int64),
            minimum=columns[0],
            maximum=columns[1],
            first=columns[2],
            last=columns[3],
            count=columns[4].astype(np.int64),
            quality=columns[5].astype(np.uint8),
        )

    def outlines(self, tag_ids: Sequence[int], from_ms: int, to_ms: int, buckets: int) -> dict[int, Outline]:
        folded = {one: self.min_max(one, from_ms, to_ms, buckets) for one in tag_ids}
        shaped = {one: np.isfinite(rows.minimum) for one, rows in folded.items()}
        return {
            one: Outline(rows.start_ms[kept], rows.minimum[kept], rows.maximum[kept])
            for one, rows in folded.items()
            if (kept := shaped[one]).any()
        }


@dataclass
class World:
    """Everything an API is made of, and the hands to change it."""

    plant: Plant
    engine: Engine
    queries: Queries
    desk: Engine
    """For short writing transactions."""
    reader: Engine
    duty: Duty = DEFAULT_DUTY
    board: Board = field(default_factory=Board)
    hub: Hub = field(default_factory=Hub)
    clock: SetClock = field(default_factory=SetClock)
    history: ListHistory = field(default_factory=ListHistory)
    inbox: Inbox = field(default_factory=Inbox)
    kpis: Kpis | None = None
    gate: Gate = field(default_factory=OpenGate)
    events: int = 0
    registered: bool = False

    def api(self) -> FastAPI:
        """Make the application."""
        source = Source(self.plant, self.board, self.hub, self.queries, self.clock, "1.2.3")
        handed = Desk(
            Handovers(self.desk, self.queries, self.clock),
            Links(self.desk, self.engine, self.clock),
            Attachments(self.desk, self.engine, self.clock),
            DutyDesk(self.duty, self.desk, self.reader, self.clock),
        )
        kpis = self.kpis or Kpis(self.queries.engine, self.plant, Desks())
        app = create_api(source, self.history, self.inbox, self.gate, handed, kpis, self.place)
        if not DOCUMENT:
            DOCUMENT.update(app.openapi())
        app.openapi_schema = DOCUMENT
        return app

    @property
    def place(self) -> Place:
        """What is known of the place."""
        ground = Ground(self.desk, self.reader, self.queries, self.history, self.plant, self.board, self.clock)
        return make_place(ground)

    def healthy(self, **changes: Any) -> None:  # noqa: ANN401  # fields of Health
        """Put a healthy pipeline on the board."""
        good = {
            "beat_monotonic_s": self.clock.monotonic_s(),
            "broker_connected": True,
            "replayed": True,
            "records_ok": True,
        }
        self.board.health = Health(**{"at_ms": self.clock.wall_ms(), **good, **changes})

    def register(self) -> None:
        """Number the tags of the plant."""
        self.registered = True
        with self.engine.begin() as connection:
            rows = [{"tag_id": row, "name": name} for row, name in enumerate(self.plant.tags)]
            connection.execute(insert(schema.tag), rows)

    def show(self, **now: tuple[float, int] | float) -> None:
        """Put values on the board: tag (``__`` for a dot) = value or (value, packed quality); others never spoke."""
        names = tuple(self.plant.tags)
        values, before = self._empty(names), self.board.values
        if before is not None:
            values = {key: getattr(before, key).copy() for key in values}
        for key, one in now.items():
            row = names.index(key.replace("__", "."))
            value, quality = one if isinstance(one, tuple) else (one, 0)
            values["time_ms"][row] = values["received_ms"][row] = self.clock.wall_ms()
            values["value"][row], values["quality"][row], values["stale"][row] = value, quality, False
        self.board.values = Values(at_ms=self.clock.wall_ms(), names=names, **values)

    def raise_alarm(
        self, alarm_id: str, tag: str = "T-1.LEVEL", *, tell: bool = False, **changes: object
    ) -> dict[str, Any]:
        """Keep a raised alarm and its event."""
        self.events += 1
        known = self.plant.tags.get(tag)
        row: dict[str, Any] = {
            "alarm_id": alarm_id, "tag": tag, "condition": "HH", "tier": 1, "state": "active",
            "hazard_unit": known.hazard_unit if known else "", "vessel": known.vessel if known else "",
            "vehicle": known.vehicle if known else "", "edge": known.edge if known else "",
            "onset_ms": T0 - 2000, "raised_ms": T0, "cleared_ms": None, "received_ms": T0 + 20, "decided_ms": T0 + 30,
            "value": 9.5, "limit": 9.0, "deadband": 0.25, "on_delay_ms": 2000, "quality": 0, "basis": "test",
            "delayed": False, "retrospective": False, "version": 1, "sequence": self.events,
            "base_tier": changes.get("tier", 1), "latch": False, "alarmed_ms": T0 + 20, "acknowledged_ms": None,
            "acknowledged_by": None, "rise": None, "measure": None, "measure_low": None, "measure_high": None,
            "inhibited": None, "material_version": 1, "stage": "raised", "assigned_to": None, "verdict": None,
            "hands": None, "measured_ms": None, "acknowledge_due_ms": None, "measure_due_ms": None, "overdue": "",
            "closed_ms": None, "closed_by": None,
            **changes,
        }  # fmt: skip
        with self.engine.begin() as connection:
            connection.execute(insert(schema.alarm), [row])
            connection.execute(insert(schema.alarm_event), [self._event(row, "raised")])
        if tell:
            self.hub.tell(AlarmNotice(self.events, "raised", row))
        return row

    def clear_alarm(self, row: dict[str, Any], at_ms: int = T0 + 60_000, *, tell: bool = False) -> dict[str, Any]:
        """Keep that an alarm cleared."""
        self.events += 1
        changes = {"state": "cleared", "cleared_ms": at_ms, "version": row["version"] + 1, "sequence": self.events}
        after = {**row, **changes}
        with self.engine.begin() as connection:
            connection.execute(update(schema.alarm).where(schema.alarm.c.alarm_id == row["alarm_id"]).values(changes))
            connection.execute(insert(schema.alarm_event), [self._event(after, "cleared")])
        if tell:
            self.hub.tell(AlarmNotice(self.events, "cleared", after))
        return after

    def put(self, table: str, *rows: dict[str, Any]) -> None:
        """Insert rows as they are."""
        with self.engine.begin() as connection:
            connection.execute(insert(schema.metadata.tables[table]), list(rows))

    def _event(self, row: dict[str, Any], kind: str) -> dict[str, Any]:
        at_ms = row["raised_ms"] if kind == "raised" else row["cleared_ms"]
        same = {key: row[key] for key in ("alarm_id", "version", "received_ms", "decided_ms", "value", "quality")}
        return {**same, "event_id": self.events, "kind": kind, "at_ms": at_ms, "position": 7}

    @staticmethod
    def _empty(names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
        count = len(names)
        return {
            "time_ms": np.full(count, -1, np.int64),
            "received_ms": np.full(count, -1, np.int64),
            "value": np.full(count, np.nan),
            "quality": np.zeros(count, np.uint8),
            "stale": np.ones(count, np.bool_),
        }


def make_world(folder: Path, plant: Plant | None = None) -> Iterator[World]:
    """Yield a world with an empty records database."""
    engine = create_engine(f"sqlite:///{folder / 'records.sqlite'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    schema.metadata.create_all(engine)
    reader = open_reader(folder)
    desk = open_desk(folder)
    yield World(plant or mini_plant(), engine, Queries(reader), desk, reader)
    desk.dispose()
    reader.dispose()
    engine.dispose()


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Talk to an application without a network."""
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client


@asynccontextmanager
async def served(app: FastAPI, port: int = 0) -> AsyncIterator[tuple[str, ApiServer]]:
    """Serve an application on a port (0: a free one); yields its address and the server."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        server = ApiServer(app)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve([listener]))
            await eventually_async(lambda: server.started, 10)
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}", server
            finally:
                server.should_exit = True


@dataclass
class Sse:
    """Reads server-sent events one by one."""

    lines: AsyncIterator[str]

    async def next(self, *wanted: str, within_s: float = 5.0) -> dict[str, Any]:
        """Return the next event of one of these names (any: none given) as name, id and data."""
        async with asyncio.timeout(within_s):
            while True:
                event = await self._one()
                if event and (not wanted or event["event"] in wanted):
                    return event

    async def end(self, within_s: float = 5.0) -> None:
        """Read until the stream ends."""
        async with asyncio.timeout(within_s):
            with suppress(EOFError):
                while True:
                    await self._one()

    async def _one(self) -> dict[str, Any]:
        event: dict[str, Any] = {}
        async for line in self.lines:
            if not line:
                return event if "data" in event else {}
            name, _, value = line.partition(": ")
            event[name] = json.loads(value) if name == "data" else value
        raise EOFError


@asynccontextmanager
async def stream(
    address: str, last_event_id: int | None = None, headers: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Sse]:
    """Open the stream over a real connection."""
    resumed = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    async with (
        httpx.AsyncClient(timeout=10) as client,
        client.stream("GET", f"{address}/api/v1/stream", headers={**headers, **resumed}) as response,
    ):
        assert response.status_code == 200
        async with aclosing(response.aiter_lines()) as lines:  # type: ignore[type-var]  # it is a generator
            yield Sse(lines)
