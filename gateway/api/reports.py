"""Endpoints for direct reports of accidents (事故直报)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from config.prevention import LevelName, StepName
from gateway.access.roles import Caller, Permission
from gateway.api.acts import Line, Note, Words
from gateway.api.context import Context, InContext
from gateway.api.guard import InCaller, alarm_of, by_of, needs
from gateway.api.models import Model, Name
from gateway.api.parameters import Moment, query_digest, read_cursor, write_cursor
from gateway.api.problems import problem_responses
from gateway.prevention.packets import Said
from gateway.prevention.report_states import ReportEvent, ReportState
from gateway.prevention.reports import Report, Version
from gateway.registry.fields import Ref

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/incident-reports", tags=["prevention"], dependencies=[needs(Permission.READ)])

_REPORT = [needs(Permission.INCIDENT_REPORT)]
_ANSWERS = problem_responses(401, 403, 404, 409, 422, 503)
ReportId = Annotated[str, Path(pattern="^[0-9a-f]{1,32}$", description="Id of the report")]
Seen = Annotated[int, Field(ge=1, le=2**31 - 2, strict=True, description="`version` of the report as it was seen")]
People = Annotated[int, Field(ge=0, le=1_000_000)] | None
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=8000)]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Line | None = Field(None, description="Only where there are no accounts: who says so")


class Starting(_Asked):
    """An accident that somebody knows of."""

    hazard_unit: Ref = ""
    enterprise: Ref = Field("", description="Where it is at no hazard unit")
    alarm_id: Annotated[str, StringConstraints(pattern="^[A-Za-z0-9._-]{0,32}$")] = Field(
        "", description="That tells of it"
    )
    began: Moment | None = Field(None, description="When it was known; default: now")
    why: Words


class SaidView(Model):
    """What people say; null: they have not said it yet."""

    deaths: People = None
    missing: People = None
    injured: People = Field(None, description="Seriously, poisoning included")
    loss_10k_cny: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None
    course: Text = ""
    measures: Text = ""
    quantity_t: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None
    other: Text = ""


class Drafting(_Asked):
    """A version of the packet."""

    version: Seen
    level: LevelName | None = Field(None, description="Default: as the figures of Order 493 have it")
    said: SaidView


class Acting(_Asked):
    """An act, on a report as it was seen."""

    version: Seen
    note: Note = ""


class Forwarding(_Asked):
    """The report was passed on."""

    version: Seen
    to: StepName = Field(description="The next step of the chain")
    note: Note = ""


class Ending(_Asked):
    """The end of a report."""

    version: Seen
    note: Words


class StepView(Model):
    """A clock of the chain."""

    step: str
    due_ms: int
    done_ms: int | None
    done_by: str | None
    late: bool = Field(description="Done after its time, or not done and its time is over")


class SubstanceView(Model):
    """What is there."""

    vessel: str
    cas: str
    design_max_t: float | None


class AlarmOf(Model):
    """An alarm of the unit."""

    alarm_id: str
    tag: str
    condition: str
    tier: int
    state: str
    raised_ms: int
    verdict: str | None


class MeasureOf(Model):
    """Something that was done about an alarm."""

    alarm_id: str
    at_ms: int
    by: str
    text: str


class FilledView(Model):
    """What the data said when the version was made."""

    at_ms: int
    began_ms: int
    enterprise: str
    enterprise_name: Name
    uscc: str
    address: str
    phone: str
    hazard_unit: str
    unit_name: Name
    latitude_deg: float | None
    longitude_deg: float | None
    substances: tuple[SubstanceView, ...]
    alarms: tuple[AlarmOf, ...]
    measures: tuple[MeasureOf, ...]


class VersionView(Model):
    """A version of the packet."""

    version: int
    made_ms: int
    made_by: str
    signed_ms: int | None
    signed_by: str | None
    sent_ms: int | None
    late: bool | None = Field(description="Sent after its time; null: not sent")
    hash: str
    sound: bool = Field(description="The packet still fits its hash")
    level: str
    level_by_figures: str = Field(description="As the figures of Order 493 have it")
    said: SaidView
    filled: FilledView


class ReportItem(Model):
    """A report, without its packets."""

    report_id: str
    enterprise: str
    district: str
    hazard_unit: str
    alarm_id: str = Field(description="That started the clock; empty: somebody did")
    state: ReportState
    level: LevelName
    began_ms: int
    began_by: str
    version: int
    ended_ms: int | None
    why: str
    steps: tuple[StepView, ...]
    late: bool = Field(description="A clock was missed")


class ReportView(ReportItem):
    """A report with every version of its packet, the oldest first."""

    versions: tuple[VersionView, ...]


class ReportPage(Model):
    """Reports, the newest first."""

    items: tuple[ReportItem, ...]
    next_cursor: str | None = Field(description="null on the last page")


class ReportQuery(BaseModel):
    """Which reports are wanted."""

    state: Annotated[list[ReportState], Field(max_length=10)] = []
    late: Annotated[bool | None, Field(description="A clock was missed")] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str | None, Field(max_length=500, description="`next_cursor` of the page before")] = None


@router.get("", operation_id="list_incident_reports", summary="Direct reports", responses=_ANSWERS)
def list_incident_reports(context: InContext, caller: InCaller, query: Annotated[ReportQuery, Query()]) -> ReportPage:
    """List reports, the newest first."""
    states = tuple(sorted({one.value for one in query.state}))
    digest = query_digest((states, query.late), "incident-reports")
    after = None if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, int, str])[1:]
    found = context.place.prevention.reports.find(
        caller.scope, states=states, late=query.late, after=after, limit=query.limit + 1
    )
    page = found[: query.limit]
    more = len(found) > len(page)
    return ReportPage(
        items=tuple(ReportItem(**_fields(one)) for one in page),
        next_cursor=write_cursor((page[-1].began_ms, page[-1].id), digest) if more else None,
    )


@router.post(
    "", operation_id="start_incident_report", summary="Start the clock", responses=_ANSWERS, dependencies=_REPORT
)
def start_incident_report(context: InContext, caller: InCaller, asked: Starting) -> ReportView:
    """Start the clock by hand. Red alarms that are verified as true start it by themselves."""
    if asked.alarm_id:
        alarm_of(caller, context, asked.alarm_id)
    began_ms = context.clock.wall_ms() if asked.began is None else asked.began
    where = {"hazard_unit": asked.hazard_unit, "enterprise": asked.enterprise}
    by = by_of(caller, asked.by)
    return _view(context.place.prevention.reports.start(caller.scope, where, asked.alarm_id, began_ms, asked.why, by))


@router.get("/{report_id}", operation_id="get_incident_report", summary="One report", responses=_ANSWERS)
def get_incident_report(context: InContext, caller: InCaller, report_id: ReportId) -> ReportView:
    """Return a report with its chain and every version."""
    return _view(context.place.prevention.reports.get(report_id, caller.scope))


@router.post(
    "/{report_id}/draft",
    operation_id="draft_incident_report",
    summary="Write a version",
    responses=_ANSWERS,
    dependencies=_REPORT,
)
def draft_incident_report(context: InContext, caller: InCaller, report_id: ReportId, asked: Drafting) -> ReportView:
    """Write a version: what you say, and what the data say right now. After sending this is an amendment."""
    said = Said(**asked.said.model_dump())
    by = by_of(caller, asked.by)
    reports = context.place.prevention.reports
    return _view(reports.draft(report_id, said, asked.level, asked.version, caller.scope, by))


@router.post(
    "/{report_id}/sign",
    operation_id="sign_incident_report",
    summary="Sign the newest version",
    responses=_ANSWERS,
    dependencies=_REPORT,
)
def sign_incident_report(context: InContext, caller: InCaller, report_id: ReportId, asked: Acting) -> ReportView:
    """Sign the newest version. A version written later voids it."""
    return _act(context, caller, report_id, ReportEvent.SIGN, asked)


@router.post(
    "/{report_id}/send",
    operation_id="send_incident_report",
    summary="It was sent",
    responses=_ANSWERS,
    dependencies=_REPORT,
)
def send_incident_report(context: InContext, caller: InCaller, report_id: ReportId, asked: Acting) -> ReportView:
    """Note that the signed version was sent to the county; the first time ends the first clock."""
    return _act(context, caller, report_id, ReportEvent.SEND, asked)


@router.post(
    "/{report_id}/forward",
    operation_id="forward_incident_report",
    summary="It was passed on",
    responses=_ANSWERS,
    dependencies=_REPORT,
)
def forward_incident_report(context: InContext, caller: InCaller, report_id: ReportId, asked: Forwarding) -> ReportView:
    """Note that the report was passed on to the next step of the chain."""
    by = by_of(caller, asked.by)
    return _view(
        context.place.prevention.reports.act(
            report_id, ReportEvent.FORWARD, asked.version, asked.note, caller.scope, by, to=asked.to
        )
    )


@router.post(
    "/{report_id}/close",
    operation_id="close_incident_report",
    summary="It is over",
    responses=_ANSWERS,
    dependencies=_REPORT,
)
def close_incident_report(context: InContext, caller: InCaller, report_id: ReportId, asked: Ending) -> ReportView:
    """Close a report that has been sent."""
    return _act(context, caller, report_id, ReportEvent.CLOSE, asked)


@router.post(
    "/{report_id}/withdraw",
    operation_id="withdraw_incident_report",
    summary="It was no accident",
    responses=_ANSWERS,
    dependencies=_REPORT,
)
def withdraw_incident_report(context: InContext, caller: InCaller, report_id: ReportId, asked: Ending) -> ReportView:
    """Withdraw a report before it is sent: it was no accident. What was sent is amended, never withdrawn."""
    return _act(context, caller, report_id, ReportEvent.WITHDRAW, asked)


def _act(context: Context, caller: Caller, name: str, event: ReportEvent, asked: Acting | Ending) -> ReportView:
    by = by_of(caller, asked.by)
    return _view(context.place.prevention.reports.act(name, event, asked.version, asked.note, caller.scope, by))


def _fields(report: Report) -> dict[str, Any]:
    own = ("enterprise", "district", "hazard_unit", "alarm_id", "state", "level", "began_ms", "began_by")
    same = {name: getattr(report, name) for name in (*own, "version", "ended_ms", "why")}
    steps = tuple(StepView(**asdict(one)) for one in report.steps)
    late = report.state is not ReportState.WITHDRAWN and any(one.late for one in steps)
    return {"report_id": report.id, **same, "steps": steps, "late": late}


def _view(report: Report) -> ReportView:
    return ReportView(**_fields(report), versions=tuple(_version(one) for one in report.versions))


def _version(one: Version) -> VersionView:
    said: dict[str, Any] = asdict(one)
    packet = said.pop("packet")
    filled = packet["filled"]
    for which in ("enterprise", "unit"):
        filled[f"{which}_name"] = Name(zh=filled.pop(f"{which}_zh"), en=filled.pop(f"{which}_en"))
    return VersionView(**said, **packet)
