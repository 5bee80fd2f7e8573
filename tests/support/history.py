"""A steady stream of samples for the history, whose every row follows from its number, and one who appends for ever."""

from __future__ import annotations

from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from gateway.history import duckdb_store
from gateway.history.port import HistoryBatch

__all__ = ["TAGS", "append_for_ever", "many", "size"]

TAGS = 10


def many(first: int, count: int) -> HistoryBatch:
    """Return the samples numbered ``first`` and on, tag after tag; the value is the number."""
    number = np.arange(first, first + count)
    return HistoryBatch(
        tag_id=(number % TAGS).astype(np.int32),
        time_ms=number // TAGS * 1000,
        received_ms=number // TAGS * 1000 + 20,
        value=number.astype(np.float64),
        quality=np.zeros(count, np.uint8),
        late=np.zeros(count, np.bool_),
        recheck=np.zeros(count, np.bool_),
    )


def size(position: int) -> int:
    """Return how many samples the log row at a position has: few or many."""
    return 1 + position * 7919 % 2500


def append_for_ever(path: Path, going: Connection) -> None:
    """Append from where the store stands, settling and checkpointing often; something is sent once it goes."""
    duckdb_store._RUN_ROWS = 3000
    duckdb_store._CONFIG["checkpoint_threshold"] = "1MB"
    store = duckdb_store.HistoryStore(path)
    number = sum(size(position) for position in range(1, store.position() + 1))
    going.send(store.position())
    for position in range(store.position() + 1, 1 << 40):
        store.append(many(number, size(position)), position)
        number += size(position)
        store.settle()
