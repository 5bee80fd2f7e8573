"""Keeps one caller from taking all there is: so many requests at once, and so many a second."""

from __future__ import annotations

import threading
from collections import OrderedDict

from config.clock import Clock
from gateway.errors import TooManyError

__all__ = ["Buckets"]

_REMEMBERED = 10_000


class Buckets:
    """A bucket of tokens for every caller, which fills by itself. Any thread may use it.

    Args:
        clock: Monotonic.
        burst: Requests at once.
        per_s: Requests per second in the long run.
    """

    def __init__(self, clock: Clock, burst: float = 300.0, per_s: float = 60.0) -> None:
        self._clock = clock
        self._burst = burst
        self._per_s = per_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str) -> None:
        """Take one from somebody's bucket.

        Raises:
            TooManyError: It is empty; says when it is not.
        """
        now_s = self._clock.monotonic_s()
        with self._lock:
            left, then_s = self._left.pop(key, (self._burst, now_s))
            left = min(self._burst, left + (now_s - then_s) * self._per_s)
            enough = left >= 1.0
            self._left[key] = (left - 1.0 if enough else left, now_s)
            if len(self._left) > _REMEMBERED:
                self._left.popitem(last=False)  # whoever asked least lately: by now it is full again, or nearly
        if not enough:
            raise TooManyError("too many requests at once（请求过于频繁）", (1.0 - left) / self._per_s)
