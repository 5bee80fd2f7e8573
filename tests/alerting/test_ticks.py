"""Delays that run out while no sample comes."""

from __future__ import annotations

import pytest

from config.plant.model import Condition
from tests.support.rules import Cell, Row, make_rules
from tests.support.story import Story


def story(on_delay_ms: int = 2_000, off_delay_ms: int = 2_000, hold_ms: int = 3_000) -> Story:
    cell = Cell(limit=80, on_delay_ms=on_delay_ms, off_delay_ms=off_delay_ms)
    return Story(make_rules([Row({Condition.H: cell}, hold_ms=hold_ms)]))


def test_a_tick_raises_at_the_exact_instant_in_source_time() -> None:
    it = story()
    it.sample(1_000, 85, received_ms=1_700)
    it.tick(3_699)
    assert it.transitions == []
    it.tick(3_703)
    assert it.told(Condition.H) == [("RAISED", 1_000, 3_000)]
    it.tick(9_000)
    it.sample(9_000, 86)
    assert len(it.transitions) == 1


def test_a_tick_clears_too() -> None:
    it = story(on_delay_ms=0)
    it.samples((0, 85), (1_000, 10))
    it.tick(3_000)
    assert it.told(Condition.H) == [("RAISED", 0, 0), ("CLEARED", 0, 3_000)]


@pytest.mark.parametrize(("hold_ms", "raised"), [(1_999, []), (2_000, [("RAISED", 0, 2_000)])])
def test_a_tick_never_raises_out_of_a_gap_longer_than_the_hold(
    hold_ms: int, raised: list[tuple[str, int, int]]
) -> None:
    it = story(hold_ms=hold_ms)
    it.sample(0, 85)
    it.tick(1_000_000)
    assert it.told(Condition.H) == raised


def test_ticks_add_no_held_time() -> None:
    it = story(hold_ms=1_500)
    it.sample(0, 85)
    for now_ms in range(0, 60_000, 100):
        it.tick(now_ms)
    it.samples((60_000, 85))
    assert it.transitions == []
    it.samples((60_500, 85))
    assert it.told(Condition.H) == [("RAISED", 0, 60_500)]


def test_what_a_tick_decided_stands_though_data_on_its_way_contradict_it() -> None:
    it = story(off_delay_ms=500)
    it.sample(0, 85)
    it.tick(2_000)
    it.sample(900, 10, received_ms=2_100)
    it.sample(1_400, 10, received_ms=2_600)
    assert it.told(Condition.H) == [("RAISED", 0, 2_000), ("CLEARED", 0, 2_000)]


def test_after_a_restart_the_last_sample_holds_on_from_the_start_only() -> None:
    it = story()
    it.sample(0, 85)
    it.restart(now_ms=100_000)
    it.tick(100_000)
    it.tick(101_999)
    assert it.transitions == []
    it.tick(102_000)
    assert it.told(Condition.H) == [("RAISED", 0, 2_000)]


def test_a_frozen_run_does_not_mature() -> None:
    it = story()
    it.sample(0, 85)
    it.sample(1_000, 85, quality=2)
    it.tick(50_000)
    assert it.transitions == []


def test_an_engine_without_tags_ticks() -> None:
    it = Story(make_rules([]))
    it.tick(5)
    assert it.transitions == []
