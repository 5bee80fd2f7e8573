"""A clock that goes on only when told."""

from __future__ import annotations

__all__ = ["ManualClock"]


class ManualClock:
    """A `config.clock.Clock` set by hand; wall and monotonic go together unless the wall is stepped."""

    def __init__(self, wall_ms: int = 1_763_770_000_000) -> None:
        self._wall_ms = wall_ms
        self._monotonic_s = 1_000.0

    def wall_ms(self) -> int:
        """UTC, milliseconds since 1970."""
        return self._wall_ms

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary moment."""
        return self._monotonic_s

    def advance_s(self, seconds: float) -> None:
        """Let time pass."""
        self._monotonic_s += seconds
        self._wall_ms += round(seconds * 1000)

    def step_wall_ms(self, by_ms: int) -> None:
        """Set the wall clock, as an administrator does; no time passes."""
        self._wall_ms += by_ms
