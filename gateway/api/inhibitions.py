"""Endpoints about points that are not told: shelved, suppressed by design, out of service (ISA-18.2 G, H, I)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from config.plant.model import Condition
from gateway.access.roles import Permission
from gateway.api.acts import ANSWER_WITHIN_S, IdempotencyKey, Line, Note, Words, the_one
from gateway.api.context import Context, InContext
from gateway.api.guard import InCaller, by_of, is_whole, needs, plant_of, tag_of
from gateway.api.models import Inhibited, Model, Name
from gateway.api.parameters import Moment, query_digest, read_cursor, write_cursor
from gateway.api.problems import BadParameterError, NoSuchThingError, problem_responses
from gateway.api.views import name_of
from gateway.commands import Inhibit, Release
from gateway.errors import ForbiddenError, GatewayError
from gateway.lifecycle import LifeEvent
from gateway.records.queries import Row

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["inhibitions"], dependencies=[needs(Permission.READ)])

_SHELVE = [needs(Permission.ALARM_SHELVE)]
_INHIBIT = [needs(Permission.ALARM_INHIBIT)]

_ANSWERS = problem_responses(401, 403, 404, 409, 422, 503)
TagName = Annotated[str, Path(description="Name of the tag", max_length=128)]
InhibitionId = Annotated[str, Path(description="Id of the inhibition", max_length=32)]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Line | None = Field(None, description="Only where there are no accounts: who says so")
    conditions: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=20)] | None = Field(
        None, description="Which of the tag's; default: all (shelve: all that may be shelved are to be named)"
    )
    until: Moment = Field(description="It ends by itself then")


class Shelving(_Asked):
    """Put alarms aside for a time. Red ones never are."""

    conditions: Annotated[tuple[Condition, ...], Field(min_length=1, max_length=20)]
    reason: Words


class Suppressing(_Asked):
    """Suppress alarms by a rule of the plant description, for a time."""

    rule: Line = Field(description="Name of the suppression in the plant description")
    conditions: None = Field(None, description="The rule says which")
    reason: Note = ""


class Removing(_Asked):
    """Take alarms out of service for work at the instrument."""

    permit: Line = Field(description="Reference of the work permit")
    reason: Words


class Releasing(BaseModel):
    """Let alarms be told again before the time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Line | None = Field(None, description="Only where there are no accounts: who says so")
    reason: Note = ""


class InhibitionView(Model):
    """A point that is (or was) recorded and not told."""

    inhibition_id: str
    tag: str
    description: Name
    condition: Condition
    kind: Inhibited
    since_ms: int
    until_ms: int | None = Field(description="null: as long as its rule holds")
    reason: str
    permit: str
    rule: str
    by: str
    ended_ms: int | None
    ended_by: str | None
    ended_why: Literal["time", "released", "replaced", "rule"] | None


class InhibitionResults(Model):
    """What came of it, condition by condition."""

    inhibited: tuple[InhibitionView, ...]
    refused: tuple[str, ...] = Field(description="Why the others were not")


class InhibitionPage(Model):
    """Inhibitions, the newest first."""

    items: tuple[InhibitionView, ...]
    next_cursor: str | None = Field(description="null on the last page")


class InhibitionQuery(BaseModel):
    """Which inhibitions are wanted."""

    in_force: Annotated[bool, Field(description="false: those that have ended")] = True
    kind: Inhibited | None = None
    tag: str | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before")] = None


@router.get(
    "/inhibitions", operation_id="list_inhibitions", summary="What is not told", responses=problem_responses(422, 503)
)
def list_inhibitions(
    context: InContext, caller: InCaller, query: Annotated[InhibitionQuery, Query()]
) -> InhibitionPage:
    """List the points that are shelved, suppressed by design or out of service, or that were."""
    digest = query_digest((query.in_force, query.kind, query.tag), "inhibitions")
    after = None if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, int, str])[1:]
    tags = [query.tag] if query.tag is not None else None
    if not is_whole(caller, context.plant):
        seen = plant_of(caller, context).tags
        tags = [tag for tag in tags or seen if tag in seen]
    rows = context.queries.inhibitions(
        in_force=query.in_force, kind=query.kind, tags=tags, before=after, limit=query.limit + 1
    )
    page = rows[: query.limit]
    more = len(rows) > len(page)
    return InhibitionPage(
        items=tuple(_view(row, context) for row in page),
        next_cursor=write_cursor((page[-1]["since_ms"], page[-1]["id"]), digest) if more else None,
    )


