"""Signing in at one's organisation, against a real provider that also misbehaves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from pydantic import SecretStr, ValidationError
from sqlalchemy import select

from config.settings import OidcGroup, OidcSettings
from gateway.access.accounts import NewAccount
from gateway.access.oidc import Provider
from gateway.access.roles import Role, Scope
from gateway.api.guard import AccountGate
from gateway.commands import By
from gateway.records.access_tables import account
from gateway.records.schema import audit
from tests.gateway.api.people import House, make_house
from tests.gateway.api.world import T0, client_of
from tests.support.oidc_provider import CLIENT, SECRET, OidcProvider, provider_on_a_port

START = "/api/v1/session/oidc"
BACK = f"{START}/callback"


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    with provider_on_a_port(T0 // 1000) as provider:
        yield provider


def settings(provider: OidcProvider, **more: Any) -> OidcSettings:  # noqa: ANN401 - fields of several types
    return OidcSettings(
        issuer=provider.address,
        client_id=CLIENT,
        client_secret=SecretStr(SECRET),
        address="http://127.0.0.1:8080",
        groups=(
            OidcGroup(group="leads", role="shift_lead"),
            OidcGroup(group="duty", role="operator"),
            OidcGroup(group="bureau", role="regulator", districts=("370305",)),
        ),
        **more,
    )


@pytest.fixture
def house(tmp_path: Path, provider: OidcProvider) -> Iterator[House]:
    for house in make_house(tmp_path):
        house.world.gate = AccountGate(house.sessions, Provider(settings(provider), house.world.clock))
        yield house


@pytest.fixture
async def browser(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(house.world.api()) as client:
        yield client


async def go(browser: httpx.AsyncClient) -> tuple[str, str]:
    """Go to the provider and as far back as the door; returns code and state."""
    sent = await browser.get(START)
    assert sent.status_code == 303
    async with httpx.AsyncClient() as outside:
        back = await outside.get(sent.headers["location"])
    query = parse_qs(urlsplit(back.headers["location"]).query)
    assert back.headers["location"].startswith(f"http://127.0.0.1:8080{BACK}?")
    return query["code"][0], query["state"][0]


async def sign_in(browser: httpx.AsyncClient) -> httpx.Response:
    code, state = await go(browser)
    return await browser.get(BACK, params={"code": code, "state": state})


async def test_whom_the_provider_lets_in_is_in_with_the_rights_of_the_group(
    house: House, browser: httpx.AsyncClient
) -> None:
    answer = await sign_in(browser)
    assert answer.status_code == 200, answer.text
    assert 'url=/"' in answer.text, "a page that leads on, no redirect: the cookie is SameSite=Strict"
    me = (await browser.get("/api/v1/me")).json()
    assert (me["account"], me["role"]) == ("li", "operator")
    assert "alarm.act" in me["permissions"]
    cookies = answer.headers.get_list("set-cookie")
    assert any("hazgate=" in one and "HttpOnly" in one and "SameSite=strict" in one for one in cookies)
    with house.world.engine.connect() as connection:
        acts = connection.execute(select(audit.c.act, audit.c.account).order_by(audit.c.seq)).all()
    assert [tuple(one) for one in acts] == [("account.create", "oidc"), ("session.open", "li")]


async def test_the_second_time_it_is_the_same_account_with_the_rights_of_today(
    house: House, browser: httpx.AsyncClient, provider: OidcProvider
) -> None:
    await sign_in(browser)
    provider.user["preferred_username"] = "li.married"
    provider.user["groups"] = ["bureau", "something"]
    assert (await sign_in(browser)).status_code == 200
    me = (await browser.get("/api/v1/me")).json()
    assert (me["account"], me["role"], me["districts"]) == ("li", "regulator", ["370305"])
    assert len(house.accounts.all()) == 1


@pytest.mark.parametrize("name", ["admin", "ADMIN", "Admin"])
async def test_an_account_of_the_house_is_never_taken(
    house: House, browser: httpx.AsyncClient, provider: OidcProvider, name: str
) -> None:
    house.accounts.create(NewAccount("admin", Role.ADMIN, scope=Scope()), By("cli"))
    provider.user["preferred_username"] = name
    await sign_in(browser)
    me = (await browser.get("/api/v1/me")).json()
    assert me["account"].startswith("admin-")
    assert me["role"] == "operator"
    with house.world.engine.connect() as connection:
        assert connection.execute(select(account.c.subject).where(account.c.name == "admin")).scalar() is None


async def test_two_of_one_name_are_two(house: House, browser: httpx.AsyncClient, provider: OidcProvider) -> None:
    await sign_in(browser)
    provider.user["sub"] = "u-2"
    await sign_in(browser)
    assert len({one.name for one in house.accounts.all()}) == 2
    assert (await browser.get("/api/v1/me")).json()["account"] != "li"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"nonce": "another"}, {"nonce": None}, {"aud": "another"}, {"aud": [CLIENT, "x"], "azp": "x"},
        {"iss": "https://another.example"}, {"exp": T0 // 1000 - 3600}, {"exp": None}, {"iat": T0 // 1000 + 3600},
    ],
    ids=str,
)  # fmt: skip
async def test_a_word_that_does_not_hold_lets_nobody_in(
    browser: httpx.AsyncClient, provider: OidcProvider, spoilt: dict[str, Any]
) -> None:
    provider.spoilt = spoilt
    answer = await sign_in(browser)
    assert answer.status_code == 401
    assert (await browser.get("/api/v1/me")).status_code == 401


@pytest.mark.parametrize("algorithm", ["HS256", "RS512"])
async def test_only_signatures_of_the_kinds_we_chose_count(
    browser: httpx.AsyncClient, provider: OidcProvider, algorithm: str
) -> None:
    provider.algorithm = algorithm
    assert (await sign_in(browser)).status_code == 401


async def test_a_key_of_somebody_else_does_not_count_and_a_new_one_does(
    house: House, browser: httpx.AsyncClient, provider: OidcProvider
) -> None:
    await sign_in(browser)
    published, provider.keys = provider.keys, [RSAKey.generate_key(2048, {"kid": "k2"})]
    await browser.get(START)
    honest = provider.answer

    def old_keys(method: str, path: str, fields: dict[str, str], authorization: str) -> tuple[int, object]:
        if path == "/jwks":
            return 200, {"keys": [key.as_dict(private=False) for key in published]}
        return honest(method, path, fields, authorization)

    provider.answer = old_keys  # type: ignore[method-assign]
    house.world.clock.now_s += 61
    assert (await sign_in(browser)).status_code == 401, "not among the keys the provider publishes"
    provider.answer = honest  # type: ignore[method-assign]
    asked = provider.asked.count("/jwks")
    assert (await sign_in(browser)).status_code == 401, "asked for keys a moment ago"
    assert provider.asked.count("/jwks") == asked
    house.world.clock.now_s += 61
    assert (await sign_in(browser)).status_code == 200, "the provider has changed its key"


async def test_only_who_began_may_finish_and_once(browser: httpx.AsyncClient, house: House) -> None:
    code, state = await go(browser)
    async with client_of(house.world.api()) as victim:
        answer = await victim.get(BACK, params={"code": code, "state": state})
        assert answer.status_code == 401, "a browser that did not begin it"
        await victim.get(START)
        answer = await victim.get(BACK, params={"code": code, "state": state})
        assert answer.status_code == 401, "began another one"
    assert (await browser.get(BACK, params={"code": code, "state": "x"})).status_code == 401
    carried = browser.cookies.get("hazgate-oidc")
    assert (await browser.get(BACK, params={"code": code, "state": state})).status_code == 200
    browser.cookies.clear()
    browser.cookies.set("hazgate-oidc", carried or "", path=START)
    assert (await browser.get(BACK, params={"code": code, "state": state})).status_code == 401, "a code counts once"


async def test_who_is_in_no_group_or_shut_stays_out(
    house: House, browser: httpx.AsyncClient, provider: OidcProvider
) -> None:
    provider.user["groups"] = ["canteen"]
    assert (await sign_in(browser)).status_code == 403
    assert house.accounts.all() == []
    provider.user["groups"] = "duty"
    assert (await sign_in(browser)).status_code == 200
    house.accounts.disable("li", By("cli"), disabled=True)
    assert (await browser.get("/api/v1/me")).status_code == 401
    assert (await sign_in(browser)).status_code == 401


async def test_a_password_does_not_open_an_account_that_has_none(browser: httpx.AsyncClient) -> None:
    await sign_in(browser)
    answer = await browser.post("/api/v1/session", json={"name": "li", "password": "None"})
    assert answer.status_code == 401


async def test_what_the_provider_refuses_is_said(browser: httpx.AsyncClient) -> None:
    answer = await browser.get(BACK, params={"state": "x", "error": "access_denied"})
    assert (answer.status_code, "access_denied" in answer.json()["detail"]) == (401, True)
    html = await browser.get(BACK, params={"state": "x"}, headers={"Accept": "text/html"})
    assert (html.status_code, html.headers["location"]) == (303, "/login")


async def test_a_provider_that_lies_about_its_name_or_is_not_there(house: House, provider: OidcProvider) -> None:
    provider.issuer = "https://another.example"
    async with client_of(house.world.api()) as client:
        assert (await client.get(START)).status_code == 503
    nowhere = settings(provider).model_copy(update={"issuer": "http://127.0.0.1:9"})
    house.world.gate = AccountGate(house.sessions, Provider(nowhere, house.world.clock))
    async with client_of(house.world.api()) as client:
        answer = await client.get(START)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")


async def test_without_a_provider_there_is_no_such_way(house: House, browser: httpx.AsyncClient) -> None:
    assert START in (await browser.get("/login")).text
    house.world.gate = AccountGate(house.sessions)
    async with client_of(house.world.api()) as client:
        assert (await client.get(START)).status_code == 404
        assert START not in (await client.get("/login")).text


@pytest.mark.parametrize(
    ("name", "value"), [("issuer", "http://sso.example"), ("address", "https://g.example/"), ("groups", ())]
)
def test_settings_that_are_not_safe_are_refused(provider: OidcProvider, name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        OidcSettings.model_validate({**settings(provider).model_dump(), name: value})
