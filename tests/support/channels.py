"""Channels that keep what they are given, and do what a test wants."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from gateway.notify.port import ChannelError, Delivery, Message, Receipt, Recipient

__all__ = ["RecordingChannel"]


class RecordingChannel:
    """Keeps messages; fails as often as it is told to.

    Args:
        failures: So many attempts fail first.
        delivery: What it says of the others.
        retry: Whether a failure says that trying again may help.
    """

    def __init__(self, failures: int = 0, delivery: Delivery = Delivery.ACCEPTED, *, retry: bool = True) -> None:
        self.failures = failures
        self.delivery = delivery
        self.retry = retry
        self.sent: list[tuple[Message, tuple[str, ...]]] = []
        self.tries = 0
        self.gate: threading.Event | None = None
        """Nothing goes through before it is set."""
        self.closed = False

    def send(self, message: Message, recipients: Sequence[Recipient], within_s: float) -> Receipt:
        """Keep a message, or fail."""
        self.tries += 1
        if self.gate is not None:
            self.gate.wait(within_s)
        if self.failures:
            self.failures -= 1
            raise ChannelError("not today", retry=self.retry)
        self.sent.append((message, tuple(one.id for one in recipients)))
        return Receipt(self.delivery, f"ref-{len(self.sent)}")

    def close(self) -> None:
        """Note that it was closed."""
        self.closed = True

    @property
    def kinds(self) -> list[str]:
        """What was sent, in order."""
        return [message.kind.value for message, _ in self.sent]

    @property
    def keys(self) -> list[str]:
        """Under which keys."""
        return [message.key for message, _ in self.sent]
