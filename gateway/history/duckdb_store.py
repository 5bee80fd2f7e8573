"""The history of samples in a DuckDB file: exactly once from the log, quick to read by tag and time.

Samples arrive in the order of time, all tags mixed, and are read one tag at a time. So they live in two tables:
``recent`` as they came, and ``settled`` in runs of some two million rows sorted by tag, in which the zone maps let a
read of one tag skip nearly everything. A run moves in pieces, some tags at a time, each in a transaction of its own, so
that nobody waits long for the disk; the view ``sample`` is both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import duckdb
import numpy as np
import structlog
from numpy.typing import NDArray

from gateway.errors import HistoryError
from gateway.history.port import HistoryBatch, HistoryRows, MinMaxRows, Outline, Stretch, outlines_of
from gateway.ingest.acceptance import DeadLetter

__all__ = ["HistoryStore", "count_rows"]

_COLUMNS = "tag_id, time_ms, received_ms, value, quality, late"
_TABLE = """(
    tag_id INTEGER NOT NULL,
    time_ms BIGINT NOT NULL,      -- source time, UTC
    received_ms BIGINT NOT NULL,  -- gateway clock
    value DOUBLE,                 -- canonical unit; NULL when there was no number
    quality UTINYINT NOT NULL,    -- packed, config.contract.quality
    late BOOLEAN NOT NULL
)"""
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS recent {_TABLE};
CREATE TABLE IF NOT EXISTS settled {_TABLE};
CREATE VIEW IF NOT EXISTS sample AS FROM recent UNION ALL FROM settled;
CREATE TABLE IF NOT EXISTS progress (
    position BIGINT NOT NULL,    -- of the log; everything up to there is here
    duplicates BIGINT NOT NULL   -- rechecked samples that were here already
);
INSERT INTO progress SELECT 0, 0 WHERE NOT EXISTS (FROM progress);
"""
_INSERT_NEW = f"INSERT INTO recent SELECT {_COLUMNS} FROM batch WHERE NOT recheck"
_INSERT_RECHECKED = f"""
INSERT INTO recent
SELECT DISTINCT ON (tag_id, time_ms, value) {_COLUMNS} FROM batch
WHERE recheck AND NOT EXISTS (
    FROM sample AS there
    WHERE there.tag_id = batch.tag_id AND there.time_ms = batch.time_ms
        AND there.value IS NOT DISTINCT FROM batch.value
)
"""
_PIECE = "received_ms <= $upto_ms AND tag_id BETWEEN $first_tag AND $last_tag"
_SETTLE = f"INSERT INTO settled SELECT {_COLUMNS} FROM recent WHERE {_PIECE} ORDER BY tag_id, time_ms"
_UNSETTLE = f"DELETE FROM recent WHERE {_PIECE}"
_SAMPLES = f"""
SELECT {_COLUMNS} FROM sample
WHERE tag_id = $tag AND time_ms >= $from AND time_ms < $to
ORDER BY time_ms, received_ms LIMIT $limit
"""
_STRETCH = """
SELECT time_ms, value, quality FROM sample WHERE tag_id = $tag AND time_ms >= $from AND time_ms < $to
"""
_MIN_MAX = """
SELECT
    $from + (time_ms - $from) // $width * $width AS start_ms,
    min(value) FILTER (usable) AS minimum,
    max(value) FILTER (usable) AS maximum,
    arg_min(value, row(time_ms, received_ms)) FILTER (usable) AS first,
    arg_max(value, row(time_ms, received_ms)) FILTER (usable) AS last,
    count(*) AS count,
    max(((quality & 3) << 6) | (quality >> 2)) AS severity_first
FROM (
    SELECT *, value IS NOT NULL AND (quality & 3) < 2 AS usable FROM sample
    WHERE tag_id = $tag AND time_ms >= $from AND time_ms < $to
)
GROUP BY start_ms ORDER BY start_ms
"""
_OUTLINES = """
SELECT
    tag_id,
    $from + (time_ms - $from) // $width * $width AS start_ms,
    min(value) AS minimum,
    max(value) AS maximum
FROM sample
WHERE tag_id IN ({tags}) AND tag_id BETWEEN $first AND $last AND time_ms >= $from AND time_ms < $to
    AND value IS NOT NULL AND (quality & 3) < 2
GROUP BY tag_id, start_ms ORDER BY tag_id, start_ms
"""
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,  # the pipeline and the API want the other cores
    "memory_limit": "1GB",
    "checkpoint_threshold": "16MB",  # eight times as much keeps a core busy for most of a second, each time
    "autoinstall_known_extensions": False,  # never reaches out to a network
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
log = structlog.get_logger(__name__)

