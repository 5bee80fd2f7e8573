"""Driver `mqtt_sensor`: sensors that publish on a plant-side MQTT broker.

QoS 1, persistent sessions under fixed client ids, and a message is acknowledged only when its readings are in the
outbox: what the plant broker has acknowledged to a sensor is not lost when the edge is killed, because the broker
delivers it again. With MQTT 3.1.1, so that every broker will do. (NATS delivers it again only after its `ack_wait`,
10 s as shipped; Mosquitto at once.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
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

TOPICS_PER_LINK = 60
"""Subscriptions on one connection: NATS as shipped refuses the 64th of a client (its `max_ack_pending` x their number
must stay below 65 536), and other brokers have limits of that size."""

REDELIVERY_S = 10.0
"""So long after connecting, messages without the DUP flag are taken for possible redeliveries, too: a broker that
has restored its state from disk does not set it."""

SETTLE_WITHIN_S = 0.8
REFUSED_AGAIN_S = 5.0
"""A broker that has just started may refuse for a moment (NATS while its storage comes up)."""


class MqttSensor:
    """Reads all `mqtt_sensor` tags of one edge over as many connections as their topics need."""

    def __init__(self, setup: DriverSetup) -> None:
        self._setup = setup
        by_topic: dict[str, list[Tag]] = {}
        qos: dict[str, int] = {}
        for tag in setup.tags:
            if tag.source is not None:
                by_topic.setdefault(tag.source.topic, []).append(tag)
                # QoS 2 would be worse than 1: its PUBREC, after which the broker forgets, cannot be held back.
                qos[tag.source.topic] = max(qos.get(tag.source.topic, 0), min(tag.source.qos, 1))
        self._readers = {topic: PayloadReader(tags) for topic, tags in by_topic.items()}
        filters = list(qos.items())
        self._parts = [
            _Part(number, filters[at : at + TOPICS_PER_LINK], self._readers, setup, self._tell)
            for number, at in enumerate(range(0, len(filters), TOPICS_PER_LINK))
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """See `edge.driver.Driver.run`."""
        async with asyncio.TaskGroup() as tasks:
            for part in self._parts:
                tasks.create_task(part.run(stop))
        self._setup.health.plant_connected = False

    def _tell(self) -> None:
        """Say how all connections together are doing."""
        health = self._setup.health
        errors = [part.error for part in self._parts if not part.subscribed]
        health.plant_connected = not errors
        if any(errors):
            health.fail("plant_broker", next(filter(None, errors)))
        elif not errors:
            health.mend("plant_broker")
        refused = [topic for part in self._parts for topic in part.refused]
        if refused:
            health.fail("subscription", f"the plant broker refuses {len(refused)}: {', '.join(refused[:5])}")
        else:
            health.mend("subscription")


class _Part:
    """Some of the topics, over one connection after the other.

    Args:
        number: Of this part; belongs to the client id.
        filters: The topics, with a QoS each.
        readers: Of all topics of the driver: what a session remembers of another part is read, too, and let go of.
        setup: What the driver was made with.
        tell: Called when `subscribed`, `refused` or `error` has changed.
    """

    def __init__(
        self,
        number: int,
        filters: Sequence[tuple[str, int]],
        readers: Mapping[str, PayloadReader],
        setup: DriverSetup,
        tell: Callable[[], None],
    ) -> None:
        self._filters = filters
        self._readers = readers
        self._sink = setup.sink
        self._unreadable = setup.health.unreadable
        self._clock = setup.clock
        self._address = setup.settings.plant_broker
        self._client_id = f"hazgate-{setup.site}-{setup.settings.edge}-plant-{number}"
        self._tell = tell
        self._foreign: set[str] = set()
        self.subscribed = False
        """Connected and subscribed, but for `refused`."""
        self.refused: list[str] = []
        """Topics the broker does not let us subscribe to."""
        self.error = ""
        """Why there is no connection."""

    async def run(self, stop: asyncio.Event) -> None:
        """Read until ``stop`` is set."""
        await keep_trying(partial(self._session, stop), stop, self._clock, self._away)

    def _away(self, error: Exception) -> None:
        self.subscribed, self.error = False, str(error)
        self._tell()

    async def _session(self, stop: asyncio.Event) -> None:
        """Read over one connection until it is lost or we are to stop."""
        await until(stop, self._sink.room())
        async with connected(self._address, self._client_id, stop, clean=False) as link:
            await until(stop, self._work(link, self._clock.monotonic_s()))
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
        self.refused = await link.subscribe(self._filters)
        self.subscribed, self.error = True, ""
        self._tell()
        log.info("plant broker connected", host=self._address.host, port=self._address.port, topics=len(self._filters))
        while self.refused:
            await asyncio.sleep(REFUSED_AGAIN_S)
            self.refused = await link.subscribe([(topic, qos) for topic, qos in self._filters if topic in self.refused])
            self._tell()

    async def _read(self, link: Link, connected_s: float) -> None:
        own = {topic for topic, _ in self._filters}
        while True:
            arrivals = await link.receive()
            fresh = self._clock.monotonic_s() - connected_s < REDELIVERY_S
            for arrival in arrivals:
                if arrival.repeated:
                    self._unreadable["redelivered"] += 1
                    continue
                again = arrival.dup or fresh or arrival.topic not in own
                self._sink.take(
                    self._readings(arrival, again=again), partial(link.ack, arrival) if arrival.qos else None
                )
            await self._let_go(link, {arrival.topic for arrival in arrivals} - own - self._foreign)
            if not self._sink.has_room:
                link.pause()
                await self._sink.room()
                link.resume()

    def _readings(self, arrival: Arrival, *, again: bool) -> Sequence[Reading]:
        reader = self._readers.get(arrival.topic)
        if reader is None:
            self._unreadable["unwanted_topic"] += 1
            return ()
        taken = reader.read(arrival.payload, again=again)
        for reason in taken.problems:
            self._note(arrival, reason)
        if not arrival.retained:
            return taken.readings
        # A retained value is as old as it pleases; without a source time it would pass for a fresh reading.
        timed = [reading for reading in taken.readings if reading.time_ms is not None]
        if len(timed) < len(taken.readings):
            self._unreadable["retained"] += len(taken.readings) - len(timed)
        return timed

    def _note(self, arrival: Arrival, reason: str) -> None:
        if not self._unreadable[reason]:
            log.warning("payload", reason=reason, topic=arrival.topic, payload=repr(arrival.payload[:80]))
        self._unreadable[reason] += 1

    async def _let_go(self, link: Link, topics: set[str]) -> None:
        """End subscriptions that the session remembers from an earlier plant description."""
        for topic in topics:
            self._foreign.add(topic)
            log.warning("topic of an earlier plant description: unsubscribing", topic=topic)
            if topic != "\ufffd":
                await link.unsubscribe(topic)
