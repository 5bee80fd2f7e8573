"""From transitions to alarms: which alarm is open on which tag and condition, and its record.

An alarm is named by tag, condition and onset, so writing it twice writes the same row. Its states and events:
docs/alarm-lifecycle.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alerting.batch import Change, Transitions
from alerting.retrospect import Alarms
from config.contract.alarms import alarm_id
from config.plant.model import CONDITIONS, Condition, Plant, Tag
from gateway.alarm_rows import Seen, When, is_delayed, measures, number_or_none
from gateway.commands import Acknowledge
from gateway.errors import ConflictError
from gateway.escalation import Ladder
from gateway.system import Trouble, edge_of, rule_of

__all__ = ["AlarmBook", "Decided"]


@dataclass(slots=True)
class Decided:
    """What one evaluation changes in the records."""

    alarms: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `gateway.records.schema.alarm`, whole, in order."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `gateway.records.schema.alarm_event`, one for each alarm row."""


class AlarmBook:
    """The open alarms: active ones, and latched ones that wait to be acknowledged.

    Args:
        plant: Says what a tag is and how it is limited.
        names: Row -> tag name.
        open_alarms: Rows of the alarm table whose state is active or latched.
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
        self._ladder = Ladder(plant, names)
        self._open: dict[tuple[str, Condition], dict[str, Any]] = {}
        """Active ones."""
        self._latched: dict[tuple[str, Condition], dict[str, Any]] = {}
        for row in open_alarms:
            into = self._open if row["state"] == "active" else self._latched
            into[row["tag"], Condition(row["condition"])] = dict(row)
            self._ladder.note(row)
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
        """The rows of all alarms that are active or latched."""
        return (*self._open.values(), *self._latched.values())

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
            when = When(int(transitions.time_ms[at]), received_ms, decided_ms, position)
            value = number_or_none(float(transitions.value[at]))
            seen = Seen(value, int(transitions.quality[at]), *measures(transitions, at))
            if transitions.change[at] == Change.RAISED:
                self._raise(decided, tag, condition, int(transitions.onset_ms[at]), when, seen)
            else:
                self._clear(decided, tag, condition, when, seen)
        return decided

    def escalate(self, now_ms: int, decided_ms: int, position: int) -> Decided:
        """Let tiers rise where a rule of the plant file says so. A rise alarms anew: it voids an acknowledgement.

        Args:
            now_ms: When the tick or batch that may change something arrived, gateway clock.
            decided_ms: Now, gateway clock.
            position: The log row of that tick or batch.
        """
        decided = Decided()
        for rise in self._ladder.rises(now_ms):
            row = self._open[rise.tag, rise.condition]
            row.update(
                tier=rise.tier, rise=rise.reason, alarmed_ms=rise.at_ms, acknowledged_ms=None, acknowledged_by=None
            )
            when = When(rise.at_ms, now_ms, decided_ms, position)
            self._record(decided, row, "tier_raised", when, Seen.of(row), rise.reason)
        return decided

    def find(self, alarm_id: str) -> Mapping[str, Any] | None:
        """Return the row of an open alarm, or None."""
        return next((row for row in self.open_alarms if row["alarm_id"] == alarm_id), None)

    def acknowledge(self, command: Acknowledge, now_ms: int, position: int) -> Decided:
        """Note that somebody has seen an open alarm; a latched one is over with that.

        Args:
            command: For an alarm that `find` finds.
            now_ms: Gateway clock.
            position: The last log row.

        Raises:
            ConflictError: The alarm is not as it was seen, or has been acknowledged already.
        """
        key, row = next((key, row) for key, row in self._all() if row["alarm_id"] == command.alarm_id)
        if row["version"] != command.version:
            raise ConflictError(
                f"alarm {command.alarm_id} has version {row['version']}, not {command.version}: look again"
            )
        if row["acknowledged_ms"] is not None:
            raise ConflictError(f"alarm {command.alarm_id} has been acknowledged by {row['acknowledged_by']}")
        decided = Decided()
        row.update(acknowledged_ms=now_ms, acknowledged_by=command.by)
        if row["state"] == "latched":
            self._ended[key] = self._latched.pop(key)
            row["state"] = "cleared"
        when = When(now_ms, now_ms, now_ms, position)
        self._record(decided, row, "acknowledged", when, Seen.of(row), {"by": command.by, "comment": command.comment})
        return decided

    def _all(self) -> Iterable[tuple[tuple[str, Condition], dict[str, Any]]]:
        return (*self._open.items(), *self._latched.items())

    def reconcile(self, active: Mapping[tuple[str, Condition], int], now_ms: int, position: int) -> Decided:
        """Make the records agree with the engine after the plant file has changed; normally there is nothing to do.

        Args:
            active: What the engine holds active: (tag, condition) -> onset.
            now_ms: Gateway clock.
            position: The log row that this belongs to.
        """
        decided = Decided()
        when = When(now_ms, now_ms, now_ms, position)
        gone = [key for key, row in self._open.items() if active.get(key) != row["onset_ms"]]
        for tag, condition in (key for key in gone if key[1] is not Condition.SYSTEM):
            self._clear(decided, tag, condition, when, Seen(None, int(self._open[tag, condition]["quality"])))
        for (tag, condition), onset_ms in active.items():
            if (tag, condition) not in self._open:
                self._raise(decided, tag, condition, onset_ms, when, Seen(None, 0))
        return decided

    def report(self, troubles: Mapping[str, Trouble], now_ms: int, position: int) -> Decided:
        """Raise an alarm for every trouble of the system that has none, and clear those whose trouble is over.

        Args:
            troubles: What is wrong now, by the name under which it is alarmed.
            now_ms: Gateway clock.
            position: The last log row.
        """
        decided = Decided()
        when = When(now_ms, now_ms, now_ms, position)
        known = {tag for tag, condition in self._open if condition is Condition.SYSTEM}
        for name in known - troubles.keys():
            self._clear(decided, name, Condition.SYSTEM, when, Seen(None, 0))
        for name, trouble in troubles.items():
            if name not in known:
                self._rules[name, Condition.SYSTEM] = rule_of(trouble)
                self._raise(decided, name, Condition.SYSTEM, trouble.since_ms, when, Seen(None, 0))
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
            when = When(int(missed.raised_ms[at]), received_ms, decided_ms, position)
            seen = Seen(number_or_none(float(missed.value[at])), int(missed.quality[at]), *measures(missed, at))
            row = self._row(tag, condition, int(missed.onset_ms[at]), when, seen)
            row |= {
                "state": "cleared",
                "cleared_ms": int(missed.cleared_ms[at]),
                "delayed": False,
                "retrospective": True,
            }
            self._record(decided, row, "retrospective", when, seen)
        return decided

    def _raise(self, decided: Decided, tag: str, condition: Condition, onset_ms: int, when: When, seen: Seen) -> None:
        row = self._row(tag, condition, onset_ms, when, seen)
        self._supersede(decided, (tag, condition), row["alarm_id"], when)
        earlier = self._open.get((tag, condition)) or self._ended.get((tag, condition))
        if earlier and earlier["alarm_id"] == row["alarm_id"]:
            row["version"] = int(earlier["version"])
        self._open[tag, condition] = row
        self._record(decided, row, "raised", when, seen)

    def _row(self, tag: str, condition: Condition, onset_ms: int, when: When, seen: Seen) -> dict[str, Any]:
        """Return the row of an alarm that has just been raised, before its first event."""
        rule, described = self._rules[tag, condition], self._tags.get(tag)
        return {
            "alarm_id": alarm_id(tag, condition, onset_ms),
            "tag": tag,
            "condition": condition.value,
            "tier": int(rule.tier),
            "state": "active",
            "hazard_unit": described.hazard_unit if described else "",
            "vessel": described.vessel if described else "",
            "vehicle": described.vehicle if described else "",
            "edge": described.edge if described else edge_of(tag),
            "onset_ms": onset_ms,
            "raised_ms": when.at_ms,
            "cleared_ms": None,
            "received_ms": when.received_ms,
            "decided_ms": when.decided_ms,
            "limit": number_or_none(rule.limit),
            "deadband": rule.deadband,
            "on_delay_ms": rule.on_delay_ms,
            "basis": rule.basis,
            "delayed": is_delayed(condition, rule, when, self._delayed_after_ms),
            "retrospective": False,
            "version": 0,
            "base_tier": int(rule.tier),
            "latch": rule.latch,
            "alarmed_ms": when.received_ms,
            "acknowledged_ms": None,
            "acknowledged_by": None,
            "rise": None,
            **seen.columns(),
        }

    def _supersede(self, decided: Decided, key: tuple[str, Condition], name: str, when: When) -> None:
        """End a latched alarm in favour of the one that is raised now; with the same name it is the same alarm."""
        latched = self._latched.pop(key, None)
        if latched is None:
            return
        self._ended[key] = latched
        if latched["alarm_id"] != name:
            latched["state"] = "cleared"
            self._record(decided, latched, "superseded", when, Seen.of(latched), {"by": name})

    def _clear(self, decided: Decided, tag: str, condition: Condition, when: When, seen: Seen) -> None:
        row = self._open.pop((tag, condition))
        latches = row["latch"] and row["acknowledged_ms"] is None
        row = {**row, "state": "latched" if latches else "cleared", "cleared_ms": when.at_ms}
        (self._latched if latches else self._ended)[tag, condition] = row
        self._record(decided, row, row["state"], when, seen)

    def _record(
        self,
        decided: Decided,
        row: dict[str, Any],
        kind: str,
        when: When,
        seen: Seen,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        self._event_id += 1
        row["version"] += 1
        row["sequence"] = self._event_id
        if not row["retrospective"]:
            self._ladder.note(row)
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
                "position": when.position,
                "detail": detail,
                **seen.columns(),
            }
        )
