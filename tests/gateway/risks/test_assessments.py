"""Assessments: three years, reminded of before, re-opened when a unit changes."""

from __future__ import annotations

import pytest

from config.days import day_of
from gateway.errors import BadRequestError
from gateway.registry.store import Draft
from gateway.risks.assessments import Standing
from tests.gateway.api.world import T0
from tests.gateway.risks.office import ACME, ALL, BRAVO, DAY_MS, LI, ON_BOTH, Office

TODAY = day_of(T0)
UNIT = {"enterprise": "acme", "district": "370304", "name_zh": "甲醇罐区", "use": "storage"}
TANK = {"enterprise": "acme", "name_zh": "1号罐", "shape": "vertical_tank"}


@pytest.fixture
def units(office: Office) -> Office:
    office.register("hazard-unit", id="meoh", **UNIT)
    office.register("vessel", id="T-1", hazard_unit="meoh", **TANK)
    office.register("hazard-unit", id="cl2", **{**UNIT, "enterprise": "bravo"})
    office.clock.now_ms += 1
    return office


def standing(office: Office, unit: str = "meoh") -> tuple[str, list[tuple[str, str]]]:
    (one,) = (one for one in office.assessments.standings((), ALL, "", 9) if one.hazard_unit == unit)
    return one.standing.value, [(change.kind, change.id) for change in one.changes]


@ON_BOTH
def test_three_years_by_the_calendar(units: Office) -> None:
    assert standing(units) == ("never", [])
    made = units.assessments.sign("meoh", TODAY, "报告-1", "", ALL, LI)
    assert (made.assessed_on, made.due_on, made.signed_by) == ("2027-01-15", "2030-01-15", "li")
    assert standing(units) == ("current", [])
    for day, expected in (
        ("2029-10-16", "current"),
        ("2029-10-17", "due"),
        ("2030-01-15", "due"),
        ("2030-01-16", "overdue"),
    ):
        units.clock.now_ms = T0
        while day_of(units.clock.now_ms) < day:
            units.clock.now_ms += DAY_MS
        assert (day, standing(units)[0]) == (day, expected)
    units.assessments.sign("meoh", "2028-02-29", "报告-2", "", ALL, LI)
    assert [one.due_on for one in units.assessments.of_unit("meoh", ALL)] == ["2031-02-28", "2030-01-15"]
    assert units.acts().count("risk.assess") == 2


@ON_BOTH
@pytest.mark.parametrize(
    ("draft", "changes"),
    [
        (Draft("hazard-unit", {"id": "meoh", **UNIT, "exposed_people": 40}), [("hazard-unit", "meoh")]),
        (Draft("vessel", {"id": "T-1", "hazard_unit": "meoh", **TANK, "design_max_t": 90.0}), [("vessel", "T-1")]),
        (Draft("vessel", {"id": "T-2", "hazard_unit": "meoh", **TANK}), [("vessel", "T-2")]),
        (Draft("vessel", {"id": "T-1", "hazard_unit": "cl2", **TANK}), [("vessel", "T-1")]),
        (Draft("vessel", {"id": "T-1"}, gone=True), [("vessel", "T-1")]),
        (Draft("vessel", {"id": "T-9", "hazard_unit": "cl2", **TANK}), []),
    ],
)
def test_a_change_re_opens_early(units: Office, draft: Draft, changes: list[tuple[str, str]]) -> None:
    units.assessments.sign("meoh", TODAY, "报告-1", "", ALL, LI)
    units.clock.now_ms += 1
    units.registry.write([draft], LI, "改造")
    assert standing(units) == ("reopened" if changes else "current", changes)
    units.clock.now_ms += 1
    units.assessments.sign("meoh", TODAY, "报告-2", "", ALL, LI)
    assert standing(units) == ("current", [])


def test_lists_are_in_scope_and_page_by_page(units: Office) -> None:
    every = units.assessments.standings((), ALL, "", 9)
    assert [one.hazard_unit for one in every] == ["cl2", "meoh"]
    assert [one.hazard_unit for one in units.assessments.standings((), ACME, "", 9)] == ["meoh"]
    assert [one.hazard_unit for one in units.assessments.standings((), ALL, "cl2", 9)] == ["meoh"]
    units.assessments.sign("meoh", TODAY, "报告-1", "", ALL, LI)
    assert [one.hazard_unit for one in units.assessments.standings([Standing.NEVER], ALL, "", 9)] == ["cl2"]
    assert units.assessments.of_unit("meoh", BRAVO) == []
    said = []
    for name in ("meoh", "absent"):
        with pytest.raises(BadRequestError) as caught:
            units.assessments.sign(name, TODAY, "x", "", BRAVO, LI)
        said.append(str(caught.value).replace(name, "…"))
    assert said[0] == said[1]


@pytest.mark.parametrize("day", ["2027-02-30", "2027-01-16", "0000-01-01"])
def test_a_day_that_is_none_or_not_yet(units: Office, day: str) -> None:
    with pytest.raises(BadRequestError, match="assessed_on"):
        units.assessments.sign("meoh", day, "x", "", ALL, LI)
