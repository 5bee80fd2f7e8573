"""Recorded samples of tags as arrays: from a recording with its map, or from the history of a gateway."""

from __future__ import annotations

import contextlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.app import HISTORY_FILE
from gateway.errors import HistoryError, RecordsError
from gateway.history.duckdb_store import HistoryStore
from gateway.history.port import HistoryReader
from gateway.lock import own
from gateway.records.database import DATABASE_FILE, open_reader
from gateway.records.queries import Queries
from simulators.replay import Replay

__all__ = ["RecordedError", "Samples", "read_history", "read_recording"]

_MOST = 5_000_000
"""Samples of one tag taken at most: two months at one a second; more would not make a limit surer."""


class RecordedError(Exception):
    """Recorded samples cannot be read; says which and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples of one tag. Arrays of the same length, in any order of time."""

    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    """Canonical unit; NaN for none."""
    quality: NDArray[np.uint8]


def read_recording(replay: Replay, from_ms: int, to_ms: int) -> dict[str, Samples]:
    """Return the samples of a recording with ``from_ms <= time < to_ms``, by tag.

    Raises:
        ReplayError: It cannot be read.
    """
    columns: defaultdict[str, tuple[list[int], list[float], list[int]]] = defaultdict(lambda: ([], [], []))
    for message in replay.messages():
        for sample in message.samples:
            if from_ms <= sample.time_ms < to_ms:
                times, values, qualities = columns[sample.tag]
                times.append(sample.time_ms)
                values.append(math.nan if sample.value is None else sample.value)
                qualities.append(sample.quality)
    return {
        name: Samples(np.array(times, np.int64), np.array(values, np.float64), np.array(qualities, np.uint8))
        for name, (times, values, qualities) in columns.items()
    }


def read_history(data_dir: Path, tags: Sequence[str], from_ms: int, to_ms: int) -> dict[str, Samples]:
    """Return the samples a stopped gateway keeps with ``from_ms <= time < to_ms``, by tag; tags without any left out.

    Raises:
        RecordedError: There is no history, it is in use, or there is too much of it.
    """
    for name in (HISTORY_FILE, DATABASE_FILE):
        if not (data_dir / name).is_file():
            raise RecordedError(f"data directory {data_dir}: no {name}; name the directory a gateway keeps its data in")
    try:
        with own(data_dir):
            ids = _numbers(data_dir, tags)
            with contextlib.closing(HistoryStore(data_dir / HISTORY_FILE)) as history:
                read = {name: _of(history, name, number, from_ms, to_ms) for name, number in ids.items()}
    except (HistoryError, RecordsError) as error:
        raise RecordedError(f"{error}; stop the gateway, or name a copy of its data directory") from error
    return {name: samples for name, samples in read.items() if len(samples.time_ms)}


def _numbers(data_dir: Path, tags: Sequence[str]) -> Mapping[str, int]:
    """Return the numbers of the tags that ever had one."""
    engine = open_reader(data_dir)
    try:
        queries = Queries(engine)
        found = {name: queries.tag_id(name) for name in tags}
    finally:
        engine.dispose()
    return {name: number for name, number in found.items() if number is not None}


def _of(history: HistoryReader, name: str, number: int, from_ms: int, to_ms: int) -> Samples:
    rows = history.samples(number, from_ms, to_ms, _MOST)
    if len(rows.time_ms) == _MOST:
        raise RecordedError(f"{name}: more than {_MOST:,} samples; narrow --from and --to")
    return Samples(rows.time_ms, rows.value, rows.quality)
