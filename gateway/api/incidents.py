"""Links that show one alarm, live, to people without an account; and the page behind them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.access.roles import Permission
from gateway.api.acts import AlarmId
from gateway.api.context import Context, InContext
from gateway.api.guard import InCaller, alarm_of, by_of, needs, origin_of
from gateway.api.models import AlarmDetail, AlarmItem, AlarmMoment, Model, TagItem
from gateway.api.page import templates
from gateway.api.problems import problem_responses
from gateway.api.tags import with_latest
from gateway.api.views import alarm_detail, alarm_item, alarm_moment
from gateway.api.words import pick_language, words
from gateway.display import unit_of
from gateway.errors import NotFoundError
from gateway.records.queries import AlarmFilter, AlarmSort
from gateway.records.schema import OPEN_STATES

__all__ = ["router"]

router = APIRouter(tags=["incident"])
_SHARE = [needs(Permission.INCIDENT_SHARE)]
_ANSWERS = problem_responses(401, 403, 404, 422, 503)
_OTHERS = 50

Token = Annotated[str, Path(max_length=80, description="As it stands in the address")]


class LinkAsked(BaseModel):
    """A link to be made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Annotated[str | None, Field(max_length=128, description="Only where there are no accounts: who says so")] = None
    hours: Annotated[float, Field(gt=0, le=72)] = 8
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = Field("", description="For whom")


class LinkMade(Model):
    """A link, shown once."""

    link_id: str
    path: str = Field(description="To be put behind this gateway's address")
    expires_ms: int


class LinkView(Model):
    """A link, without what would let it be used."""

    link_id: str
    note: str
    created_ms: int
    created_by: str
    expires_ms: int
    ended_ms: int | None
    opened: int
    opened_ms: int | None


class LinkList(Model):
    """The links to an alarm, newest first."""

    items: tuple[LinkView, ...]


class Incident(Model):
    """The live picture of one alarm."""

    at_ms: int
    expires_ms: int
    alarm: AlarmDetail
    timeline: tuple[AlarmMoment, ...]
    tags: tuple[TagItem, ...] = Field(
        description="Of the same hazard unit, vessel or vehicle, with their latest values"
    )
    others: tuple[AlarmItem, ...] = Field(description="Open alarms of the same hazard unit")


@router.post(
    "/api/v1/alarms/{alarm_id}/links",
    operation_id="make_incident_link",
    summary="Share one alarm",
    responses=_ANSWERS,
    dependencies=_SHARE,
)
def make_incident_link(context: InContext, caller: InCaller, alarm_id: AlarmId, asked: LinkAsked) -> LinkMade:
    """Make a link that shows the live picture of an alarm without an account, until a time."""
    alarm_of(caller, context, alarm_id)
    token, row = context.desk.links.make(alarm_id, asked.hours, asked.note, by_of(caller, asked.by))
    return LinkMade(link_id=row["id"], path=f"/incident/{token}", expires_ms=row["expires_ms"])


@router.get(
    "/api/v1/alarms/{alarm_id}/links",
    operation_id="list_incident_links",
    summary="Who was let in",
    responses=_ANSWERS,
    dependencies=_SHARE,
)
def list_incident_links(context: InContext, caller: InCaller, alarm_id: AlarmId) -> LinkList:
    """List the links to an alarm, and how often each was opened."""
    alarm_of(caller, context, alarm_id)
    rows = context.desk.links.of_alarm(alarm_id)
    same = ("note", "created_ms", "created_by", "expires_ms", "ended_ms", "opened", "opened_ms")
    return LinkList(items=tuple(LinkView(link_id=row["id"], **{name: row[name] for name in same}) for row in rows))


@router.delete(
    "/api/v1/alarms/{alarm_id}/links/{link_id}",
    operation_id="end_incident_link",
    summary="End a link",
    status_code=204,
    responses=_ANSWERS,
    dependencies=_SHARE,
)
def end_incident_link(
    context: InContext, caller: InCaller, alarm_id: AlarmId, link_id: Annotated[str, Path(max_length=32)]
) -> None:
    """Let a link lead nowhere from now on."""
    alarm_of(caller, context, alarm_id)
    if link_id not in {row["id"] for row in context.desk.links.of_alarm(alarm_id)}:
        raise NotFoundError(f"there is no link {link_id}")
    context.desk.links.end(link_id, by_of(caller, None))


@router.get(
    "/api/v1/incidents/{token}",
    operation_id="get_incident",
    summary="The live picture behind a link",
    responses=problem_responses(404, 422, 503),
)
def get_incident(context: InContext, request: Request, token: Token) -> Incident:
    """Return the alarm behind a link, what is measured around it, and what else is open there. Needs no account."""
    return _incident(context, request, token)


@router.get("/incident/{token}", response_class=HTMLResponse, include_in_schema=False)
def get_incident_page(context: InContext, request: Request, token: Token) -> HTMLResponse:
    """Show it; the page reads itself anew every few seconds, without a script."""
    lang = pick_language(request.query_params.get("lang"), request.headers.get("Accept-Language", ""))
    html = templates.get_template("incident.html").render(
        lang=lang, t=words(lang), incident=_incident(context, request, token), plant=context.plant
    )
    return HTMLResponse(html, headers={"Content-Language": "zh-CN" if lang == "zh" else "en"})


def _incident(context: Context, request: Request, token: str) -> Incident:
    link = context.desk.links.open(token, origin_of(request))
    row = context.queries.alarm(link["alarm_id"])
    if row is None:
        raise NotFoundError("the alarm of this link is no longer kept")
    plant = context.plant
    tag = plant.tags.get(row["tag"])
    unit = None if tag is None else unit_of(tag, plant)
    around = [
        one
        for one in plant.tags.values()
        if (row["hazard_unit"] and one.hazard_unit == row["hazard_unit"])
        or (row["vehicle"] and one.vehicle == row["vehicle"])
        or one.name == row["tag"]
    ]
    wanted = AlarmFilter(states=OPEN_STATES, inhibited=(None,), hazard_units=(row["hazard_unit"],))
    others = context.queries.alarms(wanted, AlarmSort.TIER, None, _OTHERS)
    return Incident(
        at_ms=context.clock.wall_ms(),
        expires_ms=link["expires_ms"],
        alarm=alarm_detail(row, plant),
        timeline=tuple(alarm_moment(event, unit) for event in context.queries.timeline(row["alarm_id"])),
        tags=with_latest(context, around),
        others=tuple(alarm_item(one, plant) for one in others if one["alarm_id"] != row["alarm_id"]),
    )
