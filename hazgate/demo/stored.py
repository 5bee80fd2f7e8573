"""What lies in the history of a gateway that has been stopped."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.app import HISTORY_FILE
from gateway.history.duckdb_store import HistoryStore
from gateway.records.database import open_reader
from gateway.records.queries import Queries
from hazgate.demo.report import Kept

__all__ = ["read_history"]

_ALL = 1 << 62


def read_history(data_dir: Path, tags: Iterable[str], from_ms: int, to_ms: int = _ALL) -> Iterator[Kept]:
    """Yield every sample of some tags in a span of source time.

    Args:
        data_dir: Of a gateway; no process may be using it.
        tags: Names.
        from_ms: Inclusive.
        to_ms: Exclusive.

    Raises:
        GatewayError: Records or history cannot be read.
    """
    reader = open_reader(data_dir)
    with contextlib.closing(HistoryStore(data_dir / HISTORY_FILE)) as history:
        queries = Queries(reader)
        for tag in tags:
            tag_id = queries.tag_id(tag)
            if tag_id is None:
                continue
            rows = history.samples(tag_id, from_ms, to_ms, _ALL)
            for time_ms, value in zip(rows.time_ms.tolist(), rows.value.tolist(), strict=True):
                yield Kept(tag, time_ms, value if math.isfinite(value) else None)
    reader.dispose()
