"""Endpoints about who one is and who may do what: session, second factor, accounts, tokens, audit log."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.access.accounts import Account, NewAccount
from gateway.access.roles import Caller, Permission, Role, Scope
from gateway.access.sessions import Sessions, csrf_of
from gateway.api.context import Context, InContext
from gateway.api.guard import COOKIE, SECURE_COOKIE, InCaller, by_of, check_origin, needs, origin_of, secret_of
from gateway.api.models import Model
from gateway.api.problems import problem_responses
from gateway.errors import ConflictError

__all__ = ["OPEN", "router"]

router = APIRouter(prefix="/api/v1", tags=["accounts"])

OPEN = "/api/v1/session"
"""Where anybody may ask to be let in."""
_SIGNED_IN = [needs(None)]
_EDIT = [needs(Permission.ACCOUNTS_EDIT)]
_ANSWERS = problem_responses(401, 403, 404, 409, 422, 429, 503)

AccountName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,63}$", description="a-z 0-9 . _ -")]
Codes = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=64)], ...], Field(max_length=100)]
InPath = Annotated[str, Path(max_length=64)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Code = Annotated[str, Field(pattern=r"^\d{6}$", description="Of the second factor")]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SignIn(_Asked):
    """Who wants to be let in."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Secret
    code: Code | None = None


class NewPassword(_Asked):
    """One's own password, and the one that is to be."""

    password: Secret
    new: Secret


class Again(_Asked):
    """The password once more, before something that matters."""

    password: Secret


class Confirmation(_Asked):
    """What the second factor shows."""

    code: Code


class Rights(_Asked):
    """What somebody may do, and whose things are seen."""

    role: Role
    display: Annotated[str, StringConstraints(strip_whitespace=True, max_length=128)] = ""
    enterprises: Codes = Field((), description="Ids; with districts empty too: everything")
    districts: Codes = Field((), description="Codes")

    def scope(self) -> Scope:
        """Return whose things are seen."""
        return Scope(frozenset(self.enterprises), frozenset(self.districts))


class AccountAsked(Rights):
    """An account to be made."""

    name: AccountName


class TokenAsked(_Asked):
    """A token to be made for a machine."""

    name: AccountName
    role: Role
    enterprises: Codes = ()
    districts: Codes = ()
    days: Annotated[float, Field(gt=0, le=3660)] = 365


class Me(Model):
    """Who one is."""

    account: str
    name: str
    role: Role | None = Field(description="null: this gateway has no accounts, everybody may do everything")
    permissions: tuple[Permission, ...]
    enterprises: tuple[str, ...]
    districts: tuple[str, ...]
    must_change_password: bool
    csrf: str | None = Field(description="To be sent as X-CSRF-Token with everything that changes something")


class AccountView(Model):
    """An account."""

    name: str
    display: str
    role: Role
    enterprises: tuple[str, ...]
    districts: tuple[str, ...]
    must_change_password: bool
    second_factor: bool
    created_ms: int
    created_by: str
    disabled_ms: int | None


class AccountList(Model):
    """All accounts, by name."""

    items: tuple[AccountView, ...]


class OneTime(Model):
    """A password that is shown once and has to be changed at its first use."""

    name: str
    password: str


class SecondFactor(Model):
    """What an authenticator app reads."""

    uri: str


class TokenView(Model):
    """A token of a machine, without what it is."""

    name: str
    role: Role
    enterprises: tuple[str, ...]
    districts: tuple[str, ...]
    created_ms: int
    created_by: str
    expires_ms: int
    ended_ms: int | None


class TokenList(Model):
    """All tokens, by name."""

    items: tuple[TokenView, ...]


class TokenMade(Model):
    """A token, shown once."""

    name: str
    token: str


class AuditRow(Model):
    """One thing that somebody did, or tried to do."""

    seq: int
    at_ms: int
    account: str
    origin: str
    act: str
    subject: str
    outcome: Literal["done", "refused"]
    detail: dict[str, Any]
    previous: str
    hash: str


class AuditPage(Model):
    """Rows of the audit log, oldest first."""

    items: tuple[AuditRow, ...]
    next_after: int | None = Field(description="null on the last page")


class AuditQuery(BaseModel):
    """Which rows are wanted."""

    after: Annotated[int, Field(ge=0, le=2**62, description="Rows behind this number")] = 0
    account: Annotated[str | None, Field(max_length=128)] = None
    subject: Annotated[str | None, Field(max_length=256)] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 200


