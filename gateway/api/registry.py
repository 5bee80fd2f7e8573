"""Endpoints about the registry: enterprises, places, vessels, substances, people; as they are, were, and are to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.access.roles import Permission
from gateway.api.context import InContext
from gateway.api.guard import InCaller, by_of, needs
from gateway.api.models import Model, Name
from gateway.api.parameters import Moment, query_digest, read_cursor, write_cursor
from gateway.api.problems import NoSuchThingError, Reproach, problem_responses
from gateway.errors import BadRequestError, FaultyError
from gateway.records.registry_tables import FOREVER_MS
from gateway.registry.changes import Asked
from gateway.registry.differing import changes_between
from gateway.registry.faults import Fault
from gateway.registry.kinds import KINDS
from gateway.registry.store import Version, Wanted

__all__ = ["KindName", "RecordId", "RecordView", "Saying", "naming_faults", "record_view", "router"]

router = APIRouter(prefix="/api/v1/registry", tags=["registry"], dependencies=[needs(Permission.READ)])

_EDIT = [needs(Permission.REGISTRY_EDIT)]
_ANSWERS = problem_responses(401, 403, 404, 422, 503)
_CHANGES = problem_responses(401, 403, 404, 409, 422, 503)


class KindName(StrEnum):
    """The kinds of records: `gateway.registry.kinds.KINDS`."""

    DISTRICT = "district"
    ENTERPRISE = "enterprise"
    SITE = "site"
    AREA = "area"
    HAZARD_UNIT = "hazard-unit"
    VESSEL = "vessel"
    TAG = "tag"
    CHEMICAL = "chemical"
    POST = "post"
    PERSON = "person"
    RESPONSIBILITY = "responsibility"
    DOCUMENT = "document"
    RESOURCE = "resource"
    NEIGHBOUR = "neighbour"


AKind = Annotated[KindName, Path(description="Kind of records")]
RecordId = Annotated[str, Path(description="Id of the record", max_length=128)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=128)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Expected = Annotated[int, Field(ge=0, le=2**31 - 1, description="The version that was seen; 0: there is none")]


class RecordView(Model):
    """A record as it is, or was."""

    kind: KindName
    id: str
    version: int
    since_ms: int = Field(description="It holds from here")
    until_ms: int | None = Field(description="To before here; null: it holds now")
    enterprise: str = Field(description="Whose it is; empty: everybody's")
    district: str
    parent: str = Field(description="What it is part of; its kind says of which kind")
    name: str
    gone: bool = Field(description="From here on there is none")
    body: dict[str, Any] = Field(description="See /api/v1/registry/kinds")
    by: str = Field(description="Who wrote it; `plant`: the plant file")
    why: str


class RecordPage(Model):
    """Records of a kind, in order of id."""

    items: tuple[RecordView, ...]
    next_cursor: str | None = Field(description="null on the last page")


class ChangeView(Model):
    """A field with another content."""

    field: str
    before: Any = Field(description="null: there was none")
    after: Any


class VersionView(RecordView):
    """A version, and what it changed."""

    changes: tuple[ChangeView, ...]


class RecordHistory(Model):
    """Every version of a record, the oldest first."""

    items: tuple[VersionView, ...]


class KindView(Model):
    """A kind of records."""

    kind: KindName
    title: Name
    parent: str = Field(description="The field that names what a record is part of; empty: none")
    refers: dict[str, str] = Field(description="Fields that name other records, and of which kind")
    public: bool = Field(description="Read by everybody, written by who sees everything")
    body: dict[str, Any] = Field(description="JSON Schema of what a record holds")


class KindList(Model):
    """All kinds, those first to which others refer."""

    items: tuple[KindView, ...]


class DifferenceView(Model):
    """Something that plant file and registry do not say alike."""

    kind: KindName
    id: str
    field: str = Field(description="Empty: the record as a whole is missing")
    plant: Any
    registry: Any


class DifferencePage(Model):
    """Differences; a page may be empty and yet not be the last."""

    items: tuple[DifferenceView, ...]
    next_cursor: str | None


class Saying(BaseModel):
    """Who says something, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Annotated[Line | None, Field(description="Only where there are no accounts: who says so")] = None
    why: Words = ""


