"""Endpoints that show hidden dangers (隐患): lists, counts, one in full, rates, the ledger, the public view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from gateway.access.roles import Caller, Permission
from gateway.api.context import Context, InContext
from gateway.api.danger_models import (
    DangerCounts,
    DangerDetail,
    DangerPage,
    DangerReporterView,
    DangerTimeline,
    NearDangerAlarms,
    OnTimePage,
    counts_view,
    danger_detail,
    danger_view,
    moment_view,
    near_view,
    on_time_view,
)
from gateway.api.guard import InCaller, by_of, needs
from gateway.api.models import Model, Name
from gateway.api.parameters import Moment, query_digest, read_cursor, write_cursor
from gateway.api.problems import BadParameterError, problem_responses
from gateway.api.views import name_of
from gateway.dangers.acts import Who
from gateway.dangers.book import PublicRow, ledger_rows, public_rows
from gateway.dangers.ledger import DangerSort, Wanted, key_of
from gateway.dangers.model import Danger
from gateway.dangers.sheets import to_csv, to_xlsx
from gateway.dangers.states import Grade, Source, State
from gateway.kpi.months import month_of, span_of

__all__ = ["DangerId", "router"]

router = APIRouter(prefix="/api/v1/hidden-dangers", tags=["hidden dangers"], dependencies=[needs(Permission.READ)])
_SUPERVISE = [needs(Permission.DANGER_SUPERVISE)]
_ANSWERS = problem_responses(401, 403, 404, 422, 503)
_LISTED = problem_responses(401, 403, 422, 503)
_CSV = "text/csv"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MOST_ROWS = 20_000
_AT_ONCE = 1_000

DangerId = Annotated[str, Path(pattern="^[A-Za-z0-9]{1,32}$", description="Id of the hidden danger")]
_Ref = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,128}$")]


class DangerFilter(BaseModel):
    """Which hidden dangers are wanted."""

    state: Annotated[list[State], Field(description="May be given several times", max_length=20)] = []
    grade: Annotated[list[Grade], Field(description="May be given several times", max_length=5)] = []
    source: Annotated[list[Source], Field(description="May be given several times", max_length=10)] = []
    enterprise: _Ref = ""
    district: _Ref = ""
    hazard_unit: _Ref = ""
    vessel: _Ref = ""
    tag: _Ref = ""
    open: Annotated[bool | None, Field(description="Neither closed nor dismissed")] = None
    overdue: Annotated[bool | None, Field(description="Something is late")] = None
    listed: Annotated[bool | None, Field(description="Under listed supervision")] = None
    from_ms: Annotated[Moment | None, Field(alias="from", description="Found at or after")] = None
    to_ms: Annotated[Moment | None, Field(alias="to", description="Found before")] = None

    def wanted(self) -> Wanted:
        """Return it in the words of the ledger.

        Raises:
            BadParameterError: The span is none.
        """
        if self.from_ms is not None and self.to_ms is not None and self.from_ms >= self.to_ms:
            raise BadParameterError("from", self.from_ms, f"a moment before `to` ({self.to_ms})")
        same = ("enterprise", "district", "hazard_unit", "vessel", "tag", "open", "overdue", "listed")
        return Wanted(
            states=tuple(sorted({one.value for one in self.state})),
            grades=tuple(sorted({one.value for one in self.grade})),
            sources=tuple(sorted({one.value for one in self.source})),
            from_ms=self.from_ms,
            to_ms=self.to_ms,
            **{name: getattr(self, name) for name in same},
        )


class DangerQuery(DangerFilter):
    """Which hidden dangers are wanted, in which order."""

    sort: Annotated[
        DangerSort,
        Field(description="`time`: newest first; `due`: what is due first; `worst`: worst first, not those over"),
    ] = DangerSort.TIME
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[str | None, Field(max_length=1000, description="`next_cursor` of the page before")] = None


class OnTimeQuery(BaseModel):
    """Which month is wanted."""

    month: Annotated[
        str | None,
        Field(pattern=r"^(19[7-9][0-9]|2[0-9]{3})-(0[1-9]|1[0-2])$", description="The present one if left out"),
    ] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[str | None, Field(max_length=1000, description="`next_cursor` of the page before")] = None


class PublicDanger(Model):
    """A major hidden danger as the public may see it: no person, no phone, no words of who reported it."""

    number: str
    enterprise: str
    enterprise_name: Name
    hazard_unit_name: Name | None
    district: str
    grade_name: Name
    state_name: Name
    listed: bool
    listed_ms: int | None
    deadline_ms: int | None
    notice: str = Field(description="What the authority wrote for the public when it listed it")


class PublicDangers(Model):
    """Major hidden dangers that are not over, the listed ones first."""

    made_ms: int
    items: tuple[PublicDanger, ...]


@router.get("", operation_id="list_hidden_dangers", summary="Hidden dangers, page by page", responses=_LISTED)
def list_hidden_dangers(context: InContext, caller: InCaller, query: Annotated[DangerQuery, Query()]) -> DangerPage:
    """List hidden dangers. Going from page to page neither repeats nor skips one by `time`, while new ones come."""
    wanted = query.wanted()
    digest = query_digest(wanted, query.sort.value)
    after = None if query.cursor is None else read_cursor(query.cursor, digest, _KEYS[query.sort])[1:]
    rows = context.place.danger_ledger.page(wanted, caller.scope, query.sort, after, query.limit + 1)
    page = rows[: query.limit]
    more = len(rows) > len(page)
    rules, now_ms = context.place.dangers.rules, context.clock.wall_ms()
    return DangerPage(
        items=tuple(danger_view(one, rules, now_ms) for one in page),
        next_cursor=write_cursor(key_of(page[-1], query.sort), digest) if more else None,
    )


@router.get("/counts", operation_id="count_hidden_dangers", summary="How many there are", responses=_LISTED)
def count_hidden_dangers(context: InContext, caller: InCaller, query: Annotated[DangerFilter, Query()]) -> DangerCounts:
    """Count hidden dangers by state and grade."""
    return counts_view(context.place.danger_ledger.counts(query.wanted(), caller.scope))


@router.get("/on-time", operation_id="get_on_time_rates", summary="Rectified in time", responses=_LISTED)
def get_on_time_rates(context: InContext, caller: InCaller, query: Annotated[OnTimeQuery, Query()]) -> OnTimePage:
    """Return how much of what was due in a month was rectified in time, enterprise by enterprise."""
    month = query.month or month_of(context.clock.wall_ms())
    digest = query_digest(month, "on-time")
    after = "" if query.cursor is None else read_cursor(query.cursor, digest, tuple[str, str])[1]
    found = context.place.danger_ledger.on_time(*span_of(month), caller.scope, after, query.limit + 1)
    page = found[: query.limit]
    return OnTimePage(
        month=month,
        items=tuple(on_time_view(one) for one in page),
        next_cursor=write_cursor((page[-1].enterprise,), digest) if len(found) > len(page) else None,
    )


@router.get(
    "/ledger.csv",
    operation_id="get_danger_ledger_csv",
    summary="The ledger as CSV",
    response_class=Response,
    responses={200: {"content": {_CSV: {}}}, **_LISTED},
)
def get_danger_ledger_csv(context: InContext, caller: InCaller, query: Annotated[DangerFilter, Query()]) -> Response:
    """Return the ledger (台账), newest first, at most 20 000 rows; texts that look like formulas are no formulas."""
    head, *rows = ledger_rows(_all(context, caller, query.wanted()), context.clock.wall_ms())
    return _file(to_csv([str(one) for one in head], rows), _CSV, "hidden-dangers.csv")


@router.get(
    "/ledger.xlsx",
    operation_id="get_danger_ledger_xlsx",
    summary="The ledger as an Excel workbook",
    response_class=Response,
    responses={200: {"content": {_XLSX: {}}}, **_LISTED},
)
def get_danger_ledger_xlsx(context: InContext, caller: InCaller, query: Annotated[DangerFilter, Query()]) -> Response:
    """Return the ledger (台账), newest first, at most 20 000 rows; every text is text."""
    head, *rows = ledger_rows(_all(context, caller, query.wanted()), context.clock.wall_ms())
    return _file(to_xlsx("隐患台账", [str(one) for one in head], rows), _XLSX, "hidden-dangers.xlsx")


@router.get(
    "/public",
    operation_id="get_public_dangers",
    summary="What may be published",
    responses=_LISTED,
    dependencies=_SUPERVISE,
)
def get_public_dangers(context: InContext, caller: InCaller) -> PublicDangers:
    """Return major hidden dangers as they may be published: no person, no phone, no words of who reported it."""
    return PublicDangers(
        made_ms=context.clock.wall_ms(), items=tuple(_public_view(row) for row in _public(context, caller))
    )


@router.get(
    "/public.csv",
    operation_id="get_public_dangers_csv",
    summary="What may be published, as CSV",
    response_class=Response,
    responses={200: {"content": {_CSV: {}}}, **_LISTED},
    dependencies=_SUPERVISE,
)
def get_public_dangers_csv(context: InContext, caller: InCaller) -> Response:
    """Return the same as `get_public_dangers`."""
    head = ("编号", "企业", "危险源", "区域", "等级", "状态", "挂牌日期", "整改期限", "公示内容")
    return _file(to_csv(head, [row.cells() for row in _public(context, caller)]), _CSV, "public-hidden-dangers.csv")


@router.get("/{danger_id}", operation_id="get_hidden_danger", summary="One hidden danger in full", responses=_ANSWERS)
def get_hidden_danger(context: InContext, caller: InCaller, danger_id: DangerId) -> DangerDetail:
    """Return a hidden danger with all its clocks."""
    return detail_of(context, caller, context.place.dangers.get(danger_id, caller.scope))


@router.get(
    "/{danger_id}/timeline", operation_id="get_danger_timeline", summary="What happened to it", responses=_ANSWERS
)
def get_danger_timeline(context: InContext, caller: InCaller, danger_id: DangerId) -> DangerTimeline:
    """Return what happened to a hidden danger, oldest first; nothing of it is ever deleted."""
    events = context.place.dangers.timeline(danger_id, caller.scope)
    return DangerTimeline(danger_id=danger_id, events=tuple(moment_view(event) for event in events))


@router.get("/{danger_id}/alarms", operation_id="get_danger_alarms", summary="Alarms near it", responses=_ANSWERS)
def get_danger_alarms(context: InContext, caller: InCaller, danger_id: DangerId) -> NearDangerAlarms:
    """Return alarms raised near its place about the time it was noticed: a smell beside what detectors saw."""
    dangers = context.place.dangers
    one = dangers.get(danger_id, caller.scope)
    edition = dangers.rules.at(one.found_ms if one.seen_ms is None else one.seen_ms)
    return NearDangerAlarms(
        danger_id=one.id,
        before_ms=edition.match_before_ms,
        after_ms=edition.match_after_ms,
        radius_m=edition.match_radius_m,
        items=tuple(near_view(found) for found in dangers.matching.near(one, caller.scope)),
    )


@router.get(
    "/{danger_id}/reporter",
    operation_id="get_danger_reporter",
    summary="Open the seal of who reported it",
    responses=_ANSWERS,
    dependencies=_SUPERVISE,
)
def get_danger_reporter(context: InContext, caller: InCaller, danger_id: DangerId) -> DangerReporterView:
    """Return who called 12350; every look is on record in the audit log."""
    found = context.place.dangers.reporter(danger_id, Who(by_of(caller, None), caller.scope, supervises=True))
    return DangerReporterView(name=found.name, phone=found.phone, text=found.text)


def detail_of(context: Context, caller: Caller, one: Danger) -> DangerDetail:
    """Return a danger with all its clocks, as somebody may see it."""
    dangers = context.place.dangers
    return danger_detail(one, dangers.clocks(one.id, caller.scope), dangers.rules, context.clock.wall_ms())


_KEYS: dict[DangerSort, Any] = {
    DangerSort.TIME: tuple[str, int, str],
    DangerSort.DUE: tuple[str, int, str],
    DangerSort.WORST: tuple[str, int, int, str],
}


def _all(context: Context, caller: Caller, wanted: Wanted) -> Iterator[Danger]:
    """Yield everything that is wanted, page by page.

    Raises:
        BadParameterError: It is too much for one file.
    """
    ledger = context.place.danger_ledger
    number = ledger.number(wanted, caller.scope)
    if number > _MOST_ROWS:
        raise BadParameterError("from", f"{number} rows", f"filters that leave at most {_MOST_ROWS} rows")
    after = None
    while True:
        page = ledger.page(wanted, caller.scope, DangerSort.TIME, after, _AT_ONCE)
        yield from page
        if len(page) < _AT_ONCE:
            return
        after = key_of(page[-1], DangerSort.TIME)


def _public(context: Context, caller: Caller) -> list[PublicRow]:
    wanted = Wanted(open=True, grades=(Grade.MAJOR.value,))
    return public_rows(list(_all(context, caller, wanted)), context.place.dangers.where, caller.scope)


def _public_view(row: PublicRow) -> PublicDanger:
    same = ("number", "enterprise", "district", "listed", "listed_ms", "deadline_ms", "notice")
    return PublicDanger(
        **{name: getattr(row, name) for name in same},
        enterprise_name=name_of(row.enterprise_name),
        hazard_unit_name=None if row.hazard_unit_name is None else name_of(row.hazard_unit_name),
        grade_name=name_of(row.grade_name),
        state_name=name_of(row.state_name),
    )


def _file(content: bytes, kind: str, name: str) -> Response:
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
