"""Late samples: what they would have raised, against the twin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.batch import Batch, Change
from alerting.quality import assess
from alerting.retrospect import Alarms, Known, evaluate_in_order, lead_ms, missed, tail_ms
from alerting.rules import Rules
from config.contract.quality import Quality, Reason, pack
from config.plant.model import CONDITIONS, Condition
from tests.support.naive import NaiveEngine, Sample, Transition, in_order
from tests.support.rules import Cell, Row, make_rules, rules_strategy
from tests.support.streams import batch_of

FOREVER_MS = np.iinfo(np.int64).max
H = CONDITIONS.index(Condition.H)


@dataclass(frozen=True)
class Span:
    """An alarm by the twin."""

    tag: int
    condition: Condition
    onset_ms: int
    raised_ms: int
    cleared_ms: int


def paired(told: list[Transition], until_ms: int) -> list[Span]:
    """Pair raised and cleared, one after the other."""
    spans, running = list[Span](), dict[tuple[int, Condition], Transition]()
    for one in told:
        key = one.tag, one.condition
        if one.condition is Condition.STALE:
            continue
        if Change(one.change) is Change.RAISED:
            running[key] = one
        else:
            begun = running.pop(key)
            spans.append(Span(*key, begun.onset_ms, begun.time_ms, one.time_ms))
    spans += [Span(*key, one.onset_ms, one.time_ms, max(until_ms, one.time_ms)) for key, one in running.items()]
    return sorted(spans, key=lambda one: (one.onset_ms, one.tag, CONDITIONS.index(one.condition)))


def naive_missed(found: list[Span], known: list[Span], late_from_ms: int, late_to_ms: int) -> list[Span]:
    return [
        one
        for one in found
        if one.onset_ms <= late_to_ms
        and one.raised_ms >= late_from_ms
        and not any(
            other.tag == one.tag
            and other.condition is one.condition
            and other.onset_ms <= one.cleared_ms
            and one.onset_ms <= other.cleared_ms
            for other in known
        )
    ]


def spans_of(alarms: Alarms) -> list[Span]:
    columns = (alarms.tag, alarms.onset_ms, alarms.raised_ms, alarms.cleared_ms, alarms.condition)
    return [
        Span(tag, CONDITIONS[condition], onset_ms, raised_ms, cleared_ms)
        for tag, onset_ms, raised_ms, cleared_ms, condition in zip(*(one.tolist() for one in columns), strict=True)
    ]


def known_of(spans: list[Span]) -> Known:
    return Known(
        tag=np.array([one.tag for one in spans], np.int32),
        condition=np.array([CONDITIONS.index(one.condition) for one in spans], np.uint8),
        onset_ms=np.array([one.onset_ms for one in spans], np.int64),
        cleared_ms=np.array([one.cleared_ms for one in spans], np.int64),
    )


def assessed(rules: Rules, samples: list[Sample]) -> Batch:
    batch = batch_of(samples)
    quality = np.array([assess(rules, batch_of([one]), one.time_ms)[0] for one in samples], np.uint8)
    return Batch(batch.tag, batch.time_ms, batch.value, quality)


def live(rules: Rules, samples: list[Sample]) -> tuple[list[Transition], list[int]]:
    """Return what the twin says of samples in order of arrival, and which of them are late."""
    twin, told, batch = NaiveEngine(rules), list[Transition](), assessed(rules, samples)
    late = list[int]()
    for at, one in enumerate(samples):
        verdicts, new = twin.evaluate(
            Batch(*(getattr(batch, name)[at : at + 1] for name in Batch.__slots__)), one.time_ms
        )
        told += new
        if verdicts[0].name == "LATE":
            late.append(at)
    return told, late


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_what_was_missed_is_what_the_twin_says(data: st.DataObject) -> None:
    rules = data.draw(rules_strategy(max_rows=2))
    times = sorted(data.draw(st.sets(st.integers(0, 80), min_size=2, max_size=25)))
    samples = [
        Sample(row, 1_000 + time_ms, data.draw(st.sampled_from((-2.0, 0.0, 1.0, 2.0, 3.0, float("nan")))), 0, 0)
        for time_ms in times
        for row in range(rules.count)
    ]
    order = data.draw(st.permutations(range(len(samples))))
    told, late = live(rules, [samples[at] for at in order] if data.draw(st.booleans()) else samples)
    ordered, _ = live(rules, samples)
    until_ms = samples[-1].time_ms
    cut = data.draw(st.integers(0, len(samples)))
    batch = assessed(rules, samples)
    parts = [
        Batch(*(getattr(batch, name)[part] for name in Batch.__slots__)) for part in (slice(cut), slice(cut, None))
    ]
    found = evaluate_in_order(rules, parts, until_ms)
    expected = paired(in_order(ordered), until_ms)
    assert spans_of(found) == expected
    recorded = paired(told, until_ms)
    late_from_ms = min((samples[order[at]].time_ms for at in late), default=until_ms)
    got = spans_of(missed(found, known_of(recorded), late_from_ms, until_ms))
    assert got == naive_missed(expected, recorded, late_from_ms, until_ms)
    assert set(got) <= set(expected)


def excursion(*values: float) -> Batch:
    count = len(values)
    return Batch(
        np.zeros(count, np.int32),
        np.arange(count) * 1_000 + 1_000,
        np.array(values, np.float64),
        np.zeros(count, np.uint8),
    )


def one_tag() -> Rules:
    return make_rules([Row({Condition.H: Cell(80.0, 5.0), Condition.STALE: Cell()}, stale_after_ms=1_000)])


def test_an_excursion_that_came_late_is_missed_once() -> None:
    rules = one_tag()
    found = evaluate_in_order(rules, [excursion(50, 90, 91, 60, 50)], 9_000)
    nothing = known_of([])
    late = missed(found, nothing, 2_000, 3_000)
    assert spans_of(late) == [Span(0, Condition.H, 2_000, 2_000, 4_000)]
    assert (late.value[0], late.limit[0]) == (90.0, 80.0)
    assert not len(missed(found, known_of(spans_of(late)), 2_000, 3_000)), "it is on the record now"
    assert not len(missed(found, nothing, 5_000, 5_000)), "the late samples had no part in it"
    still_on = [Span(0, Condition.H, 3_000, 3_000, FOREVER_MS)]
    assert not len(missed(found, known_of(still_on), 2_000, 3_000)), "it was raised, only later"
    assert len(missed(found, known_of([Span(0, Condition.HH, 2_000, 2_000, 4_000)]), 2_000, 3_000)) == 1
    assert len(missed(found, known_of([Span(0, Condition.H, 5_000, 5_000, 6_000)]), 2_000, 3_000)) == 1


def test_what_never_clears_ends_where_the_samples_do() -> None:
    found = evaluate_in_order(one_tag(), [excursion(50, 90), excursion()], 2_500)
    assert spans_of(found) == [Span(0, Condition.H, 2_000, 2_000, 2_500)]


def test_samples_whose_clock_is_suspect_have_no_place_in_time() -> None:
    batch = excursion(50, 90, 50)
    suspect = np.full(3, pack(Quality.BAD, Reason.CLOCK_SUSPECT), np.uint8)
    assert not len(evaluate_in_order(one_tag(), [Batch(batch.tag, batch.time_ms, batch.value, suspect)], 9_000))


def test_how_far_to_look() -> None:
    rules = make_rules(
        [Row({Condition.H: Cell(80.0, 0.0, on_delay_ms=700, off_delay_ms=900)}, hold_ms=3_000, window_ms=16)]
    )
    assert lead_ms(rules, 0) == 16 + 3_000 + 700
    assert tail_ms(rules, 0) == lead_ms(rules, 0) + 900
