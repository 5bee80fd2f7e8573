"""MQTT as a transport: paho-mqtt, driven by the caller's own thread.

paho's network thread would fight the pipeline for the interpreter lock at every packet, so the pipeline calls
``loop_read``, ``loop_write`` and ``loop_misc`` itself (ADR 0005). No callback takes a lock or does work: a message is
appended to a list, that is all.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
from collections.abc import Callable, Sequence

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from config.clock import Clock
from config.errors import CertificateError
from config.settings import BrokerAddress
from config.tls import client_context, explained
from gateway.ingest.mqtt_client import BufferedClient
from gateway.ingest.transport import Message

__all__ = ["MqttTransport"]

_POLL_MESSAGES = 5_000
"""A poll that has this many messages takes no more than the piece it is at; the rest waits in the socket, which holds
the broker back."""
_POLL_BYTES = 32 << 20
_RECEIVE_MAXIMUM = 65_535
"""MQTT 5 window: how many unacknowledged messages the broker may have under way to us."""
_SESSION_EXPIRY_S = 24 * 3600
_CONNECT_TIMEOUT_S = 2.0
_CONNACK_TIMEOUT_S = 10.0
_BACKOFF_FIRST_S = 0.1
_BACKOFF_LAST_S = 5.0
_CLOSED = "closed"
_UNSUPPORTED_VERSION = "Unsupported protocol version"
_LET_IN = (
    "核对账号与密码 / see to user and password: --broker mqtts://gateway@HOST --broker-password-file FILE, "
    "made by `hazgate broker credentials`"
)

log = structlog.get_logger(__name__)


class MqttTransport:
    """A `gateway.ingest.transport.Transport` on one MQTT connection.

    MQTT 5 with a receive window is tried first; a broker that refuses the version (NATS) is spoken to in 3.1.1.

    Args:
        address: Where the broker listens.
        client_id: Fixed per gateway, so that the broker finds its session again.
        subscriptions: Topic filters, QoS 1 each.
        clock: For back-off and time-outs (monotonic).
    """

    def __init__(self, address: BrokerAddress, client_id: str, subscriptions: Sequence[str], clock: Clock) -> None:
        self._address = address
        self._client_id = client_id
        self._subscriptions = tuple(subscriptions)
        self._clock = clock
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._client: BufferedClient | None = None
        self._arrived: list[Message] = []
        self._arrived_bytes = 0
        self._confirmed: list[int] = []
        self._generation = 0
        self._connected = False
        self._subscribe_mid: int | None = None
        self._retry_at_s = 0.0
        self._attempts = 0
        self._unreachable = ""
        self._said = ""
        self._deadline_s = 0.0
        self._asleep, self._alarm_clock = socket.socketpair()
        self._asleep.settimeout(0)
        self._alarm_clock.settimeout(0)

    @property
    def connected(self) -> bool:
        """There is a connection, and it is subscribed."""
        return self._connected

    @property
    def generation(self) -> int:
        """Rises with every attempt to connect."""
        return self._generation

    def poll(self, timeout_s: float) -> Sequence[Message]:
        """Do what is due on the network and return what arrived; waits at most ``timeout_s`` for it."""
        client = self._client
        if client is None or client.socket() is None:
            self._reconnect(timeout_s)
            client = self._client
        if client is None or client.socket() is None:
            return ()
        self._guard(lambda: self._exchange(client, timeout_s))
        arrived, self._arrived, self._arrived_bytes = self._arrived, [], 0
        return arrived

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Let the broker forget these messages; those of an earlier connection are passed over."""
        client = self._client
        if client is None:
            return
        for message in messages:
            if message.token and message.generation == self._generation:
                client.puback(message.token)
        self._guard(lambda: self._send(client))

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> int | None:
        """Send one message with QoS 1; None when there is no connection."""
        if self._client is None or not self._connected:
            return None
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def confirmed(self) -> Sequence[int]:
        """Return the tokens of publications the broker has confirmed since the last call."""
        confirmed, self._confirmed = self._confirmed, []
        return confirmed

    def drop(self) -> None:
        """End the connection on purpose; the next `poll` makes another."""
        if self._client is not None:
            self._lose("dropped on purpose")

    def close(self) -> None:
        """Say good-bye to the broker and end for good."""
        client = self._client
        if client is not None and client.socket() is not None:
            with contextlib.suppress(OSError):
                client.disconnect()
                client.loop_write()
                client.flush()
        self._lose(_CLOSED)
        self._asleep.close()
        self._alarm_clock.close()

    def wake(self) -> None:
        """Make a waiting `poll` return; may be called from any thread."""
        with contextlib.suppress(OSError):
            self._alarm_clock.send(b"!")

    # --- the network -------------------------------------------------------------------------------------------

    def _exchange(self, client: BufferedClient, timeout_s: float) -> None:
        self._send(client)
        connection = client.socket()
        if connection is None:
            return
        if not client.has_unread and not self._wait(timeout_s, connection, writing=client.has_unsent):
            self._idle(client)
            return
        self._receive(client)
        self._idle(client)

    def _receive(self, client: BufferedClient) -> None:
        """Take packets until the socket is empty or the poll is full."""
        while len(self._arrived) < _POLL_MESSAGES and self._arrived_bytes < _POLL_BYTES:
            code = client.loop_read()
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._lose(paho.error_string(code))
                return
            if not client.has_unread:
                connection = client.socket()
                if connection is None or not _is_readable(connection):
                    return

    def _idle(self, client: BufferedClient) -> None:
        """Keep the connection alive and give up on one that does not answer."""
        code = client.loop_misc()
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._lose(paho.error_string(code))
        elif not self._connected and self._clock.monotonic_s() > self._deadline_s:
            self._lose(f"no answer to CONNECT or SUBSCRIBE within {_CONNACK_TIMEOUT_S:.0f} s")
        else:
            self._send(client)

    def _wait(self, timeout_s: float, connection: paho.SocketLike | None = None, *, writing: bool = False) -> bool:
        """Wait for the connection, or for `wake`; says whether the connection can be read."""
        poller = select.poll()  # select.select refuses descriptors beyond 1023, which many API clients may use up
        poller.register(self._asleep, select.POLLIN)
        if connection is not None:
            poller.register(connection, select.POLLIN | (select.POLLOUT if writing else 0))
        ready = dict(poller.poll(timeout_s * 1000))
        if self._asleep.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                self._asleep.recv(4096)
        return connection is not None and bool(ready.get(connection.fileno(), 0) & ~select.POLLOUT)

    def _send(self, client: BufferedClient) -> None:
        if client.want_write():
            client.loop_write()
        client.flush()

    def _guard(self, exchange: Callable[[], None]) -> None:
        """A broken socket is a lost connection, never an error of the pipeline."""
        try:
            exchange()
        except (OSError, ValueError) as error:  # ValueError: waiting for a socket that was just closed
            self._lose(explained(error))

    def _lose(self, why: str) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        client._sock_close()  # noqa: SLF001 - the only way to close without the DISCONNECT that would drop our session
        why = explained(why, self._said)
        if self._connected:
            log.warning("broker_lost", why=why, broker=self._address.shown)
        elif why not in {self._unreachable, _UNSUPPORTED_VERSION, _CLOSED}:
            log.warning("broker_unreachable", why=why, broker=self._address.shown)
            self._unreachable = why
        self._connected = False
        self._confirmed = []
        self._back_off()

    # --- connecting --------------------------------------------------------------------------------------------

    def _reconnect(self, timeout_s: float) -> None:
        wait_s = self._retry_at_s - self._clock.monotonic_s()
        if wait_s > 0:
            self._wait(min(wait_s, timeout_s))
            return
        self._generation += 1
        self._said = ""
        self._client = self._make_client()
        self._deadline_s = self._clock.monotonic_s() + _CONNACK_TIMEOUT_S
        try:
            self._connect(self._client)
        except (OSError, ValueError, CertificateError) as error:
            self._lose(explained(error))

    def _connect(self, client: BufferedClient) -> None:
        context = client_context(self._address)
        if context is not None:
            client.tls_set_context(context)
        host, port, keepalive_s = self._address.host, self._address.port, self._address.keepalive_s
        if self._protocol == MQTTProtocolVersion.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own
            properties.ReceiveMaximum = _RECEIVE_MAXIMUM
            properties.SessionExpiryInterval = _SESSION_EXPIRY_S
            client.connect(host, port, keepalive_s, clean_start=False, properties=properties)
        else:
            client.connect(host, port, keepalive_s)

    def _make_client(self) -> BufferedClient:
        client = BufferedClient(self._client_id, self._protocol, self._on_arrival)
        client.connect_timeout = _CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(_RECEIVE_MAXIMUM)
        client.max_queued_messages_set(0)
        if self._address.username is not None:
            client.username_pw_set(self._address.username, self._address.secret())
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_log = self._on_log
        # With this set paho leaves writing to us instead of writing at every acknowledgement.
        client.on_socket_register_write = lambda _client, _userdata, _socket: None
        return client

    def _back_off(self) -> None:
        """Full jitter, so that a thousand clients do not return in step."""
        ceiling_s = min(_BACKOFF_LAST_S, _BACKOFF_FIRST_S * 2.0 ** min(self._attempts, 16))
        self._attempts += 1
        self._retry_at_s = self._clock.monotonic_s() + random.uniform(0, ceiling_s)  # noqa: S311 - jitter

    # --- callbacks: on our own thread, inside loop_read --------------------------------------------------------

    def _on_connect(
        self, client: paho.Client, _userdata: object, _flags: object, code: ReasonCode, _properties: object
    ) -> None:
        if code.is_failure:
            if str(code) == _UNSUPPORTED_VERSION and self._protocol == MQTTProtocolVersion.MQTTv5:
                self._protocol = MQTTProtocolVersion.MQTTv311
                self._attempts = 0
            else:
                self._refused(str(code))
            self._lose(str(code))
            return
        _, self._subscribe_mid = client.subscribe([(topic, 1) for topic in self._subscriptions])

    def _refused(self, why: str) -> None:
        if why != self._unreachable:
            log.error("broker_refused", why=why, broker=self._address.shown, mend=_LET_IN)
            self._unreachable = why

    def _on_subscribe(
        self, _client: paho.Client, _userdata: object, mid: int, codes: list[ReasonCode], _properties: object
    ) -> None:
        if mid != self._subscribe_mid:
            return
        refused = [topic for topic, code in zip(self._subscriptions, codes, strict=True) if code.is_failure]
        if refused:
            log.error("subscription_refused", topics=refused)
            self._lose(f"the broker refuses to subscribe us to {', '.join(refused)}")
            return
        self._connected = True
        self._attempts = 0
        self._unreachable = ""
        version = "5" if self._protocol == MQTTProtocolVersion.MQTTv5 else "3.1.1"
        log.info("broker_connected", broker=self._address.shown, mqtt=version)

    def _on_log(self, _client: paho.Client, _userdata: object, level: int, said: str) -> None:
        """Keep what paho writes of a broken connection: its error says only that it is broken."""
        if level == paho.MQTT_LOG_ERR:
            self._said = said

    def _on_arrival(self, topic: bytes, payload: bytes, packet_id: int) -> None:
        try:
            text, topic_ok = topic.decode(), True
        except UnicodeDecodeError:
            text, topic_ok = topic.decode("utf-8", "backslashreplace"), False
        self._arrived.append(Message(text, payload, packet_id, self._generation, topic_ok))
        self._arrived_bytes += len(payload)

    def _on_publish(
        self, _client: paho.Client, _userdata: object, mid: int, _code: ReasonCode, _properties: object
    ) -> None:
        self._confirmed.append(mid)


def _is_readable(connection: paho.SocketLike) -> bool:
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return bool(poller.poll(0))
