"""Endpoint that tries proposed rules on the stored history."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from config.errors import PlantError
from config.plant.load import read_plant
from config.plant.model import Plant
from gateway.access.roles import Permission
from gateway.api.context import InContext
from gateway.api.guard import needs
from gateway.api.parameters import Moment
from gateway.api.problems import BadParameterError, Reproach, problem_response, problem_responses
from gateway.backtest import Crew, Period, UnknownTagsError, run_backtest, tags_like
from gateway.backtest_report import BacktestReport, report_of
from gateway.errors import BadRequestError, GatewayError

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["backtest"], dependencies=[needs(Permission.RULES_PROPOSE, whole=True)])

_BEHIND = 10
"""Nice: the pipeline goes first."""
_LOOK_S = 0.5
_RETRY_S = 30
_busy = threading.Lock()


class BacktestRequest(BaseModel):
    """Which rules are to be tried, on which samples."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: Annotated[str, Field(min_length=1, max_length=4_000_000, description="A whole plant file, YAML")]
    from_ms: Annotated[Moment, Field(description="Inclusive")]
    to_ms: Annotated[Moment, Field(description="Exclusive")]
    tags: Annotated[tuple[str, ...], Field(description="Names, `*` stands for anything; all tags if left out")] = ("*",)


@router.post(
    "/backtest",
    operation_id="run_backtest",
    summary="Try proposed rules on the stored history",
    responses=problem_responses(422, 429, 503),
    response_model=BacktestReport,
)
async def backtest(request: Request, context: InContext, asked: BacktestRequest) -> Response | BacktestReport:
    """Evaluate the stored samples by the rules in force and by the proposed ones; says which alarms come, go and move.

    One at a time, behind everything else the gateway does. It ends when the client goes away.
    """
    proposed = _proposed(asked)
    names = _names(asked, context.plant, proposed)
    if not _busy.acquire(blocking=False):
        response = problem_response(request, 429, "another backtest is running; only one at a time")
        response.headers["Retry-After"] = str(_RETRY_S)
        return response
    stop = threading.Event()
    period = Period(asked.from_ms, asked.to_ms)

    def work() -> BacktestReport:
        try:
            plants, crew = (context.plant, proposed), Crew(threads=1, niceness=_BEHIND)
            pasts = run_backtest(context.history, context.queries.tag_id, plants, names, period, stop=stop, crew=crew)
            return report_of(pasts, period)
        finally:
            _busy.release()

    return await _unless_left(request, work, stop)


async def _unless_left(request: Request, work: Callable[[], BacktestReport], stop: threading.Event) -> BacktestReport:
    """Wait for the work; tell it to stop when the client has gone."""

    def outcome() -> BacktestReport | GatewayError:
        try:
            return work()
        except GatewayError as error:
            return error

    try:
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(asyncio.to_thread(outcome), name="backtest")
            while not (await asyncio.wait({working}, timeout=_LOOK_S))[0]:
                if await request.is_disconnected():
                    stop.set()
    finally:
        stop.set()
    found = working.result()
    if isinstance(found, GatewayError):
        raise found
    return found


def _proposed(asked: BacktestRequest) -> Plant:
    if asked.from_ms >= asked.to_ms:
        raise BadParameterError("from_ms", asked.from_ms, f"a moment before `to_ms` ({asked.to_ms})")
    try:
        return read_plant(asked.rules, "rules")
    except PlantError as error:
        reproaches = tuple(
            Reproach(parameter=f"rules:{one.line}: {one.key}", found=one.found, allowed=one.allowed)
            for one in error.problems
        )
        raise BadRulesError(reproaches) from error


class BadRulesError(BadRequestError):
    """The proposed plant file is wrong."""

    def __init__(self, reproaches: tuple[Reproach, ...]) -> None:
        self.reproaches = reproaches
        super().__init__("; ".join(f"{one.parameter}: {one.found}; {one.allowed}" for one in reproaches[:3]))


def _names(asked: BacktestRequest, today: Plant, proposed: Plant) -> list[str]:
    try:
        return tags_like(asked.tags, (today, proposed))
    except UnknownTagsError as error:
        raise BadParameterError(
            "tags", error.pattern, "a tag of either plant file, or a pattern that one fits"
        ) from error
