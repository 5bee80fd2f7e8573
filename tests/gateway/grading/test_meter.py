"""Live grades: kept when they change, crossings told once, gauges that fail named, and what it was at a past time."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from sqlalchemy import func, select

from config.contract.quality import Quality, Reason, pack
from gateway.errors import HistoryError
from gateway.grading import ground
from gateway.grading.factors import Item
from gateway.grading.filings import Declaration
from gateway.grading.state import Crossing, UnitNow
from gateway.records.grading_tables import grade_now
from gateway.registry.store import Draft
from tests.gateway.api.world import T0
from tests.gateway.grading.office import ACME, ALL, ANN, BRAVO, CHLORINE, METHANOL, Office, item

both = pytest.mark.parametrize("records_address", ["sqlite", "postgresql"], indirect=True)
"""What goes through the database in its own words is tried on both."""
BAD = pack(Quality.BAD, Reason.DEVICE)
FULL_CHLORINE_T = 30 * 1408.2 / 1000
"""30 m3 at 20 degC: S = 8.45, beta-weighted 33.8."""


def now(office: Office, unit: str = "cl2") -> UnitNow:
    found = office.place.standings.of_unit(unit, ALL)
    assert found is not None
    return found


def crossings(office: Office) -> list[Crossing]:
    return office.place.standings.crossings(ALL)


def said(office: Office, unit: str = "cl2") -> list[str]:
    return [text.en for text in now(office, unit).standing.reasons]


@both
def test_a_level_becomes_a_grade(office: Office) -> None:
    office.file("cl2", item(CHLORINE, 40), people=1)
    office.show("C-1.LEVEL", 50.0)
    office.turn()
    found = now(office)
    assert (found.s, found.r) == pytest.approx((FULL_CHLORINE_T / 10, FULL_CHLORINE_T / 10 * 4))
    assert (found.grade, found.complete, found.enterprise, found.at_ms) == (3, True, "bravo", T0 + 1000)
    (inside,) = found.standing.contents
    assert (inside.vessel, inside.basis, inside.level_fraction, inside.at_ms) == ("C-1", "level", 0.5, T0)
    assert inside.mass_t == pytest.approx(FULL_CHLORINE_T / 2)
    assert "alpha = 1 (filing 1, 1 people)" in [text.en for text in found.standing.why]


@both
def test_crossing_a_band_is_told_once_each_way(office: Office) -> None:
    office.file("cl2", item(CHLORINE, 40), people=1)
    # R = 10 at S = 2.5, that is 12.5 t: 8.877 m3 of 30
    office.show("C-1.LEVEL", 20.0)
    office.turn()
    for level in (33.5, 34.0, 33.5, 34.0, 33.5, 20.0):
        office.show("C-1.LEVEL", level)
        office.turn()
    found = [(one.before, one.after, one.at_ms - T0) for one in reversed(crossings(office))]
    assert found == [(4, 3, 3000), (3, 4, 7000)], "34 % is in grade 3, 33.5 % within its deadband, 20 % out of it"
    assert crossings(office)[0].standing.contents[0].level_fraction == 0.2


def test_below_one_is_a_crossing_too(office: Office) -> None:
    office.file("cl2", item(CHLORINE, 40), people=1)
    for level in (20.0, 2.0):
        office.show("C-1.LEVEL", level)
        office.turn()
    (one,) = crossings(office)
    assert (one.before, one.after) == (4, None)


def test_a_gauge_that_fails_keeps_the_mass_and_is_named(office: Office) -> None:
    office.file("cl2", item(CHLORINE, 40), people=1)
    office.show("C-1.LEVEL", 50.0)
    office.turn()
    before = now(office)
    for value, quality, stale in ((0.0, BAD, False), (0.0, 0, True), (math.nan, BAD, True), (-50.0, 0, False)):
        office.show("C-1.LEVEL", value, quality, stale=stale)
        office.turn(20_000)
        assert (now(office).s, now(office).grade, now(office).complete) == (before.s, 3, False)
        assert said(office) == ["vessel C-1: no usable level now, that of 01-15 16:00:00 stands for it"]
    assert crossings(office) == []
    office.show("C-1.LEVEL", 51.0)
    office.turn(20_000)
    assert (now(office).complete, said(office)) == (True, [])


@both
def test_what_was_known_outlives_the_process(office: Office) -> None:
    office.file("cl2", item(CHLORINE, 40), people=1)
    office.show("C-1.LEVEL", 50.0)
    office.turn()
    office.show("C-1.LEVEL", math.nan, BAD, stale=True)
    meter = office.place.meter
    fresh = type(meter)(meter._grounds, meter._filings, meter._standings, office.plant, office.board, office.clock)
    fresh.turn(office.clock.now_ms + 20_000)
    (inside,) = now(office).standing.contents
    assert (inside.basis, inside.level_fraction, now(office).grade) == ("last_known", 0.5, 3)
    assert crossings(office) == []


def test_before_a_gauge_ever_spoke_the_design_maximum_stands(office: Office) -> None:
    office.put("vessel", "C-1", enterprise="bravo", hazard_unit="cl2", shape="horizontal_tank", cas=CHLORINE,
               capacity_m3=30.0, height_m=2.0, design_max_t=37.0)  # fmt: skip
    office.file("cl2", item(CHLORINE, 37, "C-1"), people=0)
    office.show("T-2.LEVEL", 1.0)
    office.turn()
    assert now(office).s == pytest.approx(37 / 5)
    assert not now(office).complete
    assert said(office) == ["vessel C-1: counted at its design maximum"]


def test_what_can_never_be_weighed_says_why(office: Office) -> None:
    office.put("vessel", "X-1", enterprise="bravo", hazard_unit="cl2", shape="reactor", cas="64-19-7")
    office.show("C-1.LEVEL", 50.0)
    office.turn()
    told = said(office)
    assert told[:4] == [
        "vessel X-1: has no level tag",
        "vessel X-1: its capacity is not registered",
        "vessel X-1: the density of what it holds is not known",
        "vessel X-1: its contents are not known and not counted",
    ]
    assert "vessel X-1 (64-19-7): not counted, neither named in table 1" in told[4]
    assert told[5] == "not filed, exposed people not registered: alpha not known"
    assert (now(office).grade, now(office).r, now(office).complete) == (None, None, False)


def test_without_a_filing_alpha_goes_by_the_registry(office: Office) -> None:
    office.put("hazard-unit", "cl2", enterprise="bravo", exposed_people=120)
    office.show("C-1.LEVEL", 50.0)
    office.turn()
    assert now(office).r == pytest.approx(now(office).s * 4 * 2)
    assert "alpha = 2 (not filed; by 120 people registered)" in [text.en for text in now(office).standing.why]


def test_what_was_filed_decides_over_the_catalogue(office: Office) -> None:
    office.put("vessel", "C-1", enterprise="bravo", hazard_unit="cl2", shape="horizontal_tank", cas="64-19-7",
               capacity_m3=30.0, height_m=2.0, density_kg_m3=1000.0)  # fmt: skip
    acid = item("64-19-7", 30, "C-1")
    office.file("cl2", type(acid)(acid.name, acid.cas, acid.quantity_t, categories=("W5.4",), vessel="C-1"), people=1)
    office.show("C-1.LEVEL", 50.0)
    office.turn()
    assert now(office).s == pytest.approx(15 / 5000)
    assert now(office).complete


def test_the_registry_and_filings_are_read_anew(office: Office) -> None:
    office.show("C-1.LEVEL", 50.0)
    office.turn()
    assert now(office).r is None
    office.place.filings.file("cl2", Declaration((item(CHLORINE, 40),), 1), ALL, ANN)
    office.turn()
    assert now(office).r is None, "not yet: what it says is taken to hold for half a minute"
    office.turn(30_000)
    assert now(office).grade == 3
    assert crossings(office) == [], "nothing was known before"


def test_it_is_written_on_change_and_not_too_often(office: Office) -> None:
    office.file("cl2", item(CHLORINE, 40), people=1)
    office.show("C-1.LEVEL", 50.0)
    office.turn()
    first = now(office).at_ms
    for _ in range(30):
        office.turn(5_000)
    assert now(office).at_ms == first, "nothing changed"
    office.show("C-1.LEVEL", 51.0)
    office.turn()
    written = now(office).at_ms
    for level in (52.0, 53.0, 54.0, 55.0):
        office.show("C-1.LEVEL", level)
        office.turn(2_000)
    assert now(office).at_ms == written, "within ten seconds"
    office.turn(2_000)
    assert now(office).at_ms == written + 10_000
    assert now(office).standing.contents[0].level_fraction == 0.55


@both
def test_units_are_told_apart(office: Office) -> None:
    office.file("meoh", item(METHANOL, 900), people=1)
    for tag, value in (("T-1.LEVEL", 5.0), ("T-1.TEMP", 20.0), ("T-2.LEVEL", 50.0), ("C-1.LEVEL", 10.0)):
        office.show(tag, value)
    office.turn()
    assert now(office, "meoh").s == pytest.approx((50 + 500) * 0.7909 / 500)
    with office.place.standings._reader.begin() as connection:
        assert connection.scalar(select(func.count()).select_from(grade_now)) == 2
    assert list(office.place.standings.many(["cl2", "meoh"], ACME)) == ["meoh"]
    assert list(office.place.standings.many(["cl2", "meoh"], BRAVO)) == ["cl2"]


def test_a_vessel_that_moved_counts_where_it_is(office: Office) -> None:
    office.show("C-1.LEVEL", 50.0)
    office.turn()
    office.put("vessel", "C-1", enterprise="acme", hazard_unit="meoh", shape="horizontal_tank", cas=CHLORINE,
               capacity_m3=30.0, height_m=2.0)  # fmt: skip
    office.turn(20_000)
    assert [one.vessel for one in now(office, "meoh").standing.contents] == ["C-1", "T-1", "T-2"]
    assert now(office).standing.contents == ()
    assert said(office)[0] == "no vessel of this unit is registered"


# --- the grade book -----------------------------------------------------------------------------------------------


def test_both_grades_side_by_side(office: Office) -> None:
    filed = office.file("cl2", item(CHLORINE, 200), people=100)
    office.show("C-1.LEVEL", 50.0)
    office.turn()
    found = office.place.grades.of_unit("cl2", BRAVO)
    assert found is not None
    assert (found.legal_grade, found.legal_s, found.legal_r, found.filed_ms) == (1, 40, 320, filed.filed_ms)
    assert found.operational_grade == 3
    assert found.operational_s == pytest.approx(FULL_CHLORINE_T / 10)
    assert (found.as_of_ms, found.complete, found.reasons) == (T0 + 1000, True, ())


@both
def test_what_is_not_there_or_not_ours_is_none(office: Office) -> None:
    office.show("C-1.LEVEL", 50.0)
    office.turn()
    book = office.place.grades
    for at_ms in (None, T0):
        assert [book.of_unit(name, ACME, at_ms) for name in ("cl2", "none")] == [None, None]
        assert [book.contents(name, ACME, at_ms) for name in ("C-1", "none")] == [None, None]
        assert book.of_unit("cl2", BRAVO, at_ms) is not None
        assert book.contents("C-1", BRAVO, at_ms) is not None


def test_contents_are_of_this_moment(office: Office) -> None:
    office.show("C-1.LEVEL", 50.0)
    office.turn()
    office.show("C-1.LEVEL", 75.0)
    found = office.place.grades.contents("C-1", ALL)
    assert found is not None
    assert (found.level_fraction, found.basis, found.temperature_c) == (0.75, "level", None)
    office.show("C-1.LEVEL", 0.0, stale=True)
    later = office.place.grades.contents("C-1", ALL)
    assert later is not None
    assert (later.level_fraction, later.basis) == (0.5, "last_known"), "what the worker last kept"
    office.board.values = None
    without = office.place.grades.contents("C-1", ALL)
    assert without is not None
    assert without.level_fraction == 0.5


def number(office: Office, tag: str) -> int:
    return list(office.plant.tags).index(tag)


def test_the_past_is_as_the_gauges_said_then(office: Office) -> None:
    office.clock.now_ms += 7_200_000
    office.file("cl2", item(CHLORINE, 40), people=1, filed_on="2026-01-01")
    rows = [(T0 + 1000 * second, 20.0 + second, 0) for second in range(100)]
    rows += [(T0 + 100_000, 0.0, BAD)]
    office.history.rows[number(office, "C-1.LEVEL")] = rows
    book = office.place.grades

    def then(second: int) -> tuple[float | None, str]:
        found = book.contents("C-1", ALL, T0 + 1000 * second)
        assert found is not None
        return found.level_fraction, found.basis

    assert [then(second) for second in (0, 30, 99)] == [(0.2, "level"), (0.5, "level"), (1.0, "level")]
    assert then(100) == (1, "last_known"), "the gauge failed: what it said before"
    assert then(1500) == (1, "last_known"), "silence"
    assert then(5000) == (None, "unknown"), "longer ago than is looked back"
    grades = book.of_unit("cl2", ALL, T0 + 30_000)
    assert grades is not None
    assert (grades.operational_grade, grades.as_of_ms, grades.complete) == (3, T0 + 30_000, True)
    assert grades.operational_s == pytest.approx(FULL_CHLORINE_T / 10)


def test_the_past_of_a_vessel_is_weighed_as_it_was_then(office: Office) -> None:
    office.history.rows[number(office, "C-1.LEVEL")] = [(T0 + second * 1000, 50.0, 0) for second in range(300)]
    office.clock.now_ms = T0 + 100_000
    for at_s, capacity in ((100, 30.0), (200, 60.0)):
        office.clock.now_ms = T0 + at_s * 1000
        body = {"id": "C-1", "enterprise": "bravo", "hazard_unit": "cl2", "shape": "horizontal_tank", "cas": CHLORINE,
                "capacity_m3": capacity, "height_m": 2.0}  # fmt: skip
        office.place.registry.write([Draft("vessel", body)], ANN, "test")
    volumes = [office.place.grades.contents("C-1", ALL, T0 + at) for at in (150_000, 250_000)]
    assert [one and one.volume_m3 for one in volumes] == pytest.approx([15, 30])


def test_a_history_that_fails_is_an_error_of_the_past_only(office: Office) -> None:
    office.show("C-1.LEVEL", 50.0)
    office.history.error = HistoryError("away")
    assert office.place.grades.contents("C-1", ALL) is not None
    with pytest.raises(HistoryError):
        office.place.grades.contents("C-1", ALL, T0)


def test_many_units_are_put_together_as_few_are(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.put("vessel", "C-2", enterprise="bravo", hazard_unit="cl2", shape="sphere", cas=CHLORINE, capacity_m3=1.0)
    office.put("vessel", "T-2", enterprise="acme", hazard_unit="elsewhere", shape="sphere")
    grounds = office.place.filings.grounds
    few = grounds.tanks_of(["cl2", "meoh"])
    assert {unit: [tank.id for tank in held] for unit, held in few.items()} == {"cl2": ["C-1", "C-2"], "meoh": ["T-1"]}
    monkeypatch.setattr(ground, "_ONE_BY_ONE", 1)
    monkeypatch.setattr(ground, "_PAGE", 1)
    assert grounds.tanks_of(["cl2", "meoh"]) == few


def test_what_was_filed_and_is_in_no_vessel_counts_as_filed(office: Office) -> None:
    drums = Item("氯（钢瓶）", CHLORINE, Fraction(3))
    office.file("meoh", item(METHANOL, 900), drums, people=1)
    for tag, value in (("T-1.LEVEL", 0.0), ("T-1.TEMP", 20.0), ("T-2.LEVEL", 0.0)):
        office.show(tag, value)
    office.turn()
    assert now(office, "meoh").s == pytest.approx(3 / 5)
    assert said(office, "meoh") == [
        "#2 氯（钢瓶）: filed, and in no vessel that is registered",
        "#2 氯（钢瓶）: counted at its design maximum",
    ]
    office.file("cl2", item(CHLORINE, 3, "C-1"), drums, people=1)
    office.show("C-1.LEVEL", 0.0)
    office.turn(40_000)
    assert (now(office).s, now(office).complete) == (0, True), "it is in C-1, whose level is known"


def test_nothing_is_said_of_a_unit_before_anything_was_measured(office: Office) -> None:
    office.file("cl2", item(CHLORINE, 40), people=1)
    office.show("T-2.LEVEL", 1.0)
    office.turn()
    assert (now(office).grade, now(office).rank, now(office).standing.name.en) == (None, -1, "grade not known")
    office.show("C-1.LEVEL", 50.0)
    office.turn()
    assert (now(office).grade, crossings(office)) == (3, []), "the first reading crosses nothing"


def test_a_small_unit_of_which_a_part_is_not_known_is_not_called_harmless(office: Office) -> None:
    office.put("vessel", "C-2", enterprise="bravo", hazard_unit="cl2", shape="sphere", cas=CHLORINE)
    office.file("cl2", item(CHLORINE, 40), people=1)
    office.show("C-1.LEVEL", 1.0)
    office.turn()
    assert (now(office).rank, now(office).standing.name.en) == (0, "cannot be told: some contents are not known")
    assert now(office).standing.why[-1].en.startswith("operational S ≥ ")
    office.show("C-1.LEVEL", 50.0)
    office.turn()
    assert [(one.before, one.after) for one in crossings(office)] == [(None, 3)], "what grows is told all the same"


def test_a_unit_that_is_weighed_no_more_has_no_figures(office: Office) -> None:
    office.put("hazard-unit", "spare", enterprise="acme", exposed_people=1)
    office.put("vessel", "T-2", enterprise="acme", hazard_unit="spare", shape="sphere", cas=METHANOL,
               capacity_m3=1000.0, height_m=12.0)  # fmt: skip
    office.show("T-2.LEVEL", 50.0)
    office.turn()
    assert now(office, "spare").s == pytest.approx(500 * 0.7909 / 500)
    office.put("vessel", "T-2", enterprise="acme", hazard_unit="meoh", shape="sphere")
    office.turn()
    assert office.place.standings.of_unit("spare", ALL) is None
    found = office.place.grades.of_unit("spare", ALL)
    assert found is not None
    assert (found.operational_s, found.complete) == (None, False)


def test_a_record_that_is_none_of_ours_ends_nothing(office: Office) -> None:
    office.put("vessel", "C-1", enterprise="bravo", hazard_unit="cl2", shape="barrel", cas=CHLORINE,
               capacity_m3="much", height_m=True, design_max_t=7)  # fmt: skip
    office.show("C-1.LEVEL", 50.0)
    office.turn()
    (inside,) = now(office).standing.contents
    assert (inside.mass_t, inside.basis) == (7, "design_max")


def test_what_the_registry_says_is_gone_is_gone_and_was_there(office: Office) -> None:
    office.put("vessel", "C-1", enterprise="bravo", hazard_unit="cl2", shape="horizontal_tank", cas=CHLORINE)
    office.put("hazard-unit", "meoh", enterprise="acme")
    there_ms = office.clock.now_ms
    office.clock.now_ms += 1000
    for kind, name in (("vessel", "C-1"), ("hazard-unit", "meoh")):
        office.place.registry.write([Draft(kind, {"id": name}, gone=True)], ANN, "torn down")
    office.clock.now_ms += 1000
    book = office.place.grades
    for at_ms, there in ((None, False), (there_ms, True), (T0 - 1000, False), (office.clock.now_ms, False)):
        assert (book.contents("C-1", ALL, at_ms) is not None) == there
        assert (book.of_unit("meoh", ALL, at_ms) is not None) == there
        assert book.account("cl2", ALL, at_ms) is not None, "the unit is still there"
    tanks = office.place.filings.grounds.tanks
    assert [[tank.id for tank in tanks("cl2", at_ms)] for at_ms in (None, there_ms)] == [[], ["C-1"]]
    office.show("C-1.LEVEL", 50.0)
    office.turn()
    assert office.place.standings.of_unit("meoh", ALL) is None
    assert now(office).standing.contents == ()
    assert book.of_unit("meoh", BRAVO, there_ms) is None