# --- oneself -------------------------------------------------------------------------------------------------------


@router.post(
    "/session", operation_id="sign_in", summary="Sign in", responses=problem_responses(401, 403, 409, 422, 429, 503)
)
def sign_in(context: InContext, request: Request, response: Response, asked: SignIn) -> Me:
    """Open a session: a cookie that scripts cannot read, and a `csrf` that they have to send."""
    check_origin(request)
    opened = _sessions(context).open(asked.name, asked.password, asked.code or "", origin_of(request))
    secure = request.url.scheme == "https"
    name = SECURE_COOKIE if secure else COOKIE
    response.set_cookie(name, opened.secret, httponly=True, samesite="strict", secure=secure, path="/")
    return _me(opened.caller, opened.secret)


@router.get("/session", operation_id="get_session", summary="Who am I", responses=_ANSWERS, dependencies=_SIGNED_IN)
def get_session(request: Request, caller: InCaller) -> Me:
    """Return who one is and what one may do."""
    return _me(caller, secret_of(request))


@router.get("/me", operation_id="get_me", summary="Who am I", responses=_ANSWERS, dependencies=_SIGNED_IN)
def get_me(request: Request, caller: InCaller) -> Me:
    """Return who one is and what one may do."""
    return _me(caller, secret_of(request))


@router.delete(
    "/session",
    operation_id="sign_out",
    summary="Sign out",
    status_code=204,
    responses=_ANSWERS,
    dependencies=_SIGNED_IN,
)
def sign_out(context: InContext, request: Request, response: Response) -> None:
    """End one's session."""
    secret = secret_of(request)
    if secret is not None:
        _sessions(context).close(secret, origin_of(request))
    for name in (COOKIE, SECURE_COOKIE):
        response.delete_cookie(name, secure=name == SECURE_COOKIE, httponly=True, samesite="strict")


@router.post(
    "/session/password",
    operation_id="change_password",
    summary="Choose a password",
    status_code=204,
    responses=_ANSWERS,
    dependencies=_SIGNED_IN,
)
def change_password(context: InContext, caller: InCaller, asked: NewPassword) -> None:
    """Change one's password. All one's sessions end: sign in with the new one."""
    sessions = _sessions(context)
    sessions.check_password(caller.account, asked.password, caller.origin)
    sessions.accounts.set_password(caller.account, asked.new, by_of(caller, None))


@router.post(
    "/session/totp",
    operation_id="offer_second_factor",
    summary="Begin a second factor",
    responses=_ANSWERS,
    dependencies=_SIGNED_IN,
)
def offer_second_factor(context: InContext, caller: InCaller, asked: Again) -> SecondFactor:
    """Return what an authenticator app reads; it counts once it is confirmed."""
    sessions = _sessions(context)
    sessions.check_password(caller.account, asked.password, caller.origin)
    return SecondFactor(uri=sessions.offer_second_factor(caller.account, by_of(caller, None)))


@router.post(
    "/session/totp/confirm",
    operation_id="confirm_second_factor",
    summary="Confirm a second factor",
    status_code=204,
    responses=_ANSWERS,
    dependencies=_SIGNED_IN,
)
def confirm_second_factor(context: InContext, caller: InCaller, asked: Confirmation) -> None:
    """Let the second factor count from now on."""
    _sessions(context).confirm_second_factor(caller.account, asked.code, by_of(caller, None))


# --- others --------------------------------------------------------------------------------------------------------


@router.get("/accounts", operation_id="list_accounts", summary="Accounts", responses=_ANSWERS, dependencies=_EDIT)
def list_accounts(context: InContext) -> AccountList:
    """List all accounts."""
    return AccountList(items=tuple(_account(one) for one in _sessions(context).accounts.all()))


@router.post("/accounts", operation_id="create_account", summary="Make one", responses=_ANSWERS, dependencies=_EDIT)
def create_account(context: InContext, caller: InCaller, asked: AccountAsked) -> OneTime:
    """Make an account; its one-time password is shown here and nowhere else."""
    new = NewAccount(asked.name, asked.role, asked.display, asked.scope())
    password = _sessions(context).accounts.create(new, by_of(caller, None))
    return OneTime(name=asked.name, password=password)


