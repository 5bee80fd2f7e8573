"""What the pipeline asks of a message transport; MQTT is one, a queue may be another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Message", "Transport"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it arrived."""

    topic: str
    """Decoded; a topic that is not UTF-8 is given with backslash escapes and ``topic_ok`` False."""
    payload: bytes
    token: int
    """What the transport needs to acknowledge it; 0: nothing to acknowledge."""
    generation: int
    """The connection it arrived on."""
    topic_ok: bool = True


class Transport(Protocol):
    """Messages in, acknowledgements and publications out. Used from one thread only (`wake` from any).

    Acknowledging is for back-pressure, not for safety: what makes samples safe is `kept`, end to end. An
    acknowledgement of a message of an earlier connection is silently ignored (sent to the new connection it would
    destroy an unrelated message).
    """

    @property
    def connected(self) -> bool:
        """There is a connection, and it is subscribed."""
        ...

    @property
    def generation(self) -> int:
        """Rises with every connection."""
        ...

    def poll(self, timeout_s: float) -> Sequence[Message]:
        """Do what is due on the network and return what arrived; waits at most ``timeout_s`` for it."""
        ...

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Let the transport forget these messages, in the order they arrived."""
        ...

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> int | None:
        """Send one message, at least once while connected.

        Returns:
            A token that `confirmed` returns when the other side has it; None when there is no connection.
        """
        ...

    def confirmed(self) -> Sequence[int]:
        """Return the tokens of publications confirmed since the last call."""
        ...

    def drop(self) -> None:
        """End the connection on purpose, so that whatever was not acknowledged is delivered again."""
        ...

    def close(self) -> None:
        """End for good."""
        ...

    def wake(self) -> None:
        """Make a waiting `poll` return; may be called from any thread."""
        ...
