"""Endpoints by which people handle alarms: acknowledge, assign, verify, close, and so on; one alarm or many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Header, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from gateway.access.roles import Caller, Permission
from gateway.api.context import Context, InContext
from gateway.api.guard import InCaller, alarm_of, by_of, is_whole, needs
from gateway.api.models import AlarmDetail, Model
from gateway.api.problems import problem_responses
from gateway.api.views import alarm_detail
from gateway.commands import Act, Acts, Command, Outcome, Verb
from gateway.errors import ConflictError, ForbiddenError, GatewayError, NotFoundError
from gateway.handling import Verdict

__all__ = ["ANSWER_WITHIN_S", "IdempotencyKey", "Line", "Note", "Words", "router", "the_one"]

router = APIRouter(prefix="/api/v1/alarms", tags=["handling"], dependencies=[needs(Permission.READ)])

_ACT = [needs(Permission.ALARM_ACT)]
_CLOSE = [needs(Permission.ALARM_CLOSE)]

ANSWER_WITHIN_S = 5.0
"""The pipeline goes round at least once a second."""

AlarmId = Annotated[str, Path(description="Id of the alarm", max_length=32)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Photos = Annotated[tuple[Annotated[str, Field(pattern="^[0-9a-f]{64}$")], ...], Field(max_length=20)]
Version = Annotated[int, Field(ge=1, strict=True, description="`version` of the alarm as it was seen")]
_ANSWERS = problem_responses(401, 403, 404, 409, 422, 503)
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        description="The same key again changes nothing and answers as before; without it the same words count as one",
    ),
]


class Asked(BaseModel):
    """Base of what is asked: what is not declared is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Line | None = Field(None, description="Only where there are no accounts: who says so")


class Seen(Asked):
    """Which state of an alarm was seen."""

    version: Version
    comment: Note = ""


class Comment(Asked):
    """Something to be remembered about an alarm."""

    comment: Words
    attachments: Photos = ()


class Assignment(Seen):
    """Who is to see to an alarm."""

    assignee: Line


class Finding(Seen):
    """What an alarm turned out to be."""

    verdict: Verdict
    attachments: Photos = ()


class Measure(Comment):
    """What was done about it."""


class Review(Seen):
    """The last word on an alarm."""

    comment: Words


