"""A bare MQTT 3.1.1 connection for load generators: what it costs must not be what is measured."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterator

__all__ = ["LoadConnection"]

_CONNECT, _PUBLISH_QOS1, _SUBSCRIBE, _PINGREQ = 0x10, 0x32, 0x82, 0xC0
_PUBLISH, _PUBACK = 0x30, 0x40
_MAX_PACKET_ID = 65_535


def _packet(first: int, body: bytes) -> bytes:
    length = len(body)
    encoded = bytearray()
    while True:
        length, digit = divmod(length, 128)
        encoded.append(digit | (0x80 if length else 0))
        if not length:
            return bytes((first,)) + bytes(encoded) + body


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded


class LoadConnection:
    """One connection to a broker: publish with QoS 1 as fast as the socket takes it, see what comes back.

    Args:
        host: Of the broker.
        port: Of the broker.
        client_id: A clean session of this name.

    Raises:
        OSError: The broker cannot be reached.
    """

    def __init__(self, host: str, port: int, client_id: str) -> None:
        self._socket = socket.create_connection((host, port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = bytearray()
        self._unsent = bytearray()
        self._packet_id = 0
        self.acknowledged = 0
        """PUBACKs received."""
        self._socket.sendall(_packet(_CONNECT, _text("MQTT") + b"\x04\x02\x00\x3c" + _text(client_id)))
        self._socket.recv(4)  # CONNACK
        self._socket.setblocking(False)

    @property
    def backlog_bytes(self) -> int:
        """Bytes the socket has not taken yet."""
        return len(self._unsent)

    def subscribe(self, topic: str) -> None:
        """Subscribe with QoS 0."""
        self._unsent += _packet(_SUBSCRIBE, struct.pack(">H", self._next_id()) + _text(topic) + b"\x00")

    def publish(self, topic: str, payload: bytes) -> None:
        """Queue one message with QoS 1."""
        self._unsent += _packet(_PUBLISH_QOS1, _text(topic) + struct.pack(">H", self._next_id()) + payload)

    def ping(self) -> None:
        """Keep the connection alive."""
        self._unsent += _packet(_PINGREQ, b"")

    def exchange(self, timeout_s: float) -> Iterator[tuple[str, bytes]]:
        """Send what is queued, wait at most ``timeout_s`` for something to happen, return what was published to us."""
        readable, writable, _ = select.select([self._socket], [self._socket] if self._unsent else [], [], timeout_s)
        if writable:
            sent = self._socket.send(self._unsent)
            del self._unsent[:sent]
        if readable:
            received = self._socket.recv(1 << 18)
            if not received:
                raise ConnectionResetError("the broker closed the load generator's connection")
            self._unread += received
        yield from self._take()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _next_id(self) -> int:
        self._packet_id = self._packet_id % _MAX_PACKET_ID + 1
        return self._packet_id

    def _take(self) -> Iterator[tuple[str, bytes]]:
        at = 0
        data = self._unread
        while True:
            head = self._head(at)
            if head is None:
                break
            start, end = head
            kind = data[at] & 0xF0
            if kind == _PUBACK:
                self.acknowledged += 1
            elif kind == _PUBLISH:
                size = int.from_bytes(data[start : start + 2], "big")
                yield bytes(data[start + 2 : start + 2 + size]).decode(), bytes(data[start + 2 + size : end])
            at = end
        del data[:at]

    def _head(self, at: int) -> tuple[int, int] | None:
        """Return where the body of the packet at ``at`` begins and ends; None when it has not all arrived."""
        length, shift, position = 0, 0, at + 1
        while position < len(self._unread):
            digit = self._unread[position]
            length |= (digit & 0x7F) << shift
            position += 1
            if not digit & 0x80:
                end = position + length
                return (position, end) if end <= len(self._unread) else None
            shift += 7
        return None
