"""The verdict on a demo: what was sent against what is kept."""

from __future__ import annotations

from hazgate.demo.answers import AlarmItem, Name
from hazgate.demo.report import Comparison, Delays, Judgement, Kept, compare, delays_of
from simulators.payloads import Sample
from simulators.verdict import Verdict

NOTHING = Comparison((), (), ())
GOOD = Verdict(expected=1, raised=1, missed=(), false=())


def sent(*pairs: tuple[int, float | None], tag: str = "A") -> list[Sample]:
    return [Sample(tag, time_ms, value, 0) for time_ms, value in pairs]


def kept(*pairs: tuple[int, float | None], tag: str = "A") -> list[Kept]:
    return [Kept(tag, time_ms, value) for time_ms, value in pairs]


def alarm(condition: str, raised_ms: int, decided_ms: int) -> AlarmItem:
    name = Name("", "")
    return AlarmItem(
        alarm_id=f"{condition}{raised_ms}",
        tag="A",
        description=name,
        condition=condition,
        tier=1,
        base_tier=2,
        state="active",
        inhibited=None,
        message=name,
        onset_ms=raised_ms,
        raised_ms=raised_ms,
        cleared_ms=None,
        decided_ms=decided_ms,
        value=1.0,
        limit=1.0,
        unit="m",
        version=1,
    )


def judgement(
    *,
    comparison: Comparison = NOTHING,
    verdict: Verdict = GOOD,
    stored: int = 10,
    absorbed: int = 0,
    unsent: int = 0,
) -> Judgement:
    return Judgement(10, unsent, stored, absorbed, comparison, verdict, Delays(0, 0.0, 0.0, 0.0))


def test_what_was_sent_and_is_kept_is_the_same() -> None:
    assert compare(sent((1, 2.0), (2, None)), kept((2, None), (1, 2.0))) == NOTHING


def test_a_sample_that_is_not_kept_is_missing() -> None:
    assert compare(sent((1, 2.0), (2, 3.0)), kept((1, 2.0))).missing == (Kept("A", 2, 3.0),)


def test_a_value_that_changed_is_missing_and_unexpected() -> None:
    found = compare(sent((1, 2.0)), kept((1, 2.0000000000000004)))
    assert (len(found.missing), len(found.unexpected)) == (1, 1)


def test_a_sample_kept_twice_is_doubled() -> None:
    assert compare(sent((1, 2.0)), kept((1, 2.0), (1, 2.0))).doubled == (Kept("A", 1, 2.0),)


def test_without_a_clock_only_values_are_compared_and_how_often() -> None:
    one, twice = sent((1, 2.0), (2, 2.0)), kept((11, 2.0), (12, 2.0))
    assert compare(one, twice, {"A"}) == NOTHING
    assert compare(one, twice[:1], {"A"}).missing == (Kept("A", -1, 2.0),)
    assert compare(one[:1], twice, {"A"}).doubled == (Kept("A", -1, 2.0),)


def test_delays_are_those_of_limit_alarms() -> None:
    alarms = [alarm("H", 1000, 1100), alarm("HH", 1000, 1300), alarm("STALE", 1000, 9000), alarm("BAD_PV", 1000, 9000)]
    assert delays_of(alarms) == Delays(2, 200.0, 298.0, 300.0)
    assert delays_of([]) == Delays(0, 0.0, 0.0, 0.0)


def test_a_run_without_a_fault_passes() -> None:
    assert judgement().passed
    assert judgement(stored=9, absorbed=1).passed


def test_whatever_is_wrong_fails_and_is_counted() -> None:
    lost = judgement(comparison=Comparison(tuple(kept((1, 2.0))), (), ()))
    assert (lost.lost, lost.passed) == (1, False)
    uncounted = judgement(stored=7)
    assert (uncounted.lost, uncounted.passed) == (3, False)
    assert not judgement(comparison=Comparison((), tuple(kept((1, 2.0))), ())).passed
    assert not judgement(unsent=1).passed
    missed = judgement(verdict=Verdict(2, 1, ("A H within [1, 2] s: 0 of 1 raised",), ()))
    assert not missed.passed
    assert (missed.document()["missed"], missed.document()["missed_alarms"]) == (1, list(missed.verdict.missed))
    false = judgement(verdict=Verdict(1, 2, (), ("B H raised at 3 s",)))
    assert (false.passed, false.document()["false"]) == (False, 1)
