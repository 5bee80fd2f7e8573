"""kill -9 of edge, gateway and uplink broker at random moments under load: nothing lost, nothing twice, alarms right.

The sensors publish on a broker of the plant that is not killed (what it has acknowledged, it has in the edge's
session). The uplink broker keeps nothing: every start is from nothing. STALE is not watched: it depends on the wall
clock. The tags with on-delays are given runs whose outcome no tick can change: always longer than the delay, and with
one value throughout.

``HAZGATE_KILL_SEED`` repeats a run as far as chance goes.
"""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.clock import SystemClock
from config.plant.model import Plant
from gateway.records.log import Kind
from tests.support.chain import (
    Chain,
    Event,
    archive_log,
    events_of,
    logged,
    recorded,
    rules_of,
    running_chain,
    stored,
    twin_of_log,
)
from tests.support.edges import Sensors
from tests.support.naive import Sample, run
from tests.support.nursery import Nursery
from tests.support.servers import Broker, Mosquitto
from tests.support.waiting import eventually

WHOLE = os.environ.get("HAZGATE_KILLS") == "whole"
KILLS = {
    "mosquitto": {"edge": 50, "gateway": 100, "broker": 20} if WHOLE else {"edge": 8, "gateway": 8, "broker": 8},
    "embedded": {"edge": 4, "gateway": 4, "broker": 4},
}
"""How often each part is killed; the whole of it belongs to the fault matrix."""
PAUSE_S = (0.1, 0.9)
FAST = [f"F-{number:02}" for number in range(1, 13)]
SLOW = [f"S-{number}" for number in range(1, 5)]
FAST_EVERY_MS = 40
SLOW_EVERY_MS = 1000
RUN = 4
"""Samples of a slow tag with one value; its delays are over with the third."""
QUIET, LOUD = 50.0, 90.0
ALL_LIVE = ("--live-window-s", "3600")
"""However long the kills take, nothing becomes backlog: every alarm has to be the one that the sensors caused."""

PLANT = """\
version: 1
enterprise: {id: acme, name: {zh: "测试企业", en: "Test enterprise"}}
site: {id: kills, name: {zh: "测试厂", en: "Test site"}, latitude_deg: 36.85, longitude_deg: 118.05}
edges: {edge-a: {name: {zh: "甲网关", en: "Edge A"}}}
templates:
  fast:
    description: {zh: "{tag}", en: "{tag}"}
    kind: other
    quantity: number
    unit: "1"
    range: [0, 100]
    period: 1s
    edge: edge-a
    source: {topic: "plant/{site}/{tag}", path: v, time_path: t}
    limits:
      HH: {limit: 90, deadband: 2, on_delay: 0s, off_delay: 0s}
      H: {limit: 75, deadband: 2, on_delay: 0s, off_delay: 0s}
      L: {limit: 25, deadband: 2, on_delay: 0s, off_delay: 0s}
      LL: {limit: 10, deadband: 2, on_delay: 0s, off_delay: 0s}
      BAD_PV: {on_delay: 0s, off_delay: 0s}
      STALE: false
  slow:
    description: {zh: "{tag}", en: "{tag}"}
    kind: other
    quantity: number
    unit: "1"
    range: [0, 100]
    period: 1s
    edge: edge-a
    source: {topic: "plant/{site}/{tag}", path: v, time_path: t}
    limits:
      H: {limit: 80, deadband: 5, on_delay: 2s, off_delay: 2s}
      STALE: false
tags:
"""

Sent = tuple[str, int, float | None]


