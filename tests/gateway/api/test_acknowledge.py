"""Acknowledging over HTTP: what is asked reaches the pipeline, what it says comes back as the right document."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from gateway.api import acts
from gateway.commands import Act, Acts, By, Command, Outcome, Verb
from gateway.errors import ConflictError, NotFoundError
from tests.gateway.api.world import T0, World

RISE = {
    "rule": "gas", "when": "k_of_n", "from": 2, "to": 1, "at_ms": T0 + 9, "others": [["GD-1", "HH"]], "count": 2,
}  # fmt: skip


@contextmanager
def answering(world: World, *outcomes: Outcome) -> Iterator[list[Command]]:
    """Stand where the pipeline's thread stands; yields what it is asked."""
    asked: list[Command] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.001):
            for order in world.inbox.take():
                asked.append(order.command)
                order.outcomes = list(outcomes)
                order.settle()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield asked
    finally:
        stop.set()
        thread.join()


async def ask(client: httpx.AsyncClient, **body: object) -> httpx.Response:
    return await client.post("/api/v1/alarms/one/acknowledge", json=body)


async def test_the_answer_is_the_alarm_after_it(world: World, client: httpx.AsyncClient) -> None:
    row = world.raise_alarm("one")
    after = {**row, "version": 2, "acknowledged_ms": T0 + 50, "acknowledged_by": "李工"}
    with answering(world, after) as asked:
        response = await ask(client, version=1, by="  李工 ", comment="去现场")
    assert asked == [Acts((Act(Verb.ACKNOWLEDGE, "one", 1, "去现场"),), By("李工", "127.0.0.1"))]
    assert response.status_code == 200
    body = response.json()
    assert (body["acknowledged"], body["acknowledged_ms"], body["acknowledged_by"]) == (True, T0 + 50, "李工")


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (NotFoundError("there is no alarm one"), 404, "not-found"),
        (ConflictError("alarm one has version 3, not 1: look again"), 409, "conflict"),
    ],
)
async def test_a_refusal_is_a_problem(
    world: World, client: httpx.AsyncClient, error: ConflictError | NotFoundError, status: int, kind: str
) -> None:
    with answering(world, error):
        response = await ask(client, version=1, by="Li")
    problem = response.json()
    assert (response.status_code, problem["type"], problem["detail"]) == (
        status, f"urn:hazgate:problem:{kind}", str(error),
    )  # fmt: skip
    assert response.headers["content-type"] == "application/problem+json"


async def test_no_answer_is_said_to_be_none(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "ANSWER_WITHIN_S", 0.01)
    response = await ask(client, version=1, by="Li")
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert "ask again" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, ["version"]),
        ({"version": 1, "by": " "}, ["by"]),
        ({"version": 0, "by": "Li"}, ["version"]),
        ({"version": "1", "by": "Li"}, ["version"]),
        ({"version": 1, "by": "Li", "who": "me"}, ["who"]),
        ({"version": 1, "by": "x" * 129}, ["by"]),
    ],
)
async def test_a_body_that_makes_no_sense(client: httpx.AsyncClient, body: dict[str, object], wrong: list[str]) -> None:
    response = await ask(client, **body)
    assert response.status_code == 422
    assert [one["parameter"] for one in response.json()["errors"]] == wrong


async def test_lists_details_and_the_timeline_show_what_happened(world: World, client: httpx.AsyncClient) -> None:
    row = world.raise_alarm("one", tier=1, base_tier=2, rise=RISE, state="latched", acknowledged_ms=None)
    world.raise_alarm("two", tier=1, rise=None)
    world.put(
        "alarm_event",
        {**world._event({**row, "version": 2}, "raised"), "event_id": 50, "kind": "tier_raised", "detail": RISE},
        {**world._event({**row, "version": 3}, "raised"), "event_id": 51, "kind": "acknowledged",
         "detail": {"by": "Li", "comment": "on my way"}},
    )  # fmt: skip
    (item,) = (await client.get("/api/v1/alarms", params={"state": "latched"})).json()["items"]
    assert (item["alarm_id"], item["tier"], item["base_tier"], item["state"]) == ("one", 1, 2, "latched")
    assert item["rise"]["others"] == [{"tag": "GD-1", "condition": "HH"}]
    assert item["rise"]["message"]["zh"] == "升级 橙→红：同一单元多点报警，另有 GD-1 高高报警（规则 gas）"
    assert item["message"]["en"].endswith(
        "[tier Orange → Red: several points of one unit in alarm, with GD-1 HIGH HIGH (rule gas)]"
    )
    events = (await client.get("/api/v1/alarms/one/timeline")).json()["events"]
    assert [(one["kind"], one["by"], one["comment"]) for one in events] == [
        ("raised", None, None), ("tier_raised", None, None), ("acknowledged", "Li", "on my way"),
    ]  # fmt: skip
    assert events[1]["rise"] == item["rise"]


async def test_latched_alarms_are_counted_and_shown_with_the_active_ones(
    world: World, client: httpx.AsyncClient
) -> None:
    world.healthy()
    world.raise_alarm("one", tier=1, base_tier=2, rise=RISE, state="latched")
    world.raise_alarm("two", tier=3, acknowledged_ms=T0, acknowledged_by="Li")
    assert world.queries.active_by_tier() == {1: 1, 2: 0, 3: 1, 4: 0}
    page = (await client.get("/", params={"lang": "en"})).text
    assert "tier Orange → Red: several points of one unit" in page
    first, second = page.split('data-alarm="two"')
    assert 'data-f="latched">latched' in first
    assert 'data-f="acknowledged" hidden' in first
    assert 'data-f="latched" hidden' in second.split("</tr>")[0]
    assert 'data-f="acknowledged">acknowledged' in second.split("</tr>")[0]
