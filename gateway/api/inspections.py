"""Endpoints for findings of inspections, as terminals send them: offline, late, more than once."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, WithJsonSchema
from starlette.concurrency import run_in_threadpool

from gateway.access.roles import Caller, Permission
from gateway.api.acts import Line
from gateway.api.context import Context, InContext
from gateway.api.guard import InCaller, by_of, needs
from gateway.api.models import Model
from gateway.api.parameters import query_digest, read_cursor, write_cursor
from gateway.api.problems import BadParameterError, problem_responses
from gateway.prevention.findings import Finding, FindingFilter, Said, Taken
from gateway.registry.fields import Ref
from gateway.shift.attachments import MOST_BYTES

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/inspections/findings", tags=["prevention"], dependencies=[needs(Permission.READ)])

_CHECK = [needs(Permission.CHECK_DO)]
_ANSWERS = problem_responses(401, 403, 404, 409, 422, 503)
FindingId = Annotated[str, Path(pattern="^[0-9a-f]{1,32}$", description="Id of the finding")]
PhotoHash = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of the content")]
_BODY = {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/jpeg", "image/png")}}


class FindingSent(BaseModel):
    """A finding, as the terminal made it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = Field(
        description="Made by the terminal once and never again; the same id with other content is refused"
    )
    found_ms: Annotated[int, Field(ge=0, le=2**53, description="UTC epoch milliseconds, by the terminal's clock")]
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
    severity: Literal["", "note", "general", "major"] = ""
    hazard_unit: Ref = Field("", description="What it is about: at least one of unit, vessel, tag")
    vessel: Ref = ""
    tag: Ref = ""
    latitude_deg: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)] | None = None
    longitude_deg: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] | None = None
    accuracy_m: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] | None = None
    photos: Annotated[tuple[Annotated[str, Field(pattern="^[0-9a-f]{64}$")], ...], Field(max_length=20)] = ()


Item = Annotated[dict[str, Any], WithJsonSchema(FindingSent.model_json_schema())]


class Batch(BaseModel):
    """Findings, each of which is answered for itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Line | None = Field(None, description="Only where there are no accounts: who says so")
    items: Annotated[tuple[Item, ...], Field(min_length=1, max_length=200)]


class TakenView(Model):
    """What became of one item."""

    client_id: str
    result: Literal["kept", "same", "refused"]
    finding_id: str | None
    missing: tuple[str, ...] = Field(description="Photos whose content is still to be sent")
    why: str = Field(description="Of `refused`")


class BatchAnswer(Model):
    """What became of them, in the same order."""

    items: tuple[TakenView, ...]


class FindingView(Model):
    """A finding."""

    finding_id: str
    client_id: str
    enterprise: str
    district: str
    hazard_unit: str
    vessel: str
    tag: str
    found_ms: int = Field(description="By the terminal's clock")
    received_ms: int = Field(description="Gateway clock: later than `found_ms` when it was offline")
    by: str
    text: str
    severity: str
    latitude_deg: float | None
    longitude_deg: float | None
    accuracy_m: float | None
    photos: tuple[str, ...]
    missing: tuple[str, ...]
    danger_id: str | None


class FindingPage(Model):
    """Findings, the latest found first."""

    items: tuple[FindingView, ...]
    next_cursor: str | None = Field(description="null on the last page")


class FindingQuery(BaseModel):
    """Which findings are wanted."""

    enterprise: Ref | None = None
    hazard_unit: Ref | None = None
    vessel: Ref | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Annotated[str | None, Field(max_length=500, description="`next_cursor` of the page before")] = None


class Turning(BaseModel):
    """Who makes it a hidden danger."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Line | None = Field(None, description="Only where there are no accounts: who says so")


