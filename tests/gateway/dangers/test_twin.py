"""Whatever people do in whatever order: what is kept fits what happened."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.dangers import Clocked, load_danger_rules
from gateway.dangers.acts import Act, Plan
from gateway.dangers.clocks import WAITS_FOR, level_at, next_at
from gateway.dangers.ledger import DangerSort, Wanted, key_of
from gateway.dangers.model import Danger, rank_of, urgency_of
from gateway.dangers.sheets import to_csv
from gateway.dangers.states import OVER, STATES, Event, Go, Grade, State
from gateway.errors import BadRequestError, ConflictError, ForbiddenError
from gateway.registry.where import Spot
from tests.gateway.dangers.office import ALL, DAY_MS, HOUR_MS, ON_BOTH, Office, an_office, who

EDITION = load_danger_rules().editions[0]
REPORTS = (Clocked.REPORT_REGULATOR, Clocked.REPORT_CONGRESS)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with an_office(tmp_path_factory.mktemp("twin")) as office:
        yield office


STEPS = st.tuples(
    st.one_of(st.integers(0, 11), st.integers(0, 11), st.sampled_from(Event)),
    st.sampled_from(["li", "wang", "zhao", "sun"]),
    st.sampled_from([Grade.GENERAL, Grade.MAJOR]),
    st.integers(0, 12),
    st.sampled_from(REPORTS),
)


def check(office: Office, one: Danger) -> None:
    """Check everything that has to fit."""
    clocks = office.dangers.clocks(one.id, ALL)
    running = [clock for clock in clocks if clock.outcome == ""]
    assert one.due_ms == min((clock.due_ms for clock in running), default=None)
    assert one.level == max((clock.level for clock in running), default=0)
    assert one.urgency == urgency_of(one.state, one.grade, one.level, listed=one.listed)
    expected = set() if one.state in OVER else {WAITS_FOR[one.state]}
    if one.grade is Grade.MAJOR and one.state not in OVER:
        receipts = (one.regulator_receipt, one.congress_receipt)
        expected |= {clock for clock, number in zip(REPORTS, receipts, strict=True) if not number}
    if one.listed and one.state not in OVER:
        expected.add(Clocked.SUPERVISION)
    assert {clock.clock for clock in running} == expected
    assert len(running) == len(expected), "one round of each runs"
    events = office.dangers.timeline(one.id, ALL)
    assert [event["seq"] for event in events] == list(range(1, one.events + 1))
    assert one.version == sum(event["kind"] != "overdue" for event in events)
    state = State.REPORTED
    for event in events[1:]:
        if event["kind"] != "overdue":
            cell = STATES[state][Event(event["kind"])]
            assert isinstance(cell, Go)
            state = cell.to
    assert state is one.state
    if one.grade is Grade.MAJOR and one.state is State.CLOSED:
        assert one.over_by not in {one.found_by, *one.hands}
        assert one.regulator_receipt
        assert one.congress_receipt
        assert not one.listed


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=20))
def test_what_is_kept_fits_what_happened(shared: Office, steps: list[tuple[Any, ...]]) -> None:
    one = shared.found("li", title="x")
    for choice, account, grade, days, receipt in steps:
        allowed = [event for event in Event if isinstance(STATES[one.state][event], Go)] or list(Event)
        event = allowed[choice % len(allowed)] if isinstance(choice, int) else choice
        shared.clock.now_ms += HOUR_MS
        until_ms = shared.clock.now_ms + days * DAY_MS
        plan = Plan("wang", "m", 0.0, until_ms, "p")
        place = Spot(hazard_unit="cl2") if event is Event.ASSIGN else None
        said = f"{shared.clock.now_ms}"
        act = Act(event, one.id, one.version, said, grade, plan, until_ms, receipt, "1", place)
        try:
            after = shared.dangers.act(act, who(account, supervises=True))
        except (BadRequestError, ConflictError, ForbiddenError):
            assert shared.dangers.get(one.id, ALL) == one
            continue
        assert after.version == one.version + 1
        check(shared, after)
        shared.turn(hours=float(days))
        one = shared.dangers.get(one.id, ALL)
        check(shared, one)


@given(st.integers(0, 3_000 * DAY_MS), st.integers(0, 400 * HOUR_MS))
def test_levels_climbed_one_by_one_are_those_of_the_moment(due_ms: int, passed_ms: int) -> None:
    now_ms, level = due_ms + passed_ms, 0
    while (at_ms := next_at(EDITION, due_ms, level)) is not None and at_ms <= now_ms:
        assert level_at(EDITION, due_ms, at_ms) == level + 1
        assert level_at(EDITION, due_ms, at_ms - 1) == level
        level += 1
    assert level_at(EDITION, due_ms, now_ms) == level


@given(st.sampled_from(sorted(set(State) - set(OVER))), st.sampled_from(Grade), st.integers(0, 9), st.booleans())
def test_an_urgency_says_what_it_was_made_of(state: State, grade: Grade, level: int, listed: bool) -> None:  # noqa: FBT001
    grade = Grade.MAJOR if listed else Grade.NONE if state is State.PROPOSED else grade
    rank = rank_of(urgency_of(state, grade, level, listed=listed))
    assert (rank.grade, rank.level, rank.listed) == (grade, level, listed)


@pytest.mark.parametrize("sort", DangerSort)
def test_pages_in_every_order_are_the_sorted_list(office: Office, sort: DangerSort) -> None:
    for number in range(12):
        one = office.found(title=str(number))
        if number % 3:
            one = office.do(one, Event.GRADE, grade=Grade.MAJOR if number % 2 else Grade.GENERAL)
        office.clock.now_ms += HOUR_MS * (number % 2)
    everything = office.ledger.page(Wanted(), ALL, sort, None, 100)
    assert [key_of(one, sort) for one in everything] == sorted(
        (key_of(one, sort) for one in everything), reverse=sort is not DangerSort.DUE
    )
    pages, after = [], None
    while page := office.ledger.page(Wanted(), ALL, sort, after, 5):
        pages += page
        after = key_of(page[-1], sort)
    assert pages == everything
    assert len(pages) == 12


@ON_BOTH
def test_of_many_at_once_one_is_done(office: Office) -> None:
    one = office.found()
    gate = threading.Barrier(4)

    def grade(account: str) -> str:
        gate.wait(10)
        try:
            office.dangers.act(Act(Event.GRADE, one.id, 1, grade=Grade.GENERAL), who(account))
        except ConflictError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(grade, ("li", "wang", "zhao", "sun")))
    assert sorted(bool(one) for one in told) == [False, True, True, True]
    assert office.dangers.get(one.id, ALL).version == 2


@ON_BOTH
def test_the_same_report_from_many_at_once_is_one_danger(office: Office) -> None:
    gate = threading.Barrier(4)

    def report(_: int) -> str:
        gate.wait(10)
        return office.found(key="k").id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(report, range(4)))) == 1
    assert office.ledger.number(Wanted(), ALL) == 1


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_no_cell_of_a_file_begins_a_formula(cells: list[str]) -> None:
    text = to_csv(["a"], [[cell] for cell in cells]).decode("utf-8-sig")
    for (cell,) in list(csv.reader(io.StringIO(text, newline="")))[1:]:
        assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
