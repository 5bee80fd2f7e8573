"""Endpoints about the story behind an alarm: all of it in one call, and as a sheet to print."""

from __future__ import annotations

from fastapi import APIRouter, Response

from gateway.access.roles import Permission
from gateway.api.alarms import AlarmId
from gateway.api.context import InContext
from gateway.api.guard import InCaller, alarm_of, needs
from gateway.api.problems import problem_responses
from gateway.story.teller import AlarmContext

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/alarms", tags=["alarms"], dependencies=[needs(Permission.READ)])

_ANSWERS = problem_responses(401, 403, 404, 422, 503)


@router.get(
    "/{alarm_id}/context",
    operation_id="get_alarm_context",
    summary="The story behind an alarm",
    response_model=AlarmContext,
    responses=_ANSWERS,
)
def get_alarm_context(context: InContext, caller: InCaller, alarm_id: AlarmId) -> Response:
    """Return everything that is known around an alarm; parts that fail or are slow are `partial`, with the reason."""
    told = context.teller.tell(alarm_of(caller, context, alarm_id), caller.scope)
    return Response(told.model_dump_json(), media_type="application/json")
