"""The player's ledger is exact whatever the broker does."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path

from config.clock import SystemClock
from config.settings import BrokerAddress
from gateway.broker import free_port
from simulators.library import load_scenario
from simulators.payloads import Message, Sample
from simulators.publish import PlaySettings, SentLedger, play
from simulators.stream import messages
from tests.support.listener import listening
from tests.support.servers import Broker, Mosquitto
from tests.support.waiting import eventually_async

CLOCK = SystemClock()
AT_ONCE = PlaySettings(speed=math.inf, keep_samples=True)


def _numbers(count: int, every_ms: int = 0) -> Iterator[Message]:
    for at in range(count):
        yield Message(at * every_ms, "plant/x", str(at).encode(), 1, (Sample("x", at, float(at), 0),))


async def test_every_message_arrives_in_order(broker: Broker) -> None:
    address = BrokerAddress.parse(broker.address)
    async with listening(address) as heard:
        ledger = await play(_numbers(3000), address, CLOCK, AT_ONCE)
        await eventually_async(lambda: len(heard) >= 3000, 10.0)
    assert [int(payload) for _, payload in heard] == list(range(3000))
    assert (ledger.messages, ledger.samples, ledger.unsent_messages, ledger.resent) == (3000, 3000, 0, 0)
    assert [sample.value for sample in ledger.sent] == [float(at) for at in range(3000)]


async def test_messages_are_sent_when_they_are_due_and_faster_when_told(broker: Broker) -> None:
    address = BrokerAddress.parse(broker.address)
    for speed, lasts_s in ((1.0, 0.5), (5.0, 0.1)):
        start_s = CLOCK.monotonic_s()
        await play(_numbers(6, every_ms=100), address, CLOCK, PlaySettings(speed=speed))
        assert lasts_s <= CLOCK.monotonic_s() - start_s < lasts_s + 2.0


async def test_a_repeated_sample_is_counted_as_such(broker: Broker) -> None:
    loaded = load_scenario("faults")
    stream = [m for m in messages(loaded.plant, loaded.scenario, 0, seconds=20) if "V-203.LEVEL" in m.topic]
    ledger = await play(iter(stream), BrokerAddress.parse(broker.address), CLOCK, AT_ONCE)
    assert ledger.messages == len(stream)
    assert ledger.samples == 20
    assert ledger.repeated == len(stream) - 20 > 5


async def test_nothing_is_lost_when_the_broker_is_killed_on_the_way(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        address = BrokerAddress.parse(broker.address)
        progress: list[int] = []

        async def interrupt() -> None:
            await eventually_async(lambda: progress and progress[-1] >= 100, 10.0)
            broker.kill()
            await eventually_async(lambda: progress[-1] == progress[-3], 10.0)
            await asyncio.to_thread(broker.start)

        async with asyncio.TaskGroup() as group:
            group.create_task(interrupt())
            ledger = await play(
                _numbers(600, every_ms=5),
                address,
                CLOCK,
                PlaySettings(keep_samples=True),
                on_progress=lambda now: progress.append(now.messages),
            )
        assert ledger.connections >= 2
        assert (ledger.samples, ledger.repeated, ledger.unsent_messages) == (600, 0, 0)
        assert sorted(int(sample.value or 0) for sample in ledger.sent) == list(range(600))


async def test_what_could_not_be_sent_is_said() -> None:
    address = BrokerAddress(port=free_port())
    ledger = await play(_numbers(50), address, CLOCK, PlaySettings(speed=math.inf, patience_s=0.3))
    assert (ledger.messages, ledger.unsent_messages, ledger.unsent_samples) == (0, 50, 50)
    assert ledger.error
    assert not ledger.stopped


async def test_memory_is_bounded_while_the_broker_is_away() -> None:
    made = 0

    def endless() -> Iterator[Message]:
        nonlocal made
        for message in _numbers(10_000):
            made += 1
            yield message

    stop = asyncio.Event()
    address = BrokerAddress(port=free_port())
    async with asyncio.TaskGroup() as group:
        playing = group.create_task(play(endless(), address, CLOCK, PlaySettings(speed=math.inf), stop=stop))
        await asyncio.sleep(0.3)
        stop.set()
    assert made <= PlaySettings().window + 1
    assert playing.result().stopped


async def test_a_stop_ends_within_two_seconds_and_owes_nothing(broker: Broker) -> None:
    stop = asyncio.Event()
    address = BrokerAddress.parse(broker.address)
    ledgers: list[SentLedger] = []
    async with asyncio.TaskGroup() as group:
        playing = group.create_task(
            play(_numbers(10_000, every_ms=10), address, CLOCK, stop=stop, on_progress=ledgers.append)
        )
        await eventually_async(lambda: ledgers and ledgers[-1].messages > 10)
        stop.set()
        asked_s = CLOCK.monotonic_s()
        ledger = await playing
    assert CLOCK.monotonic_s() - asked_s < 2.0
    assert ledger.stopped
    assert ledger.messages == ledger.samples > 10
    assert ledger.unsent_messages == 0
