"""Endpoints about the story behind an alarm: all of it in one call, and as a sheet to print."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from gateway.access.roles import Permission
from gateway.api.alarms import AlarmId
from gateway.api.context import InContext
from gateway.api.guard import InCaller, alarm_of, needs
from gateway.api.page import templates
from gateway.api.problems import problem_responses
from gateway.story.pdf import pdf_of
from gateway.story.sheet import sheet_of
from gateway.story.teller import AlarmContext

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/alarms", tags=["alarms"], dependencies=[needs(Permission.READ)])

_FILE = {"type": "string", "format": "binary"}
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


@router.get(
    "/{alarm_id}/sheet.html",
    operation_id="get_alarm_sheet",
    summary="The story on one page, to print",
    response_class=HTMLResponse,
    responses=_ANSWERS,
)
def get_alarm_sheet(context: InContext, caller: InCaller, alarm_id: AlarmId) -> HTMLResponse:
    """Return one page of A4 in Chinese with English beside it; long parts are cut, with a count."""
    sheet = sheet_of(context.teller.tell(alarm_of(caller, context, alarm_id), caller.scope))
    html = templates.get_template("sheet.html").render(sheet=sheet)
    return HTMLResponse(html, headers={"Content-Language": "zh-CN, en"})


@router.get(
    "/{alarm_id}/sheet.pdf",
    operation_id="get_alarm_sheet_pdf",
    summary="The same as a PDF",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {"schema": _FILE}}}, **_ANSWERS},
)
def get_alarm_sheet_pdf(context: InContext, caller: InCaller, alarm_id: AlarmId) -> Response:
    """Return the page as a file to keep or send."""
    sheet = sheet_of(context.teller.tell(alarm_of(caller, context, alarm_id), caller.scope))
    name = f'inline; filename="{alarm_id}.pdf"'
    return Response(pdf_of(sheet), media_type="application/pdf", headers={"Content-Disposition": name})
