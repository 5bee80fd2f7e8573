"""Accounts in the records: made, changed, disabled; every change is a row of the audit log in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from config.clock import Clock
from gateway.access import passwords
from gateway.access.roles import Role, Scope
from gateway.commands import By
from gateway.errors import BadRequestError, ConflictError, NotFoundError
from gateway.records import audit
from gateway.records.access_tables import account, session
from gateway.records.audit import Entry
from gateway.records.dialects import meaning_of

__all__ = ["Account", "Accounts", "NewAccount", "scope_of", "using"]

_FIRST = "admin"


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


@contextmanager
def using(engine: Engine, doing: str) -> Iterator[Connection]:
    """Open a transaction.

    Raises:
        RecordsError: The database cannot be used.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise meaning_of(error)(f"{doing}: {error.orig}") from error


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
            "password_ms": now_ms,
            "totp": None,
            "totp_confirmed": False,
            "totp_used": 0,
            "created_ms": now_ms,
            "created_by": by.account,
            "disabled_ms": None,
        }
        try:
            with using(self._engine, "making an account") as connection:
                connection.execute(insert(account), row)
                self._note(connection, by, "account.create", new.name, _rights(new.role, new.scope))
        except IntegrityError as error:
            raise ConflictError(f"there is an account {new.name} already（账号已存在）") from error
        return password

    def change(self, name: str, role: Role, scope: Scope, display: str, by: By) -> None:
        """Give an account another role or scope; what it is signed in with ends.

        Raises:
            NotFoundError: There is none of that name.
            ConflictError: It is one's own: nobody raises himself.
        """
        self._not_oneself(name, by)
        self._set(name, {**_rights(role, scope), "display": display}, by, "account.change", _rights(role, scope))

    def disable(self, name: str, by: By, *, disabled: bool) -> None:
        """Shut an account, or open it again; what it is signed in with ends.

        Raises:
            NotFoundError: There is none of that name.
            ConflictError: It is one's own.
        """
        self._not_oneself(name, by)
        changes = {"disabled_ms": self._clock.wall_ms() if disabled else None}
        self._set(name, changes, by, "account.disable" if disabled else "account.enable", {})

    def reset(self, name: str, by: By) -> str:
        """Give an account a one-time password, and take its second factor away; returns the password.

        Raises:
            NotFoundError: There is none of that name.
        """
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

    @staticmethod
    def _not_oneself(name: str, by: By) -> None:
        if name == by.account:
            raise ConflictError(f"{name}: somebody else has to do that（不得更改自己的账号）")


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
