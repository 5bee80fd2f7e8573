from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from config.contract.quality import Quality, Reason, pack
from config.plant.model import Condition, Plant, Tier
from config.units import LelTable, Quantity
from gateway.display import number_text, unit_of
from gateway.messages import CONDITION_NAMES, QUANTITY_NAMES, REASON_NAMES, TIER_NAMES, message
from tests.support.plants import mini_plant


@pytest.fixture(scope="module")
def plant() -> Plant:
    return mini_plant()


def row(**changes: object) -> dict[str, Any]:
    alarm = {"tag": "T-1.LEVEL", "condition": "HH", "value": 9.5, "limit": 9.0, "quality": 0, "state": "active"}
    return {
        **alarm,
        "delayed": False,
        "retrospective": False,
        "measure": None,
        "measure_low": None,
        "measure_high": None,
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "zh", "en"),
    [
        ({}, "1号罐液位 高高报警 9.5 m ≥ 9 m", "Tank 1 level HIGH HIGH 9.5 m ≥ 9 m"),
        (
            {"condition": "LL", "value": 0.5, "limit": 1.0},
            "1号罐液位 低低报警 0.5 m ≤ 1 m",
            "Tank 1 level LOW LOW 0.5 m ≤ 1 m",
        ),
        (
            {"tag": "PLAIN.PRESS", "condition": "H", "value": 1250.0, "limit": 1200.0},
            "直连压力 高报警 1.25 MPa ≥ 1.2 MPa",
            "Plain pressure HIGH 1.25 MPa ≥ 1.2 MPa",
        ),
        (
            {"tag": "T-1.TEMP", "condition": "H", "value": 41.0, "limit": 40.0, "state": "cleared"},
            "1号罐温度 高报警 41 °C ≥ 40 °C 已恢复",
            "Tank 1 temperature HIGH 41 °C ≥ 40 °C cleared",
        ),
        (
            {"condition": "BAD_PV", "value": None, "limit": None, "quality": pack(Quality.BAD, Reason.NOT_FINITE)},
            "1号罐液位 测量坏值 无有效数值",
            "Tank 1 level BAD VALUE not a number",
        ),
        ({"tag": "OLD", "delayed": True}, "OLD 高高报警 9.5 ≥ 9 （迟报）", "OLD HIGH HIGH 9.5 ≥ 9 (delayed)"),
        (
            {"condition": "ROC+", "limit": 0.5, "measure": 0.75},
            "1号罐液位 上升过快 0.75 m/min ≥ 0.5 m/min",
            "Tank 1 level RISING FAST 0.75 m/min ≥ 0.5 m/min",
        ),
        (
            {"tag": "PLAIN.PRESS", "condition": "ROC-", "limit": 100.0, "measure": -250.0},
            "直连压力 下降过快 0.25 MPa/min ≥ 0.1 MPa/min",
            "Plain pressure FALLING FAST 0.25 MPa/min ≥ 0.1 MPa/min",
        ),
        (
            {"condition": "FORECAST", "limit": 20.0, "measure": 14.0, "measure_low": 11.0, "measure_high": 19.5},
            "1号罐液位 趋势将越限 14 min ≤ 20 min（11–19.5 min）",
            "Tank 1 level LIMIT AHEAD 14 min ≤ 20 min (11–19.5 min)",
        ),
        (
            {"tag": "T-1.TEMP", "condition": "DEV", "limit": 3.0, "measure": -4.5},
            "1号罐温度 偏差报警 4.5 °C ≥ 3 °C",
            "Tank 1 temperature DEVIATION 4.5 °C ≥ 3 °C",
        ),
        (
            {"condition": "FLATLINE", "limit": 0.01, "measure": 0.0},
            "1号罐液位 数值不变 0 m ≤ 0.01 m",
            "Tank 1 level FLAT LINE 0 m ≤ 0.01 m",
        ),
        ({"tag": "OLD", "condition": "DEV", "limit": 3.0}, "OLD 偏差报警 3", "OLD DEVIATION 3"),
        ({"tag": "OLD", "condition": "STALE", "value": None, "limit": None}, "OLD 数据中断", "OLD NO DATA"),
    ],
)
def test_an_alarm_is_told_in_one_line(plant: Plant, changes: dict[str, object], zh: str, en: str) -> None:
    assert message(row(**changes), plant, "zh") == zh
    assert message(row(**changes), plant, "en") == en


def test_silence_is_told_with_the_allowance_of_the_tag(plant: Plant) -> None:
    seconds = number_text(plant.tags["T-1.LEVEL"].stale_after_ms / 1000)
    told = message(row(condition="STALE", value=None, limit=None), plant, "en")
    assert told == f"Tank 1 level NO DATA for more than {seconds} s"


def test_there_is_a_word_for_everything_in_both_languages() -> None:
    for words, kinds in (
        (CONDITION_NAMES, Condition),
        (REASON_NAMES, Reason),
        (TIER_NAMES, Tier),
        (QUANTITY_NAMES, Quantity),
    ):
        assert set(words) == set(kinds)
        assert all(text.zh and text.en for text in words.values())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (math.nan, "–"), (math.inf, "–"), (0.0, "0"), (-0.0, "0"), (12.5, "12.5"), (12.3456, "12.35"),
        (0.678123, "0.678"), (0.00004, "0"), (-0.00004, "0"), (1234.56, "1235"), (100.0, "100"), (123456.7, "123457"),
        (-3.14159, "-3.142"), (99.999, "100"), (1e-9, "0"),
    ],
)  # fmt: skip
def test_numbers_have_about_four_digits(value: float | None, text: str) -> None:
    assert number_text(value) == text


def test_ppm_of_a_combustible_gas_follow_the_lel_table_of_the_plant(plant: Plant) -> None:
    tag = replace(plant.tags["GD-1"], quantity=Quantity.COMBUSTIBLE_GAS, unit="ppm", cas="7664-41-7")
    nfpa = replace(plant, lel_table=LelTable.NFPA)
    iec = replace(plant, lel_table=LelTable.IEC)
    nfpa_ppm, iec_ppm = unit_of(tag, nfpa).show(10.0), unit_of(tag, iec).show(10.0)
    assert nfpa_ppm == iec_ppm == 15_000.0  # ammonia: 15 %vol in both tables
    methane = replace(tag, cas="74-82-8")
    assert unit_of(methane, nfpa).show(10.0) == 5000.0
    assert unit_of(methane, iec).show(10.0) == 4400.0


def test_a_unit_that_cannot_be_had_is_shown_as_the_canonical_one(plant: Plant) -> None:
    tag = replace(plant.tags["GD-1"], unit="mg/m3", cas="")
    unit = unit_of(tag, plant)
    assert (unit.name, unit.show(1.5)) == ("ppm", 1.5)