@router.post("", operation_id="send_findings", summary="Send findings", responses=_ANSWERS, dependencies=_CHECK)
def send_findings(context: InContext, caller: InCaller, asked: Batch) -> BatchAnswer:
    """Keep findings. The same again is answered `same` and changes nothing; a refused one keeps no other out."""
    by = by_of(caller, asked.by)
    answers: list[Taken] = []
    for item in asked.items:
        try:
            said = Said(**FindingSent.model_validate(item).model_dump())
        except ValidationError as error:
            why = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:10])
            answers.append(Taken(str(item.get("client_id", ""))[:64], "refused", None, (), why))
        else:
            answers += context.place.prevention.findings.take([said], caller.scope, by)
    return BatchAnswer(items=tuple(TakenView(**asdict(one)) for one in answers))


@router.get("", operation_id="list_findings", summary="Findings", responses=_ANSWERS)
def list_findings(context: InContext, caller: InCaller, query: Annotated[FindingQuery, Query()]) -> FindingPage:
    """List findings, the latest found first."""
    wanted = FindingFilter(query.enterprise, query.hazard_unit, query.vessel)
    digest = query_digest(wanted, "findings")
    after = None if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, int, str])[1:]
    found = context.place.prevention.findings.find(wanted, caller.scope, after, query.limit + 1)
    page = found[: query.limit]
    more = len(found) > len(page)
    return FindingPage(
        items=tuple(_view(one) for one in page),
        next_cursor=write_cursor((page[-1].found_ms, page[-1].id), digest) if more else None,
    )


@router.get("/{finding_id}", operation_id="get_finding", summary="One finding", responses=_ANSWERS)
def get_finding(context: InContext, caller: InCaller, finding_id: FindingId) -> FindingView:
    """Return a finding."""
    return _view(context.place.prevention.findings.get(finding_id, caller.scope))


@router.put(
    "/{finding_id}/photos/{sha256}",
    operation_id="put_finding_photo",
    summary="The content of a photo",
    responses=_ANSWERS,
    dependencies=_CHECK,
    openapi_extra={"requestBody": {"required": True, **_BODY}},
)
async def put_finding_photo(
    context: InContext, caller: InCaller, request: Request, finding_id: FindingId, sha256: PhotoHash
) -> FindingView:
    """Send a JPEG or PNG of at most 5 MiB that a finding has announced. Sending it again changes nothing."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_BYTES:
            raise BadParameterError("body", f"more than {MOST_BYTES} bytes", f"at most {MOST_BYTES} bytes")
    return await run_in_threadpool(_keep, context, caller, finding_id, sha256, bytes(content))


@router.get(
    "/{finding_id}/photos/{sha256}",
    operation_id="get_finding_photo",
    summary="A photo",
    response_class=Response,
    responses={200: _BODY, **_ANSWERS},
)
def get_finding_photo(context: InContext, caller: InCaller, finding_id: FindingId, sha256: PhotoHash) -> Response:
    """Return a photo; a browser saves it and does not show it as a page of this gateway."""
    kind, content = context.place.prevention.findings.photo(finding_id, sha256, caller.scope)
    name = f"{sha256[:12]}.{kind.partition('/')[2]}"
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@router.post(
    "/{finding_id}/danger",
    operation_id="make_finding_danger",
    summary="Make it a hidden danger",
    responses=_ANSWERS,
    dependencies=[needs(Permission.DANGER_REPORT)],
)
def make_finding_danger(context: InContext, caller: InCaller, finding_id: FindingId, asked: Turning) -> FindingView:
    """Make a finding a hidden danger, once."""
    by = by_of(caller, asked.by)
    return _view(context.place.prevention.findings.to_danger(finding_id, caller.scope, by))


def _keep(context: Context, caller: Caller, name: str, digest: str, content: bytes) -> FindingView:
    return _view(context.place.prevention.findings.add_photo(name, digest, content, caller.scope, by_of(caller, None)))


def _view(one: Finding) -> FindingView:
    said = asdict(one.said)
    same = {name: said[name] for name in ("client_id", "text", "severity", "latitude_deg", "longitude_deg")}
    more = {"accuracy_m": said["accuracy_m"], "photos": said["photos"]}
    mine = ("enterprise", "district", "hazard_unit", "vessel", "tag", "found_ms", "received_ms", "by", "missing")
    own = {name: getattr(one, name) for name in (*mine, "danger_id")}
    return FindingView(finding_id=one.id, **same, **more, **own)
