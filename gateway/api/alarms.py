"""Endpoints that show alarms: lists, detail, timeline."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from config.plant.model import Condition, Tier
from gateway.access.roles import Permission
from gateway.api.context import InContext
from gateway.api.guard import InCaller, alarm_of, needs, units_of
from gateway.api.models import AlarmDetail, AlarmPage, AlarmTimeline, Inhibited, State
from gateway.api.parameters import Moment, query_digest, read_cursor, write_cursor
from gateway.api.problems import BadParameterError, problem_responses
from gateway.api.views import alarm_detail, alarm_item, alarm_moment
from gateway.display import unit_of
from gateway.handling import Stage
from gateway.records.queries import AlarmFilter, AlarmKey, AlarmSort, Row

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/alarms", tags=["alarms"], dependencies=[needs(Permission.READ)])

AlarmId = Annotated[str, Path(description="Id of the alarm", max_length=32)]


class AlarmQuery(BaseModel):
    """Which alarms are wanted, and in which order."""

    state: State | None = None
    tier: Annotated[list[Tier], Field(description="1 red to 4 blue; may be given several times")] = []
    condition: Annotated[list[Condition], Field(description="May be given several times")] = []
    hazard_unit: str | None = None
    vessel: str | None = None
    tag: str | None = None
    edge: str | None = None
    delayed: bool | None = None
    retrospective: Annotated[bool | None, Field(description="Missed live, found when late samples came")] = None
    inhibited: Annotated[
        list[Inhibited | Literal["none"]], Field(description="Kinds of inhibition; `none`: those that are told")
    ] = []
    stage: Annotated[list[Stage], Field(description="Of handling; may be given several times")] = []
    assigned_to: str | None = None
    overdue: Annotated[bool | None, Field(description="Acknowledging or the first measure is late")] = None
    from_ms: Annotated[Moment | None, Field(alias="from", description="Raised at or after")] = None
    to_ms: Annotated[Moment | None, Field(alias="to", description="Raised before")] = None
    sort: Annotated[AlarmSort, Field(description="`tier`: worst first, then newest; `time`: newest first")] = (
        AlarmSort.TIER
    )
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before")] = None

    def filter(self) -> AlarmFilter:
        """Return the restrictions in the words of the records."""
        return AlarmFilter(
            states=() if self.state is None else (self.state,),
            tiers=tuple(sorted({int(tier) for tier in self.tier})),
            conditions=tuple(sorted({condition.value for condition in self.condition})),
            hazard_unit=self.hazard_unit,
            vessel=self.vessel,
            tag=self.tag,
            edge=self.edge,
            delayed=self.delayed,
            retrospective=self.retrospective,
            inhibited=tuple(sorted({None if one == "none" else one for one in self.inhibited}, key=str)),
            stages=tuple(sorted({stage.value for stage in self.stage})),
            assigned_to=self.assigned_to,
            overdue=self.overdue,
            from_ms=self.from_ms,
            to_ms=self.to_ms,
        )


@router.get("", operation_id="list_alarms", summary="Alarms, page by page", responses=problem_responses(422, 503))
def list_alarms(context: InContext, caller: InCaller, query: Annotated[AlarmQuery, Query()]) -> AlarmPage:
    """List alarms. Going from page to page neither repeats nor skips an alarm while new ones are raised.

    Only an alarm whose tier rises meanwhile may be missed in the order of `tier`; the stream tells of it.
    """
    units = units_of(caller, context)
    wanted = replace(query.filter(), hazard_units=None if units is None else tuple(sorted(units)))
    if query.from_ms is not None and query.to_ms is not None and query.from_ms >= query.to_ms:
        raise BadParameterError("from", query.from_ms, f"a moment before `to` ({query.to_ms})")
    digest = query_digest(wanted, query.sort.value)
    after = (
        None if query.cursor is None else AlarmKey(*read_cursor(query.cursor, digest, tuple[str, int, int, str])[1:])
    )
    rows = context.queries.alarms(wanted, query.sort, after, query.limit + 1)
    page = rows[: query.limit]
    more = len(rows) > len(page)
    return AlarmPage(
        items=tuple(alarm_item(row, context.plant) for row in page),
        next_cursor=write_cursor(_key(page[-1]), digest) if more else None,
    )


@router.get(
    "/{alarm_id}", operation_id="get_alarm", summary="One alarm in full", responses=problem_responses(404, 422, 503)
)
def get_alarm(context: InContext, caller: InCaller, alarm_id: AlarmId) -> AlarmDetail:
    """Return an alarm with its tag, place, substance and the words for it."""
    return alarm_detail(alarm_of(caller, context, alarm_id), context.plant)


@router.get(
    "/{alarm_id}/timeline",
    operation_id="get_alarm_timeline",
    summary="The events of one alarm",
    responses=problem_responses(404, 422, 503),
)
def get_alarm_timeline(context: InContext, caller: InCaller, alarm_id: AlarmId) -> AlarmTimeline:
    """Return what happened to an alarm, oldest first."""
    row = alarm_of(caller, context, alarm_id)
    tag = context.plant.tags.get(row["tag"])
    unit = None if tag is None else unit_of(tag, context.plant)
    return AlarmTimeline(
        alarm_id=alarm_id,
        unit="" if unit is None else unit.name,
        events=tuple(alarm_moment(event, unit) for event in context.queries.timeline(alarm_id)),
    )


def _key(row: Row) -> tuple[int, int, str]:
    return row["tier"], row["raised_ms"], row["alarm_id"]
