"""A batch on its way through the engine: wide row numbers, effective times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Batch
from alerting.quality import CLOCK_SUSPECT

__all__ = ["Samples"]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples in order of arrival, at least within a tag. All arrays have the same length n."""

    row: NDArray[np.int64]
    """Row of the tag. As wide as an index, for numpy would widen it again at each use."""
    time_ms: NDArray[np.int64]
    """Effective time: source time, or gateway clock of receipt where the source's clock is suspect."""
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    suspect: NDArray[np.bool_]
    """The source's clock is not to be trusted."""

    @classmethod
    def of(cls, batch: Batch, received_ms: int) -> Samples:
        """Return a batch received at ``received_ms``, gateway clock."""
        suspect = batch.quality == CLOCK_SUSPECT
        time_ms = np.where(suspect, received_ms, batch.time_ms) if suspect.any() else batch.time_ms
        return cls(batch.tag.astype(np.int64), time_ms, batch.value, batch.quality, suspect)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.row)

    def take(self, positions: NDArray[np.int64]) -> Samples:
        """Return the samples at ``positions``, in that order."""
        return Samples(
            self.row.take(positions),
            self.time_ms.take(positions),
            self.value.take(positions),
            self.quality.take(positions),
            self.suspect.take(positions),
        )
