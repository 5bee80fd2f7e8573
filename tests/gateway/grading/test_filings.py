"""Filings: versions that stay, in force by their day, graded as filed, flagged when the plant outgrows them."""

from __future__ import annotations

import pytest

from config.days import day_of
from gateway.errors import BadRequestError, ConflictError, DeclarationError, NotFoundError
from gateway.grading.filings import Declaration
from gateway.records import audit
from gateway.registry.store import Draft
from tests.gateway.api.world import T0
from tests.gateway.grading.office import ACME, ALL, ANN, BRAVO, CHLORINE, METHANOL, Office, item

both = pytest.mark.parametrize("records_address", ["sqlite", "postgresql"], indirect=True)
"""What goes through the database in its own words is tried on both."""
TODAY = day_of(T0)


@both
def test_a_filing_is_graded_kept_and_audited(office: Office) -> None:
    filed = office.file("cl2", item(CHLORINE, 30), people=60, number="BA鲁-1", note="first")
    assert (filed.version, filed.s, filed.r, filed.alpha, filed.grade) == (1, 6, 36, 1.5, 3)
    assert (filed.filed_on, filed.filed_ms, filed.by, filed.enterprise) == (TODAY, T0, "ann", "bravo")
    assert office.place.filings.get("cl2", 1, ALL) == filed
    assert any("表1第12项" in text.zh for text in filed.why)
    with office.place.filings._reader.begin() as connection:
        (row,) = audit.rows(connection)
    assert (row["act"], row["account"], row["subject"]) == ("grade.file", "ann", "cl2")


def test_a_preview_files_nothing(office: Office) -> None:
    found = office.place.filings.preview("cl2", Declaration((item(CHLORINE, 4),), 60), ALL)
    assert (found.grade, float(found.s)) == (None, 0.8)
    assert office.place.filings.of_unit("cl2", ALL, None, 10) == []


@both
def test_the_filing_in_force_goes_by_its_day(office: Office) -> None:
    for day, tonnes in (("2026-05-01", 10), ("2026-09-01", 20), ("2025-01-01", 5)):
        office.file("cl2", item(CHLORINE, tonnes), filed_on=day)
    current = office.place.filings.current
    days = ("2024-12-31", "2025-01-01", "2026-04-30", "2026-05-01", "2026-08-31", "2026-09-01", TODAY)
    found = [current("cl2", ALL, day) for day in days]
    assert [one and one.s for one in found] == [None, 1, 1, 2, 2, 4, 4]
    assert [one.version for one in office.place.filings.of_unit("cl2", ALL, None, 10)] == [3, 2, 1]
    assert [one.version for one in office.place.filings.of_unit("cl2", ALL, 3, 1)] == [2]


def test_of_two_of_a_day_the_later_counts(office: Office) -> None:
    for tonnes in (10, 20):
        office.file("cl2", item(CHLORINE, tonnes))
    found = office.place.filings.current("cl2", ALL, TODAY)
    assert found is not None
    assert found.version == 2


@pytest.mark.parametrize("day", ["2027-99-01", "2999-01-01", "soon"])
def test_a_day_that_is_none_or_to_come_is_refused(office: Office, day: str) -> None:
    with pytest.raises(BadRequestError, match="filed_on"):
        office.file("cl2", item(CHLORINE, 10), filed_on=day)


@both
def test_who_saw_another_version_files_nothing(office: Office) -> None:
    office.file("cl2", item(CHLORINE, 10))
    declared = Declaration((item(CHLORINE, 20),), 1)
    for expected in (0, 2):
        with pytest.raises(ConflictError, match="the newest filing of cl2 is 1"):
            office.place.filings.file("cl2", declared, ALL, ANN, expected)
    assert office.place.filings.file("cl2", declared, ALL, ANN, 1).version == 2


def test_what_cannot_be_graded_is_not_filed(office: Office) -> None:
    with pytest.raises(DeclarationError, match=r"item 2 \(64-19-7\): neither named"):
        office.file("cl2", item(CHLORINE, 10), item("64-19-7", 10))
    assert office.place.filings.of_unit("cl2", ALL, None, 10) == []


@both
def test_another_enterprise_neither_files_nor_sees(office: Office) -> None:
    office.file("cl2", item(CHLORINE, 10), scope=BRAVO)
    for unit in ("cl2", "none"):
        with pytest.raises(NotFoundError, match=f"there is no hazard unit '{unit}'"):
            office.file(unit, item(CHLORINE, 10), scope=ACME)
    filings = office.place.filings
    assert filings.of_unit("cl2", ACME, None, 10) == []
    assert filings.get("cl2", 1, ACME) is None
    assert filings.current("cl2", ACME, TODAY) is None


