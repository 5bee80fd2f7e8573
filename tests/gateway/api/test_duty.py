"""Who is on duty, swaps, what was told: over the API."""

from __future__ import annotations

from datetime import date
from typing import Any

import httpx
import pytest
from icalendar import Calendar

from config.duty.model import Duty, Person, Role, Roster
from config.duty.patterns import PATTERNS, cycle_of
from gateway.notify.letters import Letter, payload_of
from gateway.notify.outbox import Batch, Outbox
from gateway.notify.port import Kind
from tests.gateway.api.world import World

HOUR_MS = 3_600_000


@pytest.fixture
def duty() -> Duty:
    pattern, teams = PATTERNS["four_teams_two_shifts"], {team: (team,) for team in "abcd"}
    roster = Roster("room", "Asia/Shanghai", date(2026, 1, 1), pattern.hours, cycle_of(pattern, list(teams)), teams)
    return Duty(
        people={one: Person(one, f"人{one}", "+86") for one in "abcdm"},
        roles={"officer": Role("officer", roster="room"), "manager": Role("manager", people=("m",))},
        rosters={"room": roster},
    )


@pytest.fixture
def world(world: World, duty: Duty) -> World:
    world.duty = duty
    return world


def swap(now_ms: int, absent: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - anything may be asked
    return {
        "roster": "room",
        "absent": absent,
        "instead": "m",
        "begin": now_ms - 1,
        "end": now_ms + HOUR_MS,
        "reason": "病假",
    } | changes


async def officer(client: httpx.AsyncClient) -> str:
    duty = (await client.get("/api/v1/duty")).json()
    (person,) = next(one for one in duty["roles"] if one["role"] == "officer")["people"]
    return str(person["id"])


async def test_a_swap_puts_somebody_else_on_duty_until_it_is_taken_back(
    client: httpx.AsyncClient, world: World
) -> None:
    first, now_ms = await officer(client), world.clock.wall_ms()
    made = await client.post("/api/v1/duty/swaps", json=swap(now_ms, first))
    assert made.status_code == 200
    assert await officer(client) == "m"
    duty = (await client.get("/api/v1/duty")).json()
    assert [one["swap_id"] for one in duty["swaps"]] == [made.json()["swap_id"]]
    assert duty["shifts"][0]["people"][0]["id"] == "m"
    assert len(duty["shifts"]) >= 4
    gone = await client.delete(f"/api/v1/duty/swaps/{made.json()['swap_id']}")
    assert gone.status_code == 200
    assert await officer(client) == first
    assert (await client.delete(f"/api/v1/duty/swaps/{made.json()['swap_id']}")).status_code == 404


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"roster": "x"}, 409), ({"instead": "x"}, 409), ({"end": 5}, 409), ({"begin": "soon"}, 422), ({"more": 1}, 422)],
)
async def test_a_swap_without_sense_is_refused(
    client: httpx.AsyncClient, world: World, changes: dict[str, Any], status: int
) -> None:
    answer = await client.post("/api/v1/duty/swaps", json=swap(world.clock.wall_ms(), "a") | changes)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_roster_is_a_calendar(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/duty/roster.ics", params={"days": 8})
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert len(Calendar.from_ical(answer.text).walk("VEVENT")) in (16, 17)
    assert (await client.get("/api/v1/duty/roster.ics", params={"roster": "x"})).status_code == 404


async def test_notifications_are_paged_by_state_and_alarm(client: httpx.AsyncClient, world: World) -> None:
    letters = [
        Letter(
            key=f"k{number}",
            kind=Kind.ALARM,
            ladder="l",
            tier=1,
            alarm_ids=(f"a{number % 2}",),
            alarmed_ms=1,
            turn=0,
            role="officer",
            people=("a",),
            channel="desk",
            deadline_ms=2,
            payload=payload_of(Kind.SELF_TEST, (), world.plant, "UTC", ""),
            created_ms=1,
        )
        for number in range(5)
    ]
    Outbox(world.engine, world.reader).commit(Batch(0, letters=letters))
    first = (await client.get("/api/v1/notifications", params={"limit": 3})).json()
    assert [one["key"] for one in first["items"]] == ["k4", "k3", "k2"]
    rest = (await client.get("/api/v1/notifications", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [one["key"] for one in rest["items"]] == ["k1", "k0"]
    assert rest["next_cursor"] is None
    some = (await client.get("/api/v1/notifications", params={"alarm_id": "a1", "state": "queued"})).json()
    assert [one["key"] for one in some["items"]] == ["k3", "k1"]
    assert (await client.get("/api/v1/notifications", params={"state": "failed"})).json()["items"] == []
    metrics = (await client.get("/metrics")).text
    assert "hazgate_notifications_queued 5.0" in metrics
    assert 'hazgate_notifications_kept{channel="desk",state="queued"} 5.0' in metrics
