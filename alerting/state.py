"""What the engine remembers: one array per quantity, one place per tag (or per condition and tag)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.quality import CLOCK_SUSPECT
from alerting.rings import Rings
from config.contract.quality import Quality, Reason, pack
from config.plant.model import CONDITIONS

__all__ = ["COUNTING", "IDLE", "NEVER_MS", "SUSPENDED", "UNHEARD", "State"]

IDLE: Final = 0
"""Nothing is on its way to change the condition."""
SUSPENDED: Final = 1
"""A run is on its way, but the last sample says nothing: no time is added."""
COUNTING: Final = 2
"""A run is on its way and the last sample belongs to it: time is added while it holds."""

NEVER_MS: Final = 1 << 62
"""`State.heard_ms` before the silence of a tag is counted: later than any clock, so the first look sets it."""

UNHEARD: Final = pack(Quality.BAD, Reason.NOT_FINITE)
"""Quality of a tag that never sent a sample."""


@dataclass(slots=True, eq=False)
class State:
    """Everything that decides what the next sample or tick will do.

    About 340 bytes per tag, and 552 more for the window of a tag that has one; `hazgate bench core` prints it.
    """

    clock_ms: NDArray[np.int64]
    """[row]: latest trusted source time evaluated; -1 before."""
    received_ms: NDArray[np.int64]
    """[row]: gateway clock of the last evaluated sample; -1 before."""
    heard_ms: NDArray[np.int64]
    """[row]: gateway clock since which the tag is silent: its last sample, or the gateway's start if later."""
    value: NDArray[np.float64]
    """[row]: last evaluated value; NaN before."""
    quality: NDArray[np.uint8]
    """[row]: its quality byte; `UNHEARD` before."""
    stale: NDArray[np.bool_]
    """[row]: silent for longer than its allowance (whether or not STALE is enabled)."""
    busy: NDArray[np.bool_]
    """[row]: some condition that samples decide is active or on its way."""
    active: NDArray[np.bool_]
    """[condition, row]: the alarm is raised."""
    pending: NDArray[np.uint8]
    """[condition, row]: IDLE, SUSPENDED or COUNTING towards the change of ``active``."""
    onset_ms: NDArray[np.int64]
    """[condition, row]: onset of the active alarm, or of the pending run that would raise one; else 0."""
    held_ms: NDArray[np.int64]
    """[condition, row]: time the pending run was held before the last evaluated sample; else 0."""
    changed_ms: NDArray[np.int64]
    """[condition, row]: time of the last transition; 0 before."""
    reference: NDArray[np.float64]
    """[row]: what the last evaluated sample was compared with while a run of DEV is counting; else NaN."""
    rings: Rings
    """The windows."""
    latest_ms: int
    """No ``heard_ms`` is later than this."""

    @classmethod
    def fresh(cls, rows: int, rings: int = 0) -> State:
        """Return the state of tags that were never heard and whose silence does not count yet.

        Args:
            rows: Number of tags.
            rings: Number of tags that have a window.
        """
        table = (len(CONDITIONS), rows)
        return cls(
            clock_ms=np.full(rows, -1, np.int64),
            received_ms=np.full(rows, -1, np.int64),
            heard_ms=np.full(rows, NEVER_MS, np.int64),
            value=np.full(rows, np.nan),
            quality=np.full(rows, UNHEARD, np.uint8),
            stale=np.zeros(rows, np.bool_),
            busy=np.zeros(rows, np.bool_),
            active=np.zeros(table, np.bool_),
            pending=np.zeros(table, np.uint8),
            onset_ms=np.zeros(table, np.int64),
            held_ms=np.zeros(table, np.int64),
            changed_ms=np.zeros(table, np.int64),
            reference=np.full(rows, np.nan),
            rings=Rings.fresh(rings),
            latest_ms=NEVER_MS,
        )

    def last_ms(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the effective time of the last evaluated sample of each row."""
        suspect = self.quality.take(rows) == CLOCK_SUSPECT
        return np.where(suspect, self.received_ms.take(rows), self.clock_ms.take(rows))
