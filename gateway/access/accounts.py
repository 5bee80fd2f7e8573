"""Accounts in the records: made, changed, disabled; every change is a row of the audit log in the same transaction."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from config.clock import Clock
from gateway.access import passwords
from gateway.access.oidc import Person
from gateway.access.roles import Role, Scope
from gateway.commands import By
from gateway.errors import BadRequestError, ConflictError, NotFoundError
from gateway.records import audit
from gateway.records.access_tables import account, session
from gateway.records.audit import Entry
from gateway.records.transaction import using

__all__ = ["Account", "Accounts", "NewAccount", "scope_of"]

_FIRST = "admin"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")
_MACHINE = ("cli",)
"""Whoever has a shell on the gateway's machine."""


@dataclass(frozen=True, slots=True)
class Account:
    """A person, or a screen on a wall."""

    name: str
    display: str
    role: Role
    scope: Scope
    must_change: bool
    second_factor: bool
    created_ms: int
    created_by: str
    disabled_ms: int | None


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What an account is made of."""

    name: str
    role: Role
    display: str = ""
    scope: Scope = field(default_factory=Scope)


def scope_of(row: Mapping[str, Any]) -> Scope:
    """Return the scope kept in a row of an account or a token."""
    return Scope(frozenset(row["enterprises"]), frozenset(row["districts"]))


class Accounts:
    """The accounts. Any thread may use it.

    Args:
        engine: May write; see `gateway.records.database.open_desk`.
        reader: Cannot, and so makes no pipeline wait.
        clock: Wall.
    """

    def __init__(self, engine: Engine, reader: Engine, clock: Clock) -> None:
        self._engine = engine
        self._reader = reader
        self._clock = clock

    def begin(self) -> str | None:
        """Make the first account when there is none; returns its one-time password, to be told once."""
        with using(self._reader, "looking for accounts") as connection:
            if connection.execute(select(account.c.name).limit(1)).first() is not None:
                return None
        return self.create(NewAccount(_FIRST, Role.ADMIN, "管理员 Administrator"), By("system", "gateway"))

    def create(self, new: NewAccount, by: By) -> str:
        """Make an account; returns its one-time password, which is kept nowhere.

        Raises:
            ConflictError: There is one of that name.
        """
        password, now_ms = passwords.one_time(), self._clock.wall_ms()
        row = {
            "name": new.name,
            "display": new.display or new.name,
            **_rights(new.role, new.scope),
            "password": passwords.hashed(password),
            "must_change": True,
            **_fresh(now_ms, by),
        }
        try:
            with using(self._engine, "making an account") as connection:
                connection.execute(insert(account), row)
                self._note(connection, by, "account.create", new.name, _rights(new.role, new.scope))
        except IntegrityError as error:
            raise ConflictError(f"there is an account {new.name} already（账号已存在）") from error
        return password

    def meet(self, person: Person, by: By) -> str:
        """Return the account of somebody whom a provider let in: made at the first time, and given what is due now.

        An account of this house is never taken for one of the provider's, whatever names are alike.
        """
        with using(self._reader, "looking for an account") as connection:
            mine = select(account).where(account.c.subject == person.subject)
            row = connection.execute(mine).mappings().first()
        if row is None:
            return self._welcome(person, by)
        name, rights = str(row["name"]), _rights(person.role, person.scope)
        if any(row[key] != value for key, value in rights.items()):
            self._set(name, rights, by, "account.change", rights)
        return name

    def _welcome(self, person: Person, by: By) -> str:
        name = person.name if _NAME.fullmatch(person.name) else f"oidc-{person.subject[:12]}"
        rights = _rights(person.role, person.scope)
        row = {"display": person.display, **rights, "password": None, "must_change": False, "subject": person.subject}
        for free in (name, f"{name[:50]}-{person.subject[:12]}"):
            try:
                with using(self._engine, "making an account") as connection:
                    connection.execute(insert(account), {"name": free, **row, **_fresh(self._clock.wall_ms(), by)})
                    self._note(connection, by, "account.create", free, rights)
            except IntegrityError:
                continue
            return free
        raise ConflictError(f"{name}: there are accounts of that name already; try again")

    def change(self, name: str, role: Role, scope: Scope, display: str, by: By) -> None:
        """Give an account another role or scope; what it is signed in with ends.

        Raises:
            NotFoundError: There is none of that name.
            ConflictError: It is one's own (nobody raises himself), or an auditor's.
        """
        self._may_touch(name, by)
        self._set(name, {**_rights(role, scope), "display": display}, by, "account.change", _rights(role, scope))

    def disable(self, name: str, by: By, *, disabled: bool) -> None:
        """Shut an account, or open it again; what it is signed in with ends.

        Raises:
            NotFoundError: There is none of that name.
            ConflictError: It is one's own, or an auditor's.
        """
        self._may_touch(name, by)
        changes = {"disabled_ms": self._clock.wall_ms() if disabled else None}
        self._set(name, changes, by, "account.disable" if disabled else "account.enable", {})

    def reset(self, name: str, by: By) -> str:
        """Give an account a one-time password, and take its second factor away; returns the password.

        Raises:
            NotFoundError: There is none of that name.
            ConflictError: It is one's own, an auditor's, or one that never had a password here.
        """
        self._may_touch(name, by)
        if self.row(name)["password"] is None:
            raise ConflictError(f"{name} signs in elsewhere and has no password here（该账号使用统一认证登录）")
        password = passwords.one_time()
        changes = {
            "password": passwords.hashed(password),
            "must_change": True,
            "password_ms": self._clock.wall_ms(),
            "totp": None,
            "totp_confirmed": False,
        }
        self._set(name, changes, by, "account.reset", {})
        return password

    def set_password(self, name: str, password: str, by: By) -> None:
        """Let somebody choose a password; other sessions end.

        Raises:
            NotFoundError: There is no such account.
            BadRequestError: The rules do not allow it.
        """
        passwords.check_new(password, name)
        if passwords.is_right(self.row(name)["password"], password):
            raise BadRequestError("password: must be another one than before（不得与原密码相同）")
        changes = {
            "password": passwords.hashed(password),
            "must_change": False,
            "password_ms": self._clock.wall_ms(),
        }
        self._set(name, changes, by, "account.password", {})

    def set_second_factor(self, name: str, secret: str | None, by: By, *, confirmed: bool) -> None:
        """Keep the secret of a second factor; it counts when it is confirmed.

        Raises:
            NotFoundError: There is no such account.
        """
        act = "account.totp_confirmed" if confirmed else "account.totp_offered"
        self._set(name, {"totp": secret, "totp_confirmed": confirmed}, by, act, {}, end_sessions=False)

    def use_code(self, name: str, step: int) -> bool:
        """Note that the code of a time step was used; False when it (or a later one) was before."""
        newer = update(account).where(account.c.name == name, account.c.totp_used < step).values(totp_used=step)
        with using(self._engine, "noting a code") as connection:
            return bool(connection.execute(newer).rowcount)

    def row(self, name: str) -> dict[str, Any]:
        """Return an account as it is kept.

        Raises:
            NotFoundError: There is none of that name.
        """
        with using(self._reader, "reading an account") as connection:
            row = connection.execute(select(account).where(account.c.name == name)).mappings().first()
        if row is None:
            raise NotFoundError(f"there is no account {name}")
        return dict(row)

    def all(self) -> list[Account]:
        """Return all accounts, by name."""
        with using(self._reader, "reading accounts") as connection:
            rows = connection.execute(select(account).order_by(account.c.name)).mappings().all()
        return [_account(dict(row)) for row in rows]

    def note(self, entry: Entry) -> None:
        """Add a row to the audit log."""
        with using(self._engine, "writing the audit log") as connection:
            audit.append(connection, [entry])

    def _set(
        self,
        name: str,
        changes: Mapping[str, Any],
        by: By,
        act: str,
        detail: Mapping[str, Any],
        *,
        end_sessions: bool = True,
    ) -> None:
        with using(self._engine, "changing an account") as connection:
            if not connection.execute(update(account).where(account.c.name == name).values(**changes)).rowcount:
                raise NotFoundError(f"there is no account {name}")
            if end_sessions:
                ending = update(session).where(session.c.account == name, session.c.ended_ms.is_(None))
                connection.execute(ending.values(ended_ms=self._clock.wall_ms()))
            self._note(connection, by, act, name, detail)

    def _note(self, connection: Connection, by: By, act: str, name: str, detail: Mapping[str, Any]) -> None:
        audit.append(connection, [Entry(self._clock.wall_ms(), by.account, by.origin, act, name, detail=detail)])

    def _may_touch(self, name: str, by: By) -> None:
        """Check that somebody may change an account.

        Separation of duties: who watches the administrators is not theirs to shut; the machine's command line does it.

        Raises:
            NotFoundError: There is none of that name.
            ConflictError: Not this one.
        """
        if name == by.account:
            raise ConflictError(f"{name}: somebody else has to do that（不得更改自己的账号）")
        if self.row(name)["role"] == Role.AUDITOR and by.account not in _MACHINE:
            raise ConflictError(
                f"{name} is an auditor: only `hazgate user` changes it（审计员账号只能在网关主机上更改）"
            )


def _fresh(now_ms: int, by: By) -> dict[str, Any]:
    return {
        "password_ms": now_ms,
        "totp": None,
        "totp_confirmed": False,
        "totp_used": 0,
        "created_ms": now_ms,
        "created_by": by.account,
        "disabled_ms": None,
    }


def _rights(role: Role, scope: Scope) -> dict[str, Any]:
    return {"role": role.value, "enterprises": sorted(scope.enterprises), "districts": sorted(scope.districts)}


def _account(row: Mapping[str, Any]) -> Account:
    return Account(
        name=row["name"],
        display=row["display"],
        role=Role(row["role"]),
        scope=scope_of(row),
        must_change=row["must_change"],
        second_factor=row["totp_confirmed"],
        created_ms=row["created_ms"],
        created_by=row["created_by"],
        disabled_ms=row["disabled_ms"],
    )
