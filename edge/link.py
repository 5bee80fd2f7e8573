"""One MQTT connection: aiomqtt, and the few things of paho's that aiomqtt keeps to itself.

aiomqtt 2.5 acknowledges a message the moment it arrives, hides its DUP flag, hands messages out at the cost of a task
each, cannot pause reading and cannot publish without waiting. All of that is needed here, and all of it is reached
through ``client._client`` (paho's client) and ``client._disconnected``: in this file only, in `Link` only. Reading,
writing and keep-alive stay aiomqtt's. Callbacks run on the event loop; paho has no thread of its own here.

A `Link` is used for one connection and never again, so an acknowledgement can never reach another connection than
the one its message came on: a PUBACK of an earlier connection would silently destroy a new message with the same id.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiomqtt
from paho.mqtt.client import MQTT_LOG_ERR, Client, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from config.errors import CertificateError
from config.settings import BrokerAddress
from config.tls import client_context, explained
from edge.errors import LinkError
from edge.retry import until

__all__ = ["Arrival", "Link", "Will", "connected"]

T = TypeVar("T")

CONNECT_WITHIN_S = 2.0
"""TCP connection; a SYN lost once is sent again after 1 s."""
ANSWER_WITHIN_S = 10.0
"""CONNACK, SUBACK, PUBACK."""
LEAVE_WITHIN_S = 0.3
TOPICS_PER_SUBSCRIBE = 100
REFUSED = 128
"""SUBACK return codes from here on are refusals."""
_NOT_LET_IN = (4, 5, 134, 135)
"""Bad user name or password, not authorised: CONNACK of MQTT 3.1.1, and as paho tells it in the words of MQTT 5."""
_LET_IN = (
    "; 核对账号与密码 / see to user and password: mqtts://EDGE@HOST with --broker-password-file FILE, "
    "made by `hazgate broker credentials`"
)


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained, when we are gone without a goodbye."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came."""

    topic: str
    payload: bytes
    qos: int
    id: int
    """Packet id, for `Link.ack`; 0 at QoS 0."""
    dup: bool
    """The broker has sent it before."""
    repeated: bool
    """It has sent it on this very link, and its acknowledgement is still to come; do not acknowledge it again."""
    retained: bool
    """It is what the broker had in store when we subscribed, not something that happened now."""


class Link:
    """A live connection; made by `connected`. Not for use by more than one task, but for `ack`, `send`, `publish`."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._paho: Client = client._client  # noqa: SLF001 - see the module's docstring
        self._inbox: deque[Arrival] = deque()
        self._unacknowledged: set[int] = set()
        self._arrived = asyncio.Event()
        self._lost: asyncio.Future[None] | None = None
        self._closed = False
        self._said = ""
        self._paho.on_log = self._on_log
        self._forward = self._paho.on_disconnect
        self._paho.on_disconnect = self._on_disconnect
        self._paho.manual_ack_set(on=True)
        self._paho.on_message = self._on_message
        self._paho.connect_timeout = CONNECT_WITHIN_S

    @property
    def alive(self) -> bool:
        """Whether the connection still stands, as far as we know."""
        return self._lost is not None and not self._lost.done() and not self._closed

    async def subscribe(self, filters: Sequence[tuple[str, int]]) -> list[str]:
        """Subscribe to topic filters with a QoS each.

        Returns:
            The filters the broker refused.

        Raises:
            LinkError: The connection is lost, or there was no answer.
        """
        refused: list[str] = []
        for at in range(0, len(filters), TOPICS_PER_SUBSCRIBE):
            part = list(filters[at : at + TOPICS_PER_SUBSCRIBE])
            with _translated("subscribe"):
                granted = await _answered(self._client.subscribe(part))
            codes = [code.value if isinstance(code, ReasonCode) else code for code in granted]
            refused += [topic for (topic, _), code in zip(part, codes, strict=False) if code >= REFUSED]
        return refused

    async def unsubscribe(self, topic: str) -> None:
        """End a subscription.

        Raises:
            LinkError: The connection is lost, or there was no answer.
        """
        with _translated("unsubscribe"):
            await _answered(self._client.unsubscribe(topic))

    async def receive(self) -> list[Arrival]:
        """Wait for messages; return all that have come since the last call, in order.

        Raises:
            LinkError: The connection is lost, and nothing is left from before.
        """
        while not self._inbox:
            if not self.alive:
                raise LinkError(f"connection lost: {self._why_lost()}")
            self._arrived.clear()
            await self._arrived.wait()
        arrivals = list(self._inbox)
        self._inbox.clear()
        return arrivals

    def ack(self, arrival: Arrival) -> None:
        """Acknowledge a message that came on this link; nothing happens when the connection is gone.

        Call it in the order in which the messages came.
        """
        if arrival.qos and self.alive:
            self._unacknowledged.discard(arrival.id)
            self._paho.ack(arrival.id, arrival.qos)

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish with QoS 1 and do not wait; what is not acknowledged when the connection ends is forgotten.

        Raises:
            LinkError: The connection is lost.
        """
        if not self.alive:
            raise LinkError(f"publish: connection lost: {self._why_lost()}")
        code = self._paho.publish(topic, payload, qos=1, retain=retain).rc
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise LinkError(f"publish: {code.name}")

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish with QoS 1 and wait for the broker's acknowledgement.

        Raises:
            LinkError: The connection is lost, or there was no answer.
        """
        with _translated("publish"):
            await _answered(self._client.publish(topic, payload, qos=1, retain=retain))

    def pause(self) -> None:
        """Stop reading from the socket, so that the broker has to wait. Longer than the keep-alive, and it ends."""
        if (sock := self._paho.socket()) is not None and sock.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(sock.fileno())

    def resume(self) -> None:
        """Read again."""
        if (sock := self._paho.socket()) is not None and sock.fileno() >= 0:
            asyncio.get_running_loop().add_reader(sock.fileno(), self._paho.loop_read)

    async def open(self, doing: str) -> None:
        """Connect; from then on the end of the connection is noticed.

        Raises:
            LinkError: Saying what was tried (``doing``) and why it failed.
        """
        try:
            with _translated(doing):
                await _answered(self._client.__aenter__())
        except LinkError as error:
            if not self._said:
                raise
            raise LinkError(f"{doing}: {explained(str(error), self._said)}") from error
        self._lost = self._client._disconnected  # noqa: SLF001 - see the module's docstring
        self._lost.add_done_callback(lambda _: self._arrived.set())

    def give_up(self) -> None:
        """Let go of a connection attempt that failed or was cancelled: aiomqtt would leave it running."""
        self.close()
        # It may still be connecting on aiomqtt's thread: then it says goodbye as soon as the broker answers.
        self._paho.on_connect = lambda client, *_: client.disconnect()
        self._paho.disconnect()

    def close(self) -> None:
        """Note that we are through with this connection; late acknowledgements go nowhere."""
        self._closed = True
        self._why_lost()

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "\ufffd"  # no topic of ours; counted as unwanted
        # NATS sends again what is not acknowledged within its `ack_wait`, on the same connection.
        repeated = message.dup and message.mid in self._unacknowledged
        if message.qos:
            self._unacknowledged.add(message.mid)
        self._inbox.append(
            Arrival(topic, bytes(message.payload), message.qos, message.mid, message.dup, repeated, message.retain)
        )
        self._arrived.set()

    def _on_disconnect(self, *told: Any) -> None:  # noqa: ANN401 - paho's arguments, handed on
        """Tell whoever waits for the broker's answer that there will be none: aiomqtt would wait for the time-out."""
        if self._forward is not None:
            self._forward(*told)
        answer = self._client._connected  # noqa: SLF001 - see the module's docstring
        if not answer.done():
            why = "the broker ended the connection without an answer (over TLS: it may refuse the client certificate)"
            answer.set_exception(aiomqtt.MqttError(why))

    def _on_log(self, _client: Client, _userdata: object, level: int, said: str) -> None:
        """Keep what paho writes of a broken connection: its error says only that it is broken."""
        if level == MQTT_LOG_ERR:
            self._said = said

    def _why_lost(self) -> str:
        """Return the reason; asking also keeps asyncio from complaining that nobody did."""
        if self._lost is None or not self._lost.done() or self._lost.cancelled():
            return "closed"
        return explained(str(self._lost.exception() or "closed"), self._said)


