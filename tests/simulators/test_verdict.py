"""When alarms meet what a scenario demands, and when they do not."""

from __future__ import annotations

import pytest

from config.plant.model import Condition
from simulators.scenario import Allowed, Demanded, Expectations, Scenario
from simulators.verdict import Alarm, judge

START_MS = 1_800_000_000_000


def _scenario(**expect: tuple[Allowed, ...]) -> Scenario:
    return Scenario(name="x", title="x", duration_s=60, expect=Expectations.model_validate(expect))


def _must(tag: str = "T1", **more: object) -> Demanded:
    return Demanded.model_validate({"tag": tag, "condition": "H", "window": (10, 20), **more})


def _alarm(
    at_s: float, tag: str = "T1", condition: Condition = Condition.H, tier: int = 4, cleared_s: float | None = None
) -> Alarm:
    cleared_ms = None if cleared_s is None else START_MS + round(cleared_s * 1000)
    return Alarm(tag, condition, tier, START_MS + round(at_s * 1000), cleared_ms)


def test_a_demand_that_is_met_is_neither_missed_nor_false() -> None:
    verdict = judge(_scenario(must_raise=(_must(),)), [_alarm(12)], START_MS)
    assert (verdict.expected, verdict.raised, verdict.missed, verdict.false) == (1, 1, (), ())
    assert verdict.passed
    assert "T1 H raised at 12.0 s" in verdict.details[0]


@pytest.mark.parametrize("at_s", [10.0, 20.0])
def test_both_ends_of_a_window_belong_to_it(at_s: float) -> None:
    assert judge(_scenario(must_raise=(_must(),)), [_alarm(at_s)], START_MS).passed


@pytest.mark.parametrize("at_s", [9.9, 20.1])
def test_outside_its_window_an_alarm_is_false_and_the_demand_missed(at_s: float) -> None:
    verdict = judge(_scenario(must_raise=(_must(),)), [_alarm(at_s)], START_MS)
    assert len(verdict.missed) == len(verdict.false) == 1


def test_silence_is_missed() -> None:
    verdict = judge(_scenario(must_raise=(_must(),)), [], START_MS)
    assert verdict.missed == ("T1 H within [10, 20] s: 0 of 1 raised",)


@pytest.mark.parametrize("alarm", [_alarm(12, "T2"), _alarm(12, condition=Condition.HH)])
def test_what_nobody_demanded_is_false(alarm: Alarm) -> None:
    verdict = judge(_scenario(must_raise=(_must(),)), [_alarm(12), alarm], START_MS)
    assert (verdict.missed, len(verdict.false)) == ((), 1)


def test_the_same_alarm_twice_is_once_too_often() -> None:
    verdict = judge(_scenario(must_raise=(_must(),)), [_alarm(12, cleared_s=13), _alarm(15)], START_MS)
    assert verdict.missed == ()
    assert verdict.false == ("T1 H raised at 15.0 s",)


def test_what_may_be_raised_is_not_false_and_need_not_come() -> None:
    scenario = _scenario(may_raise=(Allowed(tag="T*", window=(0, 30)),))
    assert judge(scenario, [], START_MS).passed
    assert judge(scenario, [_alarm(12), _alarm(14), _alarm(3, "T9", Condition.STALE)], START_MS).passed
    assert judge(scenario, [_alarm(31)], START_MS).false == ("T1 H raised at 31.0 s",)


def test_what_must_not_be_raised_is_false_whatever_else_allows_it() -> None:
    scenario = _scenario(
        must_raise=(_must(),), may_raise=(Allowed(tag="*"),), must_not_raise=(Allowed(tag="T1", condition=Condition.H),)
    )
    verdict = judge(scenario, [_alarm(12)], START_MS)
    assert (len(verdict.missed), len(verdict.false)) == (1, 1)


def test_the_wrong_tier_is_a_demand_not_met() -> None:
    scenario = _scenario(must_raise=(_must(tier=2),))
    assert judge(scenario, [_alarm(12, tier=2)], START_MS).passed
    assert "has tier 4, not 2" in judge(scenario, [_alarm(12, tier=4)], START_MS).missed[0]


@pytest.mark.parametrize(("cleared_s", "passed"), [(30.0, True), (30.1, False), (None, False)])
def test_an_alarm_that_must_clear_does_so_in_time(cleared_s: float | None, passed: object) -> None:
    scenario = _scenario(must_raise=(_must(cleared_by_s=30),))
    assert judge(scenario, [_alarm(12, cleared_s=cleared_s)], START_MS).passed is passed


def test_a_shorter_run_is_not_blamed_for_what_was_not_due() -> None:
    scenario = _scenario(must_raise=(_must(), _must("T2", window=(40, 50)), _must("T3", cleared_by_s=50)))
    verdict = judge(scenario, [_alarm(12), _alarm(12, "T3")], START_MS, ran_s=30)
    assert verdict.passed
    assert verdict.expected == 2
    assert any("not due within 30 s" in detail for detail in verdict.details)


def test_a_pattern_wants_as_many_different_tags_as_it_says() -> None:
    scenario = _scenario(must_raise=(_must("GD-*", count=2),))
    assert judge(scenario, [_alarm(12, "GD-1"), _alarm(13, "GD-2"), _alarm(13, "GD-3")], START_MS).passed
    twice = judge(scenario, [_alarm(12, "GD-1"), _alarm(14, "GD-1")], START_MS)
    assert (len(twice.missed), len(twice.false)) == (1, 1)
