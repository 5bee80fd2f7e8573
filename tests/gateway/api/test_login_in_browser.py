"""The door in a real browser: a one-time password, one's own, a second factor, the live page, and out again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from argon2 import PasswordHasher

from config.settings import AccessSettings
from gateway.access import passwords
from gateway.access.accounts import NewAccount
from gateway.access.roles import Role
from gateway.access.sessions import Sessions
from gateway.api.guard import AccountGate
from gateway.commands import By
from gateway.records.database import open_reader
from tests.gateway.api.people import House, make_house
from tests.gateway.api.test_page_in_browser import Running
from tests.gateway.api.world import T0
from tests.support.browser import CHROMIUM, Page, chromium

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)")

OWN = "correct horse 42 battery"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    for house in make_house(tmp_path):
        reader = open_reader(tmp_path)
        settings = AccessSettings(second_factor_roles=("engineer",))
        house.world.gate = AccountGate(
            Sessions(house.accounts, house.world.engine, reader, house.world.clock, settings)
        )
        house.world.healthy()
        house.world.register()
        yield house
        reader.dispose()


def fill(browser: Page, form: str, **fields: str) -> None:
    """Fill in a form and send it."""
    for name, value in fields.items():
        browser.evaluate(f"document.querySelector('#{form} [name={name}]').value = {value!r}")
    browser.evaluate(f"document.querySelector('#{form}').requestSubmit()")


def seen(part: str) -> str:
    return f"document.querySelector('{part}')?.checkVisibility() ?? false"


def test_the_whole_way_in_and_out(house: House, browser: Page) -> None:
    first = house.accounts.create(NewAccount("wang", Role.ENGINEER, "王工"), By("admin"))
    with Running(house.world) as running:
        browser.open(f"{running.address}/?lang=en")
        browser.until("location.pathname === '/login'")
        browser.until(seen("#sign-in"))
        assert not browser.evaluate(seen("#signed-in"))
        fill(browser, "sign-in", name="wang", password="wrong")
        browser.until("document.querySelector('#said').textContent.includes('wrong')")
        fill(browser, "sign-in", name="wang", password=first)
        browser.until(seen("#must"))
        assert not browser.evaluate(seen("#sign-in"))
        assert not browser.evaluate(seen("#factor")), "a password first"
        fill(browser, "change", password=first, new=OWN)
        browser.until(seen("#sign-in"))
        fill(browser, "sign-in", name="wang", password=OWN)
        browser.until(seen("#needs-factor"))
        assert not browser.evaluate(seen("#confirm"))
        fill(browser, "factor", password=OWN)
        browser.until(seen("#confirm"))
        secret = str(browser.evaluate("document.querySelector('#factor-secret').textContent"))
        assert str(browser.evaluate("document.querySelector('#factor-link').href")).startswith("otpauth://totp/")
        fill(browser, "confirm", code=pyotp.TOTP(secret).at(T0 // 1000))
        browser.until("location.pathname === '/' && document.querySelector('tr.tag') !== null")
        browser.open(f"{running.address}/login")
        browser.until(seen("#signed-in"))
        browser.evaluate("document.querySelector('#sign-out').click()")
        browser.until(seen("#sign-in"))
        browser.open(f"{running.address}/")
        browser.until("location.pathname === '/login'")


def test_a_page_left_open_goes_back_to_the_door_when_the_session_ends(house: House, browser: Page) -> None:
    first = house.accounts.create(NewAccount("li", Role.OPERATOR), By("admin"))
    house.accounts.set_password("li", OWN, By("li"))
    assert first != OWN
    with Running(house.world) as running:
        browser.open(f"{running.address}/login")
        browser.until(seen("#sign-in"))
        fill(browser, "sign-in", name="li", password=OWN)
        browser.until("location.pathname === '/' && document.querySelector('tr.tag') !== null")
        house.accounts.disable("li", By("cli"), disabled=True)
        house.world.clock.now_s += 11.0
        browser.until("location.pathname === '/login'", 15.0)
