"""Endpoints of risks (风险): the list, their grades, their measures, how they went; the map; the announcement."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from config.days import day_of
from config.risks import COLOUR_NAMES, Colour
from gateway.access.roles import Caller, Permission
from gateway.api.context import Context, InContext
from gateway.api.guard import InCaller, by_of, needs
from gateway.api.models import Model
from gateway.api.page import templates
from gateway.api.parameters import Moment, query_digest, read_cursor, write_cursor
from gateway.api.problems import BadParameterError, problem_responses
from gateway.api.risk_models import (
    Asked,
    ChangeView,
    MeasureView,
    NewMeasure,
    NewRisk,
    Ref,
    RiskView,
    ScalesView,
    Version,
    change_view,
    measure_view,
    risk_view,
    scales_view,
)
from gateway.dangers.sheets import to_csv
from gateway.risks.announcement import HEAD, cells
from gateway.risks.book import RiskDraft, Wanted
from gateway.risks.map import Box

__all__ = ["RiskId", "router"]

router = APIRouter(prefix="/api/v1/risks", tags=["risks"], dependencies=[needs(Permission.READ)])

_EDIT = [needs(Permission.RISK_EDIT)]
_ANSWERS = problem_responses(401, 403, 404, 422, 503)
_ACTS = problem_responses(401, 403, 404, 409, 422, 503)
_LISTED = problem_responses(401, 403, 422, 503)
_GEOJSON = "application/geo+json"
_MOST_FEATURES = 20_000

RiskId = Annotated[str, Path(pattern="^[A-Za-z0-9]{1,64}$", description="Id of the risk")]
_Site = Annotated[str, Query(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
_BBOX = r"^-?[0-9]{1,3}(\.[0-9]{1,9})?(,-?[0-9]{1,3}(\.[0-9]{1,9})?){3}$"


class RiskQuery(BaseModel):
    """Which risks are wanted."""

    enterprise: Ref = ""
    hazard_unit: Ref = ""
    vessel: Ref = ""
    static_colour: Colour | None = None
    dynamic_colour: Colour | None = None
    ended: Annotated[bool, Field(description="With those that are none any more")] = False
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[str | None, Field(max_length=1000, description="`next_cursor` of the page before")] = None


class MapQuery(BaseModel):
    """Which part of the map is wanted."""

    kind: Annotated[
        list[Annotated[str, Field(pattern="^(site|hazard-unit|vessel)$")]],
        Field(description="`site`, `hazard-unit`, `vessel`; all if left out", max_length=3),
    ] = []
    bbox: Annotated[
        str | None, Field(pattern=_BBOX, max_length=64, description="west,south,east,north in degrees (WGS 84)")
    ] = None
    at_ms: Annotated[Moment | None, Field(description="As places and static colours were then")] = None
    limit: Annotated[int, Field(ge=1, le=_MOST_FEATURES)] = _MOST_FEATURES


class RiskPage(Model):
    """Risks in order of id."""

    items: tuple[RiskView, ...]
    next_cursor: str | None


class RiskDetail(Model):
    """A risk with what is done about it."""

    risk: RiskView
    measures: tuple[MeasureView, ...]


class RiskCount(Model):
    """How many there are of two colours."""

    static_colour: Colour
    dynamic_colour: Colour
    risks: int


class RiskCounts(Model):
    """How many risks there are."""

    items: tuple[RiskCount, ...]


class RiskVersion(Model):
    """A risk as it was written."""

    version: int
    at_ms: int
    by: str
    name: str
    static_colour: Colour
    score: float
    factors: dict[str, float]


class RiskHistory(Model):
    """Every version, the oldest first; how the colour of the moment went, the newest first."""

    versions: tuple[RiskVersion, ...]
    changes: tuple[ChangeView, ...]


class Ending(Asked):
    """Which version was seen."""

    version: Version | None = None


@router.get("", operation_id="list_risks", summary="Risks, page by page", responses=_LISTED)
def list_risks(context: InContext, caller: InCaller, query: Annotated[RiskQuery, Query()]) -> RiskPage:
    """List risks in order of id."""
    wanted = Wanted(
        **{name: getattr(query, name) for name in ("enterprise", "hazard_unit", "vessel", "ended")},
        static_colour=query.static_colour or "",
        dynamic_colour=query.dynamic_colour or "",
    )
    digest = query_digest(wanted, "risks")
    after = "" if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, str])[1]
    found = context.place.risks.page(wanted, caller.scope, after, query.limit + 1)
    page = found[: query.limit]
    more = write_cursor((page[-1].id,), digest) if len(found) > len(page) else None
    return RiskPage(items=tuple(risk_view(one) for one in page), next_cursor=more)


@router.post("", operation_id="add_risk", summary="Write a risk", responses=_LISTED, dependencies=_EDIT)
def add_risk(context: InContext, caller: InCaller, asked: NewRisk) -> RiskDetail:
    """Write a new risk, graded by LEC or LS."""
    made = context.place.risks.add(_draft(asked), caller.scope, by_of(caller, asked.by))
    return RiskDetail(risk=risk_view(made), measures=())


@router.get("/counts", operation_id="count_risks", summary="How many there are", responses=_LISTED)
def count_risks(context: InContext, caller: InCaller) -> RiskCounts:
    """Count risks by static colour and colour of the moment."""
    counts = sorted(context.place.risks.counts(caller.scope).items(), key=lambda one: [Colour(c).rank for c in one[0]])
    items = (RiskCount(static_colour=Colour(s), dynamic_colour=Colour(d), risks=many) for (s, d), many in counts)
    return RiskCounts(items=tuple(items))


@router.get("/scales", operation_id="get_risk_scales", summary="How risks are graded", responses=_LISTED)
def get_risk_scales(context: InContext) -> ScalesView:
    """Return steps, bands and what lifts a grade, as they hold today, with their sources."""
    return scales_view(context.place.risks.rules.at(context.clock.wall_ms()))


@router.get(
    "/map",
    operation_id="get_risk_map",
    summary="Risk sources as GeoJSON",
    response_class=Response,
    responses={200: {"content": {_GEOJSON: {"schema": {"type": "object"}}}}, **_LISTED},
)
def get_risk_map(context: InContext, caller: InCaller, query: Annotated[MapQuery, Query()]) -> Response:
    """Return sites, units and vessels with their colours, what lifts them, and open alarms by tier.

    A place without a position stands where it is part of; `without_position` counts those that are nowhere.
    """
    drawn = context.place.risk_map.draw(
        query.kind, _box(query.bbox), caller.scope, context.clock.wall_ms(), query.at_ms, query.limit
    )
    return Response(msgspec.json.encode(drawn), media_type=_GEOJSON)


@router.get(
    "/announcement.csv",
    operation_id="get_risk_announcement_csv",
    summary="The announcement of a site as CSV",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}, **_ANSWERS},
)
def get_announcement_csv(context: InContext, caller: InCaller, site: _Site) -> Response:
    """Return the announcement (风险公告); texts that look like formulas are no formulas."""
    _, rows = context.place.announcement.of_site(site, caller.scope)
    named = {"Content-Disposition": 'attachment; filename="risks.csv"'}
    return Response(to_csv(HEAD, cells(rows)), media_type="text/csv", headers=named)


@router.get(
    "/announcement.html",
    operation_id="get_risk_announcement_html",
    summary="The announcement of a site to be printed",
    response_class=HTMLResponse,
    responses=_ANSWERS,
)
def get_announcement_html(context: InContext, caller: InCaller, site: _Site) -> HTMLResponse:
    """Return the announcement (风险公告) as a page to be printed and put up, in Chinese and English."""
    place, rows = context.place.announcement.of_site(site, caller.scope)
    html = templates.get_template("announcement.html").render(
        site={"zh": place.name, "en": str(place.body.get("name_en") or place.name)},
        day=day_of(context.clock.wall_ms()),
        head=[one.split(" ", 1) for one in HEAD],
        rows=[(row.risk.static_colour.value, line) for row, line in zip(rows, cells(rows), strict=True)],
        colours={colour.value: name for colour, name in COLOUR_NAMES.items()},
    )
    return HTMLResponse(html, headers={"Content-Language": "zh-CN, en"})


@router.get("/{risk_id}", operation_id="get_risk", summary="One risk", responses=_ANSWERS)
def get_risk(context: InContext, caller: InCaller, risk_id: RiskId) -> RiskDetail:
    """Return a risk with its measures and what lifts it."""
    return _detail(context, caller, risk_id)


@router.put("/{risk_id}", operation_id="change_risk", summary="Write it anew", responses=_ACTS, dependencies=_EDIT)
def change_risk(context: InContext, caller: InCaller, risk_id: RiskId, asked: NewRisk) -> RiskDetail:
    """Write a risk anew, with a grade by today's figures; every version is kept."""
    if asked.gap:
        raise BadParameterError("gap", asked.gap, "nothing: only a new risk is written for a gap")
    context.place.risks.change(risk_id, _draft(asked), asked.version, caller.scope, by_of(caller, asked.by))
    return _detail(context, caller, risk_id)


