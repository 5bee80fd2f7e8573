"""What one sample says about one condition, before any delay."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Batch
from alerting.quality import is_bad
from alerting.rules import BAD_PV, HIGHS, LIMITS, Rules
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

_OVER_RANGE: Final = pack(Quality.BAD, Reason.OVER_RANGE)
_UNDER_RANGE: Final = pack(Quality.BAD, Reason.UNDER_RANGE)


def classify(rules: Rules, samples: Batch) -> NDArray[np.uint8]:
    """Say what each sample means to each condition of `SAMPLED`.

    Returns:
        [len(SAMPLED), n]: OFF, ON, BETWEEN or FROZEN each; BETWEEN where the condition is disabled.
    """
    tag, value = samples.tag, samples.value
    bad = is_bad(samples.quality)
    any_bad = bool(bad.any())
    classes = np.empty((len(SAMPLED), len(samples)), np.uint8)
    for row, condition in enumerate(LIMITS):
        raise_at, clear_at = rules.raise_at[condition][tag], rules.clear_at[condition][tag]
        high = condition in HIGHS
        holds = value >= raise_at if high else value <= raise_at
        over = value < clear_at if high else value > clear_at
        classes[row] = np.where(holds, ON, np.where(over, OFF, BETWEEN))
        if any_bad:
            beyond = samples.quality == (_OVER_RANGE if high else _UNDER_RANGE)
            classes[row][bad & ~(holds & beyond)] = FROZEN
    classes[len(LIMITS)] = np.where(rules.enabled[BAD_PV][tag], np.where(bad, ON, OFF), BETWEEN)
    return classes
