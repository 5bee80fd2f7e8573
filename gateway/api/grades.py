"""Endpoints about grades of hazard units: file the legal one, see it beside the operational one, and crossings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from gateway.access.roles import Caller, Permission
from gateway.api.context import Context, InContext
from gateway.api.grade_models import (
    AssessmentView,
    CrossingPage,
    Declaring,
    FilingPage,
    FilingRequest,
    FilingView,
    GradeView,
    assessment_view,
    crossing_view,
    filing_item,
    filing_view,
    grade_view,
)
from gateway.api.guard import InCaller, by_of, needs
from gateway.api.parameters import Moment, query_digest, read_cursor, write_cursor
from gateway.api.problems import BadParameterError, NoSuchThingError, problem_responses

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/hazard-units", tags=["grades"], dependencies=[needs(Permission.READ)])
_FILE = [needs(Permission.GRADE_FILE)]
_ANSWERS = problem_responses(401, 403, 404, 422, 503)

_ID = r"^[^\x00-\x1f\x7f]{1,128}$"
UnitId = Annotated[str, Path(pattern=_ID, description="Id of the hazard unit")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before")]


class CrossingQuery(BaseModel):
    """Which crossings are wanted."""

    unit: Annotated[str | None, Field(pattern=_ID, description="Of this hazard unit only")] = None
    from_ms: Annotated[Moment | None, Field(alias="from", description="At or after")] = None
    to_ms: Annotated[Moment | None, Field(alias="to", description="Before")] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[str | None, Field(max_length=500, description="`next_cursor` of the page before")] = None


@router.get("/grade-events", operation_id="list_grade_events", summary="Bands crossed", responses=_ANSWERS)
def list_grade_events(context: InContext, caller: InCaller, query: Annotated[CrossingQuery, Query()]) -> CrossingPage:
    """List where the operational R crossed a band, or S crossed 1; the newest first. No legal grade ever changes so."""
    if query.from_ms is not None and query.to_ms is not None and query.from_ms >= query.to_ms:
        raise BadParameterError("from", query.from_ms, f"a moment before `to` ({query.to_ms})")
    digest = query_digest("grade-events", query.unit, query.from_ms, query.to_ms)
    before = None if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, int, str])[1:]
    found = context.place.standings.crossings(
        caller.scope, unit=query.unit, span=(query.from_ms, query.to_ms), before=before, limit=query.limit + 1
    )
    page = found[: query.limit]
    more = len(found) > len(page)
    return CrossingPage(
        items=tuple(map(crossing_view, page)),
        next_cursor=write_cursor((page[-1].at_ms, page[-1].id), digest) if more else None,
    )


@router.get("/{unit}/grade", operation_id="get_grade", summary="Both grades of a unit", responses=_ANSWERS)
def get_grade(
    context: InContext,
    caller: InCaller,
    unit: UnitId,
    at: Annotated[Moment | None, Query(description="As it was then; now if left out")] = None,
) -> GradeView:
    """Return the legal grade as filed and, apart from it, the operational one from live inventory; why of both."""
    if at is not None and at > context.clock.wall_ms():
        raise BadParameterError("at", at, "a moment that has been")
    found = context.place.grades.account(unit, caller.scope, at)
    if found is None:
        raise _no_unit(unit)
    return grade_view(found)


@router.post("/{unit}/grade-preview", operation_id="preview_grade", summary="What would it be?", responses=_ANSWERS)
def preview_grade(context: InContext, caller: InCaller, unit: UnitId, asked: Declaring) -> AssessmentView:
    """Identify and grade by GB 18218, line by line, without filing anything."""
    _must_be_seen(context, caller, unit)
    return assessment_view(context.place.filings.preview(unit, asked.declared(), caller.scope))


@router.post(
    "/{unit}/filings",
    operation_id="file_grade",
    summary="File the legal grade",
    responses=problem_responses(401, 403, 404, 409, 422, 503),
    dependencies=_FILE,
)
def file_grade(context: InContext, caller: InCaller, unit: UnitId, asked: FilingRequest) -> FilingView:
    """Take a filing (备案) in, as the next version. A filing is never changed: what is wrong is filed anew."""
    _must_be_seen(context, caller, unit)
    by = by_of(caller, asked.by)
    filed = context.place.filings.file(unit, asked.declared(), caller.scope, by, asked.expected_version)
    context.place.meter.renew()
    return filing_view(filed)


@router.get("/{unit}/filings", operation_id="list_filings", summary="What was filed", responses=_ANSWERS)
def list_filings(
    context: InContext, caller: InCaller, unit: UnitId, limit: Limit = 100, cursor: Cursor = None
) -> FilingPage:
    """List the filings of a unit, the newest version first."""
    _must_be_seen(context, caller, unit)
    digest = query_digest("filings", unit)
    before = None if cursor is None else read_cursor(cursor, digest, tuple[str, int])[1]
    found = context.place.filings.of_unit(unit, caller.scope, before, limit + 1)
    page = found[:limit]
    more = len(found) > len(page)
    return FilingPage(
        items=tuple(map(filing_item, page)), next_cursor=write_cursor((page[-1].version,), digest) if more else None
    )


@router.get("/{unit}/filings/{version}", operation_id="get_filing", summary="One filing, and why", responses=_ANSWERS)
def get_filing(
    context: InContext, caller: InCaller, unit: UnitId, version: Annotated[int, Path(ge=1, le=2**31 - 1)]
) -> FilingView:
    """Return a filing with its items, and line by line why the grade is what it is."""
    _must_be_seen(context, caller, unit)
    found = context.place.filings.get(unit, version, caller.scope)
    if found is None:
        raise NoSuchThingError("version", str(version), "a filing listed at /api/v1/hazard-units/{unit}/filings")
    return filing_view(found)


def _must_be_seen(context: Context, caller: Caller, unit: str) -> None:
    if context.place.filings.grounds.unit(unit, caller.scope) is None:
        raise _no_unit(unit)


def _no_unit(unit: str) -> NoSuchThingError:
    return NoSuchThingError("unit", unit, "a hazard unit of the registry or the plant")
