"""What the demo asks of the gateway, over HTTP as any user would: a few documents and the live stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from hazgate.demo.answers import AlarmItem, AlarmPage

__all__ = ["Api", "ApiError", "Event"]

_WITHIN_S = 5.0
_LINE_BYTES = 64 * 1024 * 1024
"""A snapshot of a large plant is one line."""
_PAGE = 1000

T = TypeVar("T")


class ApiError(Exception):
    """The API gave no useful answer; says what was asked."""


class Event(msgspec.Struct, frozen=True):
    """A server-sent event."""

    name: str
    data: bytes


class Api:
    """One gateway's HTTP interface.

    HTTP/1.0 on purpose: an answer ends where its connection ends, which is all that is needed here.

    Args:
        address: ``http://host:port``.
    """

    def __init__(self, address: str) -> None:
        url = urlsplit(address)
        self.address = address.rstrip("/")
        self._host = url.hostname or "127.0.0.1"
        self._port = url.port or 80

    async def get(self, path: str, kind: type[T], **query: str | int) -> T:
        """Return a document.

        Raises:
            ApiError: There was no answer, or not this one.
        """
        target = f"{path}?{urlencode(query)}" if query else path
        try:
            async with asyncio.timeout(_WITHIN_S), self._opened(target) as reader:
                return msgspec.json.decode(await reader.read(), type=kind)
        except (OSError, TimeoutError, EOFError, msgspec.DecodeError) as error:
            raise ApiError(f"GET {self.address}{target}: {type(error).__name__} {error}") from error

    async def ready(self) -> bool:
        """Say whether the gateway takes readings in."""
        try:
            async with asyncio.timeout(_WITHIN_S), self._opened("/readyz"):
                return True
        except (ApiError, OSError, TimeoutError, EOFError):
            return False

    async def alarms(self, from_ms: int, to_ms: int) -> list[AlarmItem]:
        """Return every alarm raised in a span of time.

        Raises:
            ApiError: There was no answer.
        """
        found: list[AlarmItem] = []
        cursor: str | None = ""
        while cursor is not None:
            more = {"cursor": cursor} if cursor else {}
            span: dict[str, str | int] = {"from": from_ms, "to": to_ms, "sort": "time", "limit": _PAGE, **more}
            page = await self.get("/api/v1/alarms", AlarmPage, **span)
            found += page.items
            cursor = page.next_cursor
        return found

    async def events(self) -> AsyncIterator[Event]:
        """Yield the events of the live stream until it ends.

        Raises:
            ApiError: It cannot be opened or has broken.
        """
        try:
            async with self._opened("/api/v1/stream") as reader:
                name = ""
                while line := await reader.readline():
                    field, _, value = line.rstrip(b"\r\n").partition(b": ")
                    if field == b"event":
                        name = value.decode()
                    elif field == b"data":
                        yield Event(name, value)
        except (OSError, EOFError, ValueError) as error:
            raise ApiError(f"GET {self.address}/api/v1/stream: {error}") from error

    @asynccontextmanager
    async def _opened(self, target: str) -> AsyncIterator[asyncio.StreamReader]:
        """Ask for something; yields its body.

        Raises:
            ApiError: The status is not 200.
            OSError: There is no connection.
        """
        reader, writer = await asyncio.open_connection(self._host, self._port, limit=_LINE_BYTES)
        try:
            writer.write(f"GET {target} HTTP/1.0\r\nHost: {self._host}:{self._port}\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status = head.split(maxsplit=2)[1]
            if status != str(HTTPStatus.OK.value):
                raise ApiError(f"GET {self.address}{target}: status {status}")
            yield reader
        finally:
            writer.close()
