"""The endpoint of the search: one box over everything."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from gateway.access.roles import Permission
from gateway.api.context import InContext
from gateway.api.guard import InCaller, needs
from gateway.api.models import Model, Name
from gateway.api.problems import BadParameterError, problem_responses
from gateway.searching.due import MANY
from gateway.searching.hits import Group, Hit
from gateway.searching.live import LIVE
from gateway.searching.matching import How
from gateway.searching.sources import SOURCES

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["search"], dependencies=[needs(Permission.READ)])

_TITLES = {kind: one.title for kind, one in SOURCES.items()} | {kind: one.title for kind, one in LIVE.items()}


class SearchQuery(BaseModel):
    """What is searched for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    q: Annotated[
        str,
        Field(min_length=1, max_length=128, description="Name or part of it, pinyin or its first letters, code, plate"),
    ]
    kinds: Annotated[
        list[Annotated[str, Field(max_length=32)]],
        Field(max_length=40, description=f"Only of these; may be given several times: {', '.join(_TITLES)}"),
    ] = []
    limit: Annotated[int, Field(ge=1, le=50, description="Of each kind")] = 10


class Matched(Model):
    """Why something was found."""

    how: Annotated[str, Field(description="`exact`, `prefix`, `part`, `sound` (pinyin)")]
    field: str
    text: str
    begin: int = Field(description="First character of `text` that fits (Unicode code points)")
    end: int = Field(description="Behind the last one")


class HitView(Model):
    """Something that was found."""

    kind: str
    id: str
    title: Name
    enterprise: str = Field(description="Whose it is; empty: nobody's or everybody's")
    link: str = Field(description="Where this API shows it")
    matched: Matched


class GroupView(Model):
    """What was found of one kind, the best first."""

    kind: str
    name: Name
    items: tuple[HitView, ...]
    more: bool = Field(description="There are more, or may be: type more")


class SearchView(Model):
    """What was found; the kind with the best first."""

    q: str
    groups: tuple[GroupView, ...]
    behind: int | None = Field(
        description=f"Things written that cannot be found yet, counted to {MANY}; null: not told to who sees a part"
    )


@router.get("/search", operation_id="search", summary="Find anything", responses=problem_responses(422, 503))
def search(context: InContext, caller: InCaller, query: Annotated[SearchQuery, Query()]) -> SearchView:
    """Find records, vehicles, alarms and hidden dangers by what people type."""
    for kind in query.kinds:
        if kind not in _TITLES:
            raise BadParameterError("kinds", kind, ", ".join(_TITLES))
    found = context.place.search.find(query.q, caller.scope, query.kinds, query.limit)
    return SearchView(
        q=query.q,
        groups=tuple(_group(one) for one in found.groups),
        behind=found.behind if caller.scope.whole else None,
    )


def _group(group: Group) -> GroupView:
    title = _TITLES[group.kind]
    return GroupView(
        kind=group.kind,
        name=Name(zh=title.zh, en=title.en),
        items=tuple(_hit(one) for one in group.hits),
        more=group.more,
    )


def _hit(hit: Hit) -> HitView:
    why = hit.why
    return HitView(
        kind=hit.kind,
        id=hit.id,
        title=Name(zh=hit.title_zh, en=hit.title_en),
        enterprise=hit.enterprise,
        link=hit.path,
        matched=Matched(
            how=How(hit.found.how).name.lower(), field=why.field, text=why.text, begin=why.begin, end=why.end
        ),
    )
