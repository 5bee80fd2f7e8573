"""Suggested limits: what they promise comes true on new data, and where nothing can be said, nothing is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from alerting.errors import SeriesError
from alerting.excursions import Course, raised, sustained_above, sustained_below
from alerting.noise import step_of
from alerting.slopes import window_slopes
from alerting.suggest import SUGGESTED, Confidence, Normal, Suggestion, suggest
from alerting.timers import choose
from alerting.trust import Trust, judge
from config.contract.quality import Quality, pack

Floats = NDArray[np.float64]

HOLD_MS, WINDOW_MS = 3_000, 32_000


def normal(value: Floats, period_ms: int = 1_000) -> Normal:
    times = np.arange(len(value), dtype=np.int64) * period_ms
    return Normal(times, value, np.zeros(len(value), np.uint8), 3 * period_ms, 32 * period_ms)


def white(count: int, seed: int) -> Floats:
    return np.random.default_rng(seed).normal(size=count)


def red(count: int, seed: int) -> Floats:
    """First-order autoregression, 0.9 from one second to the next."""
    kernel = 0.9 ** np.arange(200) * math.sqrt(1.0 - 0.81)
    return np.convolve(white(count + 199, seed), kernel, mode="valid")


def in_steps(count: int, seed: int) -> Floats:
    return np.round(white(count, seed) * 2.0) / 2.0


def false_alarms_per_day(one: Suggestion, value: Floats) -> float:
    """Count on other data of the same kind."""
    times = np.arange(len(value), dtype=np.int64) * 1_000
    y = window_slopes(times, value, WINDOW_MS) if one.condition.startswith("ROC") else value
    course = Course.of(times, y, np.isfinite(y), HOLD_MS)
    if one.condition in ("L", "ROC-"):
        course = course.mirrored
    limit = -one.limit if one.condition == "L" else one.limit
    above, below = sustained_above(course, one.on_delay_ms), sustained_below(course, one.off_delay_ms)
    return len(raised(above, below, limit, one.deadband)) / (course.held_ms / 86_400_000)


@pytest.mark.parametrize("make", [white, red, in_steps])
def test_the_bound_holds_on_new_data_nineteen_times_in_twenty(make: Callable[[int, int], Floats]) -> None:
    new = make(300_000, 999)
    told = [one for seed in range(10) for one in suggest(normal(make(8_000, seed)), 40.0, ("H", "L"))]
    rates = [false_alarms_per_day(one, new) for one in told]
    assert len(told) == 20
    assert sum(rate <= one.upper_per_day for rate, one in zip(rates, told, strict=True)) >= 19
    assert float(np.median(rates)) <= 20.0, "the half of 40 that each condition is allowed"


def test_the_bound_of_slopes_holds_on_new_data() -> None:
    new = red(300_000, 999)
    told = [one for seed in range(5) for one in suggest(normal(red(8_000, seed)), 80.0, ("ROC+", "ROC-"))]
    assert sum(false_alarms_per_day(one, new) <= one.upper_per_day for one in told) >= 9


@settings(max_examples=10, deadline=None)
@given(
    st.sampled_from((white, red, in_steps)),
    st.integers(0, 99),
    st.sampled_from((0.25, 2.0, 1024.0)),
    st.integers(-9, 9),
)
def test_limits_move_with_the_unit(make: Callable[[int, int], Floats], seed: int, scale: float, shift: int) -> None:
    value = make(2_000, seed)
    for one, other in zip(suggest(normal(value), 50.0), suggest(normal(value * scale + shift), 50.0), strict=True):
        moved = shift if one.condition in ("H", "L") else 0.0
        assert other.limit == pytest.approx(one.limit * scale + moved, rel=1e-6, nan_ok=True)
        assert other.deadband == pytest.approx(one.deadband * scale, rel=1e-6, nan_ok=True)
        assert (other.on_delay_ms, other.off_delay_ms) == (one.on_delay_ms, one.off_delay_ms)
        assert other.confidence == one.confidence


@settings(max_examples=10, deadline=None)
@given(st.sampled_from((white, red, in_steps)), st.integers(0, 99))
def test_low_is_high_in_the_mirror(make: Callable[[int, int], Floats], seed: int) -> None:
    value = make(2_000, seed)
    high, low, rise, fall = suggest(normal(value), 50.0)
    other_high, other_low, other_rise, other_fall = suggest(normal(-value), 50.0)
    assert replace(other_low, condition="H", limit=-other_low.limit, limit_range=high.limit_range) == high
    assert replace(other_high, condition="L", limit=-other_high.limit, limit_range=low.limit_range) == low
    assert other_fall.limit == pytest.approx(rise.limit)
    assert other_rise.limit == pytest.approx(fall.limit)


@given(st.permutations(range(300)))
@settings(max_examples=5, deadline=None)
def test_the_order_of_samples_does_not_matter(order: list[int]) -> None:
    one = normal(white(300, 5))
    other = Normal(one.time_ms[order], one.value[order], one.quality[order], HOLD_MS, WINDOW_MS)
    assert suggest(other, 500.0, ("H", "L")) == suggest(one, 500.0, ("H", "L"))


@pytest.mark.parametrize("rate", [400.0, 10.0, 1.0, 0.1])
def test_no_more_is_expected_than_wanted(rate: float) -> None:
    for one in suggest(normal(red(8_000, 6)), rate):
        assert one.expected_per_day <= one.wanted_per_day * 1.000_001 == pytest.approx(rate / 4)
        assert one.expected_per_day <= one.upper_per_day
        assert one.limit_range[0] <= one.limit <= one.limit_range[1]


def test_fewer_alarms_wanted_put_the_limit_farther_out() -> None:
    often, seldom = (suggest(normal(red(20_000, 6)), rate, ("H",))[0] for rate in (10.0, 0.01))
    assert often.limit < seldom.limit


@pytest.mark.parametrize(
    ("value", "quality", "why"),
    [
        (np.empty(0), 0, "only 0 usable samples"),
        (np.array([1.0, 2.0]), 0, "only 2 usable samples"),
        (np.full(5_000, 7.0), 0, "it never changed"),
        (white(5_000, 1), pack(Quality.BAD), "only 0 usable samples"),
        (np.full(5_000, np.nan), 0, "only 0 usable samples"),
        (np.linspace(0.0, 1.0, 5_000), 0, "independent excursions"),
        (np.minimum(white(5_000, 1), -1.0), 0, "independent excursions"),
    ],
)
def test_where_nothing_can_be_said_nothing_is(value: Floats, quality: int, why: str) -> None:
    one = replace(normal(value), quality=np.full(len(value), quality, np.uint8))
    high = suggest(one, 1.0, ("H",))[0]
    assert high.confidence is Confidence.NONE
    assert math.isnan(high.limit)
    assert math.isnan(high.upper_per_day)
    assert why in high.reasons[0]


def test_all_samples_at_one_time_say_nothing() -> None:
    one = replace(normal(white(500, 1)), time_ms=np.zeros(500, np.int64))
    assert suggest(one, 1.0, ("H",))[0].reasons == ("all samples have the same time",)


def test_three_hours_for_one_alarm_a_month_is_low_and_says_so() -> None:
    high = suggest(normal(white(10_800, 1)), 1 / 30, ("H",))[0]
    assert high.confidence is Confidence.LOW
    assert "only 3 h of normal data for one alarm in 30 days" in high.reasons
    assert high.seen == 0
    assert high.seen_upper_per_day == pytest.approx(3.0 / 0.125, rel=0.01), "three over the time, when none was seen"


def test_enough_steady_data_is_high_without_any_but() -> None:
    high = suggest(normal(white(40_000, 1)), 40.0, ("H",))[0]
    assert (high.confidence, high.reasons) == (Confidence.HIGH, ())


def test_a_drift_lowers_the_confidence() -> None:
    high = suggest(normal(white(20_000, 1) + np.linspace(0.0, 2.0, 20_000)), 40.0, ("H",))[0]
    assert high.confidence is Confidence.LOW
    assert "it drifts" in high.reasons[0]


def test_unsteady_noise_lowers_the_confidence() -> None:
    high = suggest(normal(white(20_000, 1) * np.linspace(1.0, 6.0, 20_000)), 40.0, ("H",))[0]
    assert high.confidence is Confidence.LOW
    assert "not steady" in high.reasons[0]


def test_bad_samples_and_gaps_count_for_nothing_but_are_told() -> None:
    value, quality = white(20_000, 1), np.zeros(20_000, np.uint8)
    value[5_000:11_000], quality[5_000:11_000] = 1e6, pack(Quality.BAD)
    high = suggest(replace(normal(value), quality=quality), 40.0, ("H",))[0]
    assert high.limit < 6.0
    assert high.days == pytest.approx(14_000 / 86_400, rel=1e-3)
    assert any("good samples stood for 70%" in reason for reason in high.reasons)


def test_bursts_are_outlasted_by_the_delay_rather_than_by_the_limit() -> None:
    value = white(20_000, 1) * 0.1
    value[::500] += 10.0  # a spike of one sample, 40 in all
    high = suggest(normal(value), 10.0, ("H",))[0]
    assert high.on_delay_ms >= 1_000
    assert high.limit < 5.0


def test_a_limit_for_values_in_steps_lies_between_two_of_them() -> None:
    high, low = suggest(normal(in_steps(20_000, 1)), 10.0, ("H", "L"))
    assert high.limit % 0.5 == pytest.approx(0.25)
    assert low.limit % 0.5 == pytest.approx(0.25)
    assert high.deadband >= 0.5


def test_a_falling_normal_period_has_no_limit_of_rise() -> None:
    value = -np.arange(4_000.0) + 0.01 * white(4_000, 1)
    rise = suggest(normal(value), 500.0, ("ROC+",))[0]
    assert rise.confidence is Confidence.NONE
    assert "the other way" in rise.reasons[0]


def test_wrong_questions_are_refused() -> None:
    one = normal(white(500, 1))
    with pytest.raises(SeriesError, match="a positive number is needed"):
        suggest(one, 0.0)
    with pytest.raises(SeriesError, match="only for H, L"):
        suggest(one, 1.0, ("HH",))
    with pytest.raises(SeriesError, match="equally many"):
        replace(one, value=one.value[:-1])
    with pytest.raises(SeriesError, match="must be more than 0"):
        replace(one, hold_ms=0)
    assert suggest(one, 1.0, ()) == ()
    assert [each.condition for each in suggest(one, 1.0)] == list(SUGGESTED)


def test_no_samples_have_no_slopes_and_constant_ones_no_steps() -> None:
    nothing = np.empty(0)
    assert not len(window_slopes(nothing.astype(np.int64), nothing, WINDOW_MS))
    assert step_of(np.full(100, 3.0)) == 0.0


def test_a_handful_of_samples_has_no_tail_and_no_halves() -> None:
    times = np.arange(4, dtype=np.int64) * 1_000
    handful = Course.of(times, np.array([1.0, 2.0, 1.0, 3.0]), np.ones(4, np.bool_), HOLD_MS)
    assert choose(handful, 1.0, 60_000) is None
    lone = Course.of(times[:1], np.array([1.0]), np.ones(1, np.bool_), HOLD_MS)
    trust = Trust(**{one.name: 1 for one in fields(Trust)})
    assert not any("half" in reason for reason in judge(lone, trust)[1])
