"""Which points are not to be told now: shelved, suppressed by design, out of service (ISA-18.2 states G, H, I).

Such a point is evaluated and recorded as ever. Each inhibition has an end, or a rule whose end is its end.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Any

from config.plant.model import Condition
from gateway.alarm_rows import Decided, Point
from gateway.commands import By
from gateway.lifecycle import Life

__all__ = ["Inhibitions"]


class Inhibitions:
    """The inhibitions in force, at most one of a point.

    Args:
        rows: Of `gateway.records.schema.inhibition` that have not ended.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self._rows: dict[Point, dict[str, Any]] = {}
        self._ends: list[tuple[int, str, Point]] = []
        for row in rows:
            self._put((row["tag"], Condition(row["condition"])), dict(row))

    def kind(self, point: Point) -> Life | None:
        """Return how a point is inhibited, or None."""
        row = self._rows.get(point)
        return None if row is None else Life(row["kind"])

    def row(self, point: Point) -> Mapping[str, Any] | None:
        """Return the inhibition of a point, or None."""
        return self._rows.get(point)

    def find(self, name: str) -> tuple[Point, Mapping[str, Any]] | None:
        """Return an inhibition in force by its id, with its point."""
        return next(((point, row) for point, row in self._rows.items() if row["id"] == name), None)

    def of_rules(self) -> dict[Point, str]:
        """Return the points that a rule of the plant file suppresses by itself, with its name."""
        return {point: row["rule"] for point, row in self._rows.items() if row["until_ms"] is None}

    def due(self, now_ms: int) -> list[Point]:
        """Return the points whose time is up."""
        found = []
        while self._ends and self._ends[0][0] <= now_ms:
            _, name, point = heapq.heappop(self._ends)
            row = self._rows.get(point)
            if row is not None and row["id"] == name and row["until_ms"] is not None and row["until_ms"] <= now_ms:
                found.append(point)
        return found

    def begin(self, decided: Decided, point: Point, row: dict[str, Any], by: By) -> None:
        """Put an inhibition into force; one that held before is replaced."""
        if point in self._rows and self._rows[point]["id"] != row["id"]:
            self.end(decided, point, row["since_ms"], by, "replaced")
        self._put(point, row)
        decided.inhibitions[row["id"]] = row

    def end(self, decided: Decided, point: Point, now_ms: int, by: By, why: str) -> dict[str, Any]:
        """End the inhibition of a point; returns its row."""
        row = {**self._rows.pop(point), "ended_ms": now_ms, "ended_by": by.account, "ended_why": why}
        decided.inhibitions[row["id"]] = row
        return row

    def _put(self, point: Point, row: dict[str, Any]) -> None:
        self._rows[point] = row
        if row["until_ms"] is not None:
            heapq.heappush(self._ends, (row["until_ms"], row["id"], point))
