from __future__ import annotations

import httpx
import pytest

from config.contract.quality import Quality, Reason, pack
from tests.gateway.api.world import T0, World


async def test_a_value_is_shown_in_the_unit_of_its_tag_beside_the_canonical_one(
    world: World, client: httpx.AsyncClient
) -> None:
    world.show(PLAIN__PRESS=1250.0)
    world.clock.now_ms += 700
    found = (await client.get("/api/v1/tags/PLAIN.PRESS")).json()
    assert (found["unit"], found["canonical_unit"]) == ("MPa", "kPa")
    assert found["latest"] == {
        "time_ms": T0, "received_ms": T0, "age_ms": 700, "value": 1.25, "canonical_value": 1250.0,
        "quality": "good", "reason": "none", "stale": False,
    }  # fmt: skip
    assert (found["range_low"], found["range_high"]) == (0.0, 1.6)
    high = next(one for one in found["conditions"] if one["condition"] == "H")
    assert (high["limit"], high["deadband"]) == (1.2, 0.1)


async def test_a_bad_value_says_why_and_has_no_number(world: World, client: httpx.AsyncClient) -> None:
    world.show(**{"GD-1": (float("nan"), pack(Quality.BAD, Reason.FAULT_CURRENT_LOW))})
    latest = (await client.get("/api/v1/tags/GD-1")).json()["latest"]
    assert (latest["value"], latest["quality"], latest["reason"]) == (None, "bad", "fault_current_low")


async def test_a_tag_that_never_spoke_has_no_latest_value(world: World, client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/tags/GD-1")).json()["latest"] is None
    world.show(**{"T-1.LEVEL": 1.0})
    assert (await client.get("/api/v1/tags/GD-1")).json()["latest"] is None


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"q": "LEVEL"}, ["T-1.LEVEL"]),
        ({"q": "液位"}, ["T-1.LEVEL"]),
        ({"q": "tank 1 T"}, ["T-1.TEMP"]),
        ({"hazard_unit": "cl2"}, ["GD-1"]),
        ({"edge": "edge-b"}, ["PLAIN.PRESS"]),
        ({"quantity": "speed"}, ["TRUCK-1.SPEED"]),
        ({"vessel": "T-1"}, ["T-1.LEVEL", "T-1.TEMP"]),
        ({"vessel": "T-1", "quantity": "temperature"}, ["T-1.TEMP"]),
        ({"q": "nothing like it"}, []),
    ],
)
async def test_tags_are_filtered(client: httpx.AsyncClient, query: dict[str, str], names: list[str]) -> None:
    response = await client.get("/api/v1/tags", params=query)
    assert [one["tag"] for one in response.json()["items"]] == names


async def test_pages_of_tags_join_to_the_whole(world: World, client: httpx.AsyncClient) -> None:
    seen: list[str] = []
    query: dict[str, str | int] = {"limit": 2}
    while True:
        page = (await client.get("/api/v1/tags", params=query)).json()
        seen += [one["tag"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == list(world.plant.tags)


class TestHistory:
    path = "/api/v1/tags/PLAIN.PRESS/history"

    @pytest.fixture(autouse=True)
    def kept(self, world: World) -> None:
        world.register()
        row = list(world.plant.tags).index("PLAIN.PRESS")
        samples = [(T0 + 1000 * i, 1000.0 + i, 0) for i in range(100)]
        samples[50] = (T0 + 50_000, 9e9, pack(Quality.BAD, Reason.OVER_RANGE))
        world.history.rows[row] = samples

    async def test_a_short_span_is_given_raw(self, client: httpx.AsyncClient) -> None:
        found = (await client.get(self.path, params={"from": T0, "to": T0 + 3000})).json()
        assert found["mode"] == "raw"
        assert found["unit"] == "MPa"
        assert found["time_ms"] == [T0, T0 + 1000, T0 + 2000]
        assert found["value"] == [1.0, 1.001, 1.002]

    async def test_the_end_is_exclusive_and_exactly_so_many_points_are_still_raw(
        self, client: httpx.AsyncClient
    ) -> None:
        found = (await client.get(self.path, params={"from": T0, "to": T0 + 10_000, "points": 10})).json()
        assert found["mode"] == "raw"
        assert len(found["time_ms"]) == 10

    async def test_more_samples_than_points_are_folded_without_losing_an_extreme(
        self, client: httpx.AsyncClient
    ) -> None:
        found = (await client.get(self.path, params={"from": T0, "to": T0 + 100_000, "points": 20})).json()
        assert found["mode"] == "min_max"
        assert found["bucket_ms"] == 10_000
        assert found["start_ms"] == [T0 + 10_000 * i for i in range(10)]
        assert sum(found["count"]) == 100
        assert (min(found["minimum"]), max(found["maximum"])) == (1.0, 1.099)
        assert found["quality"].count("bad") == 1

    async def test_times_may_be_iso_with_an_offset(self, client: httpx.AsyncClient) -> None:
        # T0 is 2027-01-15T08:00:00Z
        query = {"from": "2027-01-15T08:00:00Z", "to": "2027-01-15T16:00:03+08:00"}
        found = (await client.get(self.path, params=query)).json()
        assert (found["from_ms"], found["to_ms"]) == (T0, T0 + 3000)
        unescaped = await client.get(f"{self.path}?from=2027-01-15T08:00:00Z&to=2027-01-15T16:00:03+08:00")
        assert unescaped.json() == found

    async def test_the_last_hour_is_meant_when_nothing_is_said(self, world: World, client: httpx.AsyncClient) -> None:
        world.clock.now_ms = T0 + 50_000
        found = (await client.get(self.path)).json()
        assert (found["from_ms"], found["to_ms"], len(found["time_ms"])) == (T0 + 50_000 - 3_600_000, T0 + 50_000, 50)

    @pytest.mark.parametrize(
        ("query", "parameter"),
        [
            ({"from": T0, "to": T0}, "from"),
            ({"from": "yesterday"}, "from"),
            ({"from": "2027-01-15T08:00:00"}, "from"),
            ({"to": "-5"}, "to"),
            ({"to": "9" * 30}, "to"),
            ({"points": 1}, "points"),
            ({"points": "many"}, "points"),
            ({"start": T0}, "start"),
        ],
    )
    async def test_what_makes_no_sense_is_named(
        self, client: httpx.AsyncClient, query: dict[str, str | int], parameter: str
    ) -> None:
        response = await client.get(self.path, params=query)
        assert response.status_code == 422
        assert response.headers["content-type"] == "application/problem+json"
        error = response.json()["errors"][0]
        assert error["parameter"] == parameter
        assert error["found"] == str(query[parameter])
        assert error["allowed"]
