"""What waits for one client of the stream: a bounded queue of events that are ready for the wire."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from gateway.api.audience import Audience
from gateway.api.live_models import AlarmEvent, ResetEvent, SnapshotEvent, TickEvent, ValuesEvent

__all__ = ["QUEUE_EVENTS", "Chunk", "Mailbox", "encode_event"]

QUEUE_EVENTS = 256
"""Events a client may lie behind: more than a minute of ticks and values without alarms."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event, ready for the wire."""

    kind: Literal["alarm", "values", "tick"]
    mark: int
    """Event id of an alarm, gateway clock of values: what a snapshot that reaches as far makes superfluous."""
    data: bytes


@dataclass(slots=True, eq=False)
class Mailbox:
    """One open stream. All of it happens on the event loop's thread."""

    audience: Audience
    queue: deque[Chunk] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    overflowed: bool = False

    def offer(self, chunk: Chunk) -> bool:
        """Take an event, or (False) give up the queue because nobody empties it."""
        if self.overflowed:
            return True
        self.wake.set()
        if len(self.queue) < QUEUE_EVENTS:
            self.queue.append(chunk)
            return True
        self.give_up()
        return False

    def give_up(self) -> None:
        """Forget what is queued; a snapshot will make up for it."""
        self.queue.clear()
        self.overflowed = True
        self.wake.set()

    def forget(self, event_id: int, at_ms: int) -> None:
        """Drop what a snapshot of this reach already says."""
        reach = {"alarm": event_id, "values": at_ms, "tick": -1}
        kept = [chunk for chunk in self.queue if chunk.mark > reach[chunk.kind]]
        self.queue = deque(kept)


def encode_event(
    name: str, event: SnapshotEvent | AlarmEvent | ValuesEvent | TickEvent | ResetEvent, event_id: int | None = None
) -> bytes:
    """Return an event as it goes on the wire; JSON has no raw line breaks, so one data line is enough."""
    number = "" if event_id is None else f"id: {event_id}\n"
    return f"event: {name}\n{number}data: {event.model_dump_json()}\n\n".encode()
