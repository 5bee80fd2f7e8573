"""What a limit would have done to a series: the same as the engine does, and as plain loops say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.batch import Batch, Change
from alerting.engine import Engine
from alerting.excursions import Course, raised, sustained_above, sustained_below
from alerting.quality import assess
from alerting.slopes import window_slopes
from config.plant.model import CONDITIONS, Condition
from tests.support.naive_suggest import naive_slopes, naive_sustained
from tests.support.rules import Cell, Row, make_rules

HOLD_MS = 4


@dataclass(frozen=True)
class Series:
    time_ms: list[int]
    value: list[float]
    bad: list[bool]

    @property
    def course(self) -> Course:
        usable = ~np.array(self.bad, np.bool_)
        return Course.of(np.array(self.time_ms, np.int64), np.array(self.value), usable, HOLD_MS)


@st.composite
def series(draw: st.DrawFn) -> Series:
    gaps = draw(st.lists(st.sampled_from((1, 1, 1, 2, 3, 9)), min_size=1, max_size=40))
    count = len(gaps)
    values = draw(st.lists(st.sampled_from((0.0, 1.0, 2.0, 3.0)), min_size=count, max_size=count))
    bad = draw(st.lists(st.sampled_from((False, False, False, True)), min_size=count, max_size=count))
    return Series(np.cumsum(gaps).tolist(), values, bad)


def engine_raises(one: Series, cell: Cell, condition: Condition, row: Row) -> int:
    """Return how often the engine raises an alarm, all that came being heard at once."""
    rules = make_rules([Row({condition: cell}, row.hold_ms, 10**9, row.range_low, row.range_high, row.window_ms)])
    engine = Engine(rules)
    engine.start(one.time_ms[0])
    count, now_ms = len(one.time_ms), one.time_ms[-1]
    quality = np.where(one.bad, np.uint8(2), np.uint8(0)).astype(np.uint8)
    batch = Batch(np.zeros(count, np.int32), np.array(one.time_ms, np.int64), np.array(one.value), quality)
    batch = Batch(batch.tag, batch.time_ms, batch.value, assess(rules, batch, now_ms))
    told = engine.evaluate(batch, now_ms).transitions
    mine = told.condition == CONDITIONS.index(condition)
    return int((mine & (told.change == Change.RAISED)).sum())


@given(series(), st.sampled_from((0, 1, 2, 3, 5, 8, 50)))
def test_what_a_delay_lets_through_is_what_a_loop_finds(one: Series, delay_ms: int) -> None:
    usable = [not bad for bad in one.bad]
    expected = naive_sustained(one.time_ms, one.value, usable, HOLD_MS, delay_ms)
    assert sustained_above(one.course, delay_ms).tolist() == expected


@given(
    series(),
    st.sampled_from((0, 1, 2, 5)),
    st.sampled_from((0, 1, 2, 5)),
    st.sampled_from((1.0, 2.0, 2.5)),
    st.sampled_from((0.0, 0.5, 1.0)),
)
def test_the_engine_raises_as_often(one: Series, on_ms: int, off_ms: int, limit: float, deadband: float) -> None:
    course = one.course
    ours = raised(sustained_above(course, on_ms), sustained_below(course, off_ms), limit, deadband)
    cell = Cell(limit, deadband, on_ms, off_ms)
    assert len(ours) == engine_raises(one, cell, Condition.H, Row(hold_ms=HOLD_MS))
    mirrored = Series(one.time_ms, [-value for value in one.value], one.bad)
    low = Cell(-limit, deadband, on_ms, off_ms)
    assert len(ours) == engine_raises(mirrored, low, Condition.L, Row(hold_ms=HOLD_MS, range_low=-100.0))


@given(series(), st.sampled_from((16, 20, 33, 64)))
def test_slopes_are_those_of_a_loop(one: Series, window_ms: int) -> None:
    found = window_slopes(np.array(one.time_ms, np.int64), np.array(one.value), window_ms)
    expected = naive_slopes(one.time_ms, one.value, window_ms)
    assert np.isnan(found).tolist() == np.isnan(expected).tolist()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_engine_raises_rates_of_change_as_often(seed: int) -> None:
    random = np.random.default_rng(seed)
    value = 50.0 + np.cumsum(random.normal(size=600))
    one = Series(np.cumsum(random.integers(500, 1_500, 600)).tolist(), value.tolist(), [False] * 600)
    slope = window_slopes(np.array(one.time_ms, np.int64), value, 32_000)
    middle = np.sort(slope[np.isfinite(slope)])[300:500]
    widest = int(np.argmax(np.diff(middle)))
    limit = float(middle[widest : widest + 2].mean())  # the engine counts in quanta: no slope is that near
    course = Course.of(np.array(one.time_ms, np.int64), slope, np.isfinite(slope), 3_000)
    ours = raised(sustained_above(course, 2_000), sustained_below(course, 4_000), limit, 0.0)
    row = Row(hold_ms=3_000, range_low=-1_000.0, range_high=1_000.0, window_ms=32_000)
    assert len(ours) == engine_raises(one, Cell(limit, 0.0, 2_000, 4_000), Condition.ROC_HIGH, row) > 0