@router.post(
    "/tags/{tag}/shelve",
    operation_id="shelve",
    summary="Put aside",
    responses=_ANSWERS,
    dependencies=_SHELVE,
)
def shelve(
    context: InContext, caller: InCaller, tag: TagName, asked: Shelving, key: IdempotencyKey = None
) -> InhibitionResults:
    """Shelve conditions of a tag with a reason, until a time. They go on being evaluated and recorded."""
    return _inhibit(
        context,
        Inhibit(
            LifeEvent.SHELVE,
            tag_of(caller, context, tag).name,
            tuple(one.value for one in asked.conditions),
            asked.until,
            asked.reason,
            by_of(caller, asked.by),
            key=key or "",
        ),
    )


@router.post(
    "/tags/{tag}/suppress",
    operation_id="suppress",
    summary="Suppress by design",
    responses=_ANSWERS,
    dependencies=_INHIBIT,
)
def suppress(
    context: InContext, caller: InCaller, tag: TagName, asked: Suppressing, key: IdempotencyKey = None
) -> InhibitionResults:
    """Put a rule of the plant description into force for a tag, until a time."""
    rule = context.plant.suppressions.get(asked.rule)
    conditions = (
        tuple(condition.value for of, condition in rule.points if of == tag_of(caller, context, tag).name)
        if rule
        else ()
    )
    if rule is None or not conditions:
        known = [one.id for one in context.plant.suppressions.values() if any(of == tag for of, _ in one.points)]
        raise BadParameterError("rule", asked.rule, f"a suppression of {tag} in the plant description: {known}")
    return _inhibit(
        context,
        Inhibit(
            LifeEvent.SUPPRESS,
            tag,
            conditions,
            asked.until,
            asked.reason or rule.name.zh,
            by_of(caller, asked.by),
            rule=rule.id,
            key=key or "",
        ),
    )


@router.post(
    "/tags/{tag}/out-of-service",
    operation_id="take_out_of_service",
    summary="Take out of service",
    responses=_ANSWERS,
    dependencies=_INHIBIT,
)
def take_out_of_service(
    context: InContext, caller: InCaller, tag: TagName, asked: Removing, key: IdempotencyKey = None
) -> InhibitionResults:
    """Take conditions of a tag (default: all) out of service under a work permit, until a time."""
    known = tag_of(caller, context, tag)
    return _inhibit(
        context,
        Inhibit(
            LifeEvent.REMOVE,
            tag,
            tuple(one.value for one in asked.conditions or [rule.condition for rule in known.conditions]),
            asked.until,
            asked.reason,
            by_of(caller, asked.by),
            permit=asked.permit,
            key=key or "",
        ),
    )


@router.post(
    "/inhibitions/{inhibition_id}/release",
    operation_id="release",
    summary="Tell again",
    responses=_ANSWERS,
)
def release(context: InContext, caller: InCaller, inhibition_id: InhibitionId, asked: Releasing) -> InhibitionView:
    """Unshelve, unsuppress or return to service before the time. What is active then is told as new."""
    row = context.queries.inhibition(inhibition_id)
    if row is None or row["tag"] not in plant_of(caller, context).tags:
        raise NoSuchThingError("inhibition_id", inhibition_id, "one listed at /api/v1/inhibitions")
    needed = Permission.ALARM_SHELVE if row["kind"] == "shelved" else Permission.ALARM_INHIBIT
    if not caller.may(needed):
        raise ForbiddenError(f"{caller.account} may not: {needed}（无此权限）")
    return _view(the_one(context, Release(inhibition_id, by_of(caller, asked.by), asked.reason)), context)


def _inhibit(context: Context, command: Inhibit) -> InhibitionResults:
    outcomes = context.inbox.ask(command, ANSWER_WITHIN_S)
    refused = [one for one in outcomes if isinstance(one, GatewayError)]
    if len(refused) == len(outcomes):
        raise refused[0]
    done = [one for one in outcomes if not isinstance(one, GatewayError)]
    return InhibitionResults(inhibited=tuple(_view(row, context) for row in done), refused=tuple(map(str, refused)))


def _view(row: Row, context: Context) -> InhibitionView:
    tag = context.plant.tags.get(row["tag"])
    same = ("tag", "condition", "kind", "since_ms", "until_ms", "reason", "permit", "rule", "by")
    ended = ("ended_ms", "ended_by", "ended_why")
    return InhibitionView(
        inhibition_id=row["id"],
        description=Name(zh=row["tag"], en=row["tag"]) if tag is None else name_of(tag.description),
        **{name: row[name] for name in (*same, *ended)},
    )
