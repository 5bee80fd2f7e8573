"""Goes round everything of this room that has a deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from config.clock import Clock
from gateway.errors import RecordsError

__all__ = ["Rounds"]

_EVERY_S: Final = 5.0

log = structlog.get_logger(__name__)


class Rounds:
    """The loop.

    Args:
        turns: What is to be done each time, by name, given the gateway clock; says how much has changed.
        clock: Wall.
    """

    def __init__(self, turns: Mapping[str, Callable[[int], int]], clock: Clock) -> None:
        self._turns = turns
        self._clock = clock

    def run(self, stop: threading.Event) -> None:
        """Go round until ``stop`` is set."""
        while not stop.wait(_EVERY_S):
            self.turn(self._clock.wall_ms())

    def turn(self, now_ms: int) -> None:
        """Go round once; what cannot be done for want of the records is done the next time."""
        for name, turn in self._turns.items():
            try:
                turn(now_ms)
            except RecordsError as error:
                log.warning("prevention_delayed", what=name, error=str(error))
