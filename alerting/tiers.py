"""When tiers rise: several points of one unit, conditions together on one vessel, nobody acknowledging.

Pure: active alarms and the clock in, rises with what made them out. What a rise does (a record, a new notice) is
decided by who asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from config.plant.model import CONDITIONS, Condition, Escalation, EscalationScope, KOfN, Plant, Tag, Tier, Together

__all__ = ["ActiveAlarms", "Escalations", "Rises", "compile_escalations", "find_rises"]

_NOWHERE = -1


@dataclass(frozen=True, slots=True, eq=False)
class ActiveAlarms:
    """The active alarms, in any order; arrays of one length n. At most one of each row and condition."""

    row: NDArray[np.int32]
    """Row of the tag."""
    condition: NDArray[np.uint8]
    """Position in `CONDITIONS`."""
    tier: NDArray[np.uint8]
    """The present one."""
    acknowledged: NDArray[np.bool_]
    since_ms: NDArray[np.int64]
    """When it was decided or its tier last rose; gateway clock."""

    def __len__(self) -> int:
        """Return the number of alarms."""
        return len(self.row)


@dataclass(frozen=True, slots=True, eq=False)
class Rises:
    """Which of n alarms rise, at most once each. Arrays of length m, but for `group`."""

    alarm: NDArray[np.int64]
    """Position among the alarms, rising."""
    tier: NDArray[np.uint8]
    """To which: the best (lowest) of all rules that hold."""
    rule: NDArray[np.int64]
    """Position of the rule; of several with the same tier the first."""
    at_ms: NDArray[np.int64]
    """When, gateway clock: for unacknowledged alarms the moment their time was up, else now."""
    group: NDArray[np.int64]
    """[rules, n]: the alarms that satisfy a rule together have the same number >= 0; -1: not concerned."""

    def __len__(self) -> int:
        """Return the number of rises."""
        return len(self.alarm)

    def made_by(self, at: int) -> NDArray[np.int64]:
        """Return the alarms that made rise number ``at`` so, itself among them, rising."""
        groups = self.group[self.rule[at]]
        return np.flatnonzero(groups == groups[self.alarm[at]])


class _Rule(Protocol):
    """A compiled rule."""

    @property
    def tier(self) -> int:
        """To which alarms rise; 0: one up."""
        ...

    def groups(self, alarms: ActiveAlarms, now_ms: int) -> NDArray[np.int64]:
        """Return [n]: a number >= 0 common to the alarms that satisfy the rule together, -1 for the others."""
        ...

    def at_ms(self, alarms: ActiveAlarms, now_ms: int) -> NDArray[np.int64]:
        """Return [n]: when the rule began to hold."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Escalations:
    """The rules of a plant, compiled for the rows of its tags."""

    names: tuple[str, ...]
    """Of the rules, in the order of the plant file."""
    rules: tuple[_Rule, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _KOfN:
    tier: int
    at_least: int
    wanted: NDArray[np.bool_]
    """[condition]"""
    place: NDArray[np.int64]
    """[row]: number of the hazard unit, -1 when the tag is none of the points."""

    def groups(self, alarms: ActiveAlarms, now_ms: int) -> NDArray[np.int64]:  # noqa: ARG002 - like every rule
        group = np.where(self.wanted[alarms.condition], self.place[alarms.row], _NOWHERE)
        points = np.unique(alarms.row[group != _NOWHERE])  # several conditions of one tag are one point
        return _only(group, np.bincount(self.place[points]) >= self.at_least)

    def at_ms(self, alarms: ActiveAlarms, now_ms: int) -> NDArray[np.int64]:
        return np.full(len(alarms), now_ms)


@dataclass(frozen=True, slots=True, eq=False)
class _Together:
    tier: int
    wanted: NDArray[np.bool_]
    """[condition]"""
    place: NDArray[np.int64]
    """[row]: number of the vessel or tag, -1 when it takes no part."""

    def groups(self, alarms: ActiveAlarms, now_ms: int) -> NDArray[np.int64]:  # noqa: ARG002 - like every rule
        group = np.where(self.wanted[alarms.condition], self.place[alarms.row], _NOWHERE)
        here = group != _NOWHERE
        pairs = np.unique(group[here] * len(self.wanted) + alarms.condition[here])
        return _only(group, np.bincount(pairs // len(self.wanted)) == self.wanted.sum())

    def at_ms(self, alarms: ActiveAlarms, now_ms: int) -> NDArray[np.int64]:
        return np.full(len(alarms), now_ms)


@dataclass(frozen=True, slots=True, eq=False)
class _Unacknowledged:
    tier: int
    tiers: NDArray[np.bool_]
    """[tier]"""
    after_ms: int

    def groups(self, alarms: ActiveAlarms, now_ms: int) -> NDArray[np.int64]:
        due = self.tiers[alarms.tier] & ~alarms.acknowledged & (self.at_ms(alarms, now_ms) <= now_ms)
        return np.where(due, np.arange(len(alarms)), _NOWHERE)

    def at_ms(self, alarms: ActiveAlarms, now_ms: int) -> NDArray[np.int64]:  # noqa: ARG002 - like every rule
        return alarms.since_ms + self.after_ms


def find_rises(escalations: Escalations, alarms: ActiveAlarms, now_ms: int) -> Rises:
    """Say which alarms rise now. A tier never falls; who is already there stays.

    Args:
        escalations: The rules.
        alarms: All that are active.
        now_ms: Gateway clock.
    """
    tier, rule = alarms.tier.astype(np.int64), np.full(len(alarms), _NOWHERE)
    at_ms = np.full(len(alarms), now_ms)
    group = np.full((len(escalations.rules), len(alarms)), _NOWHERE)
    for number, one in enumerate(escalations.rules):
        group[number] = one.groups(alarms, now_ms)
        to = one.tier or alarms.tier.astype(np.int64) - 1
        better = (group[number] != _NOWHERE) & (to < tier) & (to >= Tier.RED)
        tier, rule = np.where(better, to, tier), np.where(better, number, rule)
        at_ms = np.where(better, one.at_ms(alarms, now_ms), at_ms)
    rising = np.flatnonzero(rule != _NOWHERE)
    return Rises(rising, tier[rising].astype(np.uint8), rule[rising], at_ms[rising], group)


def compile_escalations(plant: Plant, names: Sequence[str]) -> Escalations:
    """Lay the escalations of a plant out for the rows of its tags.

    Args:
        plant: Where the rules come from.
        names: Tag name of each row; under a name the plant no longer has nothing is combined.
    """
    tags = [plant.tags.get(name) for name in names]
    return Escalations(
        tuple(plant.escalations), tuple(_compiled(one, plant, tags) for one in plant.escalations.values())
    )


def _compiled(rule: Escalation, plant: Plant, tags: Sequence[Tag | None]) -> _Rule:
    if isinstance(rule, KOfN):
        units = {unit: number for number, unit in enumerate(plant.hazard_units)}
        place = [units[tag.hazard_unit] if tag and rule.concerns(tag) else _NOWHERE for tag in tags]
        return _KOfN(int(rule.tier), rule.at_least, _wanted(rule.conditions), np.array(place, np.int64))
    if isinstance(rule, Together):
        on_tag = rule.on is EscalationScope.TAG
        vessels = {vessel: number for number, vessel in enumerate(plant.vessels)}
        place = [
            (row if on_tag else vessels[tag.vessel]) if tag and rule.concerns(tag) else _NOWHERE
            for row, tag in enumerate(tags)
        ]
        return _Together(int(rule.tier), _wanted(rule.conditions), np.array(place, np.int64))
    tiers = np.zeros(max(Tier) + 1, np.bool_)
    tiers[list(rule.tiers)] = True
    return _Unacknowledged(int(rule.tier or 0), tiers, rule.after_ms)


def _wanted(conditions: Sequence[Condition]) -> NDArray[np.bool_]:
    return np.array([condition in conditions for condition in CONDITIONS])


def _only(group: NDArray[np.int64], holds: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Keep the groups in which the rule holds.

    Args:
        group: [n]: number of the group, -1 for none.
        holds: [group].
    """
    known = np.append(holds, False)  # -1, no group, finds the last
    return np.where(known[group], group, _NOWHERE)
