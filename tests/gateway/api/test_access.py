"""Every route says what it needs, and is asked by every role, with its own scope and a foreign one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from config.settings import AccessSettings
from gateway.access import passwords
from gateway.access.accounts import Accounts, NewAccount
from gateway.access.roles import ROLES, Permission, Role, Scope
from gateway.access.sessions import Sessions
from gateway.api.guard import AccountGate, Check
from gateway.commands import By
from gateway.records.database import open_desk
from tests.gateway.api.world import World

OPEN_ROUTES = {
    ("GET", "/livez"), ("GET", "/readyz"), ("GET", "/login"), ("POST", "/api/v1/session"),
    ("GET", "/api/v1/incidents/{token}"), ("GET", "/incident/{token}"),
    ("GET", "/api/v1/session/oidc"), ("GET", "/api/v1/session/oidc/callback"),
}  # fmt: skip
"""What anybody may ask."""
OWN, FOREIGN = Scope(frozenset({"acme"})), Scope(frozenset({"other"}))
ADMIN = By("admin")
PASSWORD = "correct horse 42 battery"


@dataclass
class Door:
    """A gateway with accounts."""

    app: FastAPI
    accounts: Accounts
    sessions: Sessions

    def client(self, token: str = "") -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers)

    def token(self, role: Role, scope: Scope = Scope()) -> str:  # noqa: B008 - frozen
        name = f"{role}-{'-'.join(sorted(scope.enterprises))}-{len(self.sessions.tokens())}"
        return self.sessions.make_token(name, role, scope, 1, ADMIN)


@pytest.fixture
def door(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", quick)
    desk = open_desk(tmp_path)
    accounts = Accounts(desk, world.queries._engine, world.clock)
    sessions = Sessions(accounts, desk, world.queries._engine, world.clock, AccessSettings())
    world.gate = AccountGate(sessions)
    world.plant = replace(world.plant, enterprise=replace(world.plant.enterprise, id="acme"))
    world.healthy()
    yield Door(world.api(), accounts, sessions)
    desk.dispose()


@pytest.fixture
async def anybody(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with door.client() as client:
        yield client


def checks(dependant: Dependant) -> Iterator[Check]:
    if isinstance(dependant.call, Check):
        yield dependant.call
    for one in dependant.dependencies:
        yield from checks(one)


def routes(app: FastAPI) -> Iterator[tuple[str, str, list[Check]]]:
    """Yield (method, path, checks) of everything the application answers."""
    included = [one for route in app.routes for one in getattr(getattr(route, "original_router", None), "routes", ())]
    for route in (*included, *(route for route in app.routes if not hasattr(route, "original_router"))):
        if isinstance(route, APIRoute):
            for method in sorted(route.methods or ()):
                yield method, route.path, list(checks(route.dependant))
        else:
            assert isinstance(route, Mount | Route)
            assert route.path in ("/static", "/api/v1/openapi.json"), f"{route.path}: not a route with a permission"


def test_every_route_names_its_permission(door: Door) -> None:
    open_ = set()
    for method, path, found in routes(door.app):
        if not found:
            open_.add((method, path))
    assert open_ == OPEN_ROUTES


PARTS = {
    "{alarm_id}": "one",
    "{tag}": "T-1.LEVEL",
    "{edge}": "edge-a",
    "{inhibition_id}": "i",
    "{swap_id}": "i",
    "{name}": "n",
    "{what}": "disable",
}


def address(path: str) -> str:
    for part, value in PARTS.items():
        path = path.replace(part, value)
    return path


def needed(found: list[Check]) -> set[Permission]:
    return {check.permission for check in found if check.permission is not None}


@pytest.mark.parametrize("role", Role)
async def test_every_route_with_every_role(door: Door, world: World, role: Role) -> None:
    """Allowed by the table: anything but 401 and 403. Not allowed: 403, before anything else is looked at."""
    world.raise_alarm("one")
    async with door.client(door.token(role)) as client:
        for method, path, found in routes(door.app):
            if not found or path == "/api/v1/stream":
                continue
            response = await client.request(method, address(path), json={} if method in ("POST", "PUT") else None)
            allowed = needed(found) <= ROLES[role]
            assert (response.status_code == 403) is not allowed, f"{role} {method} {path}: {response.text}"
            assert response.status_code != 401
            assert response.status_code < 500 or path == "/metrics", response.text
            if response.status_code >= 400:
                assert response.headers["content-type"] == "application/problem+json"


async def test_nobody_gets_in_without_saying_who(door: Door, anybody: httpx.AsyncClient) -> None:
    for method, path, found in routes(door.app):
        if found:
            response = await anybody.request(method, address(path))
            assert response.status_code == 401, f"{method} {path}"
            assert response.json()["type"] == "urn:hazgate:problem:unauthenticated"
    page = await anybody.get("/", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/login")
    assert (await anybody.get("/login")).status_code == 200
    bad = await anybody.get("/api/v1/alarms", headers={"Authorization": "Bearer hzg_x"})
    assert bad.status_code == 401


async def test_who_sees_nothing_here_learns_nothing(door: Door, world: World) -> None:
    """Every route that reads, with the scope of somebody else: as if nothing were there."""
    world.register()
    world.raise_alarm("one")
    async with door.client(door.token(Role.OPERATOR, FOREIGN)) as client:
        for path in ("/api/v1/tags", "/api/v1/alarms", "/api/v1/inhibitions"):
            assert (await client.get(path)).json()["items"] == [], path
        plant = (await client.get("/api/v1/plant")).json()
        assert (plant["hazard_units"], plant["vessels"], plant["vehicles"], plant["edges"]) == ([], [], [], [])
        for path in ("tags/T-1.LEVEL", "tags/T-1.LEVEL/history", "alarms/one", "alarms/one/timeline"):
            hidden = await client.get(f"/api/v1/{path}")
            none = await client.get(f"/api/v1/{path.replace('one', 'two').replace('T-1.LEVEL', 'T-9.LEVEL')}")
            assert (hidden.status_code, none.status_code) == (404, 404)
            same = none.text.replace("two", "one").replace("T-9.LEVEL", "T-1.LEVEL")
            assert hidden.text == same, "what is hidden and what is not there look the same"
        act = {"version": 1, "comment": "x"}
        hidden = await client.post("/api/v1/alarms/one/acknowledge", json=act)
        assert hidden.status_code == 404
        shelve = {"conditions": ["HH"], "until": 2_000_000_000_000, "reason": "x"}
        assert (await client.post("/api/v1/tags/T-1.LEVEL/shelve", json=shelve)).status_code == 404
        bulk = {"verb": "acknowledge", "alarms": [{"alarm_id": "one", "version": 1}]}
        assert (await client.post("/api/v1/alarms/bulk", json=bulk)).json()["results"][0]["status"] == 404
        for whole in ("/api/v1/ledger", "/metrics", "/api/v1/dead-letters"):
            assert (await client.get(whole)).status_code == 403
        assert (await client.get("/api/v1/edges")).json()["items"] == []
        wrong = await client.get("/api/v1/tags", params={"hazard_unit": "meoh"})
        assert "meoh" not in wrong.json()["errors"][0]["allowed"]
    async with door.client(door.token(Role.OPERATOR, OWN)) as client:
        assert len((await client.get("/api/v1/alarms")).json()["items"]) == 1
        assert (await client.get("/api/v1/alarms/one")).status_code == 200


async def test_a_part_of_the_plant_is_seen_by_who_runs_it(door: Door, world: World) -> None:
    units = {
        name: replace(unit, enterprise="neighbour") if name == "cl2" else unit
        for name, unit in world.plant.hazard_units.items()
    }
    door.app.state.context = replace(door.app.state.context, plant=replace(world.plant, hazard_units=units))
    world.raise_alarm("mine", hazard_unit="meoh")
    world.raise_alarm("theirs", tag="GD-1", condition="H", hazard_unit="cl2")
    async with door.client(door.token(Role.ENTERPRISE, Scope(frozenset({"neighbour"})))) as client:
        assert [one["alarm_id"] for one in (await client.get("/api/v1/alarms")).json()["items"]] == ["theirs"]
        assert [one["tag"] for one in (await client.get("/api/v1/tags")).json()["items"]] == ["GD-1"]
        assert (await client.get("/api/v1/alarms/mine")).status_code == 404


# --- browsers ------------------------------------------------------------------------------------------------------


async def signed_in(
    door: Door, client: httpx.AsyncClient, name: str = "li", role: Role = Role.OPERATOR
) -> dict[str, Any]:
    door.accounts.create(NewAccount(name, role, "李明"), ADMIN)
    door.accounts.set_password(name, PASSWORD, By(name))
    response = await client.post("/api/v1/session", json={"name": name, "password": PASSWORD})
    assert response.status_code == 200
    me: dict[str, Any] = response.json()
    return me


async def test_a_session_is_a_cookie_no_script_reads_and_no_other_page_sends(
    door: Door, anybody: httpx.AsyncClient
) -> None:
    me = await signed_in(door, anybody)
    (cookie,) = anybody.cookies.jar
    assert (cookie.name, cookie.has_nonstandard_attr("HttpOnly")) == ("hazgate", True)
    assert cookie.get_nonstandard_attr("SameSite") == "strict"
    assert (me["account"], me["name"], me["role"]) == ("li", "李明", "operator")
    assert (await anybody.get("/api/v1/me")).json() == me
    body = {"conditions": ["HH"], "until": 1, "reason": "x"}
    path = "/api/v1/tags/T-1.LEVEL/shelve"
    forged = await anybody.post(path, json=body)
    assert (forged.status_code, "X-CSRF-Token" in forged.json()["detail"]) == (403, True)
    mine = {"X-CSRF-Token": me["csrf"]}
    foreign = await anybody.post(path, json=body, headers={**mine, "Origin": "http://evil.example"})
    assert foreign.status_code == 403
    named = await anybody.post(path, json={**body, "by": "wang"}, headers=mine)
    assert (named.status_code, "signed in as li" in named.text) == (422, True)
    assert (await anybody.delete("/api/v1/session", headers=mine)).status_code == 204
    anybody.cookies.set("hazgate", cookie.value or "", domain="gateway.local")
    assert (await anybody.get("/api/v1/me")).status_code == 401


async def test_over_tls_the_cookie_is_secure(door: Door) -> None:
    door.accounts.create(NewAccount("li", Role.OPERATOR), ADMIN)
    door.accounts.set_password("li", PASSWORD, By("li"))
    transport = httpx.ASGITransport(app=door.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://gateway") as client:
        response = await client.post("/api/v1/session", json={"name": "li", "password": PASSWORD})
    (cookie,) = response.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-hazgate=")
    assert {"HttpOnly", "Secure", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))


async def test_a_first_password_lets_in_to_change_it_only(door: Door, anybody: httpx.AsyncClient) -> None:
    password = door.accounts.create(NewAccount("wang", Role.OPERATOR), ADMIN)
    me = (await anybody.post("/api/v1/session", json={"name": "wang", "password": password})).json()
    assert me["must_change_password"] is True
    refused = await anybody.get("/api/v1/alarms")
    assert (refused.status_code, "choose a password" in refused.json()["detail"]) == (403, True)
    change = {"password": password, "new": PASSWORD}
    headers = {"X-CSRF-Token": me["csrf"]}
    assert (await anybody.post("/api/v1/session/password", json=change, headers=headers)).status_code == 204
    assert (await anybody.post("/api/v1/session", json={"name": "wang", "password": PASSWORD})).status_code == 200
    assert (await anybody.get("/api/v1/alarms")).status_code == 200


async def test_no_error_repeats_a_password(anybody: httpx.AsyncClient) -> None:
    for body in (
        {"name": "li", "password": "hunter2" * 99},
        {"name": "li", "password": ["hunter2"]},
        {"password": "hunter2"},
    ):
        response = await anybody.post("/api/v1/session", json=body)
        assert response.status_code in (401, 422)
        assert "hunter2" not in response.text


async def test_too_many_guesses_say_when_to_try_again(anybody: httpx.AsyncClient) -> None:
    for _ in range(5):
        await anybody.post("/api/v1/session", json={"name": "li", "password": "guess"})
    response = await anybody.post("/api/v1/session", json={"name": "li", "password": "guess"})
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")


async def test_accounts_are_made_changed_and_on_the_record(door: Door, anybody: httpx.AsyncClient) -> None:
    me = await signed_in(door, anybody, "root", Role.ADMIN)
    headers = {"X-CSRF-Token": me["csrf"]}
    made = await anybody.post(
        "/api/v1/accounts", json={"name": "zhao", "role": "regulator", "districts": ["370300"]}, headers=headers
    )
    assert made.json()["name"] == "zhao"
    assert (await anybody.put("/api/v1/accounts/zhao", json={"role": "rescue"}, headers=headers)).status_code == 204
    assert (await anybody.put("/api/v1/accounts/root", json={"role": "viewer"}, headers=headers)).status_code == 409
    assert (await anybody.put("/api/v1/accounts/nobody", json={"role": "viewer"}, headers=headers)).status_code == 404
    listed = {one["name"]: one for one in (await anybody.get("/api/v1/accounts")).json()["items"]}
    assert (listed["zhao"]["role"], listed["zhao"]["must_change_password"]) == ("rescue", True)
    token = (await anybody.post("/api/v1/tokens", json={"name": "scada", "role": "viewer"}, headers=headers)).json()[
        "token"
    ]
    assert token not in (await anybody.get("/api/v1/tokens")).text
    assert (await anybody.delete("/api/v1/tokens/scada", headers=headers)).status_code == 204
    async with door.client(door.token(Role.AUDITOR)) as auditor:
        rows = (await auditor.get("/api/v1/audit", params={"account": "root"})).json()["items"]
    acts = [(row["act"], row["subject"]) for row in rows]
    assert acts == [
        ("account.password", "root"), ("session.open", "root"), ("account.create", "zhao"), ("account.change", "zhao"),
        ("token.create", "scada"), ("token.end", "scada"),
    ]  # fmt: skip
