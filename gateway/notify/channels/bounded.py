"""Blocking work of a library that bounds single steps at best, with one bound over all of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from gateway.notify.port import ChannelError

__all__ = ["bounded"]

T = TypeVar("T")


def bounded(work: Callable[[], T], within_s: float, abort: Callable[[], object] = lambda: None) -> T:
    """Do some work, but wait for it only so long.

    A name server, a TLS handshake and an answer that comes byte by byte each outlive the time-outs of a socket, so
    the work has a thread of its own; when time is up it is aborted and left behind.

    Args:
        work: What to do. Must end by itself, sooner or later, after ``abort``.
        within_s: How long to wait.
        abort: Makes the work fail, e.g. by closing its socket.

    Raises:
        ChannelError: Time is up; nobody knows what came of it.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            outcome.set_exception(error)

    threading.Thread(target=run, name="notify-bounded", daemon=True).start()
    try:
        return outcome.result(max(within_s, 0.0))
    except TimeoutError:
        if outcome.done():  # the work's own time-out: let the channel say what it was
            return outcome.result()
        abort()
        raise ChannelError(f"no end of it within {within_s:g} s; it may or may not have been sent") from None
