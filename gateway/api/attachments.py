"""Endpoints about photos and papers of alarms."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from gateway.access.roles import Caller, Permission
from gateway.api.acts import AlarmId
from gateway.api.context import Context, InContext
from gateway.api.guard import InCaller, alarm_of, by_of, needs
from gateway.api.models import Model
from gateway.api.problems import BadParameterError, problem_responses
from gateway.shift.attachments import MOST_BYTES

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/alarms", tags=["handling"], dependencies=[needs(Permission.READ)])

AttachmentId = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of the content")]
_BODY = {
    "content": {
        kind: {"schema": {"type": "string", "format": "binary"}}
        for kind in ("image/jpeg", "image/png", "application/pdf")
    }
}


class Kept(Model):
    """What was kept, to be named in comments, verdicts and measures."""

    attachment_id: str


@router.post(
    "/{alarm_id}/attachments",
    operation_id="add_attachment",
    summary="Add a photo or a paper",
    responses=problem_responses(401, 403, 404, 409, 422, 503),
    dependencies=[needs(Permission.ALARM_ACT)],
    openapi_extra={"requestBody": {"required": True, **_BODY}},
)
async def add_attachment(context: InContext, caller: InCaller, request: Request, alarm_id: AlarmId) -> Kept:
    """Keep a JPEG, PNG or PDF of at most 5 MiB with an alarm. The same content again is the same attachment."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_BYTES:
            raise BadParameterError("body", f"more than {MOST_BYTES} bytes", f"at most {MOST_BYTES} bytes")
    return await run_in_threadpool(_keep, context, caller, alarm_id, content)


@router.get(
    "/{alarm_id}/attachments/{attachment_id}",
    operation_id="get_attachment",
    summary="A photo or a paper",
    response_class=Response,
    responses={200: _BODY, **problem_responses(401, 403, 404, 422, 503)},
)
def get_attachment(context: InContext, caller: InCaller, alarm_id: AlarmId, attachment_id: AttachmentId) -> Response:
    """Return an attachment; a browser saves it and does not show it as a page of this gateway."""
    alarm_of(caller, context, alarm_id)
    kind, content = context.desk.attachments.get(alarm_id, attachment_id)
    name = f"{attachment_id[:12]}.{kind.partition('/')[2]}"
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _keep(context: Context, caller: Caller, alarm_id: str, content: bytes) -> Kept:
    alarm_of(caller, context, alarm_id)
    return Kept(attachment_id=context.desk.attachments.add(alarm_id, content, by_of(caller, None)))
