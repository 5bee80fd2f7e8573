"""Checks: clocks, records that come late and twice, findings that become hidden dangers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.days import CHINA
from gateway.commands import By
from gateway.dangers.states import Source
from gateway.errors import BadRequestError, ConflictError, NotFoundError
from gateway.risks.checks import CheckFilter
from gateway.risks.model import Outcome, Unit, next_due_ms
from gateway.risks.tasks import TaskFilter
from tests.gateway.api.world import T0
from tests.gateway.risks.office import ACME, ALL, BRAVO, DAY_MS, HOUR_MS, MINUTE_MS, ON_BOTH, Office

FINDING: dict[str, Any] = {"result": Outcome.FINDING, "text": "法兰渗漏\n第二行"}


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp() * 1000)


@pytest.mark.parametrize(
    ("done", "every", "unit", "due"),
    [("2027-01-31T08:00", 1, Unit.MONTH, "2027-02-28T08:00"), ("2028-01-31T08:00", 1, Unit.MONTH, "2028-02-29T08:00"),
     ("2028-02-29T23:59", 1, Unit.YEAR, "2029-02-28T23:59"), ("2027-12-15T00:00", 1, Unit.MONTH, "2028-01-15T00:00"),
     ("2027-01-15T10:00", 8, Unit.HOUR, "2027-01-15T18:00"), ("2027-01-15T10:00", 7, Unit.DAY, "2027-01-22T10:00"),
     ("2027-10-31T10:00", 3, Unit.MONTH, "2028-01-31T10:00")],
)  # fmt: skip
def test_the_calendar_of_checks(done: str, every: int, unit: Unit, due: str) -> None:
    assert next_due_ms(at(done), every, unit) == at(due)


@given(st.integers(0, 4_000_000_000_000), st.integers(1, 1000), st.sampled_from(Unit))
def test_a_check_is_due_later_than_it_was_done(done_ms: int, every: int, unit: Unit) -> None:
    due_ms = next_due_ms(done_ms, every, unit)
    assert due_ms > done_ms
    assert next_due_ms(done_ms, every + 1, unit) > due_ms


@ON_BOTH
def test_the_same_told_again_is_one_record_and_one_danger(office: Office) -> None:
    task = office.task(office.risk())
    first = office.check("k1", task_id=task.id, latitude_deg=36.8, longitude_deg=118.0, **FINDING)
    office.clock.now_ms += HOUR_MS
    again = office.check(
        "k1", task_id=task.id, latitude_deg=36.8, longitude_deg=118.0, done_ms=first.done_ms, **FINDING
    )
    assert again == first
    danger = office.dangers.get(first.danger_id, ALL)
    assert (danger.risk_id, danger.finding, danger.source) == (task.risk_id, first.id, Source.SELF_CHECK)
    assert (danger.title, danger.hazard_unit, danger.seen_ms) == ("法兰渗漏", "meoh", first.done_ms)
    assert len(office.dangers.open_at(ALL, hazard_unit="meoh")) == 1
    assert not first.gap
    with pytest.raises(ConflictError, match="key"):
        office.check("k1", task_id=task.id, text="anders")
    assert office.check("k1", by=By("wang"), task_id=task.id).id != first.id, "keys are each account's own"
    assert office.acts().count("check.do") == 2


@ON_BOTH
def test_told_again_after_a_crash_in_between(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    class Crash(Exception):  # noqa: N818 - stands for a power cut
        pass

    def crash(*_: object) -> None:
        raise Crash

    task = office.task(office.risk())
    with monkeypatch.context() as patched:
        patched.setattr("gateway.risks.checks.done", crash)
        with pytest.raises(Crash):
            office.check("k1", task_id=task.id, **FINDING)
    assert office.checks.page(CheckFilter(), ALL, None, 9) == [], "the record was not kept, the danger was"
    kept = office.check("k1", task_id=task.id, **FINDING)
    assert [one.id for one in office.dangers.open_at(ALL, hazard_unit="meoh")] == [kept.danger_id]


@ON_BOTH
def test_what_was_done_offline_winds_the_clock_from_when_it_was_done(office: Office) -> None:
    task = office.task(office.risk())
    office.clock.now_ms += 3 * DAY_MS
    office.check("late", task_id=task.id, done_ms=T0 + 2 * DAY_MS)
    assert office.tasks.get(task.id, ALL).due_ms == T0 + 3 * DAY_MS
    office.check("later still, done before", task_id=task.id, done_ms=T0 + DAY_MS)
    now = office.tasks.get(task.id, ALL)
    assert (now.done_ms, now.due_ms) == (T0 + 2 * DAY_MS, T0 + 3 * DAY_MS)
    with pytest.raises(BadRequestError, match="future"):
        office.check("ahead", task_id=task.id, done_ms=office.clock.now_ms + 10 * MINUTE_MS + 1)
    assert office.check("just", task_id=task.id, done_ms=office.clock.now_ms + 10 * MINUTE_MS).task_id == task.id


@ON_BOTH
def test_late_checks_are_listed_and_counted(office: Office) -> None:
    soon, later = office.task(office.risk()), office.task(office.risk(), 2)
    far = office.task(office.risk(hazard_unit="cl2"))
    office.clock.now_ms += DAY_MS
    late = TaskFilter(due_before_ms=office.clock.now_ms + 1)
    assert {one.id for one in office.tasks.page(late, ALL, None, 9)} == {soon.id, far.id}
    assert [one.id for one in office.tasks.page(late, ACME, None, 9)] == [soon.id]
    assert office.tasks.overdue(ALL, office.clock.now_ms) == {"meoh": 1, "cl2": 1}
    assert office.tasks.overdue(BRAVO, office.clock.now_ms) == {"cl2": 1}
    first = office.tasks.page(TaskFilter(), ACME, None, 1)
    second = office.tasks.page(TaskFilter(), ACME, (first[0].due_ms, first[0].id), 9)
    assert [one.id for one in (*first, *second)] == [soon.id, later.id]
    office.tasks.end(soon.id, ACME, By("li"))
    office.tasks.end(soon.id, ACME, By("li"))
    assert office.tasks.page(late, ACME, None, 9) == []
    assert office.acts().count("check.end") == 1


@ON_BOTH
def test_a_finding_with_no_risk_behind_it_is_a_gap(office: Office) -> None:
    gap = office.check("k1", vessel="T-1", **FINDING)
    office.check("k2", risk_id=office.risk().id, **FINDING)
    office.check("k3", hazard_unit="meoh")
    assert [one.id for one in office.checks.page(CheckFilter(gap=True), ALL, None, 9)] == [gap.id]
    assert (gap.hazard_unit, gap.vessel, gap.enterprise) == ("meoh", "T-1", "acme")
    assert office.checks.page(CheckFilter(gap=True), BRAVO, None, 9) == []
    with pytest.raises(BadRequestError, match="gap"):
        office.risk(BRAVO, hazard_unit="cl2", gap=gap.id)
    office.risk(gap=gap.id)
    assert office.checks.page(CheckFilter(gap=True), ALL, None, 9) == []
    with pytest.raises(BadRequestError, match="no open gap"):
        office.risk(gap=gap.id)


@pytest.mark.parametrize("field", ["task_id", "risk_id", "hazard_unit", "vessel"])
def test_what_is_hidden_is_as_what_does_not_exist(office: Office, field: str) -> None:
    risk = office.risk(vessel="T-1")
    hidden: str = {"task_id": office.task(risk).id, "risk_id": risk.id, "hazard_unit": "meoh", "vessel": "T-1"}[field]
    said = []
    for name in (hidden, "absent"):
        place: dict[str, Any] = {field: name}
        with pytest.raises(BadRequestError) as caught:
            office.check("k", BRAVO, **place)
        said.append(str(caught.value).replace(name, "…"))
    assert said[0] == said[1]


def test_a_check_says_where(office: Office) -> None:
    with pytest.raises(BadRequestError, match="hazard_unit"):
        office.check("k1")
    task, other = office.task(office.risk()), office.risk()
    with pytest.raises(BadRequestError, match="risk_id"):
        office.check("k1", task_id=task.id, risk_id=other.id)
    with pytest.raises(BadRequestError, match="not there"):
        office.check("k1", risk_id=other.id, hazard_unit="cl2")
    with pytest.raises(NotFoundError):
        office.tasks.get(task.id, BRAVO)
