"""Who may pass: finds out who asks, and refuses what is not allowed. Every route names the permission it needs."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Protocol
from urllib.parse import urlsplit

from fastapi import Depends, Request

from config.plant.model import Plant, Tag
from gateway.access.buckets import Buckets
from gateway.access.oidc import Provider
from gateway.access.roles import EVERYTHING, Caller, Permission, Scope
from gateway.access.sessions import Sessions, csrf_of
from gateway.api.audience import Audience, part_of
from gateway.api.context import Context, InContext
from gateway.api.problems import BadParameterError, NoSuchThingError
from gateway.commands import By
from gateway.errors import ForbiddenError, GatewayError, UnauthenticatedError
from gateway.records.queries import Row

__all__ = [
    "COOKIE",
    "SECURE_COOKIE",
    "AccountGate",
    "Check",
    "Gate",
    "InCaller",
    "OpenGate",
    "alarm_of",
    "audience_of",
    "by_of",
    "check_origin",
    "is_whole",
    "needs",
    "origin_of",
    "plant_of",
    "secret_of",
    "tag_of",
    "units_of",
]

COOKIE = "hazgate"
SECURE_COOKIE = "__Host-hazgate"
"""Over TLS: a browser takes it from nobody else, and gives it to nobody else."""
_SAFE = {"GET", "HEAD", "OPTIONS"}


class Gate(Protocol):
    """Says who asks."""

    sessions: Sessions | None
    """None: there are no accounts."""
    provider: Provider | None
    """Where people sign in besides."""

    def caller(self, request: Request) -> Caller:
        """Return who asks.

        Raises:
            UnauthenticatedError: Nobody knows.
            ForbiddenError: A page of somebody else asks in the name of who is signed in.
            TooManyError: Too often.
        """
        ...

    def still(self, request: Request, caller: Caller) -> bool:
        """Say whether who asked some time ago may still do the same; that alone keeps no session alive."""
        ...


class OpenGate:
    """Lets everybody do everything; for a gateway that listens on a loopback address only."""

    sessions: Sessions | None = None
    provider: Provider | None = None

    def caller(self, request: Request) -> Caller:
        """See `Gate`."""
        return Caller("local", "local", None, EVERYTHING, Scope(), origin_of(request))

    def still(self, request: Request, caller: Caller) -> bool:  # noqa: ARG002 - see `Gate`
        """See `Gate`."""
        return True


class AccountGate:
    """Knows accounts by their sessions, machines by their tokens."""

    def __init__(self, sessions: Sessions, provider: Provider | None = None) -> None:
        self.provider = provider
        self.sessions: Sessions | None = sessions
        self._sessions = sessions
        self._buckets = Buckets(sessions.clock)

    def still(self, request: Request, caller: Caller) -> bool:
        """See `Gate`."""
        try:
            now = self._who(request, keep=False)
        except UnauthenticatedError:
            return False
        except GatewayError:
            return True  # the records cannot be read for a moment: no reason to leave a duty room blind
        return (now.account, now.permissions, now.scope) == (caller.account, caller.permissions, caller.scope)

    def caller(self, request: Request) -> Caller:
        """See `Gate`."""
        try:
            caller = self._who(request, keep=True)
        except UnauthenticatedError:
            self._buckets.take(f"at {origin_of(request)}")
            raise
        self._buckets.take(caller.account)
        return caller

    def _who(self, request: Request, *, keep: bool) -> Caller:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer":
            machine = self._sessions.bearer(token.strip(), origin_of(request))
            if machine is not None:
                return machine
            raise UnauthenticatedError("the token is none, or has ended（令牌无效或已过期）")
        secret = secret_of(request)
        caller = None if secret is None else self._sessions.find(secret, origin_of(request), keep=keep)
        if secret is None or caller is None:
            raise UnauthenticatedError("sign in first（请先登录）")
        if request.method not in _SAFE:
            _check_page(request, secret)
        return caller


def origin_of(request: Request) -> str:
    """Return the network address a request comes from."""
    return request.client.host if request.client else ""


def secret_of(request: Request) -> str | None:
    """Return the session a browser shows, or None."""
    # Over TLS the plain one may have been planted by anybody who got at an unencrypted page of this host.
    return request.cookies.get(SECURE_COOKIE if request.url.scheme == "https" else COOKIE)


def check_origin(request: Request) -> None:
    """Check that it is no page of somebody else that asks.

    Raises:
        ForbiddenError: It is one.
    """
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("Host"):
        raise ForbiddenError("asked by a page of another origin（跨站请求被拒绝）")


def _check_page(request: Request, secret: str) -> None:
    """Check that it is a page of ours that asks.

    Raises:
        ForbiddenError: It is not.
    """
    check_origin(request)
    shown = request.headers.get("X-CSRF-Token", "")
    if not secrets.compare_digest(shown.encode(), csrf_of(secret).encode()):
        raise ForbiddenError("X-CSRF-Token is missing or wrong: take `csrf` of /api/v1/session")


class Check:
    """Lets pass who is signed in and may.

    Args:
        permission: What is needed; None: to be signed in.
        whole: It tells of everything this gateway watches, so that who may see a part only may not see it.
        everybody: It tells of everybody in the registry: who sees the whole plant may see a part of that only.
    """

    def __init__(self, permission: Permission | None, *, whole: bool = False, everybody: bool = False) -> None:
        self.permission = permission
        self.whole = whole
        self.everybody = everybody

    def __call__(self, request: Request, context: InContext) -> Caller:
        """Return who asks.

        Raises:
            UnauthenticatedError: Nobody knows.
            ForbiddenError: Not allowed.
        """
        caller = context.place.registry.widened(context.gate.caller(request))
        request.state.caller = caller
        if self.permission is not None and not caller.may(self.permission):
            if caller.role is not None and not caller.permissions:
                raise ForbiddenError("choose a password (and a second factor) first（请先修改初始密码、启用双因素）")
            raise ForbiddenError(f"{caller.account} ({caller.role}) may not: {self.permission}（无此权限）")
        hidden = self.whole and not is_whole(caller, context.plant)
        if hidden or (self.everybody and not caller.scope.whole):
            raise ForbiddenError("tells of everything here, and you may see a part（超出数据权限范围）")
        return caller


def needs(permission: Permission | None, *, whole: bool = False, everybody: bool = False) -> Any:  # noqa: ANN401 - FastAPI's own type
    """Return the dependency of a route that needs a permission (None: to be signed in). See `Check`."""
    return Depends(Check(permission, whole=whole, everybody=everybody))


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


InCaller = Annotated[Caller, Depends(_caller)]
"""Who asks, in a route that has `needs` among its dependencies."""


def by_of(caller: Caller, named: str | None) -> By:
    """Return in whose name something is done.

    Args:
        caller: Who asks.
        named: Who the request says it is: only where there are no accounts.

    Raises:
        BadParameterError: It names somebody else.
    """
    if caller.role is None:
        return By(named or caller.account, caller.origin)
    if named not in (None, caller.account):
        raise BadParameterError("by", named, f"nothing: you are signed in as {caller.account}")
    return By(caller.account, caller.origin)


def units_of(caller: Caller, context: Context) -> frozenset[str] | None:
    """Return the hazard units somebody may see; None: all."""
    return None if is_whole(caller, context.plant) else caller.scope.hazard_units(context.plant)


def plant_of(caller: Caller, context: Context) -> Plant:
    """Return the plant as somebody may see it: what is hidden is not there."""
    units = units_of(caller, context)
    if units is None:
        return context.plant
    if units not in context.seen:
        context.seen[units] = part_of(context.plant, units)
    return context.seen[units]


def audience_of(caller: Caller, context: Context) -> Audience:
    """Return with whom somebody shares what is seen."""
    return Audience(units_of(caller, context), plant_of(caller, context), context.plant)


def tag_of(caller: Caller, context: Context, name: str) -> Tag:
    """Return a tag that somebody may see.

    Raises:
        NoSuchThingError: There is none; one that is hidden is none.
    """
    tag = plant_of(caller, context).tags.get(name)
    if tag is None:
        raise NoSuchThingError("tag", name, "a tag listed at /api/v1/tags")
    return tag


def alarm_of(caller: Caller, context: Context, name: str) -> Row:
    """Return an alarm that somebody may see.

    Raises:
        NoSuchThingError: There is none; one that is hidden is none.
        RecordsError: The records cannot be read.
    """
    row, units = context.queries.alarm(name), units_of(caller, context)
    if row is None or (units is not None and row["hazard_unit"] not in units):
        raise NoSuchThingError("alarm_id", name, "an alarm listed at /api/v1/alarms")
    return row


def is_whole(caller: Caller, plant: Plant) -> bool:
    """Say whether somebody may see everything this gateway watches."""
    seen = caller.scope.hazard_units(plant)
    return seen is None or seen >= {*plant.hazard_units, ""}
