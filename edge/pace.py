"""How fast a backlog may go: bounded, and only while live data gets through."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Pace"]

BEHIND_S = 1.0
"""Live frames that wait this long for their confirmation have the way to themselves."""
FRAMES = 8
"""Sent at a time, so that a live frame never waits behind more."""


class Pace:
    """A bound on the rate, and right of way for others.

    Args:
        samples_per_s: At most.
        live_waited_s: For how long live frames have waited for a confirmation.
    """

    look_again_s = 0.2
    frames = FRAMES

    def __init__(self, samples_per_s: float, live_waited_s: Callable[[], float]) -> None:
        self._samples_per_s = samples_per_s
        self._live_waited_s = live_waited_s

    def may_go(self) -> bool:
        """Say whether live data gets through."""
        return self._live_waited_s() < BEHIND_S

    def rest_s(self, samples: int) -> float:
        """Return how long to pause after so many samples."""
        return samples / self._samples_per_s
