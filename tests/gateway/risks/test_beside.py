"""Permits lift grades while people are at work; a filing re-opens an assessment and is on the map."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, update

from config.days import day_of
from gateway.records.grading_tables import grade_filing
from gateway.records.prevention_tables import work_permit
from gateway.risks.beside import FiledGrades
from tests.gateway.api.world import T0
from tests.gateway.risks.office import ACME, ALL, BRAVO, HOUR_MS, LI, ON_BOTH, Office


def permit(office: Office, kind: str = "hot_work", state: str = "open", **changes: Any) -> None:  # noqa: ANN401
    row = {
        "id": "p1", "enterprise": "acme", "district": "", "hazard_unit": "meoh", "vessel": "", "kind": kind,
        "level": "", "state": state, "version": 1, "begin_ms": T0 - 1, "end_ms": T0 + HOUR_MS,
        "made_ms": T0, "made_by": "ann",
        "approved_by": "li", "opened_ms": T0 - 1, "ended_ms": None, "gas_every_ms": None, "seen_ms": None,
        "missed_ms": None, "body": "{}", **changes,
    }  # fmt: skip
    with office.engine.begin() as connection:
        connection.execute(insert(work_permit), [row])


@ON_BOTH
@pytest.mark.parametrize(
    ("kind", "state", "colour"),
    [("hot_work", "open", "yellow"), ("lifting", "open", "yellow"), ("lifting", "draft", "blue")],
)
def test_work_lifts_while_it_goes_on_and_a_while_after(office: Office, kind: str, state: str, colour: str) -> None:
    one = office.risk()
    permit(office, kind, state, opened_ms=T0 - 1 if state == "open" else None)
    office.turn()
    assert office.colour(one) == colour
    with office.engine.begin() as connection:
        connection.execute(update(work_permit).values(state="closed", ended_ms=T0 + HOUR_MS))
    office.turn(HOUR_MS)
    assert office.colour(one) == colour, "it falls in steps, not at once"
    office.turn(10 * HOUR_MS)
    assert office.colour(one) == "blue"


@ON_BOTH
def test_a_filing_re_opens_what_was_assessed_before(office: Office) -> None:
    unit = {"id": "meoh", "name_zh": "甲醇罐区", "enterprise": "acme"}
    office.register("hazard-unit", **unit)
    office.assessments.sign("meoh", day_of(T0), "报告-1", "", ALL, LI)
    office.clock.now_ms += 1000
    row = {
        "unit": "meoh", "version": 1, "enterprise": "acme", "district": "", "filed_on": day_of(T0),
        "filed_ms": office.clock.now_ms, "number": "备-7", "standard": "GB 18218-2018", "people": 1, "alpha": 1.0,
        "s": 2.0, "r": 20.0, "grade": 3, "body": '{"lines":[],"why":[]}', "by": "ann", "note": "",
    }  # fmt: skip
    with office.engine.begin() as connection:
        connection.execute(insert(grade_filing), [row])
    (standing,) = office.assessments.standings((), ALL, "", 9)
    assert (standing.standing, [(one.kind, one.id) for one in standing.changes]) == ("reopened", [("filing", "备-7")])
    filed = office.assessments._filed
    assert isinstance(filed, FiledGrades)
    grades = [filed.grades(["meoh", "cl2"], scope, office.clock.now_ms) for scope in (ALL, ACME, BRAVO)]
    assert grades == [{"meoh": 3}, {"meoh": 3}, {}]
