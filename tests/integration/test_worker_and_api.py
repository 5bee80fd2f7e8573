"""Worker and API as processes of their own, on PostgreSQL and InfluxDB: what one does the other shows."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.clock import SystemClock
from config.contract.frame import encode_frame
from config.contract.topics import Kind, edge_topic
from gateway.broker import free_port
from tests.support.edges import Sensors
from tests.support.frames import frame
from tests.support.influx import Influx
from tests.support.nursery import Nursery, Program
from tests.support.plants import MINI_PLANT
from tests.support.postgresql import PostgreSql
from tests.support.servers import Mosquitto
from tests.support.waiting import eventually

READY_WITHIN_S = 30.0


class Site:
    """A worker, an API, and what both stand on."""

    def __init__(self, worker: Program, api: Program, worker_port: int, api_port: int) -> None:
        self.worker, self.api = worker, api
        self.worker_address = f"http://127.0.0.1:{worker_port}"
        self.address = f"http://127.0.0.1:{api_port}"

    def get(self, path: str, **query: str | int) -> Any:  # noqa: ANN401 - JSON
        return httpx.get(f"{self.address}{path}", params=query, timeout=10.0).raise_for_status().json()

    def ready(self, address: str) -> bool:
        assert self.api.running, self.api.log[-3000:]
        try:
            return httpx.get(f"{address}/readyz", timeout=5.0).status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def running(nursery: Nursery, folder: Path, broker: Mosquitto, records: str, history: str) -> Iterator[Site]:
    plant = folder / "plant.yaml"
    plant.write_text(MINI_PLANT, encoding="utf-8")
    ports = free_port(), free_port()
    stores = ("--plant", str(plant), "--records", records, "--history", history)
    worker = ("gateway", "worker", "--no-accounts", "--data", str(folder / "worker"), "--broker", broker.address)
    api = ("gateway", "api", "--no-accounts", "--http", f"127.0.0.1:{ports[1]}", *stores)
    with (
        Program(nursery, folder / "worker.log", (*worker, "--http", f"127.0.0.1:{ports[0]}", *stores)) as working,
        Program(nursery, folder / "api.log", api) as showing,
    ):
        yield Site(working, showing, *ports)


@pytest.mark.timeout(180)
def test_what_the_worker_does_the_api_shows_and_hands_on(
    nursery: Nursery, tmp_path: Path, postgresql: PostgreSql
) -> None:
    now_ms = SystemClock().wall_ms()
    address = postgresql.empty()
    records = f"postgresql://hazgate@127.0.0.1:{address.port}/{address.database}"
    (tmp_path / "influx").mkdir()
    with (
        Influx(tmp_path / "influx") as influx,
        Mosquitto(tmp_path) as broker,
        running(nursery, tmp_path, broker, records, f"influx://127.0.0.1:{influx.port}/hazgate?api=v1") as site,
        Sensors(broker) as edge,
    ):
        eventually(lambda: site.ready(site.worker_address), READY_WITHIN_S, every_s=0.1)
        eventually(lambda: site.ready(site.address), READY_WITHIN_S, every_s=0.1)
        with listening(site.address) as heard:
            eventually(lambda: "snapshot" in [name for name, _ in heard], 10.0)
            samples = [("T-1.TEMP", now_ms + 1_000 * at, 20.0 + 5 * at) for at in range(6)]
            edge.publish(edge_topic("mini", "edge-a", Kind.TELEMETRY), encode_frame(frame(1, *samples)))
            eventually(lambda: [data for name, data in heard if name == "alarm"], 10.0)
        told = next(data for name, data in heard if name == "alarm")
        assert (told["kind"], told["alarm"]["tag"], told["alarm"]["condition"]) == ("raised", "T-1.TEMP", "H")

        (tag,) = [one for one in site.get("/api/v1/tags")["items"] if one["tag"] == "T-1.TEMP"]
        assert "45" in json.dumps(tag), tag
        eventually(lambda: site.get("/api/v1/health")["history_lag"] == 0, 15.0)
        points = site.get("/api/v1/tags/T-1.TEMP/history", **{"from": now_ms, "to": now_ms + 10_000})
        assert len(json.dumps(points)) > 100
        assert site.get("/api/v1/ledger")["holds"]

        name, version = told["alarm"]["alarm_id"], told["alarm"]["version"]
        path = f"{site.address}/api/v1/alarms/{name}/acknowledge"
        answer = httpx.post(path, json={"version": version, "by": "值班员"}, timeout=10.0)
        assert answer.status_code == 200, answer.text
        assert answer.json()["acknowledged_by"] == "值班员" or "值班员" in answer.text
        again = httpx.post(path, json={"version": version, "by": "another"}, timeout=10.0)
        assert again.status_code == 409
        assert httpx.post(path.replace(name, "f" * 16), json={"version": 1, "by": "x"}, timeout=10.0).status_code == 404

        site.worker.kill()
        eventually(lambda: not site.ready(site.address), 20.0, every_s=0.2)
        assert site.get("/api/v1/alarms")["items"][0]["alarm_id"] == name, "what is known is still shown"
        site.worker.start()
        eventually(lambda: site.ready(site.worker_address) and site.ready(site.address), READY_WITHIN_S, every_s=0.1)
        more = [("T-1.TEMP", now_ms + 20_000, 21.0)]
        edge.publish(edge_topic("mini", "edge-a", Kind.TELEMETRY), encode_frame(frame(2, *more)))
        eventually(lambda: site.get(f"/api/v1/alarms/{name}")["state"] == "cleared", 10.0)
        assert site.worker.stop() == 0
        assert site.api.stop() == 0
        found = influx.query('SELECT count("severity") FROM telemetry', db="hazgate")["results"][0]["series"][0]
        assert found["values"][0][1] == 7
        events = influx.query('SELECT count("event_id") FROM alarm', db="hazgate")["results"][0]["series"][0]
        assert events["values"][0][1] == 3, "raised, acknowledged, cleared"


@contextmanager
def listening(address: str) -> Iterator[list[tuple[str, Any]]]:
    """Follow the stream on a thread of its own."""
    heard: list[tuple[str, Any]] = []
    done = threading.Event()

    def follow() -> None:
        name = ""
        with httpx.stream("GET", f"{address}/api/v1/stream", timeout=30.0) as answer:
            for line in answer.iter_lines():
                if done.is_set():
                    return
                field, _, value = line.partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    heard.append((name, json.loads(value)))

    thread = threading.Thread(target=follow, name="listener", daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        done.set()
        thread.join(10.0)


def test_an_api_of_its_own_says_what_it_needs(nursery: Nursery, tmp_path: Path) -> None:
    for command in ("worker", "api"):
        with Program(nursery, tmp_path / f"{command}.log", ("gateway", command)) as program:
            eventually(lambda: not program.running, 20.0)
            assert "needs --records postgresql://" in program.log
