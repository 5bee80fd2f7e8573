"""STALE by example."""

from __future__ import annotations

import math

from config.contract.quality import Quality, Reason, pack
from config.plant.model import Condition
from tests.support.rules import Cell, Row, make_rules
from tests.support.story import Story


def story(*, enabled: bool = True, start_ms: int = 1_000) -> Story:
    row = Row({Condition.STALE: Cell(enabled=enabled), Condition.H: Cell(limit=80)}, stale_after_ms=10_000)
    return Story(make_rules([row]), start_ms)


def test_silence_longer_than_the_allowance_raises_and_the_next_sample_clears() -> None:
    it = story()
    it.sample(4_990, 50, received_ms=5_000)
    it.tick(15_000)
    assert it.transitions == []
    it.tick(15_001)
    it.tick(16_000)
    assert it.told(Condition.STALE) == [("RAISED", 5_000, 15_000)]
    assert it.transitions[0].value == 50
    assert it.engine.stale[0]
    it.sample(19_990, 51, received_ms=20_000)
    assert it.told(Condition.STALE)[1:] == [("CLEARED", 5_000, 20_000)]
    assert it.transitions[1].value == 51
    assert not it.engine.stale[0]


def test_late_samples_and_duplicates_do_not_end_a_silence() -> None:
    it = story()
    it.sample(5_000, 50)
    it.sample(4_000, 50, received_ms=14_000)
    it.sample(5_000, 50, received_ms=14_500)
    it.tick(15_001)
    it.sample(4_500, 50, received_ms=15_002)
    assert it.told(Condition.STALE) == [("RAISED", 5_000, 15_000)]


def test_a_tag_never_heard_is_stale_an_allowance_after_the_start() -> None:
    it = story(start_ms=1_000)
    it.tick(11_000)
    assert it.transitions == []
    it.tick(11_001)
    assert it.told(Condition.STALE) == [("RAISED", 1_000, 11_000)]
    assert math.isnan(it.transitions[0].value)
    assert it.transitions[0].quality == pack(Quality.BAD, Reason.NOT_FINITE)


def test_the_downtime_of_the_gateway_is_nobodys_silence() -> None:
    it = story()
    it.sample(2_000, 50)
    it.restart(now_ms=500_000)
    it.tick(510_000)
    assert it.transitions == []
    it.tick(510_001)
    assert it.told(Condition.STALE) == [("RAISED", 500_000, 510_000)]


def test_without_a_start_silence_counts_from_the_first_tick() -> None:
    it = story()
    it.engine = type(it.engine)(it.rules)
    it.tick(70_000)
    it.tick(80_000)
    assert it.transitions == []
    it.tick(80_001)
    assert it.told(Condition.STALE) == [("RAISED", 70_000, 80_000)]


def test_a_gateway_clock_set_back_does_not_blind_the_watch() -> None:
    it = story(start_ms=1_000_000)
    it.sample(1_000_000, 50)
    it.tick(500_000)
    it.tick(510_001)
    assert it.told(Condition.STALE) == [("RAISED", 500_000, 510_000)]


def test_a_gateway_clock_set_back_behind_the_last_sample_does_not_blind_it_either() -> None:
    it = story(start_ms=1_000)
    it.sample(1_000_000, 50)
    it.tick(500_000)
    it.tick(510_001)
    assert it.told(Condition.STALE) == [("RAISED", 500_000, 510_000)]


def test_silences_around_a_clock_set_back_are_told_in_the_order_they_happened() -> None:
    it = story(start_ms=100_000)
    it.tick(110_001)
    it.sample(111_000, 50)
    it.tick(50_000)
    it.tick(60_001)
    assert it.told(Condition.STALE) == [
        ("RAISED", 100_000, 110_000),
        ("CLEARED", 100_000, 111_000),
        ("RAISED", 50_000, 111_000),
    ]


def test_a_stale_tag_keeps_its_alarms() -> None:
    it = story()
    it.sample(2_000, 99)
    it.tick(100_000)
    assert it.told(Condition.H) == [("RAISED", 2_000, 2_000)]
    assert [one.condition for one in it.transitions] == [Condition.H, Condition.STALE]


def test_disabled_raises_nothing_but_the_value_is_still_shown_as_stale() -> None:
    it = story(enabled=False)
    it.tick(100_000)
    assert it.engine.stale[0]
    it.sample(100_001, 50)
    assert not it.engine.stale[0]
    assert it.transitions == []


def test_clearing_is_never_told_as_earlier_than_raising() -> None:
    it = story()
    it.tick(11_001)
    it.sample(10_000, 50, received_ms=10_500)
    assert it.told(Condition.STALE) == [("RAISED", 1_000, 11_000), ("CLEARED", 1_000, 11_000)]
