from __future__ import annotations

import random

import httpx
import pytest

from tests.gateway.api.world import T0, World


async def ids(client: httpx.AsyncClient, **query: object) -> list[str]:
    response = await client.get("/api/v1/alarms", params=query)  # type: ignore[arg-type]  # lists are fine with httpx
    assert response.status_code == 200, response.text
    return [one["alarm_id"] for one in response.json()["items"]]


@pytest.fixture
def some(world: World) -> None:
    """Four alarms that differ in everything."""
    world.raise_alarm("red", tier=1, raised_ms=T0)
    world.raise_alarm("blue", tier=4, condition="STALE", raised_ms=T0 + 5, limit=None, value=None)
    world.raise_alarm("gas", "GD-1", tier=2, condition="H", raised_ms=T0 + 3, delayed=True)
    old = world.raise_alarm("old", "TRUCK-1.SPEED", tier=1, condition="H", raised_ms=T0 - 9)
    world.clear_alarm(old)


@pytest.mark.usefixtures("some")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["red", "old", "gas", "blue"]),
        ({"sort": "time"}, ["blue", "gas", "red", "old"]),
        ({"state": "active"}, ["red", "gas", "blue"]),
        ({"state": "cleared"}, ["old"]),
        ({"tier": [1, 2]}, ["red", "old", "gas"]),
        ({"tier": 1, "state": "active"}, ["red"]),
        ({"hazard_unit": "cl2"}, ["gas"]),
        ({"vessel": "T-1"}, ["red", "blue"]),
        ({"tag": "T-1.LEVEL"}, ["red", "blue"]),
        ({"tag": "T-1.LEVEL", "sort": "time"}, ["blue", "red"]),
        ({"tag": "T-1.LEVEL", "tier": 4, "state": "active"}, ["blue"]),
        ({"condition": ["H", "STALE"]}, ["old", "gas", "blue"]),
        ({"edge": "edge-b"}, []),
        ({"delayed": "true"}, ["gas"]),
        ({"from": T0, "to": T0 + 5, "sort": "time"}, ["gas", "red"]),
    ],
)
async def test_alarms_are_filtered_and_sorted(
    client: httpx.AsyncClient, query: dict[str, object], found: list[str]
) -> None:
    assert await ids(client, **query) == found


@pytest.mark.parametrize("sort", ["tier", "time"])
@pytest.mark.parametrize("only", [{}, {"state": "active"}, {"tag": "T-1.LEVEL"}])
async def test_pages_neither_repeat_nor_skip_while_new_alarms_arrive(
    world: World, client: httpx.AsyncClient, sort: str, only: dict[str, str]
) -> None:
    chance = random.Random(7)
    before = [
        world.raise_alarm(f"a{i:03}", tier=chance.randint(1, 4), raised_ms=T0 + chance.randint(0, 20))
        for i in range(60)
    ]
    seen: list[str] = []
    cursor: str | None = None
    page = 0
    while True:
        query: dict[str, str | int] = {"sort": sort, "limit": 7, **only}
        if cursor is not None:
            query["cursor"] = cursor
        body = (await client.get("/api/v1/alarms", params=query)).json()
        seen += [one["alarm_id"] for one in body["items"]]
        cursor = body["next_cursor"]
        if cursor is None:
            break
        page += 1
        world.raise_alarm(f"new{page:03}", tier=1 + page % 4, raised_ms=T0 + 1000 + page)

    def order(row: dict[str, int | str]) -> tuple[int, ...]:
        return (int(row["tier"]), -int(row["raised_ms"])) if sort == "tier" else (-int(row["raised_ms"]),)

    asked = {row["alarm_id"] for row in before}
    assert len(seen) == len(set(seen))
    assert asked <= set(seen)
    rank = {row["alarm_id"]: order(row) for row in before}
    kept = [rank[one] for one in seen if one in rank]
    assert kept == sorted(kept)


