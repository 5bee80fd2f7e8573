"""Another MQTT client beside the one under test: publishes, listens, and sends bytes no library would."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterable
from contextlib import closing
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.servers import Broker

__all__ = ["Peer", "publish_bytes"]

_WITHIN_S = 30.0


class Peer:
    """A client with its own thread. Use it as a context manager.

    Args:
        broker: A running broker.
        listen: Topic filters to listen to.
    """

    def __init__(self, broker: Broker, *listen: str) -> None:
        self._broker = broker
        self._listen = listen
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.max_inflight_messages_set(1_000)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self.heard: list[tuple[str, bytes, bool]] = []
        """(topic, payload, was retained), in order of arrival; without what a broker repeats for want of our
        acknowledgement, which it marks as such: everything had arrived before, the connection being the same."""

    def __enter__(self) -> Self:
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()
        assert self._ready.wait(_WITHIN_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, topic: str, payloads: Iterable[bytes], *, qos: int = 1, retain: bool = False) -> None:
        """Publish in order and return when the broker has acknowledged everything."""
        for info in [self._client.publish(topic, payload, qos, retain) for payload in payloads]:
            info.wait_for_publish(_WITHIN_S)
            assert info.is_published(), "the broker did not acknowledge"

    def _on_connect(self, client: Client, *_: object) -> None:
        if self._listen:
            client.subscribe([(topic, 1) for topic in self._listen])
        else:
            self._ready.set()

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        if not message.dup:
            self.heard.append((message.topic, bytes(message.payload), message.retain))


def publish_bytes(broker: Broker, topic: bytes, payload: bytes) -> None:
    """Publish with QoS 0 on a topic of any bytes, over a bare socket; the broker may well end the connection."""
    with closing(socket.create_connection((broker.host, broker.port), timeout=5.0)) as connection:
        connection.sendall(bytes.fromhex("101000044d5154540402000a0004") + b"peer")
        assert connection.recv(4)[:1] == b"\x20"
        body = struct.pack("!H", len(topic)) + topic + payload
        connection.sendall(b"\x30" + _length(len(body)) + body)
        connection.sendall(b"\xe0\x00")
        while True:
            try:
                if not connection.recv(1024):
                    return
            except OSError:
                return


def _length(number: int) -> bytes:
    encoded = bytearray()
    while True:
        number, digit = divmod(number, 128)
        encoded.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(encoded)
