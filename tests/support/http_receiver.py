"""An HTTP server in a thread that keeps what it is sent, and misbehaves on demand."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

__all__ = ["Conduct", "HttpReceiver", "Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """What came."""

    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Conduct:
    """How it answers."""

    status: int = 200
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False
    """Promise more than is sent, then cut the connection."""
    silent: bool = False
    """Never answer."""
    drip: bool = False
    """Send the answer byte by byte, each in time for a socket's own time-out, without end."""


class HttpReceiver:
    """Listens on a free port of this machine while it is entered.

    Args:
        answer: Decides the answer by the request; else `conduct` is it.
        tls: Speak TLS.
    """

    def __init__(self, answer: Callable[[Request], Conduct] | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.conduct = Conduct()
        self._answer = answer
        self._ended = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._serve(self)

            def do_GET(self) -> None:
                receiver._serve(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # clients that went away, which is what they are tested for

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self.port = int(self._server.server_address[1])
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.port}"

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        request = Request(handler.path, {name.lower(): value for name, value in handler.headers.items()}, body)
        self.requests.append(request)
        conduct = self.conduct if self._answer is None or self.conduct != Conduct() else self._answer(request)
        if conduct.silent:
            self._ended.wait(30)
            return
        handler.send_response(conduct.status)
        for name, value in conduct.headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(conduct.body) + (1000 if conduct.cut or conduct.drip else 0)))
        handler.end_headers()
        handler.wfile.write(conduct.body)
        while conduct.drip and not self._ended.wait(0.05):
            handler.wfile.write(b" ")
        if conduct.cut:
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
