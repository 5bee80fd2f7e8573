"""Measures what a broker keeps for an absent client: what its configuration says, as a user of it would meet it."""

from __future__ import annotations

import secrets
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from config.contract.frame import MAX_FRAME_BYTES
from config.contract.topics import doctor_topic
from config.errors import CertificateError
from config.plant.model import Text
from config.settings import BrokerAddress
from config.tls import client_context, explained
from hazgate.doctor import Finding, Verdict, judge_end

__all__ = ["look_at_broker", "look_at_broker_certificate"]

_MESSAGES = 1_500
"""Mosquitto as shipped keeps 1 000 for an absent client and drops the rest without a word."""
_WITHIN_S = 10.0
_MAX_UNDER_WAY = 65_535
_FEW_UNDER_WAY = 100
_UNSUPPORTED = "Unsupported protocol version"
"""The reason a broker without MQTT 5 gives; paho has it for 3.1.1 brokers, too."""


def look_at_broker(address: BrokerAddress) -> Iterator[Finding]:
    """Ask for its limits; connect, leave, let messages come meanwhile, come back and count. Leaves nothing behind."""
    name = f"hazgate-doctor-{secrets.token_hex(4)}"
    where = f"{address.host}:{address.port}"
    try:
        limits = _ask(address, name)
        kept = _let_wait(address, name)
    except _NoAnswerError as error:
        mend = Text("检查地址、防火墙与账号", "see to address, firewall and account")
        yield Finding("broker", Verdict.FAIL, f"{where}: {error}", mend)
        return
    yield Finding("broker", Verdict.OK, f"{where}: reachable, {'MQTT 5' if limits else 'MQTT 3.1.1 only'}")
    if limits:
        yield from _judge(limits)
    mend = Text(
        "max_queued_messages 0（见 config/mosquitto.conf）", "max_queued_messages 0 (see config/mosquitto.conf)"
    )
    fine = kept >= _MESSAGES
    found = f"kept {kept} of {_MESSAGES} messages for a client that was away"
    yield Finding("broker queue", Verdict.OK if fine else Verdict.FAIL, found, None if fine else mend)


def look_at_broker_certificate(address: BrokerAddress, now_ms: int) -> Finding | None:
    """Say how long the certificate the broker shows is good for; None when it shows none."""
    try:
        context = client_context(address)
        if context is None:
            return None
        with (
            socket.create_connection((address.host, address.port), _WITHIN_S) as plain,
            context.wrap_socket(plain, server_hostname=address.host) as connection,
        ):
            shown: dict[str, Any] = connection.getpeercert() or {}
    except (OSError, CertificateError) as error:
        mend = Text("更换证书，或指定正确的签发者", "renew it, or name the right issuer")
        return Finding("broker certificate", Verdict.FAIL, f"{address.shown}: {explained(error)}", mend)
    return judge_end("broker certificate", address.shown, ssl.cert_time_to_seconds(shown["notAfter"]), now_ms)


@dataclass(frozen=True, slots=True)
class _Limits:
    """What an MQTT 5 broker says of itself when it lets somebody in; not said means no limit."""

    under_way: int
    packet_bytes: int | None
    retains: bool


def _ask(address: BrokerAddress, name: str) -> _Limits | None:
    """Return the limits; None when it speaks MQTT 3.1.1 only, which cannot say them."""
    try:
        with _Visit(address, f"{name}-5", clean=True, protocol=MQTTProtocolVersion.MQTTv5) as visit:
            said = visit.properties
    except _NoAnswerError as error:
        if str(error) == _UNSUPPORTED:
            return None
        raise
    return _Limits(
        getattr(said, "ReceiveMaximum", _MAX_UNDER_WAY),
        getattr(said, "MaximumPacketSize", None),
        bool(getattr(said, "RetainAvailable", 1)),
    )