class SeenAlarm(BaseModel):
    """One of many."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alarm_id: Annotated[str, Field(min_length=1, max_length=32)]
    version: Version


class Bulk(Asked):
    """The same to be done with many alarms."""

    verb: Literal[Verb.ACKNOWLEDGE, Verb.RESET, Verb.COMMENT, Verb.ASSIGN, Verb.VERIFY, Verb.CLOSE]
    alarms: Annotated[tuple[SeenAlarm, ...], Field(min_length=1, max_length=2000)]
    comment: Note = ""
    assignee: Annotated[str, StringConstraints(strip_whitespace=True, max_length=128)] = Field(
        "", description="Of `assign`"
    )
    verdict: Verdict | None = Field(None, description="Of `verify`")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {Verb.COMMENT: "comment", Verb.CLOSE: "comment", Verb.ASSIGN: "assignee", Verb.VERIFY: "verdict"}
        name = needed.get(Verb(self.verb))
        if name and not getattr(self, name):
            message = f"`{name}` beside verb {self.verb}"
            raise ValueError(message)
        return self


class BulkResult(Model):
    """What came of one of many."""

    alarm_id: str
    status: Literal[200, 404, 409]
    version: int | None = Field(description="After it; null when nothing was done")
    detail: str = Field(description="Why not")


class BulkResults(Model):
    """What came of each, in the order asked for."""

    done: int
    results: tuple[BulkResult, ...]


@router.post(
    "/{alarm_id}/acknowledge",
    operation_id="acknowledge_alarm",
    summary="Seen",
    responses=_ANSWERS,
    dependencies=_ACT,
)
def acknowledge_alarm(
    context: InContext, caller: InCaller, alarm_id: AlarmId, seen: Seen, key: IdempotencyKey = None
) -> AlarmDetail:
    """Acknowledge an open alarm as it was seen; answers when that is durable, with the alarm after it.

    409 when something has happened since that one would have to know (it says what, and who), when it is over or has
    been acknowledged already. After a 503 asking again is harmless. It is void when the tier rises.
    """
    return _do(context, caller, seen.by, key, Act(Verb.ACKNOWLEDGE, alarm_id, seen.version, seen.comment))


@router.post(
    "/{alarm_id}/unacknowledge",
    operation_id="unacknowledge_alarm",
    summary="Not seen",
    responses=_ANSWERS,
    dependencies=_ACT,
)
def unacknowledge_alarm(
    context: InContext, caller: InCaller, alarm_id: AlarmId, seen: Seen, key: IdempotencyKey = None
) -> AlarmDetail:
    """Take a mistaken acknowledgement back; an alarm that is over stays over."""
    return _do(context, caller, seen.by, key, Act(Verb.UNACKNOWLEDGE, alarm_id, seen.version, seen.comment))


@router.post(
    "/{alarm_id}/reset",
    operation_id="reset_alarm",
    summary="Let go of a latched alarm",
    responses=_ANSWERS,
    dependencies=_ACT,
)
def reset_alarm(
    context: InContext, caller: InCaller, alarm_id: AlarmId, seen: Seen, key: IdempotencyKey = None
) -> AlarmDetail:
    """Reset a latched alarm that is over and acknowledged."""
    return _do(context, caller, seen.by, key, Act(Verb.RESET, alarm_id, seen.version, seen.comment))


@router.post(
    "/{alarm_id}/comment",
    operation_id="comment_alarm",
    summary="Note something",
    responses=_ANSWERS,
    dependencies=_ACT,
)
def comment_alarm(
    context: InContext, caller: InCaller, alarm_id: AlarmId, said: Comment, key: IdempotencyKey = None
) -> AlarmDetail:
    """Note something about an alarm that is not closed, whatever has happened to it meanwhile."""
    act = Act(Verb.COMMENT, alarm_id, 0, said.comment, attachments=said.attachments)
    return _do(context, caller, said.by, key, act)


@router.post(
    "/{alarm_id}/assign",
    operation_id="assign_alarm",
    summary="Send somebody",
    responses=_ANSWERS,
    dependencies=_ACT,
)
def assign_alarm(
    context: InContext, caller: InCaller, alarm_id: AlarmId, told: Assignment, key: IdempotencyKey = None
) -> AlarmDetail:
    """Say who is to see to an alarm; the last one counts."""
    act = Act(Verb.ASSIGN, alarm_id, told.version, told.comment, assignee=told.assignee)
    return _do(context, caller, told.by, key, act)


@router.post(
    "/{alarm_id}/arrive",
    operation_id="arrive_at_alarm",
    summary="On site",
    responses=_ANSWERS,
    dependencies=_ACT,
)
def arrive_at_alarm(
    context: InContext, caller: InCaller, alarm_id: AlarmId, seen: Seen, key: IdempotencyKey = None
) -> AlarmDetail:
    """Say that one is there."""
    return _do(context, caller, seen.by, key, Act(Verb.ARRIVE, alarm_id, seen.version, seen.comment))


@router.post(
    "/{alarm_id}/verify",
    operation_id="verify_alarm",
    summary="Say what it is",
    responses=_ANSWERS,
    dependencies=_ACT,
)
def verify_alarm(
    context: InContext, caller: InCaller, alarm_id: AlarmId, found: Finding, key: IdempotencyKey = None
) -> AlarmDetail:
    """Say what an alarm turned out to be: true, false, instrument fault, maintenance, test. The last word counts."""
    act = Act(
        Verb.VERIFY,
        alarm_id,
        found.version,
        found.comment,
        verdict=found.verdict.value,
        attachments=found.attachments,
    )
    return _do(context, caller, found.by, key, act)


@router.post(
    "/{alarm_id}/measure",
    operation_id="measure_alarm",
    summary="Say what was done",
    responses=_ANSWERS,
    dependencies=_ACT,
)
def measure_alarm(
    context: InContext, caller: InCaller, alarm_id: AlarmId, taken: Measure, key: IdempotencyKey = None
) -> AlarmDetail:
    """Note a measure that was taken; the first one stops the clock."""
    act = Act(Verb.MEASURE, alarm_id, 0, taken.comment, attachments=taken.attachments)
    return _do(context, caller, taken.by, key, act)


@router.post(
    "/{alarm_id}/close",
    operation_id="close_alarm",
    summary="Review and close",
    responses=_ANSWERS,
    dependencies=_CLOSE,
)
def close_alarm(
    context: InContext, caller: InCaller, alarm_id: AlarmId, review: Review, key: IdempotencyKey = None
) -> AlarmDetail:
    """Review an alarm that is over, acknowledged and verified, and close it for good.

    A true alarm needs a measure; a red or orange one a reviewer who had no hand in it.
    """
    return _do(context, caller, review.by, key, Act(Verb.CLOSE, alarm_id, review.version, review.comment))


@router.post(
    "/bulk",
    operation_id="handle_alarms",
    summary="The same with many",
    responses=problem_responses(401, 403, 422, 503),
    dependencies=_ACT,
)
def handle_alarms(context: InContext, caller: InCaller, bulk: Bulk, key: IdempotencyKey = None) -> BulkResults:
    """Do the same with up to 2 000 alarms, each as it was seen; each is done or refused by itself."""
    verdict = bulk.verdict.value if bulk.verdict else ""
    acts = tuple(
        Act(Verb(bulk.verb), one.alarm_id, one.version, bulk.comment, bulk.assignee, verdict) for one in bulk.alarms
    )
    if bulk.verb is Verb.CLOSE and not caller.may(Permission.ALARM_CLOSE):
        raise ForbiddenError(f"{caller.account} may not: {Permission.ALARM_CLOSE}")
    hidden = {} if is_whole(caller, context.plant) else _hidden(caller, context, acts)
    seen = tuple(act for act in acts if act.alarm_id not in hidden)
    outcomes = iter(context.inbox.ask(Acts(seen, by_of(caller, bulk.by), key or ""), ANSWER_WITHIN_S) if seen else ())
    results = tuple(_result(act.alarm_id, hidden.get(act.alarm_id) or next(outcomes)) for act in acts)
    return BulkResults(done=sum(one.version is not None for one in results), results=results)


def the_one(context: Context, command: Command) -> dict[str, object]:
    """Carry out a command of one part; returns the row after it.

    Raises:
        NotFoundError: There is no such thing.
        ConflictError: It is not as the command supposes.
        GatewayError: Not now.
    """
    (outcome,) = context.inbox.ask(command, ANSWER_WITHIN_S)
    if isinstance(outcome, GatewayError):
        raise outcome
    return outcome


def _do(context: Context, caller: Caller, named: str | None, key: str | None, act: Act) -> AlarmDetail:
    if not is_whole(caller, context.plant):
        alarm_of(caller, context, act.alarm_id)
    return alarm_detail(the_one(context, Acts((act,), by_of(caller, named), key or "")), context.plant)


def _hidden(caller: Caller, context: Context, acts: Sequence[Act]) -> dict[str, NotFoundError]:
    """Return the alarms that somebody may not see, as if there were none."""
    hidden = {}
    for act in acts:
        try:
            alarm_of(caller, context, act.alarm_id)
        except NotFoundError as error:
            hidden[act.alarm_id] = error
    return hidden


def _result(name: str, outcome: Outcome) -> BulkResult:
    match outcome:
        case NotFoundError():
            return BulkResult(alarm_id=name, status=404, version=None, detail=str(outcome))
        case ConflictError():
            return BulkResult(alarm_id=name, status=409, version=None, detail=str(outcome))
        case row:
            return BulkResult(alarm_id=name, status=200, version=row["version"], detail="")
