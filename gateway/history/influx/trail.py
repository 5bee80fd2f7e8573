"""How far a server has taken things, and how far that can be trusted: servers acknowledge what a crash still takes."""

from __future__ import annotations

from collections import deque

__all__ = ["Trail"]


class Trail:
    """A position that goes ahead, and one that follows at a distance in time.

    Args:
        position: Both, at the beginning.
        horizon_s: What was acknowledged within this time may still get lost with the server.
    """

    def __init__(self, position: int, horizon_s: float) -> None:
        self._horizon_s = horizon_s
        self._taken: deque[tuple[float, int]] = deque()
        self._safe = position
        self.position = position
        """Everything up to here has been acknowledged."""

    def advance(self, position: int, now_s: float) -> None:
        """Note that everything up to a position has been acknowledged."""
        self.position = position
        self._taken.append((now_s, position))

    def safe(self, now_s: float) -> int:
        """Return the position up to which nothing will ever have to be sent again."""
        while self._taken and now_s - self._taken[0][0] >= self._horizon_s:
            self._safe = self._taken.popleft()[1]
        return self._safe

    def go_back(self, now_s: float) -> int:
        """Begin again at the safe position: the server may have lost the rest; returns by how much."""
        back = self.position - self.safe(now_s)
        self.position = self._safe
        self._taken.clear()
        return back
