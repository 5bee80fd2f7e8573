"""The whole agent between real brokers: what sensors publish reaches the gateway, in order, whatever breaks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from config.clock import SystemClock
from config.contract.messages import Kept
from config.plant.load import read_plant
from edge.errors import DataDirectoryError, UnknownEdgeError
from tests.support.edges import FakeGateway, Sensors, edge_settings, running_edge
from tests.support.plants import mini_plant, plant_text
from tests.support.servers import BROKERS, Broker, Mosquitto
from tests.support.waiting import eventually, eventually_async

PLANT = mini_plant()
LEVEL = "plant/mini/T-1.LEVEL"
TEMP = "plant/mini/T-1.TEMP"


Sample = tuple[str, int, float | None]


async def _agreed(gateway: FakeGateway, wanted: Sequence[Sample], timeout_s: float = 15.0) -> None:
    await eventually_async(lambda: len(gateway.samples) >= len(wanted), timeout_s)
    assert sorted(gateway.samples, key=str) == sorted(wanted, key=str)


def _aside(folder: Path) -> list[Path]:
    return list(folder.glob("outbox.db.damaged-*"))


def _level(sensors: Sensors, number: int) -> tuple[str, int, float]:
    """Publish reading ``number`` and return the sample it must become."""
    sample = ("T-1.LEVEL", 1_700_000_000_000 + number, number / 8)
    sensors.publish_json(LEVEL, {"v": sample[2], "t": sample[1], "q": 0}, mark=sample)
    return sample


async def test_readings_arrive_once_in_order_and_are_deleted_when_kept(broker: Broker, tmp_path: Path) -> None:
    with FakeGateway(broker, "mini", "edge-a") as gateway, Sensors(broker) as sensors:
        async with running_edge(edge_settings(tmp_path, broker, broker), PLANT) as health:
            await eventually_async(lambda: health.plant_connected and gateway.connected.is_set())
            wanted = [_level(sensors, number) for number in range(300)]
            await eventually_async(lambda: len(gateway.samples) == 300)
            assert gateway.samples == wanted
            await eventually_async(lambda: health.depth == 0)
            assert health.made == 300
            assert health.kept_frames == health.outbox.made_frames


async def test_the_status_is_retained_online_and_then_offline(broker: Broker, tmp_path: Path) -> None:
    async with running_edge(edge_settings(tmp_path, broker, broker), PLANT) as health:
        await eventually_async(lambda: health.plant_connected and health.uplink_connected)
        with FakeGateway(broker, "mini", "edge-a") as gateway:
            await eventually_async(lambda: gateway.status is not None and gateway.status.online)
            await eventually_async(lambda: gateway.status is not None and gateway.status.epoch == health.outbox.epoch)
    with FakeGateway(broker, "mini", "edge-a") as later:
        await eventually_async(lambda: later.status is not None)
        assert later.status is not None
        assert not later.status.online
        assert later.status.at_ms > 0, "a clean stop says goodbye itself; the will has no time"


async def test_a_clean_stop_is_quick_and_keeps_what_was_read(broker: Broker, tmp_path: Path) -> None:
    settings = edge_settings(tmp_path, broker, broker, frame_max_delay_ms=60_000)
    with FakeGateway(broker, "mini", "edge-a") as gateway, Sensors(broker) as sensors:
        async with running_edge(settings, PLANT) as health:
            await eventually_async(lambda: health.plant_connected)
            wanted = [_level(sensors, number) for number in range(5)]
            await eventually_async(lambda: health.readings == 5)
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 2.0
        assert health.made == 5
        async with running_edge(settings, PLANT) as again:
            await _agreed(gateway, wanted)
            assert again.unreadable["redelivered"] == 0, "they were acknowledged before the stop"


async def test_everything_sent_while_the_edge_was_down_is_read_afterwards(broker: Broker, tmp_path: Path) -> None:
    settings = edge_settings(tmp_path, broker, broker)
    with FakeGateway(broker, "mini", "edge-a") as gateway, Sensors(broker) as sensors:
        async with running_edge(settings, PLANT) as health:
            await eventually_async(lambda: health.plant_connected)
        wanted = [_level(sensors, number) for number in range(200)]
        await eventually_async(lambda: not sensors.waiting)
        async with running_edge(settings, PLANT):
            await _agreed(gateway, wanted)


async def test_after_a_long_outage_live_data_goes_first_and_the_backlog_behind_it(
    broker: Broker, tmp_path: Path
) -> None:
    settings = edge_settings(
        tmp_path, broker, broker, frame_max_samples=10, live_window_s=0.5, backlog_samples_per_s=200, window_frames=20
    )
    with FakeGateway(broker, "mini", "edge-a", answering=False) as gateway, Sensors(broker) as sensors:
        async with running_edge(settings, PLANT) as health:
            await eventually_async(lambda: health.plant_connected and gateway.connected.is_set())
            old = [_level(sensors, number) for number in range(300)]
            await eventually_async(lambda: health.made == 300)
            outage, made_ms = health.outbox, SystemClock().wall_ms()
            await eventually_async(lambda: SystemClock().wall_ms() - made_ms > 600)
            gateway.answering = True
            await eventually_async(lambda: health.outbox.backlog is not None)
            new = [_level(sensors, number) for number in range(300, 400)]
            await eventually_async(lambda: set(new) <= set(gateway.samples))
            assert health.outbox.backlog is not None, "live data does not wait for the backlog"
            assert len(gateway.samples) < 400
            await _agreed(gateway, [*old, *new])
            assert gateway.backlog
            assert {frame.epoch for frame in gateway.backlog} == {outage.epoch} != {health.outbox.epoch}
            await eventually_async(lambda: health.depth == 0 and health.outbox.backlog is None)


async def test_an_edge_that_starts_with_old_frames_sends_them_as_backlog(broker: Broker, tmp_path: Path) -> None:
    settings = edge_settings(tmp_path, broker, broker, live_window_s=0.3, frame_max_samples=10)
    with Sensors(broker) as sensors:
        async with running_edge(settings, PLANT) as health:
            await eventually_async(lambda: health.plant_connected)
            old = [_level(sensors, number) for number in range(50)]
            await eventually_async(lambda: health.made == 50)
        made_ms = SystemClock().wall_ms()
        await eventually_async(lambda: SystemClock().wall_ms() - made_ms > 400)
        with FakeGateway(broker, "mini", "edge-a") as gateway:
            async with running_edge(settings, PLANT):
                new = [_level(sensors, number) for number in range(50, 60)]
                await _agreed(gateway, [*old, *new])
                backlog = [value for frame in gateway.backlog for value in frame.values]
                found_out_who_is_there, rest = old[:10], old[10:]
                assert backlog[:40] == [value for *_, value in rest]
                assert found_out_who_is_there[0] in gateway.samples


class SteppedClock(SystemClock):
    """The clock of a machine whose wall clock somebody sets."""

    step_ms = 0

    def wall_ms(self) -> int:
        return super().wall_ms() + self.step_ms


@pytest.mark.parametrize("step_ms", [600_000, -600_000])
async def test_a_wall_clock_that_is_set_loses_and_doubles_nothing(broker: Broker, tmp_path: Path, step_ms: int) -> None:
    clock = SteppedClock()
    with FakeGateway(broker, "mini", "edge-a") as gateway, Sensors(broker) as sensors:
        async with running_edge(edge_settings(tmp_path, broker, broker), PLANT, clock) as health:
            await eventually_async(lambda: health.plant_connected and gateway.connected.is_set())
            before = [_level(sensors, number) for number in range(50)]
            await _agreed(gateway, before)
            gateway.answering = False
            waiting = [_level(sensors, number) for number in range(50, 80)]
            await eventually_async(lambda: health.made == 80)
            clock.step_ms = step_ms
            after = [_level(sensors, number) for number in range(80, 100)]
            await eventually_async(lambda: health.made == 100 or health.outbox.backlog is not None)
            gateway.answering = True
            await _agreed(gateway, [*before, *waiting, *after])
            await eventually_async(lambda: health.depth == 0)
            assert not health.faults


@pytest.mark.parametrize("kind", BROKERS)
async def test_starts_with_both_brokers_down(kind: str, tmp_path: Path) -> None:
    plant_side, uplink_side = BROKERS[kind](tmp_path), BROKERS[kind](tmp_path)
    async with running_edge(edge_settings(tmp_path / "data", plant_side, uplink_side), PLANT) as health:
        await eventually_async(lambda: "plant_broker" in health.faults)
        with plant_side, Sensors(plant_side) as sensors:
            await eventually_async(lambda: health.plant_connected, 15.0)
            wanted = [_level(sensors, number) for number in range(20)]
            await eventually_async(lambda: health.made == 20, 10.0)
            assert not health.uplink_connected
            with uplink_side, FakeGateway(uplink_side, "mini", "edge-a") as gateway:
                await _agreed(gateway, wanted)
                await eventually_async(lambda: health.depth == 0)


async def test_a_broker_that_is_killed_and_has_lost_everything_costs_nothing(broker: Broker, tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "plant-side") as plant_side:
        settings = edge_settings(tmp_path / "data", plant_side, broker)
        with FakeGateway(broker, "mini", "edge-a") as gateway, Sensors(plant_side) as sensors:
            async with running_edge(settings, PLANT) as health:
                await eventually_async(lambda: health.plant_connected)
                wanted = []
                for round_ in range(3):
                    wanted += [_level(sensors, round_ * 100 + number) for number in range(100)]
                    await asyncio.to_thread(broker.kill)
                    broker.wipe()
                    await asyncio.to_thread(broker.start)
                await _agreed(gateway, wanted, 30.0)
                await eventually_async(lambda: health.depth == 0, 15.0)
                await eventually_async(lambda: gateway.status is not None and gateway.status.kept_frames > 0, 10.0)
        assert len(set(gateway.upto)) == 1, "one epoch all along"


async def test_a_restarted_plant_broker_is_subscribed_to_again(broker: Broker, tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "uplink-side") as uplink_side, FakeGateway(uplink_side, "mini", "edge-a") as gateway:
        async with running_edge(edge_settings(tmp_path / "data", broker, uplink_side), PLANT) as health:
            await eventually_async(lambda: health.plant_connected)
            await asyncio.to_thread(broker.kill)
            broker.wipe()
            await eventually_async(lambda: not health.plant_connected)
            await asyncio.to_thread(broker.start)
            await eventually_async(lambda: health.plant_connected, 15.0)
            with Sensors(broker) as sensors:
                await _agreed(gateway, [_level(sensors, number) for number in range(50)])


async def test_without_a_gateway_the_edge_keeps_and_repeats_little(broker: Broker, tmp_path: Path) -> None:
    settings = edge_settings(tmp_path, broker, broker, resend_after_s=0.1, window_frames=10, frame_max_samples=1)
    with FakeGateway(broker, "mini", "edge-a", answering=False) as gateway, Sensors(broker) as sensors:
        async with running_edge(settings, PLANT) as health:
            await eventually_async(lambda: health.plant_connected and gateway.connected.is_set())
            wanted = [_level(sensors, number) for number in range(50)]
            await eventually_async(lambda: health.resends >= 5, 10.0)
            assert health.depth == 50
            assert health.sent_frames <= 10 + health.resends + 1, "the window once, then one frame per attempt"
            assert all(frame.oldest == (frame.seq == 1) for frame in gateway.received)
            gateway.answering = True
            await _agreed(gateway, wanted)
            await eventually_async(lambda: health.depth == 0)


async def test_a_kept_of_another_epoch_or_of_the_future_deletes_nothing(broker: Broker, tmp_path: Path) -> None:
    with FakeGateway(broker, "mini", "edge-a", answering=False) as gateway, Sensors(broker) as sensors:
        gateway.say_kept(Kept("ab" * 16, 1000))
        async with running_edge(edge_settings(tmp_path, broker, broker), PLANT) as health:
            await eventually_async(lambda: health.plant_connected)
            await eventually_async(lambda: health.ignored_kept == 1)
            wanted = [_level(sensors, number) for number in range(10)]
            await eventually_async(lambda: health.made == 10)
            gateway.say_kept(Kept(health.outbox.epoch, 1000))
            await eventually_async(lambda: health.ignored_kept == 2)
            assert health.depth == health.outbox.made_frames
            assert health.kept_frames == 0
            gateway.answering = True
            await _agreed(gateway, wanted)


async def test_a_refused_frame_is_counted_and_holds_up_nothing(broker: Broker, tmp_path: Path) -> None:
    settings = edge_settings(tmp_path, broker, broker, frame_max_samples=1)
    with FakeGateway(broker, "mini", "edge-a") as gateway, Sensors(broker) as sensors:
        gateway.refuse = {3}
        async with running_edge(settings, PLANT) as health:
            await eventually_async(lambda: health.plant_connected)
            wanted = [_level(sensors, number) for number in range(10)]
            await _agreed(gateway, wanted[:2] + wanted[3:])
            await eventually_async(lambda: health.depth == 0)
            assert health.refused_frames == 1


async def test_a_full_outbox_sheds_the_oldest_and_says_so(broker: Broker, tmp_path: Path) -> None:
    settings = edge_settings(tmp_path, broker, broker, outbox_max_bytes=65_536, frame_max_samples=10)
    with FakeGateway(broker, "mini", "edge-a", answering=False) as gateway, Sensors(broker) as sensors:
        async with running_edge(settings, PLANT) as health:
            await eventually_async(lambda: health.plant_connected and gateway.connected.is_set())
            wanted = [_level(sensors, number) for number in range(3000)]
            await eventually_async(lambda: health.made == 3000, 10.0)
            shed = health.shed
            assert 0 < shed < 3000
            assert "outbox_full" in health.faults
            await eventually_async(lambda: gateway.status is not None and gateway.status.shed_samples == shed)
            gateway.frames.clear()
            gateway.upto.clear()
            gateway.received.clear()
            gateway.answering = True
            await eventually_async(lambda: health.depth == 0, 15.0)
            assert gateway.samples == wanted[shed:]
            assert gateway.frames[0].oldest
            assert gateway.frames[0].shed_samples == shed
            await eventually_async(lambda: "outbox_full" not in health.faults)


async def test_unreadable_payloads_become_bad_samples_and_are_counted(broker: Broker, tmp_path: Path) -> None:
    with FakeGateway(broker, "mini", "edge-a") as gateway, Sensors(broker) as sensors:
        async with running_edge(edge_settings(tmp_path, broker, broker), PLANT) as health:
            await eventually_async(lambda: health.plant_connected)
            sensors.publish(LEVEL, "{")
            sensors.publish(TEMP, "hot")
            await eventually_async(lambda: len(gateway.samples) == 2)
            assert {(tag, value) for tag, _, value in gateway.samples} == {("T-1.LEVEL", None), ("T-1.TEMP", None)}
            assert [set(frame.reasons.values()) for frame in gateway.frames] == [{"unreadable"}] * len(gateway.frames)
            assert health.unreadable == {"not_json": 1, "not_a_number": 1}


async def test_an_edge_of_many_topics_reads_them_all(broker: Broker, tmp_path: Path) -> None:
    plant = read_plant(plant_text(150), "big.yaml")
    with FakeGateway(broker, "big", "edge-a") as gateway, Sensors(broker) as sensors:
        async with running_edge(edge_settings(tmp_path, broker, broker), plant) as health:
            await eventually_async(lambda: health.plant_connected and not health.faults, 10.0)
            for tag in plant.tags:
                sensors.publish_json(f"plant/big/{tag}", {"v": 1, "t": 5, "q": 0})
            await _agreed(gateway, [(tag, 5, 1.0) for tag in plant.tags])


async def test_a_damaged_outbox_is_moved_aside_and_a_new_epoch_begins(broker: Broker, tmp_path: Path) -> None:
    settings = edge_settings(tmp_path, broker, broker)
    with FakeGateway(broker, "mini", "edge-a") as gateway, Sensors(broker) as sensors:
        async with running_edge(settings, PLANT) as health:
            await eventually_async(lambda: health.plant_connected)
            first = _level(sensors, 1)
            await _agreed(gateway, [first])
        (tmp_path / "outbox.db").write_bytes(b"rubbish" * 1000)
        async with running_edge(settings, PLANT) as health:
            await eventually_async(lambda: health.plant_connected)
            second = _level(sensors, 2)
            await _agreed(gateway, [first, second])
            await eventually_async(lambda: health.depth == 0)
            assert health.outbox.made_frames == 1
        assert len(gateway.upto) == 2
    assert [path.read_bytes()[:7] for path in _aside(tmp_path)] == [b"rubbish"]


async def test_a_retained_value_without_source_time_is_no_reading(broker: Broker, tmp_path: Path) -> None:
    with Sensors(broker) as sensors, FakeGateway(broker, "mini", "edge-a") as gateway:
        sensors.publish(TEMP, "21.5", retain=True)
        sensors.publish(LEVEL, json.dumps({"v": 3, "t": 1_700_000_000_000, "q": 0}), retain=True)
        await eventually_async(lambda: len(sensors.acknowledged) == 2)
        async with running_edge(edge_settings(tmp_path, broker, broker), PLANT) as health:
            await _agreed(gateway, [("T-1.LEVEL", 1_700_000_000_000, 3.0)])
            await eventually_async(lambda: health.unreadable["retained"] == 1)


async def test_two_agents_cannot_share_a_data_directory(broker: Broker, tmp_path: Path) -> None:
    settings = edge_settings(tmp_path, broker, broker)
    async with running_edge(settings, PLANT) as health:
        await eventually_async(lambda: health.plant_connected)
        with pytest.raises(ExceptionGroup) as raised:
            async with running_edge(settings, PLANT):
                await asyncio.sleep(5)
    assert raised.group_contains(DataDirectoryError)


async def test_an_edge_the_plant_does_not_have_is_refused(broker: Broker, tmp_path: Path) -> None:
    for edge in ("nobody", "edge-b"):
        with pytest.raises(ExceptionGroup, match="unhandled") as raised:
            async with running_edge(edge_settings(tmp_path, broker, broker, edge=edge), PLANT):
                await asyncio.sleep(5)
        assert raised.group_contains(UnknownEdgeError, match="edge-a")


def test_the_sensors_double_knows_what_was_acknowledged(broker: Broker) -> None:
    with Sensors(broker) as sensors:
        sensors.publish("a/b", "1", mark="x")
        eventually(lambda: sensors.acknowledged == ["x"])
        assert not sensors.waiting
