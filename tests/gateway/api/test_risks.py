"""Risks over HTTP: graded, checked, assessed, on the map, announced; each by who may, each in scope."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.access.roles import Role
from gateway.commands import By
from gateway.registry.store import Draft
from tests.gateway.api.people import ACME, BRAVO, DISTRICT, EVERYTHING, House, make_house
from tests.gateway.api.world import T0, World, client_of

ROOT = "/api/v1"
DAY_MS = 86_400_000
LS: dict[str, Any] = {"method": "ls", "factors": {"likelihood": 3, "severity": 5}}
LEC: dict[str, Any] = {"method": "lec", "factors": {"likelihood": 6, "exposure": 6, "consequence": 15}}
HIDDEN = ("cl2", "bravo", "氯气泄漏风险", "北厂")


async def ask(client: httpx.AsyncClient, path: str, headers: dict[str, str] | None = None, **body: Any) -> Any:  # noqa: ANN401
    response = await client.post(f"{ROOT}{path}", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


async def look(client: httpx.AsyncClient, path: str, headers: dict[str, str] | None = None, **query: Any) -> Any:  # noqa: ANN401
    response = await client.get(f"{ROOT}{path}", headers=headers, params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def add(client: httpx.AsyncClient, headers: dict[str, str] | None = None, **said: Any) -> Any:  # noqa: ANN401
    body = {"name": "泄漏", "sort": "equipment", "hazard_unit": "meoh", **LS, **said}
    return (await ask(client, "/risks", headers, **body))["risk"]


def register(world: World) -> None:
    """Put places on the map: a site, two units of two enterprises, a tank, one thing without a position."""
    acme, bravo = {"enterprise": "acme"}, {"enterprise": "bravo"}
    here = {"latitude_deg": 36.8, "longitude_deg": 118.0}
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("site", {"id": "mini", "name_zh": "南厂", "name_en": "South", **acme, **here}),
        ("site", {"id": "north", "name_zh": "北厂", **bravo, "latitude_deg": -36.0, "longitude_deg": -179.5}),
        ("hazard-unit", {"id": "meoh", "name_zh": "甲醇罐区", "site": "mini", **acme}),
        ("hazard-unit", {"id": "cl2", "name_zh": "液氯", "site": "north", **bravo}),
        ("hazard-unit", {"id": "lost", "name_zh": "无坐标", **acme}),
        ("vessel", {"id": "T-1", "name_zh": "1号罐", "hazard_unit": "meoh", **acme, "latitude_deg": 36.9,
                    "longitude_deg": 118.1}),
    ]  # fmt: skip
    world.place.registry.write([Draft(kind, body) for kind, body in bodies], By("ann"), "test")


async def test_the_double_list_from_risk_to_danger(world: World, client: httpx.AsyncClient) -> None:
    risk = await add(client, by="sun", **LEC)
    assert (risk["score"], risk["static_colour"], risk["static_colour_name"]["zh"]) == (540, "red", "重大风险（红）")
    measure = await ask(client, f"/risks/{risk['risk_id']}/measures", sort="engineering", text="紧急切断")
    task = await ask(
        client, f"/risk-measures/{measure['measure_id']}/checks", text="试动作", every=1, unit="month", responsible=True
    )
    assert (task["due_ms"], task["overdue"], task["responsible"]) == (T0 + 31 * DAY_MS, False, True)
    world.clock.now_ms += 31 * DAY_MS
    late = await look(client, "/check-tasks", overdue="true")
    assert [one["task_id"] for one in late["items"]] == [task["task_id"]]
    said = {"key": "pad-7:1", "done": T0 + 30 * DAY_MS, "result": "finding", "text": "卡涩", "task_id": task["task_id"]}
    record = await ask(client, "/checks", by="li", **said)
    assert await ask(client, "/checks", by="li", **said) == record
    assert (await look(client, f"/checks/{record['record_id']}")) == record
    danger = await look(client, f"/hidden-dangers/{record['danger_id']}")
    assert (danger["risk_id"], danger["finding"]) == (risk["risk_id"], record["record_id"])
    assert (await look(client, "/check-tasks", overdue="true"))["items"] == []
    detail = await look(client, f"/risks/{risk['risk_id']}")
    assert [one["text"] for one in detail["measures"]] == ["紧急切断"]
    ended = await ask(client, f"/risks/{risk['risk_id']}/end", version=1)
    assert ended["risk"]["ended_ms"] == world.clock.now_ms
    assert (await look(client, "/risks"))["items"] == []
    assert len((await look(client, "/risks", ended="true"))["items"]) == 1


async def test_pages_neither_repeat_nor_skip(client: httpx.AsyncClient) -> None:
    made = {(await add(client, name=f"风险{number}"))["risk_id"] for number in range(5)}
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await look(client, "/risks", limit=2, **cursor)
        seen += [one["risk_id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert (len(seen), set(seen)) == (5, made)
    assert (await client.get(f"{ROOT}/risks?limit=2&static_colour=red&cursor={cursor['cursor']}")).status_code == 422


async def test_the_grade_of_the_moment_and_its_history(world: World, client: httpx.AsyncClient) -> None:
    risk = await add(client, method="ls", factors={"likelihood": 1, "severity": 1})
    world.raise_alarm("a1", tier=2)
    world.place.risk_watch.turn(T0 + 1)
    now = (await look(client, f"/risks/{risk['risk_id']}"))["risk"]
    assert (now["static_colour"], now["dynamic_colour"]) == ("blue", "orange")
    assert [(one["kind"], one["ref"], one["lift"]) for one in now["reasons"]] == [("alarm.2", "a1", 2)]
    history = await look(client, f"/risks/{risk['risk_id']}/history")
    assert [(one["was"], one["now"]) for one in history["changes"]] == [("blue", "orange")]
    counts = (await look(client, "/risks/counts"))["items"]
    assert counts == [{"static_colour": "blue", "dynamic_colour": "orange", "risks": 1}]
    body = {"name": "x", "sort": "post", "hazard_unit": "meoh", **LS, "version": 9}
    assert (await client.put(f"{ROOT}/risks/{risk['risk_id']}", json=body)).status_code == 409


async def test_the_scales_say_where_they_are_from(client: httpx.AsyncClient) -> None:
    scales = await look(client, "/risks/scales")
    assert [one["method"] for one in scales["scales"]] == ["lec", "ls"]
    assert all(one["source"] and one["confidence"] for one in scales["scales"])
    assert [band["low"] for band in scales["scales"][0]["bands"]] == [320, 160, 70, 20, 0]


WRONG: tuple[dict[str, Any], ...] = (
    {"factors": {"likelihood": 4}}, {"factors": {"likelihood": 2.5, "severity": 1}}, {"hazard_unit": "nowhere"},
    {"method": "x"}, {"name": ""}, {"factors": {"likelihood": 1, "severity": 1, "exposure": 1}}, {"gap": "CR0"},
)  # fmt: skip


async def test_what_makes_no_sense_is_refused(client: httpx.AsyncClient) -> None:
    for wrong in WRONG:
        body = {"name": "x", "sort": "post", "hazard_unit": "meoh", **LS, **wrong}
        assert (await client.post(f"{ROOT}/risks", json=body)).status_code == 422, wrong


async def test_assessments_over_http(world: World, client: httpx.AsyncClient) -> None:
    register(world)
    world.clock.now_ms += 1
    signed = await ask(
        client, "/risk-assessments", by="sun", hazard_unit="meoh", assessed_on="2027-01-10", document="AQ-7"
    )
    assert (signed["due_on"], signed["signed_by"]) == ("2030-01-10", "sun")
    page = await look(client, "/risk-assessments", standing="never", limit=1)
    assert [one["hazard_unit"] for one in page["items"]] == ["cl2"]
    more = await look(client, "/risk-assessments", standing="never", limit=1, cursor=page["next_cursor"])
    assert [one["hazard_unit"] for one in more["items"]] == ["lost"]
    assert len((await look(client, "/risk-assessments/meoh"))["items"]) == 1


# --- the map ---------------------------------------------------------------------------------------------------------


def check_geojson(drawn: dict[str, Any]) -> None:
    """RFC 7946: what a collection of points has to be."""
    assert drawn["type"] == "FeatureCollection"
    assert not {"coordinates", "geometries", "geometry", "properties"} & set(drawn), "section 7.1"
    names = [one["id"] for one in drawn["features"]]
    assert len(names) == len(set(names))
    for one in drawn["features"]:
        assert one["type"] == "Feature"
        assert isinstance(one["properties"], dict)
        assert one["geometry"]["type"] == "Point"
        longitude, latitude = one["geometry"]["coordinates"]
        assert -180 <= longitude <= 180
        assert -90 <= latitude <= 90
        assert not {"coordinates", "geometries", "features"} & set(one)


async def test_the_map(world: World, client: httpx.AsyncClient) -> None:
    register(world)
    await add(client, vessel="T-1", method="ls", factors={"likelihood": 3, "severity": 3})
    world.raise_alarm("a1", tier=3)
    world.place.risk_watch.turn(T0 + 1)
    answer = await client.get(f"{ROOT}/risks/map")
    assert answer.headers["content-type"] == "application/geo+json"
    drawn = answer.json()
    check_geojson(drawn)
    assert [one["id"] for one in drawn["features"]] == [
        "site/mini", "site/north", "hazard-unit/cl2", "hazard-unit/meoh", "vessel/T-1",
    ]  # fmt: skip
    assert (drawn["without_position"], drawn["left_off"]) == (1, 0)
    by_id = {one["id"]: one for one in drawn["features"]}
    tank, unit, site = (by_id[name]["properties"] for name in ("vessel/T-1", "hazard-unit/meoh", "site/mini"))
    assert by_id["vessel/T-1"]["geometry"]["coordinates"] == [118.1, 36.9]
    assert (by_id["hazard-unit/meoh"]["geometry"]["coordinates"], unit["position_of"]) == ([118.0, 36.8], "site")
    for one in (tank, unit):
        assert (one["static_colour"], one["dynamic_colour"], one["open_alarms"]) == ("yellow", "orange", {"3": 1})
        assert [reason["ref"] for reason in one["reasons"]] == ["a1"]
    assert site["open_alarms"] == {"3": 1}
    assert (by_id["hazard-unit/cl2"]["properties"]["static_colour"], unit["legal_grade"]) == (None, None)


BOXES = {
    "118,36,119,36.85": ["site/mini", "hazard-unit/meoh"],
    "118.05,36,119,37": ["vessel/T-1"],
    "179,-40,-179,-30": ["site/north", "hazard-unit/cl2"],
    "0,0,1,1": [],
}


async def test_a_part_of_the_map(world: World, client: httpx.AsyncClient) -> None:
    register(world)
    for bbox, seen in BOXES.items():
        drawn = await look(client, "/risks/map", bbox=bbox)
        assert [one["id"] for one in drawn["features"]] == seen, bbox
    assert (await look(client, "/risks/map", kind="vessel", limit=1))["features"][0]["id"] == "vessel/T-1"
    assert (await look(client, "/risks/map", limit=1))["left_off"] == 4
    for wrong in ("1,2,3", "0,2,1,1", "181,0,182,1", "a,b,c,d"):
        assert (await client.get(f"{ROOT}/risks/map?bbox={wrong}")).status_code == 422


async def test_the_map_as_it_was(world: World, client: httpx.AsyncClient) -> None:
    register(world)
    risk = await add(client)
    world.clock.now_ms += 1000
    body = {"name": "x", "sort": "post", "hazard_unit": "meoh", **LEC, "version": 1}
    assert (await client.put(f"{ROOT}/risks/{risk['risk_id']}", json=body)).status_code == 200
    world.clock.now_ms += 1000
    await ask(client, f"/risks/{risk['risk_id']}/end")
    went = []
    for at_ms in (T0 - 1, T0, T0 + 1000, T0 + 2000):
        drawn = await look(client, "/risks/map", at_ms=at_ms, kind="hazard-unit")
        went.append([one["properties"]["static_colour"] for one in drawn["features"] if one["id"].endswith("meoh")])
        assert all(one["properties"]["dynamic_colour"] is None for one in drawn["features"])
        assert all(one["properties"]["open_alarms"] is None for one in drawn["features"])
    assert went == [[], ["orange"], ["red"], [None]]


# --- the announcement ------------------------------------------------------------------------------------------------


async def test_the_announcement_is_printed_in_both_languages_and_runs_nothing(
    world: World, client: httpx.AsyncClient
) -> None:
    register(world)
    risk = await add(client, name="<script>alert(1)</script>", text="=cmd|' /C calc'!A0")
    await ask(client, f"/risks/{risk['risk_id']}/measures", sort="training", text="年度培训")
    await add(client, name="重大", **LEC)
    page = await client.get(f"{ROOT}/risks/announcement.html?site=mini")
    assert page.status_code == 200
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text
    assert page.text.index("重大风险（红）", page.text.index("<tbody>")) < page.text.index("&lt;script&gt;")
    for words in ("安全风险公告", "Announcement of risks", "年度培训", "南厂", "South", "larger risk (orange)"):
        assert words in page.text
    answer = await client.get(f"{ROOT}/risks/announcement.csv?site=mini")
    rows = list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))))
    assert [row["名称 name"] for row in rows] == ["重大", "<script>alert(1)</script>"]
    assert rows[1]["可能的后果 what can happen"] == "'=cmd|' /C calc'!A0"
    assert (await client.get(f"{ROOT}/risks/announcement.csv?site=nowhere")).status_code == 404


# --- who may, and who sees -------------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    for house in make_house(tmp_path):
        register(house.world)
        yield house


@pytest.fixture
async def guarded(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(house.world.api()) as client:
        yield client


@pytest.fixture
async def theirs(house: House, guarded: httpx.AsyncClient) -> dict[str, str]:
    """Everything of another enterprise there could be."""
    admin = house.token(Role.ENTERPRISE, EVERYTHING)
    risk = await add(guarded, admin, hazard_unit="cl2", name="氯气泄漏风险")
    measure = await ask(guarded, f"/risks/{risk['risk_id']}/measures", admin, sort="training", text="氯气泄漏风险")
    path = f"/risk-measures/{measure['measure_id']}/checks"
    task = await ask(guarded, path, admin, text="氯气泄漏风险", every=1, unit="hour")
    said = {"done": T0, "result": "finding", "text": "氯气泄漏风险", "hazard_unit": "cl2"}
    record = await ask(guarded, "/checks", admin, key="k", **said)
    await ask(guarded, "/risk-assessments", admin, hazard_unit="cl2", assessed_on="2027-01-01", document="氯气泄漏风险")
    house.world.raise_alarm("hidden", "GD-1")
    house.world.place.risk_watch.turn(T0)
    return {"risk": risk["risk_id"], "measure": measure["measure_id"], "task": task["task_id"],
            "record": record["record_id"]}  # fmt: skip


PATHS = (
    "/risks", "/risks?hazard_unit=cl2", "/risks?enterprise=bravo", "/risks/counts", "/risks/map", "/check-tasks",
    "/check-tasks?hazard_unit=cl2", "/check-tasks?overdue=true", "/checks", "/checks?gap=true", "/risk-assessments",
    "/risk-assessments?enterprise=bravo", "/risk-assessments/cl2", "/risks/announcement.csv?site=mini",
    "/risks/announcement.html?site=mini", "/risks/map?at_ms=1800000000000",
)  # fmt: skip
ACTS: tuple[tuple[str, str, str, dict[str, Any] | None], ...] = (
    ("GET", "/risks/{}", "risk", None), ("GET", "/risks/{}/history", "risk", None),
    ("PUT", "/risks/{}", "risk", {"name": "x", "sort": "post", "hazard_unit": "meoh", **LS}),
    ("POST", "/risks/{}/end", "risk", {}), ("POST", "/risks/{}/measures", "risk", {"sort": "training", "text": "x"}),
    ("POST", "/risk-measures/{}/checks", "measure", {"text": "x", "every": 1, "unit": "day"}),
    ("POST", "/check-tasks/{}/end", "task", {}), ("GET", "/checks/{}", "record", None),
)  # fmt: skip


async def test_no_answer_names_what_is_hidden(house: House, guarded: httpx.AsyncClient, theirs: dict[str, str]) -> None:
    house.world.clock.now_ms += DAY_MS
    mine, other = house.token(Role.ENTERPRISE, ACME), house.token(Role.ENTERPRISE, BRAVO)
    for path in PATHS:
        answer = await guarded.get(f"{ROOT}{path}", headers=mine)
        assert answer.status_code == 200, path
        assert [one for one in (*HIDDEN, *theirs.values()) if one in answer.text] == [], path
        assert "acme" not in (await guarded.get(f"{ROOT}{path}", headers=other)).text, path
    assert (await look(guarded, "/risks/counts", mine))["items"] == []
    for path in ("/risks", "/check-tasks", "/checks"):
        for headers in (other, house.token(Role.REGULATOR, DISTRICT)):
            assert len((await look(guarded, path, headers))["items"]) == (headers is other), path


async def test_one_that_is_hidden_does_not_exist(
    house: House, guarded: httpx.AsyncClient, theirs: dict[str, str]
) -> None:
    mine = house.token(Role.ENTERPRISE, ACME)
    for method, path, of, body in ACTS:
        said = []
        for name in (theirs[of], "ABSENT0"):
            answer = await guarded.request(method, f"{ROOT}{path.format(name)}", json=body, headers=mine)
            said.append((answer.status_code, answer.text.replace(name, "…")))
        assert said[0] == said[1], path
        assert said[0][0] == 404, path


async def test_each_act_needs_its_permission(house: House, guarded: httpx.AsyncClient) -> None:
    risk = {"name": "x", "sort": "post", "hazard_unit": "meoh", **LS}
    check = {"key": "k", "done": T0, "result": "ok", "hazard_unit": "meoh"}
    for role, write, do in (
        (Role.VIEWER, 403, 403), (Role.OPERATOR, 403, 200), (Role.ENGINEER, 200, 200), (Role.REGULATOR, 403, 200),
    ):  # fmt: skip
        headers = house.token(role)
        assert (await guarded.post(f"{ROOT}/risks", json=risk, headers=headers)).status_code == write
        assert (await guarded.post(f"{ROOT}/checks", json=check, headers=headers)).status_code == do
