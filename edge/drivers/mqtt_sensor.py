"""Driver `mqtt_sensor`: sensors that publish on a plant-side MQTT broker.

QoS 1, a persistent session under a fixed client id, and a message is acknowledged only when its readings are in the
outbox: what the plant broker has acknowledged to a sensor is not lost when the edge is killed, because the broker
delivers it again. With MQTT 3.1.1, so that every broker will do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog

from config.plant.model import Tag
from edge.driver import DriverSetup
from edge.drivers.mqtt_payload import PayloadReader
from edge.link import Arrival, Link, connected
from edge.reading import Reading
from edge.retry import keep_trying, until

__all__ = ["MqttSensor"]

log = structlog.get_logger(__name__)

REDELIVERY_S = 10.0
"""So long after connecting, messages without the DUP flag are taken for possible redeliveries, too: a broker that
has restored its state from disk does not set it."""

SETTLE_WITHIN_S = 0.8
REFUSED_AGAIN_S = 5.0
"""A broker that has just started may refuse for a moment (NATS while its storage comes up)."""


class MqttSensor:
    """Reads all `mqtt_sensor` tags of one edge over one connection."""

    def __init__(self, setup: DriverSetup) -> None:
        self._sink = setup.sink
        self._health = setup.health
        self._clock = setup.clock
        self._address = setup.settings.plant_broker
        self._client_id = f"hazgate-{setup.site}-{setup.settings.edge}-plant"
        by_topic: dict[str, list[Tag]] = {}
        qos: dict[str, int] = {}
        for tag in setup.tags:
            if tag.source is not None:
                by_topic.setdefault(tag.source.topic, []).append(tag)
                # QoS 2 would be worse than 1: its PUBREC, after which the broker forgets, cannot be held back.
                qos[tag.source.topic] = max(qos.get(tag.source.topic, 0), min(tag.source.qos, 1))
        self._readers = {topic: PayloadReader(tags) for topic, tags in by_topic.items()}
        self._filters = list(qos.items())
        self._unwanted: set[str] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """See `edge.driver.Driver.run`."""
        await keep_trying(partial(self._session, stop), stop, self._clock, self._away)
        self._health.plant_connected = False

    def _away(self, error: Exception) -> None:
        self._health.plant_connected = False
        self._health.fail("plant_broker", str(error))

    async def _session(self, stop: asyncio.Event) -> None:
        """Read over one connection until it is lost or we are to stop."""
        await until(stop, self._sink.room())
        async with connected(self._address, self._client_id, stop, clean=False) as link:
            connected_s = self._clock.monotonic_s()
            await until(stop, self._work(link, connected_s))
            if stop.is_set():
                try:
                    async with asyncio.timeout(SETTLE_WITHIN_S):
                        await self._sink.settle()
                except TimeoutError:
                    log.warning("stopped before everything read was in the outbox; the plant broker delivers it again")

    async def _work(self, link: Link, connected_s: float) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._subscribe(link))
            tasks.create_task(self._read(link, connected_s))

    async def _subscribe(self, link: Link) -> None:
        """Subscribe, also on a session that should remember: the broker may have lost it."""
        refused = await link.subscribe(self._filters)
        self._health.plant_connected = True
        self._health.mend("plant_broker")
        log.info("plant broker connected", host=self._address.host, port=self._address.port, topics=len(self._filters))
        while refused:
            self._health.fail("subscription", f"the plant broker refuses {', '.join(refused[:5])}")
            await asyncio.sleep(REFUSED_AGAIN_S)
            refused = await link.subscribe([(topic, qos) for topic, qos in self._filters if topic in refused])
        self._health.mend("subscription")

    async def _read(self, link: Link, connected_s: float) -> None:
        while True:
            arrivals = await link.receive()
            fresh = self._clock.monotonic_s() - connected_s < REDELIVERY_S
            for arrival in arrivals:
                readings = self._readings(arrival, again=arrival.dup or fresh)
                self._sink.take(readings, partial(link.ack, arrival) if arrival.qos else None)
            await self._let_go(link, arrivals)
            if not self._sink.has_room:
                link.pause()
                await self._sink.room()
                link.resume()

    def _readings(self, arrival: Arrival, *, again: bool) -> Sequence[Reading]:
        reader = self._readers.get(arrival.topic)
        if reader is None:
            self._health.unreadable["unwanted_topic"] += 1
            return ()
        taken = reader.read(arrival.payload, again=again)
        if taken.problems:
            self._note(arrival, taken.problems)
        if not arrival.retained:
            return taken.readings
        # A retained value is as old as it pleases; without a source time it would pass for a fresh reading.
        timed = [reading for reading in taken.readings if reading.time_ms is not None]
        self._health.unreadable["retained"] += len(taken.readings) - len(timed)
        return timed

    def _note(self, arrival: Arrival, problems: Sequence[str]) -> None:
        for reason in problems:
            if not self._health.unreadable[reason]:
                log.warning("payload", reason=reason, topic=arrival.topic, payload=repr(arrival.payload[:80]))
            self._health.unreadable[reason] += 1

    async def _let_go(self, link: Link, arrivals: Sequence[Arrival]) -> None:
        """End subscriptions that a session remembers from an earlier plant description."""
        for topic in {arrival.topic for arrival in arrivals} - self._readers.keys() - self._unwanted:
            self._unwanted.add(topic)
            log.warning("unwanted topic: unsubscribing", topic=topic)
            if topic != "\ufffd":
                await link.unsubscribe(topic)
