"""Takes readings from drivers, makes frames of samples, and says `kept` when they are in the outbox."""

from __future__ import annotations

import asyncio
import math
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
import structlog
from numpy.typing import NDArray

from config.clock import Clock
from config.settings import EdgeSettings
from edge.errors import OutboxError
from edge.health import EdgeHealth
from edge.normalize import Normalizer
from edge.outbox import Batch
from edge.outbox_thread import OutboxThread
from edge.reading import Reading, Sample
from edge.remembered import KEY_BYTES
from edge.retry import Backoff

__all__ = ["HELD_MAX", "Intake"]

log = structlog.get_logger(__name__)

HELD_MAX = 20_000
"""Samples and messages held in memory, together, before drivers are asked to wait."""

BATCH_SAMPLES = 1000
"""What goes into one transaction, about, however much has come meanwhile: on a disk that is nearly full little
batches still fit."""

BATCH_MESSAGES = 200
"""So many messages waiting for our acknowledgement close the batch: beyond 1024 on one session, NATS as shipped
delivers a message only at its next `ack_wait`, ten seconds later."""

STALLED_MESSAGES = 8
STALLED_S = 0.002
"""So many messages waiting for our acknowledgement and nothing new for so long: the broker has probably used up the
number it may have under way (10 to 100, mostly 20), and would wait for us as long as we wait for more."""


@dataclass(slots=True)
class _Open:
    """What has been taken and not yet put into the outbox."""

    samples: list[Sample] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    kept: list[Callable[[], None]] = field(default_factory=list)
    first_s: float = math.inf
    last_s: float = -math.inf

    @property
    def size(self) -> int:
        return len(self.samples) + len(self.kept)


class Intake:
    """The sink of all drivers (`edge.driver.Sink`).

    Redelivered readings that carry their source time are dropped and counted when they are in hand or in the outbox
    already; without a source time nobody can tell them from a new reading, and they are taken again.

    Args:
        normalizer: Of all tags of this edge.
        outbox: Where samples go.
        settings: ``frame_max_samples`` and ``frame_max_delay_ms`` decide when a frame is closed.
        clock: For times of receipt and delays.
        health: Counters and the fault ``outbox``.
        notice: Evaluates samples before they go anywhere; says which tell of an alarm.
        stored: Called after every batch put into the outbox.
    """

    def __init__(
        self,
        *,
        normalizer: Normalizer,
        outbox: OutboxThread,
        settings: EdgeSettings,
        clock: Clock,
        health: EdgeHealth,
        notice: Callable[[Sequence[Sample]], NDArray[np.bool_]],
        stored: Callable[[], None],
    ) -> None:
        self._normalizer = normalizer
        self._outbox = outbox
        self._max_samples = settings.frame_max_samples
        self._max_delay_s = settings.frame_max_delay_ms / 1000
        self._clock = clock
        self._health = health
        self._notice = notice
        self._stored = stored
        self._open = _Open()
        self._closed: deque[_Open] = deque()
        self._held = 0
        self._held_keys: set[bytes] = set()
        self._in_a_hurry = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._settled = asyncio.Event()
        self._settled.set()

    def take(self, readings: Sequence[Reading], kept: Callable[[], None] | None = None) -> None:
        """See `edge.driver.Sink.take`."""
        now_s = self._clock.monotonic_s()
        received_ms = self._clock.wall_ms()
        batch = self._open
        before = batch.size
        for reading in readings:
            self._add(batch, reading, received_ms)
        if kept is not None:
            batch.kept.append(kept)
        self._held += batch.size - before
        batch.last_s = now_s
        if len(batch.samples) >= max(BATCH_SAMPLES, self._max_samples):
            self._closed.append(batch)
            self._open = _Open()
        if not before and batch.size:
            batch.first_s = now_s
            self._settled.clear()
            self._wake.set()
        elif len(batch.samples) >= self._max_samples or len(batch.kept) in {STALLED_MESSAGES, BATCH_MESSAGES}:
            self._wake.set()
        if self._held >= HELD_MAX:
            self._room.clear()

    @property
    def has_room(self) -> bool:
        """See `edge.driver.Sink.has_room`."""
        return self._room.is_set()

    async def room(self) -> None:
        """See `edge.driver.Sink.room`."""
        await self._room.wait()

    async def settle(self) -> None:
        """See `edge.driver.Sink.settle`."""
        self._in_a_hurry += 1
        self._wake.set()
        try:
            await self._settled.wait()
        finally:
            self._in_a_hurry -= 1

    async def run(self) -> None:
        """Put what is taken into the outbox, for ever. A disk that fails is waited for; nothing is let go of."""
        while True:
            await self._due()
            if self._closed:
                batch = self._closed.popleft()
            else:
                batch, self._open = self._open, _Open()
            await self._store(batch)
            for kept in batch.kept:
                kept()
            self._held -= batch.size
            self._held_keys.difference_update(batch.keys)
            if self._held < HELD_MAX:
                self._room.set()
            if not self._open.size and not self._closed:
                self._settled.set()

    def _add(self, batch: _Open, reading: Reading, received_ms: int) -> None:
        sample = self._normalizer.sample(reading, received_ms)
        if reading.time_ms is not None:
            key = _key(sample)
            if reading.again and (key in self._held_keys or self._outbox.seen(key)):
                self._health.unreadable["redelivered"] += 1
                return
            batch.keys.append(key)
            self._held_keys.add(key)
        self._health.readings += 1
        batch.samples.append(sample)

    async def _due(self) -> None:
        """Wait until the open batch has to be closed."""
        while (wait_s := self._wait_s()) > 0:
            self._wake.clear()
            try:
                async with asyncio.timeout(None if wait_s == math.inf else wait_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _wait_s(self) -> float:
        batch = self._open
        if self._closed:
            return 0.0
        if not batch.size:
            return math.inf
        if self._in_a_hurry or len(batch.samples) >= self._max_samples or len(batch.kept) >= BATCH_MESSAGES:
            return 0.0
        due_s = batch.first_s + self._max_delay_s
        if len(batch.kept) >= STALLED_MESSAGES:
            due_s = min(due_s, batch.last_s + STALLED_S)
        return due_s - self._clock.monotonic_s()

    async def _store(self, batch: _Open) -> None:
        """Put a batch into the outbox, however long that takes."""
        if not batch.samples:
            return
        size = self._max_samples
        starts = range(0, len(batch.samples), size)
        frames = [batch.samples[at : at + size] for at in starts]
        noticed = self._notice(batch.samples)
        alarms = [bool(noticed[at : at + size].any()) for at in starts]
        stored = Batch(secrets.token_hex(8), self._clock.wall_ms(), frames, batch.keys, alarms)
        backoff = Backoff()
        while True:
            try:
                shed = await self._outbox.append(stored)
            except OutboxError as error:
                self._health.fail("outbox", str(error))
                await asyncio.sleep(backoff.next_s())
                continue
            break
        self._health.outbox = self._outbox.state
        self._health.mend("outbox")
        if shed:
            self._say_shed(shed)
        self._stored()

    def _say_shed(self, shed: int) -> None:
        if "outbox_full" not in self._health.faults:
            log.error("outbox full: the oldest frames are shed", samples=shed)
        self._health.fail("outbox_full", f"{self._health.shed} samples of this epoch shed")


def _key(sample: Sample) -> bytes:
    """Return by what a sample is known when it comes again."""
    return blake2b(f"{sample.tag}\0{sample.time_ms}\0{sample.value!r}".encode(), digest_size=KEY_BYTES).digest()
