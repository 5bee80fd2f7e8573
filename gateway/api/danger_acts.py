"""Endpoints by which people work on hidden dangers (隐患): from reporting one to closing it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Header
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from config.dangers import Clocked
from gateway.access.roles import Caller, Permission
from gateway.api.acts import IdempotencyKey, Line, Note, Words
from gateway.api.context import Context, InContext
from gateway.api.danger_models import DangerDetail
from gateway.api.dangers import DangerId, detail_of
from gateway.api.guard import InCaller, by_of, needs
from gateway.api.parameters import Moment
from gateway.api.problems import problem_responses
from gateway.commands import By
from gateway.dangers.acts import Act, Plan, Who
from gateway.dangers.intake import Found, Reporter
from gateway.dangers.states import Event, Grade, Source
from gateway.records.dialects import storable
from gateway.registry.where import Spot

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/hidden-dangers", tags=["hidden dangers"], dependencies=[needs(Permission.READ)])

_REPORT = [needs(Permission.DANGER_REPORT)]
_RECTIFY = [needs(Permission.DANGER_RECTIFY)]
_VERIFY = [needs(Permission.DANGER_VERIFY)]
_SUPERVISE = [needs(Permission.DANGER_SUPERVISE)]
_ANSWERS = problem_responses(401, 403, 404, 409, 422, 503)

Version = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True, description="`version` as it was seen")]
_Ref = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,128}$")]
_Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)]
_ReportKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        description="The same key again is the same danger; without it every report is a new one",
    ),
]


class DangerAsked(BaseModel):
    """Base of what is asked: what is not declared is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Line | None = Field(None, description="Only where there are no accounts: who says so")


class SeenDanger(DangerAsked):
    """Which version of a danger was seen; a word beside it."""

    version: Version
    text: Note = ""


class DangerWords(DangerAsked):
    """The same, with words that are needed."""

    version: Version
    text: Words


class DangerUntil(DangerWords):
    """DangerUntil when, and why."""

    until: Moment


class DangerRemark(DangerAsked):
    """Something to be remembered, whatever has happened meanwhile."""

    text: Words


