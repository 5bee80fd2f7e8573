"""The embedded broker: a NATS server with its MQTT listener, run and watched as a child process."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from pathlib import Path

from gateway.errors import BrokerError

__all__ = ["answers_mqtt", "child_command", "nats_conf"]

MAX_PAYLOAD_BYTES = 64 * 1024 * 1024
"""NATS allows no more. Far above a frame, so that the gateway sees, counts and names an oversized payload."""

_SBIN = "/usr/local/sbin:/usr/sbin"
"""Where Debian keeps servers, outside the PATH of ordinary users."""

_CONNECT = bytes.fromhex("100c00044d5154540402000a0000")
"""MQTT 3.1.1 CONNECT: clean session, keep-alive 10 s, no client id."""


def nats_conf(data_dir: Path, host: str, port: int) -> str:
    """Return the configuration of a NATS server that speaks MQTT on ``host:port`` and keeps its state in ``data_dir``.

    NATS clients are not served: their listener takes a free port of the loopback interface, because the server
    cannot run without one.
    """
    quoted = json.dumps
    return f"""\
server_name: "hazgate"
host: "127.0.0.1"
port: -1
max_payload: {MAX_PAYLOAD_BYTES}
# One MQTT subscriber may be this far behind before the server cuts it off.
max_pending: {4 * MAX_PAYLOAD_BYTES}
write_deadline: "30s"
jetstream {{
  store_dir: {quoted(str(data_dir.resolve()))}
  max_file_store: 8GB
}}
mqtt {{
  host: {quoted(host)}
  port: {port}
  # Messages under way to one subscription before it acknowledges; the default, 1024, is far too small a window.
  max_ack_pending: 65535
  # Redelivery after this time comes late and out of order; the edges resend by themselves, so let it be rare.
  ack_wait: "120s"
}}
"""


def child_command(program: str, *arguments: str) -> list[str]:
    """Return the command that runs a server as our child, ended by the kernel when we die without a goodbye.

    Raises:
        BrokerError: The program is neither beside the Python interpreter nor on PATH.
    """
    beside = Path(sys.executable).with_name(program)
    path = str(beside) if beside.exists() else shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SBIN}")
    if path is None:
        message = f"{program} is neither beside {sys.executable} nor on PATH; run scripts/setup to install it"
        raise BrokerError(message)
    setpriv = shutil.which("setpriv")
    leash = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
    return [*leash, path, *arguments]


def answers_mqtt(host: str, port: int, *, timeout_s: float = 1.0) -> bool:
    """Say whether an MQTT broker at this address lets a client connect."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(_CONNECT)
            answer = connection.recv(4)
            connection.sendall(b"\xe0\x00")  # DISCONNECT
    except OSError:
        return False
    return answer == b"\x20\x02\x00\x00"
