"""Too much of everything: alarms by the thousand, rubbish, days of backlog, everybody back at once, a kill.

What takes minutes is marked ``soak`` and runs with ``make test-faults``.
"""

from __future__ import annotations

import asyncio
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from config.clock import SystemClock
from config.contract.frame import encode_frame
from config.contract.topics import Kind, edge_topic
from config.plant.load import read_plant
from tests.support.frames import frame
from tests.support.gateway_rig import Rig
from tests.support.gateways import GatewayProcess
from tests.support.nursery import Nursery
from tests.support.plants import plant_text, write_plant
from tests.support.servers import Mosquitto
from tests.support.waiting import eventually

T0 = 1_763_770_000_000


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as forking:
        yield forking


def test_ten_thousand_alarms_at_once_are_all_on_the_record(tmp_path: Path) -> None:
    now = "{limit: 9, deadband: 0.1, on_delay: 0s, off_delay: 0s}"
    text = plant_text(10_000, site="mini").replace("HH: 9, H: 8", f"HH: {now}, H: {now.replace('9', '8')}")
    rig = Rig(tmp_path, read_plant(text, "big.yaml"), snapshot_every_s=1_000.0)
    tags = list(rig.plant.tags)
    burst = [frame(seq + 1, *((tag, T0, 9.5) for tag in tags[1_000 * seq : 1_000 * (seq + 1)])) for seq in range(10)]
    rig.play(rig.send(*burst), 3.0, rig.kill())
    rig.play(3.0)
    alarms = {(row["tag"], row["condition"]): row["state"] for row in rig.rows("alarm")}
    for condition in ("H", "HH"):
        assert sum(one[1] == condition and state == "active" for one, state in alarms.items()) == 10_000
    events = [(name, kind) for name, kind, _ in rig.events()]
    assert len(events) == len(set(events)), "each thing happened once"
    told = [topic for topic in rig.transport.retained if "/alarms/" in topic]
    assert len(told) >= 20_000, "and everybody was told of each"
    rig.close()


