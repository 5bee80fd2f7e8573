"""Accounts and sessions on real records: what is kept, what ends when, who is slowed down and who is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyotp
import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from config.settings import AccessSettings, RecordsAddress
from gateway.access import passwords
from gateway.access.accounts import Accounts, NewAccount
from gateway.access.roles import ROLES, Permission, Role, Scope
from gateway.access.sessions import Sessions
from gateway.commands import By
from gateway.errors import BadRequestError, ConflictError, NotFoundError, TooManyError, UnauthenticatedError
from gateway.records import access_tables, audit
from gateway.records.database import open_desk, open_reader, open_writer
from gateway.records.schema import audit as audit_table
from tests.support.clocks import ManualClock

ADMIN = By("admin", "10.0.0.1")
HOME, AWAY = "10.0.0.7", "203.0.113.9"
MINUTE_S = 60.0
PASSWORD = "correct horse 42 battery"


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash in a millisecond; the real cost is tried once."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", quick)
    monkeypatch.setattr(passwords, "_NOBODYS", quick.hash("nobody's"))


@dataclass
class House:
    accounts: Accounts
    sessions: Sessions
    clock: ManualClock

    def person(self, name: str, role: Role = Role.OPERATOR, scope: Scope | None = None) -> str:
        """Make an account that has chosen a password; returns it."""
        self.accounts.create(NewAccount(name, role, scope=scope or Scope()), ADMIN)
        self.accounts.set_password(name, PASSWORD, By(name))
        return PASSWORD

    def trail(self) -> list[tuple[str, str, str, str]]:
        """Return (account, act, subject, outcome) of the audit log, which holds."""
        with self.accounts._reader.connect() as connection:
            assert audit.verify(connection)[1] == []
            rows = connection.execute(select(audit_table).order_by(audit_table.c.seq)).all()
        return [(row.account, row.act, row.subject, row.outcome) for row in rows]


@pytest.fixture
def house(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[House]:
    writer = open_writer(tmp_path, records_address)
    desk, reader = open_desk(tmp_path, records_address), open_reader(tmp_path, records_address)
    clock = ManualClock()
    accounts = Accounts(desk, reader, clock)
    settings = AccessSettings(idle_minutes=30, session_hours=13, second_factor_roles=("engineer",))
    yield House(accounts, Sessions(accounts, desk, reader, clock, settings), clock)
    for engine in (desk, reader, writer):
        engine.dispose()


def test_the_first_start_makes_one_account_and_only_the_first(house: House) -> None:
    password = house.accounts.begin()
    assert password is not None
    assert house.accounts.begin() is None
    opened = house.sessions.open("admin", password, "", HOME)
    assert (opened.caller.role, opened.caller.permissions) == (Role.ADMIN, frozenset()), "a password first"
    house.accounts.set_password("admin", "another one entirely", By("admin"))
    assert house.sessions.find(opened.secret, HOME) is None, "sessions of the old password have ended"
    assert house.sessions.open("admin", "another one entirely", "", HOME).caller.may(Permission.ACCOUNTS_EDIT)
    with pytest.raises(UnauthenticatedError):
        house.sessions.open("admin", password, "", HOME)


def test_nothing_that_could_be_used_is_kept(house: House) -> None:
    password = house.person("li")
    opened = house.sessions.open("li", password, "", HOME)
    token = house.sessions.make_token("scada", Role.VIEWER, Scope(), 30, ADMIN)
    with house.accounts._reader.connect() as connection:
        kept = "".join(
            str(connection.execute(select(table)).all())
            for table in (access_tables.account, access_tables.session, access_tables.api_token, audit_table)
        )
    for secret in (password, opened.secret, token, token.removeprefix("hzg_")):
        assert secret not in kept


def test_a_session_ends_when_it_is_idle_or_old_or_closed(house: House) -> None:
    password = house.person("li")
    first = house.sessions.open("li", password, "", HOME)
    for _ in range(10):
        house.clock.advance_s(29 * MINUTE_S)
        assert house.sessions.find(first.secret, HOME) is not None, "used, it goes on"
    house.clock.advance_s(31 * MINUTE_S)
    assert house.sessions.find(first.secret, HOME) is None
    second = house.sessions.open("li", password, "", HOME)
    for _ in range(27):
        house.clock.advance_s(29 * MINUTE_S)
        house.sessions.find(second.secret, HOME)
    assert house.sessions.find(second.secret, HOME) is None, "13 h are over"
    third = house.sessions.open("li", password, "", HOME)
    house.sessions.close(third.secret, HOME)
    assert house.sessions.find(third.secret, HOME) is None
    assert house.sessions.find("made up", HOME) is None
    acts = [act for _, act, _, _ in house.trail() if act.startswith("session")]
    assert acts == ["session.open", "session.expire", "session.open", "session.expire", "session.open", "session.close"]


def test_a_screen_on_a_wall_is_not_idle(house: House) -> None:
    password = house.person("wall", Role.VIEWER)
    opened = house.sessions.open("wall", password, "", HOME)
    house.clock.advance_s(6 * 3600)
    assert house.sessions.find(opened.secret, HOME) is not None


def test_who_guesses_is_slowed_and_the_officer_at_the_desk_is_not(house: House) -> None:
    password = house.person("li")
    house.sessions.open("li", password, "", HOME)
    for _ in range(5):
        with pytest.raises(UnauthenticatedError, match="wrong"):
            house.sessions.open("li", "guess", "", AWAY)
    with pytest.raises(TooManyError) as caught:
        house.sessions.open("li", password, "", AWAY)
    assert caught.value.after_s > 0
    with pytest.raises(TooManyError):
        house.sessions.open("somebody", "guess", "", AWAY)
    assert house.sessions.open("li", password, "", HOME).caller.account == "li", "3 a.m., and let in"
    house.clock.advance_s(2)
    with pytest.raises(UnauthenticatedError):
        house.sessions.open("li", "guess", "", AWAY)
    house.clock.advance_s(1.5)
    with pytest.raises(TooManyError, match="try again in 1 s"):
        house.sessions.open("li", "guess", "", AWAY)
    assert ("li", "session.open", "li", "refused") in house.trail()


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "12 to 256"),
        ("x" * 257, "12 to 256"),
        ("aabbaabbaabb", "easy to guess"),
        ("my Password is long", "easy to guess"),
        ("since 1999 LiMing works here", "name of the account"),
    ],
)
def test_a_password_that_may_not_be(house: House, password: str, why: str) -> None:
    house.accounts.create(NewAccount("liming", Role.OPERATOR), ADMIN)
    with pytest.raises(BadRequestError, match=why) as caught:
        house.accounts.set_password("liming", password, By("liming"))
    assert password not in str(caught.value)


def test_the_same_password_again_is_none(house: House) -> None:
    password = house.person("li")
    with pytest.raises(BadRequestError, match="another one"):
        house.accounts.set_password("li", password, By("li"))


def test_a_second_factor_counts_once_it_is_confirmed_and_every_code_once(house: House) -> None:
    password = house.person("li")
    uri = house.sessions.offer_second_factor("li", By("li"))
    totp = pyotp.parse_uri(uri)
    assert isinstance(totp, pyotp.TOTP)
    house.sessions.open("li", password, "", HOME)
    code = totp.at(house.clock.wall_ms() // 1000)
    with pytest.raises(UnauthenticatedError):
        house.sessions.confirm_second_factor("li", "000000" if code != "000000" else "111111", By("li"))
    house.sessions.confirm_second_factor("li", code, By("li"))
    for wrong in ("", code):
        with pytest.raises(UnauthenticatedError):
            house.sessions.open("li", password, wrong, HOME)
    house.clock.advance_s(60)
    assert house.sessions.open("li", password, totp.at(house.clock.wall_ms() // 1000), HOME).secret
    house.accounts.reset("li", ADMIN)
    assert house.accounts.row("li")["totp"] is None


def test_a_role_that_needs_a_second_factor_may_do_nothing_without(house: House) -> None:
    password = house.person("engineer-1", Role.ENGINEER)
    assert house.sessions.open("engineer-1", password, "", HOME).caller.permissions == frozenset()
    totp = pyotp.parse_uri(house.sessions.offer_second_factor("engineer-1", By("engineer-1")))
    assert isinstance(totp, pyotp.TOTP)
    house.sessions.confirm_second_factor("engineer-1", totp.at(house.clock.wall_ms() // 1000), By("engineer-1"))
    house.clock.advance_s(60)
    opened = house.sessions.open("engineer-1", password, totp.at(house.clock.wall_ms() // 1000), HOME)
    assert opened.caller.permissions == ROLES[Role.ENGINEER]


def test_nobody_changes_himself_and_a_change_ends_what_was_open(house: House) -> None:
    password = house.person("li")
    opened = house.sessions.open("li", password, "", HOME)
    house.accounts.change("li", Role.VIEWER, Scope(frozenset({"acme"})), "Li", ADMIN)
    assert house.sessions.find(opened.secret, HOME) is None
    caller = house.sessions.open("li", password, "", HOME).caller
    assert (caller.role, sorted(caller.scope.enterprises)) == (Role.VIEWER, ["acme"])
    with pytest.raises(ConflictError, match="somebody else"):
        house.accounts.change("li", Role.ADMIN, Scope(), "Li", By("li"))
    with pytest.raises(ConflictError, match="somebody else"):
        house.accounts.disable("li", By("li"), disabled=True)
    house.accounts.disable("li", ADMIN, disabled=True)
    with pytest.raises(UnauthenticatedError):
        house.sessions.open("li", password, "", HOME)
    house.accounts.disable("li", ADMIN, disabled=False)
    assert house.sessions.open("li", password, "", HOME).secret
    with pytest.raises(ConflictError, match="already"):
        house.accounts.create(NewAccount("li", Role.VIEWER), ADMIN)
    with pytest.raises(NotFoundError):
        house.accounts.reset("nobody", ADMIN)


def test_a_token_is_a_machine_until_it_ends(house: House) -> None:
    token = house.sessions.make_token("scada", Role.VIEWER, Scope(frozenset({"acme"})), 30, ADMIN)
    caller = house.sessions.bearer(token, HOME)
    assert caller is not None
    assert (caller.account, caller.role, sorted(caller.scope.enterprises)) == ("token:scada", Role.VIEWER, ["acme"])
    assert house.sessions.bearer(token + "x", HOME) is None
    with pytest.raises(ConflictError):
        house.sessions.make_token("scada", Role.VIEWER, Scope(), 30, ADMIN)
    house.clock.advance_s(30 * 86_400)
    assert house.sessions.bearer(token, HOME) is None
    other = house.sessions.make_token("historian", Role.VIEWER, Scope(), 30, ADMIN)
    house.sessions.end_token("historian", ADMIN)
    assert house.sessions.bearer(other, HOME) is None


def test_duties_are_separate() -> None:
    alarms = {one for one in Permission if one.value.startswith("alarm")}
    assert not ROLES[Role.ADMIN] & (alarms | {Permission.AUDIT_READ})
    assert not ROLES[Role.AUDITOR] & (alarms | {Permission.ACCOUNTS_EDIT})
    assert [role for role in Role if Permission.ACCOUNTS_EDIT in ROLES[role]] == [Role.ADMIN]
    assert [role for role in Role if Permission.AUDIT_READ in ROLES[role]] == [Role.AUDITOR]
    assert set(ROLES) == set(Role)
    for watching in (Role.VIEWER, Role.REGULATOR, Role.RESCUE):
        assert not ROLES[watching] & alarms


def test_the_real_hash_is_argon2id_and_dear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    kept = passwords.hashed("correct horse 42")
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.is_right(kept, "correct horse 42")
    assert not passwords.is_right(kept, "correct horse 43")
    assert not passwords.is_right(None, "correct horse 42")
    assert not passwords.is_right("rubbish", "correct horse 42")
