"""Waiting for something to become true, with a deadline; never for time to pass."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

__all__ = ["eventually", "eventually_async"]


def eventually(condition: Callable[[], object], timeout_s: float = 5.0, *, every_s: float = 0.01) -> None:
    """Return as soon as ``condition()`` is true.

    Raises:
        AssertionError: It is still not after ``timeout_s``.
    """
    deadline_s = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline_s, f"still not true after {timeout_s} s: {_name(condition)}"
        pause.wait(every_s)


async def eventually_async(condition: Callable[[], object], timeout_s: float = 5.0, *, every_s: float = 0.01) -> None:
    """Return as soon as ``condition()`` is true, letting the event loop run meanwhile.

    Raises:
        AssertionError: It is still not after ``timeout_s``.
    """
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"still not true after {timeout_s} s: {_name(condition)}"
        await asyncio.sleep(every_s)


def _name(condition: Callable[[], object]) -> str:
    """Say which condition it was, as well as Python can tell."""
    code = getattr(condition, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(condition)
