"""Endpoints about what is due in the registry, who answers for a unit, and figures of districts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field, StringConstraints

from gateway.access.roles import Permission
from gateway.api.context import InContext
from gateway.api.guard import InCaller, by_of, needs
from gateway.api.models import Model
from gateway.api.parameters import query_digest, read_cursor, write_cursor
from gateway.api.problems import problem_responses
from gateway.api.registry import KindName, RecordId, Saying, naming_faults
from gateway.registry.care import Responsible
from gateway.registry.changes import Asked
from gateway.registry.fields import Day
from gateway.registry.kinds import ResponsibleFor

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["registry"], dependencies=[needs(Permission.READ)])

_ANSWERS = problem_responses(401, 403, 404, 422, 503)


class ResponsibleView(Model):
    """A duty of somebody who answers for a hazard unit (包保责任)."""

    responsibility: str = Field(description="Id of the duty")
    version: int
    role: ResponsibleFor
    person: str
    name: str = Field(description="Empty: no longer in the registry")
    phone: str
    duty: str
    every_days: int | None = Field(description="null: no fixed period")
    done_on: str
    due_on: str = Field(description="The last day on which it is to be done again; empty: no fixed period")
    overdue: bool


class ResponsibleList(Model):
    """Who answers for a unit: principal, technical, operating."""

    hazard_unit: str
    today: str = Field(description="In China")
    missing: tuple[ResponsibleFor, ...] = Field(description="Roles that nobody has")
    items: tuple[ResponsibleView, ...]


class Doing(Saying):
    """A duty was done."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1, description="Of the duty, as it was seen")]
    done_on: Annotated[Day, StringConstraints(max_length=10)] = Field(default="", description="Empty: today")


class ExpiringView(Model):
    """Something that holds to the end of a day."""

    kind: KindName
    id: str
    name: str
    enterprise: str
    day: str
    expired: bool


class ExpiringPage(Model):
    """What has expired or will, the longest expired first."""

    today: str = Field(description="In China")
    items: tuple[ExpiringView, ...]
    next_cursor: str | None = Field(description="null on the last page")


class DistrictFiguresView(Model):
    """How much there is in a district."""

    district: str
    name: str
    level: str = Field(description="city, district or town; empty: not in the registry")
    parent: str
    itself: dict[str, int] = Field(description="Kind -> how many say that they are in it")
    with_below: dict[str, int] = Field(description="With everything in districts below it")


class DistrictFiguresList(Model):
    """Districts, in order of id."""

    items: tuple[DistrictFiguresView, ...]


@router.get(
    "/registry/hazard-unit/{record_id}/responsible",
    operation_id="list_responsible",
    summary="Who answers for a unit",
    responses=_ANSWERS,
)
def list_responsible(context: InContext, caller: InCaller, record_id: RecordId) -> ResponsibleList:
    """List the responsible persons (包保责任人) of a unit with phone, duties, and which are overdue."""
    care = context.place.care
    found = care.responsible(record_id, caller.scope)
    held = {one.duty.body["role"] for one in found if one.person is not None}
    return ResponsibleList(
        hazard_unit=record_id,
        today=care.today,
        missing=tuple(role for role in ResponsibleFor if role.value not in held),
        items=tuple(map(_responsible, found)),
    )


@router.post(
    "/registry/responsibility/{record_id}/done",
    operation_id="do_duty",
    summary="Say that a duty was done",
    responses=problem_responses(401, 403, 404, 409, 422, 503),
    dependencies=[needs(Permission.REGISTRY_EDIT)],
)
def do_duty(
    context: InContext, caller: InCaller, record_id: Annotated[str, Path(max_length=128)], asked: Doing
) -> ResponsibleView:
    """Note that a duty was done, as a new version of it. An earlier day than the one noted changes nothing."""
    how = Asked(caller.scope, asked.version, by_of(caller, asked.by), asked.why)
    with naming_faults():
        return _responsible(context.place.care.done(record_id, asked.done_on, how))


@router.get(
    "/registry/expiring", operation_id="list_expiring", summary="What expires", responses=problem_responses(401, 422)
)
def list_expiring(
    context: InContext,
    caller: InCaller,
    days: Annotated[int, Query(ge=0, le=3660, description="From today")] = 30,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=1000, description="`next_cursor` of the page before")] = None,
) -> ExpiringPage:
    """List papers, certificates of persons and calibrations of instruments that have expired or will."""
    care = context.place.care
    digest = query_digest("expiring", days)
    after = None if cursor is None else read_cursor(cursor, digest, tuple[str, str, str, str])[1:]
    rows = care.expiring(caller.scope, days, after, limit + 1)
    page = rows[:limit]
    last = page[-1] if len(rows) > len(page) else None
    return ExpiringPage(
        today=care.today,
        items=tuple(
            ExpiringView(
                kind=KindName(one.kind),
                id=one.id,
                name=one.name,
                enterprise=one.enterprise,
                day=one.day,
                expired=one.expired,
            )
            for one in page
        ),
        next_cursor=None if last is None else write_cursor((last.day, last.kind, last.id), digest),
    )


@router.get(
    "/districts/roll-up",
    operation_id="roll_up_districts",
    summary="Figures of districts",
    responses=problem_responses(401, 422),
)
def roll_up_districts(context: InContext, caller: InCaller) -> DistrictFiguresList:
    """Count enterprises, sites, hazard units and vessels of each district: itself, and with all below it."""
    return DistrictFiguresList(
        items=tuple(
            DistrictFiguresView(
                district=one.id,
                name=one.name,
                level=one.level,
                parent=one.parent,
                itself=dict(one.itself),
                with_below=dict(one.with_below),
            )
            for one in context.place.rollup.figures(caller.scope)
        )
    )


def _responsible(one: Responsible) -> ResponsibleView:
    body, person = one.duty.body, one.person
    return ResponsibleView(
        responsibility=one.duty.id,
        version=one.duty.version,
        role=ResponsibleFor(body["role"]),
        person=str(body["person"]),
        name=person.name if person else "",
        phone=str(person.body["phone"]) if person else "",
        duty=str(body["duty"]),
        every_days=body["every_days"],
        done_on=str(body["done_on"]),
        due_on=one.due_on,
        overdue=one.overdue,
    )
