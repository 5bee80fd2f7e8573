"""What other rooms know of the place of an alarm: grades, contents, dangers, risks, permits, commitment, neighbours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from gateway.access.roles import Role, Scope
from gateway.commands import By
from gateway.prevention.contradictions import Committed
from gateway.prevention.credit import Appeal, CreditStatus, Standing
from gateway.prevention.permits import Work, Worker
from gateway.story.moments import day_text
from tests.gateway.api.people import ACME, BRAVO, House, make_house
from tests.gateway.api.test_context import HIDDEN, told
from tests.gateway.api.world import T0, World, client_of
from tests.support.town import register_town, write

HOUR_MS = 3_600_000
WHOSE = {"acme": {"enterprise": "acme", "district": "370304"}, "bravo": {"enterprise": "bravo", "district": "370305"}}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    for one in make_house(tmp_path):
        one.world.healthy()
        one.world.register()
        one.world.show(**{"T-1__LEVEL": 5.0, "GD-1": 0.5})
        register_town(one.world.place.registry)
        one.world.raise_alarm("own")
        one.world.raise_alarm("concealed", "GD-1")
        yield one


@pytest.fixture
def world(house: House) -> World:
    return house.world


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(house.world.api()) as one:
        one.headers.update(house.token(Role.ENTERPRISE, ACME))
        yield one


def _danger(name: str, unit: str, whose: str, **more: object) -> dict[str, Any]:
    found = {"id": name, "title": f"隐患 {name}", "source": "patrol", "grade": "major", "state": "rectifying"}
    return {
        **found,
        "urgency": 40,
        "found_ms": T0,
        "hazard_unit": unit,
        "level": 0,
        "listed_ms": None,
        **WHOSE[whose],
        **more,
    }


def _permit(name: str, unit: str, whose: str, **more: object) -> dict[str, Any]:
    work = Work("储罐动火", "罐顶", (Worker("李四", "监护人", "137"),))
    return {
        "id": name, **WHOSE[whose], "hazard_unit": unit, "vessel": "", "kind": "hot_work", "level": "special",
        "state": "open", "version": 3, "begin_ms": T0 - HOUR_MS, "end_ms": T0 + HOUR_MS, "made_ms": T0 - HOUR_MS,
        "made_by": "a", "approved_by": "b", "opened_ms": T0 - HOUR_MS, "ended_ms": None, "gas_every_ms": 60_000,
        "seen_ms": T0 - HOUR_MS, "missed_ms": None, "body": msgspec.json.encode(work).decode(), **more,
    }  # fmt: skip


def _risk(name: str, unit: str, whose: str) -> dict[str, Any]:
    return {
        "id": name, "version": 1, **WHOSE[whose], "hazard_unit": unit, "sort": "equipment", "name": f"风险 {name}",
        "text": "",
        "method": "ls", "factors": {}, "score": 12.0, "static_colour": "yellow", "graded_ms": T0, "graded_by": "a",
        "dynamic_colour": "red", "lifted": True, "dynamic_ms": T0, "ended_ms": None,
        "reasons": [{"kind": "alarm", "ref": "own", "since_ms": T0, "until_ms": None, "lift": 2}],
    }  # fmt: skip


async def test_contents_now_and_at_onset(world: World, client: httpx.AsyncClient) -> None:
    world.history.rows = {0: [(T0 - 3_000, 4.0, 0)]}
    part = (await told(client, "own"))["contents"]
    assert (part["state"], part["content"]["now"]["basis"], part["content"]["at_onset"]["basis"]) == (
        "ok",
        "level",
        "level",
    )
    assert part["content"]["now"]["level_fraction"] == pytest.approx(0.5)
    assert part["content"]["at_onset"]["level_fraction"] == pytest.approx(0.4)
    assert part["content"]["now"]["mass_t"] > part["content"]["at_onset"]["mass_t"] > 0


async def test_grades_are_told_apart_and_what_is_not_filed_is_said(client: httpx.AsyncClient) -> None:
    part = (await told(client, "own"))["grades"]
    assert part["state"] == "partial"
    assert "not filed" in part["reason"]["en"]
    assert set(part["content"]) == {"legal", "operational", "reasons"}


async def test_open_hidden_dangers_of_the_unit(world: World, client: httpx.AsyncClient) -> None:
    assert (await told(client, "own"))["dangers"]["state"] == "empty"
    world.put(
        "danger",
        _danger("d1", "meoh", "acme", level=2, listed_ms=T0),
        _danger("d2", "meoh", "acme", urgency=0, state="closed"),
        _danger("d3", "cl2", "bravo"),
    )
    (one,) = (await told(client, "own"))["dangers"]["content"]["items"]
    assert (one["danger_id"], one["late"], one["listed"], one["state"]) == ("d1", True, True, "rectifying")


async def test_who_is_at_work(world: World, client: httpx.AsyncClient) -> None:
    assert (await told(client, "own"))["permits"]["state"] == "empty"
    world.put(
        "work_permit",
        _permit("w1", "meoh", "acme"),
        _permit("w2", "meoh", "acme", end_ms=T0 - 1),
        _permit("w3", "cl2", "bravo"),
    )
    (one,) = (await told(client, "own"))["permits"]["content"]["items"]
    assert (one["permit_id"], one["people"][0]["phone"], one["gas_overdue"]) == ("w1", "137", True)


async def test_risks_with_both_colours(world: World, client: httpx.AsyncClient) -> None:
    assert (await told(client, "own"))["risks"]["state"] == "empty"
    world.put("risk", _risk("r1", "meoh", "acme"), _risk("r2", "cl2", "bravo"))
    world.put("risk_measure", {"id": "m1", "risk_id": "r1", **WHOSE["acme"], "sort": "management", "text": "每日巡检"})
    (one,) = (await told(client, "own"))["risks"]["content"]["items"]
    assert (one["static_colour"], one["dynamic_colour"], one["causes"]) == ("yellow", "red", ["alarm own"])
    assert one["measures"] == ["每日巡检"]


async def test_the_commitment_of_today_and_what_contradicts_it(world: World, client: httpx.AsyncClient) -> None:
    part = (await told(client, "own"))["commitment"]
    assert (part["state"], day_text(T0) in part["reason"]["en"]) == ("empty", True)
    said = Committed(
        under_control=True, units_running=1, units_stopped=0, units_in_repair=0, permits={}, major_dangers=0
    )
    world.place.prevention.commitments.sign(Scope(), "acme", day_text(T0), said, By("zhao"))
    content = (await told(client, "own"))["commitment"]["content"]
    assert (content["signed_by"], content["under_control"]) == ("zhao", True)
    assert any("own" in one["text"]["en"] for one in content["contradictions"])


async def test_credit_is_told_of_who_may_be_seen(house: House, client: httpx.AsyncClient) -> None:
    part = (await told(client, "own"))["standing"]
    assert part["state"] == "empty"
    entry = CreditStatus(
        "", 0, "acme", "", Standing.BLACKLISTED, "2026-01-01", "", "公告1号", "", Appeal.NONE, T0 - 1, ""
    )
    house.world.place.prevention.credit.enter(entry, Scope(), By("reg"))
    content = (await told(client, "own"))["standing"]["content"]
    assert (content["credit"]["standing"], content["credit"]["source"]) == ("blacklisted", "公告1号")
    other = await told(client, "concealed", house.token(Role.ENTERPRISE, BRAVO))
    assert "公告1号" not in str(other)


async def test_neighbours_by_distance_where_the_wind_is_not_known(world: World, client: httpx.AsyncClient) -> None:
    part = (await told(client, "own"))["neighbours"]
    assert part["state"] == "partial"
    (school,) = part["content"]["items"]
    assert (school["id"], school["people"], school["phone"]) == ("acme.school", 600, "0533-5")
    assert school["distance_m"] == pytest.approx(1_112, rel=0.01)
    assert school["bearing_deg"] == pytest.approx(180, abs=0.5)
    far = {"id": "acme.far", "name_zh": "远村", "enterprise": "acme", "site": "mini", "sort": "residential"}
    write(world.place.registry, ("neighbour", {**far, "latitude_deg": 36.95, "longitude_deg": 118.05}))
    assert "远村" not in str((await told(client, "own"))["neighbours"])


async def test_nothing_of_the_other_enterprise_comes_through_any_room(house: House, client: httpx.AsyncClient) -> None:
    world = house.world
    for table, make in (("danger", _danger), ("work_permit", _permit), ("risk", _risk)):
        world.put(table, make("bravo-1", "cl2", "bravo"), make("strange-1", "meoh", "bravo"))
    for form in ("context", "sheet.html"):
        text = (await client.get(f"/api/v1/alarms/own/{form}")).text
        assert [one for one in (*HIDDEN, "strange-1") if one in text] == []
    mine = (await client.get("/api/v1/alarms/concealed/context", headers=house.token(Role.ENTERPRISE, BRAVO))).text
    assert "bravo-1" in mine
