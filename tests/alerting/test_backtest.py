"""Two sets of alarms compared, and what they ask of people, against plain loops."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.backtest import Past, chattering, compare, load
from alerting.batch import Batch
from alerting.retrospect import Alarms
from config.plant.model import CONDITIONS, Condition
from tests.support.rules import Cell, Row, make_rules

Span = tuple[int, int, int, int]
"""Tag, condition, raised, cleared; the onset is when it was raised."""


def alarms(spans: list[Span]) -> Alarms:
    columns = np.array(spans, np.int64).reshape(-1, 4).T
    nothing = np.full(len(spans), np.nan)
    return Alarms(
        columns[0].astype(np.int32),
        columns[1].astype(np.uint8),
        columns[2],
        columns[2],
        columns[3],
        nothing,
        np.zeros(len(spans), np.uint8),
        *([nothing] * 4),
    )


@st.composite
def spans(draw: st.DrawFn) -> list[Span]:
    """Draw alarms that do not overlap within a tag and condition, in any order."""
    found = list[Span]()
    for tag in range(2):
        for condition in (0, 1):
            at = 0
            for gap, length in draw(st.lists(st.tuples(st.integers(1, 30_000), st.integers(0, 30_000)), max_size=6)):
                found.append((tag, condition, at + gap, at + gap + length))
                at += gap + length
    return draw(st.permutations(found))


def overlaps(one: Span, other: Span) -> bool:
    return one[:2] == other[:2] and one[2] <= other[3] and other[2] <= one[3]


@settings(max_examples=200, deadline=None)
@given(spans(), spans())
def test_alarms_are_matched_by_overlap(today: list[Span], proposed: list[Span]) -> None:
    tally = compare(alarms(today), alarms(proposed))
    assert tally.removed.tolist() == [not any(overlaps(one, other) for other in proposed) for one in today]
    added = [not any(overlaps(one, other) for other in today) for one in proposed]
    assert tally.added.tolist() == added
    assert tally.moved.tolist() == [not new and one not in today for one, new in zip(proposed, added, strict=True)]


@settings(max_examples=100, deadline=None)
@given(spans())
def test_three_within_a_minute_are_chattering(given_spans: list[Span]) -> None:
    raised = defaultdict(list)
    for tag, condition, raised_ms, _ in given_spans:
        raised[tag, condition].append(raised_ms)
    expected = []
    for tag, condition, raised_ms, _ in given_spans:
        times = sorted(raised[tag, condition])
        bursts = [times[at : at + 3] for at in range(len(times) - 2) if times[at + 2] - times[at] <= 60_000]
        expected.append(any(raised_ms in burst for burst in bursts))
    assert chattering(alarms(given_spans)).tolist() == expected


def test_the_load_of_a_day() -> None:
    day_ms = 86_400_000
    spans = [(tag, 0, 600_000 + tag, 660_000 + tag) for tag in range(12)] + [(0, 1, 5_000_000, 5_001_000)]
    asked = load(alarms(spans), 0, day_ms)
    assert (asked.alarms, asked.per_day, asked.most_in_ten_minutes) == (13, 13.0, 12)
    assert asked.in_alarm_s == 12 * 60 + 1
    assert asked.in_flood == 1 / 144
    assert load(alarms([]), 0, 2 * day_ms).per_day == 0.0


def past(values: list[float], times_s: list[int], cut: int, until_s: int, **cells: Cell) -> list[tuple[str, int, int]]:
    """Return (condition, raised, cleared), in seconds, of one tag evaluated in two parts."""
    rules = make_rules([Row({Condition[name]: cell for name, cell in cells.items()}, stale_after_ms=5_000)])
    evaluated = Past(rules)
    for part in (slice(cut), slice(cut, None)):
        time_ms = np.array(times_s[part], np.int64) * 1_000
        if len(time_ms):
            value = np.array(values[part], np.float64)
            evaluated.evaluate(Batch(np.zeros(len(value), np.int32), time_ms, value, np.zeros(len(value), np.uint8)))
    found = evaluated.end(until_s * 1_000)
    return sorted(
        (CONDITIONS[condition].value, raised_ms // 1_000, cleared_ms // 1_000)
        for condition, raised_ms, cleared_ms in zip(
            found.condition.tolist(), found.raised_ms.tolist(), found.cleared_ms.tolist(), strict=True
        )
    )


def test_silence_is_judged_by_the_times_of_the_samples_whatever_the_parts() -> None:
    for cut in range(6):
        found = past([1, 1, 90, 1, 1], [0, 3, 20, 22, 24], cut, 60, H=Cell(80.0), STALE=Cell())
        assert found == [("H", 20, 22), ("STALE", 8, 20), ("STALE", 29, 60)]


def test_a_delay_that_runs_out_after_the_last_sample_counts_within_its_hold() -> None:
    assert past([1, 90], [0, 1], 1, 60, H=Cell(80.0, on_delay_ms=2_000)) == [("H", 3, 60)]
    assert past([1, 90], [0, 1], 1, 60, H=Cell(80.0, on_delay_ms=4_000)) == []


def test_no_samples_no_alarms() -> None:
    assert past([], [], 0, 60, H=Cell(80.0), STALE=Cell()) == []
