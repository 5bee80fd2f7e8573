"""Signing in and out: sessions of browsers, tokens of machines; neither is kept in a form that could be used."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pyotp
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from config.clock import Clock
from config.settings import AccessSettings
from gateway.access import passwords
from gateway.access.accounts import Accounts, scope_of
from gateway.access.oidc import Person
from gateway.access.roles import ROLES, Caller, Role, Scope
from gateway.access.throttle import Throttle
from gateway.commands import By
from gateway.errors import ConflictError, NotFoundError, UnauthenticatedError
from gateway.records import audit
from gateway.records.access_tables import account, api_token, session
from gateway.records.audit import Entry
from gateway.records.transaction import using

__all__ = ["Opened", "Sessions", "csrf_of"]

TOKEN_PREFIX = "hzg_"  # noqa: S105 - what tokens begin with
_STEP_S = 30
_SEEN_EVERY_MS = 30_000
"""A session's last use is written no more often."""
_KNOWN_MS = 30 * 86_400_000
"""An address from which somebody has signed in within this time is a known one."""
_WRONG = "name, password or code is wrong（账号、密码或验证码错误）"


@dataclass(frozen=True, slots=True)
class Opened:
    """A session just opened."""

    secret: str
    """What the browser gets, and nobody else has."""
    caller: Caller


def csrf_of(secret: str) -> str:
    """Return what a page of a session has to send with everything that changes something."""
    return sha256(f"csrf:{secret}".encode()).hexdigest()


