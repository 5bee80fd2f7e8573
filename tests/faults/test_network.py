"""Wires that are cut without a word: both ways, one way, and broken off; outboxes grow, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from gateway.broker import free_port
from tests.support.chain import stored
from tests.support.edges import Sensors
from tests.support.nursery import Nursery, Program
from tests.support.plants import MINI_PLANT, mini_plant
from tests.support.proxy import Wire
from tests.support.servers import Mosquitto
from tests.support.waiting import eventually

PLANT = mini_plant()
T0 = 1_763_770_000_000


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as forking:
        yield forking


class Site:
    """Sensors and an edge at a plant, a gateway elsewhere, a wire between each of them and the broker."""

    def __init__(self, sensors: Sensors, to_edge: Wire, to_gateway: Wire, address: str) -> None:
        self.sensors, self.to_edge, self.to_gateway, self.address = sensors, to_edge, to_gateway, address
        self.sent: list[tuple[str, int, float]] = []

    def send(self, count: int) -> None:
        for _ in range(count):
            number = len(self.sent)
            self.sent.append(("T-1.LEVEL", T0 + number, number % 8 / 8))
            self.sensors.publish_json("plant/mini/T-1.LEVEL", {"v": number % 8 / 8, "t": T0 + number, "q": 0})

    def get(self, path: str) -> dict[str, object]:
        try:
            answer: dict[str, object] = httpx.get(f"{self.address}{path}", timeout=5.0).json()
        except httpx.HTTPError:
            return {}
        return answer

    def kept(self) -> int:
        edges = self.get("/api/v1/ledger").get("edges", [])
        return sum(int(edge["counts"]["samples_stored"]) for edge in edges)  # type: ignore[attr-defined, misc]

    def online(self) -> bool:
        items = self.get("/api/v1/edges").get("items", [])
        return any(edge["online"] and edge["report"] and not edge["report"]["faults"] for edge in items)  # type: ignore[attr-defined]


@contextmanager
def site(nursery: Nursery, folder: Path) -> Iterator[Site]:
    plant = folder / "plant.yaml"
    plant.write_text(MINI_PLANT, encoding="utf-8")
    (folder / "plant-side").mkdir()
    port = free_port()
    with (
        Mosquitto(folder) as broker,
        Mosquitto(folder / "plant-side") as near,
        Wire(broker.port) as to_edge,
        Wire(broker.port) as to_gateway,
    ):
        agent = ("edge", "--edge", "edge-a", "--data", str(folder / "edge"), "--plant-broker", near.address)
        gateway = ("gateway", "--no-accounts", "--data", str(folder / "gateway"), "--http", f"127.0.0.1:{port}")
        words = ("--plant", str(plant), "--broker")
        with (
            Program(nursery, folder / "gateway.log", (*gateway, *words, to_gateway.address)) as listening,
            Program(nursery, folder / "edge.log", (*agent, *words, to_edge.address, "--resend-after-s", "1")) as edge,
            Sensors(near) as sensors,
        ):
            running = Site(sensors, to_edge, to_gateway, f"http://127.0.0.1:{port}")
            eventually(running.online, 60.0, every_s=0.1)
            yield running
            assert edge.stop() == 0
            assert listening.stop() == 0
    kept = stored(folder / "gateway", PLANT)
    assert sorted(kept.elements()) == sorted(running.sent)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("whose", ["to_edge", "to_gateway"])
@pytest.mark.parametrize(("up", "down"), [(True, True), (True, False), (False, True)], ids=["both", "up", "down"])
def test_a_wire_that_carries_nothing_costs_time_only(
    nursery: Nursery,
    tmp_path: Path,
    whose: str,
    up: bool,  # noqa: FBT001 - of the table above
    down: bool,  # noqa: FBT001 - of the table above
) -> None:
    with site(nursery, tmp_path) as running:
        wire: Wire = getattr(running, whose)
        running.send(50)
        eventually(lambda: running.kept() == 50, 20.0, every_s=0.05)
        wire.cut(up=up, down=down)
        running.send(200)
        eventually(lambda: not running.sensors.waiting, 20.0)
        wire.heal()
        running.send(50)
        eventually(lambda: running.kept() == 300, 60.0, every_s=0.1)


@pytest.mark.timeout(180)
def test_connections_that_break_again_and_again_cost_time_only(nursery: Nursery, tmp_path: Path) -> None:
    with site(nursery, tmp_path) as running:
        for turn in range(12):
            running.send(50)
            (running.to_edge if turn % 2 else running.to_gateway).reset()
            eventually(lambda: not running.sensors.waiting, 20.0)
        eventually(lambda: running.kept() == 600, 60.0, every_s=0.1)
