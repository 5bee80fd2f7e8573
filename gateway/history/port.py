"""What the rest of the gateway asks of the history of samples, whichever store keeps it, and what feeds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.ingest.acceptance import DeadLetter

__all__ = [
    "Behind",
    "HistoryBatch",
    "HistoryReader",
    "HistoryRows",
    "HistoryWriter",
    "LogEntry",
    "LogReader",
    "MinMaxRows",
    "Outline",
    "Stretch",
    "outlines_of",
]


@dataclass(frozen=True, slots=True)
class HistoryRows:
    """Stored samples of one tag. Arrays of the same length n, ordered by (``time_ms``, ``received_ms``)."""

    time_ms: NDArray[np.int64]
    """Source time, UTC."""
    received_ms: NDArray[np.int64]
    """Gateway clock."""
    value: NDArray[np.float64]
    """Canonical unit; NaN when there was no number."""
    quality: NDArray[np.uint8]
    """Packed as in `config.contract.quality`."""
    late: NDArray[np.bool_]
    """The sample arrived after a newer one of its tag had been evaluated."""


@dataclass(frozen=True, slots=True)
class MinMaxRows:
    """Stored samples of one tag, folded into buckets. Arrays of the same length m, ordered by ``start_ms``.

    A bucket without any sample has no row. ``minimum``, ``maximum``, ``first`` and ``last`` are taken over the
    samples that have a number and whose quality is not bad; they are NaN when the bucket has no such sample.
    ``count`` and ``quality`` are taken over all samples of the bucket.
    """

    start_ms: NDArray[np.int64]
    """Where the bucket begins; it ends where the next one of the same width would begin."""
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    first: NDArray[np.float64]
    """Value of the earliest sample by source time."""
    last: NDArray[np.float64]
    """Value of the latest sample by source time."""
    count: NDArray[np.int64]
    """Samples in the bucket, bad and empty ones included; at least 1."""
    quality: NDArray[np.uint8]
    """The packed quality of the sample with the worst severity (the low two bits)."""


@dataclass(frozen=True, slots=True)
class Outline:
    """How far stored samples of one tag went, by bucket. Arrays of the same length m, ordered by ``start_ms``.

    The same as these columns of `MinMaxRows`, without the buckets in which nothing was good enough to have a number.
    """

    start_ms: NDArray[np.int64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Stored samples of one tag, as much as an evaluation needs. Arrays of the same length n, ordered by time."""

    time_ms: NDArray[np.int64]
    """Source time, UTC."""
    value: NDArray[np.float64]
    """Canonical unit; NaN when there was no number."""
    quality: NDArray[np.uint8]


