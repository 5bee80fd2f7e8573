"""Patterns of shifts that many plants work, by name: kinds of shift, and the cycle that teams enter one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time

from config.duty.model import ShiftHours

__all__ = ["PATTERNS", "Pattern", "cycle_of"]

_DAY, _MIDDLE, _NIGHT, _OFF = "白", "中", "夜", ""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A cycle of days; the second team begins it ``step`` days later than the first, and so on."""

    hours: Mapping[str, ShiftHours]
    cycle: tuple[str, ...]
    step: int
    teams: int
    """How many it takes; 0: any number, each in turn."""


_EIGHT_HOURS = {
    _DAY: ShiftHours(time(8), time(16)),
    _MIDDLE: ShiftHours(time(16), time(0)),
    _NIGHT: ShiftHours(time(0), time(8)),
}
_TWELVE_HOURS = {_DAY: ShiftHours(time(8), time(20)), _NIGHT: ShiftHours(time(20), time(8))}

PATTERNS: Mapping[str, Pattern] = {
    # 四班三运转: two days each of day, middle and night shift, two days off.
    "four_teams_three_shifts": Pattern(
        _EIGHT_HOURS, (_DAY, _DAY, _MIDDLE, _MIDDLE, _NIGHT, _NIGHT, _OFF, _OFF), step=2, teams=4
    ),
    # 四班两运转: day, night, two days off.
    "four_teams_two_shifts": Pattern(_TWELVE_HOURS, (_DAY, _NIGHT, _OFF, _OFF), step=1, teams=4),
    "weekly": Pattern({_DAY: ShiftHours(time(8), time(8))}, (_DAY,) * 7, step=7, teams=0),
}


def cycle_of(pattern: Pattern, teams: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return what each team works on each day of the whole cycle.

    Args:
        pattern: Whose number of teams is right.
        teams: In the order in which they enter the cycle.
    """
    days = pattern.cycle + (_OFF,) * (pattern.step * len(teams) - len(pattern.cycle) if not pattern.teams else 0)
    count = len(days)
    return {
        team: tuple(days[(day - number * pattern.step) % count] for day in range(count))
        for number, team in enumerate(teams)
    }
