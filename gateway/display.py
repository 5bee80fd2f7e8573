"""Numbers as operators see them: in the unit of the tag, with as many digits as are worth reading."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from config.chemicals import load_chemicals
from config.errors import UnitError
from config.plant.model import LIMIT_KINDS, Condition, LimitKind, Plant, Tag, Text
from config.units import CANONICAL_UNITS, IDENTITY, Conversion, LelTable, Quantity, ReferenceAir, conversion

__all__ = ["DisplayUnit", "chemical_name", "number_text", "unit_of"]

_SYMBOLS = {"degC": "°C", "degF": "°F", "mg/m3": "mg/m³", "1": ""}

_DIGITS = 4
"""Instruments resolve about one part in ten thousand; more digits are noise to read."""


@dataclass(frozen=True, slots=True)
class DisplayUnit:
    """The unit in which a tag is shown."""

    name: str
    """As printed; empty for plain numbers."""
    canonical_name: str
    """Of the unit in which its values are kept, as printed."""
    conversion: Conversion

    def show(self, value: float | None) -> float | None:
        """Return a canonical value in this unit; what is no number is None."""
        if value is None or not math.isfinite(value):
            return None
        return self.show_finite(value)

    def show_finite(self, value: float) -> float:
        """Return a canonical number in this unit."""
        return _tidy(self.conversion.from_canonical(float(value)))

    def show_span(self, span: float) -> float:
        """Return a canonical difference (a deadband) in this unit: scaled, not shifted."""
        return _tidy(self.conversion.from_canonical(span) - self.conversion.from_canonical(0.0))

    def show_limit(self, condition: Condition, limit: float | None) -> float | None:
        """Return a limit (or what is compared with it), as people write it: rates in this unit a minute."""
        if limit is None or not math.isfinite(limit):
            return None
        match LIMIT_KINDS[condition]:
            case LimitKind.VALUE:
                return self.show_finite(limit)
            case LimitKind.MINUTES:
                return _tidy(limit)
            case _:
                return self.show_span(limit)

    def show_deadband(self, condition: Condition, deadband: float) -> float:
        """Return a deadband as people write it."""
        return deadband if LIMIT_KINDS[condition] is LimitKind.MINUTES else self.show_span(deadband)

    def limit_unit(self, condition: Condition) -> str:
        """Return the unit of a limit, as printed; empty for plain numbers and where there is no limit."""
        match LIMIT_KINDS[condition]:
            case LimitKind.NONE:
                return ""
            case LimitKind.MINUTES:
                return "min"
            case LimitKind.PER_MINUTE:
                return f"{self.name}/min"
            case _:
                return self.name

    def show_array(self, values: NDArray[np.float64]) -> list[float | None]:
        """Return canonical values in this unit; what is no number is None."""
        converted = self.conversion.from_canonical(values).tolist()
        return [_tidy(value) if math.isfinite(value) else None for value in converted]


def unit_of(tag: Tag, plant: Plant) -> DisplayUnit:
    """Return the unit in which a tag of a plant is shown.

    Where its unit cannot be had (a property of the substance is unknown) that is the canonical one.
    """
    return _unit(tag.unit, tag.quantity, tag.cas, plant.lel_table, plant.reference_air)


def chemical_name(cas: str) -> Text | None:
    """Return the name of a substance, or None when it is not in the catalogue."""
    chemical = load_chemicals().get(cas)
    return None if chemical is None else chemical.name


def number_text(value: float | None) -> str:
    """Write a number with about four significant digits and no useless zeros; ``–`` for none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    whole_digits = math.floor(math.log10(abs(value))) + 1
    decimals = min(max(_DIGITS - max(whole_digits, 1), 0), _DIGITS)
    text = f"{value:.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


@lru_cache(maxsize=4096)
def _unit(unit: str, quantity: Quantity, cas: str, lel_table: LelTable, air: ReferenceAir) -> DisplayUnit:
    chemical = load_chemicals().get(cas)
    substance = None if chemical is None else chemical.substance(lel_table, air)
    canonical = _printed(CANONICAL_UNITS[quantity])
    try:
        return DisplayUnit(_printed(unit), canonical, conversion(unit, quantity, substance))
    except UnitError:
        return DisplayUnit(canonical, canonical, IDENTITY)


def _printed(unit: str) -> str:
    return _SYMBOLS.get(unit, unit)


def _tidy(value: float) -> float:
    """Take off the last bits a conversion leaves, which JSON would print as 49.99999999999999."""
    return float(f"{value:.12g}")
