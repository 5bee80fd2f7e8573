"""Escalation as plain loops: what `alerting.tiers` must equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from config.plant.model import Condition, Escalation, EscalationScope, KOfN, Plant, Together

__all__ = ["NaiveAlarm", "NaiveRise", "naive_rises"]


@dataclass(frozen=True)
class NaiveAlarm:
    tag: str
    condition: Condition
    tier: int
    acknowledged: bool
    since_ms: int


@dataclass(frozen=True)
class NaiveRise:
    alarm: NaiveAlarm
    tier: int
    rule: str
    at_ms: int
    made_by: tuple[NaiveAlarm, ...]


def naive_rises(plant: Plant, alarms: Sequence[NaiveAlarm], now_ms: int) -> list[NaiveRise]:
    """Go through the alarms one by one, and for each through the rules in the order of the file."""
    rises = []
    for alarm in alarms:
        best: NaiveRise | None = None
        for name, rule in plant.escalations.items():
            made_by = _holds(rule, alarm, alarms, plant, now_ms)
            to = rule.tier if rule.tier is not None else alarm.tier - 1
            if not made_by or to >= (best.tier if best else alarm.tier):
                continue
            timed = not isinstance(rule, (KOfN, Together))
            at_ms = alarm.since_ms + rule.after_ms if timed else now_ms  # type: ignore[union-attr]
            best = NaiveRise(alarm, to, name, at_ms, tuple(made_by))
        if best:
            rises.append(best)
    return rises


def _holds(
    rule: Escalation, alarm: NaiveAlarm, alarms: Sequence[NaiveAlarm], plant: Plant, now_ms: int
) -> list[NaiveAlarm]:
    """Return the alarms that make the rule hold for ``alarm``; none when it does not."""
    if not isinstance(rule, (KOfN, Together)):
        waited = now_ms - alarm.since_ms >= rule.after_ms
        return [alarm] if alarm.tier in rule.tiers and not alarm.acknowledged and waited else []
    mates = [one for one in alarms if _same_place(rule, one, alarm, plant) and one.condition in rule.conditions]
    if alarm not in mates:
        return []
    if isinstance(rule, KOfN):
        return mates if len({one.tag for one in mates}) >= rule.at_least else []
    return mates if {one.condition for one in mates} == set(rule.conditions) else []


def _same_place(rule: KOfN | Together, one: NaiveAlarm, other: NaiveAlarm, plant: Plant) -> bool:
    first, second = plant.tags.get(one.tag), plant.tags.get(other.tag)
    if first is None or second is None or not (rule.concerns(first) and rule.concerns(second)):
        return False
    if isinstance(rule, KOfN):
        return first.hazard_unit == second.hazard_unit
    if rule.on is EscalationScope.TAG:
        return one.tag == other.tag
    return first.vessel == second.vessel