@asynccontextmanager
async def connected(
    address: BrokerAddress, client_id: str, stop: asyncio.Event, *, clean: bool, will: Will | None = None
) -> AsyncIterator[Link]:
    """Connect to a broker for the duration of the context.

    Args:
        address: Where it listens.
        client_id: Always the same for the same purpose: the broker keeps its session under this name, and ends a
            half-dead earlier connection.
        stop: Set, it ends the attempt to connect.
        clean: Forget the session of an earlier connection, and this one's when it ends.
        will: Published retained by the broker when we vanish.

    Raises:
        LinkError: It cannot be reached, refuses, does not answer, or we were stopped meanwhile. Alone or in a group.
    """
    try:
        context = client_context(address)
    except CertificateError as error:
        raise LinkError(f"connect to {address.shown}: {error}") from error
    client = aiomqtt.Client(
        address.host,
        address.port,
        username=address.username,
        password=address.secret(),
        tls_context=context,
        identifier=client_id,
        clean_session=clean,
        keepalive=address.keepalive_s,
        will=None if will is None else aiomqtt.Will(will.topic, will.payload, qos=1, retain=True),
        timeout=ANSWER_WITHIN_S,
        max_inflight_messages=0,  # no limit here: the window of the uplink is the limit
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    )
    link = Link(client)
    try:
        await until(stop, link.open(f"connect to {address.shown}"))
    except BaseException:
        link.give_up()
        raise
    if not link.alive:
        link.give_up()
        raise LinkError("stopped while connecting")
    try:
        yield link
    finally:
        with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(LEAVE_WITHIN_S):
                await client.__aexit__(None, None, None)
        link.close()


async def _answered(call: Awaitable[T]) -> T:
    """Await a call of aiomqtt's, and stay cancelled.

    It waits with `asyncio.wait_for`, which in Python 3.11 forgets a cancellation that comes together with the answer:
    whoever was told to stop would go on, for ever.
    """
    result = await call
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    return result


@contextlib.contextmanager
def _translated(doing: str) -> Iterator[None]:
    """Raise what aiomqtt raises as an error of ours, saying what was tried."""
    try:
        yield
    except aiomqtt.MqttError as error:
        raise LinkError(f"{doing}: {explained(error)}{_mend(error)}") from error


def _mend(error: aiomqtt.MqttError) -> str:
    """Return what to do when the broker does not let us in."""
    code = error.rc if isinstance(error, aiomqtt.MqttCodeError) else None
    value = code.value if isinstance(code, ReasonCode) else code
    return _LET_IN if value in _NOT_LET_IN else ""
