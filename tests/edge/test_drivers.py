"""The contract of drivers: what every one in `DRIVERS` does, tried on each of them."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from config.clock import SystemClock
from edge.driver import DriverSetup
from edge.drivers import DRIVERS
from edge.health import EdgeHealth
from edge.reading import Reading
from tests.support.edges import ImpatientNats, Sensors, edge_settings
from tests.support.plants import mini_plant
from tests.support.servers import Broker, Mosquitto
from tests.support.waiting import eventually_async

PLANT = mini_plant()


class Recorder:
    """A sink that keeps what it is given in memory and calls `kept` when it is told to."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.durable = True
        self.waiting: list[Callable[[], None]] = []
        self._room = asyncio.Event()
        self._room.set()

    @property
    def has_room(self) -> bool:
        return self._room.is_set()

    def take(self, readings: Sequence[Reading], kept: Callable[[], None] | None = None) -> None:
        self.readings += readings
        if kept is not None:
            self.waiting.append(kept)
        if self.durable:
            self.release()

    def release(self) -> None:
        for kept in self.waiting:
            kept()
        self.waiting.clear()

    async def room(self) -> None:
        await self._room.wait()

    def close_room(self) -> None:
        self._room.clear()

    def open_room(self) -> None:
        self._room.set()

    async def settle(self) -> None:
        self.release()


class DriverContract(ABC):
    """Inherited once per driver; the methods marked abstract are its hardware."""

    name: str

    @abstractmethod
    def setup(self, tmp_path: Path, sink: Recorder) -> DriverSetup:
        """Return what to make the driver with; the hardware need not be there yet."""

    @abstractmethod
    async def arrive(self) -> None:
        """Put the hardware there."""

    @abstractmethod
    async def vanish(self) -> None:
        """Take the hardware away without warning."""

    @abstractmethod
    def measure(self, number: float) -> None:
        """Let the hardware measure something new."""

    @pytest.fixture
    async def cleanup(self) -> AsyncIterator[None]:
        yield
        await self.vanish()

    @asynccontextmanager
    async def running(self, setup: DriverSetup) -> AsyncIterator[asyncio.Event]:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(DRIVERS[self.name](setup).run(stop))
            try:
                yield stop
            finally:
                stop.set()

    @pytest.mark.usefixtures("cleanup")
    async def test_it_waits_for_hardware_that_is_not_there_and_reads_it_when_it_comes(self, tmp_path: Path) -> None:
        sink = Recorder()
        setup = self.setup(tmp_path, sink)
        async with self.running(setup):
            await eventually_async(lambda: setup.health.faults, 10.0)
            await self.arrive()
            await eventually_async(lambda: not setup.health.faults and setup.health.plant_connected, 15.0)
            self.measure(1.5)
            await eventually_async(lambda: [reading.number for reading in sink.readings] == [1.5])

    @pytest.mark.usefixtures("cleanup")
    async def test_it_comes_through_the_loss_of_its_hardware(self, tmp_path: Path) -> None:
        sink = Recorder()
        setup = self.setup(tmp_path, sink)
        await self.arrive()
        async with self.running(setup):
            await eventually_async(lambda: setup.health.plant_connected)
            await self.vanish()
            await eventually_async(lambda: setup.health.faults, 10.0)
            await self.arrive()
            await eventually_async(lambda: not setup.health.faults and setup.health.plant_connected, 15.0)
            self.measure(2.5)
            await eventually_async(lambda: 2.5 in [reading.number for reading in sink.readings])

    @pytest.mark.usefixtures("cleanup")
    async def test_it_stops_at_once_with_and_without_hardware(self, tmp_path: Path) -> None:
        for there in (False, True):
            setup = self.setup(tmp_path, Recorder())
            if there:
                await self.arrive()
            async with asyncio.timeout(15), self.running(setup) as stop:
                health = setup.health
                await eventually_async(lambda health=health: health.plant_connected or health.faults, 10.0)  # type: ignore[misc]  # bound now
                stop.set()
                began_s = asyncio.get_running_loop().time()
            assert asyncio.get_running_loop().time() - began_s < 2.0

    @pytest.mark.usefixtures("cleanup")
    async def test_what_it_reads_belongs_to_its_tags_and_carries_numbers(self, tmp_path: Path) -> None:
        sink = Recorder()
        setup = self.setup(tmp_path, sink)
        await self.arrive()
        async with self.running(setup):
            await eventually_async(lambda: setup.health.plant_connected)
            for number in range(20):
                self.measure(float(number))
            await eventually_async(lambda: len(sink.readings) >= 20)
        assert [reading.number for reading in sink.readings] == [float(number) for number in range(20)]
        assert {reading.tag for reading in sink.readings} <= {tag.name for tag in setup.tags}


