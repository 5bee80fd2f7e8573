"""Carries samples from the log into the history, behind the pipeline and in nobody's way."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from secrets import SystemRandom

import numpy as np
import structlog
from numpy.typing import NDArray

from alerting.batch import Disposition
from gateway.errors import HistoryBusyError, HistoryError, RecordsError
from gateway.history.port import HistoryBatch, HistoryWriter, LogEntry, LogReader
from gateway.ingest.acceptance import DeadLetter
from gateway.live import Board

__all__ = ["Follower", "follow_once"]

MAX_SAMPLES = 200_000
"""In one transaction of the history; a dozen MB."""

_LAST_BATCHES = 3
"""Taken after the end; half a second at most, for whoever waits for the process."""
_PAUSE_S = 0.25
"""Four transactions a second are fresh enough, and each costs the disk a flush."""
_IDLE_S = 1.0
_RETRY_FIRST_S = 0.5
_RETRY_LAST_S = 10.0

log = structlog.get_logger(__name__)


class Follower:
    """Follows the log with the history's own position, in a thread of its own.

    Args:
        reader: The log.
        writer: The history.
        board: Where position and troubles are shown.
    """

    def __init__(self, reader: LogReader, writer: HistoryWriter, board: Board) -> None:
        self._reader = reader
        self._writer = writer
        self._board = board
        self._woken = threading.Event()
        self._began_at = writer.position()
        self._ahead_of = -1
        self._chance = SystemRandom()

    def wake(self) -> None:
        """Say that there is something new in the log. From any thread."""
        self._woken.set()

    def position(self) -> int:
        """Return the log position up to which the history can be read. From any thread."""
        return 0 if self._is_ahead() else self._writer.position()

    def needless(self) -> int:
        """Return the log position up to which this follower needs no row any more. From any thread."""
        return 0 if self._is_ahead() else self._writer.needless()

    def cursors(self) -> Mapping[str, int]:
        """See `gateway.history.port.Behind.cursors`."""
        return self._writer.cursors()

    def rejected(self) -> Sequence[DeadLetter]:
        """See `gateway.history.port.Behind.rejected`."""
        return self._writer.rejected()

    def recorded(self, count: int) -> None:
        """See `gateway.history.port.Behind.recorded`."""
        self._writer.recorded(count)

    def run(self, stop: threading.Event) -> None:
        """Follow until ``stop`` is set and `wake` called; trouble is shown, and tried again with growing pauses."""
        retry_s = _RETRY_FIRST_S
        while not stop.is_set():
            self._woken.clear()
            try:
                self._refuse_another_log()
                more = follow_once(self._reader, self._writer)
                self._writer.settle()
            except (HistoryError, RecordsError) as error:
                log.error("history_behind", error=str(error), position=self._writer.position(), retry_s=retry_s)
                self._show(str(error))
                asked_s = error.after_s if isinstance(error, HistoryBusyError) else 0.0
                # A part of it by chance: those who lost the same server shall not come back as one.
                stop.wait(max(min(asked_s, _RETRY_LAST_S), retry_s * self._chance.uniform(0.5, 1.0)))
                retry_s = min(2 * retry_s, _RETRY_LAST_S)
                continue
            retry_s = _RETRY_FIRST_S
            self._show("")
            if not more:
                stop.wait(_PAUSE_S)
                self._woken.wait(_IDLE_S)

    def finish(self) -> None:
        """Take what is left, once nobody writes the log any more and `run` has ended.

        Bounded: what is more than some seconds' worth, or cannot be taken, stays in the log for the next start.
        """
        try:
            self._refuse_another_log()
            for _ in range(_LAST_BATCHES):
                if not follow_once(self._reader, self._writer):
                    break
        except (HistoryError, RecordsError) as error:
            log.warning("history_left_behind", error=str(error), position=self._writer.position())

    def _is_ahead(self) -> bool:
        """Say whether the history has taken more than the log ever held: then it is not the history of this log.

        Once seen it stays so, for the log will grow beyond.
        """
        health = self._board.health
        if self._ahead_of < 0 and health.replayed and health.log_position < self._began_at:
            self._ahead_of = health.log_position
        return self._ahead_of >= 0

    def _refuse_another_log(self) -> None:
        """Take nothing from a log that is not the one the history came from.

        Raises:
            HistoryError: It is another one; says what to do.
        """
        if self._is_ahead():
            message = (
                f"the history has taken the log up to {self._began_at}, the records only reach {self._ahead_of}: they "
                "were replaced or restored. Stop the gateway, move the history file aside (it stays readable), start it"
            )
            raise HistoryError(message)

    def _show(self, error: str) -> None:
        self._board.report(
            history_position=self._writer.position(),
            history_ok=not error,
            history_error=error,
        )


def follow_once(reader: LogReader, writer: HistoryWriter) -> bool:
    """Bring one batch of samples, up to `MAX_SAMPLES`, from the log into the history.

    Returns:
        Whether the batch was full, so that there probably is more to bring.

    Raises:
        RecordsError: The log cannot be read.
        HistoryError: The history did not take it; its position says how far it is.
    """
    entries: list[LogEntry] = []
    samples = 0
    position = writer.position()
    while samples < MAX_SAMPLES:
        found, upto = reader.read_after(position, MAX_SAMPLES - samples)
        if upto == position:
            break
        position = upto
        entries += found
        samples += sum(len(entry.tag) for entry in found)
    if position > writer.position():
        writer.append(_batch(entries), position)
    return samples >= MAX_SAMPLES


def _batch(entries: Sequence[LogEntry]) -> HistoryBatch:
    """Put log rows into one batch, without the duplicates."""
    columns = [_stored(entry) for entry in entries] or [_NOTHING]
    return HistoryBatch(*(np.concatenate(parts) for parts in zip(*columns, strict=True)))


_Columns = tuple[
    NDArray[np.int32],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.float64],
    NDArray[np.uint8],
    NDArray[np.bool_],
    NDArray[np.bool_],
]
_NOTHING: _Columns = (
    np.empty(0, np.int32),
    np.empty(0, np.int64),
    np.empty(0, np.int64),
    np.empty(0, np.float64),
    np.empty(0, np.uint8),
    np.empty(0, np.bool_),
    np.empty(0, np.bool_),
)


def _stored(entry: LogEntry) -> _Columns:
    """Return the columns of a `HistoryBatch` for one log row."""
    late = entry.disposition == Disposition.LATE
    columns: _Columns = (
        entry.tag,
        entry.time_ms,
        np.full(len(entry.tag), entry.received_ms, np.int64),
        entry.value,
        entry.quality,
        late,
        late | entry.recheck,
    )
    keep = entry.disposition != Disposition.DUPLICATE
    return columns if keep.all() else tuple(column[keep] for column in columns)
