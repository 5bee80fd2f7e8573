"""BAD_PV by example."""

from __future__ import annotations

from alerting.quality import CLOCK_SUSPECT
from config.contract.quality import Quality, Reason, pack
from config.plant.model import Condition
from tests.support.rules import Cell, Row, make_rules
from tests.support.story import Story

BAD = pack(Quality.BAD, Reason.DEVICE)
FAR_MS = 300_001


def story(on_delay_ms: int = 0, off_delay_ms: int = 0, limit: Cell | None = None) -> Story:
    cells = {Condition.BAD_PV: Cell(on_delay_ms=on_delay_ms, off_delay_ms=off_delay_ms)}
    return Story(make_rules([Row(cells | ({Condition.H: limit} if limit else {}))]))


def test_the_drawn_example_raises_at_3_s_and_freezes_the_limit_meanwhile() -> None:
    it = story(2_000, limit=Cell(limit=80, on_delay_ms=2_000))
    it.sample(0, 81)
    for second in (1, 2, 3):
        it.sample(second * 1_000, 81, quality=BAD)
    it.samples((4_000, 82), (5_000, 83))
    assert it.told(Condition.BAD_PV) == [("RAISED", 1_000, 3_000), ("CLEARED", 1_000, 4_000)]
    assert it.told(Condition.H) == [("RAISED", 0, 5_000)]


def test_no_number_and_out_of_range_are_bad_and_the_transition_says_why() -> None:
    for value, reason in ((float("nan"), Reason.NOT_FINITE), (1e308, Reason.OVER_RANGE), (-5.0, Reason.UNDER_RANGE)):
        it = story()
        it.sample(7, value)
        assert it.told(Condition.BAD_PV) == [("RAISED", 7, 7)]
        assert it.transitions[0].quality == pack(Quality.BAD, reason)


def test_one_stamp_far_ahead_is_bad_at_its_receipt_and_makes_no_later_sample_late() -> None:
    it = story()
    it.samples((1_000, 50))
    it.sample(2_000 + FAR_MS, 50, received_ms=2_000)
    assert it.told(Condition.BAD_PV) == [("RAISED", 2_000, 2_000)]
    assert it.transitions[0].quality == CLOCK_SUSPECT
    assert it.engine.time_ms[0] == 1_000
    assert it.sample(1_900, 50, received_ms=3_000).name == "EVALUATED"
    # Cleared by a sample made before the wrong stamp was received: never told as earlier than it was raised.
    assert it.told(Condition.BAD_PV)[1:] == [("CLEARED", 2_000, 2_000)]


def test_a_clock_that_stays_far_ahead_raises_after_the_on_delay() -> None:
    it = story(5_000)
    for second in range(5):
        it.sample(second * 1_000 + FAR_MS, 50, received_ms=second * 1_000)
    it.tick(4_999)
    assert it.told(Condition.BAD_PV) == []
    it.tick(5_000)
    assert it.told(Condition.BAD_PV) == [("RAISED", 0, 5_000)]


def test_samples_with_a_suspect_clock_are_never_duplicates() -> None:
    it = story()
    assert [it.sample(FAR_MS, 50, received_ms=0).name for _ in range(2)] == ["EVALUATED", "EVALUATED"]
    it.sample(10, 50, received_ms=10)
    assert it.sample(10 + FAR_MS, 50, received_ms=10).name == "EVALUATED"
    assert it.sample(10, 50, received_ms=10).name == "SAME_TIME"


def test_a_run_of_wrong_stamps_and_right_ones_never_goes_back_in_time() -> None:
    it = story()
    it.sample(9_000 + FAR_MS, 50, received_ms=9_000)
    it.samples((1_000, 50))
    it.sample(2_000, 50, quality=BAD)
    it.samples((3_000, 50))
    times = [time_ms for _, _, time_ms in it.told(Condition.BAD_PV)]
    assert times == [9_000, 9_000, 9_000, 9_000]