class TestMqttSensor(DriverContract):
    name = "mqtt_sensor"

    @pytest.fixture(autouse=True)
    def hardware(self, tmp_path: Path) -> None:
        self.broker = Mosquitto(tmp_path / "broker")
        self.stack = AsyncExitStack()

    def setup(self, tmp_path: Path, sink: Recorder) -> DriverSetup:
        tags = [tag for tag in PLANT.tags.values() if tag.source is not None]
        settings = edge_settings(tmp_path, self.broker, self.broker)
        return DriverSetup("mini", tags, settings, sink, EdgeHealth(), SystemClock())

    async def arrive(self) -> None:
        await asyncio.to_thread(self.broker.start)
        self.sensors = self.stack.enter_context(Sensors(self.broker))

    async def vanish(self) -> None:
        await self.stack.aclose()
        await asyncio.to_thread(self.broker.kill)

    def measure(self, number: float) -> None:
        self.sensors.publish("plant/mini/T-1.TEMP", str(number))


def test_every_driver_has_a_suite() -> None:
    has_no_hardware = {"canary"}  # it makes its readings itself: tests/gateway/test_canary.py
    assert {suite.name for suite in DriverContract.__subclasses__()} | has_no_hardware == set(DRIVERS)


class TestMqttDelivery:
    """What is peculiar to `mqtt_sensor`: who holds a message until it is durable."""

    async def test_a_message_that_is_not_durable_is_delivered_again(self, impatient: Broker, tmp_path: Path) -> None:
        settings = edge_settings(tmp_path, impatient, impatient)
        tags = [tag for tag in PLANT.tags.values() if tag.source is not None]
        sink = Recorder()
        sink.durable = False
        health = EdgeHealth()
        with Sensors(impatient) as sensors:
            stop, task = asyncio.Event(), None
            async with asyncio.TaskGroup() as tasks:
                driver = DRIVERS["mqtt_sensor"](DriverSetup("mini", tags, settings, sink, health, SystemClock()))
                task = tasks.create_task(driver.run(stop))
                await eventually_async(lambda: health.plant_connected)
                for number in range(10):
                    sensors.publish_json("plant/mini/T-1.LEVEL", {"v": number, "t": number, "q": 0})
                await eventually_async(lambda: len(sink.readings) == 10)
                for kept in sink.waiting[:4]:
                    kept()
                await eventually_async(lambda: not sensors.waiting)
                task.cancel()  # the agent dies without settling
            later, again = Recorder(), EdgeHealth()
            async with asyncio.TaskGroup() as tasks:
                driver = DRIVERS["mqtt_sensor"](DriverSetup("mini", tags, settings, later, again, SystemClock()))
                tasks.create_task(driver.run(stop))
                await eventually_async(lambda: len(later.readings) >= 6, 10.0)
                stop.set()
        numbers = [reading.number for reading in later.readings]
        assert sorted(numbers, key=str) == [4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
        assert all(reading.again for reading in later.readings)

    async def test_a_message_that_comes_again_while_it_is_in_hand_is_taken_once(self, tmp_path: Path) -> None:
        sink = Recorder()
        sink.durable = False
        health, stop = EdgeHealth(), asyncio.Event()
        tags = [tag for tag in PLANT.tags.values() if tag.source is not None]
        with ImpatientNats(tmp_path) as broker, Sensors(broker) as sensors:
            setup = DriverSetup("mini", tags, edge_settings(tmp_path, broker, broker), sink, health, SystemClock())
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(DRIVERS["mqtt_sensor"](setup).run(stop))
                await eventually_async(lambda: health.plant_connected)
                for number in range(3):
                    sensors.publish("plant/mini/T-1.TEMP", str(number))
                await eventually_async(lambda: health.unreadable["redelivered"] >= 3, 10.0)
                assert [reading.number for reading in sink.readings] == [0.0, 1.0, 2.0]
                sink.durable = True
                sink.release()
                sensors.publish("plant/mini/T-1.TEMP", "3")
                await eventually_async(lambda: len(sink.readings) == 4)
                stop.set()

    async def test_without_room_it_stops_reading_and_goes_on_when_there_is_some(
        self, broker: Broker, tmp_path: Path
    ) -> None:
        settings = edge_settings(tmp_path, broker, broker)
        tags = [tag for tag in PLANT.tags.values() if tag.source is not None]
        sink, health, stop = Recorder(), EdgeHealth(), asyncio.Event()
        with Sensors(broker) as sensors:
            async with asyncio.TaskGroup() as tasks:
                driver = DRIVERS["mqtt_sensor"](DriverSetup("mini", tags, settings, sink, health, SystemClock()))
                tasks.create_task(driver.run(stop))
                await eventually_async(lambda: health.plant_connected)
                sink.close_room()
                sensors.publish("plant/mini/T-1.TEMP", "0")
                await eventually_async(lambda: len(sink.readings) == 1)
                for number in range(1, 500):
                    sensors.publish("plant/mini/T-1.TEMP", str(number))
                await eventually_async(lambda: not sensors.waiting)
                assert len(sink.readings) < 400
                sink.open_room()
                await eventually_async(lambda: len(sink.readings) == 500)
                assert [reading.number for reading in sink.readings] == [float(number) for number in range(500)]
                stop.set()

    async def test_a_topic_of_an_earlier_plant_description_is_let_go_of(self, broker: Broker, tmp_path: Path) -> None:
        settings = edge_settings(tmp_path, broker, broker)
        tags = [tag for tag in PLANT.tags.values() if tag.source is not None]
        with Sensors(broker) as sensors:
            for fewer in (False, True):
                wanted = tags[1:] if fewer else tags
                sink, health, stop = Recorder(), EdgeHealth(), asyncio.Event()
                async with asyncio.TaskGroup() as tasks:
                    driver = DRIVERS["mqtt_sensor"](DriverSetup("mini", wanted, settings, sink, health, SystemClock()))
                    tasks.create_task(driver.run(stop))
                    await eventually_async(lambda health=health: health.plant_connected)  # type: ignore[misc]  # bound now
                    sensors.publish_json("plant/mini/T-1.LEVEL", {"v": 1, "t": 1, "q": 0})
                    if fewer:
                        await eventually_async(lambda health=health: health.unreadable["unwanted_topic"] == 1)  # type: ignore[misc]  # bound now
                        assert not sink.readings
                    else:
                        await eventually_async(lambda sink=sink: len(sink.readings) == 1)  # type: ignore[misc]  # bound now
                    stop.set()

    async def test_several_tags_read_one_topic(self, broker: Broker, tmp_path: Path) -> None:
        level = PLANT.tags["T-1.LEVEL"]
        assert level.source is not None
        tags = [
            replace(level, name=name, source=replace(level.source, topic="one/for/all", path=(name,)))
            for name in ("a", "b")
        ]
        sink, health, stop = Recorder(), EdgeHealth(), asyncio.Event()
        setup = DriverSetup("mini", tags, edge_settings(tmp_path, broker, broker), sink, health, SystemClock())
        with Sensors(broker) as sensors:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(DRIVERS["mqtt_sensor"](setup).run(stop))
                await eventually_async(lambda: health.plant_connected)
                sensors.publish("one/for/all", json.dumps({"a": 1, "b": 2, "t": 5, "q": 0}))
                await eventually_async(lambda: len(sink.readings) == 2)
                stop.set()
        assert [(reading.tag, reading.number, reading.time_ms) for reading in sink.readings] == [
            ("a", 1, 5),
            ("b", 2, 5),
        ]