class Load(threading.Thread):
    """Sensors of all tags, until they are closed; then every tag is brought to rest."""

    def __init__(self, sensors: Sensors, rng: random.Random) -> None:
        super().__init__(name="load")
        self._sensors = sensors
        self._rng = rng
        self._closed = threading.Event()
        self._value = dict.fromkeys(FAST, QUIET)
        self._count = 0
        self._now_ms = SystemClock().wall_ms()

    def close(self) -> None:
        """Bring everything to rest and end."""
        self._closed.set()
        self.join()

    def run(self) -> None:
        """Publish what is due, a source clock that never stands still or jumps."""
        clock = SystemClock()
        while not self._closed.wait(FAST_EVERY_MS / 1000):
            while self._now_ms + FAST_EVERY_MS <= clock.wall_ms():
                self._step()
        for tag in FAST:
            self._publish(tag, self._now_ms + FAST_EVERY_MS, QUIET)
        while self._count % (SLOW_EVERY_MS // FAST_EVERY_MS):
            self._count, self._now_ms = self._count + 1, self._now_ms + FAST_EVERY_MS
        for number in range(1, RUN + 1):
            for tag in SLOW:
                self._publish(tag, self._now_ms + number * SLOW_EVERY_MS, QUIET)

    def _step(self) -> None:
        self._now_ms += FAST_EVERY_MS
        self._count += 1
        for tag in FAST:
            self._publish(tag, self._now_ms, self._next(tag))
        steps = SLOW_EVERY_MS // FAST_EVERY_MS
        if self._count % steps == 0:
            for at, tag in enumerate(SLOW):
                loud = (self._count // steps + at) // RUN % 2
                self._publish(tag, self._now_ms, LOUD if loud else QUIET)

    def _next(self, tag: str) -> float | None:
        """Walk at random; one in a hundred is beyond the range, one in two hundred is no number."""
        chance = self._rng.random()
        if chance < 0.005:
            return None
        if chance < 0.015:
            return 130.0
        walked = self._value[tag] + self._rng.gauss((QUIET - self._value[tag]) / 20, 6)
        self._value[tag] = round(min(100.0, max(0.0, walked)), 3)
        return self._value[tag]

    def _publish(self, tag: str, time_ms: int, value: float | None) -> None:
        sent: Sent = (tag, time_ms, value)
        self._sensors.publish_json(f"plant/kills/{tag}", {"v": value, "t": time_ms}, mark=sent)


@pytest.mark.timeout(900)
def test_many_kills_of_edge_gateway_and_broker_lose_nothing(
    request: pytest.FixtureRequest, broker: Broker, nursery: Nursery, tmp_path: Path
) -> None:
    kills = KILLS[request.node.callspec.params["broker"]]
    seed = int(os.environ.get("HAZGATE_KILL_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"HAZGATE_KILL_SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    rng = random.Random(seed)
    plant_file = tmp_path / "plant.yaml"
    tags = [f"  {tag}: {{template: fast}}\n" for tag in FAST] + [f"  {tag}: {{template: slow}}\n" for tag in SLOW]
    plant_file.write_text(PLANT + "".join(tags), encoding="utf-8")

    with (
        Mosquitto(tmp_path) as plant_broker,
        running_chain(nursery, tmp_path, plant_file, "edge-a", plant_broker, broker, *ALL_LIVE) as chain,
        Sensors(plant_broker) as sensors,
    ):
        eventually(chain.reads, 60.0, every_s=0.05)
        archive_log(chain.data)
        with loaded(sensors, rng):
            kill_at_random(chain, broker, rng, kills)
        eventually(lambda: not sensors.waiting, 30.0)
        sent = [mark for mark in sensors.acknowledged if isinstance(mark, tuple)]
        eventually(lambda: chain.kept() >= len(sent), 90.0, every_s=0.1)
        ledger = chain.get("/api/v1/ledger")
        assert chain.edge.stop() == 0
        assert chain.gateway.stop() == 0

    assert ledger["holds"], ledger
    kept = stored(chain.data, chain.plant)
    assert [one for one, times in kept.items() if times > 1] == [], "stored twice"
    assert kept == Counter(sent), "lost, or made up"
    told = recorded(chain.data)
    assert told == twin_of_log(chain.data, chain.plant)
    assert ordered(told) == ordered(twin_of_sent(chain.data, chain.plant, sent))
    assert len(told) > 5 * kills["gateway"]
    starts = sum(kind is Kind.START for _, _, kind, _, _ in logged(chain.data))
    assert starts > kills["gateway"] // 4, "the gateway was hardly ever up between its kills"


@contextmanager
def loaded(sensors: Sensors, rng: random.Random) -> Iterator[None]:
    """Publish for the duration of the context."""
    load = Load(sensors, random.Random(rng.random()))
    load.start()
    try:
        yield
    finally:
        load.close()


def kill_at_random(chain: Chain, broker: Broker, rng: random.Random, kills: dict[str, int]) -> None:
    """Kill one after the other in mixed order, and start each again at once."""
    victims = [name for name, times in kills.items() for _ in range(times)]
    rng.shuffle(victims)
    pause = threading.Event()
    for victim in victims:
        pause.wait(rng.uniform(*PAUSE_S))
        if victim == "broker":
            broker.kill()
            broker.wipe()
            broker.start()
        else:
            program = chain.edge if victim == "edge" else chain.gateway
            assert program.running, program.log
            program.kill()
            program.start()


def twin_of_sent(data: Path, plant: Plant, sent: list[Sent]) -> list[Event]:
    """Run the naive twin over what the sensors sent, as if nothing had ever been in its way."""
    rules = rules_of(data, plant)
    rows = {tag: row for row, tag in enumerate(rules.names)}
    samples = [
        Sample(rows[tag], time_ms, float("nan") if value is None else value, 0, time_ms)
        for tag, time_ms, value in sorted(sent, key=lambda one: one[1])
    ]
    return events_of(rules, run(rules, samples))


def ordered(events: list[Event]) -> list[Event]:
    """Order events so that it does not matter how tags were mixed on their way."""
    return sorted(events, key=lambda one: (one.tag, one.at_ms, one.condition, one.kind, one.onset_ms))
