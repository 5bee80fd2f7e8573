"""Endpoints that take workbooks and tables into the registry, and give them out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from gateway.access.roles import Caller, Permission
from gateway.api.context import Context, InContext
from gateway.api.guard import InCaller, by_of, needs
from gateway.api.models import Model, Name
from gateway.api.problems import BadParameterError, problem_responses
from gateway.api.registry import ChangeView, KindName
from gateway.registry.imports import ENDED, Order, Progress, Stage
from gateway.registry.kinds import KINDS
from gateway.registry.reading import MOST_BYTES
from gateway.registry.store import Wanted
from gateway.registry.writing import XLSX, records_of, template, to_table, to_workbook

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/registry", tags=["registry"], dependencies=[needs(Permission.READ)])

_ANSWERS = problem_responses(401, 403, 404, 422, 503)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"content": {XLSX: _BINARY, "text/csv": _BINARY}}


class Submitted(Model):
    """An import that waits."""

    import_id: str = Field(description="Ask /api/v1/registry/imports/{import_id} how far it is")


class FaultView(Model):
    """Something wrong with a file."""

    sheet: str
    row: int = Field(description="From 1, as people count; 0: none in particular")
    column: str = Field(description="Name of the field; empty: the row as a whole")
    found: str
    allowed: Name


class ShownView(Model):
    """A record that is created or changed."""

    kind: KindName
    id: str
    verdict: Literal["created", "changed"]
    fields: tuple[ChangeView, ...]


class CountsView(Model):
    """How many records of a kind."""

    created: int
    changed: int
    unchanged: int


class ImportView(Model):
    """How far an import is, and what came of it."""

    import_id: str
    at_ms: int
    by: str
    why: str
    dry_run: bool
    stage: Stage = Field(
        description="`written`: all of it; `fine`: nothing is wrong, and nothing was (or was to be) written; "
        "`refused`: see `faults`, nothing was written; `failed`: see `error`, nothing was written"
    )
    ended: bool
    done: int = Field(description="Rows, of this stage")
    rows: int = Field(description="0: not counted yet")
    ended_ms: int | None
    error: str
    fault_count: int
    faults: tuple[FaultView, ...] = Field(description="The first 1000")
    kinds: dict[str, CountsView]
    changes: tuple[ShownView, ...] = Field(description="The first 100")


class ImportQuery(BaseModel):
    """How a file is to be taken in."""

    dry_run: Annotated[bool, Field(description="Check and compare only")] = False
    kind: Annotated[KindName | None, Field(description="Of a table (CSV); a workbook says it by its sheets")] = None
    why: Annotated[str, Field(max_length=2000)] = ""
    by: Annotated[str | None, Field(max_length=128, description="Only where there are no accounts")] = None


@router.post(
    "/import",
    operation_id="import_records",
    summary="Take a file in",
    status_code=202,
    responses=problem_responses(401, 403, 422, 503),
    dependencies=[needs(Permission.REGISTRY_EDIT)],
    openapi_extra={"requestBody": {"required": True, **_BODY}},
)
async def import_records(
    context: InContext, caller: InCaller, request: Request, query: Annotated[ImportQuery, Query()]
) -> Submitted:
    """Keep a workbook or a table of at most 16 MiB and 50 000 rows; it is taken in whole or not at all."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_BYTES:
            raise BadParameterError("body", f"more than {MOST_BYTES} bytes", f"at most {MOST_BYTES} bytes")
    return await run_in_threadpool(_submit, context, caller, bytes(content), query)


@router.get("/imports/{import_id}", operation_id="get_import", summary="How far an import is", responses=_ANSWERS)
def get_import(
    context: InContext, caller: InCaller, import_id: Annotated[str, Path(max_length=32, description="Its id")]
) -> ImportView:
    """Return how far an import is, all its faults, and what it changes; one's own, or any for who sees everything."""
    mine = None if caller.scope.whole else caller.account
    return _view(context.place.imports.get(import_id, mine))


@router.get(
    "/export",
    operation_id="export_records",
    summary="Records as a file",
    response_class=Response,
    responses={200: _BODY, **_ANSWERS},
)
def export_records(
    context: InContext,
    caller: InCaller,
    kind: Annotated[list[KindName], Query(description="May be given several times; none: all", max_length=14)] = [],  # noqa: B006 - FastAPI's way
    file_format: Annotated[Literal["xlsx", "csv"], Query(alias="format", description="csv: one kind")] = "xlsx",
    enterprise: Annotated[str | None, Query(max_length=64)] = None,
    district: Annotated[str | None, Query(max_length=64, description="With all below it")] = None,
) -> Response:
    """Return records as a workbook or a table that can be read in again; that changes nothing."""
    registry = context.place.registry
    districts = None if district is None else {district} | registry.below({district})
    wanted = Wanted(enterprise=enterprise, districts=districts)
    if file_format == "csv":
        if len(kind) != 1:
            raise BadParameterError("kind", ", ".join(kind), "one kind for a table")
        content = to_table(kind[0], records_of(registry, kind[0], caller.scope, wanted))
        return _file(content, "text/csv; charset=utf-8", f"{kind[0]}.csv")
    kinds = [one for one in KINDS if not kind or one in kind]
    content = to_workbook((one, records_of(registry, one, caller.scope, wanted)) for one in kinds)
    return _file(content, XLSX, "registry.xlsx")


@router.get(
    "/template",
    operation_id="get_registry_template",
    summary="A workbook to be filled in",
    response_class=Response,
    responses={200: {"content": {XLSX: _BINARY}}, **problem_responses(401)},
)
def get_registry_template() -> Response:
    """Return a workbook with a sheet for each kind: headings, and what is allowed where there is a choice."""
    return _file(template(), XLSX, "registry-template.xlsx")


def _file(content: bytes, kind: str, name: str) -> Response:
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _submit(context: Context, caller: Caller, content: bytes, query: ImportQuery) -> Submitted:
    order = Order(query.kind or "", query.dry_run, query.why)
    return Submitted(import_id=context.place.imports.submit(content, order, caller.scope, by_of(caller, query.by)))


def _view(progress: Progress) -> ImportView:
    told: dict[str, Any] = {"error": "", "fault_count": 0, "faults": (), "kinds": {}, "changes": ()}
    told |= progress.outcome or {}
    return ImportView(
        import_id=progress.id,
        at_ms=progress.at_ms,
        by=progress.by,
        why=progress.why,
        dry_run=progress.dry_run,
        stage=Stage(progress.stage),
        ended=progress.stage in ENDED,
        done=progress.done,
        rows=progress.rows,
        ended_ms=progress.ended_ms,
        error=told["error"],
        fault_count=told["fault_count"],
        faults=tuple(map(_fault, told["faults"])),
        kinds=told["kinds"],
        changes=told["changes"],
    )


def _fault(one: dict[str, Any]) -> FaultView:
    allowed = Name(zh=one["zh"], en=one["en"])
    return FaultView(sheet=one["sheet"], row=one["row"], column=one["column"], found=one["found"], allowed=allowed)
