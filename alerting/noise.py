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
_OUTER, _WIDE = 0.01, 0.4
"""Steps are sought without the outermost values, among the gaps that are wide beside the widest."""
_OFF_STEP, _ON_STEPS = 0.1, 0.95
"""Values come in steps when so many of them lie within this part of a step from a whole one."""
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
    """Return the step of values that come in equal steps, give or take a little; 0 when they do not."""
    values = np.sort(y[:: max(len(y) // _LOOKED_AT, 1)])
    cut = int(_OUTER * len(values))
    gap = np.diff(values[cut : len(values) - cut])
    widest = float(gap.max(initial=0.0))
    if not widest:
        return 0.0
    step = float(gap[gap >= _WIDE * widest].min())
    steps = (values - _level(y)) / step
    on_steps = float((np.abs(steps - np.round(steps)) < _OFF_STEP).mean())
    return step if on_steps >= _ON_STEPS else 0.0


def _level(y: Floats) -> float:
    """Return a usual value that really occurs."""
    return float(np.quantile(y, 0.5, method="nearest"))


def outside_step(y: Floats, limit: float) -> float:
    """Return the limit, or where values come in steps the middle between two of them that is next above it."""
    step = step_of(y)
    if not step:
        return limit
    base = _level(y)
    return base + (math.ceil((limit - base) / step - 0.5) + 0.5) * step


def below_step(y: Floats, level: float) -> float:
    """Return the level, or where values come in steps the middle between it and the one below."""
    return level - step_of(y) / 2.0
