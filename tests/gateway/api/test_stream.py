from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import AsyncExitStack

import httpx
import pytest
from pydantic import TypeAdapter

from gateway.api import feed as feed_module
from gateway.api import mailbox as mailbox_module
from gateway.api.context import Context
from gateway.api.feed import Feed
from gateway.api.live_models import StreamEvent
from gateway.live import AlarmNotice
from tests.gateway.api.world import World, served, stream
from tests.support.waiting import eventually_async


@pytest.fixture(autouse=True)
def quick_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "BEAT_S", 0.05)


async def test_it_begins_with_everything(world: World) -> None:
    world.healthy()
    world.show(**{"T-1.LEVEL": 9.5})
    world.raise_alarm("one", tier=1)
    world.clear_alarm(world.raise_alarm("two", tier=3))
    async with served(world.api()) as (address, _), stream(address) as events:
        first = await events.next()
        assert first["event"] == "snapshot"
        assert first["id"] == "3"
        data = first["data"]
        assert [one["alarm_id"] for one in data["alarms"]] == ["one"]
        assert [one["alarm_id"] for one in data["cleared"]] == ["two"]
        assert data["active_by_tier"] == {"1": 1, "2": 0, "3": 0, "4": 0}
        assert data["values"]["tags"] == list(world.plant.tags)
        assert data["values"]["value"][0] == 9.5
        assert data["health"]["pipeline_alive"] is True
        assert len(data["edges"]) == 2


async def test_every_event_is_as_the_openapi_document_says(world: World) -> None:
    world.healthy()
    world.raise_alarm("one")
    check = TypeAdapter(StreamEvent)
    async with served(world.api()) as (address, _), stream(address) as events:
        for wanted in ("snapshot", "tick"):
            check.validate_python((await events.next(wanted))["data"])
        world.raise_alarm("two", tell=True)
        check.validate_python((await events.next("alarm"))["data"])
        world.show(**{"GD-1": 0.1})
        check.validate_python((await events.next("values"))["data"])


async def test_a_transition_told_by_another_thread_arrives_at_once(world: World) -> None:
    async with served(world.api()) as (address, _), stream(address) as events:
        await events.next("snapshot")
        row = await asyncio.to_thread(lambda: world.raise_alarm("one", tell=True))
        raised = await events.next("alarm")
        assert (raised["id"], raised["data"]["kind"], raised["data"]["alarm"]["state"]) == ("1", "raised", "active")
        await asyncio.to_thread(lambda: world.clear_alarm(row, tell=True))
        cleared = await events.next("alarm")
        assert (cleared["id"], cleared["data"]["kind"], cleared["data"]["alarm"]["version"]) == ("2", "cleared", 2)


async def test_only_values_that_changed_are_sent(world: World) -> None:
    world.show(**{"T-1.LEVEL": 1.0, "GD-1": 0.1})
    async with served(world.api()) as (address, _), stream(address) as events:
        await events.next("snapshot")
        await events.next("tick")
        world.clock.now_ms += 1000
        world.show(**{"GD-1": 0.2})
        changed = (await events.next("values"))["data"]
        assert (changed["tags"], changed["value"]) == (["GD-1"], [0.2])


async def test_ticks_carry_health_and_counts(world: World) -> None:
    world.healthy(samples_per_s=12.5)
    async with served(world.api()) as (address, _), stream(address) as events:
        await events.next("snapshot")
        world.raise_alarm("one", tier=2, tell=True)
        while True:
            tick = (await events.next("tick"))["data"]
            if tick["active_by_tier"] and tick["active_by_tier"]["2"] == 1:
                break
        assert tick["last_event_id"] == 1
        assert tick["health"]["samples_per_s"] == 12.5


