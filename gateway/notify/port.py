"""What goes out, to whom, and the shape that every channel has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from config.plant.model import Text
from gateway.errors import GatewayError

__all__ = ["Channel", "ChannelError", "Delivery", "Kind", "Message", "Receipt", "Recipient"]


class Kind(StrEnum):
    """What a message is about."""

    ALARM = "alarm"
    """Raised, risen in tier, or alarmed anew."""
    OVERDUE = "overdue"
    """Nobody has done in time what had to be done."""
    STORM = "storm"
    """So many alarms that they are told as one."""
    OVER = "over"
    """What was told of is over."""
    SELF_TEST = "self_test"


class Delivery(StrEnum):
    """How far a message has come, as the officer sees it: sent is not read."""

    QUEUED = "queued"
    SENT = "sent"
    """Handed to the channel; nothing more is known."""
    ACCEPTED = "accepted"
    """The provider says that it has it."""
    READ = "read"
    """A person has opened it, says the provider."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person, by what channels need of one. Empty: not known."""

    id: str
    name: str
    phone: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be told; a retry is the same message with the same key."""

    key: str
    """Idempotency key: who gets the same one twice may forget the second."""
    kind: Kind
    tier: int
    """1 red to 4 blue; 0: none."""
    title: Text
    body: Text
    made_ms: int
    """Gateway clock."""
    alarms: tuple[Mapping[str, Any], ...] = ()
    """Rows of `gateway.records.schema.alarm` it is about, worst first; a storm names some and counts all."""
    count: int = 1
    """How many alarms it is about."""
    link: str = ""
    """Page where to go on; empty when the gateway does not know its own address."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a channel knows after sending."""

    delivery: Delivery
    """SENT, ACCEPTED or READ."""
    reference: str = ""
    """The provider's name for it."""


class ChannelError(GatewayError):
    """A channel could not send.

    Attributes:
        retry: Whether trying again may help.
        after_s: When the provider says to try again; 0: as the sender likes.
    """

    def __init__(self, message: str, *, retry: bool = True, after_s: float = 0.0) -> None:
        self.retry = retry
        self.after_s = after_s
        super().__init__(message)


class Channel(Protocol):
    """One way to reach people. Used by one thread at a time."""

    def send(self, message: Message, recipients: Sequence[Recipient], within_s: float) -> Receipt:
        """Send one message to some people, mentioning them where the medium can.

        Args:
            message: Of which ``key`` travels with it wherever the medium has a place for it.
            recipients: May be empty where the channel is a room of its own (robots, webhooks, beacons).
            within_s: Give up after so long, all tries of the connection included.

        Raises:
            ChannelError: It was not sent, or nobody knows.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
