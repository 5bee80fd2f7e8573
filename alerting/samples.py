"""A batch on its way through the engine: wide row numbers, effective times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Batch
from alerting.quality import CLOCK_SUSPECT
from alerting.segments import order_by

__all__ = ["Samples", "last_of_each"]


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
    distinct: bool
    """No tag has two of them."""
    positions: NDArray[np.int64] | None = None
    """Positions in the order of arrival, of all tags; None: as they are."""
    last: NDArray[np.int64] | None = None
    """Positions of the last sample of each tag, where that is known already."""

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
        row = batch.tag.astype(np.int64)
        last = last_of_each(row, place)
        distinct = len(last) == len(row)
        return cls(row, time_ms, batch.value, batch.quality, suspect, distinct, None, last)

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
            self.distinct,
            positions if self.positions is None else self.positions.take(positions),
        )

    @property
    def arrival(self) -> NDArray[np.int64]:
        """Position of each sample in the order of arrival, of all tags."""
        return np.arange(len(self)) if self.positions is None else self.positions


def last_of_each(row: NDArray[np.int64], place: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the positions of the last sample of each tag: what it writes to its place, no other overwrites.

    Args:
        row: n rows.
        place: [row], scratch.
    """
    number = np.arange(len(row), dtype=np.int32)
    place[row] = number
    return np.flatnonzero(place.take(row) == number)
