"""One ordered stream of frames on its way to the gateway: sent, sent again, confirmed."""

from __future__ import annotations

import asyncio
from typing import Protocol

import msgspec
import structlog

from config.clock import Clock
from config.contract.frame import decode_frame, encode_frame
from config.contract.messages import Kept
from edge.epochs import EpochState, OutboxState
from edge.errors import OutboxError
from edge.health import EdgeHealth
from edge.link import Link
from edge.outbox import StoredFrame
from edge.outbox_thread import OutboxThread
from edge.pace import Pace
from edge.retry import Backoff
from edge.window import Window

__all__ = ["Lane", "Pick"]

log = structlog.get_logger(__name__)

READ_FRAMES = 64
"""Read from the outbox at a time."""


class Pick(Protocol):
    """Says which epoch a lane is about."""

    def __call__(self, state: OutboxState, /) -> EpochState | None:
        """Return it; None when there is nothing for this lane now."""
        ...


class Lane:
    """Sends one epoch after the other, each in order.

    Args:
        topic: Where its frames go.
        pick: Which epoch it is about.
        window: How much may be under way.
        outbox: Where frames come from.
        clock: For waits.
        health: Counters.
        pace: How fast it may go, and whether it may go at all.
        live_window_ms: Frames that waited longer are not for this lane: another epoch begins, theirs is backlog.
    """

    def __init__(
        self,
        *,
        topic: str,
        pick: Pick,
        window: Window,
        outbox: OutboxThread,
        clock: Clock,
        health: EdgeHealth,
        pace: Pace | None = None,
        live_window_ms: int | None = None,
    ) -> None:
        self._topic = topic
        self._pick = pick
        self.window = window
        self._outbox = outbox
        self._clock = clock
        self._health = health
        self._pace = pace
        self._live_window_ms = live_window_ms
        self._heard = False
        self._refused_upto = 0
        self._wake = asyncio.Event()
        self.epoch = ""
        """Of which it sends now; empty when there is nothing to send."""

    def wake(self) -> None:
        """Note that there is something new."""
        self._wake.set()

    async def run(self, link: Link) -> None:
        """Send frames in order, as far as the window allows, for as long as the connection stands.

        Raises:
            LinkError: It is lost.
        """
        self.window.begin(self._clock.monotonic_s(), self.window.upto)
        self._heard = False
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
            elif self._pace:
                await asyncio.sleep(self._pace.rest_s(sent))

    def take(self, kept: Kept) -> None:
        """Believe a `kept` of this lane's epoch, as far as it can be true."""
        state = self._pick(self._outbox.state)
        if state is None or kept.epoch != state.name or kept.epoch != self.epoch:
            self._health.ignored_kept += 1
            return
        if kept.upto > state.made_frames:
            log.error("kept: more than was ever made; ignored", upto=kept.upto, made=state.made_frames)
            self._health.ignored_kept += 1
            return
        if kept.upto < self.window.upto:
            log.warning("kept: less than before; has the gateway lost data?", upto=kept.upto, before=self.window.upto)
        self._heard = True
        self._note_refused(kept)
        if self.window.confirmed(kept.upto, self._clock.monotonic_s()):
            log.debug("kept stands still: resending from the oldest", kept=kept.upto)
            self._health.resends += 1
        self._wake.set()

    async def confirm(self) -> None:
        """Delete what is confirmed from the outbox.

        Raises:
            OutboxError: It is not deleted yet.
        """
        state = self._outbox.state.find(self.epoch)
        if state is not None and self.window.upto > state.kept_frames:
            await self._outbox.confirm(self.epoch, self.window.upto)

    def _turn_over(self) -> None:
        """Begin afresh when it is another epoch's turn, or when no confirmation comes."""
        now_s = self._clock.monotonic_s()
        state = self._pick(self._outbox.state)
        name = "" if state is None else state.name
        if name != self.epoch:
            if self.epoch:
                log.info("lane goes on with another epoch", topic=self._topic, frames=self._outbox.state.held_frames)
            self.epoch = name
            self._refused_upto = 0
            self.window.begin(now_s, 0 if state is None else state.kept_frames)
        overdue_s = self.window.overdue_s(now_s)
        if overdue_s is not None and overdue_s <= 0:
            log.debug("no confirmation: resending from the oldest", topic=self._topic, kept=self.window.upto)
            self._health.resends += 1
            self.window.probe(now_s)

    async def _send_some(self, link: Link) -> int:
        """Send the next few frames; returns how many samples, or 1 when it is worth looking again at once."""
        window = self.window
        state = self._pick(self._outbox.state)
        limit = min(window.room, READ_FRAMES if self._pace is None else self._pace.frames)
        if state is None or not limit or window.cursor >= state.made_frames or (self._pace and not self._pace.may_go()):
            return 0
        cursor = window.cursor
        frames = await self._outbox.read(self.epoch, cursor, limit)
        state = self._pick(self._outbox.state)
        if state is None or window.cursor != cursor or state.name != self.epoch:
            return 1  # meanwhile `kept` moved, or the outbox was replaced: look again
        if frames and self._waited_too_long(frames[0]):
            if self._heard or state.kept_frames:
                await self._outbox.begin_epoch()
                log.warning("after a long outage live data goes first", backlog=self._outbox.state.backlog_frames)
                return 1
            # Perhaps there is no gateway at all: then every new connection would begin an epoch.
            frames = [] if window.cursor > window.upto else frames[:1]
        sent = 0
        for frame in frames:
            alone = window.first or frame.seq != window.cursor + 1
            if alone and window.cursor > window.upto:
                break  # "nothing older is to come" is true only when those under way are confirmed
            link.send(self._topic, _flagged(frame, state.shed_samples) if alone else frame.body)
            window.sent(frame.seq, self._clock.monotonic_s())
            self._health.sent_frames += 1
            sent += frame.samples
        return sent

    def _waited_too_long(self, frame: StoredFrame) -> bool:
        return self._live_window_ms is not None and self._clock.wall_ms() - frame.made_ms > self._live_window_ms

    async def _something_to_do(self) -> None:
        """Wait for a new frame, a `kept`, the moment the confirmation is overdue, or until the pace allows more."""
        waits = [self.window.overdue_s(self._clock.monotonic_s())]
        if self._pace is not None and self.epoch:
            waits.append(self._pace.look_again_s)
        try:
            async with asyncio.timeout(min((wait for wait in waits if wait is not None), default=None)):
                await self._wake.wait()
        except TimeoutError:
            return

    def _note_refused(self, kept: Kept) -> None:
        for refusal in kept.refused:
            if refusal.seq > self._refused_upto:
                self._refused_upto = refusal.seq
                self._health.refused_frames += 1
                log.error(
                    "frame refused by the gateway; it is among its dead letters", seq=refusal.seq, why=refusal.reason
                )


def _flagged(frame: StoredFrame, shed_samples: int) -> bytes:
    """Mark a frame before which nothing is held any more, so that the gateway does not wait for those."""
    plain = decode_frame(frame.body)
    return encode_frame(msgspec.structs.replace(plain, oldest=True, shed_samples=shed_samples))
