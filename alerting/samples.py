"""A batch on its way through the engine: wide row numbers, effective times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Batch
from alerting.quality import CLOCK_SUSPECT
from alerting.segments import order_by

__all__ = ["Samples"]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples in an order in which those of one tag come as they arrived. All arrays have the same length n."""

    row: NDArray[np.int64]
    """Row of the tag. As wide as an index, for numpy would widen it again at each use."""
    time_ms: NDArray[np.int64]
    """Effective time: source time, or gateway clock of receipt where the source's clock is suspect."""
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    suspect: NDArray[np.bool_]
    """The source's clock is not to be trusted."""
    arrival: NDArray[np.int64]
    """Position in the order of arrival, of all tags."""
    distinct: bool
    """No tag has two of them."""

    @classmethod
    def of(cls, batch: Batch, received_ms: int, place: NDArray[np.int32]) -> Samples:
        """Return a batch received at ``received_ms``, gateway clock.

        Args:
            batch: In order of arrival.
            received_ms: Gateway clock.
            place: [row], scratch.
        """
        suspect = batch.quality == CLOCK_SUSPECT
        time_ms = np.where(suspect, received_ms, batch.time_ms) if suspect.any() else batch.time_ms
        row, arrival = batch.tag.astype(np.int64), np.arange(len(batch))
        distinct = _is_distinct(row, place)
        return cls(row, time_ms, batch.value, batch.quality, suspect, arrival, distinct)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.row)

    def by_tag(self) -> Samples:
        """Return the samples sorted by tag; samples of distinct tags as they are."""
        if self.distinct or not (self.row[1:] < self.row[:-1]).any():
            return self
        return self.take(order_by(self.row))

    def take(self, positions: NDArray[np.int64]) -> Samples:
        """Return the samples at ``positions``, in that order."""
        return Samples(
            self.row.take(positions),
            self.time_ms.take(positions),
            self.value.take(positions),
            self.quality.take(positions),
            self.suspect.take(positions),
            self.arrival.take(positions),
            self.distinct,
        )


def _is_distinct(row: NDArray[np.int64], place: NDArray[np.int32]) -> bool:
    """Say whether no row is there twice: what one sample writes to its place, another would overwrite."""
    if (row[1:] > row[:-1]).all():
        return True
    number = np.arange(len(row), dtype=np.int32)
    place[row] = number
    return bool((place.take(row) == number).all())
