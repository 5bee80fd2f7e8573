"""Hidden dangers from being found to being closed: who may, what is needed, what is late."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.event import listens_for
from structlog.testing import capture_logs

from config.dangers import Clocked
from gateway.access.roles import Scope
from gateway.dangers import watch as watch_module
from gateway.dangers.acts import Act
from gateway.dangers.clocks import ClockState, begin
from gateway.dangers.intake import Reporter
from gateway.dangers.model import Danger
from gateway.dangers.states import Event, Grade, Source, State
from gateway.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from gateway.records import schema
from gateway.registry.where import Spot
from tests.gateway.dangers.office import ACME, ALL, BRAVO, DAY_MS, HOUR_MS, ON_BOTH, Office, who
from tests.support.waiting import eventually

MAJOR = Grade.MAJOR


def clock_of(office: Office, one: Danger, name: Clocked) -> ClockState:
    return [clock for clock in office.dangers.clocks(one.id, ALL) if clock.clock is name][-1]


@ON_BOTH
def test_the_whole_loop(office: Office) -> None:
    one = office.found("li", tag="T-1.LEVEL", text="法兰处有液迹")
    assert (one.state, one.vessel, one.hazard_unit, one.site, one.enterprise, one.district) == (
        State.REPORTED, "T-1", "meoh", "mini", "acme", "370304",
    )  # fmt: skip
    assert one.due_ms == office.clock.now_ms + 24 * HOUR_MS
    one = office.do(one, Event.GRADE, grade=Grade.GENERAL)
    one = office.do(one, Event.PLAN, "chen", plan=office.plan())
    assert (one.due_ms, one.hands) == (one.deadline_ms, ("chen", "wang"))
    one = office.do(one, Event.RECTIFY, "wang")
    one = office.do(one, Event.VERIFY, "li")
    one = office.do(one, Event.CLOSE, "li")
    assert (one.state, one.over_by, one.due_ms, one.urgency) == (State.CLOSED, "li", None, 0)
    kinds = [event["kind"] for event in office.dangers.timeline(one.id, ALL)]
    assert kinds == ["report", "grade", "plan", "rectify", "verify", "close"]
    assert [act for _, act in office.audited()] == [f"danger.{kind}" for kind in kinds]
    assert {clock.outcome for clock in office.dangers.clocks(one.id, ALL)} == {"done"}


@pytest.mark.parametrize("missing", ["responsible", "measures", "precautions"])
def test_no_rectifying_begins_without_all_five(office: Office, missing: str) -> None:
    one = office.in_state(State.GRADED)
    with pytest.raises(BadRequestError, match=missing):
        office.do(one, Event.PLAN, plan=office.plan(1, **{missing: "  "}))
    with pytest.raises(ConflictError, match="five fixes"):
        office.do(one, Event.RECTIFY)


@pytest.mark.parametrize("days", [-1, 0, 15.01])
def test_a_plan_ends_in_time(office: Office, days: float) -> None:
    one = office.in_state(State.GRADED)
    with pytest.raises(BadRequestError, match="deadline"):
        office.do(one, Event.PLAN, plan=office.plan(days))
    assert office.do(one, Event.PLAN, plan=office.plan(15)).state is State.RECTIFYING


def test_who_saw_another_version_changes_nothing(office: Office) -> None:
    one = office.found()
    office.do(one, Event.GRADE, grade=Grade.GENERAL)
    with pytest.raises(ConflictError, match="at version 2 now, not 1"):
        office.do(one, Event.DISMISS)
    assert office.do(one, Event.COMMENT, version=None).version == 3


@ON_BOTH
def test_the_same_act_again_changes_nothing(office: Office) -> None:
    one = office.found()
    first = office.do(one, Event.GRADE, grade=MAJOR)
    assert office.do(one, Event.GRADE, grade=MAJOR) == first
    keyed = Act(Event.COMMENT, one.id, text="x", key="k1")
    after = office.dangers.act(keyed, who("li"))
    assert office.dangers.act(replace(keyed, text="y"), who("li")) == after
    assert office.dangers.act(keyed, who("sun")).version == after.version + 1


@ON_BOTH
def test_the_same_report_again_is_the_same_danger(office: Office) -> None:
    one = office.found(key="k")
    assert office.found(key="k") == one
    assert office.found("sun", key="k").id != one.id
    assert office.found().id != office.found().id
    with pytest.raises(ConflictError, match="used for another report"):
        office.found(key="k", title="another")


# --- what keeps it from being closed ---------------------------------------------------------------------------------


@ON_BOTH
@pytest.mark.parametrize("state", ["active", "returned", "latched"])
def test_it_is_not_closed_while_its_alarm_is_open(office: Office, state: str) -> None:
    office.alarm("a-1", state=state)
    one = office.in_state(State.VERIFIED, alarm_id="a-1")
    assert (one.tag, one.vessel, one.condition) == ("T-1.LEVEL", "T-1", "H")
    with pytest.raises(ConflictError, match=f"alarm a-1 is {state}"):
        office.do(one, Event.CLOSE)
    office.clear("a-1")
    office.alarm("a-2", condition="HH")
    office.alarm("a-3", condition="H")
    with pytest.raises(ConflictError, match="alarm a-3"):
        office.do(one, Event.CLOSE)
    office.clear("a-3")
    assert office.do(one, Event.CLOSE).state is State.CLOSED


@pytest.mark.parametrize("event", [Event.VERIFY, Event.CLOSE])
def test_a_major_one_is_not_judged_by_who_found_or_rectified_it_or_their_team(office: Office, event: Event) -> None:
    office.put("post", "field", enterprise="acme")
    office.put("post", "safety", enterprise="acme")
    for name, post in (("li", "field"), ("mate", "field"), ("zhao", "safety"), ("wang", "safety")):
        office.put("person", name, enterprise="acme", account=name, post=post)
    one = office.found("li", ACME)
    for act in (Event.GRADE, Event.PLAN, Event.RECTIFY):
        one = office.move(one, act, MAJOR)
    if event is Event.CLOSE:
        one = office.receipts(office.move(one, Event.VERIFY, MAJOR))
    for account, why in (("li", "who found it"), ("wang", "had a hand"), ("mate", "team that found it")):
        with pytest.raises(ForbiddenError, match=rf"{why}.*another post or another team"):
            office.do(one, event, account, scope=ACME)
    with pytest.raises(ForbiddenError, match="team that found it"):
        office.do(one, event, "no-post", scope=ACME)
    assert office.do(one, event, "zhao", scope=ACME).version == one.version + 1


def test_a_lower_grade_and_a_dismissal_are_no_way_around(office: Office) -> None:
    one = office.in_state(State.GRADED, MAJOR)
    for event in (Event.GRADE, Event.DISMISS):
        with pytest.raises(ForbiddenError, match="who found it"):
            office.do(one, event, "li", grade=Grade.GENERAL)
    with pytest.raises(BadRequestError, match="text"):
        office.do(one, Event.GRADE, "zhao", grade=Grade.GENERAL, text="")
    listed = office.do(one, Event.LIST, "gov", until_ms=office.clock.now_ms + DAY_MS)
    with pytest.raises(ForbiddenError, match="authority"):
        office.do(listed, Event.DISMISS, "zhao")


def test_a_general_one_may_be_judged_by_who_found_it(office: Office) -> None:
    one = office.in_state(State.RECTIFIED)
    assert office.do(one, Event.VERIFY, "li").state is State.VERIFIED


def test_a_major_one_is_reported_twice_and_not_closed_before(office: Office) -> None:
    one = office.in_state(State.VERIFIED, MAJOR)
    with pytest.raises(ConflictError, match="report_regulator, report_congress"):
        office.do(one, Event.CLOSE, "zhao")
    one = office.do(one, Event.RECEIPT, receipt=Clocked.REPORT_CONGRESS, number="ZD-7")
    with pytest.raises(ConflictError, match="receipts are missing: report_regulator"):
        office.do(one, Event.CLOSE, "zhao")
    with pytest.raises(ConflictError, match="already: ZD-7"):
        office.do(one, Event.RECEIPT, receipt=Clocked.REPORT_CONGRESS, number="ZD-8")
    one = office.do(one, Event.RECEIPT, receipt=Clocked.REPORT_REGULATOR, number="YJ-1")
    assert office.do(one, Event.CLOSE, "zhao").state is State.CLOSED


def test_general_ones_are_not_reported_twice_and_not_listed(office: Office) -> None:
    one = office.in_state(State.GRADED)
    for event in (Event.RECEIPT, Event.LIST):
        with pytest.raises(ConflictError, match="only major ones"):
            office.do(one, event, receipt=Clocked.REPORT_REGULATOR, number="1", until_ms=office.clock.now_ms + 1)
    one = office.do(one, Event.GRADE, grade=MAJOR)
    assert clock_of(office, one, Clocked.REPORT_REGULATOR).outcome == ""
    one = office.do(one, Event.GRADE, grade=Grade.GENERAL)
    assert clock_of(office, one, Clocked.REPORT_REGULATOR).outcome == "void"


@ON_BOTH
def test_listed_supervision_ends_with_the_authority(office: Office) -> None:
    one = office.in_state(State.RECTIFYING, MAJOR)
    until_ms = office.clock.now_ms + 10 * DAY_MS
    one = office.do(one, Event.LIST, "gov", until_ms=until_ms, text="罐区重大隐患，限期整改")
    assert (one.listed, one.notice, one.listed_until_ms) == (True, "罐区重大隐患，限期整改", until_ms)
    with pytest.raises(ConflictError, match="stays major"):
        office.do(one, Event.GRADE, grade=Grade.GENERAL)
    with pytest.raises(ConflictError, match="supervision ends"):
        office.do(one, Event.ASK, "wang", until_ms=until_ms + 1)
    with pytest.raises(ConflictError, match="only when it is verified"):
        office.do(one, Event.DELIST, "gov")
    one = office.receipts(office.move(office.move(one, Event.RECTIFY), Event.VERIFY, MAJOR))
    with pytest.raises(ConflictError, match="delists it first"):
        office.do(one, Event.CLOSE, "zhao")
    one = office.do(office.do(one, Event.DELIST, "gov"), Event.CLOSE, "zhao")
    assert (one.state, one.listed) == (State.CLOSED, False)


# --- time ------------------------------------------------------------------------------------------------------------


def test_more_time_is_asked_for_and_granted_by_somebody_else(office: Office) -> None:
    one = office.in_state(State.RECTIFYING)
    first_ms = one.deadline_ms or 0
    with pytest.raises(ConflictError, match="nobody has asked"):
        office.do(one, Event.GRANT)
    with pytest.raises(BadRequestError, match="until"):
        office.do(one, Event.ASK, "wang", until_ms=first_ms)
    one = office.do(one, Event.ASK, "wang", until_ms=first_ms + DAY_MS)
    with pytest.raises(ConflictError, match="not rectifying it"):
        office.do(one, Event.GRANT, "wang")
    one = office.do(one, Event.GRANT, "zhao")
    assert (one.deadline_ms, one.due_ms, one.asked_until_ms) == (first_ms + DAY_MS, first_ms + DAY_MS, None)
    one = office.do(office.do(one, Event.ASK, "wang", until_ms=first_ms + 2 * DAY_MS), Event.REFUSE)
    assert (one.deadline_ms, one.extended) == (first_ms + DAY_MS, 1)
    one = office.do(office.do(one, Event.ASK, "wang", until_ms=first_ms + 2 * DAY_MS), Event.GRANT, "zhao")
    with pytest.raises(ConflictError, match="extended 2 times"):
        office.do(one, Event.ASK, "wang", until_ms=first_ms + 3 * DAY_MS)


@ON_BOTH
def test_a_late_one_climbs_level_by_level_to_the_millisecond(office: Office) -> None:
    one = office.in_state(State.RECTIFYING)
    assert office.turn(days=5) == (0, 0), "the deadline itself is in time"
    levels = []
    for wait_ms in (1, 24 * HOUR_MS - 1, 1, 48 * HOUR_MS, 96 * HOUR_MS, 999 * HOUR_MS):
        office.clock.now_ms += wait_ms
        climbed = office.turn()[0]
        levels.append((climbed, office.dangers.get(one.id, ALL).level))
    assert levels == [(1, 1), (0, 1), (1, 2), (1, 3), (1, 4), (0, 4)]
    late = [event for event in office.dangers.timeline(one.id, ALL) if event["kind"] == "overdue"]
    assert [event["detail"]["level"] for event in late] == [1, 2, 3, 4]
    assert {event["by"] for event in late} == {"system"}
    now = office.dangers.get(one.id, ALL)
    assert (now.version, now.urgency) == (one.version, one.urgency + 4)
    assert office.do(one, Event.RECTIFY, "wang").level == 0, "what a clock did is nothing people need have seen"


def test_a_gateway_that_was_off_for_a_month_says_it_once(office: Office) -> None:
    one = office.in_state(State.GRADED)
    assert office.turn(days=30) == (1, 0)
    assert office.dangers.get(one.id, ALL).level == 4
    assert office.turn() == (0, 0)


def test_each_missing_report_is_late_by_itself(office: Office) -> None:
    one = office.in_state(State.GRADED, MAJOR)
    office.turn(days=1, hours=1)
    assert (clock_of(office, one, Clocked.REPORT_REGULATOR).level, clock_of(office, one, Clocked.PLAN).level) == (1, 0)
    office.do(one, Event.RECEIPT, receipt=Clocked.REPORT_REGULATOR, number="1")
    assert office.dangers.get(one.id, ALL).level == 0
    office.turn(days=6)
    late = {event["detail"]["clock"] for event in office.dangers.timeline(one.id, ALL) if event["kind"] == "overdue"}
    assert late == {"report_regulator", "report_congress", "plan"}


@ON_BOTH
def test_what_is_returned_is_late_again(office: Office) -> None:
    one = office.in_state(State.RECTIFIED)
    office.turn(days=6, hours=1)
    one = office.do(office.dangers.get(one.id, ALL), Event.RETURN, "zhao")
    office.turn()
    late = clock_of(office, one, Clocked.RECTIFY)
    assert (late.round, late.done_ms, late.level) == (1, None, 2)


@ON_BOTH
def test_many_late_ones_climb_in_one_turn(office: Office) -> None:
    for _ in range(60):
        office.found()
    assert office.turn(days=2) == (60, 0)


# --- alarms that recur -----------------------------------------------------------------------------------------------


def raise_times(office: Office, times: int, prefix: str, **changes: Any) -> None:  # noqa: ANN401 - columns
    for number in range(times):
        office.alarm(f"{prefix}-{number}", state="cleared", **changes)
        office.clock.now_ms += HOUR_MS


@ON_BOTH
def test_an_alarm_that_recurs_proposes_one_exactly_once(office: Office) -> None:
    raise_times(office, 4, "a")
    assert office.turn() == (0, 0)
    raise_times(office, 3, "b", condition="HH")
    assert office.turn() == (0, 0)
    raise_times(office, 1, "c")
    assert office.turn() == (0, 1)
    (one,) = office.dangers.open_at(ALL, tag="T-1.LEVEL")
    assert (one.state, one.source, one.condition, one.enterprise) == (State.PROPOSED, Source.ALARM, "H", "acme")
    raise_times(office, 6, "d")
    assert office.turn() == (0, 0)
    one = office.do(one, Event.ACCEPT, "li")
    assert (one.state, one.found_by) == (State.REPORTED, "li")
    raise_times(office, 6, "e")
    assert office.turn() == (0, 0)


@ON_BOTH
def test_what_was_dismissed_is_proposed_again_by_new_alarms_only(office: Office) -> None:
    raise_times(office, 5, "a")
    assert office.turn() == (0, 1)
    (one,) = office.dangers.open_at(ALL, tag="T-1.LEVEL")
    with pytest.raises(BadRequestError, match="text"):
        office.do(one, Event.DISMISS, text="")
    office.do(one, Event.DISMISS, text="联锁调试")
    office.clock.now_ms += 1
    raise_times(office, 4, "b")
    assert office.turn() == (0, 0)
    raise_times(office, 1, "c")
    assert office.turn() == (0, 1)


def test_old_alarms_and_tests_do_not_count(office: Office) -> None:
    raise_times(office, 4, "a")
    raise_times(office, 3, "b", verdict="test")
    assert office.turn() == (0, 0)
    office.clock.now_ms += 7 * DAY_MS
    raise_times(office, 1, "c")
    assert office.turn() == (0, 0)


def test_a_danger_somebody_reported_needs_no_proposal(office: Office) -> None:
    office.alarm("first")
    office.found(alarm_id="first")
    raise_times(office, 9, "a")
    assert office.turn() == (0, 0)


# --- whose it is, and who is hidden ----------------------------------------------------------------------------------


@ON_BOTH
def test_enterprises_see_their_own_only(office: Office) -> None:
    one, other = office.found(hazard_unit="meoh"), office.found(hazard_unit="cl2")
    assert (one.enterprise, other.enterprise) == ("acme", "bravo")
    assert [found.id for found in office.dangers.open_at(ACME)] == [one.id]
    for scope, hidden in ((ACME, other), (BRAVO, one)):
        with pytest.raises(NotFoundError) as shown:
            office.dangers.get(hidden.id, scope)
        with pytest.raises(NotFoundError) as absent:
            office.dangers.get("HD0", scope)
        assert str(shown.value).replace(hidden.id, "HD0") == str(absent.value)
        with pytest.raises(NotFoundError):
            office.do(hidden, Event.COMMENT, scope=scope)
    with pytest.raises(BadRequestError, match="hazard_unit: there is no hazard-unit 'cl2'"):
        office.found(scope=ACME, hazard_unit="cl2")


def test_an_alarm_that_is_hidden_is_none(office: Office) -> None:
    office.alarm("theirs", "GD-1")
    for name in ("theirs", "absent"):
        with pytest.raises(BadRequestError, match=f"alarm_id: there is no alarm '{name}'"):
            office.found(scope=ACME, alarm_id=name)
    assert office.found(scope=BRAVO, alarm_id="theirs").enterprise == "bravo"


def test_a_place_follows_from_the_registry_first(office: Office) -> None:
    office.put("enterprise", "bravo", district="370305")
    office.put("site", "south", enterprise="bravo", district="370305")
    office.put("hazard-unit", "h2", enterprise="bravo", district="370305", site="south")
    office.put("vessel", "V-9", enterprise="bravo", hazard_unit="h2", shape="sphere")
    one = office.found(enterprise="", vessel="V-9", hazard_unit="h2")
    assert (one.hazard_unit, one.site, one.enterprise, one.district) == ("h2", "south", "bravo", "370305")
    with pytest.raises(BadRequestError, match="site: hazard_unit 'h2' is not there but at 'south'"):
        office.found(hazard_unit="h2", site="mini")


@ON_BOTH
def test_who_called_12350_is_sealed(office: Office) -> None:
    caller = Reporter("张三", "13800000000", "邻居")
    one = office.found("desk", source=Source.REPORT_12350, reporter=caller, district="370304", title="氨味")
    assert (one.enterprise, one.found_by) == ("", "desk")
    kept = repr([one, office.dangers.timeline(one.id, ALL), office.audited()])
    assert "张三" not in kept
    assert "13800000000" not in kept
    assert office.dangers.reporter(one.id, who("gov", supervises=True)) == caller
    assert office.audited()[-1] == ("gov", "danger.unseal")
    with pytest.raises(BadRequestError, match="reporter"):
        office.found(reporter=caller)


@pytest.mark.parametrize("source", [Source.REPORT_12350, Source.INSPECTION])
def test_an_enterprise_does_not_dismiss_what_came_from_outside(office: Office, source: Source) -> None:
    one = office.found(source=source)
    with pytest.raises(ForbiddenError, match="authority"):
        office.do(one, Event.DISMISS, scope=ACME)
    assert office.do(one, Event.DISMISS, supervises=True).state is State.DISMISSED


def test_only_the_desk_of_12350_may_not_know_whose_it_is(office: Office) -> None:
    with pytest.raises(BadRequestError, match="enterprise"):
        office.found(district="370304")
    with pytest.raises(BadRequestError, match="district"):
        office.found(scope=ACME, district="370304", source=Source.REPORT_12350)


def test_a_report_of_nobody_is_handed_over_to_whose_it_is(office: Office) -> None:
    one = office.found(source=Source.REPORT_12350, district="370305", title="刺激性气味")
    with pytest.raises(NotFoundError):
        office.dangers.get(one.id, BRAVO)
    with pytest.raises(BadRequestError, match="enterprise"):
        office.do(one, Event.ASSIGN, "gov", place=Spot())
    with pytest.raises(BadRequestError, match="there is no vessel"):
        office.do(one, Event.ASSIGN, "gov", place=Spot(vessel="none"))
    one = office.do(one, Event.ASSIGN, "gov", place=Spot(tag="GD-1"))
    assert office.dangers.get(one.id, BRAVO) == one
    assert (one.enterprise, one.hazard_unit, one.state) == ("bravo", "cl2", State.REPORTED)
    one = office.move(office.move(one, Event.GRADE), Event.PLAN)
    office.turn(days=6)
    (rate,) = office.ledger.on_time(0, office.clock.now_ms, BRAVO)
    assert (rate.enterprise, rate.missing) == ("bravo", 1)
    with pytest.raises(ConflictError, match="stays whose it is"):
        office.do(office.dangers.get(one.id, ALL), Event.ASSIGN, "gov", place=Spot(hazard_unit="meoh"))


def test_the_watch_goes_on_when_the_records_fail_for_a_while(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "_FIRST_LOOK_S", 0.0)
    monkeypatch.setattr(watch_module, "_LOOK_EVERY_S", 0.01)
    one = office.found()
    schema.metadata.tables["danger_clock"].drop(office.engine)
    stop = threading.Event()
    with capture_logs() as logs:
        thread = threading.Thread(target=office.watch.run, args=(stop,))
        thread.start()
        try:
            eventually(lambda: any(entry["event"] == "dangers_not_looked_after" for entry in logs))
            schema.metadata.tables["danger_clock"].create(office.engine)
            with office.engine.begin() as connection:
                begin(connection, one, Clocked.GRADE, office.clock.now_ms - 1, office.clock.now_ms)
            eventually(lambda: office.dangers.get(one.id, ALL).level == 1)
        finally:
            stop.set()
            thread.join()


def test_a_place_is_looked_up_by_its_own_index_whoever_asks(office: Office) -> None:
    plans: list[str] = []

    @listens_for(office.ledger._reader, "before_cursor_execute")
    def _explain(connection: Any, _cursor: object, statement: str, parameters: Any, *_: object) -> None:  # noqa: ANN401
        if statement.startswith("SELECT danger."):
            plan = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            plans.append(" ".join(row[3] for row in plan))

    for name, index in (("hazard_unit", "danger_unit"), ("vessel", "danger_vessel"), ("tag", "danger_tag")):
        for scope in (ALL, ACME, Scope(enterprises=frozenset({"a", "b"})), Scope(districts=frozenset({"d"}))):
            office.dangers.open_at(scope, **{name: "x"})  # type: ignore[arg-type]  # the names are its own
            assert f"USING INDEX {index} (" in plans[-1]
            assert "TEMP B-TREE" not in plans[-1]


@ON_BOTH
def test_the_worst_comes_first(office: Office) -> None:
    general, major, new = office.in_state(State.GRADED), office.in_state(State.GRADED, MAJOR), office.found()
    listed = office.do(
        office.in_state(State.GRADED, MAJOR), Event.LIST, until_ms=office.clock.now_ms + DAY_MS, text="x"
    )
    assert [one.id for one in office.dangers.open_at(ALL, hazard_unit="meoh")] == [
        listed.id, major.id, general.id, new.id,
    ]  # fmt: skip
    assert len(office.dangers.open_at(ALL, hazard_unit="meoh", limit=2)) == 2
