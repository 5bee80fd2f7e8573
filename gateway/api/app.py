"""The HTTP application: puts endpoints, stream, live page and error documents together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from starlette.types import Lifespan

from gateway.api import (
    accounts,
    acts,
    alarms,
    attachments,
    backtests,
    checks,
    commitments,
    danger_acts,
    dangers,
    duty,
    elsewhere,
    grades,
    handovers,
    incidents,
    inhibitions,
    inspections,
    joint,
    kpi,
    login,
    operations,
    page,
    permits,
    registry,
    registry_care,
    registry_files,
    reports,
    restricted,
    risks,
    search,
    story,
    stream,
    tags,
)
from gateway.api.context import Context, Desk
from gateway.api.feed import Feed, Source
from gateway.api.guard import Gate
from gateway.api.headers import SafetyHeaders
from gateway.api.metrics import metrics_registry
from gateway.api.parameters import refuse_unknown
from gateway.api.problems import Problem, install_problems
from gateway.commands import Asking
from gateway.history.port import HistoryReader
from gateway.kpi.compute import Kpis
from gateway.kpi.lately import Lately
from gateway.kpi.months import Months
from gateway.kpi.now import Now
from gateway.place.app import Place
from gateway.story.app import make_teller

__all__ = ["create_api", "openapi_document"]

_DESCRIPTION = (
    "Readings, alarms and the state of an IoT monitoring gateway for major hazard sources. "
    "The gateway monitors; it is no safety function. All times are UTC epoch milliseconds. "
    "Every error is a problem document (RFC 9457)."
)


def create_api(
    source: Source, history: HistoryReader, inbox: Asking, gate: Gate, desk: Desk, kpis: Kpis, place: Place
) -> FastAPI:
    """Return the application. It starts and stops nothing but its own stream."""
    feed = Feed(source)
    teller = make_teller(source.plant, source.board, source.queries, history, source.clock, place, desk.duty)
    now = Now(kpis.engine, kpis.desks)
    context = Context(
        plant=source.plant,
        board=source.board,
        queries=source.queries,
        history=history,
        clock=source.clock,
        software_version=source.software_version,
        feed=feed,
        inbox=inbox,
        gate=gate,
        desk=desk,
        kpis=kpis,
        months=Months(kpis),
        now=now,
        lately=Lately(kpis),
        place=place,
        teller=teller,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(feed.run(), name="stream feed")
            end_listening = source.hub.listen(now.hear)
            yield
            end_listening()
            teller.close()
            feed.stop()

    app = _assemble(source.software_version, lifespan)
    app.state.context = context
    app.state.metrics = metrics_registry(context)
    return app


def openapi_document(software_version: str) -> dict[str, Any]:
    """Return the OpenAPI document, for which no gateway need run."""
    return _assemble(software_version, None).openapi()


def _assemble(software_version: str, lifespan: Lifespan[FastAPI] | None) -> FastAPI:
    app = FastAPI(
        title="HazGate",
        version=software_version,
        description=_DESCRIPTION,
        lifespan=lifespan,
        dependencies=[Depends(refuse_unknown)],
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    for part in (
        operations,
        accounts,
        elsewhere,
        tags,
        alarms,
        story,
        acts,
        attachments,
        incidents,
        handovers,
        duty,
        inhibitions,
        dangers,
        danger_acts,
        grades,
        risks,
        checks,
        kpi,
        backtests,
        registry_care,
        registry_files,
        registry,
        commitments,
        inspections,
        joint,
        permits,
        reports,
        restricted,
        search,
        stream,
        page,
        login,
    ):
        app.include_router(part.router)
    page.mount_static(app)
    install_problems(app)
    app.add_middleware(SafetyHeaders)
    _complete_openapi(app)
    return app


def _complete_openapi(app: FastAPI) -> None:
    """Correct the OpenAPI document where FastAPI leaves it short. It is made on the event loop, when first needed."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(plain())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way to extend the document


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    """Add the problem document; let no parameter be null; give the events of the stream their own schema."""
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    document["components"]["schemas"].update(problem.pop("$defs"), Problem=problem)
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                _left_out_is_not_null(parameter["schema"])
    stream_answer = document["paths"]["/api/v1/stream"]["get"]["responses"]["200"]
    stream_answer["content"]["text/event-stream"]["schema"].pop("type", None)
    return document


def _left_out_is_not_null(schema: dict[str, Any]) -> None:
    """Take ``null`` from a parameter's types: it may be left out, but there is no way to write null in a query."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        schema.update(kinds[0])
    elif kinds:
        schema["anyOf"] = kinds
