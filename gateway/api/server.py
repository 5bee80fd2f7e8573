"""The HTTP server: uvicorn that ends open streams first and leaves signals to whoever runs the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from gateway.api.context import Context

__all__ = ["ApiServer"]

_GRACE_S = 1
"""How long a stopping server waits for answers under way; streams end at once."""


class ApiServer(uvicorn.Server):
    """Serves an application made by `gateway.api.app.create_api`.

    Run it with ``await server.serve([listener])`` and end it with ``server.should_exit = True``. uvicorn itself would
    run the application's shutdown only after every connection has closed, so an open stream would keep it waiting.
    """

    def __init__(self, app: FastAPI, tls: ssl.SSLContext | None = None) -> None:
        self._app = app
        self._context: Context = app.state.context
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE_S
        )
        config.load()
        config.ssl = tls  # uvicorn would make a context of its own from files; ours has been checked already
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Make ready what takes a moment (checking parameters needs the OpenAPI document), then listen."""
        self._app.openapi()
        await asyncio.to_thread(self._context.teller.warm)
        for listener in sockets or ():
            # Head and body of an answer are sent apart. asyncio sees to it only for sockets that name their protocol,
            # which those of `socket.create_server` do not: without this every answer waits 40 ms for the other's ACK.
            if listener.family in {socket.AF_INET, socket.AF_INET6}:
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything else."""
        self._context.feed.stop()
        await super().shutdown(sockets)
