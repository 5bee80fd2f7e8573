"""Samples in, verdicts and transitions out: the arrays that cross the border of the alarm core."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Batch", "Change", "Disposition", "Evaluation", "Transitions"]


class Disposition(IntEnum):
    """What became of a sample."""

    EVALUATED = 0
    LATE = 1
    """Older than the last evaluated sample of its tag: stored and marked, never changes the live state."""
    DUPLICATE = 2
    """Same time and value as the last evaluated sample of its tag: dropped and counted."""


class Change(IntEnum):
    """What a transition says."""

    RAISED = 1
    CLEARED = 2


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples in order of arrival; any number per tag. All arrays have the same length n."""

    tag: NDArray[np.int32]
    """Row of the tag in the rules, 0 <= tag < rules.count."""
    time_ms: NDArray[np.int64]
    """Source time, UTC."""
    value: NDArray[np.float64]
    """Canonical unit; NaN when there is no number."""
    quality: NDArray[np.uint8]
    """Packed as in `config.contract.quality`."""


@dataclass(frozen=True, slots=True)
class Transitions:
    """Alarm transitions, ordered by (time_ms, tag, condition, change) within one call. Same length m."""

    tag: NDArray[np.int32]
    condition: NDArray[np.uint8]
    """Position in `config.plant.model.CONDITIONS`."""
    change: NDArray[np.uint8]
    """A `Change`."""
    onset_ms: NDArray[np.int64]
    """When the condition began to hold (the alarm's identity, with tag and condition). STALE: gateway clock."""
    time_ms: NDArray[np.int64]
    """When the delay was over, exactly (not when it was noticed). STALE: gateway clock."""
    value: NDArray[np.float64]
    """The sample that decided: for RAISED the value at ``onset_ms``... of the run, for CLEARED the first value back."""
    quality: NDArray[np.uint8]
    """Quality byte of that sample; says why BAD_PV was raised."""
    limit: NDArray[np.float64]
    """The limit in force; NaN for STALE and BAD_PV."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one batch did."""

    disposition: NDArray[np.uint8]
    """n, aligned with the batch: a `Disposition` each."""
    transitions: Transitions
