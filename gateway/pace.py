"""How many samples a second, and how old they are when they are durable."""

from __future__ import annotations

from collections import deque
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from config.clock import Clock

__all__ = ["Figures", "Pace"]

_TAKEN_PER_BATCH = 32
_BATCHES = 2_000
_SANE_DELAY_MS = 3_600_000
"""Older (recorded data being replayed) or younger than this is not a delay of ours."""
_RATE_OVER_S = 5.0


class Figures(TypedDict):
    """Fields of `gateway.live.Health`."""

    samples: int
    samples_per_s: float
    delay_p50_ms: float
    delay_p99_ms: float


class Pace:
    """Counts samples and remembers the delay of a few of every batch."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples = 0
        self._marks: deque[tuple[float, int]] = deque([(clock.monotonic_s(), 0)])
        self._delays: deque[NDArray[np.int64]] = deque(maxlen=_BATCHES)

    def note(self, time_ms: NDArray[np.int64], clock: Clock) -> None:
        """Count a batch; its delay is from source time to now.

        Args:
            time_ms: Source times of the batch.
            clock: Wall clock.
        """
        self._samples += len(time_ms)
        step = max(1, len(time_ms) // _TAKEN_PER_BATCH)
        delay_ms = clock.wall_ms() - time_ms[::step]
        self._delays.append(delay_ms[np.abs(delay_ms) < _SANE_DELAY_MS])

    def figures(self) -> Figures:
        """Return the rate over the last seconds and the quantiles of the delays since the last call."""
        now_s = self._clock.monotonic_s()
        self._marks.append((now_s, self._samples))
        while now_s - self._marks[0][0] > _RATE_OVER_S and len(self._marks) > 1:
            self._marks.popleft()
        began_s, began = self._marks[0]
        rate = (self._samples - began) / (now_s - began_s) if now_s > began_s else 0.0
        delays = np.concatenate(self._delays) if self._delays else np.empty(0, np.int64)
        self._delays.clear()
        p50, p99 = np.percentile(delays, (50, 99)) if len(delays) else (0.0, 0.0)
        return Figures(samples=self._samples, samples_per_s=rate, delay_p50_ms=float(p50), delay_p99_ms=float(p99))
