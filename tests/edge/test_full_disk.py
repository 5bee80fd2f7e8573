"""A disk that is full: the edge goes on, holds the sensors back, says so, and goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import disks
from tests.support.edges import FakeGateway, Sensors, edge_settings, running_edge
from tests.support.plants import mini_plant
from tests.support.servers import Broker
from tests.support.waiting import eventually_async

PLANT = mini_plant()
READINGS = 6000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk on which there is room for the reserve and little more."""
    with disks.small_disk(tmp_path / "disk", "1400k") as disk:
        yield disk


@pytest.mark.parametrize("relief", ["more space", "the gateway comes back"])
async def test_nothing_is_lost_and_nothing_comes_twice(small_disk: Path, broker: Broker, relief: str) -> None:
    settings = edge_settings(small_disk, broker, broker, frame_max_samples=20)
    answering = relief == "more space"
    with FakeGateway(broker, "mini", "edge-a", answering=False) as gateway, Sensors(broker) as sensors:
        async with running_edge(settings, PLANT) as health:
            await eventually_async(lambda: health.plant_connected and gateway.connected.is_set())
            wanted = []
            for number in range(READINGS):
                sample = ("T-1.LEVEL", 1_700_000_000_000 + number, number / 8)
                wanted.append(sample)
                sensors.publish_json("plant/mini/T-1.LEVEL", {"v": sample[2], "t": sample[1], "q": 0})
            await eventually_async(lambda: "outbox" in health.faults, 20.0)
            await eventually_async(lambda: gateway.status is not None and "outbox" in gateway.status.faults, 10.0)
            assert 0 < health.made < READINGS
            assert health.shed == 0
            if answering:
                await asyncio.to_thread(disks.grow, small_disk, "16m")
                await eventually_async(lambda: health.made == READINGS, 20.0)
            gateway.answering = True
            await eventually_async(lambda: len(gateway.samples) >= READINGS, 40.0)
            assert gateway.samples == wanted
            await eventually_async(lambda: health.depth == 0 and not health.faults, 20.0)


async def test_it_starts_on_a_full_disk_and_begins_when_there_is_space(small_disk: Path, broker: Broker) -> None:
    ballast = small_disk / "ballast"
    settings = edge_settings(small_disk, broker, broker)
    (small_disk / "edge.lock").touch()
    disks.fill(ballast)
    with FakeGateway(broker, "mini", "edge-a") as gateway, Sensors(broker) as sensors:
        async with running_edge(settings, PLANT) as health:
            await eventually_async(lambda: gateway.status is not None and "outbox" in gateway.status.faults, 10.0)
            assert not health.plant_connected, "what it could not keep it does not take"
            ballast.unlink()
            await eventually_async(lambda: health.plant_connected, 15.0)
            sensors.publish_json("plant/mini/T-1.LEVEL", {"v": 1, "t": 5, "q": 0})
            await eventually_async(lambda: gateway.samples == [("T-1.LEVEL", 5, 1.0)])
            assert not health.faults
