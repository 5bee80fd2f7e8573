"""Endpoints of checks (排查) and assessments (风险评估): what is to be done when, what was done, what was found."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from gateway.access.roles import Permission
from gateway.api.context import InContext
from gateway.api.guard import InCaller, by_of, needs
from gateway.api.models import Model
from gateway.api.parameters import Moment, query_digest, read_cursor, write_cursor
from gateway.api.problems import problem_responses
from gateway.api.risk_models import (
    Asked,
    AssessmentView,
    CheckView,
    NewCheck,
    NewTask,
    Ref,
    Signature,
    StandingView,
    TaskView,
    assessment_view,
    check_view,
    standing_view,
    task_view,
)
from gateway.risks.assessments import Standing
from gateway.risks.checks import CheckDraft, CheckFilter
from gateway.risks.model import Outcome
from gateway.risks.tasks import TaskDraft, TaskFilter

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["risks"], dependencies=[needs(Permission.READ)])

_EDIT = [needs(Permission.RISK_EDIT)]
_CHECK = [needs(Permission.CHECK_DO)]
_ANSWERS = problem_responses(401, 403, 404, 422, 503)
_ACTS = problem_responses(401, 403, 404, 409, 422, 503)
_LISTED = problem_responses(401, 403, 422, 503)

_Id = Annotated[str, Path(pattern="^[A-Za-z0-9]{1,64}$")]
_Limit = Annotated[int, Field(ge=1, le=1000)]
_Cursor = Annotated[str | None, Field(max_length=1000, description="`next_cursor` of the page before")]


class TaskQuery(BaseModel):
    """Which checks are wanted."""

    risk_id: Ref = ""
    hazard_unit: Ref = ""
    enterprise: Ref = ""
    post: Annotated[str, Field(max_length=128)] = ""
    responsible: Annotated[bool | None, Field(description="包保任务")] = None
    due_before: Moment | None = None
    overdue: Annotated[bool, Field(description="Only those that are late")] = False
    limit: _Limit = 100
    cursor: _Cursor = None


class CheckQuery(BaseModel):
    """Which records are wanted."""

    task_id: Ref = ""
    risk_id: Ref = ""
    hazard_unit: Ref = ""
    enterprise: Ref = ""
    result: Outcome | None = None
    gap: Annotated[bool | None, Field(description="风险辨识缺口 that no risk was written for yet")] = None
    limit: _Limit = 100
    cursor: _Cursor = None


class StandingQuery(BaseModel):
    """Which units are wanted."""

    standing: Annotated[list[Standing], Field(description="May be given several times", max_length=5)] = []
    enterprise: Ref = ""
    limit: _Limit = 100
    cursor: _Cursor = None


class TaskPage(Model):
    """Checks, what is due first before what is due later."""

    items: tuple[TaskView, ...]
    next_cursor: str | None


class CheckPage(Model):
    """What was checked, the newest first."""

    items: tuple[CheckView, ...]
    next_cursor: str | None


class StandingPage(Model):
    """How it stands with the assessments of units, in order of id."""

    items: tuple[StandingView, ...]
    next_cursor: str | None


class AssessmentList(Model):
    """The assessments of a unit, the newest first."""

    items: tuple[AssessmentView, ...]


@router.post(
    "/risk-measures/{measure_id}/checks",
    operation_id="add_check_task",
    summary="Write a check",
    responses=_ACTS,
    dependencies=_EDIT,
)
def add_check_task(context: InContext, caller: InCaller, measure_id: _Id, asked: NewTask) -> TaskView:
    """Write a check of a measure (排查任务); first due one cycle from now."""
    draft = TaskDraft(asked.text, asked.every, asked.unit, asked.post, asked.responsible)
    made = context.place.check_tasks.add(measure_id, draft, caller.scope, by_of(caller, asked.by))
    return task_view(made, context.clock.wall_ms())


@router.get("/check-tasks", operation_id="list_check_tasks", summary="What is to be checked", responses=_LISTED)
def list_check_tasks(context: InContext, caller: InCaller, query: Annotated[TaskQuery, Query()]) -> TaskPage:
    """List checks by when they are due."""
    now_ms = context.clock.wall_ms()
    limits = [one for one in (query.due_before, now_ms + 1 if query.overdue else None) if one is not None]
    same = ("risk_id", "hazard_unit", "enterprise", "post", "responsible")
    wanted = TaskFilter(**{name: getattr(query, name) for name in same}, due_before_ms=min(limits, default=None))
    digest = query_digest([getattr(query, name) for name in (*same, "due_before", "overdue")], "check-tasks")
    after = None if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, int, str])[1:]
    found = context.place.check_tasks.page(wanted, caller.scope, after, query.limit + 1)
    page = found[: query.limit]
    more = write_cursor((page[-1].due_ms, page[-1].id), digest) if len(found) > len(page) else None
    return TaskPage(items=tuple(task_view(one, now_ms) for one in page), next_cursor=more)


@router.post(
    "/check-tasks/{task_id}/end",
    operation_id="end_check_task",
    summary="It is not to be done any more",
    responses=_ACTS,
    dependencies=_EDIT,
)
def end_check_task(context: InContext, caller: InCaller, task_id: _Id, asked: Asked) -> TaskView:
    """End a check; the same again changes nothing."""
    ended = context.place.check_tasks.end(task_id, caller.scope, by_of(caller, asked.by))
    return task_view(ended, context.clock.wall_ms())


@router.post("/checks", operation_id="record_check", summary="It was checked", responses=_ACTS, dependencies=_CHECK)
def record_check(context: InContext, caller: InCaller, asked: NewCheck) -> CheckView:
    """Keep that something was checked, now or while there was no network; what was found becomes a hidden danger."""
    same = ("key", "result", "text", "task_id", "risk_id", "vessel", "hazard_unit", "latitude_deg", "longitude_deg")
    draft = CheckDraft(**{name: getattr(asked, name) for name in same}, done_ms=asked.done)
    return check_view(context.place.checks.record(draft, caller.scope, by_of(caller, asked.by)))


@router.get("/checks", operation_id="list_checks", summary="What was checked", responses=_LISTED)
def list_checks(context: InContext, caller: InCaller, query: Annotated[CheckQuery, Query()]) -> CheckPage:
    """List what was checked, the newest first; with `gap` the findings that no known risk is behind."""
    same = ("task_id", "risk_id", "hazard_unit", "enterprise", "gap")
    wanted = CheckFilter(**{name: getattr(query, name) for name in same}, result=query.result or "")
    digest = query_digest(wanted, "checks")
    after = None if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, int, str])[1:]
    found = context.place.checks.page(wanted, caller.scope, after, query.limit + 1)
    page = found[: query.limit]
    more = write_cursor((page[-1].done_ms, page[-1].id), digest) if len(found) > len(page) else None
    return CheckPage(items=tuple(check_view(one) for one in page), next_cursor=more)


@router.get("/checks/{record_id}", operation_id="get_check", summary="One record", responses=_ANSWERS)
def get_check(context: InContext, caller: InCaller, record_id: _Id) -> CheckView:
    """Return what was checked."""
    return check_view(context.place.checks.get(record_id, caller.scope))


@router.get(
    "/risk-assessments", operation_id="list_risk_assessments", summary="What is to be assessed", responses=_LISTED
)
def list_risk_assessments(
    context: InContext, caller: InCaller, query: Annotated[StandingQuery, Query()]
) -> StandingPage:
    """List hazard units by how it stands with their assessment: never, overdue, re-opened by a change, due, current."""
    wanted = sorted(set(query.standing))
    digest = query_digest(wanted, query.enterprise, "assessments")
    after = "" if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, str])[1]
    found = context.place.assessments.standings(wanted, caller.scope, after, query.limit + 1, query.enterprise or None)
    page = found[: query.limit]
    more = write_cursor((page[-1].hazard_unit,), digest) if len(found) > len(page) else None
    return StandingPage(items=tuple(standing_view(one) for one in page), next_cursor=more)


@router.post(
    "/risk-assessments",
    operation_id="sign_risk_assessment",
    summary="The risks of a unit were gone through",
    responses=_LISTED,
    dependencies=_EDIT,
)
def sign_risk_assessment(context: InContext, caller: InCaller, asked: Signature) -> AssessmentView:
    """Sign an assessment (风险评估); the next is due three years after its day, or when the unit changes."""
    said = (asked.hazard_unit, asked.assessed_on, asked.document, asked.text)
    return assessment_view(context.place.assessments.sign(*said, caller.scope, by_of(caller, asked.by)))


@router.get(
    "/risk-assessments/{hazard_unit}",
    operation_id="get_risk_assessments",
    summary="The assessments of a unit",
    responses=_LISTED,
)
def get_risk_assessments(
    context: InContext, caller: InCaller, hazard_unit: Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
) -> AssessmentList:
    """Return what was signed, the newest first; nothing for a unit that may not be seen."""
    found = context.place.assessments.of_unit(hazard_unit, caller.scope)
    return AssessmentList(items=tuple(assessment_view(one) for one in found))
