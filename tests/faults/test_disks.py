"""Disks that fail at the Nth write or sync, and disks that are slow, under real processes of edge and gateway.

``HAZGATE_DISK_FAULTS`` says how many failures are swept through (a few by default).
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from gateway.broker import free_port
from tests.support.chain import stored
from tests.support.edges import Sensors
from tests.support.faulty_disk import FaultyDisk
from tests.support.plants import MINI_PLANT, mini_plant
from tests.support.processes import Process
from tests.support.servers import Mosquitto
from tests.support.waiting import eventually

FAULTS = int(os.environ.get("HAZGATE_DISK_FAULTS", "4"))
PLANT = mini_plant()
T0 = 1_763_770_000_000


class Line:
    """Sensors, an edge, a gateway, one broker; the disk of one of them is faulty."""

    def __init__(self, sensors: Sensors, edge: Process, gateway: Process, address: str) -> None:
        self.sensors, self.edge, self.gateway, self.address = sensors, edge, gateway, address
        self.sent: list[tuple[str, int, float]] = []

    def send(self, count: int) -> None:
        for _ in range(count):
            number = len(self.sent)
            self.sent.append(("T-1.LEVEL", T0 + number, number % 8 / 8))
            payload = {"v": number % 8 / 8, "t": T0 + number, "q": 0}
            self.sensors.publish_json("plant/mini/T-1.LEVEL", payload, mark=number)

    def kept(self) -> int:
        try:
            edges = httpx.get(f"{self.address}/api/v1/ledger", timeout=5.0).json()["edges"]
        except (httpx.HTTPError, KeyError):
            return -1
        return sum(int(edge["counts"]["samples_stored"]) for edge in edges)

    def ready(self) -> bool:
        try:
            if httpx.get(f"{self.address}/readyz", timeout=5.0).status_code != httpx.codes.OK:
                return False
            edges = httpx.get(f"{self.address}/api/v1/edges", timeout=5.0).json()["items"]
        except httpx.HTTPError:
            return False
        return any(edge["online"] and edge["report"] and not edge["report"]["faults"] for edge in edges)


@contextmanager
def line(folder: Path, disk: FaultyDisk, whose: str) -> Iterator[Line]:
    plant = folder / "plant.yaml"
    plant.write_text(MINI_PLANT, encoding="utf-8")
    port = free_port()
    with Mosquitto(folder) as broker:
        both = ("--plant", str(plant), "--broker", broker.address)
        agent = ("edge", "--edge", "edge-a", "--data", str(folder / "edge"), "--plant-broker", broker.address)
        gateway = ("gateway", "--no-accounts", "--data", str(folder / "gateway"), "--http", f"127.0.0.1:{port}")
        faulty = {name: disk.environment if name == whose else {} for name in ("edge", "gateway")}
        with (
            Process(folder / "gateway.log", (*gateway, *both), faulty["gateway"]) as gateway_,
            Process(folder / "edge.log", (*agent, *both, "--resend-after-s", "1"), faulty["edge"]) as edge,
            Sensors(broker) as sensors,
        ):
            yield Line(sensors, edge, gateway_, f"http://127.0.0.1:{port}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("whose", "part"), [("gateway", "records.sqlite"), ("edge", "outbox.db")])
def test_a_failing_write_or_sync_loses_nothing(tmp_path: Path, whose: str, part: str) -> None:
    disk = FaultyDisk(tmp_path)
    rng = random.Random(5)
    with line(tmp_path, disk, whose) as running:
        eventually(running.ready, 60.0, every_s=0.1)
        for fault in range(FAULTS):
            disk.fail("sync" if fault % 2 else "write", part, rng.randrange(1, 4))
            running.send(100)
            eventually(lambda: not running.sensors.waiting and not disk.is_due, 30.0, every_s=0.02)
        eventually(lambda: running.kept() >= len(running.sent), 60.0, every_s=0.1)
        assert running.gateway.running, running.gateway.log[-2000:]
        assert running.edge.running, running.edge.log[-2000:]
        assert httpx.get(f"{running.address}/api/v1/ledger", timeout=5.0).json()["holds"]
        assert running.edge.stop() == 0
        assert running.gateway.stop() == 0
        sent = running.sent
    kept = stored(tmp_path / "gateway", PLANT)
    assert sorted(kept.elements()) == sorted(sent)


@pytest.mark.soak
@pytest.mark.timeout(180)
def test_a_slow_disk_makes_things_slow_and_nothing_else(tmp_path: Path) -> None:
    disk = FaultyDisk(tmp_path)
    with line(tmp_path, disk, "gateway") as running:
        eventually(running.ready, 60.0, every_s=0.1)
        disk.slow("records.sqlite", 500)
        for _ in range(10):
            before = running.kept()
            running.send(50)
            eventually(lambda before=before: running.kept() > before, 20.0, every_s=0.05)  # type: ignore[misc]  # bound now
        assert httpx.get(f"{running.address}/livez", timeout=5.0).status_code == httpx.codes.OK
        disk.well()
        eventually(lambda: running.kept() == len(running.sent), 30.0, every_s=0.1)
        assert running.gateway.stop() == 0
        assert running.edge.stop() == 0
    assert "Traceback" not in running.gateway.log
