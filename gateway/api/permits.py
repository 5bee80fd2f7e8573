"""Endpoints about permits of special work (特殊作业票). They add gas checks and suppress no alarm."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.access.roles import Caller, Permission
from gateway.api.acts import Line, Note, Words
from gateway.api.context import Context, InContext
from gateway.api.guard import InCaller, by_of, needs
from gateway.api.models import Model
from gateway.api.parameters import Moment, query_digest, read_cursor, write_cursor
from gateway.api.problems import problem_responses
from gateway.prevention.permit_states import PermitEvent, PermitState
from gateway.prevention.permits import Asked, Fired, Permit, PermitFilter, Work, Worker
from gateway.registry.fields import Ref

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/permits", tags=["prevention"], dependencies=[needs(Permission.READ)])

_EDIT = [needs(Permission.PERMIT_EDIT)]
_CHECK = [needs(Permission.CHECK_DO)]
_ANSWERS = problem_responses(401, 403, 404, 409, 422, 503)

PermitId = Annotated[str, Path(pattern="^[0-9a-f]{1,32}$", description="Id of the permit")]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=128)]
Kind = Annotated[str, StringConstraints(pattern="^[a-z_]{1,32}$")]
Version = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True, description="`version` of the permit as it was seen")]
Number = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Asked(_Body):
    by: Line | None = Field(None, description="Only where there are no accounts: who says so")


class PersonNamed(_Body):
    """Somebody on a permit."""

    name: Line
    role: Line = Field(description="作业人, 监护人, 负责人, ...")
    phone: Short = ""


class Drafting(_Asked):
    """A permit that is wanted."""

    kind: Kind = Field(description="Of config/prevention.yaml, such as `hot_work`")
    level: Annotated[str, StringConstraints(pattern="^[a-z_]{0,16}$")] = Field(
        "", description="Hot work: special, first or second; other kinds have none"
    )
    title: Line
    hazard_unit: Ref = Field("", description="Where; or the vessel, or both")
    vessel: Ref = ""
    place: Note = Field("", description="In words")
    begin: Moment
    end: Moment = Field(description="It ends by itself then")
    people: Annotated[tuple[PersonNamed, ...], Field(max_length=100)] = ()
    measures: Note = ""
    gas_tags: Annotated[tuple[Ref, ...], Field(max_length=20)] = Field(
        (), description="While all of these show good values, a reading counts as taken"
    )
    gas_every_min: Annotated[int, Field(ge=1, le=1440)] | None = Field(
        None, description="How often gas is to be read; never less often than the kind asks for"
    )


class Changing(_Asked):
    """An act, on a permit as it was seen."""

    version: Version
    note: Note = ""


class Voiding(_Asked):
    """The end of a permit that is not to be used."""

    version: Version
    note: Words


class GasReading(_Body):
    """One gas."""

    gas: Line
    value: Number
    unit: Line


class Checking(_Asked):
    """Readings of gas by hand."""

    at: Moment | None = Field(None, description="When it was read; default: now")
    readings: Annotated[tuple[GasReading, ...], Field(min_length=1, max_length=20)]
    safe: bool = Field(description="Whether work may go on, as who read it judges")


class PersonView(Model):
    """Somebody on a permit."""

    name: str
    role: str
    phone: str


class GasView(Model):
    """Readings of gas at a work."""

    every_ms: int
    tags: tuple[str, ...]
    silent: tuple[str, ...] = Field(description="Of these: those that show nothing good now")
    live: bool = Field(description="All of them show a good value now")
    seen_ms: int | None = Field(description="The last reading, recorded or visible")
    due_ms: int | None = Field(description="null: nobody is at work")
    overdue: bool


class PermitView(Model):
    """A permit."""

    permit_id: str
    kind: str
    level: str
    title: str
    state: PermitState
    version: int
    enterprise: str
    district: str
    hazard_unit: str
    vessel: str
    place: str
    begin_ms: int
    end_ms: int
    made_ms: int
    made_by: str
    approved_by: str | None
    opened_ms: int | None
    ended_ms: int | None
    people: tuple[PersonView, ...]
    measures: str
    gas: GasView | None = Field(description="null: no readings are asked for")


class AlarmFired(Model):
    """An alarm raised while people were at work there."""

    alarm_id: str
    tag: str
    condition: str
    tier: int
    state: str
    raised_ms: int


class PermitMoment(Model):
    """Something that happened to a permit."""

    at_ms: int
    event: str
    by: str
    note: str


class CheckView(Model):
    """A reading by hand."""

    at_ms: int
    recorded_ms: int
    by: str
    safe: bool
    readings: tuple[GasReading, ...]


class PermitDetail(PermitView):
    """A permit with all that belongs to it."""

    alarms: tuple[AlarmFired, ...] = Field(description="Raised there while people were at work")
    beside: tuple[PermitView, ...] = Field(description="Other works at the same place at the same time")
    events: tuple[PermitMoment, ...]
    checks: tuple[CheckView, ...]


class PermitPage(Model):
    """Permits, the newest first."""

    items: tuple[PermitView, ...]
    next_cursor: str | None = Field(description="null on the last page")


class PermitQuery(BaseModel):
    """Which permits are wanted."""

    state: Annotated[list[PermitState], Field(max_length=10)] = []
    kind: Kind | None = None
    hazard_unit: Ref | None = None
    enterprise: Ref | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Annotated[str | None, Field(max_length=500, description="`next_cursor` of the page before")] = None


@router.get("", operation_id="list_permits", summary="Permits of special work", responses=_ANSWERS)
def list_permits(context: InContext, caller: InCaller, query: Annotated[PermitQuery, Query()]) -> PermitPage:
    """List permits, the newest first."""
    wanted = PermitFilter(
        tuple(sorted({one.value for one in query.state})), query.kind, query.hazard_unit, query.enterprise
    )
    digest = query_digest(wanted, "permits")
    after = None if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, int, str])[1:]
    found = context.place.prevention.permits.find(wanted, caller.scope, after, query.limit + 1)
    page = found[: query.limit]
    more = len(found) > len(page)
    return PermitPage(
        items=tuple(_view(one) for one in page),
        next_cursor=write_cursor((page[-1].made_ms, page[-1].id), digest) if more else None,
    )


@router.post("", operation_id="draft_permit", summary="Draft a permit", responses=_ANSWERS, dependencies=_EDIT)
def draft_permit(context: InContext, caller: InCaller, asked: Drafting) -> PermitDetail:
    """Draft a permit for a unit or vessel. Somebody else approves it."""
    wanted = Asked(
        kind=asked.kind,
        level=asked.level,
        hazard_unit=asked.hazard_unit,
        vessel=asked.vessel,
        begin_ms=asked.begin,
        end_ms=asked.end,
        work=Work(
            title=asked.title,
            place=asked.place,
            people=tuple(Worker(one.name, one.role, one.phone) for one in asked.people),
            measures=asked.measures,
            gas_tags=asked.gas_tags,
        ),
        gas_every_ms=None if asked.gas_every_min is None else asked.gas_every_min * 60_000,
    )
    return _detail(
        context, caller, context.place.prevention.permits.make(wanted, caller.scope, by_of(caller, asked.by))
    )


@router.get("/{permit_id}", operation_id="get_permit", summary="One permit", responses=_ANSWERS)
def get_permit(context: InContext, caller: InCaller, permit_id: PermitId) -> PermitDetail:
    """Return a permit, the alarms raised meanwhile, other works beside it, its readings and what happened."""
    return _detail(context, caller, context.place.prevention.permits.get(permit_id, caller.scope))


@router.post(
    "/{permit_id}/approve", operation_id="approve_permit", summary="Approve", responses=_ANSWERS, dependencies=_EDIT
)
def approve_permit(context: InContext, caller: InCaller, permit_id: PermitId, asked: Changing) -> PermitDetail:
    """Approve a draft, as somebody else than who made it."""
    return _act(context, caller, permit_id, PermitEvent.APPROVE, asked)


@router.post("/{permit_id}/open", operation_id="open_permit", summary="Begin", responses=_ANSWERS, dependencies=_EDIT)
def open_permit(context: InContext, caller: InCaller, permit_id: PermitId, asked: Changing) -> PermitDetail:
    """Begin the work. Where gas is to be read, a safe reading has to be recent, or every gas tag live."""
    return _act(context, caller, permit_id, PermitEvent.OPEN, asked)


@router.post(
    "/{permit_id}/close", operation_id="close_permit", summary="Work is done", responses=_ANSWERS, dependencies=_EDIT
)
def close_permit(context: InContext, caller: InCaller, permit_id: PermitId, asked: Changing) -> PermitDetail:
    """Say that the work is done."""
    return _act(context, caller, permit_id, PermitEvent.CLOSE, asked)


@router.post("/{permit_id}/void", operation_id="void_permit", summary="Void", responses=_ANSWERS, dependencies=_EDIT)
def void_permit(context: InContext, caller: InCaller, permit_id: PermitId, asked: Voiding) -> PermitDetail:
    """Void a permit: work stops, or never begins."""
    return _act(context, caller, permit_id, PermitEvent.VOID, asked)


@router.post(
    "/{permit_id}/checks",
    operation_id="check_permit_gas",
    summary="A gas reading by hand",
    responses=_ANSWERS,
    dependencies=_CHECK,
)
def check_permit_gas(context: InContext, caller: InCaller, permit_id: PermitId, asked: Checking) -> PermitDetail:
    """Record a reading of gas."""
    at_ms = context.clock.wall_ms() if asked.at is None else asked.at
    said: Any = [one.model_dump() for one in asked.readings]
    permits = context.place.prevention.permits
    permit = permits.check(permit_id, at_ms, said, safe=asked.safe, scope=caller.scope, by=by_of(caller, asked.by))
    return _detail(context, caller, permit)


def _act(context: Context, caller: Caller, name: str, event: PermitEvent, asked: Changing | Voiding) -> PermitDetail:
    by = by_of(caller, asked.by)
    permit = context.place.prevention.permits.act(name, event, asked.version, asked.note, caller.scope, by)
    return _detail(context, caller, permit)


def _fields(permit: Permit) -> dict[str, Any]:
    said = asdict(permit)
    work = said.pop("work")
    said["permit_id"] = said.pop("id")
    return said | {name: work[name] for name in ("title", "place", "people", "measures")}


def _view(permit: Permit) -> PermitView:
    return PermitView(**_fields(permit))


def _alarm(fired: Fired) -> AlarmFired:
    return AlarmFired(**asdict(fired))


def _detail(context: Context, caller: Caller, permit: Permit) -> PermitDetail:
    permits = context.place.prevention.permits
    events, checks = permits.story(permit.id)
    same: tuple[Literal["at_ms", "event", "by", "note"], ...] = ("at_ms", "event", "by", "note")
    return PermitDetail(
        **_fields(permit),
        alarms=tuple(_alarm(one) for one in permits.fired(permit)),
        beside=tuple(_view(one) for one in permits.beside(permit, caller.scope)),
        events=tuple(PermitMoment(**{name: one[name] for name in same}) for one in events),
        checks=tuple(
            CheckView(
                at_ms=one["at_ms"],
                recorded_ms=one["recorded_ms"],
                by=one["by"],
                safe=one["safe"],
                readings=msgspec.json.decode(one["body"]),
            )
            for one in checks
        ),
    )
