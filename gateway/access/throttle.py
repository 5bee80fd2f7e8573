"""Slows down who guesses passwords, without letting an outsider lock a duty officer out."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict

from config.clock import Clock
from gateway.errors import TooManyError

__all__ = ["Throttle"]

_FREE = 5
"""Failures that cost nothing: people mistype."""
_LONGEST_S = 900.0
_FORGET_S = 3_600.0
_REMEMBERED = 10_000


class Throttle:
    """Counts failures by key; each beyond the first few doubles the wait.

    Args:
        clock: Monotonic.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, *keys: str) -> None:
        """Refuse when any of the keys has failed too often of late.

        Raises:
            TooManyError: Says how long to wait.
        """
        now_s = self._clock.monotonic_s()
        with self._lock:
            wait_s = max((self._wait_s(key, now_s) for key in keys), default=0.0)
        if wait_s > 0:
            raise TooManyError(
                f"too many failures; try again in {math.ceil(wait_s)} s（失败次数过多，请稍后再试）", wait_s
            )

    def failed(self, *keys: str) -> None:
        """Note a failure."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            for key in keys:
                count, last_s = self._failures.pop(key, (0, now_s))
                self._failures[key] = (1 if now_s - last_s > _FORGET_S else count + 1, now_s)
            while len(self._failures) > _REMEMBERED:
                self._failures.popitem(last=False)

    def forgive(self, *keys: str) -> None:
        """Note a success."""
        with self._lock:
            for key in keys:
                self._failures.pop(key, None)

    def _wait_s(self, key: str, now_s: float) -> float:
        count, last_s = self._failures.get(key, (0, 0.0))
        if count < _FREE:
            return 0.0
        return float(min(2.0 ** (count - _FREE), _LONGEST_S)) - (now_s - last_s)
