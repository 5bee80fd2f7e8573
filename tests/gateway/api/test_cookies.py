"""What a browser carries: over TLS a cookie nobody else can plant, and nothing else counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher

from gateway.access import passwords
from gateway.access.accounts import NewAccount
from gateway.access.roles import Role
from gateway.api.guard import COOKIE, SECURE_COOKIE
from gateway.commands import By
from tests.gateway.api.people import House, make_house

PASSWORD = "correct horse 42 battery"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    for house in make_house(tmp_path):
        house.accounts.create(NewAccount("li", Role.OPERATOR), By("admin"))
        house.accounts.set_password("li", PASSWORD, By("li"))
        yield house


@pytest.mark.parametrize(
    ("scheme", "name", "marks"),
    [
        ("https", SECURE_COOKIE, {"Secure", "HttpOnly", "SameSite=strict"}),
        ("http", COOKIE, {"HttpOnly", "SameSite=strict"}),
    ],
)
async def test_the_cookie_is_as_safe_as_the_way_it_goes(house: House, scheme: str, name: str, marks: set[str]) -> None:
    transport = httpx.ASGITransport(house.world.api(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://gateway") as client:
        answer = await client.post("/api/v1/session", json={"name": "li", "password": PASSWORD})
        written, *rest = answer.headers["set-cookie"].split("; ")
        assert written.partition("=")[0] == name
        assert marks <= set(rest)
        assert ("Secure" in rest) is (scheme == "https")
        assert "Path=/" in rest
        assert not any(one.startswith("Domain") for one in rest)
        secret = written.partition("=")[2]
        client.cookies.clear()
        for wrong in {COOKIE, SECURE_COOKIE} - {name}:
            planted = await client.get("/api/v1/me", headers={"Cookie": f"{wrong}={secret}"})
            assert planted.status_code == 401
        assert (await client.get("/api/v1/me", headers={"Cookie": f"{name}={secret}"})).status_code == 200


async def test_what_changes_something_needs_the_word_of_the_page(house: House) -> None:
    transport = httpx.ASGITransport(house.world.api(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        me = (await client.post("/api/v1/session", json={"name": "li", "password": PASSWORD})).json()
        for headers in ({}, {"X-CSRF-Token": "x"}, {"X-CSRF-Token": me["csrf"], "Origin": "http://other"}):
            answer = await client.delete("/api/v1/session", headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (403, "urn:hazgate:problem:forbidden")
        assert (await client.get("/api/v1/me")).status_code == 200, "still in"
        right = {"X-CSRF-Token": me["csrf"], "Origin": "http://gateway"}
        assert (await client.delete("/api/v1/session", headers=right)).status_code == 204
        assert (await client.get("/api/v1/me")).status_code == 401