class Writing(Saying):
    """What a record is to be from now on."""

    expected: Expected
    body: Annotated[dict[str, Any], Field(max_length=100, description="What is left out has its default")]


class RecordQuery(BaseModel):
    """Which records are wanted."""

    enterprise: Annotated[str | None, Field(max_length=64)] = None
    district: Annotated[str | None, Field(max_length=64, description="With all below it")] = None
    parent: Annotated[str | None, Field(max_length=128)] = None
    q: Annotated[str, Field(max_length=128, description="How the id or the name begins")] = ""
    at_ms: Annotated[Moment | None, Field(description="As they were then")] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[str | None, Field(max_length=1000, description="`next_cursor` of the page before")] = None


class RemovalQuery(BaseModel):
    """Why a record is to end."""

    expected: Expected
    why: Annotated[str, Field(max_length=2000)] = ""
    by: Annotated[str | None, Field(max_length=128, description="Only where there are no accounts")] = None


@router.get("/kinds", operation_id="list_record_kinds", summary="What kinds there are", responses=_ANSWERS)
def list_record_kinds() -> KindList:
    """List the kinds of records with what each holds."""
    return KindList(
        items=tuple(
            KindView(
                kind=KindName(name),
                title=Name(zh=kind.title.zh, en=kind.title.en),
                parent=kind.parent,
                refers=dict(kind.refers),
                public=kind.public,
                body=kind.model.model_json_schema(),
            )
            for name, kind in KINDS.items()
        )
    )


@router.get(
    "/differences",
    operation_id="list_plant_differences",
    summary="Where plant file and registry differ",
    responses=_ANSWERS,
    dependencies=[needs(Permission.REGISTRY_EDIT, whole=True)],
)
def list_plant_differences(
    context: InContext,
    caller: InCaller,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=1000, description="`next_cursor` of the page before")] = None,
) -> DifferencePage:
    """List what the plant file says otherwise than the registry. Neither overwrites the other."""
    digest = query_digest(limit, context.plant.digest)
    after = 0 if cursor is None else read_cursor(cursor, digest, tuple[str, int])[1]
    found, more = context.place.uptake.differences(caller.scope, min(max(after, 0), 2**53), limit)
    return DifferencePage(
        items=tuple(
            DifferenceView(kind=KindName(d.kind), id=d.id, field=d.field, plant=d.plant, registry=d.registry)
            for d in found
        ),
        next_cursor=None if more is None else write_cursor((more,), digest),
    )


@router.get("/{kind}", operation_id="list_records", summary="Records of a kind", responses=_ANSWERS)
def list_records(
    context: InContext, caller: InCaller, kind: AKind, query: Annotated[RecordQuery, Query()]
) -> RecordPage:
    """List the records of a kind that may be seen, as they are or were."""
    registry = context.place.registry
    digest = query_digest(kind.value, query.enterprise, query.district, query.parent, query.q, query.at_ms)
    after = "" if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, str])[1]
    districts = None if query.district is None else {query.district} | registry.below({query.district})
    wanted = Wanted(query.enterprise, districts, query.parent, query.q)
    rows = registry.page(kind, caller.scope, wanted, at_ms=query.at_ms, after=after, limit=query.limit + 1)
    page = rows[: query.limit]
    more = len(rows) > len(page)
    return RecordPage(
        items=tuple(map(record_view, page)), next_cursor=write_cursor((page[-1].id,), digest) if more else None
    )


