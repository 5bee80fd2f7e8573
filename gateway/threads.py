"""Threads with an owner: they stop when asked, and a thread that fails ends the whole process, loudly."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import structlog

__all__ = ["Crew"]

log = structlog.get_logger(__name__)


class Crew:
    """Named threads that share one stop event.

    Args:
        on_failure: Called (on the failing thread) when a thread ends by an error nobody foresaw.
    """

    def __init__(self, on_failure: Callable[[], None]) -> None:
        self._on_failure = on_failure
        self._threads: list[threading.Thread] = []
        self.stop = threading.Event()
        self.failed: str = ""
        """Name of the first thread that failed; empty while all is well."""

    def start(self, name: str, work: Callable[[threading.Event], None], *, niceness: int = 0) -> None:
        """Run ``work`` in a thread until it returns; it must return soon after the stop event is set.

        Args:
            name: Of the thread.
            work: What it does.
            niceness: How far it gives way to the other threads when processors are short (Linux: each has its own).
        """
        thread = threading.Thread(target=self._run, args=(name, work, niceness), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self, timeout_s: float) -> list[str]:
        """Ask all threads to stop and wait for them; returns the names of those that did not."""
        self.stop.set()
        for thread in self._threads:
            thread.join(timeout_s)
        return [thread.name for thread in self._threads if thread.is_alive()]

    def _run(self, name: str, work: Callable[[threading.Event], None], niceness: int) -> None:
        try:
            if niceness:
                own = os.getpriority(os.PRIO_PROCESS, 0)
                os.setpriority(os.PRIO_PROCESS, 0, own + niceness)
            work(self.stop)
        except Exception:
            log.exception("thread_failed", thread=name)
            self.failed = self.failed or name
            self._on_failure()
