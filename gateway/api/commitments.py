"""Endpoints about the daily commitment (安全承诺)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from config.days import day_of
from gateway.access.roles import Permission
from gateway.api.acts import Line, Note
from gateway.api.context import InContext
from gateway.api.guard import InCaller, by_of, needs
from gateway.api.models import Model, Name
from gateway.api.parameters import query_digest, read_cursor, write_cursor
from gateway.api.problems import problem_responses
from gateway.prevention.commitments import Commitment, DayOf, Draft
from gateway.prevention.contradictions import Committed

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/commitments", tags=["prevention"], dependencies=[needs(Permission.READ)])

_ANSWERS = problem_responses(401, 403, 404, 409, 422, 503)
_DAY = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
EnterpriseId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Id of the enterprise")]
OnDay = Annotated[str, Path(pattern=_DAY, description="YYYY-MM-DD, UTC+8")]
Count = Annotated[int, Field(ge=0, le=100_000)]
Kind = Annotated[str, StringConstraints(min_length=1, max_length=32)]
Standing = Literal["signed", "late", "due", "missing", "closed"]


class CommittedView(Model):
    """What is committed to."""

    under_control: bool = Field(description="风险受控、安全运行")
    units_running: Count
    units_stopped: Count
    units_in_repair: Count
    permits: Annotated[dict[Kind, Count], Field(max_length=50)] = Field(description="Kind of special work -> how many")
    major_dangers: Count
    text: Note = ""


class Signing(CommittedView):
    """What somebody commits an enterprise to for today."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Line | None = Field(None, description="Only where there are no accounts: who says so")


class LiveView(Model):
    """The enterprise as it is, or was when it signed."""

    at_ms: int
    units: int
    units_live: int = Field(description="Of the units: with at least one fresh value")
    alarms_by_tier: dict[str, int]
    worst_alarms: tuple[str, ...] = Field(description="Ids of open alarms, the worst first, at most 20")
    worst_tiers: tuple[int, ...]
    permits_planned: dict[str, int] = Field(description="For a part of the day")
    permits_open: dict[str, int] = Field(description="People are at work")
    major_dangers: int | None
    overdue_checks: int | None
    unknown: tuple[str, ...] = Field(description="Why figures are null")


class ContradictionView(Model):
    """A contradiction between commitment and live state."""

    kind: str
    subject: str
    text: Name
    began_ms: int | None = Field(description="null: of a draft")
    ended_ms: int | None


class CommitmentView(Model):
    """The commitment of an enterprise for a day."""

    enterprise: str
    day: str
    signed: bool = Field(description="false: a draft made from the live state")
    due_ms: int | None = Field(description="Of a draft")
    overdue: bool = Field(description="Signed late, or not signed and the hour is over")
    signed_ms: int | None
    signed_by: str | None
    hash: str | None = Field(description="Over what is frozen")
    sound: bool | None = Field(description="What is frozen still fits its hash")
    committed: CommittedView
    live: LiveView
    contradictions: tuple[ContradictionView, ...]


class DayView(Model):
    """How an enterprise stands on a day."""

    enterprise: str
    name: Name
    state: Standing
    signed_ms: int | None
    contradictions: int = Field(description="Open now")


class DayPage(Model):
    """Enterprises, in order of id."""

    day: str
    items: tuple[DayView, ...]
    next_cursor: str | None = Field(description="null on the last page")


class DayQuery(BaseModel):
    """Which are wanted."""

    day: Annotated[str | None, Field(pattern=_DAY, description="Default: today")] = None
    state: Annotated[list[Standing], Field(max_length=5, description="`missing`: the hour is over")] = []
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Annotated[str | None, Field(max_length=500, description="`next_cursor` of the page before")] = None


@router.get("", operation_id="list_commitments", summary="Who has committed, who has not", responses=_ANSWERS)
def list_commitments(context: InContext, caller: InCaller, query: Annotated[DayQuery, Query()]) -> DayPage:
    """List enterprises and how they stand on a day, in order of id."""
    day = query.day or day_of(context.clock.wall_ms())
    digest = query_digest((day, sorted(query.state)), "commitments")
    after = "" if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, str])[1]
    found: list[DayOf] = []
    while len(found) <= query.limit:
        page = context.place.prevention.commitments.days(caller.scope, day, after, 500)
        found += [one for one in page if not query.state or one.state in query.state]
        if len(page) < 500:  # noqa: PLR2004 - as asked for
            break
        after = page[-1].enterprise
    shown = found[: query.limit]
    return DayPage(
        day=day,
        items=tuple(_day(one) for one in shown),
        next_cursor=write_cursor((shown[-1].enterprise,), digest) if len(found) > len(shown) else None,
    )


@router.get("/{enterprise}/{day}", operation_id="get_commitment", summary="Signed, or as a draft", responses=_ANSWERS)
def get_commitment(context: InContext, caller: InCaller, enterprise: EnterpriseId, day: OnDay) -> CommitmentView:
    """Return what was signed and what contradicts it; of today, when nothing is: a draft made from the live state."""
    commitments = context.place.prevention.commitments
    signed = commitments.of(caller.scope, enterprise, day)
    return _signed(signed) if signed is not None else _draft(commitments.draft(caller.scope, enterprise, day))


@router.post(
    "/{enterprise}/{day}",
    operation_id="sign_commitment",
    summary="Commit",
    responses=_ANSWERS,
    dependencies=[needs(Permission.COMMITMENT_SIGN)],
)
def sign_commitment(
    context: InContext, caller: InCaller, enterprise: EnterpriseId, day: OnDay, asked: Signing
) -> CommitmentView:
    """Sign for today, once: frozen with a hash, together with the live state. What contradicts it is shown openly."""
    said = Committed(**asked.model_dump(exclude={"by"}))
    by = by_of(caller, asked.by)
    return _signed(context.place.prevention.commitments.sign(caller.scope, enterprise, day, said, by))


def _day(one: DayOf) -> DayView:
    same = {name: getattr(one, name) for name in ("enterprise", "state", "signed_ms", "contradictions")}
    return DayView(name=Name(zh=one.name_zh, en=one.name_en), **same)


def _signed(one: Commitment) -> CommitmentView:
    found = [(this.kind, this.subject, this.zh, this.en, this.began_ms, this.ended_ms) for this in one.contradictions]
    return CommitmentView(
        enterprise=one.enterprise,
        day=one.day,
        signed=True,
        due_ms=None,
        overdue=one.late,
        signed_ms=one.signed_ms,
        signed_by=one.signed_by,
        hash=one.hash,
        sound=one.sound,
        committed=CommittedView(**asdict(one.committed)),
        live=LiveView(**asdict(one.live)),
        contradictions=tuple(
            ContradictionView(kind=kind, subject=subject, text=Name(zh=zh, en=en), began_ms=began, ended_ms=ended)
            for kind, subject, zh, en, began, ended in found
        ),
    )


def _draft(one: Draft) -> CommitmentView:
    return CommitmentView(
        enterprise=one.enterprise,
        day=one.day,
        signed=False,
        due_ms=one.due_ms,
        overdue=one.overdue,
        signed_ms=None,
        signed_by=None,
        hash=None,
        sound=None,
        committed=CommittedView(**asdict(one.committed)),
        live=LiveView(**asdict(one.live)),
        contradictions=tuple(
            ContradictionView(
                kind=this.kind,
                subject=this.subject,
                text=Name(zh=this.text.zh, en=this.text.en),
                began_ms=None,
                ended_ms=None,
            )
            for this in one.clashes
        ),
    )
