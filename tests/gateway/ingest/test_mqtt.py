"""The MQTT transport on real brokers: the contract, and a network that misbehaves."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from config.clock import Clock, SystemClock
from config.contract.topics import subscriptions
from config.settings import BrokerAddress
from gateway import entrance
from gateway.broker import free_port
from gateway.ingest.mqtt import MqttTransport
from gateway.nats import nats_conf
from tests.support.clocks import ManualClock
from tests.support.mqtt_peer import Peer, publish_bytes
from tests.support.servers import BROKERS, Broker, Mosquitto
from tests.support.transport_contract import Line, TransportContract, collect, connect
from tests.support.waiting import eventually

TOPIC = "hazard/v1/mini/edge-a/telemetry"
CONNACK = b"\x20\x03\x00\x00\x00"
SUBACK = b"\x90\x08\x00\x01\x00\x01\x01\x01\x01\x01"
"""MQTT 5, to the first SUBSCRIBE with four filters."""


def address_of(broker: Broker) -> BrokerAddress:
    return BrokerAddress(host=broker.host, port=broker.port)


@contextmanager
def transport_to(address: BrokerAddress, clock: Clock | None = None) -> Iterator[MqttTransport]:
    with closing(MqttTransport(address, "hazgate-test", subscriptions(), clock or SystemClock())) as transport:
        yield transport


@pytest.fixture(params=sorted(BROKERS, reverse=True))
def broker(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """Each kind of broker; the embedded one redelivers after a second instead of ten."""

    def quick(data_dir: Path, host: str, port: int, **more: Any) -> str:  # noqa: ANN401 - handed on
        text = nats_conf(data_dir, host, port, **more)
        assert 'ack_wait: "10s"' in text
        return text.replace('ack_wait: "10s"', 'ack_wait: "1s"')

    monkeypatch.setattr(entrance, "nats_conf", quick)
    with BROKERS[request.param](tmp_path) as started:
        yield started


class MqttLine(Line):
    def __init__(self, broker: Broker, transport: MqttTransport, peer: Peer) -> None:
        self.transport = transport
        self._broker = broker
        self._peer = peer

    def send(self, topic: str, payloads: Iterable[bytes]) -> None:
        self._peer.send(topic, payloads)

    def heard(self) -> Sequence[tuple[str, bytes]]:
        return [(topic, payload) for topic, payload, _ in list(self._peer.heard)]

    def retained(self, topic: str) -> bytes | None:
        # The broker answers a subscription with what it retains before anything published later.
        with Peer(self._broker, topic) as newcomer:
            self._peer.send(topic, [b"now"])
            eventually(lambda: any(payload == b"now" for _, payload, _ in newcomer.heard))
            return next((payload for _, payload, was_retained in newcomer.heard if was_retained), None)


@pytest.fixture
def line(broker: Broker) -> Iterator[Line]:
    with Peer(broker, "out/#") as peer, transport_to(address_of(broker)) as transport:
        yield MqttLine(broker, transport, peer)


class TestMqttTransport(TransportContract):
    """The contract on Mosquitto and on the embedded broker."""


def polled(transport: MqttTransport, condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    def poll() -> bool:
        transport.poll(0.02)
        return bool(condition())

    eventually(poll, timeout_s)


def test_it_comes_back_after_the_broker_was_killed(broker: Broker) -> None:
    with transport_to(address_of(broker)) as transport:
        connect(transport)
        before = transport.generation
        broker.kill()
        polled(transport, lambda: not transport.connected)
        assert transport.publish("out/x", b"x", retain=False) is None
        broker.start()
        connect(transport)
        assert transport.generation > before
        with Peer(broker) as peer:
            peer.send(TOPIC, [b"after"])
        assert [message.payload for message in collect(transport, 1)][-1] == b"after"


def test_a_killed_broker_is_noticed_at_once_while_waiting(broker: Broker) -> None:
    with transport_to(address_of(broker)) as transport:
        connect(transport)
        killer = threading.Timer(0.1, broker.kill)
        killer.start()
        transport.poll(30.0)
        killer.join()
        assert not transport.connected


def test_it_connects_once_the_broker_is_there(broker: Broker) -> None:
    broker.stop()
    with transport_to(address_of(broker)) as transport:
        for _ in range(5):
            assert list(transport.poll(0.05)) == []
        assert not transport.connected
        broker.start()
        connect(transport)


def test_a_message_on_the_wire_when_the_broker_dies_keeps_its_generation(broker: Broker) -> None:
    with transport_to(address_of(broker)) as transport, Peer(broker) as peer:
        connect(transport)
        peer.send(TOPIC, [b"x"] * 10)
        arrived = collect(transport, 10)
        broker.kill()
        polled(transport, lambda: not transport.connected)
        broker.start()
        again = connect(transport)
        transport.acknowledge(arrived)
        assert all(message.generation > arrived[0].generation for message in again)


def test_fifty_megabytes_arrive_and_the_next_message_too(broker: Broker) -> None:
    with transport_to(address_of(broker)) as transport, Peer(broker) as peer:
        connect(transport)
        # QoS 0: the embedded broker forwards so much, but does not keep it, and would never acknowledge it.
        peer.send(TOPIC, [b"x" * 50_000_000], qos=0)
        (large,) = collect(transport, 1, 30.0)
        peer.send(TOPIC, [b"next"])
        (small,) = collect(transport, 1)
        assert len(large.payload) == 50_000_000
        assert small.payload == b"next"
        transport.acknowledge([large, small])


def test_messages_of_qos_0_need_no_acknowledgement(broker: Broker) -> None:
    with transport_to(address_of(broker)) as transport, Peer(broker) as peer:
        connect(transport)
        peer.send(TOPIC, [b"x"], qos=0)
        (message,) = collect(transport, 1)
        assert message.token == 0
        transport.acknowledge([message])
        peer.send(TOPIC, [b"y"], qos=1)
        assert collect(transport, 1)[0].payload == b"y"


def test_a_topic_that_is_not_utf8_stops_nothing(broker: Broker) -> None:
    """Brokers may end the connection of who sends it; if it gets through, it is marked."""
    with transport_to(address_of(broker)) as transport, Peer(broker) as peer:
        connect(transport)
        publish_bytes(broker, b"hazard/v1/mini/\xff\xfe/telemetry", b"x")
        peer.send(TOPIC, [b"end"])
        arrived = collect(transport, 1)
        if not arrived[-1].topic_ok:
            arrived += collect(transport, 1)
        *odd, end = arrived
        assert end.payload == b"end"
        assert all(not message.topic_ok and r"\xff\xfe" in message.topic for message in odd)
        assert transport.connected


def test_a_topic_that_is_not_utf8_is_given_with_escapes() -> None:
    """Straight to the transport, because a good broker never lets it through."""
    topic = b"hazard/v1/m/\xff\xfe/telemetry"
    publish = bytes([0x30, 2 + len(topic) + 2, 0, len(topic)]) + topic + b"\x00x"
    with (
        scripted_broker([CONNACK, SUBACK + publish]) as port,
        transport_to(BrokerAddress(port=port)) as transport,
    ):
        arrived = collect(transport, 1)
    assert [(one.topic, one.topic_ok, one.payload) for one in arrived] == [
        (r"hazard/v1/m/\xff\xfe/telemetry", False, b"x")
    ]


@contextmanager
def scripted_broker(answers: list[bytes]) -> Iterator[int]:
    """A server that answers each packet of its client with the next of ``answers`` and then is silent."""
    connections: list[socket.socket] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            try:
                while True:
                    connection, _ = listener.accept()
                    connections.append(connection)
                    for answer in answers:
                        connection.recv(65_536)
                        connection.sendall(answer)
            except OSError:  # the test is over
                return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for connection in connections:
                connection.close()
            thread.join()


def test_an_unknown_host_is_tried_again_and_again() -> None:
    with capture_logs() as logs, transport_to(BrokerAddress(host="no-such-host.invalid")) as transport:
        for _ in range(3):
            assert list(transport.poll(0.05)) == []
        assert not transport.connected
        assert transport.publish("x", b"x", retain=False) is None
    assert [entry["event"] for entry in logs] == ["broker_unreachable"], "said once, not at every attempt"


def test_a_host_name_that_cannot_be_one_is_no_error_of_the_pipeline() -> None:
    with transport_to(BrokerAddress.model_construct(host="a..b" + "x" * 300, port=1883)) as transport:
        for _ in range(3):
            assert list(transport.poll(0.05)) == []


def test_a_wrong_password_is_said_and_a_right_one_let_in(tmp_path: Path) -> None:
    with MosquittoWithPassword(tmp_path) as broker:
        wrong = BrokerAddress(host=broker.host, port=broker.port, username="gateway", password=SecretStr("wrong"))
        with capture_logs() as logs, transport_to(wrong) as transport:
            polled(transport, lambda: any(entry["event"] == "broker_refused" for entry in logs))
            assert not transport.connected
        assert {entry["why"] for entry in logs} == {"Not authorized"}
        with transport_to(wrong.model_copy(update={"password": SecretStr("secret")})) as transport:
            connect(transport)


class MosquittoWithPassword(Mosquitto):
    """Lets in ``gateway`` with the password ``secret``, and probes without any that only knock."""

    def _command(self) -> list[str]:
        command = super()._command()
        hashed = self.state_dir / "passwords"
        hashed.write_text("gateway:secret\n")
        subprocess.run(["mosquitto_passwd", "-U", str(hashed)], check=True)
        conf = self.state_dir / "mosquitto.conf"
        conf.write_text(f"{conf.read_text()}password_file {hashed}\n")
        return command


def test_a_broker_that_hangs_is_given_up_and_found_again(broker: Broker) -> None:
    impatient = address_of(broker).model_copy(update={"keepalive_s": 1})
    with transport_to(impatient) as transport:
        connect(transport)
        assert broker.pid
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            polled(transport, lambda: not transport.connected)
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        connect(transport)


def test_a_server_that_never_answers_is_given_up() -> None:
    clock = ManualClock()
    with scripted_broker([]) as port, transport_to(BrokerAddress(port=port), clock) as transport:
        transport.poll(0.01)
        first = transport.generation
        for _ in range(3):
            transport.poll(0.01)
        assert transport.generation == first
        clock.advance_s(11)
        transport.poll(0.01)
        clock.advance_s(11)
        transport.poll(0.01)
        assert transport.generation == first + 1
        assert not transport.connected


def test_a_refused_subscription_is_said_and_tried_again() -> None:
    refusing = SUBACK[:-4] + b"\x87\x01\x01\x01"
    with (
        scripted_broker([CONNACK, refusing]) as port,
        capture_logs() as logs,
        transport_to(BrokerAddress(port=port)) as transport,
    ):
        polled(transport, lambda: sum(entry["event"] == "subscription_refused" for entry in logs) >= 2)
        assert not transport.connected
    assert next(entry for entry in logs if entry["event"] == "subscription_refused")["topics"] == [subscriptions()[1]]


@pytest.mark.parametrize(
    "answer", [b"\x30\x02\x00\xff", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 100, b"\xff" * 20]
)
def test_a_server_that_speaks_something_else_is_left(answer: bytes) -> None:
    with scripted_broker([answer]) as port, transport_to(BrokerAddress(port=port)) as transport:
        for _ in range(10):
            transport.poll(0.02)
        assert not transport.connected


def test_attempts_become_rarer_but_never_rarer_than_every_five_seconds() -> None:
    clock = ManualClock()
    with transport_to(BrokerAddress(port=free_port()), clock) as transport:
        waits = []
        for _ in range(60):
            transport.poll(0)
            waits.append(transport._retry_at_s - clock.monotonic_s())
            clock.advance_s(6)
    assert max(waits) <= 5.0
    assert max(waits[:3]) <= 0.5
    assert max(waits[10:]) > 1.0


def test_it_works_with_more_open_files_than_select_can_count(broker: Broker) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else 4096, hard))
    try:
        with ExitStack() as files:
            for _ in range(1_100):
                files.callback(os.close, os.open(os.devnull, os.O_RDONLY))
            with transport_to(address_of(broker)) as transport:
                connect(transport)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
