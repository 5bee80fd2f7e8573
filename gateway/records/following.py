"""Reading the log behind the pipeline, for those who follow it with a position of their own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np
from sqlalchemy import Engine, Row, select
from sqlalchemy.exc import SQLAlchemyError

from alerting.batch import Disposition
from config.contract.quality import Quality, Reason, pack
from gateway.errors import RecordsError
from gateway.history.port import LogEntry
from gateway.records.log import Kind, decode_samples
from gateway.records.schema import log

__all__ = ["LogFollowing"]

_ROWS = 200
_CLOCK_SUSPECT = pack(Quality.BAD, Reason.CLOCK_SUSPECT)


class LogFollowing:
    """A `gateway.history.port.LogReader` on the records database.

    Args:
        engine: From `gateway.records.database.open_reader`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read_after(self, position: int, max_samples: int) -> tuple[Sequence[LogEntry], int]:
        """Return rows of samples after ``position``, and the position up to which nothing else is to be read.

        Raises:
            RecordsError: The log cannot be read.
        """
        entries: list[LogEntry] = []
        samples = 0
        statement = select(log).where(log.c.position > position).order_by(log.c.position).limit(_ROWS)
        try:
            with (
                self._engine.begin() as connection,
                closing(
                    connection.execution_options(stream_results=True, max_row_buffer=1).execute(statement)
                ) as rows,  # one at a time: a row may be tens of megabytes
            ):
                for row in rows:
                    if entries and samples + row.samples > max_samples:
                        break
                    position = row.position
                    if row.kind in (Kind.SAMPLES, Kind.BACKLOG):
                        samples += row.samples
                        entries.append(_entry(row))
        except SQLAlchemyError as error:
            raise RecordsError(f"reading the log after {position}: {error}") from error
        return entries, position


def _entry(row: Row[Any]) -> LogEntry:
    batch, disposition = decode_samples(row.payload)
    recheck = (disposition == Disposition.LATE) | (disposition == Disposition.SAME_TIME)
    return LogEntry(
        position=row.position,
        received_ms=row.received_ms,
        tag=batch.tag,
        time_ms=batch.time_ms,
        value=batch.value,
        quality=batch.quality,
        disposition=disposition,
        recheck=recheck | (batch.quality == np.uint8(_CLOCK_SUSPECT)),
    )
