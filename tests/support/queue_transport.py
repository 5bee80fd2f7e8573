"""A transport without a network: a queue that redelivers what was not acknowledged, and remembers what it was told."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from gateway.ingest.transport import Message

__all__ = ["QueueTransport"]


class QueueTransport:
    """A `gateway.ingest.transport.Transport` in memory, and the broker behind it.

    Tokens begin anew with every connection, as the packet ids of MQTT may, so that a stale one hits something.

    Args:
        idle: Called instead of waiting when nothing is to be delivered; may send, advance a clock, set a stop event.
    """

    def __init__(self, idle: Callable[[float], None] | None = None) -> None:
        self._idle = idle or self._wait
        self._changed = threading.Condition()
        self._queue: deque[tuple[str, bytes]] = deque()
        self._unacknowledged: dict[int, tuple[str, bytes]] = {}
        self._next_token = 1
        self._next_publication = 1
        self._unconfirmed: list[int] = []
        self._confirmed: list[int] = []
        self._woken = False
        self._closed = False
        self.connected = False
        self.generation = 0
        self.reachable = True
        """Whether the next poll finds a connection."""
        self.confirming = True
        """Whether publications are confirmed."""
        self.max_messages = 1_000
        """In one poll."""
        self.heard: list[tuple[str, bytes]] = []
        self.retained: dict[str, bytes] = {}

    # --- the broker's side -------------------------------------------------------------------------------------

    def send(self, topic: str, payloads: Iterable[bytes]) -> None:
        """Queue messages for the transport."""
        with self._changed:
            self._queue.extend((topic, payload) for payload in payloads)
            self._changed.notify_all()

    @property
    def unacknowledged(self) -> int:
        """Messages delivered but not acknowledged."""
        return len(self._unacknowledged)

    @property
    def is_drained(self) -> bool:
        """Everything sent has been delivered and acknowledged."""
        return not self._queue and not self._unacknowledged

    # --- the transport -----------------------------------------------------------------------------------------

    def poll(self, timeout_s: float) -> Sequence[Message]:
        """Deliver what waits, or wait."""
        if not self.connected:
            if not self.reachable or self._closed:
                self._idle(timeout_s)
                return ()
            self.connected = True
            self.generation += 1
        if self.confirming:
            self._confirmed += self._unconfirmed
            self._unconfirmed = []
        if not self._queue:
            self._idle(timeout_s)
        return self._deliver()

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Forget messages of this connection."""
        for message in messages:
            if self.connected and message.generation == self.generation:
                self._unacknowledged.pop(message.token, None)

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> int | None:
        """Take a publication."""
        if not self.connected:
            return None
        self.heard.append((topic, payload))
        if retain and payload:
            self.retained[topic] = payload
        elif retain:
            self.retained.pop(topic, None)
        token = self._next_publication
        self._next_publication += 1
        self._unconfirmed.append(token)
        return token

    def confirmed(self) -> Sequence[int]:
        """Return what was confirmed since the last call."""
        confirmed, self._confirmed = self._confirmed, []
        return confirmed

    def drop(self) -> None:
        """Cut the connection: everything unacknowledged is queued again."""
        self.connected = False
        self._queue.extendleft(reversed(self._unacknowledged.values()))
        self._unacknowledged.clear()
        self._next_token = self._next_publication = 1
        self._unconfirmed, self._confirmed = [], []

    def close(self) -> None:
        """End for good."""
        self.drop()
        self._closed = True

    def wake(self) -> None:
        """End a wait."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def _wait(self, timeout_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._woken or bool(self._queue), timeout_s)
            self._woken = False

    def _deliver(self) -> list[Message]:
        messages: list[Message] = []
        while self._queue and self.connected and len(messages) < self.max_messages:
            topic, payload = self._queue.popleft()
            self._unacknowledged[self._next_token] = (topic, payload)
            messages.append(Message(topic, payload, self._next_token, self.generation))
            self._next_token += 1
        return messages
