"""The NATS server as an MQTT broker: its configuration, and the one limit that has to be set while it runs."""

from __future__ import annotations

import json
import socket
from io import BufferedIOBase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import BrokerError

__all__ = ["PID_FILE", "limit_queue", "nats_conf"]

PID_FILE = "nats.pid"
"""Inside the state directory; the server writes it."""

MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
"""NATS allows no more. Far above a frame, so that the gateway sees, counts and names an oversized payload. (QoS 1
payloads beyond 32 MiB do not fit into the server's store: it cuts the connection of whoever sends one.)"""

QUEUE_MAX_BYTES = 512 * 1024 * 1024
"""All messages waiting for absent subscribers together; beyond it the oldest go. The edges resend what was dropped."""

STORE_MAX_BYTES = 2 * QUEUE_MAX_BYTES
"""Queue, sessions and retained messages. When this is full the server lets nobody connect any more, not even the
subscriber whose messages fill it: the limit on the queue keeps that from happening."""

_QUEUE_STREAM = "$MQTT_msgs"
_INBOX = "_INBOX.hazgate"
_TIMEOUT_S = 5.0


def nats_conf(state_dir: Path, host: str, port: int, *, log_file: Path | None = None) -> str:
    """Return the configuration of a NATS server that speaks MQTT on ``host:port``.

    Its own protocol is not served: that listener takes a free port of the loopback interface, because the server
    does not run without one and `limit_queue` needs it.

    Args:
        state_dir: Where it keeps messages, sessions and its pid; an existing directory.
        host: Address the MQTT listener binds.
        port: Port of the MQTT listener.
        log_file: Where it writes its log, rotated at 10 MB; None writes to standard error.
    """
    quoted = json.dumps
    state = state_dir.resolve()
    log = (
        f"log_file: {quoted(str(log_file.resolve()))}\nlogfile_size_limit: 10MB\nlogfile_max_num: 3\n"
        if log_file
        else ""
    )
    return f"""\
{log}\
server_name: "hazgate"
host: "127.0.0.1"
port: -1
pid_file: {quoted(str(state / PID_FILE))}
ports_file_dir: {quoted(str(state))}
max_payload: {MAX_PAYLOAD_BYTES}
# What may wait for one connection that reads slowly before the server cuts it off.
max_pending: {4 * MAX_PAYLOAD_BYTES}
write_deadline: "30s"
jetstream {{
  store_dir: {quoted(str(state))}
  max_file_store: {STORE_MAX_BYTES}
}}
mqtt {{
  host: {quoted(host)}
  port: {port}
  # Messages under way to one subscription before it acknowledges. All subscriptions of one client together may not
  # exceed 65535 (a filter ending in # counts twice), or the SUBSCRIBE is refused: 1024 leaves room for 63 of them.
  max_ack_pending: 1024
  # What a client left unacknowledged comes again only after this time, also when it is long back.
  ack_wait: "10s"
}}
"""


def limit_queue(state_dir: Path, pid: int) -> bool:
    """Bound the messages that wait for absent subscribers; the server remembers it with its other state.

    The configuration file cannot say it and the server creates the queue only when the first MQTT client connects,
    so this is to be called after one did.

    Returns:
        False while the server does not say yet where it can be asked.

    Raises:
        BrokerError: The server did not do it.
    """
    port = _nats_port(state_dir / f"nats-server_{pid}.ports")
    if port is None:
        return False
    subject = f"$JS.API.STREAM.{{}}.{_QUEUE_STREAM}"
    try:
        config = _request(port, subject.format("INFO"), {})["config"]
        if config["max_bytes"] != QUEUE_MAX_BYTES:
            config |= {"max_bytes": QUEUE_MAX_BYTES, "discard": "old"}
            _request(port, subject.format("UPDATE"), config)
    except (OSError, ValueError, KeyError) as error:
        message = f"the NATS server's queue could not be limited over port {port}: {error}"
        raise BrokerError(message) from error
    return True


def _nats_port(ports_file: Path) -> int | None:
    """Return the port of the server's own protocol; None while the file that names it is not written."""
    try:
        return urlsplit(str(json.loads(ports_file.read_bytes())["nats"][0])).port
    except (OSError, ValueError, LookupError):
        return None


def _request(port: int, subject: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask the server one question in its own text protocol.

    Raises:
        OSError: The connection failed.
        ValueError: It answered with an error.
    """
    payload = json.dumps(body).encode() if body else b""
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as connection:
        stream = connection.makefile("rwb")
        stream.write(
            b'CONNECT {"verbose":false,"pedantic":false}\r\n'
            + f"SUB {_INBOX} 1\r\nPUB {subject} {_INBOX} {len(payload)}\r\n".encode()
            + payload
            + b"\r\n"
        )
        stream.flush()
        answer = _answer(stream)
    if "error" in answer:
        raise ValueError(answer["error"])
    return answer


def _answer(stream: BufferedIOBase) -> dict[str, Any]:
    """Read lines until the one message that is the answer.

    Raises:
        OSError: The connection ended.
        ValueError: The server refused.
    """
    while line := stream.readline():
        if line.startswith(b"MSG "):
            answer: dict[str, Any] = json.loads(stream.read(int(line.split()[-1])))
            return answer
        if line.startswith(b"-ERR"):
            raise ValueError(line.decode(errors="replace").strip())
    message = "it closed the connection"
    raise ConnectionError(message)
