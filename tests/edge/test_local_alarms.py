"""What an edge notices by itself: as the gateway would, told on the plant's broker, reconciled afterwards."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from typer.testing import CliRunner

from config.contract.alarms import LocalAlarm, alarm_id
from config.contract.messages import decode
from config.contract.quality import Quality, Reason
from config.contract.topics import Kind, edge_topic, local_alarm_topic
from config.plant.load import read_plant
from config.plant.model import Plant
from edge.errors import DataDirectoryError
from edge.local_alarms import LocalAlarms
from edge.reading import Sample
from edge.report import read_report
from hazgate.cli import build
from tests.support.clocks import ManualClock
from tests.support.edges import FakeGateway, Sensors, edge_settings, running_edge
from tests.support.plants import MINI_PLANT, mini_plant
from tests.support.servers import Broker, Mosquitto
from tests.support.waiting import eventually_async

PLANT = mini_plant()
T0 = 1_763_770_000_000


def own_tags(plant: Plant, edge: str = "edge-a"):  # type: ignore[no-untyped-def]  # noqa: ANN201 - a list of tags
    return [tag for tag in plant.tags.values() if tag.edge == edge]


class Bench:
    """Local alarms with a clock in hand."""

    def __init__(self, plant: Plant = PLANT) -> None:
        self.clock = ManualClock()
        self.connected = True
        self.alarms = LocalAlarms(plant, own_tags(plant), self.clock, lambda: self.connected)
        self.told: list[LocalAlarm] = []
        self.alarms.listen(self.told.append)

    def sample(self, tag: str, value: float | None, after_ms: int = 0) -> Sample:
        quality = (Quality.GOOD, Reason.NONE) if value is not None else (Quality.BAD, Reason.NOT_FINITE)
        return Sample(tag, self.clock.wall_ms() + after_ms, value, *quality)

    def kinds(self) -> list[tuple[str, str, str]]:
        return [(one.tag, one.condition, one.state) for one in self.told]


def test_a_limit_raises_and_clears_with_the_name_the_gateway_gives_it() -> None:
    bench = Bench()
    first = bench.sample("T-1.TEMP", 41.0)
    assert bench.alarms.take([bench.sample("T-1.TEMP", 20.0, -1_000), first]).tolist() == [True, True]
    (raised,) = bench.told
    assert raised.alarm_id == alarm_id("T-1.TEMP", "H", first.time_ms)
    assert (raised.value, raised.limit, raised.unit, raised.tier, raised.cut) == (41.0, 40.0, "degC", 4, False)
    assert "HIGH" not in raised.text_en
    assert "41" in raised.text_zh
    over = bench.sample("T-1.TEMP", 20.0, 1_000)
    assert bench.alarms.take([over]).tolist() == [True], "the sample that clears tells of it, too"
    assert bench.alarms.take([bench.sample("T-1.TEMP", 20.0, 2_000)]).tolist() == [False]
    cleared = bench.told[-1]
    assert (cleared.alarm_id, cleared.state) == (raised.alarm_id, "cleared")
    assert (cleared.onset_ms, cleared.raised_ms, cleared.cleared_ms) == (first.time_ms, first.time_ms, over.time_ms)
    assert not bench.alarms.active


def test_silence_is_noticed_without_a_sample() -> None:
    bench = Bench()
    bench.alarms.take([bench.sample("GD-1", 0.1), bench.sample("T-1.LEVEL", 5.0)])
    for _ in range(40):
        bench.clock.advance_s(1.0)
        bench.alarms.take([bench.sample("T-1.LEVEL", 5.0)])
        bench.alarms.tick()
    assert ("GD-1", "STALE", "active") in bench.kinds()
    assert "T-1.LEVEL" not in {tag for tag, *_ in bench.kinds()}


def test_an_alarm_says_whether_the_gateway_was_out_of_reach_when_it_began() -> None:
    bench = Bench()
    bench.connected = False
    bench.alarms.take([bench.sample("T-1.TEMP", 50.0)])
    bench.connected = True
    bench.alarms.take([bench.sample("T-1.TEMP", 20.0, 1_000), bench.sample("T-1.TEMP", 50.0, 2_000)])
    assert [(one.state, one.cut) for one in bench.told] == [("active", True), ("cleared", True), ("active", False)]


def test_conditions_that_need_another_edge_are_left_to_the_gateway() -> None:
    both = "limits:\n      H: {limit: 40, deadband: 0, on_delay: 0s, off_delay: 0s}\n"
    dev = both + "      DEV: {limit: 5, deadband: 1, partners: [PLAIN.TEMP], on_delay: 0s, off_delay: 0s}\n"
    other = MINI_PLANT[MINI_PLANT.index("  PLAIN.PRESS:") :].replace("PLAIN.PRESS", "PLAIN.TEMP")
    other = other.replace("quantity: pressure", "quantity: temperature").replace("unit: MPa", "unit: degC")
    other = other.replace("[0, 1.6]", "[-20, 80]").replace("limit: 1.2, deadband: 0.1", "limit: 70, deadband: 1")
    other = other.replace("pressure_transmitter", "temperature_transmitter")
    plant = read_plant(MINI_PLANT.replace(both, dev, 1) + other, "two.yaml")
    bench = Bench(plant)
    bench.alarms.take([bench.sample("T-1.TEMP", 41.0)])
    assert bench.kinds() == [("T-1.TEMP", "H", "active")]


@contextmanager
def siren(broker: Broker) -> Iterator[dict[str, LocalAlarm | None]]:
    """Listen to what an edge retains; the latest word on each topic, None when it was taken back."""
    heard: dict[str, LocalAlarm | None] = {}
    ready = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _c, _u, message: heard.__setitem__(
        message.topic, decode(bytes(message.payload), LocalAlarm) if message.payload else None
    )
    client.on_connect = lambda connected, *_: connected.subscribe(local_alarm_topic("mini", "edge-a", "+"), 1)
    client.on_subscribe = lambda *_: ready.set()
    client.connect(broker.host, broker.port)
    client.loop_start()
    assert ready.wait(10.0)
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


async def test_a_siren_at_the_plant_hears_it_while_the_uplink_is_cut(broker: Broker, tmp_path: Path) -> None:
    uplink = Mosquitto(tmp_path)
    settings = edge_settings(tmp_path / "edge", broker, uplink)
    with Sensors(broker) as sensors, siren(broker) as heard:
        async with running_edge(settings, PLANT) as health:
            await eventually_async(lambda: health.plant_connected)
            sensors.publish("plant/mini/T-1.TEMP", "50")
            await eventually_async(lambda: any(heard.values()))
            ((topic, alarm),) = heard.items()
            assert alarm is not None
            assert topic == local_alarm_topic("mini", "edge-a", alarm.alarm_id)
            assert (alarm.tag, alarm.condition, alarm.state, alarm.cut) == ("T-1.TEMP", "H", "active", True)
            with siren(broker) as later:
                await eventually_async(lambda: later == heard)
            await eventually_async(lambda: bool(read_report(settings.data_dir).alarms))
            sensors.publish("plant/mini/T-1.TEMP", "20")
            await eventually_async(lambda: heard[topic] is None)


async def test_what_an_earlier_process_left_retained_is_taken_back(broker: Broker, tmp_path: Path) -> None:
    topic = local_alarm_topic("mini", "edge-a", "0" * 16)
    with Sensors(broker) as sensors:
        sensors.publish(topic, b"{}", mark="left", retain=True)
        await eventually_async(lambda: sensors.acknowledged == ["left"])
        async with running_edge(edge_settings(tmp_path, broker, broker), PLANT):
            await eventually_async(lambda: not retained(broker, topic))


def retained(broker: Broker, topic: str) -> bool:
    """Say whether anything is retained; asked by somebody new."""
    found: list[bytes] = []
    done = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _c, _u, message: found.append(bytes(message.payload))
    client.on_connect = lambda connected, *_: connected.subscribe([(topic, 1), ("never/there", 1)])
    client.on_subscribe = lambda connected, *_: connected.publish("other", b"", 1)
    client.on_publish = lambda *_: done.set()
    client.connect(broker.host, broker.port)
    client.loop_start()
    assert done.wait(10.0)
    client.disconnect()
    client.loop_stop()
    return bool(found)


async def test_the_gateway_is_told_when_it_can_be_reached_again(tmp_path: Path) -> None:
    plant_side, uplink = Mosquitto(tmp_path / "a"), Mosquitto(tmp_path / "b")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    settings = edge_settings(tmp_path / "edge", plant_side, uplink)
    with plant_side, Sensors(plant_side) as sensors:
        async with running_edge(settings, PLANT) as health:
            await eventually_async(lambda: health.plant_connected)
            sensors.publish("plant/mini/T-1.TEMP", "50")
            await eventually_async(lambda: health.local_alarms == 1)
            topic = edge_topic("mini", "edge-a", Kind.ALARMS)
            with uplink, FakeGateway(uplink, "mini", "edge-a") as gateway, listening(uplink, topic) as told:
                await eventually_async(lambda: bool(told), 15.0)
                await eventually_async(lambda: len(gateway.samples) == 1)
    alarm = decode(told[0], LocalAlarm)
    assert (alarm.tag, alarm.state, alarm.cut) == ("T-1.TEMP", "active", True)


@contextmanager
def listening(broker: Broker, topic: str) -> Iterator[list[bytes]]:
    heard: list[bytes] = []
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _c, _u, message: heard.append(bytes(message.payload))
    client.on_connect = lambda connected, *_: connected.subscribe(topic, 1)
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


async def test_frames_that_tell_of_an_alarm_are_shed_last(broker: Broker, tmp_path: Path) -> None:
    settings = edge_settings(
        tmp_path, broker, broker, outbox_max_bytes=65_536, frame_max_samples=1, frame_max_delay_ms=0
    )
    with Sensors(broker) as sensors:
        async with running_edge(settings, PLANT) as health:
            await eventually_async(lambda: health.plant_connected)
            sensors.publish("plant/mini/T-1.TEMP", "50", mark="alarm")
            sensors.publish("plant/mini/T-1.TEMP", "20", mark="over")
            for number in range(1_000):
                sensors.publish_json("plant/mini/T-1.LEVEL", {"v": 5.0, "t": T0 + number, "q": 0})
            await eventually_async(lambda: not sensors.waiting, 20.0)
            await eventually_async(lambda: health.shed > 0)
            with FakeGateway(broker, "mini", "edge-a") as gateway:
                await eventually_async(lambda: health.depth == 0, 20.0)
    kept = [value for _, _, value in gateway.samples]
    assert kept[:2] == [50.0, 20.0]
    assert len(kept) + health.shed == 1_002


async def test_status_tells_how_an_agent_does(broker: Broker, tmp_path: Path) -> None:
    settings = edge_settings(tmp_path, broker, broker)
    with pytest.raises(DataDirectoryError, match="no agent has run here"):
        read_report(tmp_path)
    status = ["edge", "status", "--data", str(tmp_path)]
    with Sensors(broker) as sensors, FakeGateway(broker, "mini", "edge-a"):
        async with running_edge(settings, PLANT) as health:
            await eventually_async(lambda: health.plant_connected and health.uplink_connected)
            sensors.publish("plant/mini/T-1.TEMP", "50")
            await eventually_async(lambda: bool(read_report(tmp_path).alarms) and not read_report(tmp_path).faults)
            said = await asyncio.to_thread(CliRunner().invoke, build("edge"), status)
            assert said.exit_code == 0, said.output
            for words in ("edge-a: 运行中 runs", "已连接 connected", "H 50 degC"):
                assert words in said.output
            found = await asyncio.to_thread(CliRunner().invoke, build("edge"), [*status, "--json"])
            assert '"running": true' in found.output


def test_status_of_an_agent_that_does_not_run_exits_1(tmp_path: Path) -> None:
    said = CliRunner().invoke(build("edge"), ["edge", "status", "--data", str(tmp_path)])
    assert said.exit_code == 1
    assert "no agent has run here" in said.output
    bare = CliRunner().invoke(build("edge"), ["edge"])
    assert bare.exit_code == 2
    assert "--edge NAME and --data DIR are needed" in bare.output


def test_marks_are_of_samples_not_of_batches() -> None:
    bench = Bench()
    told = bench.alarms.take(
        [bench.sample("T-1.LEVEL", 5.0), bench.sample("T-1.TEMP", 50.0), bench.sample("GD-1", 0.1)]
    )
    assert np.array_equal(told, [False, True, False])
    assert len(bench.told) == 1
