"""Slow twins of the kernels behind suggested limits: plain loops over samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["naive_slopes", "naive_sustained"]


def naive_slopes(time_ms: Sequence[int], value: Sequence[float], window_ms: int) -> list[float]:
    """Lay a line through the mean points of 16 slots, for each sample anew; NaN where there is none."""
    step_ms = max(1, math.ceil(window_ms / 16))
    slopes = []
    for last in range(len(time_ms)):
        slots: dict[int, list[int]] = {}
        for at in range(last + 1):
            slots.setdefault(time_ms[at] // step_ms, []).append(at)
        newest = time_ms[last] // step_ms
        points = [
            (sum(time_ms[at] - time_ms[0] for at in own) / len(own), sum(value[at] for at in own) / len(own))
            for slot, own in sorted(slots.items())
            if newest - 16 < slot
        ]
        enough = len(points) >= 6 and points[-1][0] - points[0][0] >= window_ms / 2
        at_ms, mean = np.array(points).T
        slopes.append(float(np.polyfit(at_ms, mean, 1)[0]) * 60_000 if enough else math.nan)
    return slopes


def naive_sustained(
    time_ms: Sequence[int], value: Sequence[float], usable: Sequence[bool], hold_ms: int, delay_ms: int
) -> list[float]:
    """Say for each usable sample which highest limit an on-delay would have let through there; -inf for none."""
    stands = [
        min(time_ms[at + 1] - time_ms[at], hold_ms) if at + 1 < len(time_ms) and usable[at] else 0
        for at in range(len(time_ms))
    ]
    there = [at for at in range(len(time_ms)) if usable[at]]
    found = []
    for position in range(len(there)):
        held, lowest = 0, math.inf
        for at in reversed(there[: position + 1]):
            held, lowest = held + stands[at], min(lowest, value[at])
            if held >= delay_ms:
                break
        found.append(lowest if held >= delay_ms else -math.inf)
    return found
