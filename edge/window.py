"""Which frame to send next: go-back-N with a window, arithmetic only."""

from __future__ import annotations

__all__ = ["Window"]

STANDSTILL_S = 1.0
"""A `kept` that does not move makes us go back at most this often: one gap makes a gateway say it many times."""


class Window:
    """Frames of one epoch between "confirmed" and "sent".

    A pass begins at the oldest unconfirmed frame and goes on in order. Nothing is sent beyond ``size`` unconfirmed
    frames. When `kept` does not move for ``resend_after_s``, a new pass begins with a window of one frame, so that an
    absent gateway costs one frame per pass and not a queue full of repetitions in its broker; the first sign of life
    opens the window again.

    Args:
        size: Most frames sent and not confirmed.
        resend_after_s: Longest wait for a `kept` that moves.
    """

    def __init__(self, size: int, resend_after_s: float) -> None:
        self._size = size
        self._resend_after_s = resend_after_s
        self._open = size
        self._began_s = 0.0
        self._moved_s = 0.0
        self.upto = 0
        """Highest seq confirmed."""
        self.cursor = 0
        """Highest seq sent in this pass."""
        self.first = True
        """Nothing has been sent in this pass."""

    @property
    def room(self) -> int:
        """How many frames may be sent now."""
        return max(0, self._open - (self.cursor - self.upto))

    def begin(self, now_s: float, upto: int) -> None:
        """Begin afresh on a new connection or with a new epoch, of which ``upto`` is confirmed."""
        self.upto = upto
        self._open = self._size
        self._go_back(now_s)

    def sent(self, seq: int, now_s: float) -> None:
        """Note that a frame was sent."""
        if self.cursor <= self.upto:  # nothing was under way: the wait for its confirmation begins
            self._moved_s = now_s
        self.cursor = seq
        self.first = False

    def confirmed(self, upto: int, now_s: float) -> bool:
        """Take in what `kept` says.

        Returns:
            True when a new pass has begun: the gateway stands still although it has been sent more.
        """
        if upto > self.upto:
            self.upto = upto
            self.cursor = max(self.cursor, upto)
            self._open = self._size
            self._moved_s = now_s
            return False
        if upto == self.upto and self.cursor > upto and now_s - self._began_s >= STANDSTILL_S:
            self._open = self._size
            self._go_back(now_s)
            return True
        return False

    def overdue_s(self, now_s: float) -> float | None:
        """Return how long until the confirmation is overdue, 0 or less when it is; None when nothing is awaited."""
        if self.cursor <= self.upto:
            return None
        return self._moved_s + self._resend_after_s - now_s

    def waited_s(self, now_s: float) -> float:
        """Return for how long no confirmation has come although one is awaited."""
        return 0.0 if self.cursor <= self.upto else now_s - self._moved_s

    def probe(self, now_s: float) -> None:
        """Begin a pass of one frame because the confirmation is overdue."""
        self._open = 1
        self._go_back(now_s)

    def _go_back(self, now_s: float) -> None:
        self.cursor = self.upto
        self.first = True
        self._began_s = self._moved_s = now_s
