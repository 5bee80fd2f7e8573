"""The NATS server as an MQTT broker: its configuration, and the one limit that has to be set while it runs."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config.settings import BrokerGuard
from gateway.credentials import NATS_USERS
from gateway.errors import BrokerError

__all__ = ["PID_FILE", "PROBE", "Insiders", "limit_queue", "nats_conf"]

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

PROBE = "hazgate.probe"
_STEWARD = "hazgate.steward"
_QUEUE_STREAM = "$MQTT_msgs"
_INBOX = "_INBOX.hazgate"
_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Insiders:
    """Passwords of the two users we are ourselves; made anew at every start, of use only on this machine."""

    probe: str
    """Connects over MQTT, and may do nothing there."""
    steward: str
    """Bounds the queue over the server's own protocol."""


def nats_conf(
    state_dir: Path,
    host: str,
    port: int,
    *,
    log_file: Path | None = None,
    guard: BrokerGuard | None = None,
    insiders: Insiders | None = None,
) -> str:
    """Return the configuration of a NATS server that speaks MQTT on ``host:port``.

    Its own protocol is not served: that listener takes a free port of the loopback interface, because the server
    does not run without one and `limit_queue` needs it.

    Args:
        state_dir: Where it keeps messages, sessions and its pid; an existing directory.
        host: Address the MQTT listener binds.
        port: Port of the MQTT listener.
        log_file: Where it writes its log, rotated at 10 MB; None writes to standard error.
        guard: Whom it lets in; None lets everybody do everything.
        insiders: Our own users; needed when there is a guard with accounts.

    Raises:
        OSError: The accounts cannot be read.
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
{_tls(guard) if guard else ""}\
}}
{_authorization(guard, insiders) if guard and guard.accounts and insiders else ""}\
"""


def _tls(guard: BrokerGuard) -> str:
    if guard.certificate is None:
        return ""
    quoted = json.dumps
    key = guard.key or guard.certificate
    lines = [f"cert_file: {quoted(str(guard.certificate.resolve()))}", f"key_file: {quoted(str(key.resolve()))}"]
    if guard.client_ca:
        # The name in the certificate is the user; there is no other way in.
        lines += [f"ca_file: {quoted(str(guard.client_ca.resolve()))}", "verify_and_map: true"]
    return "".join(f"{line}\n" for line in ["  tls {", *(f"    {line}" for line in lines), "    timeout: 5", "  }"])


def _authorization(guard: BrokerGuard, insiders: Insiders) -> str:
    """Return the users: those of the book, and our own."""
    assert guard.accounts is not None  # noqa: S101 - for the type checker; the caller has looked
    nothing = {"deny": [">"]}
    ours = [
        _insider(PROBE, insiders.probe, "MQTT", nothing, nothing),
        _insider(
            _STEWARD,
            insiders.steward,
            "STANDARD",
            {"allow": [f"$JS.API.STREAM.*.{_QUEUE_STREAM}"]},
            {"allow": [_INBOX]},
        ),
    ]
    users = (guard.accounts / NATS_USERS).read_text(encoding="utf-8").splitlines()
    if guard.client_ca:  # the certificate stands for the password, and a client sends none
        ours[0], *users = [_without_password(line) for line in (ours[0], *users)]
    return "\n".join(["authorization {", "  timeout: 5", "  users: [", *ours, *users, "  ]", "}"]) + "\n"


def _without_password(line: str) -> str:
    return json.dumps({name: value for name, value in json.loads(line).items() if name != "password"})


def _insider(name: str, password: str, kind: str, publish: object, subscribe: object) -> str:
    permissions = {"publish": publish, "subscribe": subscribe}
    said = {"user": name, "password": password, "allowed_connection_types": [kind], "permissions": permissions}
    return json.dumps(said)


def limit_queue(state_dir: Path, pid: int, insiders: Insiders | None = None) -> bool:
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
        config = _request(port, subject.format("INFO"), {}, insiders)["config"]
        if config["max_bytes"] != QUEUE_MAX_BYTES:
            config |= {"max_bytes": QUEUE_MAX_BYTES, "discard": "old"}
            _request(port, subject.format("UPDATE"), config, insiders)
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


def _request(port: int, subject: str, body: dict[str, Any], insiders: Insiders | None) -> dict[str, Any]:
    """Ask the server one question in its own text protocol.

    Raises:
        OSError: The connection failed.
        ValueError: It answered with an error.
    """
    payload = json.dumps(body).encode() if body else b""
    hello: dict[str, Any] = {"verbose": False, "pedantic": False}
    if insiders is not None:
        hello |= {"user": _STEWARD, "pass": insiders.steward}
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as connection:
        stream = connection.makefile("rwb")
        stream.write(
            f"CONNECT {json.dumps(hello)}\r\nSUB {_INBOX} 1\r\nPUB {subject} {_INBOX} {len(payload)}\r\n".encode()
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
