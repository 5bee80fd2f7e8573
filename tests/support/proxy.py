"""A wire that can be cut: a TCP proxy that stops carrying, in one direction or both, without a word to anybody."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self

from gateway.broker import free_port

__all__ = ["Wire"]

_PIECE = 65_536


class Wire:
    """Listens on a port of its own and carries what comes to a server. Use it as a context manager.

    Args:
        port: Of the server, on 127.0.0.1.
    """

    host = "127.0.0.1"

    def __init__(self, port: int) -> None:
        self._server_port = port
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._up, self._down = asyncio.Event(), asyncio.Event()
        self._up.set()
        self._down.set()
        self._thread = threading.Thread(target=self._run, name="AnyIO worker thread wire", daemon=True)
        self._open: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{self.host}:{self.port}"

    def cut(self, *, up: bool = True, down: bool = True) -> None:
        """Carry nothing to the server (``up``) or from it (``down``); connections stay open, half or whole."""
        for whole, wanted in ((self._up, up), (self._down, down)):
            if wanted:
                self._loop.call_soon_threadsafe(whole.clear)

    def heal(self) -> None:
        """Carry again what waits."""
        for whole in (self._up, self._down):
            self._loop.call_soon_threadsafe(whole.set)

    def reset(self) -> None:
        """Break every connection."""

        def abort() -> None:
            for one in self._open:
                one.transport.abort()

        self._loop.call_soon_threadsafe(abort)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._connected, self.host, self.port)
        self._ready.set()
        await self._stop.wait()
        server.close()
        for one in list(self._open):
            one.transport.abort()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(self.host, self._server_port)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, far_writer}
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._carry(reader, far_writer, self._up))
                tasks.create_task(self._carry(far_reader, writer, self._down))
        except* (OSError, asyncio.IncompleteReadError, _OverError):
            pass
        finally:
            for one in (writer, far_writer):
                one.transport.abort()
                self._open.discard(one)

    @staticmethod
    async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, whole: asyncio.Event) -> None:
        while True:
            await whole.wait()
            data = await reader.read(_PIECE)
            await whole.wait()
            if not data:
                raise _OverError
            writer.write(data)
            await writer.drain()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(5.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(RuntimeError):
            if self._stop is not None:
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5.0)


class _OverError(Exception):
    """One side has ended the connection."""
