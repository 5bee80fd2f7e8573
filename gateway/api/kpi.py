"""Endpoints about KPIs: of a window, of a month, of the moment, and what each of them means."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from alerting.rates import DAY_MS
from gateway.access.roles import Permission
from gateway.api.context import InContext
from gateway.api.guard import needs
from gateway.api.kpi_models import DefinitionList, DefinitionView, DeskKpis, KpiView, MonthlyView, NowView
from gateway.api.parameters import Moment
from gateway.api.problems import BadParameterError, problem_responses
from gateway.errors import OverloadError
from gateway.kpi.definitions import DEFINITIONS, definitions_digest, seal
from gateway.kpi.months import month_of, span_of

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["kpi"], dependencies=[needs(Permission.KPI_READ, whole=True)])

_LONGEST_DAYS = 400
_WAIT_S = 20.0
_computing = threading.Lock()
"""A month of a million alarms takes seconds of a processor: one at a time."""


class KpiQuery(BaseModel):
    """Which window is wanted, of which desk."""

    from_ms: Annotated[Moment | None, Field(alias="from", description="24 h before `to` if left out")] = None
    to_ms: Annotated[Moment | None, Field(alias="to", description="Now if left out")] = None
    desk: Annotated[str | None, Field(max_length=64, description="All desks if left out")] = None


@router.get("/kpi", operation_id="get_kpi", summary="KPIs of a window", responses=problem_responses(422, 503))
def get_kpi(context: InContext, query: Annotated[KpiQuery, Query()]) -> KpiView:
    """Compute all KPIs of ``from <= t < to``, desk by desk; of the last 24 h when nothing is asked for.

    Every figure comes with what it was made from and with what it does not count, and why.
    """
    now_ms = context.clock.wall_ms()
    to_ms = now_ms if query.to_ms is None else query.to_ms
    from_ms = max(0, to_ms - DAY_MS) if query.from_ms is None else query.from_ms
    if from_ms >= to_ms:
        raise BadParameterError("from", from_ms, f"a moment before `to` ({to_ms})")
    if to_ms - from_ms > _LONGEST_DAYS * DAY_MS:
        raise BadParameterError("from", from_ms, f"at most {_LONGEST_DAYS} days before `to`")
    desks = context.kpis.desks.names
    if query.desk is not None and query.desk not in desks:
        raise BadParameterError("desk", query.desk, ", ".join(desks))
    with _alone():
        found = context.kpis.report(from_ms, to_ms, now_ms, query.desk)
    return KpiView(
        from_ms=found.from_ms,
        to_ms=found.to_ms,
        definitions=found.definitions,
        desks=tuple(DeskKpis.model_validate(asdict(one)) for one in found.desks),
    )


@router.get(
    "/kpi/definitions",
    operation_id="list_kpi_definitions",
    summary="What every KPI means",
    responses=problem_responses(),
)
def list_kpi_definitions() -> DefinitionList:
    """Return all definitions in force. One that changes has a new version; frozen months keep the one they had."""
    return DefinitionList(
        digest=definitions_digest(),
        definitions=tuple(
            DefinitionView.model_validate({**asdict(one), "seal": seal(one)}) for one in DEFINITIONS.values()
        ),
    )


@router.get("/kpi/now", operation_id="get_kpi_now", summary="The moment", responses=problem_responses(503))
def get_kpi_now(context: InContext) -> NowView:
    """Return whether alarms flood, how many came lately, what chatters and stands, desk by desk; and first-out."""
    return NowView.model_validate(asdict(context.now.report(context.clock.wall_ms())))


@router.get(
    "/reports/monthly/{month}",
    operation_id="get_monthly_report",
    summary="KPIs of a month",
    responses=problem_responses(422, 503),
)
def get_monthly_report(
    context: InContext,
    month: Annotated[str, Path(description="yyyy-mm, local time of the site", pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$")],
) -> MonthlyView:
    """Return a month as it was frozen a day after its end; before, as it is now, marked provisional."""
    now_ms = context.clock.wall_ms()
    if span_of(month)[0] > now_ms:
        raise BadParameterError("month", month, f"{month_of(now_ms)} or earlier")
    with _alone():
        found = context.months.report(month, now_ms)
    return MonthlyView.model_validate(
        {**asdict(found), "desks": tuple(DeskKpis.model_validate(one) for one in found.desks)}
    )


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other request computes.

    Raises:
        OverloadError: That took too long.
    """
    if not _computing.acquire(timeout=_WAIT_S):
        raise OverloadError("other KPIs are being computed; ask again")
    try:
        yield
    finally:
        _computing.release()
