from __future__ import annotations

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from alerting.rates import DAY_MS
from gateway.kpi.compute import Kpis
from gateway.kpi.definitions import DEFINITIONS, definitions_digest
from gateway.kpi.desks import Desks
from gateway.kpi.months import Freezer, Months, month_of, span_of
from tests.gateway.api.world import T0, World, client_of

FLOOD = 12


@pytest.fixture
def flooded(world: World) -> None:
    """A dozen alarms, told as they came."""
    for at in range(FLOOD):
        at_ms = T0 + at * 1_000
        world.raise_alarm(f"a{at:02}", tell=True, raised_ms=at_ms, received_ms=at_ms, alarmed_ms=at_ms, onset_ms=at_ms)
    world.clock.now_ms = T0 + 60_000


async def test_every_definition_is_told_with_both_languages(client: httpx.AsyncClient) -> None:
    body = (await client.get("/api/v1/kpi/definitions")).json()
    assert body["digest"] == definitions_digest()
    assert [one["id"] for one in body["definitions"]] == list(DEFINITIONS)
    flood = next(one for one in body["definitions"] if one["id"] == "flood_time")
    assert flood["name"] == {"zh": "报警洪水时间占比", "en": "Time in flood"}
    assert (flood["version"], flood["target"]) == (1, {"how": "<", "value": 0.01})


@pytest.mark.usefixtures("flooded")
async def test_a_window_is_told_desk_by_desk(client: httpx.AsyncClient) -> None:
    body = (await client.get("/api/v1/kpi", params={"from": T0, "to": T0 + 60_000})).json()
    (desk,) = body["desks"]
    figures = {one["id"]: one["figure"] for one in desk["kpis"]}
    assert list(figures) == list(DEFINITIONS)
    assert (desk["desk"], figures["annunciated"]["value"], figures["max_per_10_min"]["value"]) == ("site", FLOOD, FLOOD)
    assert desk["floods"] == [{"begin_ms": T0 + 10_000, "end_ms": None, "count": 2, "peak": FLOOD}]
    assert desk["chattering"][0]["count"] == FLOOD
    assert figures["windows_above_10"]["why_not"]["zh"] == "窗口内没有完整的 10 分钟段"


@pytest.mark.usefixtures("flooded")
async def test_the_last_day_is_told_when_nothing_is_asked_for(client: httpx.AsyncClient) -> None:
    body = (await client.get("/api/v1/kpi")).json()
    assert (body["from_ms"], body["to_ms"]) == (T0 + 60_000 - DAY_MS, T0 + 60_000)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"from": T0, "to": T0}, "from"),
        ({"from": T0 - 401 * DAY_MS, "to": T0}, "from"),
        ({"desk": "nowhere"}, "desk"),
        ({"from": "yesterday"}, "from"),
        ({"day": "1"}, "day"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    client: httpx.AsyncClient, query: dict[str, str | int], parameter: str
) -> None:
    response = await client.get("/api/v1/kpi", params=query)
    assert response.status_code == 422
    assert response.json()["errors"][0]["parameter"] == parameter


async def test_the_moment_follows_what_is_told(world: World, client: httpx.AsyncClient) -> None:
    before = (await client.get("/api/v1/kpi/now")).json()
    assert (before["desks"][0]["flood"], before["desks"][0]["last_10_min"], before["first_out"]) == (None, 0, [])
    rows = [
        world.raise_alarm(f"a{at:02}", tell=True, raised_ms=T0 + at, received_ms=T0 + at, tag="GD-1")
        for at in range(FLOOD)
    ]
    world.clock.now_ms = T0 + 60_000
    found = (await client.get("/api/v1/kpi/now")).json()
    (desk,) = found["desks"]
    assert (desk["flood"]["begin_ms"], desk["last_10_min"], desk["chattering_count"]) == (T0 + 10, FLOOD, 1)
    assert found["first_out"] == [
        {
            "hazard_unit": "cl2",
            "alarm_id": "a00",
            "opened_ms": T0,
            "by_source": True,
            "size": FLOOD,
            "open": FLOOD,
        }
    ]
    for row in rows:
        world.clear_alarm(row, T0 + 50_000, tell=True)
    world.clock.now_ms = T0 + 700_000
    found = (await client.get("/api/v1/kpi/now")).json()
    (desk,) = found["desks"]
    assert (desk["flood"], desk["last_flood"]["end_ms"], found["first_out"]) == (None, T0 + 7 + 600_000, [])