@router.post("/{risk_id}/end", operation_id="end_risk", summary="It is none", responses=_ACTS, dependencies=_EDIT)
def end_risk(context: InContext, caller: InCaller, risk_id: RiskId, asked: Ending) -> RiskDetail:
    """Say that a risk is none any more; its measures and checks end with it."""
    context.place.risks.end(risk_id, asked.version, caller.scope, by_of(caller, asked.by))
    return _detail(context, caller, risk_id)


@router.get("/{risk_id}/history", operation_id="get_risk_history", summary="How it went", responses=_ANSWERS)
def get_risk_history(context: InContext, caller: InCaller, risk_id: RiskId) -> RiskHistory:
    """Return what people wrote, and how the colour of the moment went (the last 100 changes)."""
    risks = context.place.risks
    return RiskHistory(
        versions=tuple(
            RiskVersion(
                version=version,
                at_ms=at_ms,
                by=by,
                **{name: body[name] for name in ("name", "static_colour", "score", "factors")},
            )
            for version, at_ms, by, body in risks.history(risk_id, caller.scope)
        ),
        changes=tuple(change_view(one) for one in risks.changes(risk_id, caller.scope)),
    )


@router.post(
    "/{risk_id}/measures",
    operation_id="add_risk_measure",
    summary="Write a control measure",
    responses=_ACTS,
    dependencies=_EDIT,
)
def add_risk_measure(context: InContext, caller: InCaller, risk_id: RiskId, asked: NewMeasure) -> MeasureView:
    """Write a control measure (管控措施) against a risk."""
    by = by_of(caller, asked.by)
    return measure_view(context.place.risks.add_measure(risk_id, asked.sort, asked.text, caller.scope, by))


def _detail(context: Context, caller: Caller, risk_id: str) -> RiskDetail:
    risks = context.place.risks
    measures = tuple(measure_view(one) for one in risks.measures(risk_id, caller.scope))
    return RiskDetail(risk=risk_view(risks.get(risk_id, caller.scope)), measures=measures)


def _draft(asked: NewRisk) -> RiskDraft:
    same = ("name", "sort", "method", "text", "vessel", "hazard_unit", "site", "enterprise", "gap")
    return RiskDraft(
        factors={str(name): step for name, step in asked.factors.items()}, **{n: getattr(asked, n) for n in same}
    )


def _box(text: str | None) -> Box | None:
    if text is None:
        return None
    west, south, east, north = (float(one) for one in text.split(","))
    if max(abs(west), abs(east)) > 180 or max(abs(south), abs(north)) > 90 or south > north:  # noqa: PLR2004 - degrees
        raise BadParameterError("bbox", text, "west,south,east,north: degrees, south not north of north")
    return Box(west, south, east, north)