def _judge(limits: _Limits) -> Iterator[Finding]:
    fine = limits.under_way >= _FEW_UNDER_WAY
    mend = Text("max_inflight_messages 0（吞吐受限）", "max_inflight_messages 0: it bounds the throughput")
    found = f"takes {limits.under_way} messages at a time from one client"
    yield Finding("broker under way", Verdict.OK if fine else Verdict.WARN, found, None if fine else mend)
    fine = limits.packet_bytes is None or limits.packet_bytes > MAX_FRAME_BYTES
    mend = Text("max_packet_size 67108864", "max_packet_size 67108864: larger frames would cut the connection")
    found = "no limit is said" if limits.packet_bytes is None else f"at most {limits.packet_bytes} bytes"
    yield Finding("broker packet size", Verdict.OK if fine else Verdict.FAIL, found, None if fine else mend)
    mend = Text("retain_available true", "retain_available true: receipts and alarms are retained")
    found = "retains messages" if limits.retains else "retains nothing"
    yield Finding(
        "broker retain", Verdict.OK if limits.retains else Verdict.FAIL, found, None if limits.retains else mend
    )


def _let_wait(address: BrokerAddress, name: str) -> int:
    """Return how many of `_MESSAGES` a client receives that was away while they were sent."""
    topic = doctor_topic(name)
    try:
        with _Visit(address, name) as first:
            first.subscribe(topic)
        with _Visit(address, f"{name}-sender", clean=True) as sender:
            sender.send(topic, _MESSAGES)
        with _Visit(address, name) as again:
            return again.collect(_MESSAGES)
    finally:  # whatever went wrong: a session that nobody comes for would fill the broker
        _forget(address, name)


def _forget(address: BrokerAddress, name: str) -> None:
    try:
        with _Visit(address, name, clean=True):
            pass
    except _NoAnswerError as error:
        raise _NoAnswerError(f"{error}; the session {name} may be left there") from error


class _NoAnswerError(Exception):
    """The broker does not do what it is asked."""


class _Visit:
    """One connection. Use it as a context manager; leaving ends it."""

    def __init__(
        self,
        address: BrokerAddress,
        name: str,
        *,
        clean: bool = False,
        protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311,
    ) -> None:
        session = None if protocol == MQTTProtocolVersion.MQTTv5 else clean
        self._client = Client(CallbackAPIVersion.VERSION2, name, clean_session=session, protocol=protocol)
        self.properties: Any = None
        """Of the broker's answer; MQTT 5 only."""
        self._client.max_inflight_messages_set(1000)
        self._client.username_pw_set(address.username, address.secret())
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
            context = client_context(address)
            if context is not None:
                self._client.tls_set_context(context)
            self._client.connect(address.host, address.port)
        except (OSError, CertificateError) as error:
            raise _NoAnswerError(explained(error)) from error
        self._client.loop_start()
        self._wait("connect")
        if self._refused:
            self._leave()
            raise _NoAnswerError(self._refused)

    def subscribe(self, topic: str) -> None:
        self._answered.clear()
        self._client.subscribe(topic, 1)
        self._wait("subscribe")

    def send(self, topic: str, count: int) -> None:
        self._begin(count)
        for _ in range(count):
            self._client.publish(topic, b"x", qos=1)
        if not self._enough.wait(_WITHIN_S):
            raise _NoAnswerError(f"acknowledged {self._count} of {count} messages in {_WITHIN_S:.0f} s")

    def collect(self, count: int) -> int:
        """Return how many messages come."""
        self._wanted = count
        while not self._enough.is_set():
            before = self._count
            self._enough.wait(1.0)
            if self._count == before:
                break
        return self._count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _begin(self, count: int) -> None:
        self._count, self._wanted = 0, count
        self._enough.clear()

    def _counted(self, *_: Any) -> None:  # noqa: ANN401 - paho's arguments
        self._count += 1
        if self._wanted and self._count >= self._wanted:
            self._enough.set()

    def _on_connect(self, _client: Client, _userdata: object, _flags: object, reason: Any, said: Any) -> None:  # noqa: ANN401 - as above
        self.properties = said
        self._refused = str(reason) if reason.is_failure else ""
        self._answered.set()

    def _wait(self, doing: str) -> None:
        if not self._answered.wait(_WITHIN_S):
            self._leave()
            raise _NoAnswerError(f"no answer to {doing} in {_WITHIN_S:.0f} s")
