"""The registry over HTTP: what there is and was, who may write what, who answers, what is due."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.access.roles import Role
from gateway.api.registry import KindName
from gateway.commands import By
from gateway.registry.kinds import KINDS
from gateway.registry.titles import TITLES
from tests.gateway.api.people import ACME, BRAVO, DISTRICT, EVERYTHING, House, make_house
from tests.gateway.api.world import T0, client_of

R = "/api/v1/registry"
DAY_MS = 86_400_000


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    for house in make_house(tmp_path):
        house.world.healthy()
        house.world.place.uptake.turn()
        yield house


class Asking:
    """Asks in somebody's name."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self.client = client
        self.headers = headers

    async def get(self, path: str, **query: object) -> httpx.Response:
        params = {name: str(value) for name, value in query.items()}
        return await self.client.get(path, headers=self.headers, params=params)

    async def ids(self, kind: str, **query: object) -> list[str]:
        answer = await self.get(f"{R}/{kind}", **query)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]

    async def put(self, kind: str, name: str, expected: int = 0, **body: object) -> httpx.Response:
        said = {"expected": expected, "why": "test", "body": {"name_zh": name, **body}}
        return await self.client.put(f"{R}/{kind}/{name}", headers=self.headers, json=said)

    async def remove(self, kind: str, name: str, expected: int = 1) -> httpx.Response:
        params = {"expected": str(expected), "why": "test"}
        return await self.client.delete(f"{R}/{kind}/{name}", headers=self.headers, params=params)


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(house.world.api()) as client:
        yield client


@pytest.fixture
def whole(house: House, client: httpx.AsyncClient) -> Asking:
    return Asking(client, house.token(Role.ENGINEER, EVERYTHING))


@pytest.fixture
def acme(house: House, client: httpx.AsyncClient) -> Asking:
    return Asking(client, house.token(Role.ENTERPRISE, ACME))


@pytest.fixture
def bravo(house: House, client: httpx.AsyncClient) -> Asking:
    return Asking(client, house.token(Role.ENTERPRISE, BRAVO))


