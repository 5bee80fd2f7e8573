"""Endpoints about the duty: who is on duty, who was told what, swaps, the roster as a calendar."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from config.duty.model import Person, Roster
from gateway.access.roles import Caller, Permission
from gateway.api.acts import Line, Note
from gateway.api.context import Context, InContext
from gateway.api.guard import InCaller, by_of, needs
from gateway.api.models import Model, Name
from gateway.api.parameters import Moment, query_digest, read_cursor, write_cursor
from gateway.api.problems import NoSuchThingError, problem_responses
from gateway.notify.desk import DutyDesk
from gateway.notify.ical import calendar
from gateway.notify.letters import title_of
from gateway.notify.port import Delivery, Kind
from gateway.notify.roster import Shift, Swap, on_duty, people_of, shifts_between
from gateway.records.queries import Row

__all__ = ["router"]

# Whom a message was for and what it said is of the whole site: who may see a part of it only does not see this.
router = APIRouter(prefix="/api/v1", tags=["duty"], dependencies=[needs(Permission.READ, whole=True)])

_EDIT = [needs(Permission.DUTY_EDIT)]
_DAY_MS = 86_400_000
_NEXT_MS = 2 * _DAY_MS
"""So far ahead shifts are shown."""
_LONGEST_DAYS = 366

SwapId = Annotated[str, Path(description="Id of the swap", max_length=32)]


class NotificationView(Model):
    """One message to some people over one channel."""

    id: int
    key: str = Field(description="Idempotency key: a message that comes twice has the same one")
    kind: Kind
    title: Name
    ladder: str
    tier: int = Field(description="1 red to 4 blue; 0: none")
    alarm_ids: tuple[str, ...]
    turn: int = Field(description="Steps of the ladder that were taken before it")
    role: str
    people: tuple[str, ...]
    channel: str
    state: Delivery
    tries: int
    next_try_ms: int
    deadline_ms: int
    error: str
    reference: str = Field(description="The provider's name for it")
    created_ms: int
    sent_ms: int | None


class NotificationPage(Model):
    """Notifications, the newest first."""

    items: tuple[NotificationView, ...]
    next_cursor: str | None = Field(description="null on the last page")


class NotificationQuery(BaseModel):
    """Which notifications are wanted."""

    state: Annotated[list[Delivery], Field(description="May be given several times")] = []
    alarm_id: Annotated[str | None, Field(max_length=32)] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before")] = None


class PersonView(Model):
    """Somebody on duty."""

    id: str
    name: str
    phone: str = Field(description="Empty: not known, or not for the one who asks")


class ShiftView(Model):
    """One turn of one team."""

    id: str
    roster: str
    kind: str
    team: str
    begin_ms: int
    end_ms: int
    people: tuple[PersonView, ...] = Field(description="Swaps considered, as at its begin (or now, while it lasts)")


class RoleView(Model):
    """A role and who fills it now."""

    role: str
    roster: str = Field(description="Empty: fixed people")
    people: tuple[PersonView, ...]


class SwapView(Model):
    """One person does duty for another."""

    swap_id: str
    roster: str
    absent: str
    instead: str
    begin_ms: int
    end_ms: int
    reason: str
    by: str
    created_ms: int


class DutyView(Model):
    """The duty at this moment."""

    now_ms: int
    roles: tuple[RoleView, ...]
    shifts: tuple[ShiftView, ...] = Field(description="Being worked, and of the next two days")
    swaps: tuple[SwapView, ...] = Field(description="That hold now or later")


class Swapping(BaseModel):
    """Let one person do duty for another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Line | None = Field(None, description="Only where there are no accounts: who says so")
    roster: Line
    absent: Line = Field(description="Id of a person")
    instead: Line = Field(description="Id of a person")
    begin: Moment
    end: Moment
    reason: Note = ""


class RosterQuery(BaseModel):
    """Which part of which roster is wanted."""

    roster: Annotated[str | None, Field(max_length=64, description="Default: all")] = None
    days: Annotated[int, Field(ge=1, le=_LONGEST_DAYS, description="From yesterday on")] = 60


@router.get(
    "/notifications",
    operation_id="list_notifications",
    summary="Who was told what",
    responses=problem_responses(401, 403, 404, 422, 503),
)
def list_notifications(context: InContext, query: Annotated[NotificationQuery, Query()]) -> NotificationPage:
    """List messages, sent or still to be sent. Sent is not read: `state` says how far each has come."""
    states = sorted({state.value for state in query.state})
    digest = query_digest(states, query.alarm_id, "notifications")
    before = None if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, int])[1]
    rows = _desk(context).notifications(states, query.alarm_id, before, query.limit + 1)
    page = rows[: query.limit]
    return NotificationPage(
        items=tuple(_notification(row) for row in page),
        next_cursor=write_cursor((page[-1]["id"],), digest) if len(rows) > len(page) else None,
    )


