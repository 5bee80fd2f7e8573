"""From transitions to alarms: which alarm is open on which tag and condition, and its record.

An alarm is named by tag, condition and onset, so writing it twice writes the same row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np

from alerting.batch import Change, Transitions
from alerting.retrospect import Alarms
from config.plant.model import CONDITIONS, Condition, ConditionRule, Plant, Tag

__all__ = ["AlarmBook", "Decided", "alarm_id"]


def alarm_id(tag: str, condition: Condition, onset_ms: int) -> str:
    """Return the name of an alarm: 16 hexadecimal digits that follow from what it is."""
    return blake2b(f"{tag}|{condition.value}|{onset_ms}".encode(), digest_size=8).hexdigest()


@dataclass(slots=True)
class Decided:
    """What one evaluation changes in the records."""

    alarms: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `gateway.records.schema.alarm`, whole, in order."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `gateway.records.schema.alarm_event`, one for each alarm row."""


class AlarmBook:
    """The open alarms, by tag and condition.

    Args:
        plant: Says what a tag is and how it is limited.
        names: Row -> tag name.
        open_alarms: Rows of the alarm table whose state is active.
        event_id: The last event written.
        delayed_after_ms: A deciding sample that took longer than this to arrive makes the alarm *delayed*.
    """

    def __init__(
        self,
        plant: Plant,
        names: Sequence[str],
        open_alarms: Iterable[Mapping[str, Any]],
        event_id: int,
        delayed_after_ms: int,
    ) -> None:
        self._names = names
        self._tags: Mapping[str, Tag] = plant.tags
        self._rules = {(tag.name, rule.condition): rule for tag in plant.tags.values() for rule in tag.conditions}
        self._open: dict[tuple[str, Condition], dict[str, Any]] = {
            (row["tag"], Condition(row["condition"])): dict(row) for row in open_alarms
        }
        self._ended: dict[tuple[str, Condition], dict[str, Any]] = {}
        """The last alarm that has cleared: one with the same onset again is the same alarm, and its version goes on."""
        self._event_id = event_id
        self._delayed_after_ms = delayed_after_ms

    @property
    def event_id(self) -> int:
        """The last event given out."""
        return self._event_id

    @property
    def open_alarms(self) -> Sequence[Mapping[str, Any]]:
        """The rows of all active alarms."""
        return tuple(self._open.values())

    def decide(self, transitions: Transitions, received_ms: int, decided_ms: int, position: int) -> Decided:
        """Turn transitions into alarm rows and events.

        Args:
            transitions: From the engine.
            received_ms: When the deciding input arrived, gateway clock.
            decided_ms: Now, gateway clock.
            position: The log row that decided.
        """
        decided = Decided()
        for at in range(len(transitions.tag)):
            tag = self._names[int(transitions.tag[at])]
            condition = CONDITIONS[int(transitions.condition[at])]
            when = _When(int(transitions.time_ms[at]), received_ms, decided_ms, position)
            value = _number(float(transitions.value[at]))
            quality = int(transitions.quality[at])
            if transitions.change[at] == Change.RAISED:
                self._raise(decided, tag, condition, int(transitions.onset_ms[at]), when, value, quality)
            else:
                self._clear(decided, tag, condition, when, value, quality)
        return decided

    def reconcile(self, active: Mapping[tuple[str, Condition], int], now_ms: int, position: int) -> Decided:
        """Make the records agree with the engine after the plant file has changed; normally there is nothing to do.

        Args:
            active: What the engine holds active: (tag, condition) -> onset.
            now_ms: Gateway clock.
            position: The log row that this belongs to.
        """
        decided = Decided()
        when = _When(now_ms, now_ms, now_ms, position)
        for tag, condition in [key for key in self._open if active.get(key) != self._open[key]["onset_ms"]]:
            self._clear(decided, tag, condition, when, None, int(self._open[tag, condition]["quality"]))
        for (tag, condition), onset_ms in active.items():
            if (tag, condition) not in self._open:
                self._raise(decided, tag, condition, onset_ms, when, None, 0)
        return decided

    def recall(self, tag: str, missed: Alarms, received_ms: int, decided_ms: int, position: int) -> Decided:
        """Record alarms that late samples show to have been missed; they are over, and were never told as live.

        Args:
            tag: Of all of them.
            missed: From `alerting.retrospect`.
            received_ms: When the last of the late samples came, gateway clock.
            decided_ms: Now, gateway clock.
            position: The log row after which they are recorded.
        """
        decided = Decided()
        for at in range(len(missed)):
            condition = CONDITIONS[int(missed.condition[at])]
            when = _When(int(missed.raised_ms[at]), received_ms, decided_ms, position)
            value, quality = _number(float(missed.value[at])), int(missed.quality[at])
            row = self._row(tag, condition, int(missed.onset_ms[at]), when, value, quality)
            row |= {
                "state": "cleared",
                "cleared_ms": int(missed.cleared_ms[at]),
                "delayed": False,
                "retrospective": True,
            }
            self._record(decided, row, "retrospective", when, value, quality)
        return decided

    def _raise(
        self,
        decided: Decided,
        tag: str,
        condition: Condition,
        onset_ms: int,
        when: _When,
        value: float | None,
        quality: int,
    ) -> None:
        row = self._row(tag, condition, onset_ms, when, value, quality)
        earlier = self._open.get((tag, condition)) or self._ended.get((tag, condition))
        if earlier and earlier["alarm_id"] == row["alarm_id"]:
            row["version"] = int(earlier["version"])
        self._open[tag, condition] = row
        self._record(decided, row, "raised", when, value, quality)

    def _row(
        self, tag: str, condition: Condition, onset_ms: int, when: _When, value: float | None, quality: int
    ) -> dict[str, Any]:
        """Return the row of an alarm that has just been raised, before its first event."""
        rule, described = self._rules[tag, condition], self._tags[tag]
        return {
            "alarm_id": alarm_id(tag, condition, onset_ms),
            "tag": tag,
            "condition": condition.value,
            "tier": int(rule.tier),
            "state": "active",
            "hazard_unit": described.hazard_unit,
            "vessel": described.vessel,
            "vehicle": described.vehicle,
            "edge": described.edge,
            "onset_ms": onset_ms,
            "raised_ms": when.at_ms,
            "cleared_ms": None,
            "received_ms": when.received_ms,
            "decided_ms": when.decided_ms,
            "value": value,
            "limit": _number(rule.limit),
            "deadband": rule.deadband,
            "on_delay_ms": rule.on_delay_ms,
            "quality": quality,
            "basis": rule.basis,
            "delayed": _is_delayed(condition, rule, when, self._delayed_after_ms),
            "retrospective": False,
            "version": 0,
        }

    def _clear(
        self, decided: Decided, tag: str, condition: Condition, when: _When, value: float | None, quality: int
    ) -> None:
        row = {**self._open.pop((tag, condition)), "state": "cleared", "cleared_ms": when.at_ms}
        self._ended[tag, condition] = row
        self._record(decided, row, "cleared", when, value, quality)

    def _record(
        self, decided: Decided, row: dict[str, Any], kind: str, when: _When, value: float | None, quality: int
    ) -> None:
        self._event_id += 1
        row["version"] += 1
        row["sequence"] = self._event_id
        decided.alarms.append(dict(row))
        decided.events.append(
            {
                "event_id": self._event_id,
                "alarm_id": row["alarm_id"],
                "kind": kind,
                "version": row["version"],
                "at_ms": when.at_ms,
                "received_ms": when.received_ms,
                "decided_ms": when.decided_ms,
                "value": value,
                "quality": quality,
                "position": when.position,
            }
        )


@dataclass(frozen=True, slots=True)
class _When:
    """The clocks of one transition."""

    at_ms: int
    received_ms: int
    decided_ms: int
    position: int


def _is_delayed(condition: Condition, rule: ConditionRule, when: _When, after_ms: int) -> bool:
    if condition is Condition.STALE:
        return False
    return when.received_ms - when.at_ms > after_ms + rule.on_delay_ms


def _number(value: float) -> float | None:
    """SQL has no NaN."""
    return value if np.isfinite(value) else None