def faults(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {one["parameter"]: one["allowed"] for one in answer.json()["errors"]}


def test_the_kinds_of_the_api_are_those_of_the_registry_and_all_fields_have_a_title() -> None:
    assert [one.value for one in KindName] == list(KINDS)
    assert {name for kind in KINDS.values() for name in kind.model.model_fields} == set(TITLES)


async def test_a_record_is_written_read_changed_and_ended(house: House, whole: Asking) -> None:
    assert (await whole.put("post", "acme-chief", enterprise="acme", duties="all")).json()["version"] == 1
    house.world.clock.now_ms += 1000
    changed = await whole.put("post", "acme-chief", 1, enterprise="acme", duties="most")
    assert changed.json()["version"] == 2
    again = await whole.put("post", "acme-chief", 2, enterprise="acme", duties="most")
    assert again.json()["version"] == 2, "the same again is no new version"
    assert (await whole.put("post", "acme-chief", 1, enterprise="acme")).status_code == 409
    house.world.clock.now_ms += 1000
    assert (await whole.remove("post", "acme-chief", 2)).json()["gone"] is True
    assert (await whole.get(f"{R}/post/acme-chief")).status_code == 404
    then = (await whole.get(f"{R}/post/acme-chief", at_ms=T0 + 500)).json()
    assert (then["version"], then["body"]["duties"]) == (1, "all")
    assert await whole.ids("post") == []
    assert await whole.ids("post", at_ms=T0 + 1000) == ["acme-chief"]
    history = (await whole.get(f"{R}/post/acme-chief/history")).json()["items"]
    assert [(one["version"], one["why"], one["gone"]) for one in history] == [
        (1, "test", False),
        (2, "test", False),
        (3, "test", True),
    ]
    assert [(c["field"], c["before"], c["after"]) for c in history[1]["changes"]] == [("duties", "all", "most")]
    assert {c["after"] for c in history[2]["changes"]} == {None}


async def test_every_fault_of_a_record_is_told_at_once(whole: Asking) -> None:
    found = faults(await whole.put("vessel", "T-9", shape="cube", hazard_unit="nowhere", capacity_m3=-1, colour="red"))
    assert set(found) == {"shape", "capacity_m3", "colour", "enterprise"}
    assert "其中之一" in found["shape"]
    assert "不小于 0" in found["capacity_m3"]
    missing = faults(await whole.put("vessel", "T-9", shape="sphere", hazard_unit="nowhere", enterprise="acme"))
    assert list(missing) == ["hazard_unit"]


async def test_enterprise_and_district_are_those_of_what_it_is_part_of(whole: Asking) -> None:
    made = (await whole.put("vessel", "T-9", shape="sphere", hazard_unit="cl2")).json()
    assert (made["enterprise"], made["district"], made["parent"]) == ("bravo", "370305", "cl2")
    wrong = faults(await whole.put("vessel", "T-8", shape="sphere", hazard_unit="cl2", enterprise="acme"))
    assert list(wrong) == ["hazard_unit"]
    alone = (await whole.put("post", "p", enterprise="bravo")).json()
    assert alone["district"] == "370305"


async def test_districts_are_part_of_a_level_above_and_never_of_themselves(whole: Asking) -> None:
    assert (await whole.put("district", "3703", level="city")).status_code == 200
    assert (await whole.put("district", "370305", 1, level="district", parent="3703")).status_code == 200
    assert (await whole.put("district", "370305001", level="town", parent="370305")).status_code == 200
    for name, level, parent, expected in (
        ("370305", "district", "370305", 2),
        ("370305", "district", "370305001", 2),
        ("3703", "city", "370305001", 1),
        ("3703", "town", "", 1),
        ("x", "town", "3703-none", 0),
    ):
        assert "parent" in faults(await whole.put("district", name, expected, level=level, parent=parent))


async def test_figures_of_districts_count_what_is_below(whole: Asking, bravo: Asking) -> None:
    await whole.put("district", "3703", level="city")
    await whole.put("district", "370305", 1, level="district", parent="3703")
    answer = await whole.get("/api/v1/districts/roll-up")
    assert answer.status_code == 200, answer.text
    told = {one["district"]: one for one in answer.json()["items"]}
    assert told["3703"]["itself"] == {"enterprise": 0, "site": 0, "hazard-unit": 0, "vessel": 0}
    assert told["3703"]["with_below"]["hazard-unit"] == 1
    assert told["370304"]["itself"]["hazard-unit"] == 1
    assert await whole.ids("hazard-unit", district="3703") == ["cl2"]
    seen = {one["district"] for one in (await bravo.get("/api/v1/districts/roll-up")).json()["items"]}
    assert seen == {"3703", "370305"}


async def test_what_others_refer_to_cannot_end(whole: Asking) -> None:
    await whole.put("person", "acme-li", enterprise="acme", phone="1")
    duty = {"enterprise": "acme", "hazard_unit": "meoh", "role": "principal", "person": "acme-li"}
    said = {"expected": 0, "body": duty}
    await whole.client.put(f"{R}/responsibility/acme-d1", headers=whole.headers, json=said)
    for kind, name, by in (
        ("person", "acme-li", "acme-d1"),
        ("hazard-unit", "meoh", "T-1"),
        ("enterprise", "bravo", "cl2"),
    ):
        refused = await whole.remove(kind, name)
        assert refused.status_code == 409
        assert by in refused.json()["detail"]
    assert (await whole.remove("responsibility", "acme-d1")).status_code == 200
    assert (await whole.remove("person", "acme-li")).status_code == 200


# --- scope ------------------------------------------------------------------------------------------------------------


async def test_one_enterprise_learns_nothing_of_another_and_writes_nothing_there(whole: Asking, acme: Asking) -> None:
    await whole.put("person", "bravo-wang", enterprise="bravo", phone="13800000000")
    assert await acme.ids("enterprise") == ["acme"]
    assert await acme.ids("person") == []
    assert await acme.ids("tag", q="GD") == []
    assert await acme.ids("vessel", enterprise="bravo") == []
    for path in (f"{R}/person/bravo-wang", f"{R}/person/bravo-wang/history", f"{R}/hazard-unit/cl2/responsible"):
        hidden, absent = await acme.get(path), await acme.get(path.replace("bravo-wang", "nobody").replace("cl2", "no"))
        assert hidden.status_code == absent.status_code == 404
        assert hidden.json()["detail"].replace("bravo-wang", "nobody").replace("cl2", "no") == absent.json()["detail"]
    assert (await acme.remove("person", "bravo-wang")).status_code == 404
    assert "enterprise" in faults(await acme.put("person", "bravo-zhao", enterprise="bravo"))
    for taken, free in (("bravo-wang", "bravo-nobody"),):
        answers = [await acme.put("person", name, enterprise="acme") for name in (taken, free)]
        told = [answer.text.replace(taken, "X").replace(free, "X") for answer in answers]
        assert told[0] == told[1]
        assert "id" in faults(answers[0])
    hidden, absent = [
        await acme.put("vessel", "acme-v", shape="sphere", enterprise="acme", hazard_unit=unit)
        for unit in ("cl2", "xyz")
    ]
    assert hidden.text.replace("cl2", "xyz") == absent.text


async def test_an_enterprises_account_writes_its_own_under_ids_that_begin_with_its_name(acme: Asking) -> None:
    assert (await acme.put("person", "acme-li", enterprise="acme")).status_code == 200
    assert (await acme.put("person", "acme.wu", enterprise="acme")).status_code == 200
    assert "id" in faults(await acme.put("person", "li", enterprise="acme"))
    unit = (await acme.get(f"{R}/hazard-unit/meoh")).json()
    changed = {"expected": 1, "body": {**unit["body"], "exposed_people": 12}}
    answer = await acme.client.put(f"{R}/hazard-unit/meoh", headers=acme.headers, json=changed)
    assert answer.json()["body"]["exposed_people"] == 12
    moved = {"expected": 2, "body": {**unit["body"], "enterprise": "bravo", "site": ""}}
    assert (await acme.client.put(f"{R}/hazard-unit/meoh", headers=acme.headers, json=moved)).status_code == 422
    assert (await acme.put("enterprise", "acme-2")).status_code == 422
    assert (await acme.put("district", "9", level="city")).status_code == 422
    assert (await acme.put("chemical", "67-56-1")).status_code == 422


async def test_ids_that_begin_with_an_enterprises_name_are_that_enterprises(whole: Asking) -> None:
    assert "id" in faults(await whole.put("person", "acme-spy", enterprise="bravo"))
    assert "id" in faults(await whole.put("enterprise", "acme-2"))
    assert (await whole.put("person", "zulu-1", enterprise="bravo")).status_code == 200
    assert "id" in faults(await whole.put("enterprise", "zulu"))


async def test_whose_district_it_is_sees_it(house: House, client: httpx.AsyncClient) -> None:
    regulator = Asking(client, house.token(Role.REGULATOR, DISTRICT))
    assert await regulator.ids("hazard-unit") == ["cl2"]
    assert await regulator.ids("enterprise") == ["bravo"]


async def test_differences_are_for_who_sees_everything(whole: Asking, acme: Asking) -> None:
    assert (await whole.get(f"{R}/differences")).json() == {"items": [], "next_cursor": None}
    assert (await acme.get(f"{R}/differences")).status_code == 403


async def test_pages_lead_on_only_in_their_own_question(whole: Asking) -> None:
    first = (await whole.get(f"{R}/tag", limit=2)).json()
    rest = (await whole.get(f"{R}/tag", limit=1000, cursor=first["next_cursor"])).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == await whole.ids("tag")
    assert rest["next_cursor"] is None
    assert (await whole.get(f"{R}/vessel", cursor=first["next_cursor"])).status_code == 422


# --- what is due ------------------------------------------------------------------------------------------------------


async def test_a_duty_is_overdue_the_day_after_its_period_and_done_again(
    house: House, client: httpx.AsyncClient
) -> None:
    lasting = house.sessions.make_token("lasting", Role.ENGINEER, EVERYTHING, 90, By("test"))
    whole = Asking(client, {"Authorization": f"Bearer {lasting}"})
    today = (await whole.get(f"{R}/expiring")).json()["today"]
    await whole.put("person", "acme-li", enterprise="acme", phone="13800000000")
    body = {"hazard_unit": "meoh", "role": "technical", "person": "acme-li", "every_days": 7, "done_on": today}
    said = {"expected": 0, "body": body}
    await whole.client.put(f"{R}/responsibility/acme-d", headers=whole.headers, json=said)

    async def told() -> dict[str, Any]:
        answer = (await whole.get(f"{R}/hazard-unit/meoh/responsible")).json()
        assert answer["missing"] == ["principal", "operating"]
        one: dict[str, Any] = answer["items"][0]
        return one

    assert ((await told())["name"], (await told())["phone"]) == ("acme-li", "13800000000")
    house.world.clock.now_ms += 7 * DAY_MS
    assert (await told())["overdue"] is False
    house.world.clock.now_ms += DAY_MS
    assert (await told())["overdue"] is True
    doing = f"{R}/responsibility/acme-d/done"
    late = await whole.client.post(doing, headers=whole.headers, json={"version": 1, "done_on": "2999-01-01"})
    assert "done_on" in faults(late)
    done = await whole.client.post(doing, headers=whole.headers, json={"version": 1, "why": "round made"})
    assert (done.json()["overdue"], done.json()["version"]) == (False, 2)


async def test_what_expires_is_listed_the_longest_expired_first(whole: Asking, acme: Asking) -> None:
    await whole.put("document", "acme-sds", enterprise="acme", sort="sds", valid_until="2027-01-01")
    await whole.put("document", "acme-plan", enterprise="acme", sort="plan", valid_until="2027-01-20")
    await whole.put("document", "acme-far", enterprise="acme", sort="plan", valid_until="2033-01-20")
    await whole.put("document", "acme-good", enterprise="acme", sort="plan")
    await whole.put("person", "bravo-w", enterprise="bravo", certificate_until="2026-05-05")
    listed = (await whole.get(f"{R}/expiring", days=30)).json()
    assert listed["today"] == "2027-01-15"
    told = [(one["id"], one["expired"]) for one in listed["items"]]
    assert told == [("bravo-w", True), ("acme-sds", True), ("acme-plan", False)]
    assert [one["id"] for one in (await acme.get(f"{R}/expiring")).json()["items"]] == ["acme-sds", "acme-plan"]
    first = (await whole.get(f"{R}/expiring", limit=1)).json()
    second = (await whole.get(f"{R}/expiring", limit=5, cursor=first["next_cursor"])).json()
    assert [one["id"] for one in first["items"] + second["items"]] == ["bravo-w", "acme-sds", "acme-plan"]
