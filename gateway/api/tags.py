"""Endpoints about tags: what is measured, what it last was, what it has been."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from config.plant.model import Tag
from config.units import Quantity
from gateway.access.roles import Permission
from gateway.api.context import Context, InContext
from gateway.api.guard import InCaller, needs, plant_of, tag_of
from gateway.api.models import History, TagDetail, TagItem, TagPage
from gateway.api.parameters import Moment, query_digest, read_cursor, write_cursor
from gateway.api.problems import BadParameterError, NoSuchThingError, problem_responses
from gateway.api.views import history_min_max, history_raw, reading, tag_detail, tag_item
from gateway.display import unit_of

__all__ = ["router", "with_latest"]

router = APIRouter(prefix="/api/v1/tags", tags=["tags"], dependencies=[needs(Permission.READ)])

_HOUR_MS = 3_600_000

TagName = Annotated[str, Path(description="Name of the tag", max_length=128)]


class TagQuery(BaseModel):
    """Which tags are wanted."""

    q: Annotated[str, Field(max_length=100, description="Part of the name or of a description, any case")] = ""
    hazard_unit: Annotated[str | None, Field(description="Id of a hazard unit of the plant")] = None
    vessel: Annotated[str | None, Field(description="Id of a vessel of the plant")] = None
    edge: Annotated[str | None, Field(description="Id of an edge of the plant")] = None
    quantity: Quantity | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before")] = None


class HistoryQuery(BaseModel):
    """Which part of the history is wanted."""

    from_ms: Annotated[Moment | None, Field(alias="from", description="Inclusive; an hour before `to` if left out")] = (
        None
    )
    to_ms: Annotated[Moment | None, Field(alias="to", description="Exclusive; now if left out")] = None
    points: Annotated[
        int, Field(ge=2, le=10_000, description="More samples than this are folded into half as many buckets")
    ] = 1000


@router.get("", operation_id="list_tags", summary="Tags with their latest values", responses=problem_responses(422))
def list_tags(context: InContext, caller: InCaller, query: Annotated[TagQuery, Query()]) -> TagPage:
    """List tags in the order of the plant description."""
    plant = plant_of(caller, context)
    for name, found, allowed in (
        ("hazard_unit", query.hazard_unit, plant.hazard_units),
        ("vessel", query.vessel, plant.vessels),
        ("edge", query.edge, plant.edges),
    ):
        if found is not None and found not in allowed:
            raise BadParameterError(name, found, ", ".join(allowed))
    digest = query_digest(query.q, query.hazard_unit, query.vessel, query.edge, query.quantity, plant.digest)
    wanted = [tag for tag in plant.tags.values() if _matches(tag, query)]
    begin = 0 if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, int])[1]
    page = wanted[begin : begin + query.limit]
    end = begin + len(page)
    return TagPage(
        items=with_latest(context, page),
        next_cursor=write_cursor((end,), digest) if end < len(wanted) else None,
    )


@router.get(
    "/{tag}", operation_id="get_tag", summary="One tag with its conditions", responses=problem_responses(404, 422)
)
def get_tag(context: InContext, caller: InCaller, tag: TagName) -> TagDetail:
    """Return a tag with its instrument, its alarm conditions and its latest value."""
    found = tag_of(caller, context, tag)
    return tag_detail(found, context.plant, with_latest(context, [found])[0].latest)


@router.get(
    "/{tag}/history",
    operation_id="get_tag_history",
    summary="Stored samples, raw or folded",
    responses=problem_responses(404, 422, 503),
)
def get_tag_history(
    context: InContext, caller: InCaller, tag: TagName, query: Annotated[HistoryQuery, Query()]
) -> History:
    """Return every sample of the span, or, when there are more than `points`, minimum and maximum per bucket."""
    found = tag_of(caller, context, tag)
    to_ms = context.clock.wall_ms() if query.to_ms is None else query.to_ms
    from_ms = max(0, to_ms - _HOUR_MS) if query.from_ms is None else query.from_ms
    if from_ms >= to_ms:
        raise BadParameterError("from", from_ms, f"a moment before `to` ({to_ms})")
    tag_id = context.queries.tag_id(tag)
    if tag_id is None:
        raise NoSuchThingError("history of tag", tag, "a tag the gateway has registered: restart it with this plant")
    unit = unit_of(found, context.plant)
    rows = context.history.samples(tag_id, from_ms, to_ms, query.points + 1)
    if len(rows.time_ms) <= query.points:
        return history_raw(rows, found, unit, (from_ms, to_ms))
    buckets = query.points // 2
    folded = context.history.min_max(tag_id, from_ms, to_ms, buckets)
    return history_min_max(folded, found, unit, (from_ms, to_ms), max(1, -(-(to_ms - from_ms) // buckets)))


def _matches(tag: Tag, query: TagQuery) -> bool:
    exact = ("hazard_unit", "vessel", "edge", "quantity")
    if any(getattr(query, name) not in (None, getattr(tag, name)) for name in exact):
        return False
    wanted = query.q.casefold()
    texts = (tag.name, tag.description.zh, tag.description.en)
    return any(wanted in text.casefold() for text in texts)


def with_latest(context: Context, tags: Iterable[Tag]) -> tuple[TagItem, ...]:
    """Return tags with their latest values, all of one moment."""
    values, now_ms, plant = context.board.values, context.clock.wall_ms(), context.plant
    rows = {} if values is None else {name: row for row, name in enumerate(values.names)}
    return tuple(
        tag_item(
            tag,
            plant,
            None if values is None or tag.name not in rows else reading(values, rows[tag.name], tag, plant, now_ms),
        )
        for tag in tags
    )
