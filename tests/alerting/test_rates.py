"""Floods, chatter, fleeting and standing alarms: against the naive twin, and at their exact bounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from alerting.first_out import UnitAlarms, first_out
from alerting.rates import (
    DAY_MS,
    NOT_YET,
    TEN_MINUTES_MS,
    ChatterRule,
    FloodRule,
    bucket_counts,
    chattering,
    covered_ms,
    fleeting,
    floods,
    most_frequent,
    most_in_any,
    most_standing,
    standing,
)
from tests.support.naive_rates import (
    NaiveAlarm,
    naive_buckets,
    naive_chatter,
    naive_covered,
    naive_first_out,
    naive_floods,
    naive_most,
    naive_most_standing,
)

MOMENTS = st.integers(0, 120)
TIMES = st.lists(MOMENTS, max_size=40).map(sorted)
MINUTE_MS = 60_000


def array(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)


@given(TIMES, st.integers(0, 150), st.integers(1, 6), st.integers(0, 5), st.integers(1, 30))
def test_floods_are_those_of_the_twin(times: list[int], until: int, above: int, short: int, within: int) -> None:
    below = max(1, above - short)
    found = floods(array(times), until, FloodRule(above, below, within))
    expected = naive_floods(times, until, above, below, within)
    columns = zip(*(one.tolist() for one in (found.begin_ms, found.end_ms, found.count, found.peak)), strict=True)
    assert list(columns) == [(one.begin_ms, one.end_ms, one.count, one.peak) for one in expected]


def test_ten_alarms_in_ten_minutes_are_no_flood_and_eleven_are() -> None:
    times = array([minute * MINUTE_MS for minute in range(10)])
    assert not len(floods(times, DAY_MS).begin_ms)
    found = floods(np.append(times, TEN_MINUTES_MS - 1), DAY_MS)
    assert found.begin_ms.tolist() == [TEN_MINUTES_MS - 1]
    # Seven have left when the one of minute 6 leaves: four remain.
    assert found.end_ms.tolist() == [6 * MINUTE_MS + TEN_MINUTES_MS]
    assert (found.count.tolist(), found.peak.tolist()) == ([1], [11])


def test_an_alarm_leaves_the_window_exactly_ten_minutes_later() -> None:
    times = array([0, *[1_000] * 9, TEN_MINUTES_MS])
    assert not len(floods(times, DAY_MS).begin_ms)
    assert most_in_any(times) == 10
    assert most_in_any(array([0, *[1_000] * 9, TEN_MINUTES_MS - 1])) == 11


def test_a_flood_that_goes_on_has_no_end() -> None:
    found = floods(array([5] * 12), 100)
    assert (found.begin_ms.tolist(), found.end_ms.tolist(), found.count.tolist()) == ([5], [NOT_YET], [12])
    over = floods(array([5] * 12), 5 + TEN_MINUTES_MS)
    assert over.end_ms.tolist() == [5 + TEN_MINUTES_MS]


@given(TIMES, st.integers(1, 40))
def test_the_most_in_any_window(times: list[int], within: int) -> None:
    assert most_in_any(array(times), within) == naive_most(times, within)


@given(TIMES, MOMENTS, MOMENTS, st.integers(1, 40))
def test_buckets_are_those_of_the_wall_clock_with_the_empty_ones(
    times: list[int], from_ms: int, to_ms: int, width: int
) -> None:
    found = bucket_counts(array(times), from_ms, to_ms, width)
    assert (found.counts.tolist(), found.outside) == naive_buckets(times, from_ms, to_ms, width)
    assert found.first_ms % width == 0


@given(st.lists(st.tuples(st.integers(0, 2), MOMENTS), max_size=40), st.integers(2, 5), st.integers(0, 30))
def test_chattering_is_that_of_the_twin(activations: list[tuple[int, int]], least: int, within: int) -> None:
    key, time = (array([one[at] for one in activations]) for at in (0, 1))
    found = chattering(key, time, ChatterRule(least, within))
    columns = zip(*(one.tolist() for one in (found.key, found.begin_ms, found.end_ms, found.count)), strict=True)
    assert list(columns) == naive_chatter(activations, least, within)


def test_three_within_a_minute_chatter_and_two_tags_do_not_together() -> None:
    found = chattering(array([7, 7, 7, 8, 8]), array([0, 30_000, 60_000, 0, 1]))
    assert (found.key.tolist(), found.count.tolist()) == ([7], [3])
    assert not len(chattering(array([7, 7, 7]), array([0, 30_000, 60_001])).key)


def test_fleeting_ends_at_the_bound_and_an_open_alarm_is_never_fleeting() -> None:
    raised, cleared = array([100, 100, 100]), array([110, 111, NOT_YET])
    assert fleeting(raised, cleared, 10).tolist() == [True, False, False]


def test_standing_is_longer_than_a_day_and_not_over() -> None:
    raised, cleared = array([0, 1, 0, 0]), array([NOT_YET, NOT_YET, DAY_MS + 1, DAY_MS + 2])
    assert standing(raised, cleared, DAY_MS + 1).tolist() == [True, False, False, True]
    assert not standing(raised, cleared, DAY_MS).any()


@given(
    st.lists(st.tuples(MOMENTS, st.none() | MOMENTS), max_size=20),
    MOMENTS,
    st.integers(0, 200),
    st.integers(0, 30),
)
def test_the_most_standing_at_once(
    alarms: list[tuple[int, int | None]], from_ms: int, length: int, longer: int
) -> None:
    raised = array([one for one, _ in alarms])
    cleared = array([NOT_YET if one is None else one for _, one in alarms])
    to_ms = from_ms + length
    found = most_standing(raised, cleared, from_ms, to_ms, longer)
    assert found == naive_most_standing(alarms, from_ms, to_ms, longer)
    each = [int(standing(raised, cleared, now, longer).sum()) for now in range(from_ms, to_ms)]
    assert found == max(each, default=0)


@given(st.lists(st.integers(0, 8), max_size=60), st.integers(1, 5))
def test_the_most_frequent(keys: list[int], top: int) -> None:
    found = most_frequent(array(keys), top)
    expected = sorted(set(keys), key=lambda key: (-keys.count(key), key))[:top]
    assert found.key.tolist() == expected
    assert found.count.tolist() == [keys.count(key) for key in expected]
    assert found.total == len(keys)


@given(st.lists(st.tuples(st.integers(0, 3), MOMENTS, MOMENTS), max_size=20))
def test_covered_time_counts_once(spans: list[tuple[int, int, int]]) -> None:
    row, begin, end = (array([one[at] for one in spans]) for at in range(3))
    assert covered_ms(row, begin, end, 4).tolist() == naive_covered(spans, 4)


@st.composite
def unit_alarms(draw: st.DrawFn) -> list[NaiveAlarm]:
    count = draw(st.integers(0, 14))
    ranks = draw(st.permutations(range(count)))
    opened = draw(st.lists(st.integers(0, 30), min_size=count, max_size=count, unique=True))
    return [
        NaiveAlarm(
            unit=draw(st.integers(0, 2)),
            opened=opened[at],
            closed=draw(st.none() | st.integers(0, 40)),
            source_ms=draw(st.integers(0, 10)),
            trusted=draw(st.integers(0, 5)) > 0,
            rank=ranks[at],
        )
        for at in range(count)
    ]


def alarm(opened: int, closed: int | None, source_ms: int, rank: int, *, trusted: bool = True) -> NaiveAlarm:
    return NaiveAlarm(0, opened, closed, source_ms, trusted, rank)


def columns(alarms: Sequence[NaiveAlarm]) -> UnitAlarms:
    return UnitAlarms(
        unit=array([one.unit for one in alarms]),
        opened=array([one.opened for one in alarms]),
        closed=array([NOT_YET if one.closed is None else one.closed for one in alarms]),
        source_ms=array([one.source_ms for one in alarms]),
        trusted=np.array([one.trusted for one in alarms], np.bool_),
        rank=array([one.rank for one in alarms]),
    )


@given(unit_alarms())
def test_first_out_is_that_of_the_twin(alarms: list[NaiveAlarm]) -> None:
    found = first_out(columns(alarms))
    told = [
        (alarms[first], by_source, size, still)
        for first, by_source, size, still in zip(
            found.first.tolist(), found.by_source.tolist(), found.size.tolist(), found.open.tolist(), strict=True
        )
    ]
    assert told == naive_first_out(alarms)
    assert np.bincount(found.group, minlength=len(found.size)).tolist() == found.size.tolist()


@pytest.mark.parametrize(("trusted", "first"), [(True, 1), (False, 0)])
def test_the_source_clock_says_which_was_first_unless_one_cannot_be_trusted(trusted: bool, first: int) -> None:  # noqa: FBT001
    alarms = [alarm(1, None, 50, 0, trusted=trusted), alarm(2, 3, 40, 1)]
    found = first_out(columns(alarms))
    assert (found.first.tolist(), found.by_source.tolist()) == ([first], [trusted])


def test_a_group_ends_when_nothing_of_it_is_open() -> None:
    alarms = [alarm(1, 5, 1, 0), alarm(3, 9, 3, 1), alarm(9, None, 9, 2)]
    assert first_out(columns(alarms)).group.tolist() == [0, 0, 1]
