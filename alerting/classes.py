"""What one sample says about one condition, before any delay."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.quality import is_bad
from alerting.rules import BAD_PV, HIGHS, LIMITS, SIGNS, Rules
from alerting.samples import Samples
from config.contract.quality import Quality, Reason, pack

__all__ = ["BETWEEN", "FROZEN", "OFF", "ON", "SAMPLED", "classify"]

OFF: Final = 0
"""The condition does not hold."""
ON: Final = 1
"""The condition holds."""
BETWEEN: Final = 2
"""Inside the deadband: it neither holds nor is it over."""
FROZEN: Final = 3
"""The sample says nothing: bad quality."""

SAMPLED: Final = (*LIMITS, BAD_PV)
"""Conditions that samples decide, in the order of the rows of `classify`."""

_BEYOND: Final = np.array(
    [[pack(Quality.BAD, Reason.OVER_RANGE if limit in HIGHS else Reason.UNDER_RANGE)] for limit in LIMITS], np.uint8
)
"""Bad quality that says on which side the value is: it can raise a limit on that side."""


def classify(rules: Rules, samples: Samples) -> NDArray[np.uint8]:
    """Say what each sample means to each condition of `SAMPLED`.

    Returns:
        [len(SAMPLED), n]: OFF, ON, BETWEEN or FROZEN each; BETWEEN where the condition is disabled.
    """
    row, bad = samples.row, is_bad(samples.quality)
    y = SIGNS * samples.value
    holds = y >= rules.raise_at.take(row, axis=1)
    over = y < rules.clear_at.take(row, axis=1)
    classes = np.empty((len(SAMPLED), len(samples)), np.uint8)
    limits = classes[:-1]
    limits[...] = BETWEEN
    limits[over] = OFF
    limits[holds] = ON
    if bad.any():
        limits[bad & ~(holds & (samples.quality == _BEYOND))] = FROZEN
    classes[-1] = np.where(rules.enabled[BAD_PV].take(row), bad, BETWEEN)
    return classes
