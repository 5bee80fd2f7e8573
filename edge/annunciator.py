"""Tells the plant itself what this edge has noticed: retained on the plant's own broker, whatever the uplink does.

A siren or panel subscribes to ``hazard/v1/{site}/{edge}/alarms/+``: an active alarm lies there until it clears.
"""

from __future__ import annotations

import asyncio
from functools import partial

import structlog

from config.clock import Clock
from config.contract.alarms import LocalAlarm
from config.contract.messages import encode
from config.contract.topics import local_alarm_topic
from config.settings import EdgeSettings
from edge.link import Link, connected
from edge.local_alarms import LocalAlarms
from edge.retry import keep_trying, until

__all__ = ["Annunciator"]

log = structlog.get_logger(__name__)


class Annunciator:
    """Keeps the retained topics of an edge's local alarms true.

    Args:
        site: Of the plant.
        settings: Which edge, and where the plant's broker is.
        alarms: What is to be told.
        clock: For waits between attempts to connect.
    """

    def __init__(self, site: str, settings: EdgeSettings, alarms: LocalAlarms, clock: Clock) -> None:
        self._topic = partial(local_alarm_topic, site, settings.edge)
        self._address = settings.plant_broker
        self._client_id = f"hazgate-{site}-{settings.edge}-annunciator"
        self._alarms = alarms
        self._clock = clock
        self._changed: dict[str, LocalAlarm] = {}
        self._wake = asyncio.Event()
        alarms.listen(self._hear)

    def _hear(self, alarm: LocalAlarm) -> None:
        self._changed[alarm.alarm_id] = alarm
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Tell until ``stop`` is set."""
        await keep_trying(
            partial(self._session, stop),
            stop,
            self._clock,
            lambda error: log.debug("the plant's broker is not there", error=str(error)),
        )

    async def _session(self, stop: asyncio.Event) -> None:
        async with connected(self._address, self._client_id, stop, clean=True) as link:
            await until(stop, self._work(link))

    async def _work(self, link: Link) -> None:
        self._changed = dict(self._alarms.active) | self._changed
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._forget_what_is_over(link))
            tasks.create_task(self._tell(link))

    async def _forget_what_is_over(self, link: Link) -> None:
        """Take back what an earlier process of this edge has left retained."""
        await link.subscribe([(self._topic("+"), 1)])
        while True:
            for arrival in await link.receive():
                link.ack(arrival)
                name = arrival.topic.rpartition("/")[2]
                if arrival.payload and arrival.retained and name not in self._alarms.active:
                    link.send(arrival.topic, b"", retain=True)

    async def _tell(self, link: Link) -> None:
        while True:
            self._wake.clear()
            while self._changed:
                name, alarm = next(iter(self._changed.items()))
                link.send(self._topic(name), encode(alarm), retain=alarm.state == "active")
                if alarm.state == "cleared":
                    link.send(self._topic(name), b"", retain=True)
                if self._changed.get(name) is alarm:
                    del self._changed[name]
            await self._wake.wait()
