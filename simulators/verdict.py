"""Whether the alarms of a run are those its scenario demands: expected, missed and false ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from config.plant.model import Condition
from simulators.scenario import Allowed, Demanded, Scenario

__all__ = ["Alarm", "Verdict", "judge"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm that was raised."""

    tag: str
    condition: Condition
    tier: int
    raised_ms: int
    """UTC."""
    cleared_ms: int | None = None
    """UTC; None while it is active."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a scenario's demands."""

    expected: int
    """Demands whose time was up within the run."""
    raised: int
    """Alarms, all of them."""
    missed: tuple[str, ...]
    """Demands that were not met, and how."""
    false: tuple[str, ...]
    """Alarms that nobody demanded or allowed, and why."""
    details: tuple[str, ...] = field(default=())
    """What met which demand, and what was not due in a shorter run."""

    @property
    def passed(self) -> bool:
        """Nothing missed, nothing false."""
        return not self.missed and not self.false


def judge(scenario: Scenario, alarms: Iterable[Alarm], started_ms: int, ran_s: float | None = None) -> Verdict:
    """Compare the alarms of a run with what its scenario says.

    A demand is met by exactly ``count`` different tags (one for a plain tag name) raising its condition in its
    window. Every alarm has to be claimed by a demand or an allowance; a second one of the same tag and condition
    needs an allowance. An alarm that a ``must_not_raise`` covers is false even so.

    Args:
        scenario: What was played.
        alarms: All that were raised.
        started_ms: UTC of the run's start; windows count from there.
        ran_s: How long it ran; demands due later are not judged. None: the scenario's duration.
    """
    until_s = scenario.duration_s if ran_s is None else ran_s
    ordered = sorted(alarms, key=lambda alarm: (alarm.raised_ms, alarm.tag, alarm.condition))
    false = [alarm for alarm in ordered if _covered(scenario.expect.must_not_raise, alarm, started_ms)]
    pending = [alarm for alarm in ordered if alarm not in false]
    missed: list[str] = []
    details: list[str] = []
    expected = 0
    for demand in scenario.expect.must_raise:
        claimed = _claim(demand, pending, started_ms)
        pending = [alarm for alarm in pending if alarm not in claimed]
        details += [f"{demand}: {_told(alarm, started_ms)}" for alarm in claimed]
        if demand.window[1] > until_s:
            details.append(f"{demand}: not due within {until_s:g} s")
            continue
        expected += demand.count
        missed += _shortcomings(demand, claimed, started_ms, until_s)
    false += [alarm for alarm in pending if not _covered(scenario.expect.may_raise, alarm, started_ms)]
    told = tuple(_told(alarm, started_ms) for alarm in false)
    return Verdict(expected, len(ordered), tuple(missed), told, tuple(details))


def _claim(demand: Demanded, pending: Sequence[Alarm], started_ms: int) -> list[Alarm]:
    """Return the alarms that answer a demand: the first of each tag."""
    claimed: dict[str, Alarm] = {}
    for alarm in pending:
        if demand.covers(alarm.tag, alarm.condition, _at_s(alarm.raised_ms, started_ms)):
            claimed.setdefault(alarm.tag, alarm)
    return list(claimed.values())


def _shortcomings(demand: Demanded, claimed: Sequence[Alarm], started_ms: int, until_s: float) -> list[str]:
    """Say what is wrong with the answers to one demand."""
    wrong = []
    if len(claimed) < demand.count:
        wrong.append(f"{demand}: {len(claimed)} of {demand.count} raised")
    for alarm in claimed:
        if demand.tier is not None and alarm.tier != demand.tier:
            wrong.append(f"{demand}: {_told(alarm, started_ms)} has tier {alarm.tier}, not {demand.tier}")
        if demand.cleared_by_s is not None and demand.cleared_by_s <= until_s:
            cleared_s = math.inf if alarm.cleared_ms is None else _at_s(alarm.cleared_ms, started_ms)
            if cleared_s > demand.cleared_by_s:
                wrong.append(f"{demand}: {_told(alarm, started_ms)} had to clear by {demand.cleared_by_s:g} s")
    return wrong


def _covered(rules: Sequence[Allowed], alarm: Alarm, started_ms: int) -> bool:
    """Say whether one of some rules is about an alarm."""
    at_s = _at_s(alarm.raised_ms, started_ms)
    return any(rule.covers(alarm.tag, alarm.condition, at_s) for rule in rules)


def _at_s(at_ms: int, started_ms: int) -> float:
    return (at_ms - started_ms) / 1000.0


def _told(alarm: Alarm, started_ms: int) -> str:
    cleared = "" if alarm.cleared_ms is None else f", cleared at {_at_s(alarm.cleared_ms, started_ms):.1f} s"
    return f"{alarm.tag} {alarm.condition} raised at {_at_s(alarm.raised_ms, started_ms):.1f} s{cleared}"
