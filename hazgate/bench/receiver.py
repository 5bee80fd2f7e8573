"""A receiver of notifications, as a process of its own: ``python -m hazgate.bench.receiver FILE``.

Prints its port, and writes a line of JSON for every message to the file before it answers.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TextIO

from config.clock import SystemClock
from gateway.notify.port import ChannelError, Delivery, Message, Receipt, Recipient

__all__ = ["PostChannel", "main"]

_CLOCK = SystemClock()


class PostChannel:
    """Posts what is needed to recognise a message to a `receiver`, over one connection.

    Args:
        port: Of the receiver.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: http.client.HTTPConnection | None = None

    def send(self, message: Message, recipients: Sequence[Recipient], within_s: float) -> Receipt:
        """See `gateway.notify.port.Channel`."""
        said = {
            "key": message.key,
            "kind": message.kind.value,
            "count": message.count,
            "alarms": [[row["alarm_id"], row["received_ms"]] for row in message.alarms],
            "people": [one.id for one in recipients],
        }
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=within_s)
            self._connection.request("POST", "/", json.dumps(said))
            self._connection.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ChannelError(f"receiver: {error!r}") from error
        return Receipt(Delivery.ACCEPTED)

    def close(self) -> None:
        """See `gateway.notify.port.Channel`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    file: TextIO
    writing = threading.Lock()

    def do_POST(self) -> None:
        """Keep a message."""
        now_ms = _CLOCK.wall_ms()
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.writing:
            self.file.write(json.dumps(said | {"at_ms": now_ms}) + "\n")
            self.file.flush()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has
        """Say nothing."""


def main() -> None:
    """Receive until killed."""
    with Path(sys.argv[1]).open("a", encoding="utf-8") as file:
        _Handler.file = file
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.daemon_threads = True
        print(server.server_address[1], flush=True)  # noqa: T201 - read by the parent
        server.serve_forever()


if __name__ == "__main__":
    main()
