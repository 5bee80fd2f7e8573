"""Conditions that look at more than the last value, as they are written in a plant file."""

from __future__ import annotations

import pytest

from config.plant.load import read_plant
from config.plant.model import Condition, ConditionRule, Plant, Tier
from tests.config.test_plant_errors import changed, line_of, the_problem

LEVEL = "      BAD_PV: {off_delay: 2s}\n  T-1.TEMP:"
PRESS = "    limits: {H: {limit: 1.2, deadband: 0.1, on_delay: 0s, off_delay: 0s}, STALE: false}\n"


def with_level(*lines: str, window: str = "") -> str:
    """Write more limits of T-1.LEVEL into the file."""
    more = "".join(f"      {line}\n" for line in lines)
    text = changed(LEVEL, LEVEL.replace("  T-1.TEMP:", f"{more}  T-1.TEMP:"))
    return changed("    edge: edge-a\n    vessel: T-1\n", f"    edge: edge-a\n    vessel: T-1\n{window}", text)


def rules_of(plant: Plant, tag: str) -> dict[Condition, ConditionRule]:
    return {rule.condition: rule for rule in plant.tags[tag].conditions}


def test_rates_are_per_minute_in_the_canonical_unit_and_the_rest_is_the_habit() -> None:
    text = changed(PRESS, "    limits: {ROC+: 0.02, ROC-: {limit: 0.04, deadband: 0.01, tier: red}}\n")
    rules = rules_of(read_plant(text, "plant.yaml"), "PLAIN.PRESS")
    rise, fall = rules[Condition.ROC_HIGH], rules[Condition.ROC_LOW]
    assert (rise.limit, rise.deadband) == pytest.approx((20.0, 4.0))  # kPa a minute
    assert (rise.tier, rise.on_delay_ms, rise.off_delay_ms, rise.enabled, rise.latch) == (
        Tier.YELLOW,
        0,
        10_000,
        True,
        False,
    )
    assert (fall.limit, fall.deadband, fall.tier) == pytest.approx((40.0, 10.0, Tier.RED))


def test_a_difference_has_no_offset_and_minutes_no_unit() -> None:
    text = changed("      H: {limit: 40,", "      ROC+: 9\n      FORECAST: 30\n      H: {limit: 40,")
    text = changed("unit: degC\n    range: [-20, 80]", "unit: degF\n    range: [-4, 176]", text)
    rules = rules_of(read_plant(text, "plant.yaml"), "T-1.TEMP")
    assert rules[Condition.ROC_HIGH].limit == pytest.approx(5.0)
    assert (rules[Condition.FORECAST].limit, rules[Condition.FORECAST].deadband) == (30.0, 3.0)


def test_window_partners_and_latch() -> None:
    text = with_level("FLATLINE: 0.001", window="    window: 10min\n")
    text = changed("HH: {limit: 9,", "HH: {latch: true, limit: 9,", text)
    plant = read_plant(text, "plant.yaml")
    assert plant.tags["T-1.LEVEL"].window_ms == 600_000
    assert plant.tags["T-1.TEMP"].window_ms == 300_000
    rules = rules_of(plant, "T-1.LEVEL")
    assert rules[Condition.HH].latch
    assert not rules[Condition.H].latch
    assert rules[Condition.FLATLINE].on_delay_ms == 1_800_000


def test_one_partner_or_two() -> None:
    extra = "".join(f"  T-1.LEVEL{number}: {{template: level}}\n" for number in (2, 3))
    template = (
        "templates:\n  level: {description: {zh: 液位, en: level}, kind: level_transmitter, quantity: level, unit: m, "
        "range: [0, 10], period: 1s, edge: edge-a, vessel: T-1}\n"
    )
    for written, partners in (
        ("T-1.LEVEL2", ("T-1.LEVEL2",)),
        ("[T-1.LEVEL2, T-1.LEVEL3]", ("T-1.LEVEL2", "T-1.LEVEL3")),
    ):
        text = changed("tags:\n", f"{template}tags:\n{extra}", with_level(f"DEV: {{limit: 0.2, partners: {written}}}"))
        rule = rules_of(read_plant(text, "plant.yaml"), "T-1.LEVEL")[Condition.DEV]
        assert (rule.partners, rule.limit) == (partners, 0.2)


@pytest.mark.parametrize(
    ("line", "key", "found", "allowed"),
    [
        ("ROC+: {limit: 0}", "limits.ROC+.limit", "0", "more than 0 m per minute"),
        ("ROC-: {tier: red}", "limits.ROC-", "no limit", "a limit in m per minute"),
        ("FORECAST: 2000", "limits.FORECAST", "2000 min", "at most 1440 min"),
        ("DEV: 1", "limits.DEV", "no partners", "of DEV, and of no other condition"),
        ("DEV: {limit: 1, partners: T-1.LEVEL}", "limits.DEV.partners", "'T-1.LEVEL'", "other tags, each once"),
        ("DEV: {limit: 1, partners: T-1.LEVLE}", "limits.DEV.partners", "unknown tag 'T-1.LEVLE'", "did you mean"),
        ("DEV: {limit: 1, partners: T-1.TEMP}", "limits.DEV.partners", "which measures temperature", "measures level"),
        ("FLATLINE: {limit: 1, partners: T-1.TEMP}", "limits.FLATLINE.partners", "partners of FLATLINE", "of DEV"),
        ("ROC: 1", "limits.ROC", "unknown key 'ROC'", "did you mean 'ROC"),
    ],
)
def test_what_is_wrong_is_named(line: str, key: str, found: str, allowed: str) -> None:
    text = with_level(line)
    problem = the_problem(text)
    assert problem.line == line_of(text, line.split(":", maxsplit=1)[0] + ":" if "ROC:" in line else line[:6])
    assert problem.key.startswith(f"tags.T-1.LEVEL.{key}")
    assert found in problem.found
    assert allowed in problem.allowed


def test_a_window_of_too_few_samples_and_a_forecast_without_a_limit_are_refused() -> None:
    text = with_level("FLATLINE: 0.001", window="    window: 5s\n")
    problem = the_problem(text)
    assert (problem.key, problem.found) == ("tags.T-1.LEVEL.window", "5000 ms")
    assert problem.allowed.startswith("at least 8 periods")
    text = changed(PRESS, "    limits: {FORECAST: 30}\n")
    problem = the_problem(text)
    assert (problem.key, problem.found) == ("tags.PLAIN.PRESS.limits.FORECAST.limit", "nothing to forecast")


def test_partners_belong_to_dev_alone() -> None:
    problem = the_problem(changed("H: {limit: 8,", "H: {partners: T-1.TEMP, limit: 8,"))
    assert (problem.found, problem.allowed) == ("partners of H", "partners of DEV alone")


def test_a_condition_switched_off_needs_no_limit() -> None:
    plant = read_plant(with_level("ROC+: false"), "plant.yaml")
    assert Condition.ROC_HIGH not in rules_of(plant, "T-1.LEVEL")
