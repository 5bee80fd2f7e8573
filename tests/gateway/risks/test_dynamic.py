"""The grade of the moment against its slow twin, and what it promises of the time ahead."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from config.risks import Colour, Lifting
from gateway.risks.dynamic import Cause, dynamic
from gateway.risks.moments import remembered
from tests.support.naive_risks import naive_colour

LIFTS = {"alarm.1": 3, "alarm.2": 2, "check.overdue": 1, "none": 0}
MOMENT = st.integers(0, 60)


@st.composite
def some_cause(draw: st.DrawFn) -> Cause:
    since = draw(MOMENT)
    until = draw(st.none() | st.integers(since, since + 30))
    return Cause(draw(st.sampled_from([*LIFTS, "unknown"])), draw(st.sampled_from("abcd")), since, until)


def figures(step: int) -> Lifting:
    return Lifting(LIFTS, step, "test", "test")


@given(st.sampled_from(Colour), st.lists(some_cause(), max_size=5), MOMENT, st.integers(1, 9))
def test_as_its_twin(static: Colour, causes: list[Cause], now: int, step: int) -> None:
    found = dynamic(static, causes, now, figures(step))
    plain = [(cause.kind, cause.since_ms, cause.until_ms) for cause in causes]
    assert found.colour.value == naive_colour(static.value, plain, now, LIFTS, step)
    assert found.colour.rank <= static.rank, "never better than assessed"
    assert bool(found.reasons) or found.colour is static, "nothing is lifted without a reason"


@given(st.sampled_from(Colour), st.lists(some_cause(), max_size=4), st.integers(1, 9))
def test_nothing_falls_before_it_is_said_and_never_by_two(static: Colour, causes: list[Cause], step: int) -> None:
    begun = max((cause.since_ms for cause in causes), default=0)
    before = dynamic(static, causes, begun, figures(step))
    for now in range(begun + 1, begun + 80):
        after = dynamic(static, causes, now, figures(step))
        assert 0 <= after.colour.rank - before.colour.rank <= 1
        if (before.changes_at_ms is None or now < before.changes_at_ms) and not _ends(causes, now):
            assert after.colour is before.colour
        before = after


def _ends(causes: list[Cause], now: int) -> bool:
    return any(cause.until_ms == now for cause in causes)


@given(st.lists(some_cause(), max_size=5), st.lists(some_cause(), max_size=5), MOMENT)
def test_what_is_found_no_more_is_over_and_not_forgotten(before: list[Cause], found: list[Cause], now: int) -> None:
    reasons = [
        {"kind": cause.kind, "ref": cause.ref, "since_ms": cause.since_ms, "until_ms": cause.until_ms, "lift": 1}
        for cause in before
    ]
    kept = {(cause.kind.partition(".")[0], cause.ref): cause for cause in remembered(reasons, found, now)}
    for cause in found:
        assert kept[cause.kind.partition(".")[0], cause.ref] in found
    gone = [cause for cause in before if (cause.kind.partition(".")[0], cause.ref) not in
            {(one.kind.partition(".")[0], one.ref) for one in found}]  # fmt: skip
    for cause in gone:
        assert kept[cause.kind.partition(".")[0], cause.ref].until_ms is not None
