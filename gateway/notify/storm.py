"""When so many alarms come that they are told as one. Pure but for its own memory."""

from __future__ import annotations

from collections import deque

from config.duty.model import Storm
from gateway.notify.ladder import RED

__all__ = ["Throttle"]

_WINDOW_MS = 60_000


class Throttle:
    """Counts the messages of one ladder, and gathers the alarms that wait to be told together.

    Args:
        storm: When it begins, how long alarms wait.
    """

    def __init__(self, storm: Storm) -> None:
        self._storm = storm
        self._told: deque[int] = deque()
        self._held: dict[str, None] = {}
        self._flush_ms: int | None = None
        """When those that wait are to be told."""
        self._flushed_ms: int | None = None

    @property
    def held(self) -> tuple[str, ...]:
        """The alarms that wait, in the order in which they came."""
        return tuple(self._held)

    @property
    def flush_ms(self) -> int | None:
        """When those that wait are to be told; None when none does."""
        return self._flush_ms

    def admits(self, now_ms: int) -> bool:
        """Say whether one more message may be told by itself now, and count it if so."""
        while self._told and not now_ms - _WINDOW_MS < self._told[0] <= now_ms:
            self._told.popleft()
        if self._held or len(self._told) >= self._storm.over:
            return False
        self._told.append(now_ms)
        return True

    def hold(self, alarm_id: str, tier: int, now_ms: int) -> None:
        """Let an alarm wait for others; a red one makes all be told soon."""
        self._held[alarm_id] = None
        soon_ms = now_ms + self._storm.hold_ms
        lately = self._flushed_ms is not None and 0 <= now_ms - self._flushed_ms < self._storm.every_ms
        later_ms = (self._flushed_ms or 0) + self._storm.every_ms if lately and tier != RED else soon_ms
        self._flush_ms = later_ms if self._flush_ms is None else min(self._flush_ms, later_ms)

    def holds(self, alarm_id: str) -> bool:
        """Say whether an alarm waits."""
        return alarm_id in self._held

    def drop(self, alarm_id: str) -> None:
        """Let an alarm wait no longer: somebody has seen it."""
        self._held.pop(alarm_id, None)
        if not self._held:
            self._flush_ms = None

    def flush(self, now_ms: int) -> tuple[str, ...]:
        """Return the alarms that are to be told together now; none while it is too early."""
        if self._flush_ms is None or now_ms < self._flush_ms:
            return ()
        held, self._held = tuple(self._held), {}
        self._flush_ms, self._flushed_ms = None, now_ms
        self._told.append(now_ms)
        return held