@router.get("/duty", operation_id="get_duty", summary="Who is on duty", responses=problem_responses(401, 403, 404, 503))
def get_duty(context: InContext, caller: InCaller) -> DutyView:
    """Return who fills each role now, the next shifts, and the swaps."""
    desk, now_ms = _desk(context), context.clock.wall_ms()
    rows, swaps, duty = desk.swap_rows(now_ms), desk.swaps(now_ms), desk.duty
    return DutyView(
        now_ms=now_ms,
        roles=tuple(
            RoleView(
                role=role.id,
                roster=role.roster,
                people=_people(on_duty(duty, role.id, swaps, now_ms), desk, caller),
            )
            for role in duty.roles.values()
        ),
        shifts=tuple(
            _shift(shift, people_of(shift, swaps, max(shift.begin_ms, now_ms)), desk, caller)
            for roster in duty.rosters.values()
            for shift in shifts_between(roster, now_ms, now_ms + _NEXT_MS)
        ),
        swaps=tuple(_swap(row) for row in rows),
    )


@router.get(
    "/duty/roster.ics",
    operation_id="get_roster_calendar",
    summary="The roster as a calendar",
    response_class=Response,
    responses={200: {"content": {"text/calendar": {}}}, **problem_responses(401, 403, 404, 422, 503)},
)
def get_roster_calendar(context: InContext, query: Annotated[RosterQuery, Query()]) -> Response:
    """Return shifts as iCalendar (RFC 5545), swaps considered."""
    desk, now_ms = _desk(context), context.clock.wall_ms()
    from_ms = now_ms - _DAY_MS
    shifts = [
        shift
        for roster in _rosters(desk, query.roster)
        for shift in shifts_between(roster, from_ms, from_ms + query.days * _DAY_MS)
    ]
    text = calendar(shifts, desk.swaps(from_ms), desk.duty.people, context.plant.site.name.zh, now_ms)
    return Response(text, media_type="text/calendar; charset=utf-8")


@router.post(
    "/duty/swaps",
    operation_id="add_swap",
    summary="Swap duty",
    dependencies=_EDIT,
    responses=problem_responses(401, 403, 404, 409, 422, 503),
)
def add_swap(context: InContext, caller: InCaller, asked: Swapping) -> SwapView:
    """Let one person do duty for another for a time."""
    swap = Swap("", asked.roster, asked.absent, asked.instead, asked.begin, asked.end)
    return _swap(_desk(context).add_swap(swap, asked.reason, by_of(caller, asked.by)))


@router.delete(
    "/duty/swaps/{swap_id}",
    operation_id="end_swap",
    summary="Take a swap back",
    dependencies=_EDIT,
    responses=problem_responses(401, 403, 404, 422, 503),
)
def end_swap(context: InContext, caller: InCaller, swap_id: SwapId) -> SwapView:
    """Take a swap back; who was to do duty does it again."""
    return _swap(_desk(context).end_swap(swap_id, by_of(caller, None)))


def _desk(context: Context) -> DutyDesk:
    return context.desk.duty


def _rosters(desk: DutyDesk, wanted: str | None) -> tuple[Roster, ...]:
    if wanted is None:
        return tuple(desk.duty.rosters.values())
    if wanted not in desk.duty.rosters:
        raise NoSuchThingError("roster", wanted, ", ".join(desk.duty.rosters) or "there is none")
    return (desk.duty.rosters[wanted],)


def _people(ids: tuple[str, ...], desk: DutyDesk, caller: Caller) -> tuple[PersonView, ...]:
    """Return people; how to call them is for those who work alarms."""
    known = (desk.duty.people.get(one, Person(one, one)) for one in ids)
    shown = caller.may(Permission.ALARM_ACT)
    return tuple(PersonView(id=one.id, name=one.name, phone=one.phone if shown else "") for one in known)


def _shift(shift: Shift, people: tuple[str, ...], desk: DutyDesk, caller: Caller) -> ShiftView:
    same = {name: getattr(shift, name) for name in ("id", "roster", "kind", "team", "begin_ms", "end_ms")}
    return ShiftView(people=_people(people, desk, caller), **same)


def _swap(row: Row) -> SwapView:
    same = ("roster", "absent", "instead", "begin_ms", "end_ms", "reason", "by", "created_ms")
    return SwapView(swap_id=row["id"], **{name: row[name] for name in same})


def _notification(row: Row) -> NotificationView:
    title = title_of(row["payload"])
    other = set(NotificationView.model_fields) - {"title"}
    return NotificationView(title=Name(zh=title.zh, en=title.en), **{name: row[name] for name in other})
