"""Suggested settings as a plant file takes them: in the unit of the tag, rounded away from the normal values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from alerting.suggest import SUGGESTED, Suggestion
from alerting.trust import told_days
from config.chemicals import load_chemicals
from config.plant.model import CONDITIONS, Plant, Tag
from config.units import Conversion, conversion

__all__ = ["known_conditions", "limits_of", "outside_range", "unit_of"]

_DIGITS = 3
"""A limit is written in so many digits of its deadband; nobody believes more."""
_DURATIONS = ((3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms"))


def known_conditions() -> tuple[str, ...]:
    """Return the conditions that can be suggested and that a plant file of this release has."""
    return tuple(name for name in SUGGESTED if name in CONDITIONS)


def unit_of(tag: Tag, plant: Plant) -> Conversion:
    """Return how the unit of a tag and the canonical one relate."""
    chemical = load_chemicals().get(tag.cas)
    substance = chemical.substance(plant.lel_table, plant.reference_air) if chemical else None
    return conversion(tag.unit, tag.quantity, substance)


def outside_range(suggestion: Suggestion, tag: Tag) -> bool:
    """Say whether a limit could never be reached: it lies beyond the instrument's range."""
    reached = tag.range_low <= suggestion.limit <= tag.range_high
    return suggestion.condition in ("H", "L") and math.isfinite(suggestion.limit) and not reached


def limits_of(suggestions: Sequence[Suggestion], tag: Tag, unit: Conversion) -> Mapping[str, Mapping[str, Any]]:
    """Return the ``limits:`` of a tag in a plant file.

    What cannot be said and what lies outside the range is left out.
    """
    return {
        one.condition: _written(one, unit)
        for one in suggestions
        if math.isfinite(one.limit) and not outside_range(one, tag)
    }


def _written(one: Suggestion, unit: Conversion) -> dict[str, Any]:
    per_canonical = unit.divisor / unit.multiplier
    is_level = one.condition in ("H", "L")
    limit = unit.from_canonical(one.limit) if is_level else one.limit * per_canonical
    deadband = one.deadband * per_canonical
    step = 10.0 ** (math.floor(math.log10(deadband or abs(limit) or 1.0)) + 1 - _DIGITS)
    away = math.floor if one.condition == "L" else math.ceil
    return {
        "limit": _round(away(limit / step) * step, step),
        "deadband": _round(deadband, step),
        "on_delay": _duration(one.on_delay_ms),
        "off_delay": _duration(one.off_delay_ms),
        "basis": (
            f"hazgate limits suggest: one false alarm in {told_days(1.0 / one.wanted_per_day)} wanted, "
            f"{told_days(one.days)} of normal data, confidence {one.confidence}"
        ),
    }


def _round(value: float, step: float) -> float:
    return round(value, max(0, -math.floor(math.log10(step))))


def _duration(duration_ms: int) -> str:
    """Return a duration as plant files write it."""
    if not duration_ms:
        return "0s"
    size_ms, name = next(one for one in _DURATIONS if duration_ms % one[0] == 0)
    return f"{duration_ms // size_ms}{name}"
