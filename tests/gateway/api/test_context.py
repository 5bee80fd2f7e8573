"""One call tells everything around an alarm; what fails or is hidden takes nothing from the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.duty.model import Duty, Person
from config.duty.model import Role as DutyRole
from config.plant.load import read_plant
from gateway.access.roles import Role, Scope
from gateway.errors import HistoryError
from gateway.story.plan import PARTS, Parts
from gateway.story.teller import AlarmContext, Teller
from gateway.story.telling import PartKind, Said
from tests.gateway.api.people import ACME, BRAVO, TWO_ENTERPRISES, House, make_house
from tests.gateway.api.world import T0, World, client_of, make_world
from tests.support.town import register_town, write

WEATHER = """\
  MET-1.WIND_SPEED:
    {description: {zh: "风速", en: "Wind speed"}, kind: other, quantity: speed, unit: m/s,
    range: [0, 60], period: 1s, edge: edge-b}
  MET-1.WIND_FROM:
    {description: {zh: "风向", en: "Wind from"}, kind: other, quantity: number, unit: "1",
    range: [0, 360], period: 1s, edge: edge-b}
"""
STATION = read_plant(TWO_ENTERPRISES + WEATHER, "weather.yaml")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    for one in make_world(tmp_path, STATION):
        one.healthy()
        one.register()
        one.show(**{"T-1__LEVEL": 9.5, "T-1__TEMP": 20.0, "GD-1": 0.5})
        register_town(one.place.registry)
        yield one


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(world.api()) as one:
        yield one


async def told(client: httpx.AsyncClient, alarm_id: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    answer = await client.get(f"/api/v1/alarms/{alarm_id}/context", headers=headers)
    assert answer.status_code == 200, answer.text
    AlarmContext.model_validate_json(answer.content)
    parts: dict[str, Any] = answer.json()["parts"]
    return parts


def test_every_part_has_its_place_in_the_answer() -> None:
    assert list(PARTS) == list(Parts.model_fields)


async def test_every_part_of_a_full_place(world: World, client: httpx.AsyncClient) -> None:
    world.clock.now_ms = T0 + 60_000
    world.raise_alarm("a1")
    parts = await told(client, "a1")
    unsaid = {name for name, part in parts.items() if part["content"] is None}
    assert all((part["reason"] is None) == (part["state"] == "ok") for part in parts.values())
    tag = parts["tag"]["content"]
    assert (tag["now"]["latest"]["value"], tag["value_at_onset"], tag["calibration_due"]) == (9.5, 9.5, "2027-05-01")
    place = parts["place"]["content"]
    assert place["enterprise"]["name"] == {"zh": "测试化工有限公司", "en": "Test Chemicals"}
    assert place["enterprise"]["phone"] == "0533-1"
    assert (place["hazard_unit"]["exposed_people"], place["vessel"]["design_max_t"]) == (60, 70)
    assert (place["latitude_deg"], place["longitude_deg"]) == (36.85, 118.05)
    (person,) = parts["people"]["content"]["responsible"]
    assert (person["name"]["zh"], person["phone"], person["post"]) == ("张三", "13800000001", "罐区操作")
    assert (person["overdue"], person["on_duty"]) == (True, None)
    substance = parts["substance"]["content"]
    assert substance["hazards"] == ["H225", "H331"]
    assert substance["distances"]["protect_night_m"] == 500
    assert substance["distances"]["source"] == "ERG 2020, guide 131"
    assert substance["guidance"]["disposal"] == "切断火源，泡沫覆盖"
    assert substance["limits"]["twa_mg_m3"] == 25
    (paper,) = parts["papers"]["content"]["items"]
    assert (paper["name"]["zh"], paper["expired"]) == ("甲醇罐区应急预案", True)
    near = parts["resources"]["content"]["items"]
    assert [one["id"] for one in near] == ["bravo.team", "fire-1", "foam-2"]
    assert near[1]["distance_m"] == pytest.approx(1_112, rel=0.01)
    assert unsaid <= {"inhibited", "weather", "dangers", "permits", "risks", "commitment", "standing"}


async def test_who_is_on_duty_is_known_by_account(world: World) -> None:
    zhang, li = Person("p1", "张三", "138", account="zhang"), Person("p2", "李四", "139")
    roles = {"duty": DutyRole("duty", people=("p1", "p2"))}
    world.duty = Duty(people={"p1": zhang, "p2": li}, roles=roles, channels={}, ladders={})
    world.raise_alarm("a1")
    async with client_of(world.api()) as client:
        people = (await told(client, "a1"))["people"]["content"]
    assert people["responsible"][0]["on_duty"] is True
    assert [(one["name"], one["phone"]) for one in people["on_duty"]] == [("张三", "138"), ("李四", "139")]


async def test_related_alarms_and_which_came_first(world: World, client: httpx.AsyncClient) -> None:
    hour_ms = 3_600_000
    world.raise_alarm("a1")
    world.raise_alarm("first", "T-1.TEMP", condition="H", tier=3, onset_ms=T0 - 9_000, raised_ms=T0 - 8_000)
    ended = world.raise_alarm("ended", condition="H", onset_ms=T0 - 5_000, raised_ms=T0 - 5_000)
    world.clear_alarm(ended, T0 - 1_000)
    old = world.raise_alarm("old", condition="H", raised_ms=T0 - 2 * hour_ms, onset_ms=T0 - 2 * hour_ms)
    world.clear_alarm(old, T0 - hour_ms)
    world.raise_alarm("stands", condition="L", raised_ms=T0 - 9 * hour_ms, onset_ms=T0 - 9 * hour_ms, tier=4)
    world.raise_alarm("elsewhere", "GD-1")
    related = (await told(client, "a1"))["related"]["content"]
    assert [one["alarm"]["alarm_id"] for one in related["items"]] == ["first", "stands", "ended"]
    assert [one["same_vessel"] for one in related["items"]] == [True] * 3
    assert related["first_out"] == "first"
    assert related["open"] == 3
    assert related["items"][0]["earlier_ms"] == 7_000


async def test_history_counts_the_same_tag_and_condition(world: World, client: httpx.AsyncClient) -> None:
    day_ms = 86_400_000
    for days in (1, 2, 29, 31):
        world.raise_alarm(f"before-{days}", raised_ms=T0 - days * day_ms, state="cleared", cleared_ms=T0)
    world.raise_alarm("other", condition="H", raised_ms=T0 - day_ms)
    world.raise_alarm("after", raised_ms=T0 + day_ms)
    world.raise_alarm("a1")
    history = (await told(client, "a1"))["history"]["content"]
    assert (history["times_30d"], history["at_least"]) == (4, False)
    assert [one["alarm_id"] for one in history["earlier"]] == ["before-1", "before-2", "before-29"]
    assert [one["kind"] for one in history["timeline"]] == ["raised"]


async def test_the_last_hour_of_the_tags_around(world: World, client: httpx.AsyncClient) -> None:
    world.raise_alarm("a1")
    world.history.rows = {0: [(T0 - 60_000, 9.0, 0), (T0 - 30_000, 9.4, 0)], 1: [(T0 - 4_000_000, 20.0, 0)]}
    trends = (await told(client, "a1"))["trends"]
    assert trends["state"] == "ok"
    first, second = trends["content"]["tags"]
    assert (first["tag"], first["minimum"], first["maximum"]) == ("T-1.LEVEL", [9.0], [9.4])
    assert (second["tag"], second["start_ms"]) == ("T-1.TEMP", [])


async def test_an_alarm_that_is_over_shows_the_hour_of_its_beginning(world: World, client: httpx.AsyncClient) -> None:
    world.clear_alarm(world.raise_alarm("a1"))
    world.clock.now_ms = T0 + 86_400_000
    content = (await told(client, "a1"))["trends"]["content"]
    assert (content["from_ms"], content["to_ms"]) == (T0 - 2_700_000, T0 + 900_000)


async def test_onset_before_there_was_a_history(world: World, client: httpx.AsyncClient) -> None:
    world.raise_alarm("a1", onset_ms=10, raised_ms=20)
    trends = (await told(client, "a1"))["trends"]
    assert trends["state"] == "partial"
    assert "nothing of this hour" in trends["reason"]["en"]


async def test_what_is_not_told_here(world: World, client: httpx.AsyncClient) -> None:
    world.raise_alarm("a1")
    row = {"condition": "H", "kind": "shelved", "since_ms": T0, "until_ms": T0 + 9, "reason": "检修", "permit": ""}
    more = {"rule": "", "by": "li", "ended_ms": None, "ended_by": None, "ended_why": None}
    world.put("inhibition", {"id": "i1", "tag": "T-1.TEMP", **row, **more}, {"id": "i2", "tag": "GD-1", **row, **more})
    content = (await told(client, "a1"))["inhibited"]["content"]
    assert [(one["inhibition_id"], one["reason"]) for one in content["items"]] == [("i1", "检修")]


async def test_weather_is_what_a_station_measures(world: World, client: httpx.AsyncClient) -> None:
    world.raise_alarm("a1")
    assert (await told(client, "a1"))["weather"]["state"] == "partial"
    world.show(**{"MET-1__WIND_SPEED": 18.0})
    weather = (await told(client, "a1"))["weather"]
    assert (weather["state"], weather["content"]["wind_m_s"], weather["content"]["wind_from_deg"]) == (
        "partial",
        5.0,
        None,
    )
    world.show(**{"MET-1__WIND_FROM": 270.0})
    weather = (await told(client, "a1"))["weather"]
    assert (weather["state"], weather["content"]["wind_from_deg"]) == ("ok", 270.0)
    world.show(**{"MET-1__WIND_FROM": (270.0, 2)})
    assert (await told(client, "a1"))["weather"]["state"] == "partial", "a bad reading is no wind"


@pytest.mark.parametrize(
    ("alarm_id", "tag", "condition", "partial"),
    [
        ("sys", "SYS.RECORDS_FULL", "SYSTEM", {"weather"}),
        ("truck", "TRUCK-1.SPEED", "H", {"weather", "resources", "neighbours", "trends"}),
        ("gone", "X-9.LEVEL", "HH", {"weather", "neighbours", "tag"}),
    ],
)
async def test_alarms_of_no_place(
    world: World, client: httpx.AsyncClient, alarm_id: str, tag: str, condition: str, partial: set[str]
) -> None:
    world.raise_alarm(alarm_id, tag, condition=condition)
    parts = await told(client, alarm_id)
    assert {name for name, part in parts.items() if part["state"] == "partial"} == partial
    assert parts["tag"]["content"]["tag"] == tag
    assert parts["history"]["content"]["times_30d"] == 1
    if alarm_id == "truck":
        assert parts["place"]["content"]["vehicle"]["plate"] == "鲁C·T0001"
        assert parts["substance"]["content"]["cas"] == "67-56-1"


async def test_a_tag_that_left_the_plant_is_known_to_the_registry(world: World, client: httpx.AsyncClient) -> None:
    write(
        world.place.registry, ("tag", {"id": "OLD.LEVEL", "name_zh": "旧液位", "enterprise": "acme", "vessel": "T-1"})
    )
    world.raise_alarm("gone", "OLD.LEVEL")
    parts = await told(client, "gone")
    assert parts["tag"]["content"]["description"]["zh"] == "旧液位"
    assert parts["place"]["content"]["vessel"]["id"] == "T-1"
    assert parts["place"]["content"]["hazard_unit"]["id"] == "meoh"
    assert parts["substance"]["content"]["cas"] == "67-56-1"


async def test_a_detector_calibrated_for_another_gas_has_the_card_of_what_is_stored(world: World) -> None:
    propane = replace(world.plant.tags["T-1.LEVEL"], cas="74-98-6")
    world.plant = replace(world.plant, tags={**world.plant.tags, "T-1.LEVEL": propane})
    world.raise_alarm("a1")
    async with client_of(world.api()) as client:
        substance = (await told(client, "a1"))["substance"]
    assert substance["state"] == "ok"
    told_of = substance["content"]
    assert (told_of["cas"], told_of["measured_cas"]) == ("67-56-1", "74-98-6")
    assert told_of["guidance"]["disposal"] == "切断火源，泡沫覆盖"


async def test_a_store_that_fails_is_a_part_that_says_so(world: World, client: httpx.AsyncClient) -> None:
    world.raise_alarm("a1")
    world.history.error = HistoryError("secret path of a file")
    parts = await told(client, "a1")
    assert parts["trends"]["state"] == "partial"
    assert "store cannot be used" in parts["trends"]["reason"]["en"]
    assert "secret" not in str(parts)
    assert parts["tag"]["state"] == "ok"


def _teller(world: World, kinds: dict[str, PartKind]) -> Teller:
    app = world.api()
    given = app.state.context.teller
    return Teller(given._sources, given._hands, kinds)


@pytest.mark.parametrize("broken", sorted(PARTS))
def test_any_part_may_raise(world: World, broken: str) -> None:
    def fail(_: object) -> Said[Any]:
        raise RuntimeError("secret")

    row = world.raise_alarm("a1")
    teller = _teller(world, {**PARTS, broken: replace(PARTS[broken], tell=fail)})
    said = teller.tell(row | {"alarm_id": "a1"}, Scope())
    teller.close()
    states = {name: getattr(said.parts, name) for name in PARTS}
    assert states[broken].state == "partial"
    assert states[broken].content is None
    assert "secret" not in said.model_dump_json()
    inside = [name for name, part in states.items() if part.reason and "inside" in part.reason.en]
    assert inside == [broken]


def test_the_registry_may_not_answer_at_all(world: World) -> None:
    row = world.raise_alarm("a1")
    app = world.api()
    teller = app.state.context.teller
    with world.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE record")
    said = teller.tell(row, Scope())
    teller.close()
    assert said.parts.place.content is not None
    assert said.parts.place.content.vessel is not None
    assert said.parts.place.content.vessel.name.zh == "1号罐", "the plant file knows it too"
    assert said.parts.people.state == "partial"
    assert said.parts.history.state == "ok"


HIDDEN = ("GD-1", "cl2", "液氯", "布拉沃", "bravo", "0533-9", "13900000009", "7782-50-5", "钱七", "concealed")
"""What tells of the other enterprise."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    for one in make_house(tmp_path):
        one.world.healthy()
        one.world.register()
        one.world.show(**{"T-1__LEVEL": 9.5, "GD-1": 0.5})
        register_town(one.world.place.registry)
        one.world.raise_alarm("own")
        one.world.raise_alarm("truck", "TRUCK-1.SPEED")
        one.world.raise_alarm("concealed", "GD-1")
        one.world.raise_alarm("sys", "SYS.RECORDS_FULL", condition="SYSTEM")
        yield one


