"""Every cell of the table, through the desk that uses it; and the page that shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from config.dangers import Clocked
from gateway.dangers.acts import Plan
from gateway.dangers.clocks import WAITS_FOR
from gateway.dangers.states import EVENT_NAMES, OVER, STATE_NAMES, STATES, Effect, Event, Go, Grade, No, State
from gateway.errors import ConflictError
from gateway.registry.where import Spot
from tests.gateway.dangers.office import ALL, DAY_MS, Office, an_office


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with an_office(tmp_path_factory.mktemp("dangers")) as office:
        yield office


def test_every_cell_is_written_and_every_state_and_event_has_words() -> None:
    assert {state: set(row) for state, row in STATES.items()} == {state: set(Event) for state in State}
    assert set(STATE_NAMES) == set(State)
    assert set(EVENT_NAMES) == set(Event)
    assert set(WAITS_FOR) == set(State) - set(OVER)


def said(office: Office, event: Event, plan: Plan) -> dict[str, Any]:
    later = {"until_ms": plan.deadline_ms + DAY_MS}
    more: dict[Event, dict[str, Any]] = {
        Event.GRADE: {"grade": Grade.GENERAL, "supervises": True},
        Event.ASSIGN: {"place": Spot(hazard_unit="cl2")},
        Event.PLAN: {"plan": plan},
        Event.ASK: later,
        Event.LIST: {"until_ms": office.clock.now_ms + 30 * DAY_MS},
        Event.REOPEN: later,
        Event.RECEIPT: {"receipt": Clocked.REPORT_REGULATOR, "number": "A-1"},
        Event.DISMISS: {"supervises": True},
    }
    return more.get(event, {})


def ready(office: Office, state: State, event: Event) -> Any:  # noqa: ANN401 - a danger
    """Return a danger in a state, such that what the event needs beside the state is there."""
    major = state not in (State.PROPOSED, State.DISMISSED)
    one = office.in_state(state, Grade.MAJOR if major else Grade.GENERAL)
    if not isinstance(STATES[state][event], Go):
        return one
    if event in (Event.GRANT, Event.REFUSE):
        one = office.do(one, Event.ASK, "wang", until_ms=(one.deadline_ms or 0) + DAY_MS)
    if event is Event.DELIST:
        back = office.do(one, Event.RETURN)
        one = office.do(back, Event.LIST, until_ms=office.clock.now_ms + 30 * DAY_MS)
        one = office.do(office.do(one, Event.RECTIFY, "wang"), Event.VERIFY, "zhao")
    if event is Event.CLOSE:
        one = office.receipts(one)
    return one


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("state", State)
def test_a_cell(shared: Office, state: State, event: Event) -> None:
    one = ready(shared, state, event)
    assert one.state is state
    cell = STATES[state][event]
    clocks = {(clock.clock, clock.round) for clock in shared.dangers.clocks(one.id, ALL) if clock.outcome == ""}
    if isinstance(cell, No):
        with pytest.raises(ConflictError, match=re.escape(cell.why.en)):
            shared.do(one, event, "zhao", **said(shared, event, shared.plan()))
        assert shared.dangers.get(one.id, ALL) == one
        return
    after = shared.do(one, event, "zhao", **said(shared, event, shared.plan()))
    assert (after.state, after.version, after.events) == (cell.to, one.version + 1, one.events + 1)
    assert shared.dangers.timeline(one.id, ALL)[-1]["kind"] == event
    running = {(clock.clock, clock.round) for clock in shared.dangers.clocks(one.id, ALL) if clock.outcome == ""}
    names = {clock for clock, _ in running}
    if cell.to in OVER:
        assert (running, after.due_ms, after.level, after.urgency) == (set(), None, 0, 0)
    else:
        assert WAITS_FOR[cell.to] in names, "what is to be done next has a clock"
        assert after.urgency > 0
    if Effect.DONE in cell.effects and WAITS_FOR[state] is not WAITS_FOR.get(cell.to):
        assert WAITS_FOR[state] not in names
    if Effect.ENTER in cell.effects:
        assert Clocked.SUPERVISION in names
    if Effect.LEAVE in cell.effects:
        assert Clocked.SUPERVISION not in names
    if Effect.AGAIN in cell.effects:
        assert (Clocked.RECTIFY, 2) in running
    if not cell.effects:
        assert running == clocks


@pytest.mark.parametrize("state", [State.CLOSED, State.DISMISSED])
def test_what_is_over_has_no_clock_and_is_nowhere_open(shared: Office, state: State) -> None:
    one = shared.in_state(state, tag="T-1.TEMP")
    assert one.due_ms is None
    assert one.id not in {found.id for found in shared.dangers.open_at(ALL, tag="T-1.TEMP")}
