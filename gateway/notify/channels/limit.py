"""How often a provider lets itself be called."""

from __future__ import annotations

from collections import deque

from config.clock import Clock
from gateway.notify.port import ChannelError

__all__ = ["Limit"]

_WINDOW_S = 60.0


class Limit:
    """At most so many calls in any minute; robots that are called more often go silent for ten.

    Args:
        per_minute: Calls.
        clock: Its monotonic side.
    """

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._clock = clock
        self._taken_s: deque[float] = deque(maxlen=per_minute)

    def take(self) -> None:
        """Count a call that is about to be made.

        Raises:
            ChannelError: Not now; ``after_s`` says when.
        """
        now_s = self._clock.monotonic_s()
        if len(self._taken_s) == self._taken_s.maxlen:
            wait_s = self._taken_s[0] + _WINDOW_S - now_s
            if wait_s > 0:
                raise ChannelError(
                    f"limit of {self._taken_s.maxlen} messages a minute is used up", retry=True, after_s=wait_s
                )
        self._taken_s.append(now_s)