@router.put(
    "/accounts/{name}",
    operation_id="change_account",
    summary="Change role and scope",
    status_code=204,
    responses=_ANSWERS,
    dependencies=_EDIT,
)
def change_account(context: InContext, caller: InCaller, name: InPath, asked: Rights) -> None:
    """Give an account another role and scope; its sessions end. Not one's own."""
    accounts = _sessions(context).accounts
    accounts.change(name, asked.role, asked.scope(), asked.display or name, by_of(caller, None))


@router.post(
    "/accounts/{name}/{what}",
    operation_id="shut_account",
    summary="Shut or open an account",
    status_code=204,
    responses=_ANSWERS,
    dependencies=_EDIT,
)
def shut_account(context: InContext, caller: InCaller, name: InPath, what: Literal["disable", "enable"]) -> None:
    """Shut an account, or open it again; its sessions end. Not one's own."""
    _sessions(context).accounts.disable(name, by_of(caller, None), disabled=what == "disable")


@router.put(
    "/accounts/{name}/password",
    operation_id="reset_account",
    summary="Give a one-time password",
    responses=_ANSWERS,
    dependencies=_EDIT,
)
def reset_account(context: InContext, caller: InCaller, name: InPath) -> OneTime:
    """Give an account a one-time password and take its second factor away; its sessions end."""
    return OneTime(name=name, password=_sessions(context).accounts.reset(name, by_of(caller, None)))


@router.get("/tokens", operation_id="list_tokens", summary="Tokens", responses=_ANSWERS, dependencies=_EDIT)
def list_tokens(context: InContext) -> TokenList:
    """List the tokens of machines."""
    return TokenList(items=tuple(TokenView(**row) for row in _sessions(context).tokens()))


@router.post("/tokens", operation_id="create_token", summary="Make one", responses=_ANSWERS, dependencies=_EDIT)
def create_token(context: InContext, caller: InCaller, asked: TokenAsked) -> TokenMade:
    """Make a token for a machine; it is shown here and nowhere else."""
    scope = Scope(frozenset(asked.enterprises), frozenset(asked.districts))
    token = _sessions(context).make_token(asked.name, asked.role, scope, asked.days, by_of(caller, None))
    return TokenMade(name=asked.name, token=token)


@router.delete(
    "/tokens/{name}",
    operation_id="end_token",
    summary="End one",
    status_code=204,
    responses=_ANSWERS,
    dependencies=_EDIT,
)
def end_token(context: InContext, caller: InCaller, name: InPath) -> None:
    """Let a token be one no longer."""
    _sessions(context).end_token(name, by_of(caller, None))


@router.get(
    "/audit",
    operation_id="list_audit",
    summary="Who did what",
    responses=_ANSWERS,
    dependencies=[needs(Permission.AUDIT_READ, everybody=True)],
)
def list_audit(context: InContext, query: Annotated[AuditQuery, Query()]) -> AuditPage:
    """List the audit log, oldest first; each row seals all before it (docs/access.md says how to check)."""
    rows = context.queries.audit(query.after, query.account, query.subject, query.limit + 1)
    page = rows[: query.limit]
    items = tuple(AuditRow(**{**row, "detail": msgspec.json.decode(row["detail"])}) for row in page)
    return AuditPage(items=items, next_after=page[-1]["seq"] if len(rows) > len(page) else None)


def _sessions(context: Context) -> Sessions:
    if context.gate.sessions is None:
        raise ConflictError("this gateway has no accounts: it was started with --no-accounts（本网关未启用账号）")
    return context.gate.sessions


def _me(caller: Caller, secret: str | None) -> Me:
    return Me(
        account=caller.account,
        name=caller.name,
        role=caller.role,
        permissions=tuple(sorted(caller.permissions)),
        enterprises=tuple(sorted(caller.scope.enterprises)),
        districts=tuple(sorted(caller.scope.districts)),
        must_change_password=caller.must_change_password,
        csrf=None if secret is None else csrf_of(secret),
    )


def _account(account: Account) -> AccountView:
    return AccountView(
        name=account.name,
        display=account.display,
        role=account.role,
        enterprises=tuple(sorted(account.scope.enterprises)),
        districts=tuple(sorted(account.scope.districts)),
        must_change_password=account.must_change,
        second_factor=account.second_factor,
        created_ms=account.created_ms,
        created_by=account.created_by,
        disabled_ms=account.disabled_ms,
    )
