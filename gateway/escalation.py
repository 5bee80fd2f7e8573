"""Which tiers rise now: keeps the active alarms as arrays beside their rows, for the rules of the plant file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alerting.tiers import ActiveAlarms, compile_escalations, find_rises
from config.plant.model import CONDITIONS, Condition, Plant

__all__ = ["Ladder", "Rise"]

_OTHERS_NAMED = 20
"""So many other alarms are named in a reason; all are counted."""


@dataclass(frozen=True, slots=True)
class Rise:
    """One alarm whose tier rises."""

    tag: str
    condition: Condition
    tier: int
    at_ms: int
    """Gateway clock."""
    reason: dict[str, Any]
    """For the records: ``rule``, ``when``, ``from``, ``to``, ``at_ms``, ``others`` ([tag, condition] of the first
    alarms that made it so, itself left out), ``count`` (all of them, itself included)."""


class Ladder:
    """The active alarms and the rules by which they climb.

    Args:
        plant: Its escalations are the rules.
        names: Row -> tag name.
    """

    def __init__(self, plant: Plant, names: Sequence[str]) -> None:
        self._names = names
        self._rows = {name: row for row, name in enumerate(names)}
        self._rules = compile_escalations(plant, names)
        self._kinds = {rule.id: rule.when for rule in plant.escalations.values()}
        shape = (len(CONDITIONS), len(names))
        self._tier = np.zeros(shape, np.uint8)
        """0 where nothing is active."""
        self._acknowledged = np.zeros(shape, np.bool_)
        self._since_ms = np.zeros(shape, np.int64)
        self._active = 0

    def note(self, alarm: Mapping[str, Any]) -> None:
        """Take an alarm as it is now.

        Args:
            alarm: A row of `gateway.records.schema.alarm`.
        """
        row = self._rows.get(alarm["tag"])
        if row is None:
            return
        at = CONDITIONS.index(Condition(alarm["condition"])), row
        # What is not told is no point of a rule: a detector that is out of service bears no witness.
        counts = alarm["state"] == "active" and alarm["inhibited"] is None
        tier = int(alarm["tier"]) if counts else 0
        self._active += (tier > 0) - bool(self._tier[at])
        self._tier[at] = tier
        self._acknowledged[at] = alarm["acknowledged_ms"] is not None
        self._since_ms[at] = alarm["alarmed_ms"]

    def rises(self, now_ms: int) -> Iterator[Rise]:
        """Yield every alarm that rises now, by condition and row.

        Args:
            now_ms: Gateway clock.
        """
        if not self._active or not self._rules.rules:
            return
        condition, row = np.nonzero(self._tier)
        alarms = ActiveAlarms(
            row=row.astype(np.int32),
            condition=condition.astype(np.uint8),
            tier=self._tier[condition, row],
            acknowledged=self._acknowledged[condition, row],
            since_ms=self._since_ms[condition, row],
        )
        found = find_rises(self._rules, alarms, now_ms)
        makers: dict[tuple[int, int], list[int]] = {}
        for at in range(len(found)):
            alarm, rule = int(found.alarm[at]), int(found.rule[at])
            group = rule, int(found.group[rule, alarm])
            if group not in makers:
                makers[group] = found.made_by(at).tolist()
            yield self._rise(
                alarms, alarm, makers[group], self._rules.names[rule], int(found.tier[at]), int(found.at_ms[at])
            )

    def _rise(self, alarms: ActiveAlarms, alarm: int, makers: Sequence[int], rule: str, tier: int, at_ms: int) -> Rise:
        def named(one: int) -> tuple[str, Condition]:
            return self._names[int(alarms.row[one])], CONDITIONS[int(alarms.condition[one])]

        others = [one for one in makers[: _OTHERS_NAMED + 1] if one != alarm][:_OTHERS_NAMED]
        tag, condition = named(alarm)
        reason = {
            "rule": rule,
            "when": self._kinds[rule],
            "from": int(alarms.tier[alarm]),
            "to": tier,
            "at_ms": at_ms,
            "others": [[name, other.value] for name, other in map(named, others)],
            "count": len(makers),
        }
        return Rise(tag, condition, tier, at_ms, reason)
