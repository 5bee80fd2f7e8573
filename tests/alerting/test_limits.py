"""HH H L LL by example; the numbers of docs/alarm-conditions.md."""

from __future__ import annotations

import math

import pytest

from config.contract.quality import Quality, Reason, pack
from config.plant.model import Condition
from tests.support.rules import Cell, Row, make_rules
from tests.support.story import Story

BAD = pack(Quality.BAD, Reason.DEVICE)
UNCERTAIN = pack(Quality.UNCERTAIN, Reason.DEVICE)


def story(condition: Condition = Condition.H, *, hold_ms: int = 3_000, **cell: float) -> Story:
    return Story(make_rules([Row({condition: Cell(**cell)}, hold_ms=hold_ms)]))  # type: ignore[arg-type]  # keywords


def test_the_drawn_example_raises_at_4_s_and_clears_at_12_s() -> None:
    it = story(limit=80, deadband=5, on_delay_ms=2_000, off_delay_ms=3_000)
    values = (70, 78, 80, 85, 85, 85, 78, 70, 78, 70, 70, 70, 70)
    it.samples(*((second * 1_000, float(value)) for second, value in enumerate(values)))
    assert it.told(Condition.H) == [("RAISED", 2_000, 4_000), ("CLEARED", 2_000, 12_000)]
    assert [one.value for one in it.transitions] == [85.0, 70.0]
    assert [one.limit for one in it.transitions] == [80.0, 80.0]


def test_the_drawn_gap_suspends_the_on_delay() -> None:
    it = story(limit=80, on_delay_ms=5_000)
    it.samples((0, 81), (1_000, 82), (20_000, 83))
    assert it.told(Condition.H) == []
    it.samples((21_000, 84))
    assert it.told(Condition.H) == [("RAISED", 0, 21_000)]
    assert it.transitions[0].value == 83.0


@pytest.mark.parametrize(
    ("last_ms", "expected"),
    [(1_999, []), (2_000, [("RAISED", 0, 2_000)]), (2_001, [("RAISED", 0, 2_000)])],
)
def test_the_on_delay_is_exact_to_the_millisecond(last_ms: int, expected: list[tuple[str, int, int]]) -> None:
    it = story(limit=80, on_delay_ms=2_000)
    it.samples((0, 80), (last_ms, 80))
    assert it.told(Condition.H) == expected


@pytest.mark.parametrize(
    ("last_ms", "cleared"),
    [(4_999, []), (5_000, [("CLEARED", 0, 5_000)]), (5_001, [("CLEARED", 0, 5_000)])],
)
def test_the_off_delay_is_exact_to_the_millisecond(last_ms: int, cleared: list[tuple[str, int, int]]) -> None:
    it = story(limit=80, off_delay_ms=3_000)
    it.samples((0, 80), (2_000, 10), (last_ms, 10))
    assert it.told(Condition.H) == [("RAISED", 0, 0), *cleared]


def test_without_delays_alarms_change_at_the_sample_itself() -> None:
    it = story(limit=80)
    it.samples((5, 80), (7, 79.9))
    assert it.told(Condition.H) == [("RAISED", 5, 5), ("CLEARED", 5, 7)]


@pytest.mark.parametrize(
    ("condition", "on", "between", "off"),
    [
        (Condition.HH, 80.0, 75.0, math.nextafter(75, 0)),
        (Condition.H, 80.0, 75.0, math.nextafter(75, 0)),
        (Condition.L, 20.0, 25.0, math.nextafter(25, 99)),
        (Condition.LL, 20.0, 25.0, math.nextafter(25, 99)),
    ],
)
def test_a_value_at_the_limit_raises_and_one_at_the_deadband_still_holds(
    condition: Condition, on: float, between: float, off: float
) -> None:
    it = story(condition, limit=on, deadband=5)
    it.samples((1, between))
    assert it.told(condition) == []
    it.samples((2, on), (3, between))
    assert it.told(condition) == [("RAISED", 2, 2)]
    it.samples((4, off))
    assert it.told(condition) == [("RAISED", 2, 2), ("CLEARED", 2, 4)]


def test_a_dip_into_the_deadband_starts_the_on_delay_anew() -> None:
    it = story(limit=80, deadband=5, on_delay_ms=2_000)
    it.samples((0, 80), (1_000, 78), (2_000, 80), (3_000, 80), (4_000, 80))
    assert it.told(Condition.H) == [("RAISED", 2_000, 4_000)]


def test_a_value_beyond_hh_raises_h_as_well_in_the_order_of_the_conditions() -> None:
    it = Story(make_rules([Row({Condition.HH: Cell(limit=90), Condition.H: Cell(limit=80)})]))
    it.samples((0, 95))
    assert [one.condition for one in it.transitions] == [Condition.HH, Condition.H]


def test_bad_samples_never_clear_and_only_suspend_the_delays() -> None:
    it = story(limit=80, on_delay_ms=2_000)
    it.samples((0, 85))
    it.sample(1_000, 10, quality=BAD)
    it.sample(9_000, 10, quality=BAD)
    it.samples((10_000, 85), (11_000, 85))
    assert it.told(Condition.H) == [("RAISED", 0, 11_000)]
    for second in range(12, 30):
        it.sample(second * 1_000, 10, quality=BAD)
    it.tick(3_600_000)
    assert it.told(Condition.H) == [("RAISED", 0, 11_000)]


def test_an_uncertain_sample_counts_as_good() -> None:
    it = story(limit=80)
    it.sample(0, 85, quality=UNCERTAIN)
    it.sample(1, 10, quality=UNCERTAIN)
    assert it.told(Condition.H) == [("RAISED", 0, 0), ("CLEARED", 0, 1)]


def test_an_over_range_reading_raises_the_highs_it_reaches_and_clears_no_low() -> None:
    cells = {Condition.H: Cell(limit=80), Condition.L: Cell(limit=20)}
    it = Story(make_rules([Row(cells)]))
    it.samples((0, 10), (1, 200))
    assert it.told(Condition.H) == [("RAISED", 1, 1)]
    assert it.told(Condition.L) == [("RAISED", 0, 0)]
    it.samples((2, -200))
    assert it.told(Condition.H) == [("RAISED", 1, 1)]


def test_an_under_range_reading_raises_the_lows_it_reaches() -> None:
    it = story(Condition.LL, limit=5)
    it.samples((0, -50))
    assert it.told(Condition.LL) == [("RAISED", 0, 0)]


def test_a_disabled_condition_and_a_limit_that_is_no_number_do_nothing() -> None:
    for cell in (Cell(limit=80, enabled=False), Cell(limit=math.nan)):
        it = Story(make_rules([Row({Condition.H: cell})]))
        it.samples((0, 99), (10_000, 1))
        assert it.transitions == []


def test_a_backlog_in_one_batch_says_the_same_as_sample_by_sample() -> None:
    it = story(limit=80, deadband=1, on_delay_ms=2_000, off_delay_ms=1_000)
    it.samples(*((n * 500, 85.0 if n // 7 % 2 else 70.0) for n in range(60)))
    assert it.told(Condition.H)[:3] == [("RAISED", 3_500, 5_500), ("CLEARED", 3_500, 8_000), ("RAISED", 10_500, 12_500)]


def test_raised_cleared_and_raised_again_in_one_millisecond_is_told_as_it_happened() -> None:
    it = story(limit=80)
    it.samples((5, 80), (5, 10), (5, 81))
    assert [name for name, *_ in it.told(Condition.H)] == ["RAISED", "CLEARED", "RAISED"]