@router.get("/{kind}/{record_id}", operation_id="get_record", summary="One record", responses=_ANSWERS)
def get_record(
    context: InContext,
    caller: InCaller,
    kind: AKind,
    record_id: RecordId,
    at_ms: Annotated[Moment | None, Query(description="As it was then")] = None,
) -> RecordView:
    """Return a record as it is, or was at a time."""
    found = context.place.registry.get(kind, record_id, caller.scope, at_ms)
    if found is None:
        raise _none(kind, record_id)
    return record_view(found)


@router.get(
    "/{kind}/{record_id}/history", operation_id="get_record_history", summary="All versions", responses=_ANSWERS
)
def get_record_history(context: InContext, caller: InCaller, kind: AKind, record_id: RecordId) -> RecordHistory:
    """Return every version of a record with who wrote it, when, why, and what changed."""
    versions = context.place.registry.history(kind, record_id, caller.scope)
    if not versions:
        raise _none(kind, record_id)
    befores: list[Mapping[str, Any]] = [{}, *({} if one.gone else one.body for one in versions[:-1])]
    return RecordHistory(
        items=tuple(_changed(before, one) for before, one in zip(befores, versions, strict=True)),
    )


@router.put(
    "/{kind}/{record_id}",
    operation_id="put_record",
    summary="Write a record",
    responses=_CHANGES,
    dependencies=_EDIT,
)
def put_record(context: InContext, caller: InCaller, kind: AKind, record_id: RecordId, asked: Writing) -> RecordView:
    """Write what a record is from now on. Enterprise and district, left out, are those of what it is part of."""
    by = by_of(caller, asked.by)
    with naming_faults():
        done = context.place.changes.put(
            kind, record_id, asked.body, Asked(caller.scope, asked.expected, by, asked.why)
        )
    return record_view(done)


@router.delete(
    "/{kind}/{record_id}",
    operation_id="remove_record",
    summary="Let a record end",
    responses=_CHANGES,
    dependencies=_EDIT,
)
def remove_record(
    context: InContext, caller: InCaller, kind: AKind, record_id: RecordId, query: Annotated[RemovalQuery, Query()]
) -> RecordView:
    """Let a record end. Its versions remain; what others refer to cannot end."""
    asked = Asked(caller.scope, query.expected, by_of(caller, query.by), query.why)
    with naming_faults():
        return record_view(context.place.changes.remove(kind, record_id, asked))


class FaultyRowsError(BadRequestError):
    """Rows make no sense; every fault is told."""

    def __init__(self, error: FaultyError) -> None:
        self.reproaches = tuple(
            Reproach(parameter=one.column or "body", found=one.found, allowed=f"{one.en}（{one.zh}）")
            for one in error.faults
            if isinstance(one, Fault)
        )
        super().__init__(str(error))


@contextmanager
def naming_faults() -> Iterator[None]:
    """Tell every fault of what is written.

    Raises:
        FaultyRowsError: There is one.
    """
    try:
        yield
    except FaultyError as error:
        raise FaultyRowsError(error) from error


def record_view(version: Version) -> RecordView:
    """Return a version as it is told."""
    return RecordView(**_fields(version))


def _fields(version: Version) -> dict[str, Any]:
    same = ("id", "version", "since_ms", "enterprise", "district", "parent", "name", "gone", "body", "by", "why")
    until_ms = None if version.until_ms == FOREVER_MS else version.until_ms
    return {name: getattr(version, name) for name in same} | {"kind": KindName(version.kind), "until_ms": until_ms}


def _changed(before: Mapping[str, Any], version: Version) -> VersionView:
    after = {} if version.gone else version.body
    changes = tuple(
        ChangeView(field=one.field, before=one.before, after=one.after) for one in changes_between(before, after)
    )
    return VersionView(**_fields(version), changes=changes)


def _none(kind: str, record_id: str) -> NoSuchThingError:
    return NoSuchThingError("record_id", record_id, f"one listed at /api/v1/registry/{kind}")
