"""Reads samples back by InfluxQL, the one language that 1.x, 2.x and 3.x have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from config.contract.quality import Quality
from gateway.history.influx.client import InfluxClient
from gateway.history.influx.lines import TELEMETRY
from gateway.history.port import HistoryRows, MinMaxRows, Outline, Stretch

__all__ = ["InfluxReader"]

_PAGE = 50_000
_FURTHEST_MS: Final = 9_223_372_036_854
"""Times are nanoseconds in 64 bits there: the years 1677 to 2262."""
_COLUMNS = '"value", "severity", "reason", "late", "received_ms"'


class InfluxReader:
    """A `gateway.history.port.HistoryReader` on a server.

    Args:
        client: The server.
        tag_name: Number of a tag -> its name.
    """

    def __init__(self, client: InfluxClient, tag_name: Callable[[int], str | None]) -> None:
        self._client = client
        self._tag_name = tag_name

    def samples(self, tag_id: int, from_ms: int, to_ms: int, limit: int) -> HistoryRows:
        """See `HistoryReader.samples`."""
        rows: list[list[Any]] = []
        while len(rows) < limit and (page := self._page(tag_id, from_ms, to_ms, min(_PAGE, limit - len(rows)))):
            rows += page
            from_ms = page[-1][0] + 1  # a series has one point a millisecond
        return HistoryRows(
            time_ms=np.array([row[0] for row in rows], np.int64),
            received_ms=np.array([row[5] for row in rows], np.int64),
            value=np.array([np.nan if row[1] is None else row[1] for row in rows], np.float64),
            quality=np.array([row[3] << 2 | row[2] for row in rows], np.uint8),
            late=np.array([row[4] for row in rows], np.bool_),
        )

    def stretch(self, tag_id: int, from_ms: int, to_ms: int) -> Stretch:
        """See `HistoryReader.stretch`."""
        rows = self.samples(tag_id, from_ms, to_ms, 1 << 62)
        return Stretch(rows.time_ms, rows.value, rows.quality)

    def min_max(self, tag_id: int, from_ms: int, to_ms: int, buckets: int) -> MinMaxRows:
        """See `HistoryReader.min_max`."""
        name = self._tag_name(tag_id)
        from_ms, to_ms = _within(from_ms), _within(to_ms)
        if name is None or to_ms <= from_ms:
            return _no_buckets()
        width_ms = max(1, -(-(to_ms - from_ms) // buckets))
        grouped = f"GROUP BY time({width_ms}ms, {from_ms % width_ms}ms) fill(none)"
        where = _where(name, from_ms, to_ms)
        all_of_it = self._table(f'SELECT COUNT("severity"), MAX("severity") FROM "{TELEMETRY}" {where} {grouped}')
        shape = self._table(
            f'SELECT MIN("value"), MAX("value"), FIRST("value"), LAST("value") FROM "{TELEMETRY}" {where}'
            f' AND "severity" < {int(Quality.BAD)} {grouped}'
        )
        # The first bucket may begin before the span asked for.
        starts = np.array([max(row[0], from_ms) for row in all_of_it], np.int64)
        shapes = {max(row[0], from_ms): row[1:] for row in shape}
        nothing: list[float | None] = [None] * 4
        columns = np.array([shapes.get(start, nothing) for start in starts.tolist()], np.float64).reshape(-1, 4)
        worst = np.array([row[2] for row in all_of_it], np.int64)
        return MinMaxRows(
            start_ms=starts,
            minimum=columns[:, 0],
            maximum=columns[:, 1],
            first=columns[:, 2],
            last=columns[:, 3],
            count=np.array([row[1] for row in all_of_it], np.int64),
            quality=self._reasons(starts, worst, where, grouped, from_ms),
        )

    def outlines(self, tag_ids: Sequence[int], from_ms: int, to_ms: int, buckets: int) -> dict[int, Outline]:
        """See `HistoryReader.outlines`."""
        names = {name: one for one in tag_ids if (name := self._tag_name(one)) is not None}
        from_ms, to_ms = _within(from_ms), _within(to_ms)
        if not names or to_ms <= from_ms:
            return {}
        width_ms = max(1, -(-(to_ms - from_ms) // buckets))
        tags = " OR ".join(f"\"tag\" = '{name}'" for name in names)
        grouped = f'GROUP BY "tag", time({width_ms}ms, {from_ms % width_ms}ms) fill(none)'
        series = self._client.query(
            f'SELECT MIN("value"), MAX("value") FROM "{TELEMETRY}" WHERE ({tags}) AND {_span(from_ms, to_ms)}'
            f' AND "severity" < {int(Quality.BAD)} {grouped}'
        )
        return {names[one["tags"]["tag"]]: outline for one in series if (outline := _outline(one["values"], from_ms))}

    def _reasons(
        self, starts: NDArray[np.int64], worst: NDArray[np.int64], where: str, grouped: str, from_ms: int
    ) -> NDArray[np.uint8]:
        """Return the packed quality of the worst sample of each bucket."""
        packed = worst.copy()
        for severity in set(worst.tolist()) - {0}:
            found = self._table(
                f'SELECT FIRST("reason") FROM "{TELEMETRY}" {where} AND "severity" = {severity} {grouped}'
            )
            reasons = {max(row[0], from_ms): row[1] for row in found}
            packed = np.array(
                [
                    reasons.get(start, 0) << 2 | severity if own == severity else known
                    for start, own, known in zip(starts.tolist(), worst.tolist(), packed.tolist(), strict=True)
                ],
                np.int64,
            )
        return packed.astype(np.uint8)

    def _page(self, tag_id: int, from_ms: int, to_ms: int, limit: int) -> list[list[Any]]:
        name = self._tag_name(tag_id)
        if name is None or to_ms <= from_ms or limit <= 0:
            return []
        where = _where(name, _within(from_ms), _within(to_ms))
        return self._table(f'SELECT {_COLUMNS} FROM "{TELEMETRY}" {where} ORDER BY time LIMIT {limit}')

    def _table(self, query: str) -> list[list[Any]]:
        return [row for series in self._client.query(query) for row in series["values"]]


def _where(name: str, from_ms: int, to_ms: int) -> str:
    """Tag names hold nothing that would have to be escaped (`config.contract.topics.is_tag_name`)."""
    return f"WHERE \"tag\" = '{name}' AND {_span(from_ms, to_ms)}"


def _span(from_ms: int, to_ms: int) -> str:
    return f"time >= {from_ms}ms AND time < {to_ms}ms"


def _outline(rows: list[list[Any]], from_ms: int) -> Outline | None:
    """Return what the rows of one series say; None: nothing. The first bucket may begin before the span asked for."""
    usable = [row for row in rows if row[1] is not None]
    if not usable:
        return None
    starts = np.array([max(row[0], from_ms) for row in usable], np.int64)
    return Outline(starts, *(np.array([row[column] for row in usable], np.float64) for column in (1, 2)))


def _within(time_ms: int) -> int:
    return max(-_FURTHEST_MS, min(time_ms, _FURTHEST_MS))


def _no_buckets() -> MinMaxRows:
    nothing, none = np.empty(0, np.int64), np.empty(0)
    return MinMaxRows(nothing, none, none, none, none, nothing, np.empty(0, np.uint8))
