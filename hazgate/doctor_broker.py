"""Measures what a broker keeps for an absent client: what its configuration says, as a user of it would meet it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from config.plant.model import Text
from config.settings import BrokerAddress
from hazgate.doctor import Finding, Verdict

__all__ = ["look_at_broker"]

_MESSAGES = 1_500
"""Mosquitto as shipped keeps 1 000 for an absent client and drops the rest without a word."""
_WITHIN_S = 10.0
_TOPIC = "hazgate-doctor"


def look_at_broker(address: BrokerAddress) -> Iterator[Finding]:
    """Connect, leave, let messages come meanwhile, come back and count. Leaves nothing behind."""
    name = f"hazgate-doctor-{secrets.token_hex(4)}"
    where = f"{address.host}:{address.port}"
    try:
        first = _Visit(address, name)
        first.subscribe(f"{_TOPIC}/{name}")
        first.leave()
        sender = _Visit(address, f"{name}-sender", clean=True)
        sender.send(f"{_TOPIC}/{name}", _MESSAGES)
        sender.leave()
        again = _Visit(address, name)
        got = again.collect(_MESSAGES)
        again.leave()
        _Visit(address, name, clean=True).leave()
    except _NoAnswerError as error:
        mend = Text("检查地址、防火墙与账号", "see to address, firewall and account")
        yield Finding("broker", Verdict.FAIL, f"{where}: {error}", mend)
        return
    yield Finding("broker", Verdict.OK, f"{where}: reachable")
    mend = Text(
        "max_queued_messages 0（见 config/mosquitto.conf）", "max_queued_messages 0 (see config/mosquitto.conf)"
    )
    fine = got >= _MESSAGES
    found = f"kept {got} of {_MESSAGES} messages for a client that was away"
    yield Finding("broker queue", Verdict.OK if fine else Verdict.FAIL, found, None if fine else mend)


class _NoAnswerError(Exception):
    """The broker does not do what it is asked."""


class _Visit:
    """One connection."""

    def __init__(self, address: BrokerAddress, name: str, *, clean: bool = False) -> None:
        self._client = Client(
            CallbackAPIVersion.VERSION2, name, clean_session=clean, protocol=MQTTProtocolVersion.MQTTv311
        )
        self._client.max_inflight_messages_set(1000)
        self._client.username_pw_set(address.username, address.password)
        self._answered = threading.Event()
        self._refused = ""
        self._count = 0
        self._enough = threading.Event()
        self._wanted = 0
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._answered.set()
        self._client.on_publish = self._counted
        self._client.on_message = self._counted
        try:
            self._client.connect(address.host, address.port)
        except OSError as error:
            raise _NoAnswerError(str(error)) from error
        self._client.loop_start()
        self._wait("connect")
        if self._refused:
            self.leave()
            raise _NoAnswerError(self._refused)

    def subscribe(self, topic: str) -> None:
        self._answered.clear()
        self._client.subscribe(topic, 1)
        self._wait("subscribe")

    def send(self, topic: str, count: int) -> None:
        self._begin(count)
        for _ in range(count):
            self._client.publish(topic, b"x", qos=1)
        self._enough.wait(_WITHIN_S)

    def collect(self, count: int) -> int:
        """Return how many messages come."""
        self._wanted = count
        while not self._enough.is_set():
            before = self._count
            self._enough.wait(1.0)
            if self._count == before:
                break
        return self._count

    def leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _begin(self, count: int) -> None:
        self._count, self._wanted = 0, count
        self._enough.clear()

    def _counted(self, *_: Any) -> None:  # noqa: ANN401 - paho's arguments
        self._count += 1
        if self._wanted and self._count >= self._wanted:
            self._enough.set()

    def _on_connect(self, _client: Client, _userdata: object, _flags: object, reason: Any, *_: Any) -> None:  # noqa: ANN401 - as above
        self._refused = str(reason) if reason.is_failure else ""
        self._answered.set()

    def _wait(self, doing: str) -> None:
        if not self._answered.wait(_WITHIN_S):
            self.leave()
            raise _NoAnswerError(f"no answer to {doing} in {_WITHIN_S:.0f} s")
