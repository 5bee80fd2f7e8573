"""Arithmetic on rows against plain loops."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.batch import Batch
from alerting.engine import Engine
from alerting.segments import distinct, last_of_each, order_by, rising
from tests.support.naive import NaiveEngine
from tests.support.rules import Row, make_rules

# Halves of 16 bits that meet often.
WIDE = st.lists(st.builds(lambda high, low: high << 16 | low, st.integers(0, 2), st.integers(0, 3)), max_size=30)
FEW = st.lists(st.integers(0, 4), max_size=12)


@given(WIDE)
def test_the_order_is_the_one_a_stable_sort_finds(rows: list[int]) -> None:
    assert order_by(np.array(rows, np.int64)).tolist() == sorted(range(len(rows)), key=rows.__getitem__)


def test_the_highest_row_there_can_be_comes_last() -> None:
    assert order_by(np.array([2**31 - 1, 65_536, 65_535, 0])).tolist() == [3, 2, 1, 0]


@given(FEW, st.integers(5, 200))
def test_rows_are_distinct_when_none_comes_twice_and_it_is_cheap_to_see(rows: list[int], count: int) -> None:
    found = distinct(np.array(rows, np.int64), count)
    assert found == (len(set(rows)) == len(rows) and len(rows) * 8 >= count)


@given(FEW)
def test_the_last_of_each_row_is_found(rows: list[int]) -> None:
    last = sorted({row: position for position, row in enumerate(rows)}.values())
    assert last_of_each(np.array(rows, np.int64), 5).tolist() == last


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=6), st.integers(0, 100))
def test_pairs_rise_when_each_is_above_the_one_before(pairs: list[tuple[int, int]], ahead: int) -> None:
    pairs = [(-2, number) for number in range(ahead)] + pairs
    first, second = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    assert rising(first, second) == all(one < other for one, other in pairwise(pairs))


@pytest.mark.parametrize("at", [10, 63, 64, 65, 99])
def test_a_single_step_down_is_seen_wherever_it_is(at: int) -> None:
    time_ms = np.arange(100)
    time_ms[at] = time_ms[at - 1] - 1
    assert not rising(time_ms, np.zeros(100, np.int64))


def test_of_a_backlog_the_last_sample_of_each_tag_is_remembered() -> None:
    rules = make_rules([Row() for _ in range(5)])
    engine, twin = Engine(rules), NaiveEngine(rules)
    tag = np.tile(np.arange(3, dtype=np.int32), 40)[:-1]
    batch = Batch(tag, np.arange(len(tag)) // 3, np.arange(len(tag)) / 10, (np.arange(len(tag)) % 2).astype(np.uint8))
    engine.evaluate(batch, 1_000)
    twin.evaluate(batch, 1_000)
    for row, one in enumerate(twin.tags):
        assert (engine.time_ms[row], engine.received_ms[row]) == (one.clock_ms, one.received_ms)
        assert np.array_equal([engine.value[row]], [one.value], equal_nan=True)
        assert engine.quality[row] == one.quality
