"""Arithmetic on segments."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alerting.segments import order_by, rising, running_max

ROWS = st.lists(st.sampled_from((0, 1, 2, 65_535, 65_536, 65_537, 1 << 20, (1 << 31) - 1)))


@given(ROWS)
def test_rows_are_sorted_and_equal_ones_stay_in_order(rows: list[int]) -> None:
    order = order_by(np.array(rows, np.int64)).tolist()
    assert order == sorted(range(len(rows)), key=lambda at: rows[at])


@given(st.lists(st.lists(st.integers(-(1 << 62), 1 << 62), min_size=1), min_size=1))
def test_the_running_maximum_begins_again_with_each_segment(segments: list[list[int]]) -> None:
    number = np.concatenate([np.full(len(one), at) for at, one in enumerate(segments)])
    values = np.array([value for one in segments for value in one], np.int64)
    expected = [max(one[: at + 1]) for one in segments for at in range(len(one))]
    assert running_max(number, values).tolist() == expected


PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)))


@given(PAIRS)
def test_pairs_rise_strictly(pairs: list[tuple[int, int]]) -> None:
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    assert rising(first, second) == all(one < other for one, other in pairwise(pairs))