def test_vessels_are_those_of_the_unit_and_hidden_ones_are_none(office: Office) -> None:
    said = set()
    for vessel in ("C-1", "nothing"):
        with pytest.raises(DeclarationError) as caught:
            office.file("meoh", item(METHANOL, 10, vessel), scope=ACME)
        said.add(str(caught.value).replace(vessel, "X"))
    assert said == {"item 1 (67-56-1): vessel 'X' is none of unit meoh"}
    assert office.file("meoh", item(METHANOL, 10, "T-1"), scope=ACME).version == 1


def test_what_the_registry_says_of_whose_a_unit_is_holds_over_the_plant_file(office: Office) -> None:
    office.put("hazard-unit", "cl2", enterprise="acme")
    assert office.place.grades.of_unit("cl2", BRAVO) is None
    assert office.file("cl2", item(CHLORINE, 10), scope=ACME).enterprise == "acme"


# --- whether it fits ----------------------------------------------------------------------------------------------


def misfits(office: Office) -> list[str]:
    found = office.place.grades.account("meoh", ALL)
    assert found is not None
    return [text.en for text in found.misfits]


def tank(office: Office, name: str, tonnes: float | None, cas: str = METHANOL, unit: str = "meoh") -> None:
    office.put("vessel", name, enterprise="acme", hazard_unit=unit, shape="sphere", cas=cas, design_max_t=tonnes)


def test_a_filing_that_says_what_the_registry_says_fits(office: Office) -> None:
    office.put("hazard-unit", "meoh", enterprise="acme", exposed_people=40)
    tank(office, "T-1", 79.1)
    tank(office, "T-2", 790.9)
    office.file("meoh", item(METHANOL, 79.1, "T-1"), item(METHANOL, 790.9, "T-2"), people=40)
    assert misfits(office) == []
    office.file("meoh", item(METHANOL, 870), people=40)
    assert misfits(office) == [], "the sum over vessels that were not named, exactly"


def test_what_outgrows_a_filing_is_named(office: Office) -> None:
    tank(office, "T-1", 80)
    tank(office, "T-2", 500)
    office.file("meoh", item(METHANOL, 80, "T-1"), item(METHANOL, 500, "T-2"), people=40)
    tank(office, "T-1", 90)
    tank(office, "T-2", 500, cas=CHLORINE)
    tank(office, "T-3", 60)
    office.put("hazard-unit", "meoh", enterprise="acme", exposed_people=45)
    assert misfits(office) == [
        "exposed people: 40 filed, 45 registered (alpha as before)",
        "vessel T-1: 80 t filed, design maximum 90 t registered",
        "vessel T-2: filed with 67-56-1, registered with 7782-50-5",
        "vessel T-3 (67-56-1): 60 t at most, not filed",
    ]
    office.put("hazard-unit", "meoh", enterprise="acme", exposed_people=50)
    tank(office, "T-1", 80, unit="cl2")
    assert misfits(office)[:2] == [
        "exposed people: 40 filed, 50 registered (alpha 1.2 becomes 1.5)",
        "vessel T-1: filed, and no longer in the unit",
    ]


def test_substances_filed_without_vessels_are_compared_in_sum(office: Office) -> None:
    tank(office, "T-1", 80)
    tank(office, "T-2", 500)
    office.file("meoh", item(METHANOL, 500))
    assert misfits(office) == ["substance 67-56-1: 500 t filed, design maximum 580 t registered"]


def test_a_grade_as_of_a_time_is_compared_with_the_plant_of_that_time(office: Office) -> None:
    tank(office, "T-1", 80)
    office.file("meoh", item(METHANOL, 80, "T-1"))
    before_ms = office.clock.now_ms
    office.clock.now_ms += 60_000
    office.place.registry.write(
        [Draft("vessel", {"id": "T-1", "enterprise": "acme", "hazard_unit": "meoh", "shape": "sphere",
                          "cas": METHANOL, "design_max_t": 90.0})], ANN, "bigger",
    )  # fmt: skip
    then = office.place.grades.account("meoh", ALL, before_ms)
    assert then is not None
    assert [text for text in then.misfits if "T-1" in text.en] == []
    assert any("T-1" in one for one in misfits(office))
