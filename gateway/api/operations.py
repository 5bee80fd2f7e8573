"""Endpoints about the gateway itself: health, metrics, ledger, edges, dead letters, plant."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from gateway.access.roles import Permission
from gateway.api.context import Context, InContext
from gateway.api.guard import InCaller, audience_of, is_whole, needs, plant_of
from gateway.api.live_models import (
    DeadLetterPage,
    EdgeList,
    HealthView,
    Ledger,
    Live,
    LocalAlarmItem,
    LocalAlarmPage,
    Ready,
)
from gateway.api.live_views import ALIVE_S, beat_age_ms, dead_letter, ledger_view
from gateway.api.models import PlantView
from gateway.api.parameters import query_digest, read_cursor, write_cursor
from gateway.api.problems import Reproach, problem_response, problem_responses
from gateway.api.views import plant_view

__all__ = ["router"]

router = APIRouter()


class DeadLetterQuery(BaseModel):
    """Which dead letters are wanted."""

    reason: Annotated[str | None, Field(description="E.g. `not_json`", max_length=64)] = None
    edge: Annotated[str | None, Field(max_length=64)] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before")] = None


@router.get(
    "/livez",
    operation_id="get_livez",
    summary="Does the pipeline go round?",
    tags=["operations"],
    response_model=Live,
    responses=problem_responses(503),
)
def get_livez(request: Request, context: InContext) -> Response | Live:
    """Answer 200 while the pipeline went round within the last 10 s, else 503: restarting may help."""
    stands_still = _stands_still(context)
    if stands_still:
        return problem_response(request, HTTPStatus.SERVICE_UNAVAILABLE, stands_still[0].found, stands_still)
    return Live(beat_age_ms=beat_age_ms(context.board, context.clock) or 0)


@router.get(
    "/readyz",
    operation_id="get_readyz",
    summary="Are readings taken in and kept?",
    tags=["operations"],
    response_model=Ready,
    responses=problem_responses(503),
)
def get_readyz(request: Request, context: InContext) -> Response | Ready:
    """Answer 200 when the log is replayed, the records can be written and the broker is connected, else 503."""
    health = context.board.health
    reasons = _stands_still(context)
    if not health.replayed:
        reasons.append(Reproach(parameter="replayed", found="the log is still being replayed", allowed="replayed"))
    if not health.records_ok:
        found = health.records_error or "the records cannot be written"
        reasons.append(Reproach(parameter="records", found=found, allowed="a database that takes writes"))
    if not health.broker_connected:
        reasons.append(Reproach(parameter="broker", found="not connected", allowed="connected"))
    if health.plant not in ("", context.plant.digest):
        found = "the worker raises alarms by another plant description than this API shows"
        reasons.append(Reproach(parameter="plant", found=found, allowed="the same --plant file for both; restart one"))
    if reasons:
        detail = "; ".join(f"{one.parameter}: {one.found}" for one in reasons)
        return problem_response(request, HTTPStatus.SERVICE_UNAVAILABLE, detail, reasons)
    return Ready()


@router.get(
    "/metrics",
    dependencies=[needs(Permission.METRICS, whole=True)],
    operation_id="get_metrics",
    summary="Figures for Prometheus",
    tags=["operations"],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problem_responses()},
)
def get_metrics(request: Request) -> Response:
    """Return all figures in the Prometheus text format."""
    return Response(generate_latest(request.app.state.metrics), media_type=CONTENT_TYPE_LATEST)


@router.get(
    "/api/v1/health",
    dependencies=[needs(Permission.READ)],
    operation_id="get_health",
    summary="How the gateway is doing",
    tags=["operations"],
    responses=problem_responses(),
)
def get_health(context: InContext, caller: InCaller) -> HealthView:
    """Return what is known about the gateway's own condition; always 200."""
    return audience_of(caller, context).health(context.feed.health())


@router.get(
    "/api/v1/plant",
    dependencies=[needs(Permission.READ)],
    operation_id="get_plant",
    summary="What this gateway watches",
    tags=["plant"],
    responses=problem_responses(),
)
def get_plant(context: InContext, caller: InCaller) -> PlantView:
    """Return enterprise, site, hazard units, vessels, vehicles and edges."""
    return plant_view(plant_of(caller, context))


@router.get(
    "/api/v1/edges",
    dependencies=[needs(Permission.READ)],
    operation_id="list_edges",
    summary="Edges and how they do",
    tags=["edges"],
    responses=problem_responses(503),
)
def list_edges(context: InContext, caller: InCaller) -> EdgeList:
    """Return every edge of the plant, and those that only the records know."""
    return EdgeList(items=audience_of(caller, context).edges(context.queries.edges(), context.board.values))


@router.get(
    "/api/v1/edges/{edge}/local-alarms",
    dependencies=[needs(Permission.READ)],
    operation_id="list_local_alarms",
    summary="What an edge has noticed by itself",
    tags=["edges"],
    responses=problem_responses(422, 503),
)
def list_local_alarms(
    context: InContext,
    caller: InCaller,
    edge: Annotated[str, Path(max_length=64)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
) -> LocalAlarmPage:
    """List the alarms an edge raised by its own judgement, and whether the gateway has them too; the newest first."""
    digest = query_digest(edge)
    before = None if cursor is None else read_cursor(cursor, digest, tuple[str, int, str])[1:]
    tags = None if is_whole(caller, context.plant) else tuple(plant_of(caller, context).tags)
    rows = context.queries.local_alarms(edge, before, limit + 1, tags)
    page = rows[:limit]
    more = len(rows) > len(page)
    return LocalAlarmPage(
        items=tuple(LocalAlarmItem(**{name: row[name] for name in LocalAlarmItem.model_fields}) for row in page),
        next_cursor=write_cursor((page[-1]["raised_ms"], page[-1]["alarm_id"]), digest) if more else None,
    )


@router.get(
    "/api/v1/ledger",
    dependencies=[needs(Permission.METRICS, whole=True)],
    operation_id="get_ledger",
    summary="What became of every frame and sample",
    tags=["edges"],
    responses=problem_responses(503),
)
def get_ledger(context: InContext) -> Ledger:
    """Return the loss ledger: counts, marks, the sums that must hold and whether they do."""
    return ledger_view(context.plant, context.queries.edges(), context.clock.wall_ms())


@router.get(
    "/api/v1/dead-letters",
    dependencies=[needs(Permission.METRICS, whole=True)],
    operation_id="list_dead_letters",
    summary="What was set aside, and why",
    tags=["edges"],
    responses=problem_responses(422, 503),
)
def list_dead_letters(context: InContext, query: Annotated[DeadLetterQuery, Query()]) -> DeadLetterPage:
    """List payloads that could not be accepted, the newest first."""
    digest = query_digest(query.reason, query.edge)
    before = None if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, int])[1]
    rows = context.queries.dead_letters(query.reason, query.edge, before, query.limit + 1)
    page = rows[: query.limit]
    more = len(rows) > len(page)
    return DeadLetterPage(
        items=tuple(dead_letter(row) for row in page),
        next_cursor=write_cursor((page[-1]["id"],), digest) if more else None,
    )


def _stands_still(context: Context) -> list[Reproach]:
    age_ms = beat_age_ms(context.board, context.clock)
    if age_ms is not None and age_ms < ALIVE_S * 1000:
        return []
    found = "the pipeline has not gone round yet"
    if age_ms is not None:
        found = f"the pipeline stands still: it last went round {age_ms / 1000:.1f} s ago"
    return [Reproach(parameter="pipeline", found=found, allowed=f"a round within {ALIVE_S:g} s")]
