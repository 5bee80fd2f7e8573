"""Lights and sirens: channels with a state, which has to be shown again and again.

The fail-safe is the device's: as long as heartbeats come it shows what it was told; when they stop, for whatever
reason (the gateway, its machine, the network), it goes to fault by itself. Nothing here can do that for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.notify.port import Channel, Kind, Message

__all__ = ["Beacon", "Shown", "Standing"]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a beacon is to show."""

    tier: int
    """Of the worst alarm; 0: none."""
    alarms: int
    key: str
    """Of the last message that came."""


class Beacon(Channel, Protocol):
    """A channel that shows what stands. `send` and `heartbeat` are called by one thread at a time."""

    def restore(self, alarms: Iterable[Mapping[str, Any]]) -> None:
        """Take the alarms that are open, at start, instead of all that was known; shown with the next heartbeat.

        Before the first `restore` or `send` a heartbeat leaves the light as it is: a gateway that has just started
        must not put out what it does not know of.
        """
        ...

    def heartbeat(self, within_s: float) -> None:
        """Tell the device that the gateway lives, and what it is to show. To be called every few seconds.

        Raises:
            ChannelError: The device, or the broker before it, did not take it.
        """
        ...


class Standing:
    """Which alarms a beacon knows to be open. Pure."""

    def __init__(self) -> None:
        self._tiers: dict[str, int] = {}
        self._key = ""
        self._known = False

    def restore(self, alarms: Iterable[Mapping[str, Any]]) -> None:
        """Forget all and take these."""
        self._tiers = {str(row["alarm_id"]): int(row["tier"]) for row in alarms}
        self._known = True

    def take(self, message: Message) -> None:
        """Take what a message says; the same message twice is the same as once."""
        if message.kind is Kind.SELF_TEST:
            return
        self._key = message.key
        self._known = True
        for row in message.alarms:
            name = str(row["alarm_id"])
            if message.kind is Kind.OVER:
                self._tiers.pop(name, None)
            else:
                self._tiers[name] = int(row["tier"])

    def shown(self) -> Shown | None:
        """Return what is to be shown; None while nothing is known."""
        if not self._known:
            return None
        return Shown(min(self._tiers.values(), default=0), len(self._tiers), self._key)
