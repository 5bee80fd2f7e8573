"""Endpoints for joint prevention (联防联控): neighbours by distance and wind, their notices and receipts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from config.plant.model import Text
from gateway.access.roles import Permission
from gateway.api.acts import AlarmId, Line, Note
from gateway.api.context import InContext
from gateway.api.guard import InCaller, alarm_of, by_of, needs
from gateway.api.models import Model, Name
from gateway.api.parameters import query_digest, read_cursor, write_cursor
from gateway.api.problems import problem_responses
from gateway.messages import message
from gateway.prevention.around import NeighbourAt
from gateway.prevention.joint import Notice, Wind
from gateway.prevention.notice_states import NoticeEvent, NoticeState

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["prevention"], dependencies=[needs(Permission.READ)])

_ACT = [needs(Permission.PREVENTION_ACT)]
_ANSWERS = problem_responses(401, 403, 404, 409, 422, 503)
NoticeId = Annotated[str, Path(pattern="^[0-9a-f]{1,32}$", description="Id of the notice")]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Direction = Annotated[float, Field(ge=0, le=360, allow_inf_nan=False, description="Where the wind comes from")]
Speed = Annotated[float, Field(ge=0, le=120, allow_inf_nan=False)]
Radius = Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Line | None = Field(None, description="Only where there are no accounts: who says so")


class Warning_(_Asked):  # noqa: N801 - `Warning` is Python's
    """A warning to the neighbours of an alarm."""

    wind_from_deg: Direction | None = Field(None, description="null: not known; everybody around is warned")
    wind_m_s: Speed | None = None
    radius_m: Radius | None = Field(None, description="Default: as configured")
    advice: Note = Field("", description="What neighbours should do")


class Confirming(_Asked):
    """A receipt."""

    note: Note = ""


class Seeing(_Asked):
    """Somebody has seen it."""


class LetterView(Model):
    """What a notice says: all that who gets it learns."""

    sender: Name = Field(description="The enterprise that warns")
    place: Name
    cas: str
    tier: int
    text: Name = Field(description="The alarm in one line")
    raised_ms: int
    distance_m: float
    bearing_deg: float = Field(description="From the alarm to who gets it; 0 north")
    downwind: bool
    advice: str
    receiver: Name


class NoticeView(Model):
    """A notice with its receipt."""

    notice_id: str
    mine: bool = Field(description="You see it as who sent it; false: as who got it")
    alarm_id: str = Field(description="Empty for who got it")
    enterprise: str = Field(description="Whose alarm; empty for who got it")
    neighbour: str = Field(description="Empty for who got it")
    to_enterprise: str = Field(description="Empty: no enterprise of this registry; who sent it confirms for them")
    state: NoticeState
    sent_ms: int
    sent_by: str = Field(description="Empty for who got it")
    due_ms: int
    overdue: bool = Field(description="Not confirmed in time, though it may have been since")
    seen_ms: int | None
    seen_by: str | None
    confirmed_ms: int | None
    confirmed_by: str | None
    note: str
    letter: LetterView


class NoticeList(Model):
    """The notices of an alarm."""

    items: tuple[NoticeView, ...]


class NoticePage(Model):
    """Notices, the newest first."""

    items: tuple[NoticeView, ...]
    next_cursor: str | None = Field(description="null on the last page")


class NoticeQuery(BaseModel):
    """Which notices are wanted."""

    state: NoticeState | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Annotated[str | None, Field(max_length=500, description="`next_cursor` of the page before")] = None


class NeighbourView(Model):
    """Somebody near."""

    id: str
    name: Name
    sort: str
    of_enterprise: str
    is_enterprise: str
    distance_m: float
    bearing_deg: float
    downwind: bool
    people: int | None
    contact: str
    phone: str


class NeighbourList(Model):
    """Who is near: those downwind first, then the nearest."""

    items: tuple[NeighbourView, ...]
    total: int


class AroundQuery(BaseModel):
    """A place and a wind."""

    latitude_deg: Latitude
    longitude_deg: Longitude
    wind_from_deg: Direction | None = None
    wind_m_s: Speed | None = None
    radius_m: Radius = 3_000
    limit: Annotated[int, Field(ge=1, le=500)] = 100


@router.get("/neighbours/around", operation_id="list_neighbours_around", summary="Who is near", responses=_ANSWERS)
def list_neighbours_around(
    context: InContext, caller: InCaller, query: Annotated[AroundQuery, Query()]
) -> NeighbourList:
    """List neighbours and enterprises within a radius, those downwind first. Calm or unknown wind: all count."""
    found = context.place.prevention.joint.downwind(
        caller.scope, query.latitude_deg, query.longitude_deg, query.wind_from_deg, query.wind_m_s, query.radius_m
    )
    return NeighbourList(items=tuple(_neighbour(one) for one in found[: query.limit]), total=len(found))


@router.post(
    "/alarms/{alarm_id}/warn-neighbours",
    operation_id="warn_neighbours",
    summary="Warn the neighbours",
    responses=_ANSWERS,
    dependencies=_ACT,
)
def warn_neighbours(context: InContext, caller: InCaller, alarm_id: AlarmId, asked: Warning_) -> NoticeList:
    """Send a notice of an alarm to who is downwind or near. Again: only to who has none of this alarm."""
    row = alarm_of(caller, context, alarm_id)
    words = Text(message(row, context.plant, "zh"), message(row, context.plant, "en"))
    wind = Wind(asked.wind_from_deg, asked.wind_m_s)
    by = by_of(caller, asked.by)
    found = context.place.prevention.joint.warn(
        row, words, wind, asked.advice, caller.scope, by, radius_m=asked.radius_m
    )
    return NoticeList(items=tuple(_view(one) for one in found))


@router.get("/neighbour-notices", operation_id="list_neighbour_notices", summary="Notices", responses=_ANSWERS)
def list_neighbour_notices(context: InContext, caller: InCaller, query: Annotated[NoticeQuery, Query()]) -> NoticePage:
    """List notices that were sent or got by whom you may see, the newest first."""
    digest = query_digest(query.state, "notices")
    after = None if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, int, str])[1:]
    state = None if query.state is None else query.state.value
    found = context.place.prevention.joint.find(caller.scope, state=state, after=after, limit=query.limit + 1)
    page = found[: query.limit]
    more = len(found) > len(page)
    return NoticePage(
        items=tuple(_view(one) for one in page),
        next_cursor=write_cursor((page[-1].sent_ms, page[-1].id), digest) if more else None,
    )


@router.get(
    "/neighbour-notices/{notice_id}", operation_id="get_neighbour_notice", summary="One notice", responses=_ANSWERS
)
def get_neighbour_notice(context: InContext, caller: InCaller, notice_id: NoticeId) -> NoticeView:
    """Return a notice."""
    return _view(context.place.prevention.joint.get(notice_id, caller.scope))


@router.post(
    "/neighbour-notices/{notice_id}/see",
    operation_id="see_neighbour_notice",
    summary="It was seen",
    responses=_ANSWERS,
    dependencies=_ACT,
)
def see_neighbour_notice(context: InContext, caller: InCaller, notice_id: NoticeId, asked: Seeing) -> NoticeView:
    """Say that a notice has been seen, as who got it."""
    by = by_of(caller, asked.by)
    return _view(context.place.prevention.joint.act(notice_id, NoticeEvent.SEE, "", caller.scope, by))


@router.post(
    "/neighbour-notices/{notice_id}/confirm",
    operation_id="confirm_neighbour_notice",
    summary="The receipt",
    responses=_ANSWERS,
    dependencies=_ACT,
)
def confirm_neighbour_notice(
    context: InContext, caller: InCaller, notice_id: NoticeId, asked: Confirming
) -> NoticeView:
    """Confirm a notice, as who got it; for those outside this registry, as who sent it and called them."""
    by = by_of(caller, asked.by)
    return _view(context.place.prevention.joint.act(notice_id, NoticeEvent.CONFIRM, asked.note, caller.scope, by))


def _neighbour(one: NeighbourAt) -> NeighbourView:
    said: dict[str, Any] = asdict(one)
    return NeighbourView(**said | {"name": Name(zh=one.name.zh, en=one.name.en)})


def _view(one: Notice) -> NoticeView:
    said: dict[str, Any] = asdict(one)
    letter = said.pop("letter")
    same = ("cas", "tier", "raised_ms", "distance_m", "bearing_deg", "downwind", "advice")
    return NoticeView(
        notice_id=said.pop("id"),
        **said,
        letter=LetterView(
            sender=Name(zh=letter["from_zh"], en=letter["from_en"]),
            place=Name(zh=letter["place_zh"], en=letter["place_en"]),
            text=Name(zh=letter["zh"], en=letter["en"]),
            receiver=Name(zh=letter["name_zh"], en=letter["name_en"]),
            **{name: letter[name] for name in same},
        ),
    )