class CallerOf12350(BaseModel):
    """Who called 12350: sealed, shown to the authority alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(max_length=128)] = ""
    phone: Annotated[str, Field(max_length=64)] = ""
    text: Note = ""


class NewDanger(DangerAsked):
    """A hidden danger as it was found. One of alarm, tag, vessel, unit, site or enterprise says where it is."""

    source: Source
    title: _Title
    text: Note = ""
    alarm_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,32}$")] = ""
    tag: _Ref = ""
    vessel: _Ref = ""
    hazard_unit: _Ref = ""
    site: _Ref = ""
    enterprise: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,64}$")] = ""
    district: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,32}$")] = Field(
        "", description="Enough for what was reported to 12350, where nobody knows whose it is"
    )
    place: Annotated[str, StringConstraints(strip_whitespace=True, max_length=512)] = Field(
        "", description="In words, where no record says it"
    )
    latitude_deg: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)] | None = None
    longitude_deg: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] | None = None
    seen: Moment | None = Field(None, description="When it was noticed; now if left out")
    risk_id: _Ref = ""
    finding: _Ref = Field("", description="Of a check or an inspection")
    reporter: CallerOf12350 | None = Field(None, description="Of source `report_12350` only; sealed")


class DangerHandover(DangerWords):
    """Where it is, and so whose."""

    tag: _Ref = ""
    vessel: _Ref = ""
    hazard_unit: _Ref = ""
    site: _Ref = ""
    enterprise: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,64}$")] = ""


class DangerGrading(SeenDanger):
    """How bad it is."""

    grade: Literal[Grade.GENERAL, Grade.MAJOR]


class FiveFixes(SeenDanger):
    """The five fixes (五落实); all are needed before rectifying begins."""

    responsible: Line = Field(description="责任: account or name of who rectifies")
    measures: Words = Field(description="措施")
    funds_yuan: Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False, description="资金; 0 is an answer")]
    deadline: Moment = Field(description="时限")
    precautions: Words = Field(description="预案: what keeps people safe meanwhile")


class DangerListing(DangerAsked):
    """Listed supervision (挂牌督办)."""

    version: Version
    until: Moment
    notice: Words = Field(description="What the public reads; no telephone number")


class DangerReceipt(SeenDanger):
    """The receipt of one of the two reports (双报告)."""

    of: Literal[Clocked.REPORT_REGULATOR, Clocked.REPORT_CONGRESS]
    number: Line


@router.post("", operation_id="report_hidden_danger", summary="Report one", responses=_ANSWERS, dependencies=_REPORT)
def report_hidden_danger(
    context: InContext, caller: InCaller, asked: NewDanger, key: _ReportKey = None
) -> DangerDetail:
    """Report a hidden danger; whose it is follows from where it is."""
    reporter = asked.reporter
    same = (
        "source", "title", "text", "alarm_id", "tag", "vessel", "hazard_unit", "site", "enterprise", "district",
        "place", "latitude_deg", "longitude_deg", "risk_id", "finding",
    )  # fmt: skip
    found = Found(
        **{name: getattr(asked, name) for name in same},
        seen_ms=asked.seen,
        reporter=None if reporter is None else Reporter(reporter.name, reporter.phone, reporter.text),
    )
    one = context.place.dangers.report(found, caller.scope, _who(caller, asked).by, key or "")
    return detail_of(context, caller, one)


@router.post(
    "/{danger_id}/accept",
    operation_id="accept_hidden_danger",
    summary="A proposal is one",
    responses=_ANSWERS,
    dependencies=_VERIFY,
)
def accept(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: SeenDanger, key: IdempotencyKey = None
) -> DangerDetail:
    """Accept what recurring alarms propose; who accepts it counts as who found it."""
    act = Act(Event.ACCEPT, danger_id, asked.version, asked.text)
    return _do(context, caller, asked, key, act)


@router.post(
    "/{danger_id}/dismiss",
    operation_id="dismiss_hidden_danger",
    summary="It is none",
    responses=_ANSWERS,
    dependencies=_VERIFY,
)
def dismiss(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: DangerWords, key: IdempotencyKey = None
) -> DangerDetail:
    """Dismiss a proposal or a report, with the reason; what came from 12350 or an inspection, the authority alone."""
    act = Act(Event.DISMISS, danger_id, asked.version, asked.text)
    return _do(context, caller, asked, key, act)


@router.post(
    "/{danger_id}/assign",
    operation_id="assign_hidden_danger",
    summary="Hand it over",
    responses=_ANSWERS,
    dependencies=_SUPERVISE,
)
def assign(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: DangerHandover, key: IdempotencyKey = None
) -> DangerDetail:
    """Hand a report over to whose it is (交办), before it is planned: from then on they see it."""
    place = Spot(asked.tag, asked.vessel, asked.hazard_unit, asked.site, asked.enterprise)
    return _do(context, caller, asked, key, Act(Event.ASSIGN, danger_id, asked.version, asked.text, place=place))


@router.post(
    "/{danger_id}/grade",
    operation_id="grade_hidden_danger",
    summary="Say how bad it is",
    responses=_ANSWERS,
    dependencies=_VERIFY,
)
def grade(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: DangerGrading, key: IdempotencyKey = None
) -> DangerDetail:
    """Grade it general or major; two reports (双报告) of a major one are due from then on."""
    act = Act(Event.GRADE, danger_id, asked.version, asked.text, grade=asked.grade)
    return _do(context, caller, asked, key, act)


@router.post(
    "/{danger_id}/plan",
    operation_id="plan_five_fixes",
    summary="Plan the five fixes",
    responses=_ANSWERS,
    dependencies=_RECTIFY,
)
def plan(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: FiveFixes, key: IdempotencyKey = None
) -> DangerDetail:
    """Plan who, how, with what money, until when, with which precautions; rectifying begins."""
    act = Act(Event.PLAN, danger_id, asked.version, asked.text, plan=_plan(asked))
    return _do(context, caller, asked, key, act)


@router.post(
    "/{danger_id}/ask-extension",
    operation_id="ask_for_more_time",
    summary="Ask for more time",
    responses=_ANSWERS,
    dependencies=_RECTIFY,
)
def ask(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: DangerUntil, key: IdempotencyKey = None
) -> DangerDetail:
    """Ask for a later deadline, with the reason."""
    act = Act(Event.ASK, danger_id, asked.version, asked.text, until_ms=asked.until)
    return _do(context, caller, asked, key, act)


@router.post(
    "/{danger_id}/grant-extension",
    operation_id="grant_more_time",
    summary="Grant more time",
    responses=_ANSWERS,
    dependencies=_VERIFY,
)
def grant(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: SeenDanger, key: IdempotencyKey = None
) -> DangerDetail:
    """Grant the time asked for, as somebody who is not rectifying it."""
    act = Act(Event.GRANT, danger_id, asked.version, asked.text)
    return _do(context, caller, asked, key, act)


@router.post(
    "/{danger_id}/refuse-extension",
    operation_id="refuse_more_time",
    summary="Refuse more time",
    responses=_ANSWERS,
    dependencies=_VERIFY,
)
def refuse(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: DangerWords, key: IdempotencyKey = None
) -> DangerDetail:
    """Refuse the time asked for, with the reason."""
    act = Act(Event.REFUSE, danger_id, asked.version, asked.text)
    return _do(context, caller, asked, key, act)


@router.post(
    "/{danger_id}/rectify",
    operation_id="rectify_hidden_danger",
    summary="Say it is rectified",
    responses=_ANSWERS,
    dependencies=_RECTIFY,
)
def rectify(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: DangerWords, key: IdempotencyKey = None
) -> DangerDetail:
    """Say that it is rectified, and how."""
    act = Act(Event.RECTIFY, danger_id, asked.version, asked.text)
    return _do(context, caller, asked, key, act)


@router.post(
    "/{danger_id}/return",
    operation_id="return_hidden_danger",
    summary="Send it back",
    responses=_ANSWERS,
    dependencies=_VERIFY,
)
def send_back(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: DangerWords, key: IdempotencyKey = None
) -> DangerDetail:
    """Send it back to rectifying, with the reason; its deadline stays, and it counts as not done."""
    act = Act(Event.RETURN, danger_id, asked.version, asked.text)
    return _do(context, caller, asked, key, act)


@router.post(
    "/{danger_id}/verify",
    operation_id="verify_hidden_danger",
    summary="Verify",
    responses=_ANSWERS,
    dependencies=_VERIFY,
)
def verify(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: DangerWords, key: IdempotencyKey = None
) -> DangerDetail:
    """Verify that it is rectified; a major one as somebody of another post or team, see docs/hidden-dangers.md."""
    act = Act(Event.VERIFY, danger_id, asked.version, asked.text)
    return _do(context, caller, asked, key, act)


@router.post(
    "/{danger_id}/list",
    operation_id="list_danger_for_supervision",
    summary="List for supervision",
    responses=_ANSWERS,
    dependencies=_SUPERVISE,
)
def list_for_supervision(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: DangerListing, key: IdempotencyKey = None
) -> DangerDetail:
    """List a major one for supervision (挂牌督办) until a day, with what the public reads; again: changes both."""
    act = Act(Event.LIST, danger_id, asked.version, asked.notice, until_ms=asked.until)
    return _do(context, caller, asked, key, act)


@router.post(
    "/{danger_id}/delist",
    operation_id="delist_hidden_danger",
    summary="Delist",
    responses=_ANSWERS,
    dependencies=_SUPERVISE,
)
def delist(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: DangerWords, key: IdempotencyKey = None
) -> DangerDetail:
    """Take a verified one off the list (摘牌)."""
    act = Act(Event.DELIST, danger_id, asked.version, asked.text)
    return _do(context, caller, asked, key, act)


@router.post(
    "/{danger_id}/receipts",
    operation_id="note_danger_receipt",
    summary="Note a receipt",
    responses=_ANSWERS,
    dependencies=_RECTIFY,
)
def receipt(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: DangerReceipt, key: IdempotencyKey = None
) -> DangerDetail:
    """Note that the regulator or the workers' congress has a major one's report (双报告)."""
    act = Act(Event.RECEIPT, danger_id, asked.version, asked.text, receipt=asked.of, number=asked.number)
    return _do(context, caller, asked, key, act)


@router.post(
    "/{danger_id}/close",
    operation_id="close_hidden_danger",
    summary="Close",
    responses=_ANSWERS,
    dependencies=_VERIFY,
)
def close(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: DangerWords, key: IdempotencyKey = None
) -> DangerDetail:
    """Close a verified one (销号). 409 while its alarm is open, a receipt is missing, or it is listed."""
    act = Act(Event.CLOSE, danger_id, asked.version, asked.text)
    return _do(context, caller, asked, key, act)


@router.post(
    "/{danger_id}/reopen",
    operation_id="reopen_hidden_danger",
    summary="It is back",
    responses=_ANSWERS,
    dependencies=_VERIFY,
)
def reopen(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: DangerUntil, key: IdempotencyKey = None
) -> DangerDetail:
    """Reopen a closed one with a new deadline; it counts back as not done in the month it was due."""
    act = Act(Event.REOPEN, danger_id, asked.version, asked.text, until_ms=asked.until)
    return _do(context, caller, asked, key, act)


@router.post(
    "/{danger_id}/comment",
    operation_id="comment_hidden_danger",
    summary="Note something",
    responses=_ANSWERS,
    dependencies=_REPORT,
)
def comment(
    context: InContext, caller: InCaller, danger_id: DangerId, asked: DangerRemark, key: IdempotencyKey = None
) -> DangerDetail:
    """Note something about one that is not dismissed."""
    act = Act(Event.COMMENT, danger_id, None, asked.text)
    return _do(context, caller, asked, key, act)


def _do(context: Context, caller: Caller, asked: DangerAsked, key: str | None, act: Act) -> DangerDetail:
    one = context.place.dangers.act(replace(act, key=key or ""), _who(caller, asked))
    return detail_of(context, caller, one)


def _who(caller: Caller, asked: DangerAsked) -> Who:
    by = by_of(caller, asked.by)
    named = By(storable(by.account)[:128], by.origin)
    return Who(named, caller.scope, supervises=caller.may(Permission.DANGER_SUPERVISE))


def _plan(asked: FiveFixes) -> Plan:
    return Plan(asked.responsible, asked.measures, asked.funds_yuan, asked.deadline, asked.precautions)
