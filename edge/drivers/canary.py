"""Driver `canary`: a reading made here, once in every period, to show that the whole way is open."""

from __future__ import annotations

import asyncio
import contextlib

from config.plant.model import Tag
from edge.driver import DriverSetup
from edge.reading import Reading

__all__ = ["Canary"]

_ROUND = 1000
"""The number sung counts so far and begins again: two songs are never taken for one repeated."""


class Canary:
    """Sings for all `canary` tags of one edge, each in its own period."""

    def __init__(self, setup: DriverSetup) -> None:
        self._setup = setup

    async def run(self, stop: asyncio.Event) -> None:
        """See `edge.driver.Driver.run`."""
        async with asyncio.TaskGroup() as tasks:
            for tag in self._setup.tags:
                tasks.create_task(self._sing(tag, stop), name=tag.name)
        await self._setup.sink.settle()

    async def _sing(self, tag: Tag, stop: asyncio.Event) -> None:
        count = 0
        while not stop.is_set():
            await self._setup.sink.room()
            count = (count + 1) % _ROUND
            self._setup.sink.take([Reading(tag.name, float(count), self._setup.clock.wall_ms())])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(tag.period_ms / 1000):
                    await stop.wait()
