"""Quantities, their one canonical unit each, and the exact conversions into it."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from fractions import Fraction
from typing import Protocol, Self, TypeVar

from config.errors import UnitError

__all__ = [
    "CANONICAL_UNITS",
    "IDENTITY",
    "Conversion",
    "LelTable",
    "Quantity",
    "ReferenceAir",
    "Substance",
    "conversion",
    "convert",
    "from_canonical",
    "spelling",
    "units_of",
]


class Quantity(StrEnum):
    """What is measured; each has one canonical unit, in which everything inside is kept."""

    COMBUSTIBLE_GAS = "combustible_gas"
    """canonical %LEL"""
    TOXIC_GAS = "toxic_gas"
    """canonical ppm"""
    LEVEL = "level"
    """canonical m"""
    FRACTION = "fraction"
    """canonical % (level in percent, oxygen in %vol, humidity)"""
    TEMPERATURE = "temperature"
    """canonical degC"""
    PRESSURE = "pressure"
    """canonical kPa (gauge)"""
    SPEED = "speed"
    """canonical km/h"""
    MASS_FLOW = "mass_flow"
    """canonical t/h"""
    NUMBER = "number"
    """canonical 1 (anything else; never converted)"""


class LelTable(StrEnum):
    """Whose lower explosive limits %LEL refers to; a detector is calibrated by one of them."""

    IEC = "iec"
    """IEC 60079-20-1 (GB/T 3836.11): the house default."""
    NFPA = "nfpa"


class ReferenceAir(Enum):
    """The air in which a mass concentration is stated: its molar volume at 101.325 kPa, in L/mol."""

    AIR_20C = Fraction("24.04")
    """GBZ 2.1: the house default."""
    AIR_25C = Fraction("24.45")
    """NIOSH, ACGIH."""


@dataclass(frozen=True, slots=True)
class Substance:
    """What the conversion of a gas concentration must know about the gas."""

    name: str
    lel_vol_percent: Fraction | None = None
    molar_mass_g_mol: Fraction | None = None
    air: ReferenceAir = ReferenceAir.AIR_20C


class _Number(Protocol):
    """A float, or an array of floats."""

    def __add__(self, other: float, /) -> Self: ...
    def __sub__(self, other: float, /) -> Self: ...
    def __mul__(self, other: float, /) -> Self: ...
    def __truediv__(self, other: float, /) -> Self: ...


N = TypeVar("N", bound=_Number)


@dataclass(frozen=True, slots=True)
class Conversion:
    """canonical = value x scale + offset, kept exact; works on floats and on whole numpy arrays.

    Computed as (value x multiplier + addend) / divisor with whole numbers, because a division by 1000 is rounded
    once where a multiplication by 0.001 is rounded twice: 12 310 mm is 12.31 m to the last bit, as the limit is.
    """

    scale: Fraction
    offset: Fraction = Fraction(0)
    multiplier: float = field(init=False, repr=False, compare=False)
    addend: float = field(init=False, repr=False, compare=False)
    divisor: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        divisor = math.lcm(self.scale.denominator, self.offset.denominator)
        object.__setattr__(self, "multiplier", float(self.scale * divisor))
        object.__setattr__(self, "addend", float(self.offset * divisor))
        object.__setattr__(self, "divisor", float(divisor))

    def to_canonical(self, value: N) -> N:
        """Return ``value`` (number or array in the unit) in the canonical unit."""
        return (value * self.multiplier + self.addend) / self.divisor

    def from_canonical(self, value: N) -> N:
        """Return ``value`` (number or array in the canonical unit) in the unit."""
        return (value * self.divisor - self.addend) / self.multiplier


IDENTITY = Conversion(Fraction(1))

CANONICAL_UNITS: dict[Quantity, str] = {
    Quantity.COMBUSTIBLE_GAS: "%LEL",
    Quantity.TOXIC_GAS: "ppm",
    Quantity.LEVEL: "m",
    Quantity.FRACTION: "%",
    Quantity.TEMPERATURE: "degC",
    Quantity.PRESSURE: "kPa",
    Quantity.SPEED: "km/h",
    Quantity.MASS_FLOW: "t/h",
    Quantity.NUMBER: "1",
}

_FIXED: dict[Quantity, dict[str, Conversion]] = {
    Quantity.COMBUSTIBLE_GAS: {"%LEL": IDENTITY},
    Quantity.TOXIC_GAS: {
        "ppm": IDENTITY,
        "ppb": Conversion(Fraction(1, 1000)),
        "%vol": Conversion(Fraction(10_000)),
    },
    Quantity.LEVEL: {"m": IDENTITY, "cm": Conversion(Fraction(1, 100)), "mm": Conversion(Fraction(1, 1000))},
    Quantity.FRACTION: {"%": IDENTITY, "%vol": IDENTITY},
    Quantity.TEMPERATURE: {
        "degC": IDENTITY,
        "K": Conversion(Fraction(1), Fraction("-273.15")),
        "degF": Conversion(Fraction(5, 9), Fraction(-160, 9)),
    },
    Quantity.PRESSURE: {
        "kPa": IDENTITY,
        "MPa": Conversion(Fraction(1000)),
        "bar": Conversion(Fraction(100)),
        "mbar": Conversion(Fraction(1, 10)),
        "Pa": Conversion(Fraction(1, 1000)),
    },
    Quantity.SPEED: {"km/h": IDENTITY, "m/s": Conversion(Fraction(18, 5))},
    Quantity.MASS_FLOW: {"t/h": IDENTITY, "kg/h": Conversion(Fraction(1, 1000)), "kg/s": Conversion(Fraction(18, 5))},
}

_NEEDS_SUBSTANCE: dict[Quantity, tuple[str, ...]] = {
    Quantity.COMBUSTIBLE_GAS: ("%vol", "ppm", "mg/m3"),
    Quantity.TOXIC_GAS: ("mg/m3",),
}

_SPELLINGS = {"°C": "degC", "℃": "degC", "°F": "degF", "℉": "degF", "mg/m³": "mg/m3", "%VOL": "%vol", "vol%": "%vol"}

_PPM_PER_PERCENT = 10_000


def spelling(unit: str) -> str:
    """Return the house spelling of a unit: ``°C`` is ``degC``, ``mg/m³`` is ``mg/m3``."""
    return _SPELLINGS.get(unit, unit)


def units_of(quantity: Quantity) -> tuple[str, ...]:
    """Return the units known for a quantity, the canonical one first; empty for NUMBER, which takes any."""
    return (*_FIXED.get(quantity, {}), *_NEEDS_SUBSTANCE.get(quantity, ()))


def conversion(unit: str, quantity: Quantity, substance: Substance | None = None) -> Conversion:
    """Return the conversion from ``unit`` to the canonical unit of ``quantity``.

    Args:
        unit: As written by people; see `spelling`.
        quantity: What is measured. A NUMBER is never converted, whatever its unit.
        substance: The gas; needed between %LEL, %vol, ppm and mg/m3 where they differ by substance.

    Raises:
        UnitError: The unit is not known for the quantity, or a property of the substance is missing.
    """
    if quantity is Quantity.NUMBER:
        return IDENTITY
    unit = spelling(unit)
    fixed = _FIXED[quantity].get(unit)
    if fixed is not None:
        return fixed
    if unit not in _NEEDS_SUBSTANCE.get(quantity, ()):
        raise UnitError(_unknown(unit, quantity))
    if substance is None:
        message = f"unit {unit!r} of {quantity.value} depends on the substance: name it (cas), or use "
        raise UnitError(message + CANONICAL_UNITS[quantity])
    if quantity is Quantity.TOXIC_GAS:
        return Conversion(_ppm_per_mg_m3(substance))
    lel = substance.lel_vol_percent
    if lel is None:
        message = f"no lower explosive limit is known for {substance.name}: {unit} cannot become %LEL"
        raise UnitError(message)
    per_percent = Fraction(100) / lel
    if unit == "%vol":
        return Conversion(per_percent)
    ppm = Fraction(1) if unit == "ppm" else _ppm_per_mg_m3(substance)
    return Conversion(ppm / _PPM_PER_PERCENT * per_percent)


def convert(value: float, unit: str, quantity: Quantity, substance: Substance | None = None) -> float:
    """Return ``value`` in ``unit`` in the canonical unit of ``quantity``.

    Raises:
        UnitError: As for `conversion`.

    >>> convert(12310, "mm", Quantity.LEVEL)
    12.31
    """
    return conversion(unit, quantity, substance).to_canonical(value)


def from_canonical(value: float, unit: str, quantity: Quantity, substance: Substance | None = None) -> float:
    """Return ``value`` in the canonical unit of ``quantity`` in ``unit``.

    Raises:
        UnitError: As for `conversion`.
    """
    return conversion(unit, quantity, substance).from_canonical(value)


def _ppm_per_mg_m3(substance: Substance) -> Fraction:
    if substance.molar_mass_g_mol is None:
        message = f"no molar mass is known for {substance.name}: mg/m3 and ppm cannot be converted into each other"
        raise UnitError(message)
    return substance.air.value / substance.molar_mass_g_mol


def _unknown(unit: str, quantity: Quantity) -> str:
    known = units_of(quantity)
    near = difflib.get_close_matches(unit, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unit {unit!r} is not known for {quantity.value}: {hint}known are {', '.join(known)}"