@pytest.mark.usefixtures("flooded")
async def test_the_moment_is_in_the_metrics(world: World, client: httpx.AsyncClient) -> None:
    world.healthy()
    text = (await client.get("/metrics")).text
    families = {one.name: one.samples for one in text_string_to_metric_families(text)}
    expected = {"alarm_flood": 1, "alarms_last_10_minutes": FLOOD, "chattering_alarms": 1, "standing_alarms": 0}
    for name, value in expected.items():
        (sample,) = families[f"hazgate_{name}"]
        assert (dict(sample.labels), float(sample.value)) == ({"desk": "site"}, value), name
    assert [float(one.value) for one in families["hazgate_first_out_groups"]] == [1.0]
    kpis = {one.labels["kpi"]: float(one.value) for one in families["hazgate_kpi"]}
    assert (kpis["annunciated"], kpis["max_per_10_min"]) == (FLOOD, FLOOD)
    assert set(kpis) < set(DEFINITIONS), "what has no value is absent"


async def test_figures_of_the_last_day_are_computed_anew_after_five_minutes(
    world: World, client: httpx.AsyncClient
) -> None:
    async def annunciated() -> float:
        text = (await client.get("/metrics")).text
        samples = [sample for one in text_string_to_metric_families(text) for sample in one.samples]
        return next(one.value for one in samples if one.labels.get("kpi") == "annunciated")

    assert await annunciated() == 0
    world.raise_alarm("one", received_ms=T0)
    world.clock.now_ms = T0 + 299_999
    assert await annunciated() == 0
    world.clock.now_ms += 1
    assert await annunciated() == 1
    world.clock.now_ms = T0 - 1
    assert await annunciated() == 0, "a clock that was set back"


@pytest.mark.usefixtures("flooded")
async def test_the_running_month_is_provisional(world: World, client: httpx.AsyncClient) -> None:
    month = month_of(world.clock.now_ms)
    body = (await client.get(f"/api/v1/reports/monthly/{month}")).json()
    assert (body["month"], body["provisional"], body["intact"], body["hashes"]) == (month, True, True, {})
    assert body["desks"][0]["kpis"][0]["figure"]["value"] == FLOOD


@pytest.mark.usefixtures("flooded")
async def test_a_frozen_month_is_told_as_it_was(world: World, client: httpx.AsyncClient) -> None:
    month = month_of(world.clock.now_ms)
    world.clock.now_ms = span_of(month)[1] + DAY_MS
    kpis = Kpis(world.queries.engine, world.plant, Desks())
    freezer = Freezer(Months(kpis), world.queries.engine, world.engine, world.clock)
    assert freezer.due() == [month]
    assert freezer.freeze(month)
    world.raise_alarm("found later", received_ms=T0 + 1)
    body = (await client.get(f"/api/v1/reports/monthly/{month}")).json()
    assert (body["provisional"], body["intact"], set(body["hashes"])) == (False, True, {"site"})
    assert (body["made_ms"], body["definitions"]) == (world.clock.now_ms, definitions_digest())
    assert body["desks"][0]["kpis"][0]["figure"]["value"] == FLOOD


@pytest.mark.parametrize("month", ["2099-01", "2026-13", "lately"])
async def test_a_month_that_is_none_or_to_come_is_refused(client: httpx.AsyncClient, month: str) -> None:
    response = await client.get(f"/api/v1/reports/monthly/{month}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["parameter"] == "month"


async def test_records_that_cannot_be_read_are_a_503(world: World) -> None:
    with world.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alarm_event")
        connection.exec_driver_sql("DROP TABLE alarm")
    async with client_of(world.api()) as client:
        for path in ("/kpi", "/kpi/now", f"/reports/monthly/{month_of(T0)}"):
            assert (await client.get(f"/api/v1{path}")).status_code == 503, path
