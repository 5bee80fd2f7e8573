"""Sends what is in the outbox to the gateway until that says it is kept: live data first (design 5.3, 6)."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

import structlog

from config.clock import Clock
from config.contract.alarms import LocalAlarm
from config.contract.messages import EdgeStatus, Kept, decode, encode
from config.contract.topics import Kind, edge_topic
from config.errors import ContractError
from config.settings import EdgeSettings
from edge.errors import OutboxError
from edge.health import EdgeHealth
from edge.lane import Lane
from edge.link import Link, Will, connected
from edge.local_alarms import REMEMBERED_ALARMS
from edge.outbox_thread import OutboxThread
from edge.pace import Pace
from edge.retry import Backoff, keep_trying, until
from edge.window import Window

__all__ = ["Uplink"]

log = structlog.get_logger(__name__)

DELETE_EVERY_S = 0.5
"""Confirmed frames are deleted this often, not at every `kept`: a deletion costs an fsync, being late with it
nothing but repetitions after a crash, which the gateway absorbs."""
STATUS_EVERY_S = 5.0
STATUS_GAP_S = 0.5
"""Shortest time between two statuses, however much happens."""
GOODBYE_WITHIN_S = 0.3
ROOM_AGAIN = 0.9
"""An outbox filled to less than this part is not called full any more."""


class Uplink:
    """The edge's side of "acknowledged means kept".

    Args:
        site: Of the plant.
        settings: Edge id, broker, window and resend time, and what counts as live.
        outbox: Where frames come from.
        clock: For statuses and waits.
        health: Counters.
        software: Name and version, told in the status.
    """

    def __init__(
        self,
        *,
        site: str,
        settings: EdgeSettings,
        outbox: OutboxThread,
        clock: Clock,
        health: EdgeHealth,
        software: str,
    ) -> None:
        self._address = settings.uplink_broker
        self._client_id = f"hazgate-{site}-{settings.edge}-uplink"
        self._kept = edge_topic(site, settings.edge, Kind.KEPT)
        self._status = edge_topic(site, settings.edge, Kind.STATUS)
        self._max_bytes = settings.outbox_max_bytes
        self._alarm_topic = edge_topic(site, settings.edge, Kind.ALARMS)
        self._cut_after_s = settings.resend_after_s
        self._alarms: dict[str, LocalAlarm] = {}
        self._untold: dict[str, LocalAlarm] = {}
        self._news = asyncio.Event()
        self._outbox = outbox
        self._clock = clock
        self._health = health
        self._software = software
        self._why_away = ""
        self._live = Lane(
            topic=edge_topic(site, settings.edge, Kind.TELEMETRY),
            pick=lambda state: state.live if state.epochs else None,
            window=Window(settings.window_frames, settings.resend_after_s),
            outbox=outbox,
            clock=clock,
            health=health,
            live_window_ms=round(settings.live_window_s * 1000),
        )
        self._backlog = Lane(
            topic=edge_topic(site, settings.edge, Kind.BACKLOG),
            pick=lambda state: state.backlog,
            window=Window(settings.window_frames, settings.resend_after_s),
            outbox=outbox,
            clock=clock,
            health=health,
            pace=Pace(settings.backlog_samples_per_s, lambda: self._live.window.waited_s(clock.monotonic_s())),
        )

    @property
    def cut(self) -> bool:
        """Nobody confirms anything, as far as we know."""
        waited_s = self._live.window.waited_s(self._clock.monotonic_s())
        return not self._health.uplink_connected or waited_s > self._cut_after_s

    def tell(self, alarm: LocalAlarm) -> None:
        """Tell the gateway of an alarm this edge has noticed by itself, now or when there is a connection again."""
        self._alarms[alarm.alarm_id] = alarm
        while len(self._alarms) > REMEMBERED_ALARMS:
            del self._alarms[next(iter(self._alarms))]
        self._untold[alarm.alarm_id] = alarm
        self._news.set()

    def stored(self) -> None:
        """Note that there is something new in the outbox."""
        self._live.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until ``stop`` is set; then say goodbye and return."""
        async with asyncio.TaskGroup() as tasks:
            deleting = tasks.create_task(self._delete())
            await keep_trying(partial(self._session, stop), stop, self._clock, self._away)
            deleting.cancel()
        await self._delete_once()

    def _away(self, error: Exception) -> None:
        if self._health.uplink_connected:
            log.warning("uplink lost; keeping", error=str(error), frames=self._health.depth)
        elif str(error) != self._why_away:
            log.warning("uplink not there", error=str(error))
        self._why_away = str(error)
        self._health.uplink_connected = False

    async def _session(self, stop: asyncio.Event) -> None:
        """Send over one connection until it is lost or we are to stop."""
        will = Will(self._status, encode(EdgeStatus(online=False)))
        async with connected(self._address, self._client_id, stop, clean=True, will=will) as link:
            self._why_away = ""
            log.info("uplink connected", host=self._address.host, port=self._address.port)
            self._health.uplink_connected = True
            await until(stop, self._work(link))
            if stop.is_set():
                with contextlib.suppress(TimeoutError):  # then the will says it
                    async with asyncio.timeout(GOODBYE_WITHIN_S):
                        await link.publish(self._status, self._told(online=False), retain=True)
        self._health.uplink_connected = False

    async def _work(self, link: Link) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tell(link))
            tasks.create_task(self._tell_alarms(link))
            tasks.create_task(self._listen(link))
            tasks.create_task(self._live.run(link))
            tasks.create_task(self._backlog.run(link))

    async def _listen(self, link: Link) -> None:
        backoff = Backoff()
        while await link.subscribe([(self._kept, 1)]):
            log.error("the uplink broker refuses the subscription to kept", topic=self._kept)
            await asyncio.sleep(backoff.next_s())
        while True:
            for arrival in await link.receive():
                link.ack(arrival)
                self._take_kept(arrival.payload)

    def _take_kept(self, payload: bytes) -> None:
        try:
            kept = decode(payload, Kept)
        except ContractError as error:
            log.error("kept: unreadable", error=str(error))
            self._health.ignored_kept += 1
            return
        (self._backlog if kept.epoch == self._backlog.epoch else self._live).take(kept)
        self._health.kept_frames = self._live.window.upto

    async def _delete(self) -> None:
        while True:
            await asyncio.sleep(DELETE_EVERY_S)
            await self._delete_once()

    async def _delete_once(self) -> None:
        """Delete what is confirmed from the outbox."""
        outbox = self._outbox
        try:
            await self._live.confirm()
            await self._backlog.confirm()
        except OutboxError as error:
            self._health.fail("outbox_delete", str(error))
        else:
            self._health.mend("outbox_delete")
        if outbox.state.backlog and self._backlog.epoch != outbox.state.backlog.name:
            self._backlog.wake()
        self._health.outbox = outbox.state
        if outbox.state.held_bytes < ROOM_AGAIN * self._max_bytes:
            self._health.mend("outbox_full")

    async def _tell(self, link: Link) -> None:
        """Publish the status, retained, regularly and when something changes."""
        while True:
            self._health.changed.clear()
            link.send(self._status, self._told(online=True), retain=True)
            await asyncio.sleep(STATUS_GAP_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STATUS_EVERY_S - STATUS_GAP_S):
                    await self._health.changed.wait()

    async def _tell_alarms(self, link: Link) -> None:
        """Publish local alarms; on a new connection the latest once more: nobody says which have arrived."""
        self._untold = dict(self._alarms)
        while True:
            self._news.clear()
            for alarm in list(self._untold.values()):
                link.send(self._alarm_topic, encode(alarm))
            self._untold.clear()
            await self._news.wait()

    def _told(self, *, online: bool) -> bytes:
        return encode(self._health.status(online=online, at_ms=self._clock.wall_ms(), software=self._software))
