"""The search as people use it: vehicles, alarms, hidden dangers and records in one answer, and nothing of others'."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.access.roles import Role, Scope
from gateway.commands import By
from gateway.dangers.intake import Found
from gateway.dangers.states import Source
from gateway.registry.store import Draft
from gateway.searching.due import note
from tests.gateway.api.people import ACME, BRAVO, DISTRICT, EVERYTHING, House, make_house
from tests.gateway.api.world import T0, World, client_of

RECORDS = (
    Draft("enterprise", {"id": "acme", "name_zh": "甲化工", "name_en": "Acme", "district": "370304"}),
    Draft("enterprise", {"id": "bravo", "name_zh": "乙氯碱厂", "name_en": "Bravo", "district": "370305"}),
    Draft("tag", {"id": "GD-1", "name_zh": "1号氯气检测器", "enterprise": "bravo", "district": "370305"}),
    Draft("tag", {"id": "T-1.LEVEL", "name_zh": "1号罐液位", "enterprise": "acme", "district": "370304"}),
    Draft("chemical", {"id": "7782-50-5", "name_zh": "氯", "aliases": ["液氯"], "un": ["1017"]}),
)
DANGERS = (
    ("acme", "370304", "呼吸阀腐蚀"),
    ("bravo", "370305", "氯气检测器未检定"),
    ("", "", "无主罐泄漏"),
)
OWN, HIDDEN = "00aa11bb22cc33dd", "00aa99bb22cc33dd"


def fill(world: World) -> None:
    place = world.place
    place.registry.write(RECORDS, By("ann"), "test")
    world.raise_alarm(OWN)
    world.raise_alarm(HIDDEN, "GD-1", raised_ms=T0 + 5)
    for number, (enterprise, district, title) in enumerate(DANGERS):
        row = {"id": f"d{number}", "enterprise": enterprise, "district": district, "title": title}
        world.put("danger", {**row, "source": "patrol", "state": "reported", "found_ms": T0 + number})
    with world.desk.begin() as connection:
        note(connection, "danger", ["d0", "d1", "d2"])
    place.indexer.begin()
    while place.indexer.turn():
        pass


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    for house in make_house(tmp_path):
        fill(house.world)
        yield house


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(house.world.api()) as client:
        yield client


async def found(client: httpx.AsyncClient, headers: dict[str, str], **query: str | list[str]) -> list[str]:
    answer = await client.get("/api/v1/search", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return [f"{one['kind']}/{one['id']}" for group in answer.json()["groups"] for one in group["items"]]


BOX = {
    "鲁C·T0001": ["vehicle/TRUCK-1"],
    "鲁ct0001": ["vehicle/TRUCK-1"],
    "t0001": ["vehicle/TRUCK-1"],
    "jiachunguanche": ["vehicle/TRUCK-1"],
    "00aa1": [f"alarm/{OWN}"],
    "00aa": [f"alarm/{HIDDEN}", f"alarm/{OWN}"],
    "t-1.l": ["tag/T-1.LEVEL", f"alarm/{OWN}"],
    "gd-1": ["tag/GD-1", f"alarm/{HIDDEN}"],
    "fushi": ["danger/d0"],
    "weijianding": ["danger/d1"],
    "d2": ["danger/d2"],
    "1017": ["chemical/7782-50-5"],
    "nothing-like-it": [],
}


async def test_everything_is_in_one_box(house: House, client: httpx.AsyncClient) -> None:
    headers = house.token(Role.OPERATOR)
    assert {typed: await found(client, headers, q=typed) for typed in BOX} == BOX


async def test_an_answer_says_what_it_is_why_it_was_found_and_where_it_is(
    house: House, client: httpx.AsyncClient
) -> None:
    answer = await client.get("/api/v1/search", params={"q": "yela"}, headers=house.token(Role.OPERATOR))
    assert answer.json() == {"q": "yela", "groups": [], "behind": 0}
    answer = await client.get("/api/v1/search", params={"q": "yilvjian"}, headers=house.token(Role.OPERATOR))
    (group,) = answer.json()["groups"]
    assert group["name"] == {"zh": "企业", "en": "enterprise"}
    assert group["items"] == [
        {
            "kind": "enterprise",
            "id": "bravo",
            "title": {"zh": "乙氯碱厂", "en": "Bravo"},
            "enterprise": "bravo",
            "link": "/api/v1/registry/enterprise/bravo",
            "matched": {"how": "sound", "field": "name_zh", "text": "乙氯碱厂", "begin": 0, "end": 3},
        }
    ]


OF_BRAVO = (
    "乙氯碱", "yilvjian", "yljc", "bravo", "gd-1", "GD", "氯气检测器", "lvqi", "未检定", "wjd", "d1", "00aa9", HIDDEN,
    "d2", "无主",
)  # fmt: skip


async def test_an_enterprise_learns_nothing_of_another(house: House, client: httpx.AsyncClient) -> None:
    acme, operator = house.token(Role.ENTERPRISE, ACME), house.token(Role.OPERATOR)
    absent = (await client.get("/api/v1/search", params={"q": "qqqq"}, headers=acme)).json()
    for typed in OF_BRAVO:
        answer = await client.get("/api/v1/search", params={"q": typed}, headers=acme)
        assert answer.json() == {**absent, "q": typed}
        assert await found(client, operator, q=typed), "it is there for who may see it"


@pytest.mark.parametrize("scope", [BRAVO, DISTRICT])
async def test_who_has_it_and_whose_district_it_is_find_it_and_not_the_rest(
    house: House, client: httpx.AsyncClient, scope: Scope
) -> None:
    headers = house.token(Role.ENTERPRISE, scope)
    assert await found(client, headers, q="gd-1") == ["tag/GD-1", f"alarm/{HIDDEN}"]
    assert await found(client, headers, q="未检定") == ["danger/d1"]
    assert await found(client, headers, q="液氯") == ["chemical/7782-50-5"]
    for typed in ("t0001", "t-1", "甲化工", "腐蚀", "00aa1"):
        assert await found(client, headers, q=typed) == [], typed
    told = await client.get("/api/v1/search", params={"q": "gd-1"}, headers=headers)
    assert told.json()["behind"] is None, "how much others write is theirs"


async def test_kinds_and_limit_narrow_it(house: House, client: httpx.AsyncClient) -> None:
    headers = house.token(Role.OPERATOR)
    assert await found(client, headers, q="gd-1", kinds="alarm") == [f"alarm/{HIDDEN}"]
    assert await found(client, headers, q="甲", kinds=["enterprise", "danger"]) == ["enterprise/acme"]
    answer = await client.get("/api/v1/search", params={"q": "00aa", "limit": 1}, headers=headers)
    (group,) = answer.json()["groups"]
    assert (len(group["items"]), group["more"]) == (1, True)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, "q"), ({"q": ""}, "q"), ({"q": "  "}, "q"), ({"q": "\x00"}, "q"), ({"q": "a" * 1000}, "q"),
        ({"q": "a", "kinds": "secret"}, "kinds"), ({"q": "a", "limit": 0}, "limit"), ({"q": "a", "x": "1"}, "x"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_said_to(
    house: House, client: httpx.AsyncClient, query: dict[str, Any], names: str
) -> None:
    answer = await client.get("/api/v1/search", params=query, headers=house.token(Role.VIEWER))
    assert answer.status_code == 422
    assert f"{names}:" in answer.json()["detail"] or answer.json()["errors"][0]["parameter"].startswith(names)


async def test_who_is_not_signed_in_finds_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/search", params={"q": "a"})).status_code == 401


async def test_a_hidden_danger_is_found_once_it_is_reported(house: House, client: httpx.AsyncClient) -> None:
    place = house.world.place
    new = place.dangers.report(Found("排污阀堵塞", Source.SELF_CHECK, enterprise="acme"), EVERYTHING, By("ann"))
    while place.indexer.turn():
        pass
    assert await found(client, house.token(Role.ENTERPRISE, ACME), q="paiwufa") == [f"danger/{new.id}"]
    assert await found(client, house.token(Role.ENTERPRISE, BRAVO), q="paiwufa") == []


async def test_every_link_leads_to_what_was_found(house: House, client: httpx.AsyncClient) -> None:
    headers = house.token(Role.OPERATOR)
    links = set()
    for typed in BOX:
        for group in (await client.get("/api/v1/search", params={"q": typed}, headers=headers)).json()["groups"]:
            links |= {one["link"] for one in group["items"]}
    assert len(links) > 8
    for link in links:
        assert (await client.get(link, headers=headers)).status_code == 200, link
