"""The quality in force: what the source says, plus what the gateway can see for itself."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Batch
from alerting.rules import Rules
from config.contract.quality import Quality, Reason, pack

__all__ = ["CLOCK_AHEAD_MS", "CLOCK_SUSPECT", "assess", "is_bad"]

CLOCK_AHEAD_MS: Final = 5 * 60 * 1000
"""A source time further ahead of the gateway than this is not to be trusted."""

CLOCK_SUSPECT: Final = pack(Quality.BAD, Reason.CLOCK_SUSPECT)
"""Quality byte of a sample whose source time is not to be trusted."""

_SEVERITY: Final = 0b11
_NOT_FINITE: Final = pack(Quality.BAD, Reason.NOT_FINITE)
_OVER_RANGE: Final = pack(Quality.BAD, Reason.OVER_RANGE)
_UNDER_RANGE: Final = pack(Quality.BAD, Reason.UNDER_RANGE)


def is_bad(quality: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Say which quality bytes mean bad (uncertain is not)."""
    return (quality & _SEVERITY) >= int(Quality.BAD)


def assess(rules: Rules, batch: Batch, received_ms: int) -> NDArray[np.uint8]:
    """Return the quality byte in force for every sample.

    In this order: a source time more than five minutes ahead of the gateway is bad (CLOCK_SUSPECT) whatever else is
    wrong, for its time must not be used; what is bad already keeps its reason; a value that is not finite is bad
    (NOT_FINITE); so is one beyond the instrument's range and its saturation band (OVER_RANGE, UNDER_RANGE); anything
    else keeps the quality it came with.

    Args:
        rules: Where the instrument ranges come from.
        batch: Samples as they came.
        received_ms: Gateway clock when they came.

    Returns:
        n bytes; the batch's own array when nothing had to be changed.
    """
    value, quality, row = batch.value, batch.quality, batch.tag.astype(np.int64)
    over = value > rules.ceiling.take(row)
    under = value < rules.floor.take(row)
    finite = np.isfinite(value)
    suspect = batch.time_ms > received_ms + CLOCK_AHEAD_MS
    if finite.all() and not (over.any() or under.any() or suspect.any()):
        return quality
    found = np.select(
        [suspect, is_bad(quality), ~finite, over, under],
        [np.uint8(CLOCK_SUSPECT), quality, np.uint8(_NOT_FINITE), np.uint8(_OVER_RANGE), np.uint8(_UNDER_RANGE)],
        default=quality,
    )
    return found.astype(np.uint8, copy=False)
