"""What the agent asks of a driver, and what it gives one: the port between hardware and outbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from config.clock import Clock
from config.plant.model import Tag
from config.settings import EdgeSettings
from edge.health import EdgeHealth
from edge.reading import Reading

__all__ = ["Driver", "DriverSetup", "Sink"]


class Sink(Protocol):
    """Where readings go."""

    def take(self, readings: Sequence[Reading], kept: Callable[[], None] | None = None) -> None:
        """Take readings that came together. Returns at once.

        Args:
            readings: Of tags of this edge; may be empty.
            kept: Called on the event loop, in the order of the calls to `take`, when the readings are durable.
        """
        ...

    @property
    def has_room(self) -> bool:
        """Whether more may be taken now; see `room`."""
        ...

    async def room(self) -> None:
        """Wait as long as too much is held in memory because the outbox does not take it."""
        ...

    async def settle(self) -> None:
        """Wait until everything taken so far is durable and its `kept` has been called."""
        ...


class Driver(Protocol):
    """Reads one kind of hardware."""

    async def run(self, stop: asyncio.Event) -> None:
        """Read until ``stop`` is set: hand everything over, settle, let go of the hardware, return.

        Hardware that is not there is waited for; a driver never gives up and never raises for it.
        """
        ...


@dataclass(frozen=True, slots=True)
class DriverSetup:
    """What every driver is made with."""

    site: str
    tags: Sequence[Tag]
    """Those whose source names this driver."""
    settings: EdgeSettings
    sink: Sink
    health: EdgeHealth
    clock: Clock
