"""Numbers as operators see them: in the unit of the tag, with as many digits as are worth reading."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from config.chemicals import load_chemicals
from config.errors import UnitError
from config.plant.model import Tag, Text
from config.units import CANONICAL_UNITS, IDENTITY, Conversion, Quantity, conversion

__all__ = [
    "canonical_unit",
    "chemical_name",
    "conversion_of",
    "display_unit",
    "number_text",
    "shown",
    "shown_array",
    "shown_span",
]

_SYMBOLS = {"degC": "°C", "degF": "°F", "mg/m3": "mg/m³", "1": ""}

_DIGITS = 4
"""Instruments resolve about one part in ten thousand; more digits are noise to read."""


def conversion_of(tag: Tag) -> Conversion:
    """Return the conversion between the unit operators see for a tag and its canonical unit."""
    return _known_conversion(tag.unit, tag.quantity, tag.cas) or IDENTITY


def display_unit(tag: Tag) -> str:
    """Return the unit in which values of a tag are shown, as printed."""
    unit = tag.unit if _known_conversion(tag.unit, tag.quantity, tag.cas) else CANONICAL_UNITS[tag.quantity]
    return _SYMBOLS.get(unit, unit)


def canonical_unit(tag: Tag) -> str:
    """Return the unit in which values of a tag are kept, as printed."""
    unit = CANONICAL_UNITS[tag.quantity]
    return _SYMBOLS.get(unit, unit)


def chemical_name(cas: str) -> Text | None:
    """Return the name of a substance, or None when it is not in the catalogue."""
    chemical = load_chemicals().get(cas)
    return None if chemical is None else chemical.name


def shown(value: float | None, tag: Tag) -> float | None:
    """Return a canonical value in the unit of the tag; what is no number is None."""
    if value is None or not math.isfinite(value):
        return None
    return _tidy(conversion_of(tag).from_canonical(float(value)))


def shown_span(span: float, tag: Tag) -> float:
    """Return a canonical difference (a deadband) in the unit of the tag: scaled, not shifted."""
    to_unit = conversion_of(tag)
    return _tidy(to_unit.from_canonical(span) - to_unit.from_canonical(0.0))


def shown_array(values: NDArray[np.float64], tag: Tag) -> list[float | None]:
    """Return canonical values in the unit of the tag; what is no number is None."""
    converted = conversion_of(tag).from_canonical(values).tolist()
    return [_tidy(value) if math.isfinite(value) else None for value in converted]


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


def _tidy(value: float) -> float:
    """Take off the last bits a conversion leaves, which JSON would print as 49.99999999999999."""
    return float(f"{value:.12g}")


@lru_cache(maxsize=4096)
def _known_conversion(unit: str, quantity: Quantity, cas: str) -> Conversion | None:
    """Return None when the unit cannot be had: the value is then shown in its canonical unit, and says so."""
    chemical = load_chemicals().get(cas)
    try:
        return conversion(unit, quantity, None if chemical is None else chemical.substance())
    except UnitError:
        return None