@pytest.mark.parametrize("alarm_id", ["own", "truck", "sys"])
async def test_an_enterprise_learns_nothing_of_the_other(house: House, alarm_id: str) -> None:
    headers = house.token(Role.ENTERPRISE, ACME)
    async with client_of(house.world.api()) as client:
        for form in ("context",):
            text = (await client.get(f"/api/v1/alarms/{alarm_id}/{form}", headers=headers)).text
            assert [one for one in HIDDEN if one in text] == []
            if alarm_id == "own":
                assert "13800000001" in text


async def test_what_is_hidden_answers_like_what_is_not_there(house: House) -> None:
    async with client_of(house.world.api()) as client:
        for scope, name in ((ACME, "concealed"), (BRAVO, "own"), (BRAVO, "sys")):
            headers = house.token(Role.ENTERPRISE, scope)
            hidden = await client.get(f"/api/v1/alarms/{name}/context", headers=headers)
            absent = await client.get("/api/v1/alarms/absent/context", headers=headers)
            assert hidden.status_code == absent.status_code == 404
            assert hidden.json()["type"] == absent.json()["type"]
            assert hidden.json()["detail"].replace(name, "?") == absent.json()["detail"].replace("absent", "?")
        assert (await client.get("/api/v1/alarms/own/context")).status_code == 401


async def test_who_runs_the_other_sees_its_own(house: House) -> None:
    async with client_of(house.world.api()) as client:
        text = (await client.get("/api/v1/alarms/concealed/context", headers=house.token(Role.ENTERPRISE, BRAVO))).text
    assert "13900000009" in text
    assert "bravo.team" in text
    assert [one for one in ("13800000001", "meoh", "T-1") if one in text] == []
