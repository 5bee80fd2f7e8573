"""What happens at a place lifts its risks, and lets them fall again, step by step, with every change on record."""

from __future__ import annotations

import pytest

from config.risks import Method
from gateway.dangers.intake import Found
from gateway.dangers.states import Grade, Source
from gateway.errors import ConflictError, NotFoundError
from gateway.risks.book import RiskDraft
from gateway.risks.model import Outcome, Sort
from tests.gateway.risks.office import ACME, ALL, BRAVO, DAY_MS, HOUR_MS, LI, LOW, MAJOR, MINUTE_MS, ON_BOTH, Office


@ON_BOTH
def test_an_alarm_lifts_and_its_end_lets_fall_step_by_step(office: Office) -> None:
    one, other = office.risk(), office.risk(hazard_unit="cl2")
    assert (one.static_colour.value, office.turn()) == ("blue", 0)
    office.alarm("a1", tier=1)
    assert (office.turn(MINUTE_MS), office.colour(one), office.colour(other)) == (1, "red", "blue")
    (reason,) = office.risks.get(one.id, ALL).reasons
    assert (reason["kind"], reason["ref"], reason["until_ms"], reason["lift"]) == ("alarm.1", "a1", None, 3)
    office.clear("a1")
    assert [(office.turn(HOUR_MS), office.colour(one)) for _ in range(8)] == [
        (0, "red"), (1, "orange"), (0, "orange"), (1, "yellow"), (0, "yellow"), (1, "blue"), (0, "blue"), (0, "blue"),
    ]  # fmt: skip
    assert office.risks.get(one.id, ALL).reasons == ()
    went = [(change.was.value, change.now.value) for change in office.risks.changes(one.id, ALL)]
    assert went == [("yellow", "blue"), ("orange", "yellow"), ("red", "orange"), ("blue", "red")]
    assert office.risks.get(one.id, ALL).static_colour.value == "blue", "the static grade is a field of its own"


def test_an_alarm_that_was_over_before_the_look_lifts_for_its_while(office: Office) -> None:
    one = office.risk()
    office.alarm("a1", tier=3)
    office.clock.now_ms += 10
    office.clear("a1")
    assert (office.turn(HOUR_MS), office.colour(one)) == (1, "yellow")


def test_what_is_at_a_vessel_lifts_that_vessel_and_the_unit(office: Office) -> None:
    unit, tank = office.risk(), office.risk(vessel="T-1")
    office.alarm("unit", vessel="", tier=3)
    office.turn()
    assert (office.colour(unit), office.colour(tank)) == ("yellow", "yellow")
    office.alarm("other", vessel="T-2", tier=1)
    office.turn()
    assert (office.colour(unit), office.colour(tank)) == ("red", "yellow")
    office.alarm("tank", vessel="T-1", tier=2)
    office.turn()
    assert (office.colour(unit), office.colour(tank)) == ("red", "orange")


@pytest.mark.parametrize(
    ("changes", "colour"),
    [({"inhibited": "shelved"}, "red"), ({"inhibited": "out_of_service"}, "blue"),
     ({"inhibited": "suppressed"}, "blue"), ({"retrospective": True}, "blue"),
     ({"tier": 4}, "blue"), ({"hazard_unit": "", "vessel": ""}, "blue")],
)  # fmt: skip
def test_which_alarms_count(office: Office, changes: dict[str, object], colour: str) -> None:
    one = office.risk()
    office.alarm("a1", **{"tier": 1, **changes})
    office.turn()
    assert office.colour(one) == colour


@ON_BOTH
def test_a_late_check_lifts_until_it_is_done(office: Office) -> None:
    one = office.risk()
    task = office.task(one)
    assert office.turn(DAY_MS - 1) == 0
    assert (office.turn(1), office.colour(one)) == (1, "yellow")
    office.check("k1", task_id=task.id)
    assert (office.turn(), office.colour(one)) == (0, "yellow")
    assert (office.turn(2 * HOUR_MS), office.colour(one)) == (1, "blue")


@ON_BOTH
def test_a_major_danger_lifts(office: Office) -> None:
    one, other = office.risk(), office.risk(hazard_unit="cl2")
    found = Found("阀门渗漏", Source.PATROL, hazard_unit="meoh", risk_id=other.id)
    name = office.dangers.report(found, ALL, LI).id
    assert office.turn() == 0
    office.grade(name, Grade.MAJOR)
    office.turn()
    assert office.colour(one) == "orange"
    assert office.colour(other) == "blue", "a danger of another enterprise lifts no risk by naming it"


def test_to_write_a_risk_anew_forgets_nothing(office: Office) -> None:
    one = office.risk()
    office.alarm("a1", tier=3)
    office.turn()
    draft = RiskDraft("泄漏", Sort.EQUIPMENT, Method.LS, {"likelihood": 3, "severity": 3}, hazard_unit="meoh")
    after = office.risks.change(one.id, draft, 1, ALL, LI)
    assert (after.static_colour.value, after.dynamic_colour.value, len(after.reasons)) == ("yellow", "orange", 1)
    assert office.turn() == 0
    assert [change.now.value for change in office.risks.changes(one.id, ALL)] == ["orange", "yellow"]
    assert [version for version, *_ in office.risks.history(one.id, ALL)] == [1, 2]
    with pytest.raises(ConflictError, match="version 2"):
        office.risks.change(one.id, draft, 1, ALL, LI)


@ON_BOTH
def test_what_is_ended_is_let_alone(office: Office) -> None:
    one = office.risk()
    task = office.task(one)
    office.risks.end(one.id, None, ALL, LI)
    office.alarm("a1", tier=1)
    assert office.turn(2 * DAY_MS) == 0
    assert office.tasks.get(task.id, ALL).ended_ms is not None
    assert office.risks.of_unit("meoh", ALL) == []
    with pytest.raises(ConflictError):
        office.risks.end(one.id, None, ALL, LI)
    assert office.acts() == ["risk.add", "risk.measure", "check.task", "risk.end"]


@ON_BOTH
def test_the_risks_of_a_unit_the_worst_of_the_moment_first(office: Office) -> None:
    low, high = office.risk(name="低", vessel="T-1"), office.risk(name="高", factors=MAJOR)
    office.task(low)
    office.risk(hazard_unit="cl2", name="氯")
    found = office.risks.of_unit("meoh", ACME)
    assert [(one.risk.name, len(one.measures)) for one in found] == [("高", 0), ("低", 1)]
    assert office.risks.of_unit("meoh", BRAVO) == []
    assert [one.risk.id for one in office.risks.of_unit("meoh", ALL, limit=1)] == [high.id]
    with pytest.raises(NotFoundError):
        office.risks.get(high.id, BRAVO)


def test_more_than_fit_in_one_batch(office: Office) -> None:
    many = [office.risk(name=f"风险{number}") for number in range(205)]
    office.alarm("a1", tier=1)
    assert office.turn() == 205
    assert {office.colour(one) for one in (many[0], many[-1])} == {"red"}


def test_a_gap_is_closed_by_one_risk(office: Office) -> None:
    record = office.check("k1", result=Outcome.FINDING, hazard_unit="meoh", text="未辨识的盲板")
    assert record.gap
    made = office.risk(gap=record.id, factors=LOW)
    assert office.checks.get(record.id, ALL).gap_risk_id == made.id
