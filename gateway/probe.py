"""Asks an MQTT broker whether it lets a client connect, as cheaply as can be."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Probe", "answers_mqtt", "unverified"]

_CLEAN, _USER, _PASSWORD = 0x02, 0x80, 0x40
_KEEPALIVE_S = 10


@dataclass(frozen=True, slots=True)
class Probe:
    """Where to ask, and as whom."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    tls: ssl.SSLContext | None = None

    def answers(self, timeout_s: float = 1.0) -> bool:
        """Say whether the broker lets us connect."""
        try:
            with socket.create_connection((self.host, self.port), timeout=timeout_s) as plain:
                connection = self.tls.wrap_socket(plain) if self.tls else plain
                with connection:
                    connection.settimeout(timeout_s)
                    connection.sendall(self._connect())
                    answer = connection.recv(4)
                    connection.sendall(b"\xe0\x00")  # DISCONNECT
        except OSError:
            return False
        return answer == b"\x20\x02\x00\x00"

    def _connect(self) -> bytes:
        """Return an MQTT 3.1.1 CONNECT: clean session, no client id."""
        flags = _CLEAN | ((_USER | _PASSWORD) if self.user else 0)
        said = b"".join(_text(text) for text in ((self.user, self.password) if self.user else ()))
        body = _text("MQTT") + bytes([4, flags, 0, _KEEPALIVE_S]) + _text("") + said
        return bytes([0x10, len(body)]) + body


def answers_mqtt(host: str, port: int, *, timeout_s: float = 1.0) -> bool:
    """Say whether an MQTT broker at this address lets anybody connect."""
    return Probe(host, port).answers(timeout_s)


def unverified(certificate: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """Return TLS to a server on this machine that we started ourselves, whatever name its certificate has.

    Args:
        certificate: Ours and its key, when the server wants one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(*certificate)
    return context


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()