_RUN_ROWS = 2_000_000
_PIECE_ROWS = 250_000
_RUSH_ROWS = 16_000_000
_RUSH_PER_S = 100_000
"""Sorting costs twice as much as taking. Above this rate taking goes first, up to so many rows out of order."""
_FORGET_EVERY_MS = 3_600_000
_DAY_MS = 86_400_000
_INT64_MAX = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class _Piece:
    """The samples of some tags in a run."""

    upto_ms: int
    """The run: everything received until then, gateway clock."""
    first_tag: int
    last_tag: int

    @property
    def bound(self) -> dict[str, int]:
        """For the parameters of `_PIECE`."""
        return {"upto_ms": self.upto_ms, "first_tag": self.first_tag, "last_tag": self.last_tag}


class HistoryStore:
    """A `HistoryReader` for any thread and a `HistoryWriter` for one, on one DuckDB file.

    Args:
        path: The file; made when missing. One process may have it open.
        keep_ms: Samples whose source time is older are deleted, in `settle`, about once an hour; None: never.
        max_bytes: When the data take more, the oldest days are deleted; None: no bound.

    Raises:
        HistoryError: The file cannot be opened.
    """

    def __init__(self, path: Path, keep_ms: int | None = None, max_bytes: int | None = None) -> None:
        self._path = path
        self._keep_ms = keep_ms
        self._max_bytes = max_bytes
        self._forgot_ms = 0
        self._position = 0
        self._unsettled = 0
        self._unsettled_since_ms = 0
        self._received_ms = 0
        self._pieces: deque[_Piece] = deque()
        self._open()

    def position(self) -> int:
        """Return the log position up to which everything is stored."""
        return self._position

    def needless(self) -> int:
        """See `gateway.history.port.HistoryWriter.needless`: position and rows are one transaction."""
        return self.position()

    def cursors(self) -> Mapping[str, int]:
        """See `gateway.history.port.Behind.cursors`: the position lies in the file."""
        return {}

    def rejected(self) -> Sequence[DeadLetter]:
        """See `gateway.history.port.Behind.rejected`: there is nothing it would not take."""
        return ()

    def recorded(self, count: int) -> None:
        """See `gateway.history.port.Behind.recorded`."""

    def append(self, batch: HistoryBatch, position: int) -> int:
        """Store samples and the log position they reach up to, in one transaction.

        Returns:
            How many rechecked samples were stored already, or twice in the batch, and were dropped.

        Raises:
            HistoryError: Nothing was stored, or it is not known whether; `position` tells.
            ValueError: The position does not rise; the samples would be stored twice.
        """
        if position <= self._position:
            message = f"history has taken the log up to {self._position} already, not only up to {position}"
            raise ValueError(message)
        with self._transaction(f"taking the log up to {position}") as connection:
            stored = self._insert(connection, batch)
            duplicates = len(batch.tag_id) - stored
            connection.execute(
                "UPDATE progress SET position = $position, duplicates = duplicates + $duplicates",
                {"position": position, "duplicates": duplicates},
            )
        self._position = position
        self._count_unsettled(stored, batch.received_ms)
        return duplicates

    def settle(self) -> bool:
        """Move a piece of the oldest run of ``recent`` into ``settled``, sorted by tag, when there is a full run.

        Returns:
            Whether a piece was moved.

        Raises:
            HistoryError: It could not be done; both tables are as before.
        """
        if self._is_to_forget():
            return self._forget()
        if not self._pieces:
            if not self._has_run():
                return False
            self._pieces.extend(self._cut_run())
        piece = self._pieces[0].bound
        with self._transaction("sorting a piece of samples") as connection:
            connection.execute(_SETTLE, piece)
            connection.execute(_UNSETTLE, piece)
        self._pieces.popleft()
        if not self._pieces:
            self._find_unsettled()
        return True

    def _is_to_forget(self) -> bool:
        """Say whether it is time to look for what is too old: once an hour of the gateway's clock."""
        bounded = self._keep_ms is not None or self._max_bytes is not None
        return bounded and not self._pieces and self._received_ms - self._forgot_ms >= _FORGET_EVERY_MS

    def _forget(self) -> bool:
        """Delete what is older than asked for, and the oldest day when there is still too much.

        Returns:
            Whether anything was deleted; when there is still too much it goes on the next time.
        """
        with self._transaction("deleting old samples") as connection:
            (oldest_ms,) = connection.execute("SELECT min(time_ms) FROM sample").fetchone() or (None,)
            before_ms = self._received_ms - self._keep_ms if self._keep_ms is not None else 0
            used = self._used_bytes(connection)
            too_much = self._max_bytes is not None and used > self._max_bytes
            if too_much and oldest_ms is not None:
                before_ms = max(before_ms, oldest_ms + _DAY_MS)
            if oldest_ms is None or oldest_ms >= before_ms:
                self._forgot_ms = self._received_ms
                return False
            for table in ("recent", "settled"):
                connection.execute(f"DELETE FROM {table} WHERE time_ms < $before", {"before": before_ms})
        log.info("history_forgot", before_ms=before_ms, used_bytes=used)
        self._find_unsettled()
        if not too_much:
            self._forgot_ms = self._received_ms
        return True

    @staticmethod
    def _used_bytes(connection: duckdb.DuckDBPyConnection) -> int:
        """Return what the data take; a file never gets smaller by itself, its free blocks are used again."""
        row = connection.execute("SELECT used_blocks * block_size FROM pragma_database_size()").fetchone()
        return int(row[0]) if row else 0

    def _has_run(self) -> bool:
        """Say whether so much is unsorted that sorting cannot wait."""
        span_s = max(1, self._received_ms - self._unsettled_since_ms) / 1000
        rushing = self._unsettled / span_s > _RUSH_PER_S
        return self._unsettled >= (_RUSH_ROWS if rushing else _RUN_ROWS)

    def _cut_run(self) -> Iterator[_Piece]:
        """Cut the oldest run into pieces of whole tags, in the order of the tags.

        Raises:
            HistoryError: The file cannot be read.
        """
        with self._transaction("looking for samples to sort") as connection:
            last = connection.execute(f"SELECT received_ms FROM recent LIMIT 1 OFFSET {_RUN_ROWS - 1}").fetchone()
            upto_ms = int(last[0]) if last else self._received_ms
            counts = connection.execute(
                "SELECT tag_id, count(*) AS rows FROM recent WHERE received_ms <= $upto_ms GROUP BY 1 ORDER BY 1",
                {"upto_ms": upto_ms},
            ).fetchnumpy()
        tags, piece = counts["tag_id"], (np.cumsum(counts["rows"]) - 1) // _PIECE_ROWS
        for number in np.unique(piece):
            own = tags[piece == number]
            yield _Piece(upto_ms, int(own[0]), int(own[-1]))

    def samples(self, tag_id: int, from_ms: int, to_ms: int, limit: int) -> HistoryRows:
        """Return at most the first ``limit`` samples with ``from_ms <= time_ms < to_ms``, in time order.

        Raises:
            HistoryError: The file cannot be read.
        """
        columns = self._read(_SAMPLES, {"tag": tag_id, "from": from_ms, "to": to_ms, "limit": limit})
        return HistoryRows(
            time_ms=columns["time_ms"],
            received_ms=columns["received_ms"],
            value=_numbers(columns["value"]),
            quality=columns["quality"],
            late=columns["late"],
        )

    def stretch(self, tag_id: int, from_ms: int, to_ms: int) -> Stretch:
        """Return all samples with ``from_ms <= time_ms < to_ms``, in time order.

        Raises:
            HistoryError: The file cannot be read.
        """
        columns = self._read(_STRETCH, {"tag": tag_id, "from": from_ms, "to": to_ms})
        time_ms, value, quality = columns["time_ms"], _numbers(columns["value"]), columns["quality"]
        if (time_ms[1:] < time_ms[:-1]).any():  # nearly never: DuckDB would sort every time
            order = np.argsort(time_ms, kind="stable")
            time_ms, value, quality = time_ms[order], value[order], quality[order]
        return Stretch(time_ms, value, quality)

    def min_max(self, tag_id: int, from_ms: int, to_ms: int, buckets: int) -> MinMaxRows:
        """Fold the samples with ``from_ms <= time_ms < to_ms`` into at most ``buckets`` buckets of equal width.

        Raises:
            HistoryError: The file cannot be read.
        """
        width_ms = max(1, -(-(to_ms - from_ms) // buckets))
        columns = self._read(_MIN_MAX, {"tag": tag_id, "from": from_ms, "to": to_ms, "width": width_ms})
        severity_first = columns["severity_first"].astype(np.uint8)
        return MinMaxRows(
            start_ms=columns["start_ms"],
            minimum=_numbers(columns["minimum"]),
            maximum=_numbers(columns["maximum"]),
            first=_numbers(columns["first"]),
            last=_numbers(columns["last"]),
            count=columns["count"],
            quality=(severity_first << 2) | (severity_first >> 6),
        )

    def outlines(self, tag_ids: Sequence[int], from_ms: int, to_ms: int, buckets: int) -> dict[int, Outline]:
        """Fold several tags in one query; see `HistoryReader.outlines`.

        Raises:
            HistoryError: The file cannot be read.
        """
        if not tag_ids:
            return {}
        width_ms = max(1, -(-(to_ms - from_ms) // buckets))
        span = {"from": from_ms, "to": to_ms, "width": width_ms, "first": min(tag_ids), "last": max(tag_ids)}
        query = _OUTLINES.format(tags=", ".join(str(int(one)) for one in tag_ids))
        return outlines_of(*self._read(query, span).values())

    def duplicates(self) -> int:
        """Return how many rechecked samples were stored already and were dropped, ever.

        Raises:
            HistoryError: The file cannot be read.
        """
        return int(self._read("SELECT duplicates FROM progress", {})["duplicates"][0])

    def close(self) -> None:
        """Write everything into the file proper and let go of it. No thread may be using the store."""
        for connection in (*self._idle_readers(), self._writer, self._root):
            connection.close()

    # --- inside ------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Open the file and find out how far it is.

        Raises:
            HistoryError: It cannot be opened.
        """
        try:
            self._root = duckdb.connect(str(self._path), config=_CONFIG)
            self._readers: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()
            self._writer = self._root.cursor()
            self._writer.execute(_SCHEMA)
            self._find_position()
            self._find_unsettled()
        except (duckdb.Error, OSError) as error:
            message = f"history {self._path} cannot be opened: {error}"
            raise HistoryError(message) from error

    def _find_position(self) -> None:
        row = self._writer.execute("SELECT position FROM progress").fetchone()
        self._position = row[0] if row else 0

    def _find_unsettled(self) -> None:
        """Find how many rows are not sorted yet, and over what time they came."""
        row = self._writer.execute("SELECT count(*), min(received_ms), max(received_ms) FROM recent").fetchone()
        count, since_ms, upto_ms = row or (0, None, None)
        self._unsettled, self._unsettled_since_ms, self._received_ms = count, since_ms or 0, upto_ms or 0

    def _count_unsettled(self, stored: int, received_ms: NDArray[np.int64]) -> None:
        if not stored:
            return
        if not self._unsettled:
            self._unsettled_since_ms = int(received_ms[0])
        self._unsettled += stored
        self._received_ms = int(received_ms[-1])

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """Run the block in a transaction of the writer; after a failure, be as usable as before.

        Raises:
            HistoryError: The block or its commit failed.
        """
        try:
            self._writer.begin()
            yield self._writer
            self._writer.commit()
        except (duckdb.Error, OSError, MemoryError) as error:
            self._recover()
            message = f"history {self._path} failed {doing}: {error}"
            raise HistoryError(message) from error

    def _recover(self) -> None:
        """Roll back; a database that DuckDB has given up on (a full disk can do that) is opened afresh.

        Raises:
            HistoryError: It cannot be opened.
        """
        try:
            self._writer.rollback()
            self._find_position()
        except (duckdb.Error, OSError):
            self.close()
            self._open()

    @staticmethod
    def _insert(connection: duckdb.DuckDBPyConnection, batch: HistoryBatch) -> int:
        """Insert a batch straight from its arrays; returns how many rows went in."""
        if not len(batch.tag_id):
            return 0
        columns = {name: getattr(batch, name) for name in HistoryBatch.__slots__}
        connection.register("batch", columns)
        try:
            stored = _changed(connection.execute(_INSERT_NEW))
            if batch.recheck.any():
                stored += _changed(connection.execute(_INSERT_RECHECKED))
        finally:
            connection.unregister("batch")
        return stored

    def _read(self, query: str, bound: dict[str, int]) -> dict[str, Any]:
        """Run a query on a connection nobody else is using.

        Raises:
            HistoryError: It failed.
        """
        bound = {name: min(max(value, -_INT64_MAX), _INT64_MAX) for name, value in bound.items()}
        readers = self._readers
        try:
            try:
                connection = readers.get_nowait()
            except Empty:
                connection = self._root.cursor()
            columns = connection.execute(query, bound).fetchnumpy()
        except (duckdb.Error, OSError, MemoryError) as error:
            message = f"history {self._path} cannot be read: {error}"
            raise HistoryError(message) from error
        readers.put(connection)
        return columns

    def _idle_readers(self) -> Iterator[duckdb.DuckDBPyConnection]:
        while True:
            try:
                yield self._readers.get_nowait()
            except Empty:
                return


def count_rows(path: Path) -> int:
    """Return how many samples a history file holds that no process has open.

    Raises:
        HistoryError: The file cannot be read.
    """
    try:
        with duckdb.connect(str(path), read_only=True, config=_CONFIG) as connection:
            row = connection.execute("SELECT count(*) FROM sample").fetchone()
    except (duckdb.Error, OSError) as error:
        message = f"history {path} cannot be read: {error}"
        raise HistoryError(message) from error
    return int(row[0]) if row else 0


def _changed(result: duckdb.DuckDBPyConnection) -> int:
    """Return how many rows an INSERT has put in."""
    row = result.fetchone()
    return int(row[0]) if row else 0


def _numbers(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a column with NaN where there is NULL."""
    return np.ma.filled(column, np.nan)