class Feeder:
    """Publishes frames of one edge as fast as asked, sends again what is not confirmed. Use it as a context manager."""

    def __init__(
        self, broker: Mosquitto, edge: str, epoch: str, site: str = "big", kind: Kind = Kind.TELEMETRY
    ) -> None:
        self._topic = edge_topic(site, edge, kind)
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.max_inflight_messages_set(0)
        self._client.connect(broker.host, broker.port)
        self.epoch = epoch
        self.frames: list[bytes] = []
        self.cursor = self.upto = 0
        self._kept_topic = edge_topic(site, edge, Kind.KEPT)
        self._client.on_message = self._hear
        self._client.subscribe(self._kept_topic, 1)
        self._client.loop_start()

    def _hear(self, _client: Client, _userdata: object, message: object) -> None:
        said = str(message.payload)  # type: ignore[attr-defined]
        if self.epoch in said:
            self.upto = max(self.upto, int(said.partition('"upto":')[2].split("}")[0].split(",")[0]))

    def add(self, *samples: tuple[str, int, float | None]) -> None:
        self.frames.append(encode_frame(frame(len(self.frames) + 1, *samples, epoch=self.epoch)))

    def push(self, window: int = 400) -> None:
        """Send what the window allows."""
        while self.cursor < min(len(self.frames), self.upto + window):
            self._client.publish(self._topic, self.frames[self.cursor], qos=1)
            self.cursor += 1

    def again(self) -> None:
        """Go back to the oldest that is not confirmed."""
        self.cursor = self.upto

    def rubbish(self, payload: bytes) -> None:
        """Publish anything."""
        self._client.publish(self._topic, payload, qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def started(
    nursery: Nursery, folder: Path, tags: int, edges: tuple[str, ...]
) -> Iterator[tuple[Mosquitto, GatewayProcess]]:
    plant = write_plant(folder, tags, edges=edges)
    with Mosquitto(folder) as broker, GatewayProcess(nursery, folder, plant, broker) as gateway:
        yield broker, gateway


def drained(feeder: Feeder) -> bool:
    feeder.push()
    return feeder.upto == len(feeder.frames)


def refused(gateway: GatewayProcess, count: int) -> bool:
    return bool(gateway.ledger("edge-b")["counts"].get("frames_refused", 0) == count)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_after_a_kill_under_fifty_thousand_samples_a_second_it_is_back_in_five(
    nursery: Nursery, tmp_path: Path
) -> None:
    with started(nursery, tmp_path, 500, ("edge-a",)) as (broker, gateway):
        names = [f"T{number:05}.LEVEL" for number in range(1, 501)]
        feeder = Feeder(broker, "edge-a", "ab" * 8)
        stop, clock = threading.Event(), SystemClock()

        def feed() -> None:
            while not stop.wait(0.01):
                now_ms = clock.wall_ms()
                feeder.add(*((name, now_ms, 5.0) for name in names))
                feeder.push()

        feeding = threading.Thread(target=feed)
        feeding.start()
        try:
            stop.wait(12.0)
            gateway.kill()
            began_s = time.monotonic()
            gateway.start()
            feeder.again()
            eventually(lambda: len(feeder.frames) - feeder.upto < 100, 30.0, every_s=0.02)
            took_s = time.monotonic() - began_s
        finally:
            stop.set()
            feeding.join()
        eventually(lambda: drained(feeder), 30.0)
        counts = gateway.ledger("edge-a")["counts"]
        feeder.close()
    print(f"back, ready and current {took_s:.2f} s after the kill")  # noqa: T201 - the figure is the point
    assert counts["samples_stored"] == 500 * len(feeder.frames)
    assert took_s <= 5.0


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_three_days_of_backlog_delay_no_live_alarm(nursery: Nursery, tmp_path: Path) -> None:
    with started(nursery, tmp_path, 8, ("edge-a", "edge-b")) as (broker, gateway):
        clock = SystemClock()
        now_ms = clock.wall_ms()
        behind = Feeder(broker, "edge-b", "cd" * 8, kind=Kind.BACKLOG)
        old = [f"T{number:05}.LEVEL" for number in (1, 3, 5, 7)]
        for first_s in range(0, 3 * 86_400, 120):
            behind.add(
                *((name, now_ms - 3 * 86_400_000 + 1_000 * (first_s + at), 5.0) for at in range(120) for name in old)
            )
        live = Feeder(broker, "edge-a", "ef" * 8)
        delays: list[float] = []
        while behind.upto < len(behind.frames):
            behind.push(50)
            sent_s = time.monotonic()
            live.add(*((name, clock.wall_ms(), 5.0) for name in ("T00002.LEVEL", "T00004.LEVEL")))
            live.push()
            eventually(lambda: live.upto == len(live.frames), 10.0, every_s=0.002)
            delays.append(1000 * (time.monotonic() - sent_s))
        health = gateway.get("/api/v1/health")
        counts = gateway.ledger("edge-b")["counts"]
        behind.close()
        live.close()
    print(f"live: p99 {health['delay_p99_ms']:.0f} ms to committed, receipts p99 {np.percentile(delays, 99):.0f} ms")  # noqa: T201
    assert counts["samples_stored"] == counts["samples_late"] == 3 * 86_400 * 4
    assert health["delay_p99_ms"] <= 500


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_one_in_a_hundred_rubbish_changes_nothing_for_the_others(nursery: Nursery, tmp_path: Path) -> None:
    took_s = {}
    for share in (0, 100):
        folder = tmp_path / str(share)
        folder.mkdir()
        with started(nursery, folder, 500, ("edge-a", "edge-b")) as (broker, gateway):
            names = [f"T{number:05}.LEVEL" for number in range(2, 501, 2)]
            feeder, bad = Feeder(broker, "edge-a", "ab" * 8), Feeder(broker, "edge-b", "cd" * 8)
            for at in range(3_000):
                feeder.add(*((name, T0 + at, 5.0) for name in names))
            began_s = time.monotonic()
            for at in range(3_000):
                feeder.push()
                if share and at % share == 0:
                    bad.rubbish(b"{" * (1 + at % 500))
                while feeder.cursor - feeder.upto > 300:
                    threading.Event().wait(0.001)
            eventually(partial(drained, feeder), 60.0)
            took_s[share] = time.monotonic() - began_s
            assert gateway.ledger("edge-a")["counts"]["samples_stored"] == 250 * 3_000
            eventually(partial(refused, gateway, 30 if share else 0), 10.0)
            feeder.close()
            bad.close()
    print(f"without rubbish {took_s[0]:.1f} s, with {took_s[100]:.1f} s")  # noqa: T201 - the figure is the point
    assert took_s[100] < 1.3 * took_s[0] + 1.0


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_two_thousand_edges_back_at_once(nursery: Nursery, tmp_path: Path) -> None:
    edges = tuple(f"e{number}" for number in range(2_000))
    with started(nursery, tmp_path, 2_000, edges) as (broker, gateway):
        broker.kill()
        broker.start()
        began_s = time.monotonic()
        asyncio.run(swarm(broker, edges))

        def kept() -> int:
            try:
                found = httpx.get(f"{gateway.address}/api/v1/ledger", timeout=10.0).json()["edges"]
            except httpx.HTTPError:
                return 0
            return sum(edge["counts"].get("samples_stored", 0) for edge in found)

        eventually(lambda: kept() == 2_000, 60.0, every_s=0.2)
        print(f"all of 2000 edges live after {time.monotonic() - began_s:.1f} s")  # noqa: T201 - the figure is the point
        assert gateway.running


async def swarm(broker: Mosquitto, edges: tuple[str, ...]) -> None:
    """Let every edge connect, publish one frame, and repeat it until the broker has it."""

    async def one(number: int, edge: str) -> None:
        payload = encode_frame(frame(1, (f"T{number or 2_000:05}.LEVEL", T0, 5.0), epoch=f"{number:016x}"))
        for _ in range(50):
            try:
                reader, writer = await asyncio.open_connection(broker.host, broker.port)
                name = f"swarm-{edge}".encode()
                body = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack(">H", len(name)) + name
                topic = edge_topic("big", edge, Kind.TELEMETRY).encode()
                rest = struct.pack(">H", len(topic)) + topic + b"\x00\x01" + payload
                writer.write(b"\x10" + bytes([len(body)]) + body + b"\x32" + _length(len(rest)) + rest)
                answer = await asyncio.wait_for(reader.readexactly(8), 10.0)
                writer.close()
                if answer[4] == 0x40:
                    return
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                await asyncio.sleep(0.1)
        message = f"{edge} never got through"
        raise AssertionError(message)

    async with asyncio.TaskGroup() as tasks:
        for number, edge in enumerate(edges):
            # Tag number n belongs to edge n modulo the number of edges.
            tasks.create_task(one(number, edge))


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, low = divmod(size, 128)
        out.append(low | (128 if size else 0))
        if not size:
            return bytes(out)
