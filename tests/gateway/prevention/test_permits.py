"""Permits of special work: every cell, by the clock, with their gas; alarms go on as if there were none."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway.access.roles import Scope
from gateway.errors import BadRequestError, ConflictError, NotFoundError
from gateway.prevention.machine import No
from gateway.prevention.permit_states import PERMITS, PermitEffect, PermitEvent, PermitState
from gateway.prevention.permits import Asked, Permit, PermitFilter, Work
from gateway.records import audit, schema
from gateway.records.prevention_tables import work_permit
from tests.gateway.api.world import T0
from tests.support.prevention import ACME, ALL, ANN, BOB, BRAVO, HOUR_MS, MINUTE_MS, TOWN, Office

E, S = PermitEvent, PermitState
NEXT = {S.DRAFT: (), S.APPROVED: (E.APPROVE,), S.OPEN: (E.APPROVE, E.OPEN), S.CLOSED: (E.APPROVE, E.OPEN, E.CLOSE),
        S.VOID: (E.VOID,)}  # fmt: skip
"""How to come into a state."""


def asked(
    kind: str = "lifting", *, level: str = "", unit: str = "u-a", hours: float = 8, tags: tuple[str, ...] = ()
) -> Asked:
    return Asked(kind, level, unit, "", T0, T0 + round(hours * HOUR_MS), Work("pump 3", gas_tags=tags))


def made(office: Office, kind: str = "lifting", unit: str = "u-a", **more: object) -> Permit:
    return office.prevention.permits.make(asked(kind, unit=unit, **more), ALL, ANN)  # type: ignore[arg-type]


def act(office: Office, permit: Permit, *events: PermitEvent) -> Permit:
    for event in events:
        permit = office.prevention.permits.act(permit.id, event, permit.version, "because", ALL, BOB)
    return permit


def in_state(office: Office, state: PermitState) -> Permit:
    permit = made(office)
    if state is S.EXPIRED:
        office.clock.now_ms = permit.end_ms
        office.prevention.permits.turn(office.clock.now_ms)
        return office.prevention.permits.get(permit.id, ALL)
    return act(office, permit, *NEXT[state])


def test_every_cell_is_written() -> None:
    assert {state: set(row) for state, row in PERMITS.items()} == {state: set(PermitEvent) for state in PermitState}


def test_every_cell(light_office: Office) -> None:
    office = light_office
    for state in PermitState:
        for event in PermitEvent:
            office.clock.now_ms = T0
            try_cell(office, state, event)


def try_cell(office: Office, state: PermitState, event: PermitEvent) -> None:
    permit, cell = in_state(office, state), PERMITS[state][event]
    permits = office.prevention.permits

    def do() -> Permit:
        if event is E.CHECK:
            now_ms = office.clock.now_ms
            return permits.check(permit.id, now_ms, {"o2": 20.9}, safe=True, scope=ALL, by=BOB)
        if event is E.EXPIRE:
            office.clock.now_ms = max(office.clock.now_ms, permit.end_ms)
            permits.turn(office.clock.now_ms)
            return permits.get(permit.id, ALL)
        return act(office, permit, event)

    assert permit.state is state
    if isinstance(cell, No):
        if event is E.EXPIRE:
            assert do() == permit
        else:
            with pytest.raises(ConflictError, match=cell.why.en):
                do()
        return
    after = do()
    assert after.state is cell.to
    assert (after.approved_by == "bob") == (PermitEffect.SIGN in cell.effects or state in (S.APPROVED, S.OPEN))
    assert (after.opened_ms is not None) == (PermitEffect.BEGIN in cell.effects or state is S.OPEN)
    assert (after.ended_ms is not None) == (PermitEffect.END in cell.effects)


def test_who_made_it_does_not_approve_it(office: Office) -> None:
    permit = made(office)
    with pytest.raises(ConflictError, match="somebody else than ann"):
        office.prevention.permits.act(permit.id, E.APPROVE, permit.version, "", ALL, ANN)


def test_who_saw_another_version_changes_nothing(office: Office) -> None:
    permit = made(office)
    act(office, permit, E.APPROVE)
    with pytest.raises(ConflictError, match="look again"):
        act(office, permit, E.OPEN)
    with pytest.raises(ConflictError, match="approved already"):
        act(office, permit, E.APPROVE)


@pytest.mark.parametrize(
    ("kind", "level", "hours", "word"),
    [
        ("hot_work", "special", 8.01, "480 min"),
        ("hot_work", "", 1, "level"),
        ("lifting", "first", 1, "level"),
        ("dancing", "", 1, "kind"),
        ("lifting", "", -1, "end"),
    ],
)
def test_what_makes_no_sense_is_refused(office: Office, kind: str, level: str, hours: float, word: str) -> None:
    with pytest.raises(BadRequestError, match=word):
        made(office, kind, level=level, hours=hours)
    assert made(office, "hot_work", level="special", hours=8).state is S.DRAFT


def test_work_with_gas_begins_with_a_recent_safe_reading(office: Office) -> None:
    permits = office.prevention.permits
    permit = act(office, made(office, "confined_space"), E.APPROVE)
    with pytest.raises(ConflictError, match="no gas reading of the last 30 min"):
        act(office, permit, E.OPEN)
    permits.check(permit.id, T0, {}, safe=False, scope=ALL, by=BOB)
    with pytest.raises(ConflictError, match="not safe"):
        act(office, permit, E.OPEN)
    office.clock.now_ms += MINUTE_MS
    permits.check(permit.id, T0 + MINUTE_MS, {}, safe=True, scope=ALL, by=BOB)
    office.clock.now_ms += 31 * MINUTE_MS
    with pytest.raises(ConflictError, match="no gas reading"):
        act(office, permit, E.OPEN)
    with pytest.raises(BadRequestError, match="from"):
        permits.check(permit.id, office.clock.now_ms + 1, {}, safe=True, scope=ALL, by=BOB)
    permits.check(permit.id, office.clock.now_ms, {}, safe=True, scope=ALL, by=BOB)
    assert act(office, permit, E.OPEN).state is S.OPEN


def test_a_missing_reading_is_named_at_its_time_and_until_there_is_one(office: Office) -> None:
    permits = office.prevention.permits
    permit = act(office, made(office, "confined_space"), E.APPROVE)
    permits.check(permit.id, T0, {}, safe=True, scope=ALL, by=BOB)
    permit = act(office, permit, E.OPEN)
    due_ms = T0 + 120 * MINUTE_MS

    def overdue(at_ms: int) -> bool:
        office.clock.now_ms = at_ms
        permits.turn(at_ms)
        gas = permits.get(permit.id, ALL).gas
        assert gas is not None
        return gas.overdue

    assert [overdue(due_ms), overdue(due_ms + 1), overdue(due_ms + MINUTE_MS)] == [False, True, True]
    assert [one["event"] for one in permits.story(permit.id)[0]].count("check_missed") == 1
    permits.check(permit.id, due_ms + MINUTE_MS, {}, safe=True, scope=ALL, by=BOB)
    assert not overdue(due_ms + MINUTE_MS)
    assert overdue(due_ms + MINUTE_MS + 120 * MINUTE_MS + 1)
    assert [one["event"] for one in permits.story(permit.id)[0]].count("check_missed") == 2


def test_live_tags_are_readings_and_one_that_is_silent_is_named(office: Office) -> None:
    permits = office.prevention.permits
    office.show("g-a", "x")
    permit = act(office, made(office, "confined_space", tags=("g-a",)), E.APPROVE, E.OPEN)
    office.clock.now_ms += 3 * HOUR_MS
    permits.turn(office.clock.now_ms)
    gas = permits.get(permit.id, ALL).gas
    assert gas is not None
    assert (gas.live, gas.overdue, gas.silent) == (True, False, ())
    office.show(stale=("g-a",))
    office.clock.now_ms += 2 * HOUR_MS + 1
    permits.turn(office.clock.now_ms)
    gas = permits.get(permit.id, ALL).gas
    assert gas is not None
    assert (gas.live, gas.overdue, gas.silent) == (False, True, ("g-a",))


def test_it_suppresses_nothing_and_shows_what_fired_meanwhile(office: Office) -> None:
    office.alarm("before", raised_ms=T0 - 1)
    permit = act(office, made(office), E.APPROVE, E.OPEN)
    office.alarm("during", raised_ms=T0 + 1, tier=1)
    office.alarm("elsewhere", "u-b", raised_ms=T0 + 1)
    office.clock.now_ms += HOUR_MS
    permit = act(office, permit, E.CLOSE)
    office.alarm("after", raised_ms=T0 + HOUR_MS)
    with office.means.reader.connect() as connection:
        rows = connection.execute(select(schema.alarm)).mappings().all()
        assert connection.execute(select(schema.inhibition)).all() == []
    assert {row["inhibited"] for row in rows} == {None}
    assert {row["state"] for row in rows} == {"active"}
    assert [one.alarm_id for one in office.prevention.permits.fired(permit)] == ["during"]


def test_works_at_one_place_at_one_time_name_each_other(office: Office) -> None:
    one, other = made(office), made(office, "height")
    made(office, unit="u-b")
    assert [found.id for found in office.prevention.permits.beside(one, ALL)] == [other.id]
    act(office, other, E.VOID)
    assert office.prevention.permits.beside(one, ALL) == []


def test_who_was_at_work_when(office: Office) -> None:
    permits = office.prevention.permits
    permit = act(office, made(office), E.APPROVE)
    assert permits.active(ALL, "u-a", T0) == []
    permit = act(office, permit, E.OPEN)
    office.clock.now_ms += HOUR_MS
    act(office, permit, E.CLOSE)
    at = [[one.id for one in permits.active(ALL, "u-a", T0 + ms)] for ms in (-1, 0, HOUR_MS - 1, HOUR_MS)]
    assert at == [[], [permit.id], [permit.id], []]
    assert permits.active(BRAVO, "u-a", T0) == []
    forgotten = act(office, made(office), E.APPROVE, E.OPEN)  # nobody closed it, no turn has come yet
    assert permits.active(ALL, "u-a", forgotten.end_ms - 1) != []
    assert permits.active(ALL, "u-a", forgotten.end_ms) == []


@pytest.mark.parametrize("scope", [BRAVO, TOWN, Scope(frozenset({"none"}))])
def test_who_may_not_see_it_learns_nothing(office: Office, scope: Scope) -> None:
    permits, permit = office.prevention.permits, made(office)
    assert permits.find(PermitFilter(), scope, None, 10) == []
    with pytest.raises(NotFoundError) as hidden:
        permits.get(permit.id, scope)
    with pytest.raises(NotFoundError) as none:
        permits.act("f" * 16, E.VOID, 1, "", scope, BOB)
    assert str(hidden.value).replace(permit.id, "") == str(none.value).replace("f" * 16, "")
    with pytest.raises(BadRequestError) as hidden_unit:
        permits.make(asked(), scope, BOB)
    with pytest.raises(BadRequestError) as no_unit:
        permits.make(asked(unit="u-x"), scope, BOB)
    assert str(hidden_unit.value).replace("u-a", "") == str(no_unit.value).replace("u-x", "")
    if scope is not TOWN and scope is not BRAVO:
        return
    with pytest.raises(BadRequestError, match="tag 'g-a'"):
        permits.make(asked(unit="u-b", tags=("g-a",)), scope, BOB)
    own = permits.make(asked(unit="u-b"), scope, BOB)
    assert [one.id for one in permits.find(PermitFilter(), scope, None, 10)] == [own.id]
    assert [one.id for one in permits.find(PermitFilter(), ACME, None, 10)] == [permit.id]


def test_pages_follow_one_another(office: Office) -> None:
    for _ in range(5):
        made(office)
    permits, seen = office.prevention.permits, list[Permit]()
    while page := permits.find(PermitFilter(), ALL, (seen[-1].made_ms, seen[-1].id) if seen else None, 2):
        seen += page
    assert len({one.id for one in seen}) == len(seen) == 5


def test_everything_done_is_in_the_audit_log(office: Office) -> None:
    permit = act(office, made(office), E.APPROVE, E.OPEN)
    office.clock.now_ms = permit.end_ms
    office.prevention.permits.turn(office.clock.now_ms)
    assert office.prevention.permits.turn(office.clock.now_ms) == 0
    with office.means.reader.connect() as connection:
        told = [(one["act"], one["account"]) for one in audit.rows(connection) if one["subject"] == permit.id]
        acts = [("permit.draft", "ann"), ("permit.approve", "bob"), ("permit.open", "bob")]
        assert told == [*acts, ("permit.expire", "system")]
        assert connection.execute(select(work_permit.c.state)).scalar() == "expired"
