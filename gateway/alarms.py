"""From transitions to alarms: which alarm is open on which point, and its record.

An alarm is named by tag, condition and onset, so writing it twice writes the same row. Its states and events:
docs/alarm-lifecycle.md; the table they follow: `gateway.lifecycle`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alerting.batch import Change, Transitions
from alerting.retrospect import Alarms
from config.contract.alarms import alarm_id
from config.duty.handling import DEFAULT_HANDLING, Handling
from config.plant.model import CONDITIONS, Condition, ConditionRule, Plant, Tag
from gateway.agenda import Agenda
from gateway.alarm_rows import Cause, Decided, Point, Seen, When, is_delayed, measures, number_or_none
from gateway.errors import ConflictError
from gateway.escalation import Ladder
from gateway.handling import HandlingEvent, Stage, advance
from gateway.inhibitions import Inhibitions
from gateway.lifecycle import TABLE, Effect, Go, Life, LifeEvent, No, columns_of, life_of
from gateway.system import Trouble, edge_of, rule_of

__all__ = ["AlarmBook"]

_MINOR = frozenset({"commented", "arrived", "measured", "overdue"})
"""Events that change nothing of what somebody else is about to decide."""
_OVER = {Life.NORMAL: "cleared", Life.RETURNED: "returned"}
"""State after a condition is over -> the event as the records call it."""


class AlarmBook:
    """The open alarms: active ones, and those that are over and wait for somebody.

    Args:
        plant: Says what a tag is and how it is limited.
        names: Row -> tag name.
        open_alarms: Rows of the alarm table whose state is one of `gateway.records.schema.OPEN_STATES`.
        event_id: The last event written.
        delayed_after_ms: A deciding sample that took longer than this to arrive makes the alarm *delayed*.
        handling: The site's clocks and rules.
        inhibitions: The points that are not told.
    """

    def __init__(
        self,
        plant: Plant,
        names: Sequence[str],
        open_alarms: Iterable[Mapping[str, Any]],
        event_id: int,
        delayed_after_ms: int,
        handling: Handling = DEFAULT_HANDLING,
        inhibitions: Inhibitions | None = None,
    ) -> None:
        self._names = names
        self._tags: Mapping[str, Tag] = plant.tags
        self._rules = {(tag.name, rule.condition): rule for tag in plant.tags.values() for rule in tag.conditions}
        self._ladder = Ladder(plant, names)
        self.handling = handling
        self.inhibitions = inhibitions or Inhibitions()
        self.agenda = Agenda(handling)
        self._open: dict[Point, dict[str, Any]] = {}
        """Active ones."""
        self._waiting: dict[Point, dict[str, Any]] = {}
        """Over, and not yet acknowledged or reset."""
        self._points: dict[str, Point] = {}
        """Alarm id -> point, of all of these."""
        for row in open_alarms:
            self._place(dict(row))
            self._ladder.note(row)
            self.agenda.note(row)
        self._ended: dict[Point, dict[str, Any]] = {}
        """The last alarm that is over: one with the same onset again is the same alarm, and its version goes on."""
        self._event_id = event_id
        self._delayed_after_ms = delayed_after_ms

    @property
    def event_id(self) -> int:
        """The last event given out."""
        return self._event_id

    @property
    def open_alarms(self) -> Sequence[Mapping[str, Any]]:
        """The rows of all alarms that are active, or over and wait for somebody."""
        return (*self._open.values(), *self._waiting.values())

    def find(self, name: str) -> dict[str, Any] | None:
        """Return the row of an open alarm, or None."""
        point = self._points.get(name)
        return None if point is None else self.row(point)

    def row(self, point: Point) -> dict[str, Any] | None:
        """Return the row of the open alarm of a point, or None."""
        return self._open.get(point) or self._waiting.get(point)

    def is_active(self, point: Point) -> bool:
        """Say whether the condition of a point holds."""
        return point in self._open

    def is_told(self, point: Point) -> bool:
        """Say whether the condition of a point holds, and people are told so."""
        return point in self._open and self._open[point]["inhibited"] is None

    def rule(self, point: Point) -> ConditionRule | None:
        """Return the rule of a point; None when the plant file has none."""
        return self._rules.get(point)

    def life(self, point: Point) -> Life:
        """Return the state of a point."""
        row = self.row(point)
        return self.inhibitions.kind(point) or (Life.NORMAL if row is None else life_of(row))

    # --- what the engine and the clocks say ----------------------------------------------------------------------

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
            point = self._names[int(transitions.tag[at])], CONDITIONS[int(transitions.condition[at])]
            when = When(int(transitions.time_ms[at]), received_ms, decided_ms, position)
            value = number_or_none(float(transitions.value[at]))
            seen = Seen(value, int(transitions.quality[at]), *measures(transitions, at))
            if transitions.change[at] == Change.RAISED:
                self._raise(decided, point, int(transitions.onset_ms[at]), when, seen)
            else:
                self._clear(decided, point, when, seen)
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
            row.update(tier=rise.tier, rise=rise.reason)
            when = When(rise.at_ms, now_ms, decided_ms, position)
            self.step(decided, row, LifeEvent.RE_ALARM, Cause("tier_raised", when, rise.reason))
        return decided

    def reconcile(self, active: Mapping[Point, int], now_ms: int, position: int) -> Decided:
        """Make the records agree with the engine after the plant file has changed; normally there is nothing to do.

        Args:
            active: What the engine holds active: point -> onset.
            now_ms: Gateway clock.
            position: The log row that this belongs to.
        """
        decided = Decided()
        when = When.now(now_ms, position)
        gone = [point for point, row in self._open.items() if active.get(point) != row["onset_ms"]]
        for point in (point for point in gone if point[1] is not Condition.SYSTEM):
            self._clear(decided, point, when, Seen(None, int(self._open[point]["quality"])))
        for point, onset_ms in active.items():
            if point not in self._open:
                self._raise(decided, point, onset_ms, when, Seen(None, 0))
        return decided

    def report(self, troubles: Mapping[str, Trouble], now_ms: int, position: int) -> Decided:
        """Raise an alarm for every trouble of the system that has none, and clear those whose trouble is over.

        Args:
            troubles: What is wrong now, by the name under which it is alarmed.
            now_ms: Gateway clock.
            position: The last log row.
        """
        decided = Decided()
        when = When.now(now_ms, position)
        known = {tag for tag, condition in self._open if condition is Condition.SYSTEM}
        for name in known - troubles.keys():
            self._clear(decided, (name, Condition.SYSTEM), when, Seen(None, 0))
        for name, trouble in troubles.items():
            if name not in known:
                self._rules[name, Condition.SYSTEM] = rule_of(trouble)
                self._raise(decided, (name, Condition.SYSTEM), trouble.since_ms, when, Seen(None, 0))
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
            point = tag, CONDITIONS[int(missed.condition[at])]
            when = When(int(missed.raised_ms[at]), received_ms, decided_ms, position)
            seen = Seen(number_or_none(float(missed.value[at])), int(missed.quality[at]), *measures(missed, at))
            row = self._row(point, int(missed.onset_ms[at]), when, seen)
            row |= {
                "state": "cleared",
                "cleared_ms": int(missed.cleared_ms[at]),
                "delayed": False,
                "retrospective": True,
            }
            self.record(decided, row, Cause("retrospective", when, seen=seen))
        return decided

    def _raise(self, decided: Decided, point: Point, onset_ms: int, when: When, seen: Seen) -> None:
        row = self._row(point, onset_ms, when, seen)
        self._supersede(decided, point, row["alarm_id"], when)
        earlier = self._ended.get(point)
        if earlier and earlier["alarm_id"] == row["alarm_id"]:
            row["version"] = int(earlier["version"])
        cell = TABLE[self.inhibitions.kind(point) or Life.NORMAL][LifeEvent.RAISE]
        told = isinstance(cell, Go) and Effect.TELL in cell.effects
        if isinstance(cell, Go):
            row |= {"state": "active"} | columns_of(cell.to)
        if told:
            self._tell_anew(row, when.received_ms)
        self._place(row)
        detail = None if told else {"inhibited": row["inhibited"]}
        self.record(decided, row, Cause("raised", when, detail, seen))

    def _supersede(self, decided: Decided, point: Point, name: str, when: When) -> None:
        """End an earlier alarm of a point in favour of the one that is raised now; the same name is the same alarm."""
        earlier = self.row(point)
        if earlier is None:
            return
        self._forget(earlier)
        self._ended[point] = earlier
        if earlier["alarm_id"] != name:
            earlier |= {
                "state": "cleared",
                "inhibited": None,
                "overdue": "",
                "cleared_ms": earlier["cleared_ms"] or when.at_ms,
            }
            earlier["stage"] = advance(earlier, HandlingEvent.MERGE).value
            self.record(decided, earlier, Cause("superseded", when, {"by": name}))

    def _clear(self, decided: Decided, point: Point, when: When, seen: Seen) -> None:
        row = self._open[point]
        row["cleared_ms"] = when.at_ms
        if row["latch"]:
            event = LifeEvent.CLEAR_LATCHING
        else:
            automatic = row["tier"] in self.handling.automatic_tiers
            event = LifeEvent.CLEAR_AUTOMATIC if automatic else LifeEvent.CLEAR
        cell = TABLE[life_of(row)][event]
        after = cell.to if isinstance(cell, Go) and Effect.END not in cell.effects else Life.NORMAL
        self.step(decided, row, event, Cause(_OVER.get(after, "latched"), when, seen=seen))

    # --- one transition of one alarm -----------------------------------------------------------------------------

    def step(self, decided: Decided, row: dict[str, Any], event: LifeEvent, cause: Cause) -> None:
        """Move an alarm by the table, and record it.

        Args:
            decided: Takes the record.
            row: Of an open alarm; changed.
            event: What happens.
            cause: Why, and what changes with it.

        Raises:
            ConflictError: The table refuses it; says why. Nothing has changed.
        """
        point = row["tag"], Condition(row["condition"])
        cell = TABLE[life_of(row)][event]
        if isinstance(cell, No):
            raise ConflictError(f"alarm {row['alarm_id']}: {cell.why.en}（{cell.why.zh}）")
        self._forget(row)
        row |= cause.changes
        row |= {"state": "cleared", "inhibited": None} if Effect.END in cell.effects else columns_of(cell.to)
        if cause.handling is not None:
            row["stage"] = advance(row, cause.handling).value
        elif Effect.END in cell.effects:
            self._end_handling(row, cause.when)
        if Effect.TELL in cell.effects:
            self._tell_anew(row, cause.when.at_ms)
        if Effect.HUSH in cell.effects:
            row |= {"acknowledge_due_ms": None, "measure_due_ms": None, "overdue": ""}
        if row["state"] == "cleared":
            self._ended[point] = row
        else:
            self._place(row)
        self.record(decided, row, cause)

    def record(self, decided: Decided, row: dict[str, Any], cause: Cause) -> None:
        """Give an alarm its next event, as it is after it."""
        self._event_id += 1
        row["version"] += 1
        row["sequence"] = self._event_id
        if cause.kind not in _MINOR:
            row["material_version"] = row["version"]
        if not row["retrospective"]:
            self._ladder.note(row)
            self.agenda.note(row)
        event = {
            "event_id": self._event_id,
            "alarm_id": row["alarm_id"],
            "kind": cause.kind,
            "version": row["version"],
            "at_ms": cause.when.at_ms,
            "received_ms": cause.when.received_ms,
            "decided_ms": cause.when.decided_ms,
            "position": cause.when.position,
            "detail": cause.detail,
            "key": cause.key,
            **(cause.seen or Seen.of(row)).columns(),
        }
        decided.note(dict(row), event)

    @staticmethod
    def _end_handling(row: dict[str, Any], when: When) -> None:
        """Let the handling know that a life is over; where nobody need have seen it, that may be its end as well."""
        alone = row["acknowledged_ms"] is None
        row["stage"] = advance(row, HandlingEvent.EXPIRE if alone else HandlingEvent.RECOVER).value
        if row["stage"] == Stage.CLOSED:
            row |= {"closed_ms": when.decided_ms, "overdue": ""}

    def _tell_anew(self, row: dict[str, Any], at_ms: int) -> None:
        """Let an alarm count as new: nobody has seen it, and all its clocks begin."""
        handling, tier = self.handling, row["tier"]
        row |= {
            "alarmed_ms": at_ms,
            "acknowledged_ms": None,
            "acknowledged_by": None,
            "overdue": "",
            "acknowledge_due_ms": at_ms + handling.acknowledge_ms[tier] if tier in handling.acknowledge_ms else None,
            "measure_due_ms": at_ms + handling.measure_ms[tier] if tier in handling.measure_ms else None,
        }

    def _row(self, point: Point, onset_ms: int, when: When, seen: Seen) -> dict[str, Any]:
        """Return the row of an alarm that has just been raised, before its first event."""
        tag, condition = point
        rule, described = self._rules[point], self._tags.get(tag)
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
            **_UNHANDLED,
        }

    def _place(self, row: dict[str, Any]) -> None:
        point = row["tag"], Condition(row["condition"])
        (self._open if row["state"] == "active" else self._waiting)[point] = row
        self._points[row["alarm_id"]] = point

    def _forget(self, row: Mapping[str, Any]) -> None:
        """Take an alarm off the lists; what is no open alarm is on none."""
        point = self._points.pop(row["alarm_id"], None)
        if point is not None:
            self._open.pop(point, None)
            self._waiting.pop(point, None)


_UNHANDLED: Mapping[str, Any] = {
    "inhibited": None,
    "material_version": 0,
    "stage": Stage.RAISED.value,
    "assigned_to": None,
    "verdict": None,
    "hands": None,
    "measured_ms": None,
    "acknowledge_due_ms": None,
    "measure_due_ms": None,
    "overdue": "",
    "closed_ms": None,
    "closed_by": None,
}
