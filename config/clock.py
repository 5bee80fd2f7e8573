"""The one place that reads a clock; everything else is given a `Clock`."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What the time is and how long something took."""

    def wall_ms(self) -> int:
        """UTC, milliseconds since 1970; may be stepped by an administrator."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary moment; never goes back. For durations."""
        ...


class SystemClock:
    """The clock of this machine."""

    def wall_ms(self) -> int:
        """UTC, milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Seconds since boot or so."""
        return time.monotonic()
