"""Grades over HTTP: file, preview, both numbers apart, crossings; and nothing of another enterprise's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.access.roles import Role
from gateway.commands import By
from gateway.registry.store import Draft
from tests.gateway.api.people import ACME, BRAVO, EVERYTHING, House, make_house
from tests.gateway.api.world import T0, World, client_of

CL2 = {"name": "氯", "cas": "7782-50-5", "quantity_t": 30}
UNITS = "/api/v1/hazard-units"


async def file(client: httpx.AsyncClient, unit: str = "cl2", **body: object) -> httpx.Response:
    return await client.post(f"{UNITS}/{unit}/filings", json={"items": [CL2], "people": 60, **body})


def weigh(world: World, later_ms: int = 20_000) -> None:
    world.clock.now_ms += later_ms
    world.place.meter.turn(world.clock.now_ms)


async def test_a_filing_is_taken_in_and_read_back(client: httpx.AsyncClient) -> None:
    filed = await file(client, number="BA-1", filed_on="2026-11-01", note="首次", by="li")
    assert filed.status_code == 200, filed.text
    body = filed.json()
    assert {name: body[name] for name in ("version", "s", "alpha", "r", "grade", "by", "filed_on")} == {
        "version": 1, "s": 6, "alpha": 1.5, "r": 36, "grade": 3, "by": "li", "filed_on": "2026-11-01",
    }  # fmt: skip
    assert body["grade_name"] == {"zh": "三级", "en": "grade 3"}
    assert body["items"][0]["critical_t"] == 5
    assert any("表3「氯」" in line["zh"] for line in body["why"])
    assert (await client.get(f"{UNITS}/cl2/filings/1")).json() == body
    missing = await client.get(f"{UNITS}/cl2/filings/2")
    assert missing.status_code == 404


async def test_filings_come_in_pages(client: httpx.AsyncClient) -> None:
    for _ in range(5):
        await file(client)
    seen: list[int] = []
    cursor = ""
    while True:
        page = (await client.get(f"{UNITS}/cl2/filings?limit=2{cursor}")).json()
        seen += [one["version"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [5, 4, 3, 2, 1]


async def test_who_saw_another_version_is_told(client: httpx.AsyncClient) -> None:
    assert (await file(client, expected_version=0)).status_code == 200
    again = await file(client, expected_version=0)
    assert (again.status_code, "look again" in again.json()["detail"]) == (409, True)


async def test_a_preview_says_the_same_and_keeps_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{UNITS}/cl2/grade-preview", json={"items": [CL2], "people": 60})
    filed = (await file(client)).json()
    assert answer.json() == {name: filed[name] for name in answer.json()}
    assert (await client.get(f"{UNITS}/cl2/filings")).json()["items"][0]["version"] == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"items": [{**CL2, "cas": "", "name": "什么"}]}, "item 1 (什么): neither named in table 1"),
        ({"items": [{**CL2, "cas": "7782-50-4"}]}, "not a CAS number"),
        ({"items": [{**CL2, "quantity_t": 0}]}, "greater than 0"),
        ({"items": [{**CL2, "quantity_t": 1e300}]}, "less than or equal"),
        ({"items": []}, "at least 1 item"),
        ({"items": [{**CL2, "vessel": "T-1"}]}, "vessel 'T-1' is none of unit cl2"),
        ({"items": [{**CL2, "categories": ["Z9"]}]}, "none of table 2"),
        ({"people": -1}, "greater than or equal to 0"),
        ({"filed_on": "2999-01-01"}, "in the future"),
        ({"filed_on": "2026-02-31"}, "is no day"),
    ],
)
async def test_what_makes_no_sense_is_named(client: httpx.AsyncClient, changes: dict[str, Any], said: str) -> None:
    answer = await file(client, **changes)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


async def test_both_grades_are_told_apart(world: World, client: httpx.AsyncClient) -> None:
    await file(client, "meoh", items=[{"name": "甲醇", "cas": "67-56-1", "quantity_t": 60_000}])
    empty = (await client.get(f"{UNITS}/meoh/grade")).json()
    assert (empty["operational"]["s"], empty["operational"]["complete"]) == (None, False)
    assert "尚未计算" in empty["operational"]["reasons"][0]["zh"]
    world.show(**{"T-1__LEVEL": 5.0, "T-1__TEMP": 20.0})
    weigh(world)
    found = (await client.get(f"{UNITS}/meoh/grade")).json()
    legal, live = found["legal"], found["operational"]
    assert ("法定" in legal["label"]["zh"], "实时" in live["label"]["zh"]) == (True, True)
    assert (legal["filing"]["grade"], legal["filing"]["s"], legal["fits"]) == (1, 120, True)
    assert (live["grade"], live["grade_name"]["zh"], live["complete"]) == (None, "未构成重大危险源", True)
    assert live["s"] == pytest.approx(50 * 0.7909 / 500)
    (inside,) = live["contents"]
    assert (inside["vessel"], inside["basis"], inside["volume_m3"]) == ("T-1", "level", 50)
    assert any(line["zh"].startswith("T-1 67-56-1：液位 50.0 %") for line in live["why"])


async def test_a_filing_that_no_longer_fits_is_flagged(world: World, client: httpx.AsyncClient) -> None:
    await file(client)
    unit = {"id": "cl2", "name_zh": "氯站", "enterprise": "acme", "exposed_people": 200}
    world.place.registry.write([Draft("hazard-unit", unit)], By("li"), "more people")
    legal = (await client.get(f"{UNITS}/cl2/grade")).json()["legal"]
    assert (legal["fits"], legal["misfits"][0]["en"]) == (
        False, "exposed people: 60 filed, 200 registered (alpha 1.5 becomes 2)",
    )  # fmt: skip


async def test_as_it_was(world: World, client: httpx.AsyncClient) -> None:
    world.register()
    world.history.rows[list(world.plant.tags).index("T-1.LEVEL")] = [(T0, 2.5, 0)]
    world.clock.now_ms = T0 + 86_400_000
    then = (await client.get(f"{UNITS}/meoh/grade?at={T0 + 1000}")).json()
    assert then["operational"]["contents"][0]["level_fraction"] == 0.25
    assert then["operational"]["at_ms"] == T0 + 1000
    ahead = await client.get(f"{UNITS}/meoh/grade?at={T0 + 90_000_000}")
    assert (ahead.status_code, ahead.json()["errors"][0]["parameter"]) == (422, "at")


async def test_crossings_come_newest_first_and_in_pages(world: World, client: httpx.AsyncClient) -> None:
    await file(client, "meoh", items=[{"name": "甲醇", "cas": "67-56-1", "quantity_t": 900}])
    body = {"id": "T-1", "name_zh": "罐", "enterprise": "acme", "hazard_unit": "meoh", "shape": "vertical_tank",
            "cas": "67-56-1", "capacity_m3": 10_000.0, "height_m": 10.0}  # fmt: skip
    world.place.registry.write([Draft("vessel", body)], By("li"), "bigger")
    for level in (0.1, 5.0, 0.1):
        world.show(**{"T-1__LEVEL": level, "T-1__TEMP": 20.0})
        weigh(world)
    page = (await client.get(f"{UNITS}/grade-events?unit=meoh&limit=1")).json()
    rest = (await client.get(f"{UNITS}/grade-events?unit=meoh&limit=1&cursor={page['next_cursor']}")).json()
    moves = [(one["before"], one["after"], one["at_ms"]) for one in (*page["items"], *rest["items"])]
    assert moves == [(3, None, T0 + 60_000), (None, 3, T0 + 40_000)]
    assert rest["next_cursor"] is None
    assert any("实时 S" in line["zh"] for line in page["items"][0]["why"])
    metrics = (await client.get("/metrics")).text
    assert "hazgate_grade_crossings_total 2.0" in metrics
    assert "hazgate_grades_incomplete 1.0" in metrics, "the chlorine store has no vessels"
    nothing = (await client.get(f"{UNITS}/grade-events?to={T0}")).json()
    assert nothing["items"] == []
    assert (await client.get(f"{UNITS}/grade-events?from=5&to=5")).status_code == 422


# --- whose ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    yield from make_house(tmp_path)


@pytest.fixture
async def door(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(house.world.api()) as client:
        yield client


def shape(answer: httpx.Response) -> tuple[int, str, list[tuple[str, str]]]:
    body = answer.json()
    return answer.status_code, body["type"], [(one["parameter"], one["allowed"]) for one in body["errors"]]


async def test_of_another_enterprise_nothing_is_learned(house: House, door: httpx.AsyncClient) -> None:
    bravo, acme = house.token(Role.ENTERPRISE, BRAVO), house.token(Role.ENTERPRISE, ACME)
    request = {"items": [CL2], "people": 60}
    filed = await door.post(f"{UNITS}/cl2/filings", json=request, headers=bravo)
    assert filed.status_code == 200
    house.world.show(**{"T-1__LEVEL": 5.0})
    weigh(house.world)
    for method, path in (
        ("GET", "{unit}/grade"), ("GET", "{unit}/filings"), ("GET", "{unit}/filings/1"),
        ("POST", "{unit}/filings"), ("POST", "{unit}/grade-preview"), ("GET", "{unit}/grade?at=1700000000000"),
    ):  # fmt: skip
        body = request if method == "POST" else None
        hidden, none = [
            await door.request(method, f"{UNITS}/{path.format(unit=unit)}", json=body, headers=acme)
            for unit in ("cl2", "none")
        ]
        assert shape(hidden) == shape(none)
        assert hidden.status_code == 404
        assert "7782-50-5" not in hidden.text
        assert "bravo" not in hidden.text
    said = set()
    for vessel in ("C-9", "C-8"):
        declared = {"items": [{**CL2, "vessel": vessel}], "people": 1}
        answer = await door.post(f"{UNITS}/meoh/filings", json=declared, headers=acme)
        said.add(answer.text.replace(vessel, "X"))
    assert len(said) == 1
    assert (await door.get(f"{UNITS}/cl2/grade", headers=bravo)).json()["legal"]["filing"]["version"] == 1


async def test_crossings_of_another_enterprise_are_not_listed(house: House, door: httpx.AsyncClient) -> None:
    row = {"unit": "cl2", "enterprise": "bravo", "district": "370305", "at_ms": T0, "before": 3, "after": 2, "s": 5.0,
           "r": 60.0, "complete": True, "body": "{}"}  # fmt: skip
    house.world.put("grade_event", {"id": "e1", **row}, {"id": "e2", **row, "unit": "meoh", "enterprise": "acme",
                                                        "district": "370304"})  # fmt: skip
    for scope, seen in ((ACME, ["e2"]), (BRAVO, ["e1"]), (EVERYTHING, ["e2", "e1"])):
        headers = house.token(Role.ENTERPRISE, scope)
        page = (await door.get(f"{UNITS}/grade-events", headers=headers)).json()
        assert [one["event_id"] for one in page["items"]] == seen
        of_unit = (await door.get(f"{UNITS}/grade-events?unit=cl2", headers=headers)).json()
        assert [one["event_id"] for one in of_unit["items"]] == [one for one in seen if one == "e1"]


async def test_who_may_file(house: House, door: httpx.AsyncClient) -> None:
    for role, status in ((Role.OPERATOR, 403), (Role.REGULATOR, 403), (Role.ENGINEER, 200), (Role.ENTERPRISE, 200)):
        answer = await door.post(f"{UNITS}/cl2/filings", json={"items": [CL2], "people": 60}, headers=house.token(role))
        assert answer.status_code == status
        preview = await door.post(
            f"{UNITS}/cl2/grade-preview", json={"items": [CL2], "people": 60}, headers=house.token(role)
        )
        assert preview.status_code == 200
