from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import UnitError
from config.units import (
    CANONICAL_UNITS,
    Conversion,
    Quantity,
    ReferenceAir,
    Substance,
    conversion,
    convert,
    from_canonical,
    spelling,
    units_of,
)

METHANE_IEC = Substance("methane", Fraction("4.4"), Fraction("16.043"))
METHANE_NFPA = Substance("methane", Fraction(5), Fraction("16.043"))
CHLORINE = Substance("chlorine", None, Fraction("70.906"))

FINITE = st.floats(min_value=-1e9, max_value=1e9)
PAIRS = [(unit, quantity) for quantity in Quantity for unit in units_of(quantity)]


@pytest.mark.parametrize(
    ("value", "unit", "quantity", "canonical"),
    [
        (12_310, "mm", Quantity.LEVEL, 12.31),
        (1231, "cm", Quantity.LEVEL, 12.31),
        (1.6, "MPa", Quantity.PRESSURE, 1600),
        (16, "bar", Quantity.PRESSURE, 1600),
        (1500, "Pa", Quantity.PRESSURE, 1.5),
        (15, "mbar", Quantity.PRESSURE, 1.5),
        (293.15, "K", Quantity.TEMPERATURE, 20),
        (212, "degF", Quantity.TEMPERATURE, 100),
        (-40, "degF", Quantity.TEMPERATURE, -40),
        (32, "°F", Quantity.TEMPERATURE, 0),
        (21.5, "℃", Quantity.TEMPERATURE, 21.5),
        (25, "m/s", Quantity.SPEED, 90),
        (1, "kg/s", Quantity.MASS_FLOW, 3.6),
        (2500, "kg/h", Quantity.MASS_FLOW, 2.5),
        (0.5, "%vol", Quantity.TOXIC_GAS, 5000),
        (500, "ppb", Quantity.TOXIC_GAS, 0.5),
        (20.9, "%vol", Quantity.FRACTION, 20.9),
    ],
)
def test_fixed_units_convert_to_the_last_bit(value: float, unit: str, quantity: Quantity, canonical: float) -> None:
    assert convert(value, unit, quantity) == canonical


def test_a_quarter_of_the_lel_of_methane_depends_on_the_table() -> None:
    assert from_canonical(25, "%vol", Quantity.COMBUSTIBLE_GAS, METHANE_NFPA) == 1.25
    assert from_canonical(25, "%vol", Quantity.COMBUSTIBLE_GAS, METHANE_IEC) == 1.1
    assert convert(12_500, "ppm", Quantity.COMBUSTIBLE_GAS, METHANE_NFPA) == 25


def test_chlorine_of_one_milligram_depends_on_the_reference_air() -> None:
    warm = Substance("chlorine", None, Fraction("70.906"), ReferenceAir.AIR_25C)
    assert convert(1, "mg/m3", Quantity.TOXIC_GAS, CHLORINE) == pytest.approx(0.33904, abs=1e-5)
    assert convert(1, "mg/m³", Quantity.TOXIC_GAS, warm) == pytest.approx(0.34482, abs=1e-5)
    # NIOSH: 10 ppm chlorine are 29 mg/m3 at 25 degC.
    assert from_canonical(10, "mg/m3", Quantity.TOXIC_GAS, warm) == pytest.approx(29, abs=0.01)


def test_milligrams_of_a_combustible_gas_become_lel() -> None:
    # 1.1 %vol methane = 11 000 ppm = 11 000 x 16.043 / 24.04 mg/m3.
    assert convert(11_000 * 16.043 / 24.04, "mg/m3", Quantity.COMBUSTIBLE_GAS, METHANE_IEC) == pytest.approx(25)


@pytest.mark.parametrize(("unit", "quantity"), PAIRS)
@given(value=FINITE)
def test_there_and_back_again(unit: str, quantity: Quantity, value: float) -> None:
    there = convert(value, unit, quantity, METHANE_IEC)
    back = from_canonical(there, unit, quantity, METHANE_IEC)
    assert back == pytest.approx(value, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize(("unit", "quantity"), PAIRS)
@given(value=FINITE)
def test_conversion_is_within_one_rounding_of_the_exact_value(unit: str, quantity: Quantity, value: float) -> None:
    affine = conversion(unit, quantity, METHANE_IEC)
    exact = Fraction(value) * affine.scale + affine.offset
    size = max(abs(Fraction(value) * affine.scale), abs(affine.offset), Fraction(1, 10**300))
    assert abs(Fraction(affine.to_canonical(value)) - exact) <= size * Fraction(1, 2**50)


@pytest.mark.parametrize(("unit", "quantity"), PAIRS)
def test_every_unit_rises_with_its_canonical_unit(unit: str, quantity: Quantity) -> None:
    assert conversion(unit, quantity, METHANE_IEC).scale > 0


def test_arrays_convert_like_single_values() -> None:
    kelvin = conversion("K", Quantity.TEMPERATURE)
    values = np.array([0.0, 273.15, 293.15, math.nan])
    converted = kelvin.to_canonical(values)
    assert converted.tolist()[:3] == [kelvin.to_canonical(float(value)) for value in values[:3]]
    assert math.isnan(converted[3])
    np.testing.assert_allclose(kelvin.from_canonical(converted), values, rtol=1e-15)


def test_canonical_units_are_left_as_they_are() -> None:
    for quantity, unit in CANONICAL_UNITS.items():
        assert conversion(unit, quantity) == Conversion(Fraction(1)), quantity


def test_a_number_is_never_converted() -> None:
    assert convert(36.85, "deg", Quantity.NUMBER) == 36.85
    assert units_of(Quantity.NUMBER) == ()


def test_an_unknown_unit_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        UnitError, match=r"'Mpa' is not known for pressure: did you mean 'MPa'\? known are kPa, MPa, bar"
    ):
        conversion("Mpa", Quantity.PRESSURE)


def test_a_unit_of_another_quantity_is_unknown() -> None:
    with pytest.raises(UnitError, match="'kPa' is not known for level"):
        convert(1, "kPa", Quantity.LEVEL)


@pytest.mark.parametrize(
    ("unit", "quantity", "substance", "says"),
    [
        ("mg/m3", Quantity.TOXIC_GAS, None, "depends on the substance"),
        ("%vol", Quantity.COMBUSTIBLE_GAS, None, "depends on the substance"),
        ("%vol", Quantity.COMBUSTIBLE_GAS, CHLORINE, "no lower explosive limit is known for chlorine"),
        ("mg/m3", Quantity.TOXIC_GAS, Substance("LPG", Fraction(2)), "no molar mass is known for LPG"),
    ],
)
def test_what_is_not_known_of_a_substance_is_said(
    unit: str, quantity: Quantity, substance: Substance | None, says: str
) -> None:
    with pytest.raises(UnitError, match=says):
        conversion(unit, quantity, substance)


def test_spellings_of_the_field_become_the_house_spelling() -> None:
    assert [spelling(unit) for unit in ("°C", "mg/m³", "m")] == ["degC", "mg/m3", "m"]
