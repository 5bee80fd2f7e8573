"""Counts what became of the samples of every edge, by name (`gateway.ledger`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Batch, Disposition
from config.contract.quality import Quality
from config.plant.model import Plant
from gateway.ledger import Count

__all__ = ["Tally"]

_SKEW_MS = 2_000
"""A source clock this far ahead of ours is shown per edge."""


class Tally:
    """Knows whose tags the rows are.

    Args:
        plant: Which tag belongs to which edge.
        names: Row -> tag name.
    """

    def __init__(self, plant: Plant, names: Sequence[str]) -> None:
        self._edges = tuple(plant.edges)
        numbers = {edge: number for number, edge in enumerate(self._edges)}
        of_row = [numbers[plant.tags[name].edge] if name in plant.tags else 0 for name in names]
        self._edge_of_row = np.array(of_row, np.int32)

    def add(
        self, batch: Batch, disposition: NDArray[np.uint8], received_ms: int, counts: dict[str, Counter[Count]]
    ) -> None:
        """Add a batch to the counts.

        Args:
            batch: Samples, quality as assessed.
            disposition: What became of each.
            received_ms: Gateway clock.
            counts: Edge -> counts; changed.
        """
        edge = self._edge_of_row[batch.tag]
        stored = disposition != Disposition.DUPLICATE
        columns = {
            Count.SAMPLES_STORED: stored,
            Count.SAMPLES_EVALUATED: stored & (disposition != Disposition.LATE),
            Count.SAMPLES_LATE: disposition == Disposition.LATE,
            Count.SAMPLES_DUPLICATE: ~stored,
            Count.SAMPLES_BAD: stored & ((batch.quality & 0b11) == Quality.BAD),
            Count.SAMPLES_SKEWED: batch.time_ms > received_ms + _SKEW_MS,
        }
        for name, mask in columns.items():
            if not mask.any():
                continue
            for index, count in enumerate(np.bincount(edge[mask], minlength=len(self._edges))):
                if count:
                    counts.setdefault(self._edges[index], Counter())[name] += int(count)
