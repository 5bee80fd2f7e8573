"""The endpoint of the live stream (server-sent events)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, Header, Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Message, Send

from gateway.access.roles import Permission
from gateway.api.context import InContext
from gateway.api.feed import MAX_CLIENTS
from gateway.api.guard import needs
from gateway.api.live_models import StreamEvent
from gateway.api.problems import Reproach, problem_response, problem_responses

__all__ = ["EventStream", "router"]

router = APIRouter(prefix="/api/v1", tags=["stream"], dependencies=[needs(Permission.READ, whole=True)])

STALLED_S = 60.0
"""A client that takes nothing for so long is gone, even where its connection does not say so."""

_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

_log = structlog.get_logger(__name__)


class EventStream(StreamingResponse):
    """A stream of events that are ready for the wire; ends when its client has stopped reading."""

    media_type = "text/event-stream"

    async def stream_response(self, send: Send) -> None:
        """Send events until they end or the client is gone."""

        async def bounded(message: Message) -> None:
            async with asyncio.timeout(STALLED_S):
                await send(message)

        async with aclosing(self.body_iterator) as events:  # type: ignore[type-var]  # made by Feed.stream: a generator
            try:
                await bounded({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                async for data in events:
                    await bounded({"type": "http.response.body", "body": data, "more_body": True})
                await bounded({"type": "http.response.body", "body": b"", "more_body": False})
            except TimeoutError:
                _log.warning("stream_client_stalled", after_s=STALLED_S)


@router.get(
    "/stream",
    operation_id="open_stream",
    summary="What happens, as it happens",
    response_class=EventStream,
    responses={200: {"model": StreamEvent, "description": "Events; see the schema"}, **problem_responses(422, 503)},
)
async def open_stream(
    request: Request,
    context: InContext,
    last_event_id: Annotated[
        int | None,
        Header(alias="Last-Event-ID", ge=0, description="Id of the last event seen; what came after it is sent first"),
    ] = None,
) -> Response:
    """Open the stream of server-sent events.

    It begins with a `snapshot`, or, with `Last-Event-ID`, with the `alarm` events missed and all values. Then `alarm`
    for every transition, `values` once a second for what changed, and `tick` every second. `reset` says that events
    were left out: a `snapshot` follows it. No `tick` for 3 s means that the stream has stalled.
    """
    feed = context.feed
    full = feed.clients >= MAX_CLIENTS
    if full or not feed.running:
        found = f"{feed.clients} open streams" if full else "the gateway is stopping"
        reproach = Reproach(parameter="stream", found=found, allowed=f"at most {MAX_CLIENTS} on a running gateway")
        response = problem_response(request, HTTPStatus.SERVICE_UNAVAILABLE, found, (reproach,))
        response.headers["Retry-After"] = "5"
        return response
    events: AsyncIterator[bytes] = feed.stream(last_event_id)
    return EventStream(events, headers=_HEADERS)