class HistoryReader(Protocol):
    """Reads the history of samples. Safe to call from several threads at once; never waits for the writer's batch."""

    def samples(self, tag_id: int, from_ms: int, to_ms: int, limit: int) -> HistoryRows:
        """Return at most the first ``limit`` samples with ``from_ms <= time_ms < to_ms``, in time order.

        An unknown ``tag_id`` or an empty span gives no rows.

        Raises:
            HistoryError: The store cannot be read.
        """
        ...

    def stretch(self, tag_id: int, from_ms: int, to_ms: int) -> Stretch:
        """Return all samples with ``from_ms <= time_ms < to_ms``, in time order: a column as it is, as fast as can be.

        Raises:
            HistoryError: The store cannot be read.
        """
        ...

    def min_max(self, tag_id: int, from_ms: int, to_ms: int, buckets: int) -> MinMaxRows:
        """Fold the samples with ``from_ms <= time_ms < to_ms`` into at most ``buckets`` buckets of equal width.

        Buckets begin at ``from_ms`` and are ``ceil((to_ms - from_ms) / buckets)`` ms wide (at least 1 ms); the last
        one may reach beyond ``to_ms`` but takes only samples before it. An unknown ``tag_id`` or an empty span gives
        no rows.

        Raises:
            HistoryError: The store cannot be read.
        """
        ...

    def outlines(self, tag_ids: Sequence[int], from_ms: int, to_ms: int, buckets: int) -> dict[int, Outline]:
        """Return the outlines of some tags, in one question; buckets are those of `min_max`.

        A tag without a sample that has a number and is not bad has no outline.

        Raises:
            HistoryError: The store cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class HistoryBatch:
    """Samples to be stored, of any tags. Arrays of the same length n, in order of arrival."""

    tag_id: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    """Source time, UTC."""
    received_ms: NDArray[np.int64]
    """Gateway clock."""
    value: NDArray[np.float64]
    """Canonical unit; NaN when there is no number."""
    quality: NDArray[np.uint8]
    late: NDArray[np.bool_]
    recheck: NDArray[np.bool_]
    """The sample may be stored already: it is taken only if its tag has no sample of the same time and value."""


class HistoryWriter(Protocol):
    """Takes samples together with the place in the log they come from. For one thread."""

    def position(self) -> int:
        """Return the log position up to which everything has been taken; 0 at the beginning. For any thread."""
        ...

    def needless(self) -> int:
        """Return the log position up to which nothing will ever have to be written again. For any thread."""
        ...

    def cursors(self) -> Mapping[str, int]:
        """See `Behind.cursors`."""
        ...

    def rejected(self) -> Sequence[DeadLetter]:
        """See `Behind.rejected`."""
        ...

    def recorded(self, count: int) -> None:
        """See `Behind.recorded`."""
        ...

    def append(self, batch: HistoryBatch, position: int) -> int:
        """Store samples and the log position they reach up to, both or neither.

        Returns:
            How many rechecked samples were there already and were dropped.

        Raises:
            HistoryError: Nothing was stored, or it is not known whether; `position` tells.
        """
        ...

    def settle(self) -> bool:
        """Do a bounded piece (a fraction of a second) of the store's own housekeeping, if there is any to do.

        Returns:
            Whether something was done.

        Raises:
            HistoryError: It could not be done; nothing is lost.
        """
        ...


class Behind(Protocol):
    """What the pipeline asks of whoever carries the log into the history. For any thread, and never waits."""

    def wake(self) -> None:
        """Say that there is something new in the log."""
        ...

    def needless(self) -> int:
        """Return the log position up to which no row is needed any more."""
        ...

    def cursors(self) -> Mapping[str, int]:
        """Return positions that are to be kept in the records, by follower; none where the store keeps its own."""
        ...

    def rejected(self) -> Sequence[DeadLetter]:
        """Return what the store will never take, to be kept as dead letters."""
        ...

    def recorded(self, count: int) -> None:
        """Say that the first ``count`` of `rejected` are kept."""
        ...


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A row of samples of the log. Arrays of the same length n, in order of arrival."""

    position: int
    received_ms: int
    tag: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    disposition: NDArray[np.uint8]
    """`alerting.batch.Disposition`: DUPLICATE is not stored, LATE is stored and marked."""
    recheck: NDArray[np.bool_]
    """The sample is not newer than all earlier ones of its tag, so it may be there already (a resend)."""


class LogReader(Protocol):
    """Reads the log for a follower."""

    def read_after(self, position: int, max_samples: int) -> tuple[Sequence[LogEntry], int]:
        """Return rows of samples after ``position``, oldest first.

        Returns:
            At least one row if there is any, together about ``max_samples`` samples at most; and the position up to
            which nothing else is to be read (ticks are skipped).

        Raises:
            RecordsError: The log cannot be read.
        """
        ...


def outlines_of(
    tag_id: NDArray[np.int64],
    start_ms: NDArray[np.int64],
    minimum: NDArray[np.float64],
    maximum: NDArray[np.float64],
) -> dict[int, Outline]:
    """Return the outlines that stand one below the other in columns, ordered by tag and time."""
    tags, begins = np.unique(tag_id, return_index=True)
    rows = (np.split(column, begins[1:]) for column in (start_ms, minimum, maximum))
    return {one: Outline(*columns) for one, *columns in zip(tags.tolist(), *rows, strict=False)}
