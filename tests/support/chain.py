"""The whole chain as processes: a plant broker, an edge, an uplink broker, a gateway; and what came of it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from alerting.batch import Batch, Change
from alerting.rules import Rules, compile_rules
from config.plant.load import load_plant
from config.plant.model import Plant
from gateway.app import HISTORY_FILE
from gateway.broker import free_port
from gateway.history.duckdb_store import HistoryStore
from gateway.records.log import Kind, decode_samples
from tests.support.naive import NaiveEngine, Transition
from tests.support.nursery import Nursery, Program
from tests.support.servers import Broker

__all__ = [
    "Chain",
    "Event",
    "archive_log",
    "events_of",
    "logged",
    "recorded",
    "rules_of",
    "running_chain",
    "stored",
    "twin_of_log",
]

RECORDS_FILE = "records.sqlite"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to an alarm, in words that do not depend on who tells it."""

    tag: str
    condition: str
    kind: str
    """raised | cleared"""
    onset_ms: int
    at_ms: int
    value: float | None
    quality: int


@dataclass(slots=True)
class Chain:
    """All that runs between a sensor and an alarm."""

    plant: Plant
    folder: Path
    edge: Program
    gateway: Program
    address: str
    """Of the API."""

    @property
    def data(self) -> Path:
        """The gateway's data directory."""
        return self.folder / "gateway"

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return an answer of the API; None when there is none."""
        try:
            answer = httpx.get(f"{self.address}{path}", timeout=5.0)
        except httpx.HTTPError:
            return None
        return answer.json() if answer.status_code == httpx.codes.OK else None

    def reads(self) -> bool:
        """Whether the gateway is ready and the edge has subscribed to its sensors."""
        if self.get("/readyz") is None:
            return False
        edges = (self.get("/api/v1/edges") or {"items": []})["items"]
        return any(edge["online"] and edge["report"] and not edge["report"]["faults"] for edge in edges)

    def kept(self) -> int:
        """How many samples are kept and in history; 0 while history lags or nobody answers."""
        health, ledger = self.get("/api/v1/health"), self.get("/api/v1/ledger")
        if health is None or ledger is None or health["history_lag"]:
            return 0
        return sum(int(edge["counts"]["samples_stored"]) for edge in ledger["edges"])


@contextmanager
def running_chain(
    nursery: Nursery,
    folder: Path,
    plant_file: Path,
    edge: str,
    plant_broker: Broker,
    uplink_broker: Broker,
    *options: str,
) -> Iterator[Chain]:
    """Run `hazgate edge` (with more options) and `hazgate gateway` between two brokers (or one) that run already."""
    port = free_port()
    plant = ("--plant", str(plant_file))
    brokers = ("--plant-broker", plant_broker.address, "--broker", uplink_broker.address)
    agent = (
        "edge",
        "--edge",
        edge,
        "--data",
        str(folder / "edge"),
        *plant,
        *brokers,
        "--resend-after-s",
        "1",
        *options,
    )
    http = ("--http", f"127.0.0.1:{port}", "--broker", uplink_broker.address)
    with (
        Program(
            nursery,
            folder / "gateway.log",
            ("gateway", "--no-accounts", "--data", str(folder / "gateway"), *plant, *http),
        ) as gw,
        Program(nursery, folder / "edge.log", agent) as running,
    ):
        yield Chain(load_plant(plant_file), folder, running, gw, f"http://127.0.0.1:{port}")


def archive_log(data: Path) -> None:
    """Let the records keep what is trimmed from the log."""
    with closing(sqlite3.connect(data / RECORDS_FILE, timeout=30)) as records, records:
        records.executescript(
            """
            CREATE TABLE archive AS SELECT * FROM log WHERE 0;
            CREATE TRIGGER archived AFTER DELETE ON log BEGIN
                INSERT INTO archive SELECT OLD.position, OLD.kind, OLD.received_ms, OLD.samples, OLD.payload;
            END;
            """
        )


def logged(data: Path) -> Iterator[tuple[int, int, Kind, int, bytes]]:
    """Yield everything that was ever committed to the log: position, received_ms, kind, samples, payload."""
    columns = "position, received_ms, kind, samples, payload"
    with closing(sqlite3.connect(data / RECORDS_FILE)) as records:
        rows = records.execute(f"SELECT {columns} FROM archive UNION ALL SELECT {columns} FROM log ORDER BY position")
        for position, received_ms, kind, samples, payload in rows:
            yield position, received_ms, Kind(kind), samples, payload


def recorded(data: Path) -> list[Event]:
    """Return all alarm events that were live, as they happened; each alarm row agrees with its events.

    Only what the engine decides: whether somebody still has to see an alarm that is over, and clocks of handling, are
    no matter of the log. Retrospective alarms, which late samples bring, have one event of their own and are left out.
    """
    with closing(sqlite3.connect(data / RECORDS_FILE)) as records:
        rows = records.execute(
            "SELECT tag, condition, CASE kind WHEN 'raised' THEN kind ELSE 'cleared' END, onset_ms,"
            " at_ms, alarm_event.value, alarm_event.quality"
            " FROM alarm_event JOIN alarm USING (alarm_id) WHERE NOT retrospective"
            " AND kind IN ('raised', 'cleared', 'returned', 'latched') ORDER BY event_id"
        ).fetchall()
        columns = "tag, condition, onset_ms, raised_ms, cleared_ms, state"
        alarms = records.execute(f"SELECT {columns} FROM alarm WHERE NOT retrospective").fetchall()
        missed = records.execute(
            "SELECT group_concat(kind), state FROM alarm JOIN alarm_event USING (alarm_id) WHERE retrospective"
            " GROUP BY alarm_id"
        ).fetchall()
    assert set(missed) <= {("retrospective", "cleared")}, missed
    events = [Event(*row) for row in rows]
    told = {(one.tag, one.condition, one.onset_ms, one.kind): one.at_ms for one in events}
    for tag, condition, onset_ms, raised_ms, cleared_ms, state in alarms:
        assert told[tag, condition, onset_ms, "raised"] == raised_ms
        assert told.get((tag, condition, onset_ms, "cleared")) == cleared_ms
        assert (state == "active") == (cleared_ms is None)
    return events


def stored(data: Path, plant: Plant) -> Counter[tuple[str, int, float | None]]:
    """Count tag, source time and value of everything in history. No process may be using the directory."""
    with closing(sqlite3.connect(data / RECORDS_FILE)) as records:
        names = dict(records.execute("SELECT name, tag_id FROM tag").fetchall())
    found: Counter[tuple[str, int, float | None]] = Counter()
    with closing(HistoryStore(data / HISTORY_FILE)) as history:
        for tag in plant.tags:
            rows = history.samples(names[tag], 0, 1 << 60, 1 << 60)
            values = (value if np.isfinite(value) else None for value in rows.value.tolist())
            found.update((tag, time_ms, value) for time_ms, value in zip(rows.time_ms.tolist(), values, strict=True))
    return found


def twin_of_log(data: Path, plant: Plant) -> list[Event]:
    """Run the naive twin over the committed log, samples and time alike."""
    rules = rules_of(data, plant)
    twin = NaiveEngine(rules)
    told: list[Transition] = []
    for _, received_ms, kind, _, payload in logged(data):
        match kind:
            case Kind.START:
                twin.start(received_ms)
            case Kind.TICK:
                told += twin.tick(received_ms)
            case Kind.SAMPLES:
                batch: Batch = decode_samples(payload)[0]
                told += twin.evaluate(batch, received_ms)[1]
            case Kind.BACKLOG:
                pass  # never live
    return events_of(rules, told)


def rules_of(data: Path, plant: Plant) -> Rules:
    """Return the rules with their rows as the gateway has numbered them."""
    with closing(sqlite3.connect(data / RECORDS_FILE)) as records:
        names = [name for (name,) in records.execute("SELECT name FROM tag ORDER BY tag_id")]
    return compile_rules(plant, names)


def events_of(rules: Rules, told: list[Transition]) -> list[Event]:
    """Return transitions as events."""
    return [
        Event(
            rules.names[one.tag],
            one.condition.value,
            "raised" if one.change is Change.RAISED else "cleared",
            one.onset_ms,
            one.time_ms,
            one.value if np.isfinite(one.value) else None,
            one.quality,
        )
        for one in told
    ]
