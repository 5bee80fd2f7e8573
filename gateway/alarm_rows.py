"""The parts of an alarm's row and events, and what one turn decides about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alerting.batch import Transitions
from alerting.retrospect import Alarms
from config.plant.model import Condition, ConditionRule
from gateway.handling import HandlingEvent

__all__ = ["Cause", "Decided", "Point", "Seen", "When", "is_delayed", "measures", "number_or_none"]


Point = tuple[str, Condition]
"""One condition of one tag, which has at most one open alarm."""


@dataclass(slots=True)
class Decided:
    """What one turn changes in the records."""

    alarms: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `gateway.records.schema.alarm`, whole, in order."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `gateway.records.schema.alarm_event`, one for each alarm row."""
    inhibitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Rows of `gateway.records.schema.inhibition` by id, as they are last."""
    latest: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Alarm id -> the last row of ``alarms``."""

    def note(self, alarm: dict[str, Any], event: dict[str, Any]) -> None:
        """Add an event and the alarm as it is after it."""
        self.alarms.append(alarm)
        self.events.append(event)
        self.latest[alarm["alarm_id"]] = alarm

    def add(self, more: Decided) -> None:
        """Add what was decided after this."""
        self.alarms += more.alarms
        self.events += more.events
        self.inhibitions |= more.inhibitions
        self.latest |= more.latest


@dataclass(frozen=True, slots=True)
class Seen:
    """What decided: the deciding sample, and what the engine measured."""

    value: float | None
    quality: int
    measure: float | None = None
    measure_low: float | None = None
    measure_high: float | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Seen:
        """Return what raised an alarm, for events that no sample decided."""
        return cls(row["value"], row["quality"], row["measure"], row["measure_low"], row["measure_high"])

    def columns(self) -> dict[str, Any]:
        """Return it as columns of the records."""
        return {
            "value": self.value,
            "quality": self.quality,
            "measure": self.measure,
            "measure_low": self.measure_low,
            "measure_high": self.measure_high,
        }


@dataclass(frozen=True, slots=True)
class When:
    """The clocks of one transition."""

    at_ms: int
    received_ms: int
    decided_ms: int
    position: int

    @classmethod
    def now(cls, now_ms: int, position: int) -> When:
        """Return the clocks of what happens at the gateway itself."""
        return cls(now_ms, now_ms, now_ms, position)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an alarm changes, and what changes with it."""

    kind: str
    """The event as the records call it."""
    when: When
    detail: Mapping[str, Any] | None = None
    """What else is known of it."""
    seen: Seen | None = None
    """What decided; None: what raised the alarm."""
    key: str | None = None
    """Of the command it comes from."""
    handling: HandlingEvent | None = None
    """What it means for the handling."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Columns that change with it."""


def is_delayed(condition: Condition, rule: ConditionRule, when: When, after_ms: int) -> bool:
    """Say whether the deciding sample took so long to arrive that the alarm is late.

    Args:
        condition: Silence and troubles of the system are noticed by the gateway's own clock, and so never late.
        rule: Its on-delay is part of the waiting.
        when: The clocks of the transition.
        after_ms: What counts as late.
    """
    if condition in {Condition.STALE, Condition.SYSTEM}:
        return False
    return when.received_ms - when.at_ms > after_ms + rule.on_delay_ms


def number_or_none(value: float) -> float | None:
    """Return a value as SQL has it, which has no NaN."""
    return value if np.isfinite(value) else None


def measures(found: Transitions | Alarms, at: int) -> tuple[float | None, float | None, float | None]:
    """Return what the engine measured where it decided, with its interval; None where there is none."""
    measured = (found.measure[at], found.low[at], found.high[at])
    measure, low, high = (number_or_none(float(one)) for one in measured)
    return measure, low, high
