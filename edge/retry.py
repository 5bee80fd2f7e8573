"""Trying again: full-jitter back-off, and work that ends when the process is asked to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from secrets import SystemRandom
from typing import Any

from config.clock import Clock
from edge.errors import LinkError

__all__ = ["Backoff", "keep_trying", "until"]

FIRST_S = 0.2
LONGEST_S = 5.0


class Backoff:
    """Waits that grow, each a random part of its bound, so that a thousand edges do not come back as one.

    Args:
        first_s: Bound of the first wait; doubles each time.
        longest_s: Bound of all waits.
    """

    def __init__(self, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._bound_s = first_s
        self._chance = SystemRandom()

    def next_s(self) -> float:
        """Return how long to wait now, in seconds; never nothing at all."""
        bound_s = self._bound_s
        self._bound_s = min(self._longest_s, bound_s * 2)
        return max(self._first_s / 10, self._chance.uniform(0.0, bound_s))

    def reset(self) -> None:
        """Begin again with short waits."""
        self._bound_s = self._first_s


async def until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` until it ends or ``stop`` is set, whichever is first.

    Raises:
        ExceptionGroup: Of what ``work`` raised.
    """
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(work)
        stopping = tasks.create_task(stop.wait())
        working.add_done_callback(lambda _: stopping.cancel())
        stopping.add_done_callback(lambda _: working.cancel())


async def keep_trying(
    session: Callable[[], Awaitable[None]], stop: asyncio.Event, clock: Clock, failed: Callable[[Exception], None]
) -> None:
    """Run one session after the other until ``stop`` is set, with full-jitter back-off between them.

    Args:
        session: Connects, works, and raises when it is over; returns when it is to stop.
        stop: Asks to stop.
        clock: Tells how long a session lasted: a short one makes the next wait longer.
        failed: Told why each session ended.
    """
    backoff = Backoff()
    while not stop.is_set():
        began_s = clock.monotonic_s()
        try:
            await session()
        except* LinkError as group:
            failed(_first(group))
        if clock.monotonic_s() - began_s > LONGEST_S:
            backoff.reset()
        await until(stop, asyncio.sleep(backoff.next_s()))


def _first(group: BaseExceptionGroup[LinkError]) -> LinkError:
    """Return one of the errors in a group: they all have the same cause."""
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
