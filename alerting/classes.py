"""What one sample says about one condition, before any delay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from alerting.evidence import Evidence
from alerting.measures import forecast
from alerting.quality import is_bad
from alerting.rules import BAD_PV, DEV, FLATLINE, FORECAST, HIGHS, LIMITS, ROC_HIGH, ROC_LOW, SIGNS, Rules
from alerting.samples import Samples
from config.contract.quality import Quality, Reason, pack

__all__ = ["BETWEEN", "FROZEN", "OFF", "ON", "classify"]

OFF: Final = 0
"""The condition does not hold."""
ON: Final = 1
"""The condition holds."""
BETWEEN: Final = 2
"""Inside the deadband: it neither holds nor is it over."""
FROZEN: Final = 3
"""The sample says nothing: bad quality, too little in the window, nothing to compare with."""

_BEYOND: Final = np.array(
    [[pack(Quality.BAD, Reason.OVER_RANGE if limit in HIGHS else Reason.UNDER_RANGE)] for limit in LIMITS], np.uint8
)
"""Bad quality that says on which side the value is: it can raise a limit on that side."""

_USUAL: Final = len(LIMITS) + 1
"""So many of `Rules.sampled` look at nothing but the sample."""

Classes: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]


def classify(rules: Rules, samples: Samples, evidence: Evidence | None) -> Classes:
    """Say what each sample means to each condition of ``rules.sampled``.

    Args:
        rules: The rules in force.
        samples: n samples.
        evidence: What they show beyond their values; None when no condition asks for it.

    Returns:
        [len(rules.sampled), n]: OFF, ON, BETWEEN or FROZEN each; BETWEEN where the condition is disabled.
    """
    row, bad = samples.row, is_bad(samples.quality)
    classes = np.empty((len(rules.sampled), len(samples)), np.uint8)
    _judge_limits(rules, samples, bad, classes[: len(LIMITS)])
    classes[len(LIMITS)] = np.where(rules.enabled[BAD_PV].take(row), bad, BETWEEN)
    if evidence is not None:
        for line, condition in enumerate(rules.sampled[_USUAL:].tolist(), _USUAL):
            y, known = _LEVELS[condition](rules, samples, evidence)
            classes[line] = _judge(rules, condition, row, y, known)
    return classes


def _judge_limits(rules: Rules, samples: Samples, bad: Bools, limits: Classes) -> None:
    y = SIGNS * samples.value
    holds = y >= rules.raise_at.take(samples.row, axis=1)
    over = y < rules.clear_at.take(samples.row, axis=1)
    limits[...] = BETWEEN
    limits[over] = OFF
    limits[holds] = ON
    if bad.any():
        limits[bad & ~(holds & (samples.quality == _BEYOND))] = FROZEN


def _judge(rules: Rules, condition: int, row: NDArray[np.int64], y: Floats, known: Bools) -> Classes:
    """Compare what a condition looks at with its limit: it holds at or beyond it."""
    sign = -1.0 if condition in _LESS_IS_WORSE else 1.0
    raise_at = sign * rules.limit[condition].take(row)
    classes = np.full(len(row), BETWEEN, np.uint8)
    classes[y < raise_at - rules.deadband[condition].take(row)] = OFF
    classes[y >= raise_at] = ON
    classes[~known] = FROZEN
    classes[~rules.enabled[condition].take(row)] = BETWEEN
    return classes


_LESS_IS_WORSE: Final = (FORECAST, FLATLINE)
"""Minutes left and ranges: y is what was measured, negated."""

_Level: TypeAlias = Callable[[Rules, Samples, Evidence], tuple[Floats, Bools]]


def _rise(_rules: Rules, _samples: Samples, evidence: Evidence) -> tuple[Floats, Bools]:
    return evidence.looks.slope, evidence.looks.formed


def _fall(_rules: Rules, _samples: Samples, evidence: Evidence) -> tuple[Floats, Bools]:
    return -evidence.looks.slope, evidence.looks.formed


def _nearness(rules: Rules, samples: Samples, evidence: Evidence) -> tuple[Floats, Bools]:
    return -forecast(rules, samples.row, samples.value, evidence.looks).measure, evidence.looks.formed


def _distance(_rules: Rules, samples: Samples, evidence: Evidence) -> tuple[Floats, Bools]:
    return np.abs(samples.value - evidence.reference), evidence.comparable


def _flatness(_rules: Rules, _samples: Samples, evidence: Evidence) -> tuple[Floats, Bools]:
    return -evidence.looks.range, evidence.looks.formed


_LEVELS: Final[Mapping[int, _Level]] = {
    ROC_HIGH: _rise,
    ROC_LOW: _fall,
    FORECAST: _nearness,
    DEV: _distance,
    FLATLINE: _flatness,
}
"""y of each condition, and where it is known."""
