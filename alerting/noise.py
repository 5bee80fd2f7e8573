"""How finely a quantity is recorded and how much it flickers, and the deadband that follows."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["below_step", "deadband", "outside_step", "step_of"]

Floats = NDArray[np.float64]

_NOISES: Final = 3.0
"""Deadband in standard deviations of the short-time noise."""
_FEWEST_OF_EACH, _OFF_STEP = 10, 0.05
"""Values come in steps when each comes this often on average, and steps are whole but for so much."""
_LOOKED_AT: Final = 20_000


def deadband(y: Floats, limit: float) -> float:
    """Return three standard deviations of the short-time noise, at most half the way back to the middle.

    The noise is what neighbouring samples differ by, over the square root of 2: slow changes do not count.
    A deadband of a few times the noise keeps it from clearing and raising an alarm again (EEMUA 191); half the way
    back at most, so that the alarm ends when things are as usual.
    """
    change = np.diff(y)
    spread = 1.4826 * float(np.median(np.abs(change - np.median(change))))
    noise = (spread or float(change.std())) / math.sqrt(2.0)
    room = max(limit - float(np.median(y)), 0.0)
    return min(max(_NOISES * noise, step_of(y)), room / 2.0)


def step_of(y: Floats) -> float:
    """Return the step of values that come in equal steps; 0 when they do not."""
    levels = np.unique(y[:: max(len(y) // _LOOKED_AT, 1)])
    apart = np.diff(levels)
    if not len(apart) or len(levels) * _FEWEST_OF_EACH > len(y):
        return 0.0
    step = float(apart.min())
    whole = np.abs(apart / step - np.round(apart / step)) < _OFF_STEP
    return step if whole.all() else 0.0


def outside_step(y: Floats, limit: float) -> float:
    """Return the limit, or where values come in steps the middle between two of them that is next above it."""
    step = step_of(y)
    if not step:
        return limit
    base = float(y[0])
    return base + (math.ceil((limit - base) / step - 0.5) + 0.5) * step


def below_step(y: Floats, level: float) -> float:
    """Return the level, or where values come in steps the middle between it and the one below."""
    return level - step_of(y) / 2.0
