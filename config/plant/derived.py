"""Conditions that look at more than the last value: rate, forecast, deviation, flat line. None holds unless written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from config.plant.document import ConditionDocument
from config.plant.model import LIMIT_KINDS, Condition, ConditionRule, LimitKind, Tier
from config.units import Conversion

__all__ = ["DERIVED", "Note", "derived_rule"]

Note: TypeAlias = Callable[[Condition, str, str, str], None]
"""Called with a condition, its key (``limit``, ``deadband``...), what was found and what is allowed."""

_LONGEST_FORECAST_MIN = 1_440.0


@dataclass(frozen=True, slots=True)
class _Habit:
    """What holds where nothing is written."""

    tier: Tier
    deadband_of_limit: float
    on_delay_ms: int
    off_delay_ms: int


DERIVED: Mapping[Condition, _Habit] = {
    Condition.ROC_HIGH: _Habit(Tier.YELLOW, 0.2, 0, 10_000),
    Condition.ROC_LOW: _Habit(Tier.YELLOW, 0.2, 0, 10_000),
    # A line through a few minutes wavers: it has to say the same for a while.
    Condition.FORECAST: _Habit(Tier.YELLOW, 0.1, 30_000, 30_000),
    Condition.DEV: _Habit(Tier.BLUE, 0.1, 60_000, 60_000),
    # On top of the window.
    Condition.FLATLINE: _Habit(Tier.BLUE, 0.0, 1_800_000, 0),
}


def derived_rule(
    condition: Condition, document: ConditionDocument, conversion: Conversion, unit: str, note: Note
) -> ConditionRule | None:
    """Return the rule of one of `DERIVED` as written, noting what is wrong; None when there is no such condition.

    Args:
        condition: Which.
        document: What the file says.
        conversion: From the unit of the tag to the canonical one.
        unit: The unit of the tag.
        note: Takes what is wrong.
    """
    if document.limit is None:
        if document.enabled is not False:
            note(condition, "limit", "no limit", f"a limit in {_unit(condition, unit)}")
        return None
    if document.limit <= 0:
        note(condition, "limit", f"{document.limit:g}", f"more than 0 {_unit(condition, unit)}")
    if condition is Condition.FORECAST and document.limit > _LONGEST_FORECAST_MIN:
        note(condition, "limit", f"{document.limit:g} min", f"at most {_LONGEST_FORECAST_MIN:g} min")
    if (condition is Condition.DEV) != (document.partners is not None):
        found = "no partners" if document.partners is None else f"partners of {condition.value}"
        note(condition, "partners", found, "the tag, or two tags, to compare with: of DEV, and of no other condition")
    habit = DERIVED[condition]
    factor = 1.0
    if LIMIT_KINDS[condition] is not LimitKind.MINUTES:
        factor = conversion.multiplier / conversion.divisor
    deadband = document.limit * habit.deadband_of_limit if document.deadband is None else document.deadband
    return ConditionRule(
        condition=condition,
        tier=document.tier or habit.tier,
        limit=document.limit * factor,
        deadband=deadband * factor,
        on_delay_ms=habit.on_delay_ms if document.on_delay is None else document.on_delay,
        off_delay_ms=habit.off_delay_ms if document.off_delay is None else document.off_delay,
        enabled=document.enabled is not False,
        basis=document.basis or "plant file",
        latch=document.latch is True,
        partners=(document.partners or ()) if condition is Condition.DEV else (),
    )


def _unit(condition: Condition, unit: str) -> str:
    match LIMIT_KINDS[condition]:
        case LimitKind.PER_MINUTE:
            return f"{unit} per minute"
        case LimitKind.MINUTES:
            return "minutes"
        case _:
            return unit
