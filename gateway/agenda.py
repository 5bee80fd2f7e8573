"""What is due when: the clocks of handling, kept beside the alarms so that a tick looks only at what is due."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from config.duty.handling import Handling
from gateway.handling import ENDED
from gateway.lifecycle import Life, life_of

__all__ = ["Agenda", "Due"]


class Due(StrEnum):
    """What can be due for an alarm."""

    ACKNOWLEDGE = "acknowledge"
    """Nobody has seen it in time."""
    MEASURE = "measure"
    """Nobody has done anything in time."""
    RE_ALARM = "re_alarm"
    """It was acknowledged long ago, and goes on."""


class Agenda:
    """A heap of moments; what it holds is looked at again when it is due, so that it need not be kept true.

    Args:
        handling: The site's clocks.
    """

    def __init__(self, handling: Handling) -> None:
        self._handling = handling
        self._heap: list[tuple[int, str, Due]] = []

    def note(self, alarm: Mapping[str, Any]) -> None:
        """Take in what will be due for an alarm as it is now.

        Args:
            alarm: A row of `gateway.records.schema.alarm`.
        """
        for due in Due:
            at_ms = self.due_ms(alarm, due)
            if at_ms is not None:
                heapq.heappush(self._heap, (at_ms, alarm["alarm_id"], due))

    def due_ms(self, alarm: Mapping[str, Any], due: Due) -> int | None:
        """Return when something is due for an alarm as it is now; None when it is not going to be."""
        if alarm["stage"] in ENDED or alarm["inhibited"] is not None or alarm["retrospective"]:
            return None
        if due is Due.RE_ALARM:
            after_ms = self._handling.re_alarm_ms.get(alarm["tier"])
            seen = life_of(alarm) is Life.ACKNOWLEDGED
            return alarm["acknowledged_ms"] + after_ms if seen and after_ms is not None else None
        if due.value in alarm["overdue"]:
            return None
        if due is Due.ACKNOWLEDGE:
            open_to_it = life_of(alarm) in (Life.UNACKNOWLEDGED, Life.RETURNED, Life.LATCHED)
            return alarm["acknowledge_due_ms"] if open_to_it else None
        return alarm["measure_due_ms"] if alarm["measured_ms"] is None else None

    def take(self, now_ms: int) -> list[tuple[str, Due, int]]:
        """Return what may be due, as (alarm, what, since when); it is for the caller to look whether it still is."""
        found = []
        while self._heap and self._heap[0][0] <= now_ms:
            at_ms, name, due = heapq.heappop(self._heap)
            found.append((name, due, at_ms))
        return found
