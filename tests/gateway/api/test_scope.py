"""Who may see a part learns nothing of the rest: not by list, count, name, event or error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.access.roles import Role, Scope
from gateway.api import feed as feed_module
from gateway.api import stream as stream_module
from gateway.commands import By
from tests.gateway.api.people import ACME, BRAVO, DISTRICT, EVERYTHING, House, make_house
from tests.gateway.api.world import Sse, client_of, served, stream

HIDDEN = ("GD-1", "cl2", "Chlorine", "液氯", "氯气", "7782-50-5", "hidden-alarm")
"""What says that there is a chlorine store."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    for house in make_house(tmp_path):
        house.world.healthy(samples_per_s=12.5, samples=4711)
        house.world.register()
        house.world.show(**{"T-1__LEVEL": 9.5, "GD-1": 0.5})
        house.world.raise_alarm("own-alarm", tier=2)
        house.world.raise_alarm("hidden-alarm", "GD-1")
        house.world.clear_alarm(house.world.raise_alarm("hidden-alarm-2", "GD-1"))
        yield house


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(house.world.api()) as client:
        yield client


@pytest.mark.parametrize(
    "path",
    [
        "/", "/basic", "/api/v1/plant", "/api/v1/tags", "/api/v1/tags?q=GD", "/api/v1/alarms", "/api/v1/edges",
        "/api/v1/alarms?state=cleared", "/api/v1/alarms?hazard_unit=cl2", "/api/v1/edges/edge-a/local-alarms",
        "/api/v1/inhibitions", "/api/v1/health",
    ],
)  # fmt: skip
async def test_no_answer_names_what_is_hidden(house: House, client: httpx.AsyncClient, path: str) -> None:
    local = {"edge": "edge-a", "condition": "H", "tier": 1, "state": "active", "onset_ms": 1, "raised_ms": 1}
    more = {"cleared_ms": None, "value": 1.0, "limit": 0.5, "cut": False, "received_ms": 1}
    house.world.put(
        "local_alarm", *({**local, **more, "alarm_id": f"l-{tag}", "tag": tag} for tag in ("GD-1", "T-1.LEVEL"))
    )
    answer = await client.get(path, headers=house.token(Role.ENTERPRISE, ACME))
    assert answer.status_code == 200
    said = answer.text.replace("hazard_unit=cl2", "")
    assert [one for one in HIDDEN if one in said] == []
    everything = await client.get(path, headers=house.token(Role.OPERATOR))
    if "inhibitions" not in path and "health" not in path and path != "/api/v1/edges":
        assert any(one in everything.text for one in HIDDEN), "it is there for who may see it"


@pytest.mark.parametrize("scope", [BRAVO, DISTRICT])
async def test_who_runs_the_store_and_whose_district_it_is_see_it_alone(
    house: House, client: httpx.AsyncClient, scope: Scope
) -> None:
    headers = house.token(Role.ENTERPRISE, scope)
    tags = (await client.get("/api/v1/tags", headers=headers)).json()["items"]
    assert [one["tag"] for one in tags] == ["GD-1"]
    plant = (await client.get("/api/v1/plant", headers=headers)).json()
    assert [one["hazard_unit"] for one in plant["hazard_units"]] == ["cl2"]
    assert (plant["vessels"], plant["vehicles"], plant["tags"]) == ([], [], 1)
    alarms = (await client.get("/api/v1/alarms", headers=headers)).json()["items"]
    assert {one["alarm_id"] for one in alarms} == {"hidden-alarm", "hidden-alarm-2"}


@pytest.mark.parametrize(
    ("path", "absent"),
    [
        ("/api/v1/tags/GD-1", "/api/v1/tags/XX-9"),
        ("/api/v1/tags/GD-1/history", "/api/v1/tags/XX-9/history"),
        ("/api/v1/alarms/hidden-alarm", "/api/v1/alarms/absent"),
        ("/api/v1/alarms/hidden-alarm/timeline", "/api/v1/alarms/absent/timeline"),
        ("/api/v1/tags?hazard_unit=cl2", "/api/v1/tags?hazard_unit=none"),
    ],
)
async def test_what_is_hidden_answers_like_what_does_not_exist(
    house: House, client: httpx.AsyncClient, path: str, absent: str
) -> None:
    headers = house.token(Role.ENTERPRISE, ACME)
    hidden, none = await client.get(path, headers=headers), await client.get(absent, headers=headers)

    def shape(answer: httpx.Response) -> tuple[int, str, list[Any]]:
        body = answer.json()
        return answer.status_code, body["type"], [(one["parameter"], one["allowed"]) for one in body["errors"]]

    assert shape(hidden) == shape(none)
    assert hidden.status_code in {404, 422}


async def test_the_stream_tells_of_the_part_only(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "BEAT_S", 0.05)
    world = house.world
    mine, all_ = house.token(Role.ENTERPRISE, ACME), house.token(Role.OPERATOR, EVERYTHING)
    async with (
        served(world.api()) as (address, _),
        stream(address, headers=mine) as part,
        stream(address, headers=all_) as everything,
    ):
        first = (await part.next("snapshot"))["data"]
        assert [one["alarm_id"] for one in first["alarms"]] == ["own-alarm"]
        assert first["cleared"] == []
        assert first["active_by_tier"] == {"1": 0, "2": 1, "3": 0, "4": 0}
        assert "GD-1" not in first["values"]["tags"]
        assert (first["health"]["samples"], first["health"]["samples_per_s"]) == (0, 0.0)
        assert len((await everything.next("snapshot"))["data"]["alarms"]) == 2
        world.raise_alarm("hidden-too", "GD-1", tell=True)
        world.clock.now_ms += 1000
        world.show(**{"GD-1": 0.7})
        assert (await everything.next("alarm"))["data"]["alarm"]["alarm_id"] == "hidden-too"
        assert (await everything.next("values"))["data"]["tags"] == ["GD-1"]
        world.raise_alarm("own-too", "T-1.TEMP", tell=True)
        assert (await everything.next("alarm"))["data"]["alarm"]["alarm_id"] == "own-too"
        seen = [await _until_alarm(part)]
        assert seen[0]["data"]["alarm"]["alarm_id"] == "own-too"
        while not (tick := (await part.next("tick"))["data"])["active_by_tier"]:
            pass
        assert tick["active_by_tier"]["2"] == 1
        assert [one["report"] for one in tick["edges"]] == [None, None]


async def _until_alarm(events: Sse) -> dict[str, Any]:
    while (event := await events.next())["event"] != "alarm":
        assert "GD-1" not in str(event)
    return event


async def test_what_was_missed_is_the_part_too(house: House) -> None:
    async with (
        served(house.world.api()) as (address, _),
        stream(address, last_event_id=0, headers=house.token(Role.REGULATOR, DISTRICT)) as events,
    ):
        missed = [(await events.next()) for _ in range(4)]
        assert [one["event"] for one in missed] == ["alarm", "alarm", "alarm", "values"]
        assert {one["data"]["alarm"]["tag"] for one in missed[:3]} == {"GD-1"}


async def test_a_stream_ends_with_what_allowed_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "BEAT_S", 0.05)
    headers = house.token(Role.VIEWER)
    async with served(house.world.api()) as (address, _), stream(address, headers=headers) as events:
        await events.next("snapshot")
        house.world.clock.now_s += stream_module.CHECK_S
        await events.next("tick")
        house.world.clock.now_s += stream_module.CHECK_S
        await events.next("tick")
        house.sessions.end_token("m0", By("admin"))
        house.world.clock.now_s += stream_module.CHECK_S
        await events.end()
