"""Nobody takes all there is: guesses sent at once, sign-ins by the thousand, one caller's requests."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from gateway.access import passwords
from gateway.access.accounts import NewAccount
from gateway.access.buckets import Buckets
from gateway.access.roles import Role
from gateway.access.throttle import Throttle
from gateway.commands import By
from gateway.errors import ConflictError, TooManyError
from tests.gateway.api.people import House, make_house
from tests.gateway.api.world import client_of
from tests.support.clocks import ManualClock


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    yield from make_house(tmp_path)


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(house.world.api()) as client:
        yield client


def test_guesses_sent_all_at_once_cost_as_many_as_they_are() -> None:
    throttle, refused = Throttle(ManualClock()), []

    def guess(_: int) -> None:
        try:
            throttle.attempt("li from outside")
        except TooManyError as error:
            refused.append(error)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(guess, range(50)))
    assert len(refused) == 45


def test_only_so_many_wait_for_their_password_to_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, leave = threading.Semaphore(0), threading.Event()

    class Slow:
        def verify(self, kept: str, password: str) -> bool:
            assert (kept, password) == ("kept", "p")
            inside.release()
            return leave.wait(10)

    monkeypatch.setattr(passwords, "_HASHER", Slow())
    with ThreadPoolExecutor(10) as threads:
        tries = [threads.submit(passwords.is_right, "kept", "p") for _ in range(10)]
        for _ in range(2):
            assert inside.acquire(timeout=5)
        assert not inside.acquire(blocking=False), "two at a time"
        while passwords._ROOM.acquire(blocking=False):
            passwords._ROOM.release()  # until all ten are in
        with pytest.raises(TooManyError, match="try again"):
            passwords.is_right("kept", "p")
        leave.set()
        assert all(one.result(5) for one in tries)


@given(waits=st.lists(st.floats(0.0, 5.0), max_size=60))
def test_a_bucket_never_gives_more_than_it_had_and_got(waits: list[float]) -> None:
    clock = ManualClock()
    buckets, given_, waited = Buckets(clock, burst=3.0, per_s=2.0), 0, 0.0
    told: list[float] = []
    for wait_s in waits:
        clock.advance_s(wait_s)
        waited += wait_s
        try:
            buckets.take("li")
        except TooManyError as error:
            told.append(error.after_s)
        else:
            given_ += 1
    assert all(0 < after_s <= 0.5 for after_s in told)
    assert given_ <= 3 + 2.0 * waited + 1e-6


async def test_one_caller_is_slowed_and_others_are_not(house: House, client: httpx.AsyncClient) -> None:
    mad, calm = house.token(Role.VIEWER), house.token(Role.VIEWER)
    answers = [await client.get("/api/v1/me", headers=mad) for _ in range(301)]
    assert {one.status_code for one in answers[:300]} == {200}
    assert answers[300].status_code == 429
    assert int(answers[300].headers["Retry-After"]) >= 1
    assert answers[300].headers["content-type"] == "application/problem+json"
    assert (await client.get("/api/v1/me", headers=calm)).status_code == 200
    house.world.clock.now_s += 1
    assert (await client.get("/api/v1/me", headers=mad)).status_code == 200


async def test_a_page_of_somebody_else_cannot_sign_one_in(house: House, client: httpx.AsyncClient) -> None:
    house.accounts.create(NewAccount("li", Role.OPERATOR), By("admin"))
    answer = await client.post(
        "/api/v1/session", json={"name": "li", "password": "x"}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(("scheme", "told"), [("https", "max-age=31536000"), ("http", None)])
async def test_over_tls_browsers_are_told_to_stay_with_it(house: House, scheme: str, told: str | None) -> None:
    transport = httpx.ASGITransport(house.world.api(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://gateway") as client:
        assert (await client.get("/login")).headers.get("Strict-Transport-Security") == told


def test_an_administrator_cannot_touch_an_auditor_and_the_machine_can(house: House) -> None:
    house.accounts.create(NewAccount("eye", Role.AUDITOR), By("admin"))
    for touch in (
        lambda by: house.accounts.disable("eye", by, disabled=True),
        lambda by: house.accounts.reset("eye", by),
        lambda by: house.accounts.change("eye", Role.VIEWER, house.accounts.all()[0].scope, "", by),
    ):
        with pytest.raises(ConflictError, match="auditor"):
            touch(By("admin"))
        touch(By("cli", "cli"))


def test_nobody_resets_himself(house: House) -> None:
    house.accounts.create(NewAccount("boss", Role.ADMIN), By("cli"))
    with pytest.raises(ConflictError, match="somebody else"):
        house.accounts.reset("boss", By("boss"))
