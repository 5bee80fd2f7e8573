"""Sends what is in the outbox to the gateway, in order, until the gateway says that it is kept (design 6)."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

import msgspec
import structlog

from config.clock import Clock
from config.contract.frame import decode_frame, encode_frame
from config.contract.messages import EdgeStatus, Kept, decode, encode
from config.contract.topics import Kind, edge_topic
from config.errors import ContractError
from config.settings import EdgeSettings
from edge.errors import OutboxError
from edge.health import EdgeHealth
from edge.link import Link, Will, connected
from edge.outbox import StoredFrame
from edge.outbox_thread import OutboxThread
from edge.retry import Backoff, keep_trying, until
from edge.window import Window

__all__ = ["Uplink"]

log = structlog.get_logger(__name__)

READ_FRAMES = 64
"""Read from the outbox at a time."""
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
        settings: Edge id, broker, window and resend time.
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
        self._frames = edge_topic(site, settings.edge, Kind.TELEMETRY)
        self._kept = edge_topic(site, settings.edge, Kind.KEPT)
        self._status = edge_topic(site, settings.edge, Kind.STATUS)
        self._max_bytes = settings.outbox_max_bytes
        self._outbox = outbox
        self._clock = clock
        self._health = health
        self._software = software
        self._window = Window(settings.window_frames, settings.resend_after_s)
        self._epoch = ""
        self._refused_upto = 0
        self._wake = asyncio.Event()

    def stored(self) -> None:
        """Note that there is something new in the outbox."""
        self._wake.set()

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
        else:
            log.debug("uplink not there", error=str(error))
        self._health.uplink_connected = False

    async def _session(self, stop: asyncio.Event) -> None:
        """Send over one connection until it is lost or we are to stop."""
        will = Will(self._status, encode(EdgeStatus(online=False)))
        async with connected(self._address, self._client_id, stop, clean=True, will=will) as link:
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
            tasks.create_task(self._listen(link))
            tasks.create_task(self._send(link))

    async def _send(self, link: Link) -> None:
        """Send frames in order, as far as the window allows, for as long as the connection stands."""
        self._window.begin(self._clock.monotonic_s(), self._window.upto)
        backoff = Backoff()
        while True:
            self._wake.clear()
            self._turn_over()
            try:
                sent = await self._send_some(link)
            except OutboxError as error:
                self._health.fail("outbox_read", str(error))
                await asyncio.sleep(backoff.next_s())
                continue
            self._health.mend("outbox_read")
            if not sent:
                await self._something_to_do()

    async def _send_some(self, link: Link) -> int:
        """Send the next few frames; returns how many."""
        window = self._window
        limit = min(window.room, READ_FRAMES)
        if not limit or window.cursor >= self._outbox.state.made_frames:
            return 0
        cursor = window.cursor
        frames = await self._outbox.read(cursor, limit)
        if window.cursor != cursor or self._outbox.state.epoch != self._epoch:
            return 1  # meanwhile `kept` moved, or the outbox was replaced: look again
        for frame in frames:
            alone = window.first or frame.seq != window.cursor + 1
            link.send(self._frames, self._flagged(frame) if alone else frame.body)
            window.sent(frame.seq, self._clock.monotonic_s())
            self._health.sent_frames += 1
        return len(frames)

    def _flagged(self, frame: StoredFrame) -> bytes:
        """Mark the oldest frame held, so that the gateway does not wait for those before it."""
        plain = decode_frame(frame.body)
        shed = self._outbox.state.shed_samples
        return encode_frame(msgspec.structs.replace(plain, oldest=True, shed_samples=shed))

    def _turn_over(self) -> None:
        """Begin afresh when the outbox has a new epoch, or when no confirmation comes."""
        now_s = self._clock.monotonic_s()
        state = self._outbox.state
        if state.epoch != self._epoch:
            self._epoch = state.epoch
            self._refused_upto = 0
            self._health.kept_frames = state.kept_frames
            self._window.begin(now_s, state.kept_frames)
        overdue_s = self._window.overdue_s(now_s)
        if overdue_s is not None and overdue_s <= 0:
            log.debug("no confirmation: resending from the oldest", kept=self._window.upto)
            self._health.resends += 1
            self._window.probe(now_s)

    async def _something_to_do(self) -> None:
        """Wait for a new frame, a `kept`, or the moment the confirmation is overdue."""
        try:
            async with asyncio.timeout(self._window.overdue_s(self._clock.monotonic_s())):
                await self._wake.wait()
        except TimeoutError:
            return

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
        """Believe a `kept` of our epoch, as far as it can be true."""
        try:
            kept = decode(payload, Kept)
        except ContractError as error:
            log.error("kept: unreadable", error=str(error))
            self._health.ignored_kept += 1
            return
        state = self._outbox.state
        if kept.epoch != self._epoch or kept.epoch != state.epoch:
            self._health.ignored_kept += 1
            return
        if kept.upto > state.made_frames:
            log.error("kept: more than was ever made; ignored", upto=kept.upto, made=state.made_frames)
            self._health.ignored_kept += 1
            return
        if kept.upto < self._window.upto:
            log.warning("kept: less than before; has the gateway lost data?", upto=kept.upto, before=self._window.upto)
        self._note_refused(kept)
        if self._window.confirmed(kept.upto, self._clock.monotonic_s()):
            log.debug("kept stands still: resending from the oldest", kept=kept.upto)
            self._health.resends += 1
        self._health.kept_frames = self._window.upto
        self._wake.set()

    def _note_refused(self, kept: Kept) -> None:
        for refusal in kept.refused:
            if refusal.seq > self._refused_upto:
                self._refused_upto = refusal.seq
                self._health.refused_frames += 1
                log.error(
                    "frame refused by the gateway; it is among its dead letters", seq=refusal.seq, why=refusal.reason
                )

    async def _delete(self) -> None:
        while True:
            await asyncio.sleep(DELETE_EVERY_S)
            await self._delete_once()

    async def _delete_once(self) -> None:
        """Delete what is confirmed from the outbox."""
        outbox = self._outbox
        if self._epoch == outbox.state.epoch and self._window.upto > outbox.state.kept_frames:
            try:
                await outbox.confirm(self._epoch, self._window.upto)
            except OutboxError as error:
                self._health.fail("outbox_delete", str(error))
            else:
                self._health.mend("outbox_delete")
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

    def _told(self, *, online: bool) -> bytes:
        return encode(self._health.status(online=online, at_ms=self._clock.wall_ms(), software=self._software))
