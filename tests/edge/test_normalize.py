"""From the number as read to the canonical unit."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from config.contract.quality import Quality, Reason
from config.errors import UnitError
from config.plant.model import SourceFormat, Tag
from config.plant.substances import plant_substances
from config.units import Quantity
from edge.normalize import Normalizer
from edge.reading import Reading, Sample
from tests.support.plants import mini_plant

PLANT = mini_plant()


def tag(name: str, **source: Any) -> Tag:  # noqa: ANN401 - any field of Source
    found = PLANT.tags[name]
    assert found.source is not None
    return replace(found, source=replace(found.source, **source))


def value(of: Tag, number: float | None, **said: Any) -> Sample:  # noqa: ANN401 - any field of Reading
    return Normalizer([of], plant_substances(PLANT)).sample(Reading(of.name, number, 7, **said), 1000)


@pytest.mark.parametrize(
    ("source", "number", "wanted"),
    [
        ({}, 4.5, 4.5),
        ({"unit": "mm"}, 12_310.0, 12.31),
        ({"scale": 0.5, "offset": 1.0}, 4.0, 3.0),
        ({"scale": 100.0, "unit": "cm"}, 2.0, 2.0),
        ({"format": SourceFormat.NUMBER}, -0.5, -0.5),
    ],
)
def test_scale_offset_and_unit(source: dict[str, Any], number: float, wanted: float) -> None:
    assert value(tag("T-1.LEVEL", **source), number) == Sample("T-1.LEVEL", 7, wanted, Quality.GOOD, Reason.NONE)


def test_a_gas_concentration_is_converted_with_its_substance() -> None:
    sample = value(tag("GD-1", current_loop=False, unit="mg/m3"), 2.95)
    assert sample.value == pytest.approx(1.0, abs=1e-3)  # chlorine: 70.9 g/mol, 24.04 L/mol


def test_a_unit_that_cannot_be_converted_is_refused_at_the_start() -> None:
    with pytest.raises(UnitError, match="degC"):
        Normalizer([tag("T-1.LEVEL", unit="degC")], {})


@pytest.mark.parametrize(
    ("current_ma", "wanted", "reason"),
    [
        (4.0, 0.0, Reason.NONE),
        (12.0, 2.5, Reason.NONE),
        (20.0, 5.0, Reason.NONE),
        (20.5, 5.15625, Reason.NONE),
        (3.6, None, Reason.FAULT_CURRENT_LOW),
        (3.7, None, Reason.UNDEFINED_CURRENT),
        (20.7, None, Reason.UNDEFINED_CURRENT),
        (21.0, None, Reason.FAULT_CURRENT_HIGH),
        (math.nan, None, Reason.NOT_FINITE),
        (math.inf, None, Reason.NOT_FINITE),
    ],
)
def test_a_current_loop_spans_the_range_of_its_tag(current_ma: float, wanted: float | None, reason: Reason) -> None:
    sample = value(tag("GD-1"), current_ma)
    assert sample.value == (wanted if wanted is None else pytest.approx(wanted))
    assert (sample.severity, sample.reason) == (Quality.BAD if reason else Quality.GOOD, reason)


def test_microamperes_are_scaled_to_milliamperes_first() -> None:
    assert value(tag("GD-1", scale=0.001), 12_000.0).value == pytest.approx(2.5)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1e308])
def test_what_is_not_finite_after_scaling_is_bad(number: float) -> None:
    sample = value(tag("T-1.LEVEL", scale=10.0), number)
    assert sample == Sample("T-1.LEVEL", 7, None, Quality.BAD, Reason.NOT_FINITE)


def test_no_number_is_bad_whatever_the_device_says() -> None:
    sample = value(tag("T-1.LEVEL"), None, severity=Quality.GOOD)
    assert (sample.value, sample.severity, sample.reason) == (None, Quality.BAD, Reason.NOT_FINITE)
    sample = value(tag("T-1.LEVEL"), None, severity=Quality.BAD, reason=Reason.UNREADABLE)
    assert sample.reason is Reason.UNREADABLE


def test_the_quality_of_the_device_goes_along_and_receive_time_stands_in_for_source_time() -> None:
    normalizer = Normalizer([tag("T-1.LEVEL")], {})
    sample = normalizer.sample(Reading("T-1.LEVEL", 1.0, None, Quality.UNCERTAIN, Reason.DEVICE), 1000)
    assert sample == Sample("T-1.LEVEL", 1000, 1.0, Quality.UNCERTAIN, Reason.DEVICE)


def test_the_quantities_of_the_mini_plant_cover_what_is_tested_here() -> None:
    assert PLANT.tags["GD-1"].quantity is Quantity.TOXIC_GAS
    assert (PLANT.tags["GD-1"].range_low, PLANT.tags["GD-1"].range_high) == (0.0, 5.0)
