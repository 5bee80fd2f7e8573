from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import create_engine

from gateway.errors import HistoryError
from gateway.ledger import Count
from gateway.records.queries import Queries
from tests.gateway.api.world import T0, World, client_of


class TestLivez:
    async def test_lives_while_the_pipeline_goes_round(self, world: World, client: httpx.AsyncClient) -> None:
        world.healthy()
        world.clock.now_s += 9.9
        response = await client.get("/livez")
        assert response.status_code == 200
        assert response.json()["status"] == "ok"

    async def test_a_dead_pipeline_is_named(self, world: World, client: httpx.AsyncClient) -> None:
        world.healthy()
        world.clock.now_s += 10.5
        response = await client.get("/livez")
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/problem+json"
        error = response.json()["errors"][0]
        assert error["parameter"] == "pipeline"
        assert "10.5 s ago" in error["found"]

    async def test_a_pipeline_that_never_went_round_does_not_live(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/livez")).status_code == 503


class TestReadyz:
    async def test_ready_when_all_is_well(self, world: World, client: httpx.AsyncClient) -> None:
        world.healthy()
        assert (await client.get("/readyz")).status_code == 200

    @pytest.mark.parametrize(
        ("changes", "parameter"),
        [
            ({"replayed": False}, "replayed"),
            ({"records_ok": False, "records_error": "disk full"}, "records"),
            ({"broker_connected": False}, "broker"),
            ({"beat_monotonic_s": 1.0}, "pipeline"),
            ({"plant": "of another file"}, "plant"),
        ],
    )
    async def test_every_reason_not_to_be_ready_is_named(
        self, world: World, client: httpx.AsyncClient, changes: dict[str, object], parameter: str
    ) -> None:
        world.healthy(**changes)
        response = await client.get("/readyz")
        assert response.status_code == 503
        assert [one["parameter"] for one in response.json()["errors"]] == [parameter]


class TestMetrics:
    async def test_figures_come_from_board_and_records(self, world: World, client: httpx.AsyncClient) -> None:
        world.healthy(samples=41, delay_p99_ms=31.5, log_position=9, history_position=4)
        world.raise_alarm("a", tier=2)
        world.put("ledger", {"edge": "edge-a", "samples_stored": 7})
        world.board.untold = lambda: {"over": 3, "overdue": 0}
        text = (await client.get("/metrics")).text
        figures = {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        assert figures["hazgate_build_info", "1.2.3"] == 1
        assert figures["hazgate_samples_total",] == 41
        assert figures["hazgate_notifications_untold_total", "over"] == 3
        assert figures["hazgate_history_lag_rows",] == 5
        assert figures["hazgate_delay_seconds", "0.99"] == pytest.approx(0.0315)
        assert figures["hazgate_active_alarms", "2"] == 1
        assert figures["hazgate_active_alarms", "1"] == 0
        assert figures["hazgate_ledger_total", "edge-a", "samples_stored"] == 7

    async def test_strangers_on_the_broker_cannot_add_series(self, world: World, client: httpx.AsyncClient) -> None:
        world.put("ledger", *({"edge": f"invented-{i}", "frames_refused": 1} for i in range(50)))
        text = (await client.get("/metrics")).text
        assert "invented" not in text
        assert 'hazgate_ledger_total{edge="other",fate="frames_refused"} 50.0' in text

    async def test_unreadable_records_leave_the_rest(self, world: World, tmp_path: Path) -> None:
        world.queries = Queries(create_engine(f"sqlite:///{tmp_path}/none/records.sqlite"))
        async with client_of(world.api()) as client:
            text = (await client.get("/metrics")).text
        assert "hazgate_records_readable 0.0" in text
        assert "hazgate_samples_total" in text


class TestLedger:
    async def test_sums_that_hold_and_one_that_does_not(self, world: World, client: httpx.AsyncClient) -> None:
        good = {
            "frames_received": 10, "frames_kept": 6, "frames_duplicate": 2, "frames_ahead": 1, "frames_refused": 1,
            "samples_received": 60, "samples_stored": 50, "samples_duplicate": 7, "samples_rejected": 3,
            "samples_evaluated": 49, "samples_late": 1,
        }  # fmt: skip
        world.put("ledger", {"edge": "edge-a", **good}, {"edge": "edge-b", **good, "samples_late": 0})
        body = (await client.get("/api/v1/ledger")).json()
        edge_a, edge_b = body["edges"]
        assert [one["holds"] for one in edge_a["sums"]] == [True, True, True]
        assert [one["holds"] for one in edge_b["sums"]] == [True, True, False]
        assert edge_b["sums"][2]["difference"] == 1
        assert body["holds"] is False
        assert set(edge_a["counts"]) == {count.value for count in Count}

    async def test_what_an_edge_made_stands_beside_what_is_kept(self, world: World, client: httpx.AsyncClient) -> None:
        status = {"online": True, "at_ms": T0, "epoch": "aabbccdd", "made_frames": 12, "made_samples": 120}
        seen = {"edge": "edge-a", "received_ms": T0, "online": True, "since_ms": T0 - 5}
        world.put("edge_status", {**seen, "payload": json.dumps(status)})
        mark = {"frames": 9, "samples": 90, "missing_frames": 1, "shed_samples": 0, "first_ms": T0, "last_ms": T0}
        world.put(
            "mark",
            {"edge": "edge-a", "epoch": "aabbccdd", "upto": 10, **mark},
            {"edge": "edge-a", "epoch": "00112233", "upto": 99, **mark, "first_ms": T0 - 9},
        )
        edge = (await client.get("/api/v1/ledger")).json()["edges"][0]
        assert [one["epoch"] for one in edge["marks"]] == ["00112233", "aabbccdd"]
        share = edge["share"]
        assert (share["made_frames"], share["durable_frames"], share["frames_at_edge"]) == (12, 10, 2)

    async def test_a_stranger_is_shown_as_one(self, world: World, client: httpx.AsyncClient) -> None:
        world.put("ledger", {"edge": "?", "frames_refused": 3})
        edges = {one["edge"]: one for one in (await client.get("/api/v1/ledger")).json()["edges"]}
        assert edges["?"]["known"] is False
        assert edges["edge-a"]["known"] is True


async def test_edges_say_how_they_do(world: World, client: httpx.AsyncClient) -> None:
    status = {"online": True, "at_ms": T0, "epoch": "aabbccdd", "outbox_frames": 5}
    world.put(
        "edge_status",
        {"edge": "edge-a", "received_ms": T0, "online": False, "since_ms": T0 - 5, "payload": json.dumps(status)},
    )
    world.put("ledger", {"edge": "edge-a", "frames_missing": 2, "samples_shed": 40})
    world.show(**{"T-1.LEVEL": 1.0})
    first, second = (await client.get("/api/v1/edges")).json()["items"]
    assert (first["edge"], first["online"], first["since_ms"]) == ("edge-a", False, T0 - 5)
    assert first["report"]["outbox_frames"] == 5
    assert (first["missing_frames"], first["shed_samples"]) == (2, 40)
    assert (first["tags"], first["stale_tags"]) == (4, 3)
    assert (second["edge"], second["online"], second["report"]) == ("edge-b", None, None)


class TestLocalAlarms:
    row: ClassVar = {
        "edge": "edge-a", "alarm_id": "0" * 16, "tag": "T-1.TEMP", "condition": "H", "tier": 3, "state": "cleared",
        "onset_ms": T0, "raised_ms": T0, "cleared_ms": T0 + 5_000, "value": 41.0, "limit": 40.0, "cut": True,
        "received_ms": T0 + 60_000,
    }  # fmt: skip

    @pytest.mark.parametrize(
        ("onset_ms", "cleared_ms", "condition", "matched"),
        [
            (T0, T0 + 5_000, "H", True),
            (T0 + 5_000, None, "H", True),
            (T0 - 9_000, T0, "H", True),
            (T0 + 5_001, None, "H", False),
            (T0 - 9_000, T0 - 1, "H", False),
            (T0, T0 + 5_000, "BAD_PV", False),
        ],
    )
    async def test_it_is_matched_by_an_alarm_of_the_gateway_at_that_time(
        self,
        world: World,
        client: httpx.AsyncClient,
        onset_ms: int,
        cleared_ms: int | None,
        condition: str,
        matched: bool,  # noqa: FBT001 - of the table above
    ) -> None:
        world.put("local_alarm", self.row)
        row = world.raise_alarm("1" * 16, "T-1.TEMP", condition=condition, onset_ms=onset_ms)
        if cleared_ms is not None:
            world.clear_alarm(row, cleared_ms)
        (item,) = (await client.get("/api/v1/edges/edge-a/local-alarms")).json()["items"]
        assert (item["matched"], item["cut"], item["cleared_ms"]) == (matched, True, T0 + 5_000)

    async def test_pages_of_one_edge_the_newest_first(self, world: World, client: httpx.AsyncClient) -> None:
        for number in range(5):
            world.put("local_alarm", {**self.row, "alarm_id": f"{number:016x}", "raised_ms": T0 + number // 2})
        world.put("local_alarm", {**self.row, "edge": "edge-b"})
        seen: list[str] = []
        query: dict[str, str | int] = {"limit": 2}
        while True:
            page = (await client.get("/api/v1/edges/edge-a/local-alarms", params=query)).json()
            seen += [item["alarm_id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]
        assert seen == [f"{number:016x}" for number in (4, 3, 2, 1, 0)]


class TestDeadLetters:
    row: ClassVar = {
        "reason": "not_json", "site": "mini", "edge": "edge-a", "topic": "hazard/v1/mini/edge-a/telemetry",
        "detail": "…", "samples": 0, "count": 1, "first_ms": T0, "last_ms": T0,
    }  # fmt: skip

    def put(self, world: World, number: int, head: bytes, size: int | None = None, **changes: object) -> None:
        size = len(head) if size is None else size
        world.put(
            "dead_letter", {**self.row, "id": number, "sha256": str(number), "head": head, "bytes": size, **changes}
        )

    async def test_text_is_shown_as_text_and_the_rest_as_hex(self, world: World, client: httpx.AsyncClient) -> None:
        self.put(world, 1, b"<script>alert(1)</script>")
        self.put(world, 2, b"\xff\x00\x01")
        self.put(world, 3, "液位"[:1].encode() + "位".encode()[:2], size=5000)
        cut, binary, text = (await client.get("/api/v1/dead-letters")).json()["items"]
        assert (text["head"], text["head_encoding"], text["head_complete"]) == (
            "<script>alert(1)</script>",
            "utf-8",
            True,
        )
        assert (binary["head"], binary["head_encoding"]) == ("ff0001", "hex")
        assert (cut["head"], cut["head_encoding"], cut["head_complete"]) == ("液", "utf-8", False)

    async def test_pages_and_filters(self, world: World, client: httpx.AsyncClient) -> None:
        for number in range(1, 8):
            self.put(world, number, b"x", edge="edge-a" if number % 2 else "edge-b", reason=f"r{number % 3}")
        found = (await client.get("/api/v1/dead-letters", params={"limit": 3, "edge": "edge-a"})).json()
        assert [one["id"] for one in found["items"]] == [7, 5, 3]
        query = {"limit": 3, "edge": "edge-a", "cursor": found["next_cursor"]}
        self.put(world, 9, b"new")
        rest = (await client.get("/api/v1/dead-letters", params=query)).json()
        assert ([one["id"] for one in rest["items"]], rest["next_cursor"]) == ([1], None)
        only = (await client.get("/api/v1/dead-letters", params={"reason": "r0"})).json()
        assert [one["id"] for one in only["items"]] == [6, 3]


async def test_the_plant_is_told(client: httpx.AsyncClient) -> None:
    plant = (await client.get("/api/v1/plant")).json()
    assert plant["site"]["enterprise_name"]["en"] == "Test enterprise"
    assert [one["hazard_unit"] for one in plant["hazard_units"]] == ["meoh", "cl2"]
    assert plant["hazard_units"][1]["chemical"]["zh"] == "氯"
    assert (plant["vessels"][0]["vessel"], plant["vehicles"][0]["plate"]) == ("T-1", "鲁C·T0001")


class TestProblems:
    @pytest.mark.parametrize("path", ["/api/v1/nope", "/nope", "/api/v2/tags", "/static/none.js"])
    async def test_an_unknown_path(self, client: httpx.AsyncClient, path: str) -> None:
        response = await client.get(path)
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["instance"] == path

    async def test_a_method_that_is_not_allowed(self, client: httpx.AsyncClient) -> None:
        response = await client.post("/api/v1/tags")
        assert response.status_code == 405
        assert response.headers["allow"] == "GET"
        assert response.json()["errors"] == [{"parameter": "method", "found": "POST", "allowed": "GET"}]

    @pytest.mark.parametrize(
        "path", ["/livez", "/readyz", "/metrics", "/api/v1/plant", "/api/v1/edges", "/api/v1/ledger", "/api/v1/health"]
    )
    async def test_a_parameter_nobody_knows(self, client: httpx.AsyncClient, path: str) -> None:
        response = await client.get(path, params={"x": "1"})
        assert response.status_code == 422
        assert response.json()["errors"] == [{"parameter": "x", "found": "1", "allowed": "no query parameter"}]

    async def test_a_single_parameter_given_twice(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/api/v1/tags?limit=1&limit=2")
        assert response.json()["errors"][0] == {"parameter": "limit", "found": "1, 2", "allowed": "one value"}

    @pytest.mark.parametrize(("name", "allowed"), [("hazard_unit", "meoh, cl2"), ("edge", "edge-a, edge-b")])
    async def test_a_filter_for_what_the_plant_has_not(
        self, client: httpx.AsyncClient, name: str, allowed: str
    ) -> None:
        response = await client.get("/api/v1/tags", params={name: "moon"})
        assert response.json()["errors"] == [{"parameter": name, "found": "moon", "allowed": allowed}]

    async def test_long_rubbish_is_not_sent_back_whole(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/api/v1/tags", params={"limit": "9" * 5000})
        assert len(response.content) < 1500

    async def test_a_history_that_cannot_be_read(self, world: World, client: httpx.AsyncClient) -> None:
        world.register()
        world.history.error = HistoryError("the history file is gone")
        response = await client.get("/api/v1/tags/GD-1/history")
        assert response.status_code == 503
        assert response.json()["detail"] == "the history file is gone"
        assert response.headers["retry-after"] == "1"

    async def test_records_that_cannot_be_read(self, world: World, tmp_path: Path) -> None:
        world.queries = Queries(create_engine(f"sqlite:///{tmp_path}/none/records.sqlite"))
        async with client_of(world.api()) as client:
            for path in ("/api/v1/alarms", "/api/v1/ledger", "/api/v1/edges", "/api/v1/dead-letters"):
                response = await client.get(path)
                assert response.status_code == 503, path
                assert response.json()["type"] == "urn:hazgate:problem:records-unavailable"

    async def test_a_failure_of_our_own_gives_nothing_away(self, world: World, client: httpx.AsyncClient) -> None:
        world.register()
        world.history.error = RuntimeError("secret inside")
        response = await client.get("/api/v1/tags/GD-1/history")
        assert response.status_code == 500
        assert response.headers["content-type"] == "application/problem+json"
        assert "secret" not in response.text


async def test_nothing_foreign_may_run_or_frame(client: httpx.AsyncClient) -> None:
    for path in ("/", "/api/v1/plant", "/nope"):
        headers = (await client.get(path)).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