async def test_a_cursor_serves_only_the_question_that_gave_it(world: World, client: httpx.AsyncClient) -> None:
    for i in range(3):
        world.raise_alarm(f"a{i}", raised_ms=T0 + i)
    cursor = (await client.get("/api/v1/alarms", params={"limit": 1})).json()["next_cursor"]
    for query in ({"sort": "time"}, {"state": "active"}):
        response = await client.get("/api/v1/alarms", params={"cursor": cursor, **query})
        assert response.status_code == 422
        assert response.json()["errors"][0]["parameter"] == "cursor"


async def test_an_alarm_tells_its_whole_story_in_both_languages(world: World, client: httpx.AsyncClient) -> None:
    world.raise_alarm("one")
    found = (await client.get("/api/v1/alarms/one")).json()
    assert found["message"] == {"zh": "1号罐液位 高高报警 9.5 m ≥ 9 m", "en": "Tank 1 level HIGH HIGH 9.5 m ≥ 9 m"}
    assert found["hazard_unit_name"]["en"] == "Methanol tank farm"
    assert found["vessel_name"]["zh"] == "1号罐"
    assert found["chemical"] == {"zh": "甲醇", "en": "methanol"}
    assert (found["limit"], found["unit"], found["deadband"]) == (9.0, "m", 0.25)


async def test_numbers_of_an_alarm_are_in_the_unit_of_the_tag(world: World, client: httpx.AsyncClient) -> None:
    world.raise_alarm("p", "PLAIN.PRESS", condition="H", value=1250.0, limit=1200.0, deadband=100.0)
    found = (await client.get("/api/v1/alarms/p")).json()
    assert (found["value"], found["limit"], found["deadband"], found["unit"]) == (1.25, 1.2, 0.1, "MPa")
    assert (found["canonical_value"], found["canonical_limit"], found["canonical_unit"]) == (1250.0, 1200.0, "kPa")


async def test_an_alarm_of_a_tag_the_plant_no_longer_has_is_still_told(world: World, client: httpx.AsyncClient) -> None:
    world.raise_alarm("gone", "OLD.TAG")
    found = (await client.get("/api/v1/alarms/gone")).json()
    assert found["tag_known"] is False
    assert found["message"]["en"] == "OLD.TAG HIGH HIGH 9.5 ≥ 9"
    assert (await client.get("/api/v1/alarms/gone/timeline")).status_code == 200


async def test_the_timeline_lists_every_event(world: World, client: httpx.AsyncClient) -> None:
    world.clear_alarm(world.raise_alarm("one"), T0 + 60_000)
    world.raise_alarm("other")
    found = (await client.get("/api/v1/alarms/one/timeline")).json()
    assert [(one["kind"], one["at_ms"], one["version"]) for one in found["events"]] == [
        ("raised", T0, 1),
        ("cleared", T0 + 60_000, 2),
    ]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"state": "open"}, "state"),
        ({"tier": "5"}, "tier.0"),
        ({"tier": "red"}, "tier.0"),
        ({"condition": "HHH"}, "condition.0"),
        ({"delayed": "maybe"}, "delayed"),
        ({"from": "noon"}, "from"),
        ({"from": "10", "to": "5"}, "from"),
        ({"sort": "colour"}, "sort"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"cursor": "%%%"}, "cursor"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"unit": "cl2"}, "unit"),
    ],
)
async def test_what_makes_no_sense_is_named(client: httpx.AsyncClient, query: dict[str, str], parameter: str) -> None:
    response = await client.get("/api/v1/alarms", params=query)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == 422
    assert [one["parameter"] for one in problem["errors"]] == [parameter]
    assert all(one["found"] in query.values() and one["allowed"] for one in problem["errors"])


async def test_several_mistakes_are_reported_together(client: httpx.AsyncClient) -> None:
    problem = (await client.get("/api/v1/alarms", params={"state": "x", "limit": "y", "sort": "z"})).json()
    assert {one["parameter"] for one in problem["errors"]} == {"state", "limit", "sort"}


@pytest.mark.parametrize("path", ["/api/v1/alarms/none", "/api/v1/alarms/none/timeline", "/api/v1/tags/NONE"])
async def test_what_does_not_exist_is_named(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    error = response.json()["errors"][0]
    assert error["found"].lower() == "none"
    assert error["allowed"]
