"""Samples in, verdicts and transitions out: the arrays that cross the border of the alarm core."""

from __future__ import annotations

from collections.abc import Sequence
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
    SAME_TIME = 3
    """Evaluated; of the same time as an earlier sample of its tag, with another value (so it may be a resend)."""


class Change(IntEnum):
    """What a transition says."""

    RAISED = 1
    CLEARED = 2


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Samples in order of arrival; any number per tag. All arrays have the same length n."""

    tag: NDArray[np.int32]
    """Row of the tag in the rules, 0 <= tag < rules.count."""
    time_ms: NDArray[np.int64]
    """Source time, UTC, >= 0."""
    value: NDArray[np.float64]
    """Canonical unit; NaN when there is no number."""
    quality: NDArray[np.uint8]
    """Packed as in `config.contract.quality`."""

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.tag)


@dataclass(frozen=True, slots=True, eq=False)
class Transitions:
    """Alarm transitions of one call, all arrays of the same length m.

    Ordered by (time_ms, tag, condition), and what happened to one tag and condition in the same millisecond in the
    order it happened. The transitions of one tag and condition alternate and never go back in time, so applying
    them from first to last always ends in the engine's own state.
    """

    tag: NDArray[np.int32]
    condition: NDArray[np.uint8]
    """Position in `config.plant.model.CONDITIONS`."""
    change: NDArray[np.uint8]
    """A `Change`."""
    onset_ms: NDArray[np.int64]
    """When the condition began to hold, also for CLEARED: (tag, condition, onset_ms) names the alarm.

    Source time; STALE: gateway clock.
    """
    time_ms: NDArray[np.int64]
    """When the delay was over, exactly (not when it was noticed). Source time; STALE: gateway clock."""
    value: NDArray[np.float64]
    """The deciding sample: the one that stood for the process when the delay was over.

    STALE: the last sample before the silence (NaN when there was none), the first one after it.
    """
    quality: NDArray[np.uint8]
    """Quality byte of that sample; says why BAD_PV was raised."""
    limit: NDArray[np.float64]
    """The limit in force; NaN for STALE and BAD_PV."""
    measure: NDArray[np.float64]
    """What was compared with the limit where that is not the value: slope per minute, minutes left, deviation, range.

    NaN for the other conditions, and where nobody remembers.
    """
    low: NDArray[np.float64]
    """Slope and minutes left: the ends of the 99 % interval; deviation: the reference, twice; else NaN."""
    high: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of transitions."""
        return len(self.tag)

    @classmethod
    def empty(cls) -> Transitions:
        """Return no transitions."""
        return _NONE

    @classmethod
    def concat(cls, parts: Sequence[Transitions]) -> Transitions:
        """Return all parts as one, in the order of this class.

        What each part says about one tag and condition is kept in the order given.
        """
        some = [part for part in parts if len(part)]
        if not some:
            return _NONE
        columns = [np.concatenate([getattr(part, name) for part in some]) for name in cls.__slots__]
        whole = cls(*columns)
        order = np.lexsort((whole.condition, whole.tag, whole.time_ms))
        return cls(*(column[order] for column in columns))


_NONE = Transitions(
    tag=np.empty(0, np.int32),
    condition=np.empty(0, np.uint8),
    change=np.empty(0, np.uint8),
    onset_ms=np.empty(0, np.int64),
    time_ms=np.empty(0, np.int64),
    value=np.empty(0, np.float64),
    quality=np.empty(0, np.uint8),
    limit=np.empty(0, np.float64),
    measure=np.empty(0, np.float64),
    low=np.empty(0, np.float64),
    high=np.empty(0, np.float64),
)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What one batch did."""

    disposition: NDArray[np.uint8]
    """n, aligned with the batch: a `Disposition` each."""
    transitions: Transitions
