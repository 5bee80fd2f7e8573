"""How many samples a second, and how old they are."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.pace import Pace
from tests.support.clocks import ManualClock


def note(pace: Pace, clock: ManualClock, *ages_ms: int) -> None:
    pace.note(clock.wall_ms() - np.array(ages_ms, np.int64), clock)


def test_before_any_sample_everything_is_zero() -> None:
    assert Pace(ManualClock()).figures() == {
        "samples": 0, "samples_per_s": 0.0, "delay_p50_ms": 0.0, "delay_p99_ms": 0.0,
    }  # fmt: skip


def test_the_rate_is_that_of_the_last_seconds() -> None:
    clock = ManualClock()
    pace = Pace(clock)
    for _ in range(20):
        note(pace, clock, *[5] * 100)
        clock.advance_s(1.0)
        pace.figures()
    figures = pace.figures()
    assert figures["samples"] == 2_000
    assert figures["samples_per_s"] == pytest.approx(100.0)
    for _ in range(10):
        clock.advance_s(1.0)
        pace.figures()
    figures = pace.figures()
    assert figures["samples_per_s"] == 0.0
    assert figures["samples"] == 2_000


def test_delays_are_those_since_the_last_call() -> None:
    clock = ManualClock()
    pace = Pace(clock)
    note(pace, clock, *range(1, 31))
    assert pace.figures()["delay_p50_ms"] == pytest.approx(15.5)
    note(pace, clock, 7, 7, 7)
    figures = pace.figures()
    assert (figures["delay_p50_ms"], figures["delay_p99_ms"]) == (7.0, 7.0)
    assert pace.figures()["delay_p99_ms"] == 0.0


def test_recorded_data_and_clocks_gone_wrong_are_no_delay() -> None:
    clock = ManualClock()
    pace = Pace(clock)
    note(pace, clock, 10, 86_400_000, -86_400_000)
    figures = pace.figures()
    assert (figures["samples"], figures["delay_p99_ms"]) == (3, 10.0)