class TestResume:
    async def test_what_was_missed_comes_first_and_nothing_twice(self, world: World) -> None:
        rows = [world.raise_alarm(f"a{i}") for i in range(5)]
        world.show(**{"GD-1": 0.1})
        async with served(world.api()) as (address, _), stream(address, last_event_id=2) as events:
            missed = [await events.next() for _ in range(4)]
            assert [one["event"] for one in missed] == ["alarm", "alarm", "alarm", "values"]
            assert [one["id"] for one in missed[:3]] == ["3", "4", "5"]
            assert missed[3]["data"]["tags"] == list(world.plant.tags)
            world.clear_alarm(rows[0], tell=True)
            assert (await events.next("alarm"))["id"] == "6"

    async def test_nothing_missed_means_nothing_repeated(self, world: World) -> None:
        world.raise_alarm("one")
        async with served(world.api()) as (address, _), stream(address, last_event_id=1) as events:
            assert (await events.next())["event"] == "values"
            assert (await events.next())["event"] == "tick"

    async def test_too_far_behind_means_a_snapshot(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(feed_module, "RESUME_EVENTS", 3)
        for i in range(5):
            world.raise_alarm(f"a{i}")
        async with served(world.api()) as (address, _):
            async with stream(address, last_event_id=1) as events:
                assert (await events.next())["data"]["reason"] == "too_far_behind"
                assert (await events.next())["event"] == "snapshot"
            async with stream(address, last_event_id=2) as events:
                assert (await events.next())["event"] == "alarm"

    async def test_an_id_of_another_database_means_a_snapshot(self, world: World) -> None:
        world.raise_alarm("one")
        async with served(world.api()) as (address, _), stream(address, last_event_id=700) as events:
            assert (await events.next())["data"]["reason"] == "unknown_event_id"
            assert (await events.next())["id"] == "1"

    async def test_what_happens_while_connecting_is_told_exactly_once(self, world: World) -> None:
        world.raise_alarm("before")
        stop = threading.Event()

        def storm() -> None:
            while not stop.is_set():
                world.raise_alarm(f"storm-{world.events}", tell=True)

        async with served(world.api()) as (address, _):
            thread = threading.Thread(target=storm)
            thread.start()
            try:
                for last in (None, 1):
                    async with stream(address, last_event_id=last) as events:
                        first = await events.next()
                        seen = int(first["id"])
                        for _ in range(30):
                            one = await events.next("alarm", "reset")
                            assert one["event"] == "alarm"
                            assert int(one["id"]) == seen + 1
                            seen += 1
            finally:
                stop.set()
                await asyncio.to_thread(thread.join)

    @pytest.mark.parametrize("bad", ["x", "-1", "1.5"])
    async def test_an_id_that_is_none_is_refused(self, client: httpx.AsyncClient, bad: str) -> None:
        response = await client.get("/api/v1/stream", headers={"Last-Event-ID": bad})
        assert response.status_code == 422
        error = response.json()["errors"][0]
        assert (error["parameter"], error["found"]) == ("Last-Event-ID", bad)


class TestSlowClients:
    async def test_one_that_reads_nothing_is_resynchronised_and_delays_nobody(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mailbox_module, "QUEUE_EVENTS", 10)
        api = world.api()
        feed = feed_of(api.state.context)
        async with served(api) as (address, _), stream(address) as events:
            await events.next("snapshot")
            slow = connect_without_reading(address)
            try:
                await eventually_async(lambda: feed.clients == 2)
                basis = "x" * 50_000
                told = 0
                while feed.overflows == 0:
                    told += 1
                    row = world.raise_alarm(f"a{told}", basis=basis)
                    began = time.monotonic()
                    world.hub.tell(AlarmNotice(told, "raised", row))
                    assert time.monotonic() - began < 0.1
                    assert int((await events.next("alarm"))["id"]) == told
                    assert told < 1000
                seen = await asyncio.to_thread(read_until, slow, b'"reason":"overflow"', b"event: snapshot")
                assert seen
            finally:
                slow.close()
            await eventually_async(lambda: feed.clients == 1)

    async def test_more_notices_than_the_loop_takes_mean_a_snapshot(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feed_module, "INCOMING_NOTICES", 3)
        async with served(world.api()) as (address, _), stream(address) as events:
            await events.next("snapshot")
            rows = [world.raise_alarm(f"a{i}") for i in range(6)]
            for number, row in enumerate(rows, start=1):  # the loop cannot run in between
                world.hub.tell(AlarmNotice(number, "raised", row))
            await events.next("reset")
            assert (await events.next("snapshot"))["data"]["last_event_id"] == 6

    async def test_a_client_that_leaves_is_forgotten(self, world: World) -> None:
        api = world.api()
        feed = feed_of(api.state.context)
        async with served(api) as (address, _):
            async with stream(address) as events:
                await events.next("snapshot")
                assert feed.clients == 1
            await eventually_async(lambda: feed.clients == 0)

    async def test_there_is_a_last_seat(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gateway.api.stream.MAX_CLIENTS", 1)
        async with served(world.api()) as (address, _), stream(address) as events:
            await events.next("snapshot")
            async with httpx.AsyncClient() as client:
                response = await client.get(f"{address}/api/v1/stream")
            assert response.status_code == 503
            assert response.headers["retry-after"] == "5"
            assert response.json()["errors"][0]["parameter"] == "stream"


async def test_records_that_cannot_be_read_end_the_stream_and_say_so(world: World) -> None:
    world.engine.dispose()
    with world.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alarm")
    async with served(world.api()) as (address, _), stream(address) as events:
        assert (await events.next())["data"]["reason"] == "records_unavailable"


async def test_a_round_that_fails_is_counted_and_the_stream_goes_on(world: World) -> None:
    api = world.api()
    feed = feed_of(api.state.context)
    async with served(api) as (address, _), stream(address) as events:
        await events.next("snapshot")
        world.hub.tell(AlarmNotice(1, "raised", {"tag": "not an alarm row"}))
        assert (await events.next("reset"))["data"]["reason"] == "overflow"
        await events.next("snapshot")
        await events.next("tick")
        assert feed.failures == 1


async def test_headers_keep_proxies_from_holding_it_back(world: World) -> None:
    async with (
        served(world.api()) as (address, _),
        httpx.AsyncClient() as client,
        client.stream("GET", f"{address}/api/v1/stream") as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-cache"
        assert response.headers["x-accel-buffering"] == "no"


@pytest.mark.parametrize("streams", [1, 20])
async def test_a_server_with_open_streams_stops_promptly(world: World, streams: int) -> None:
    async with served(world.api()) as (address, server), AsyncExitStack() as opened:
        bodies = [await opened.enter_async_context(stream(address)) for _ in range(streams)]
        for events in bodies:
            await events.next("snapshot")
        began = time.monotonic()
        server.should_exit = True
        for events in bodies:
            await events.end()
        await eventually_async(lambda: not server.server_state.connections)
        assert time.monotonic() - began < 2


async def test_a_server_stops_even_when_a_client_no_longer_reads(world: World) -> None:
    api = world.api()
    feed = feed_of(api.state.context)
    row = world.raise_alarm("big", basis="x" * 50_000)
    async with served(api) as (address, _):
        slow = connect_without_reading(address)
        await eventually_async(lambda: feed.clients == 1)
        for number in range(200):
            world.hub.tell(AlarmNotice(number, "raised", row))
        await eventually_async(lambda: not feed._incoming)
        began = time.monotonic()
    assert time.monotonic() - began < 3
    slow.close()


async def test_after_the_end_the_pipeline_may_still_tell(world: World) -> None:
    async with served(world.api()) as (address, _), stream(address) as events:
        await events.next("snapshot")
    world.raise_alarm("late", tell=True)


def feed_of(context: Context) -> Feed:
    return context.feed


def connect_without_reading(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect((host, int(port)))
    slow.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n")
    return slow


def read_until(connection: socket.socket, *wanted: bytes) -> bool:
    connection.settimeout(10)
    tail = b""
    left = list(wanted)
    while left:
        tail = tail[-200:] + connection.recv(1 << 16)
        while left and left[0] in tail:
            tail = tail.partition(left.pop(0))[2]
    return True