class Sessions:
    """Who is signed in. Any thread may use it.

    Args:
        accounts: Whose.
        engine: May write.
        reader: Cannot, and so makes no pipeline wait.
        clock: Wall and monotonic.
        settings: How long a session lasts, for whom a second factor is needed.
    """

    def __init__(
        self, accounts: Accounts, engine: Engine, reader: Engine, clock: Clock, settings: AccessSettings
    ) -> None:
        self.accounts = accounts
        self.clock = clock
        self._engine = engine
        self._reader = reader
        self._clock = clock
        self._settings = settings
        self._throttle = Throttle(clock)

    # --- browsers ------------------------------------------------------------------------------------------------

    def open(self, name: str, password: str, code: str, origin: str) -> Opened:
        """Sign somebody in.

        Args:
            name: Of the account.
            password: As typed.
            code: Of the second factor; empty: none was given.
            origin: Network address.

        Raises:
            UnauthenticatedError: Not with these words.
            TooManyError: Too many failures; an address known for the account is slowed by its own failures only.
        """
        keys = self._keys(name, origin)
        self._throttle.attempt(*keys)
        row = self._find(name)
        right = passwords.is_right(None if row is None else row["password"], password)
        if row is None or not right or row["disabled_ms"] is not None or not self._second(row, code):
            self._note(name, origin, "session.open", outcome="refused")
            raise UnauthenticatedError(_WRONG)
        self._throttle.forgive(*keys)
        return self._opened(row, origin)

    def open_for(self, person: Person, origin: str) -> Opened:
        """Sign in somebody whom a provider has let in.

        Raises:
            UnauthenticatedError: The account is shut.
        """
        row = self.accounts.row(self.accounts.meet(person, By("oidc", origin)))
        if row["disabled_ms"] is not None:
            self._note(row["name"], origin, "session.open", outcome="refused")
            raise UnauthenticatedError(f"{row['name']}: the account is shut（账号已停用）")
        return self._opened(row, origin)

    def _opened(self, row: Mapping[str, Any], origin: str) -> Opened:
        name = str(row["name"])
        secret, now_ms = secrets.token_urlsafe(32), self._clock.wall_ms()
        made = {"account": name, "origin": origin, "created_ms": now_ms, "seen_ms": now_ms, "ended_ms": None}
        with using(self._engine, "opening a session") as connection:
            connection.execute(insert(session), {"id": _digest(secret), **made})
            audit.append(connection, [Entry(now_ms, name, origin, "session.open", name)])
        return Opened(secret, self._caller(row, origin))

    def find(self, secret: str, origin: str, *, keep: bool = True) -> Caller | None:
        """Return who has this session; None when it has ended.

        Args:
            secret: What the browser has.
            origin: Network address.
            keep: It is being used, which keeps it from ending for being idle.
        """
        now_ms, mine = self._clock.wall_ms(), session.c.id == _digest(secret)
        joined = select(account, session.c.seen_ms, session.c.ended_ms, session.c.created_ms.label("opened_ms")).join(
            session, account.c.name == session.c.account
        )
        with using(self._reader, "looking for a session") as connection:
            row = connection.execute(joined.where(mine)).mappings().first()
        if row is None or row["ended_ms"] is not None or row["disabled_ms"] is not None:
            return None
        idle_ms = now_ms - row["seen_ms"]
        if self._has_expired(row["role"], idle_ms, now_ms - row["opened_ms"]):
            with using(self._engine, "ending a session") as connection:
                connection.execute(update(session).where(mine).values(ended_ms=now_ms))
                audit.append(connection, [Entry(now_ms, row["name"], origin, "session.expire", row["name"])])
            return None
        if keep and idle_ms > _SEEN_EVERY_MS:
            with using(self._engine, "keeping a session") as connection:
                connection.execute(update(session).where(mine).values(seen_ms=now_ms))
        return self._caller(dict(row), origin)

    def _has_expired(self, role: str, idle_ms: int, age_ms: int) -> bool:
        """Say whether a session is over; a screen on a wall is not idle for being looked at only."""
        idle = idle_ms > self._settings.idle_minutes * 60_000 and role != Role.VIEWER
        return idle or age_ms > self._settings.session_hours * 3_600_000

    def close(self, secret: str, origin: str) -> None:
        """Sign out."""
        now_ms = self._clock.wall_ms()
        ending = update(session).where(session.c.id == _digest(secret), session.c.ended_ms.is_(None))
        with using(self._engine, "closing a session") as connection:
            row = connection.execute(select(session).where(session.c.id == _digest(secret))).first()
            if row is not None and connection.execute(ending.values(ended_ms=now_ms)).rowcount:
                audit.append(connection, [Entry(now_ms, row.account, origin, "session.close", row.account)])

    def check_password(self, name: str, password: str, origin: str) -> None:
        """Ask for the password again, before something that matters.

        Raises:
            UnauthenticatedError: It is not that.
            TooManyError: Too many failures.
        """
        keys = self._keys(name, origin)
        self._throttle.attempt(*keys)
        if not passwords.is_right(self.accounts.row(name)["password"], password):
            self._note(name, origin, "session.check_password", outcome="refused")
            raise UnauthenticatedError(_WRONG)
        self._throttle.forgive(*keys)

    # --- a second factor -----------------------------------------------------------------------------------------

    def offer_second_factor(self, name: str, by: By) -> str:
        """Return the address (``otpauth://``) of a new second factor; it counts when `confirm_second_factor` has it."""
        secret = pyotp.random_base32()
        self.accounts.set_second_factor(name, secret, by, confirmed=False)
        return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="HazGate")

    def confirm_second_factor(self, name: str, code: str, by: By) -> None:
        """Let a second factor count from now on.

        Raises:
            ConflictError: None was offered.
            UnauthenticatedError: The code is wrong.
        """
        row = self.accounts.row(name)
        if row["totp"] is None:
            raise ConflictError("no second factor was offered; begin again")
        if not self._code_is_right(row, code):
            raise UnauthenticatedError(_WRONG)
        self.accounts.set_second_factor(name, row["totp"], by, confirmed=True)

    def _second(self, row: Mapping[str, Any], code: str) -> bool:
        if row["totp_confirmed"]:
            return self._code_is_right(row, code)
        return True

    def _code_is_right(self, row: Mapping[str, Any], code: str) -> bool:
        """Say whether a code is one of the moment (one step to either side), and was not used before."""
        now_s = self._clock.wall_ms() // 1000
        totp = pyotp.TOTP(row["totp"])
        for step in range(now_s // _STEP_S - 1, now_s // _STEP_S + 2):
            if secrets.compare_digest(totp.at(step * _STEP_S).encode(), code.strip().encode()):
                return self.accounts.use_code(row["name"], step)
        return False

    # --- machines ------------------------------------------------------------------------------------------------

    def make_token(self, name: str, role: Role, scope: Scope, days: float, by: By) -> str:
        """Make a token for a machine; it is shown once and kept as a hash.

        Raises:
            ConflictError: There is one of that name.
        """
        secret, now_ms = TOKEN_PREFIX + secrets.token_urlsafe(32), self._clock.wall_ms()
        rights = {"role": role.value, "enterprises": sorted(scope.enterprises), "districts": sorted(scope.districts)}
        until_ms = now_ms + round(days * 86_400_000)
        made = {"created_ms": now_ms, "created_by": by.account, "expires_ms": until_ms, "ended_ms": None}
        try:
            with using(self._engine, "making a token") as connection:
                connection.execute(insert(api_token), {"id": _digest(secret), "name": name, **rights, **made})
                entry = Entry(now_ms, by.account, by.origin, "token.create", name, detail={**rights, "days": days})
                audit.append(connection, [entry])
        except IntegrityError as error:
            raise ConflictError(f"there is a token {name} already") from error
        return secret

    def end_token(self, name: str, by: By) -> None:
        """Let a token be one no longer.

        Raises:
            NotFoundError: There is none of that name.
        """
        now_ms = self._clock.wall_ms()
        ending = update(api_token).where(api_token.c.name == name, api_token.c.ended_ms.is_(None))
        with using(self._engine, "ending a token") as connection:
            if not connection.execute(ending.values(ended_ms=now_ms)).rowcount:
                raise NotFoundError(f"there is no token {name}")
            audit.append(connection, [Entry(now_ms, by.account, by.origin, "token.end", name)])

    def tokens(self) -> list[dict[str, Any]]:
        """Return all tokens, by name, without what they are."""
        columns = [column for column in api_token.c if column.name != "id"]
        with using(self._reader, "reading tokens") as connection:
            return [dict(row) for row in connection.execute(select(*columns).order_by(api_token.c.name)).mappings()]

    def bearer(self, token: str, origin: str) -> Caller | None:
        """Return which machine has this token; None when it is none."""
        with using(self._reader, "looking for a token") as connection:
            row = connection.execute(select(api_token).where(api_token.c.id == _digest(token))).mappings().first()
        if row is None or row["ended_ms"] is not None or row["expires_ms"] <= self._clock.wall_ms():
            return None
        role = Role(row["role"])
        return Caller(f"token:{row['name']}", row["name"], role, ROLES[role], scope_of(dict(row)), origin)

    # -------------------------------------------------------------------------------------------------------------

    def _keys(self, name: str, origin: str) -> tuple[str, ...]:
        """Return by what failures count: an outsider's never for an address the account is known at."""
        known = select(session.c.id).where(
            session.c.account == name,
            session.c.origin == origin,
            session.c.created_ms > self._clock.wall_ms() - _KNOWN_MS,
        )
        with using(self._reader, "looking for an address") as connection:
            if connection.execute(known.limit(1)).first() is not None:
                return (f"{name} at {origin}",)
        return (f"{name} from outside", f"at {origin}")

    def _find(self, name: str) -> dict[str, Any] | None:
        try:
            return self.accounts.row(name)
        except NotFoundError:
            return None

    def _caller(self, row: Mapping[str, Any], origin: str) -> Caller:
        role = Role(row["role"])
        here = row["subject"] is None  # else the provider has asked for a second factor, or has not
        needed = here and role.value in self._settings.second_factor_roles and not row["totp_confirmed"]
        bare = row["must_change"] or needed  # until then: only to mend that
        allowed = frozenset() if bare else ROLES[role]
        return Caller(row["name"], row["display"], role, allowed, scope_of(row), origin, row["must_change"])

    def _note(self, name: str, origin: str, act: str, outcome: str) -> None:
        self.accounts.note(Entry(self._clock.wall_ms(), name[:64], origin, act, name[:64], outcome))


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
