"""Neighbours by distance and wind; one notice each, with its receipt; who gets it learns what it says and no more."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.plant.model import Text
from gateway.access.roles import Scope
from gateway.errors import ConflictError, NotFoundError
from gateway.prevention.bearings import bearing_deg, distance_m, downwind
from gateway.prevention.joint import Notice, Wind
from gateway.prevention.machine import No
from gateway.prevention.notice_states import NOTICES, NoticeEffect, NoticeEvent, NoticeState
from tests.gateway.api.world import T0
from tests.support.naive_bearings import naive_bearing_deg, naive_distance_m, naive_downwind
from tests.support.prevention import ACME, ALL, ANN, BOB, BRAVO, MINUTE_MS, TOWN, Office

E, S = NoticeEvent, NoticeState
WORDS = Text("氯气高报", "chlorine high")
places = st.tuples(st.floats(-85, 85), st.floats(-180, 180))
DUE_MS = T0 + 10 * MINUTE_MS


@given(place=places, others=st.lists(places, min_size=1, max_size=5))
@example(place=(36.8, 180.0), others=[(36.8, -180.0)])
def test_distances_and_bearings_are_those_of_the_twin(
    place: tuple[float, float], others: list[tuple[float, float]]
) -> None:
    at = np.array(others, np.float64)
    far, turned = (one(*place, at[:, 0], at[:, 1]) for one in (distance_m, bearing_deg))
    for other, metres, degrees in zip(others, far, turned, strict=True):
        expected = naive_distance_m(place, other)
        assert math.isclose(metres, expected, rel_tol=1e-6, abs_tol=0.05)
        assert 0 <= degrees < 360
        if 1 < expected < 1.9e7:
            off = abs(degrees - naive_bearing_deg(place, other))
            assert min(off, 360 - off) < 1e-3


@given(
    turned=st.floats(0, 360, exclude_max=True), wind=st.floats(0, 360), half=st.sampled_from([1.0, 45.0, 90.0, 180.0])
)
@example(turned=45.0, wind=180.0, half=45.0)
@example(turned=315.0, wind=180.0, half=45.0)
def test_the_sector_is_that_of_the_twin(turned: float, wind: float, half: float) -> None:
    off = abs(abs((turned - wind - 180) % 360 - 180) - 180)
    if abs(off - half) > 1e-6 or turned in (45.0, 315.0):
        assert bool(downwind(np.array([turned]), wind, half)[0]) == naive_downwind(turned, wind, half)


def test_a_degree_of_latitude_and_the_four_winds() -> None:
    assert distance_m(36.0, 118.0, np.array([37.0]), np.array([118.0]))[0] == pytest.approx(111_195, abs=1)
    around = np.array([(37, 118), (36, 119), (35, 118), (36, 117)], np.float64)
    turned = bearing_deg(36.0, 118.0, around[:, 0], around[:, 1])
    assert turned == pytest.approx([0, 90, 180, 270], abs=0.5)
    assert downwind(turned, 270.0, 45.0).tolist() == [False, True, False, False], "a west wind blows east"


def with_neighbours(office: Office) -> Office:
    """Acme has a school 2 km north, a farm 2 km south, a shop 300 m south; bravo is 1.1 km north."""
    for name, at, more in (
        ("school", 36.8 + 2 / 111.195, {"sort": "school", "people": 300}),
        ("farm", 36.8 - 2 / 111.195, {"sort": "residential"}),
        ("shop", 36.8 - 0.3 / 111.195, {"sort": "public"}),
        ("works", 36.81, {"sort": "enterprise", "is_enterprise": "bravo"}),
    ):
        office.put("neighbour", name, **{"enterprise": "acme", "latitude_deg": at, "longitude_deg": 118.0, **more})
    office.alarm("leak", tag="g-a", tier=1)
    return office


@pytest.fixture
def near(office: Office) -> Office:
    return with_neighbours(office)


def names(office: Office, scope: Scope = ALL, wind: float | None = None, m_s: float | None = None) -> list[str]:
    found = office.prevention.joint.downwind(scope, 36.8, 118.0, wind, m_s, 3_000)
    return [one.id for one in found if one.downwind]


def test_who_is_near_by_wind_calm_and_scope(near: Office) -> None:
    assert names(near, ACME, 180.0, 3.0) == ["acme", "works", "school"]
    assert names(near, ALL, 180.0, 3.0) == ["acme", "bravo", "school"]
    everybody = ["acme", "shop", "works", "farm", "school"]
    assert sorted(names(near, ACME)) == sorted(names(near, ACME, 180.0, 0.4)) == sorted(everybody)
    assert names(near, BRAVO) == ["bravo"]
    near.put("neighbour", "late", enterprise="acme", sort="school", latitude_deg=36.8, longitude_deg=118.0)
    assert "late" not in names(near, ACME), "a look is good for some seconds"
    near.clock.now_s += 5
    assert "late" in names(near, ACME)


def row(name: str = "leak") -> dict[str, Any]:
    return {"alarm_id": name, "vessel": "", "hazard_unit": "u-a", "tier": 1, "raised_ms": T0}


def warned(office: Office, scope: Scope = ACME, wind: float | None = 180.0) -> dict[str, Notice]:
    found = office.prevention.joint.warn(row(), WORDS, Wind(wind, 3.0), "关窗", scope, ANN)
    return {one.letter.name_en: one for one in found}


def test_everybody_downwind_or_close_gets_one(near: Office) -> None:
    first = warned(near)
    assert set(first) == {"school", "shop", "works"}
    assert (first["works"].to_enterprise, first["school"].to_enterprise) == ("bravo", "")
    assert {one.id for one in warned(near).values()} == {one.id for one in first.values()}
    assert set(warned(near, ALL, None)) == {"school", "shop", "works", "farm"}, "the rest, and nobody twice"


def state_of(office: Office, notice: Notice, state: NoticeState) -> None:
    for event in {S.SENT: (), S.SEEN: (E.SEE,), S.CONFIRMED: (E.CONFIRM,)}[state]:
        office.prevention.joint.act(notice.id, event, "", BRAVO, BOB)


def test_every_cell(light_office: Office) -> None:
    near = with_neighbours(light_office)
    assert {state: set(cells) for state, cells in NOTICES.items()} == {state: set(E) for state in S}
    joint = near.prevention.joint
    for number, (state, event) in enumerate((state, event) for state in S for event in E):
        near.clock.now_ms = T0
        found = joint.warn(row(f"a{number}"), WORDS, Wind(180.0, 3.0), "", ACME, ANN)
        notice = next(one for one in found if one.to_enterprise)
        state_of(near, notice, state)
        before, cell = joint.get(notice.id, ALL), NOTICES[state][event]
        if event is E.LAPSE:
            near.clock.now_ms = DUE_MS + 1
            joint.turn(near.clock.now_ms)
            after = joint.get(notice.id, ALL)
            assert (after.state, after.overdue) == (state, not isinstance(cell, No))
        elif isinstance(cell, No):
            with pytest.raises(ConflictError, match=cell.why.en):
                joint.act(notice.id, event, "", BRAVO, BOB)
        else:
            near.clock.now_ms += 1000
            after = joint.act(notice.id, event, "ok", BRAVO, BOB)
            assert after.state is cell.to
            assert (after.seen_ms == T0 + 1000) == (NoticeEffect.STAMP_SEEN in cell.effects)
            confirmed = NoticeEffect.STAMP_CONFIRMED in cell.effects
            assert (after.confirmed_by, after.confirmed_ms) == (
                ("bob", T0 + 1000) if confirmed else (before.confirmed_by, before.confirmed_ms)
            )


def test_what_is_confirmed_late_stays_late(near: Office) -> None:
    joint, notice = near.prevention.joint, warned(near)["works"]
    near.clock.now_ms = DUE_MS
    assert (joint.turn(DUE_MS), joint.get(notice.id, ALL).overdue) == (0, False)
    near.clock.now_ms = DUE_MS + 1
    assert joint.act(notice.id, E.CONFIRM, "", BRAVO, BOB).overdue
    assert joint.turn(DUE_MS + 1) == 2, "school and shop; the confirmed one is noted already"
    assert joint.turn(DUE_MS + 2) == 0


@pytest.mark.parametrize("scope", [BRAVO, TOWN])
def test_who_gets_it_learns_what_it_says_and_nothing_else(near: Office, scope: Scope) -> None:
    joint, sent = near.prevention.joint, warned(near)
    (got,) = joint.find(scope, state=None, after=None, limit=10)
    assert got.id == sent["works"].id
    assert (got.alarm_id, got.enterprise, got.neighbour, got.sent_by, got.mine) == ("", "", "", "", False)
    assert got.letter.zh == "氯气高报"
    assert joint.of_alarm("leak", scope) == []
    with pytest.raises(NotFoundError) as hidden:
        joint.get(sent["school"].id, scope)
    with pytest.raises(NotFoundError) as none:
        joint.act("f" * 16, E.CONFIRM, "", scope, BOB)
    assert str(hidden.value).replace(sent["school"].id, "") == str(none.value).replace("f" * 16, "")


def test_who_sent_it_confirms_for_those_outside_and_for_nobody_else(near: Office) -> None:
    joint, sent = near.prevention.joint, warned(near)
    with pytest.raises(ConflictError, match="by who got it"):
        joint.act(sent["works"].id, E.CONFIRM, "", ACME, ANN)
    assert joint.act(sent["school"].id, E.CONFIRM, "headmaster, by telephone", ACME, ANN).note.startswith("headmaster")
    assert {one.id for one in joint.of_alarm("leak", ACME)} == {one.id for one in sent.values()}
