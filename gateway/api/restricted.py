"""Endpoints about restricted substances (禁限控), approvals of transfers, credit and blacklists."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.access.roles import Permission
from gateway.api.acts import Line, Note, Words
from gateway.api.context import InContext
from gateway.api.guard import InCaller, by_of, needs
from gateway.api.models import Model
from gateway.api.parameters import Moment, query_digest, read_cursor, write_cursor
from gateway.api.problems import problem_responses
from gateway.prevention.credit import Appeal, CreditStatus, Standing
from gateway.prevention.restricted import Approval, Level, Outcome, Restriction, Status, Transfer
from gateway.registry.fields import Cas, Code, Ref

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["prevention"], dependencies=[needs(Permission.READ)])

_EDIT = [needs(Permission.CATALOGUE_EDIT)]
_ANSWERS = problem_responses(401, 403, 404, 409, 422, 503)
_DAY = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
Day = Annotated[str, StringConstraints(pattern=_DAY)]
MaybeDay = Annotated[str, StringConstraints(pattern=f"{_DAY}|^$")]
Tonnes = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Number = Annotated[Cas, Field(min_length=5, max_length=12, description="CAS number")]
EntryId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
RowId = Annotated[str, Path(pattern="^[0-9a-f]{1,32}$")]
EnterpriseId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Id of the enterprise")]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Line | None = Field(None, description="Only where there are no accounts: who says so")


class Entering(_Asked):
    """The next version of an entry of the catalogue."""

    expected: Annotated[int, Field(ge=0, le=2**31 - 2, strict=True)] = Field(
        description="The version that was seen; 0: there is none"
    )
    cas: Number
    area: Ref = Field("", description="District, with all below it; empty: everywhere")
    level: Level
    limit_t: Tonnes | None = Field(None, description="More than that is refused")
    approval: bool = False
    from_day: Day
    until_day: MaybeDay = Field("", description="Last day; empty: for good")
    source: Words
    why: Words


class Approving(_Asked):
    """An approval of transfers of a substance to an enterprise."""

    enterprise: Code
    cas: Number
    most_t: Tonnes = Field(description="Per transfer")
    from_day: Day
    until_day: Day
    number: Line = Field(description="Of the paper")


class Withdrawing(_Asked):
    """The end of an approval."""


class Asking(_Asked):
    """A transfer: something to be received or loaded."""

    cas: Number
    quantity_t: Tonnes
    enterprise: Code = Field(description="Where it goes")
    approval: Ref = ""
    at: Moment | None = Field(None, description="Default: now")


class CreditEntering(_Asked):
    """How an enterprise stands."""

    standing: Standing
    from_day: Day
    until_day: MaybeDay = ""
    source: Words = Field(description="By whose word")
    reason: Words


class Appealing(_Asked):
    """What came of an appeal."""

    appeal: Literal[Appeal.FILED, Appeal.REJECTED, Appeal.UPHELD]
    reason: Note = ""


class RestrictionView(Model):
    """A version of an entry; it holds from its day until a later version does, or its last day is over."""

    id: str
    version: int
    cas: str
    area: str
    level: Level
    limit_t: float | None
    approval: bool
    from_day: str
    until_day: str
    source: str
    why: str
    made_ms: int
    by: str


class RestrictionPage(Model):
    """Every version of every entry."""

    items: tuple[RestrictionView, ...]
    next_cursor: str | None = Field(description="null on the last page")


class StatusView(Model):
    """How a substance stands somewhere, at a time."""

    cas: str
    district: str
    at_ms: int
    level: Level
    limit_t: float | None
    approval: bool
    entries: tuple[RestrictionView, ...] = Field(description="All that hold, the strictest first")


class VerdictView(Model):
    """Whether a transfer may be."""

    outcome: Outcome
    reasons: tuple[str, ...]
    status: StatusView


class ApprovalView(Model):
    """An approval."""

    id: str
    enterprise: str
    district: str
    cas: str
    most_t: float
    from_day: str
    until_day: str
    number: str
    made_ms: int
    by: str
    ended_ms: int | None


class ApprovalPage(Model):
    """Approvals, in order of id."""

    items: tuple[ApprovalView, ...]
    next_cursor: str | None = Field(description="null on the last page")


class CreditView(Model):
    """A version of an entry of an enterprise."""

    id: str
    version: int
    enterprise: str
    district: str
    standing: Standing
    from_day: str
    until_day: str
    source: str
    reason: str
    appeal: Appeal
    made_ms: int
    by: str


class CreditAnswer(Model):
    """How an enterprise stood, and everything that was entered."""

    enterprise: str
    at_ms: int
    status: CreditView | None = Field(description="The worst that held, as was known then; null: nothing was known")
    history: tuple[CreditView, ...] = Field(description="Every version, the oldest first")


class ListQuery(BaseModel):
    """Which are wanted."""

    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Annotated[str | None, Field(max_length=500, description="`next_cursor` of the page before")] = None


class EntryQuery(ListQuery):
    """Which entries are wanted."""

    cas: Annotated[str | None, Field(pattern="^[0-9-]{1,12}$")] = None


class StatusQuery(BaseModel):
    """Of what, where, when."""

    cas: Annotated[str, Field(pattern="^[0-9-]{1,12}$")]
    district: Ref = ""
    at: Moment | None = None


class AtQuery(BaseModel):
    """When."""

    at: Annotated[Moment | None, Field(description="Default: now")] = None


@router.get("/restricted", operation_id="list_restricted", summary="The catalogue", responses=_ANSWERS)
def list_restricted(context: InContext, query: Annotated[EntryQuery, Query()]) -> RestrictionPage:
    """List every version of every entry. The catalogue is public."""
    digest = query_digest(query.cas, "restricted")
    after = ("", 0) if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, str, int])[1:]
    found = context.place.prevention.restricted.entries(after, query.limit + 1, query.cas)
    page = found[: query.limit]
    more = len(found) > len(page)
    return RestrictionPage(
        items=tuple(RestrictionView(**asdict(one)) for one in page),
        next_cursor=write_cursor((page[-1].id, page[-1].version), digest) if more else None,
    )


@router.get("/restricted/status", operation_id="get_restricted_status", summary="One substance", responses=_ANSWERS)
def get_restricted_status(context: InContext, query: Annotated[StatusQuery, Query()]) -> StatusView:
    """Say how a substance stands in a district, at a time."""
    at_ms = context.clock.wall_ms() if query.at is None else query.at
    return _status(context.place.prevention.restricted.status(query.cas, at_ms, query.district))


@router.post("/restricted/check", operation_id="check_transfer", summary="May it be?", responses=_ANSWERS)
def check_transfer(context: InContext, caller: InCaller, asked: Asking) -> VerdictView:
    """Say whether a transfer to an enterprise is blocked, needs an approval, or may be. Changes nothing."""
    transfer = Transfer(asked.cas, asked.quantity_t, asked.enterprise, asked.approval)
    verdict = context.place.prevention.restricted.check(transfer, caller.scope, asked.at)
    return VerdictView(outcome=verdict.outcome, reasons=verdict.reasons, status=_status(verdict.status))


@router.put(
    "/restricted/entries/{entry_id}",
    operation_id="put_restricted",
    summary="The next version of an entry",
    responses=_ANSWERS,
    dependencies=_EDIT,
)
def put_restricted(context: InContext, caller: InCaller, entry_id: EntryId, asked: Entering) -> RestrictionView:
    """Write the next version of an entry. Earlier versions go on to hold for the days before it."""
    said = asked.model_dump(exclude={"by", "expected"})
    entry = Restriction(id=entry_id, version=asked.expected, **said)
    by = by_of(caller, asked.by)
    return RestrictionView(**asdict(context.place.prevention.restricted.write(entry, by)))


@router.get("/restricted/approvals", operation_id="list_approvals", summary="Approvals", responses=_ANSWERS)
def list_approvals(context: InContext, caller: InCaller, query: Annotated[ListQuery, Query()]) -> ApprovalPage:
    """List approvals of transfers, in order of id."""
    digest = query_digest("approvals")
    after = "" if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, str])[1]
    found = context.place.prevention.restricted.approvals(caller.scope, after, query.limit + 1)
    page = found[: query.limit]
    more = len(found) > len(page)
    return ApprovalPage(
        items=tuple(ApprovalView(**asdict(one)) for one in page),
        next_cursor=write_cursor((page[-1].id,), digest) if more else None,
    )


@router.post(
    "/restricted/approvals",
    operation_id="approve_transfers",
    summary="Approve transfers",
    responses=_ANSWERS,
    dependencies=_EDIT,
)
def approve_transfers(context: InContext, caller: InCaller, asked: Approving) -> ApprovalView:
    """Approve transfers of a substance to an enterprise."""
    said = asked.model_dump(exclude={"by"})
    wanted = Approval(id="", district="", made_ms=0, by="", ended_ms=None, **said)
    by = by_of(caller, asked.by)
    return ApprovalView(**asdict(context.place.prevention.restricted.approve(wanted, caller.scope, by)))


@router.post(
    "/restricted/approvals/{approval_id}/withdraw",
    operation_id="withdraw_approval",
    summary="Withdraw an approval",
    responses=_ANSWERS,
    dependencies=_EDIT,
)
def withdraw_approval(context: InContext, caller: InCaller, approval_id: RowId, asked: Withdrawing) -> ApprovalView:
    """Let an approval hold no longer."""
    by = by_of(caller, asked.by)
    return ApprovalView(**asdict(context.place.prevention.restricted.withdraw(approval_id, caller.scope, by)))


@router.get("/credit/{enterprise}", operation_id="get_credit", summary="Credit of an enterprise", responses=_ANSWERS)
def get_credit(
    context: InContext, caller: InCaller, enterprise: EnterpriseId, query: Annotated[AtQuery, Query()]
) -> CreditAnswer:
    """Say how an enterprise stood at a time, and all that was ever entered."""
    credit = context.place.prevention.credit
    history = credit.history(caller.scope, enterprise)
    at_ms = context.clock.wall_ms() if query.at is None else query.at
    status = credit.of(enterprise, at_ms)
    return CreditAnswer(
        enterprise=enterprise,
        at_ms=at_ms,
        status=None if status is None else _credit(status),
        history=tuple(_credit(one) for one in history),
    )


@router.post(
    "/credit/{enterprise}",
    operation_id="enter_credit",
    summary="Enter how an enterprise stands",
    responses=_ANSWERS,
    dependencies=_EDIT,
)
def enter_credit(context: InContext, caller: InCaller, enterprise: EnterpriseId, asked: CreditEntering) -> CreditView:
    """Enter how an enterprise stands, by whose word and from when."""
    said = asked.model_dump(exclude={"by"})
    more: dict[str, Any] = {"id": "", "version": 0, "district": "", "appeal": Appeal.NONE, "made_ms": 0, "by": ""}
    by = by_of(caller, asked.by)
    wanted = CreditStatus(enterprise=enterprise, **said, **more)
    return _credit(context.place.prevention.credit.enter(wanted, caller.scope, by))


@router.post(
    "/credit/entries/{entry_id}/appeal",
    operation_id="appeal_credit",
    summary="What came of an appeal",
    responses=_ANSWERS,
    dependencies=_EDIT,
)
def appeal_credit(context: InContext, caller: InCaller, entry_id: RowId, asked: Appealing) -> CreditView:
    """Note that an appeal was filed, rejected or upheld. An entry whose appeal is upheld no longer counts."""
    by = by_of(caller, asked.by)
    return _credit(context.place.prevention.credit.appeal(entry_id, asked.appeal, asked.reason, caller.scope, by))


def _status(status: Status) -> StatusView:
    return StatusView(**asdict(status))


def _credit(status: CreditStatus) -> CreditView:
    return CreditView(**asdict(status))
