"""One POST over HTTP, for all channels that need it: to a checked address, bounded, without redirects or proxies."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from config.clock import Clock
from config.duty.channels import HttpSettings
from gateway.notify.channels.bounded import bounded
from gateway.notify.channels.target import Resolver, checked, resolve
from gateway.notify.port import ChannelError

__all__ = ["Answer", "Poster", "as_json"]

_MOST_BYTES = 64 * 1024
_MOST_QUOTED = 200
_SHORTEST_SECRET = 4
_SHORTEST_TOKEN = 8
"""Parts of a path that are shorter are words, which stand in answers too."""
_LATER = frozenset({408, 425, 429})
"""Statuses below 500 that pass."""
_LONGEST_WAIT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, at most 64 KiB of it."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def fields(self) -> dict[str, Any]:
        """Return the body as a JSON object; empty when it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def as_json(content: object) -> bytes:
    """Return what goes over the wire."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=str).encode()


class Poster:
    """Posts to the one address of a channel.

    Every post makes a connection of its own: nothing is kept that could be stale when an alarm comes.

    Args:
        settings: Where, and what is allowed.
        clock: For dates in answers and the bound over all.
        secrets: Texts that must never be in an error.
        resolver: Of names.
    """

    def __init__(
        self, settings: HttpSettings, clock: Clock, secrets: tuple[str, ...] = (), resolver: Resolver = resolve
    ) -> None:
        url = urlsplit(settings.url.get_secret_value())
        self._settings = settings
        self._clock = clock
        self._resolver = resolver
        self._tls = url.scheme == "https"
        self._host = url.hostname or ""
        self._port = url.port or (443 if self._tls else 80)
        self._netloc = url.netloc
        self._path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        parts = (part for part in url.path.split("/") if len(part) >= _SHORTEST_TOKEN)
        hidden = {*secrets, *(value for _, value in parse_qsl(url.query)), *parts, self._path}
        self._hidden = sorted((one for one in hidden if len(one) >= _SHORTEST_SECRET), key=len, reverse=True)

    def redact(self, text: str) -> str:
        """Return a text for people: no secret in it, and not long."""
        for one in self._hidden:
            text = text.replace(one, "***")
        return " ".join(text.split())[:_MOST_QUOTED]

    def post(self, body: bytes, within_s: float, headers: Mapping[str, str] | None = None, query: str = "") -> Answer:
        """Post some JSON and return an answer of 2xx.

        Args:
            body: JSON.
            within_s: For all of it, name to last byte.
            headers: More of them.
            query: Appended to that of the address.

        Raises:
            ChannelError: There was no such answer.
        """
        sent = {"Host": self._netloc, "Content-Type": "application/json; charset=utf-8", "User-Agent": "HazGate"}
        sent.update(headers or {})
        path = self._path + ((("&" if "?" in self._path else "?") + query) if query else "")
        exchange = _Exchange(self, path, body, sent, self._clock.monotonic_s() + within_s)
        try:
            answer = bounded(exchange.run, within_s, exchange.abort)
        except ChannelError as error:
            text = self.redact(f"{self._host}: {error}")
            raise ChannelError(text, retry=error.retry, after_s=error.after_s) from None
        except (HTTPError, OSError, ValueError) as error:
            # The text of a library's error may show the address with its token: its name says enough.
            raise ChannelError(f"{self._host}: {_reason(error)}") from None
        self._check(answer)
        return answer

    def _check(self, answer: Answer) -> None:
        """Let pass what was accepted."""
        status = answer.status
        if 200 <= status < 300:  # noqa: PLR2004 - the class of success
            return
        said = self.redact(answer.body.decode("utf-8", "replace"))
        if 300 <= status < 400:  # noqa: PLR2004 - the class of redirects
            raise ChannelError(f"{self._host}: answered {status}; redirects are not followed", retry=False)
        retry = status >= 500 or status in _LATER  # noqa: PLR2004 - the class of the server's errors
        raise ChannelError(
            f"{self._host}: answered {status}: {said}", retry=retry, after_s=self._after_s(answer) if retry else 0.0
        )

    def _after_s(self, answer: Answer) -> float:
        """Read Retry-After, seconds or a date."""
        text = answer.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text), _LONGEST_WAIT_S)
        try:
            until_s = parsedate_to_datetime(text).timestamp()
        except (ValueError, TypeError):
            return 0.0
        return min(max(until_s - self._clock.wall_ms() / 1000, 0.0), _LONGEST_WAIT_S)

    def addresses(self) -> tuple[str, ...]:
        """Resolve the name, once, and return the addresses that were checked."""
        settings = self._settings
        return checked(self._resolver(self._host, self._port), settings.allow_networks, private=settings.allow_private)

    def connection(self, address: str, timeout_s: float) -> HTTPConnection:
        """Return a connection to an address, under the name that was meant; not yet made."""
        if not self._tls:
            return HTTPConnection(address, self._port, timeout=timeout_s)
        ca_file = self._settings.ca_file
        return HTTPSConnection(
            address,
            self._port,
            timeout=timeout_s,
            ssl_context=ssl.create_default_context(cafile=None if ca_file is None else str(ca_file)),
            server_hostname=self._host,
        )

    def left_s(self, until_s: float) -> float:
        """Return how much time there is; never nothing, for to a socket that means for ever."""
        return max(until_s - self._clock.monotonic_s(), 0.05)


class _Exchange:
    """One request and its answer; `abort` may be called by another thread."""

    def __init__(self, poster: Poster, path: str, body: bytes, headers: Mapping[str, str], until_s: float) -> None:
        self._poster = poster
        self._path = path
        self._body = body
        self._headers = headers
        self._until_s = until_s
        self._connection: HTTPConnection | None = None
        self._over = False

    def run(self) -> Answer:
        """Send and receive."""
        connection = self._connected()
        try:
            if self._over:  # nobody waits any more: what is told after all would be told twice
                raise TimeoutError
            connection.request("POST", self._path, body=self._body, headers=self._headers, preload_content=False)
            answer = connection.getresponse()
            body = _read(answer)
            headers = {name.lower(): value for name, value in answer.headers.items()}
            answer.close()
            return Answer(answer.status, headers, body)
        finally:
            connection.close()

    def _connected(self) -> HTTPConnection:
        """Connect to the first address that lets itself."""
        addresses = self._poster.addresses()
        for address in addresses:
            self._connection = connection = self._poster.connection(address, self._poster.left_s(self._until_s))
            try:
                connection.connect()
            except (HTTPError, OSError):
                connection.close()
                if address == addresses[-1] or self._over:
                    raise
            else:
                return connection
        raise TimeoutError  # not reached: there is at least one address

    def abort(self) -> None:
        """Cut the connection, so that whoever waits for it goes on."""
        self._over = True
        connection = self._connection
        if connection is not None and isinstance(connection.sock, socket.socket):
            with suppress(OSError):
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


def _read(answer: HTTPResponse) -> bytes:
    """Return the body, as far as it is looked at; one that was cut short raises."""
    body = b""
    while len(body) < _MOST_BYTES and (piece := answer.read(_MOST_BYTES - len(body), decode_content=False)):
        body += piece
    return body


def _reason(error: Exception) -> str:
    """Say what happened without what a library shows of the address."""
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(error, ssl.SSLError) or "certificate" in str(error).lower():
        return "TLS: its certificate or protocol was not accepted"
    return f"not sent, or nobody knows ({type(error).__name__})"
