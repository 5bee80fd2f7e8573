"""What every transport must do; the test class of a transport inherits `TransportContract`."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from gateway.ingest.transport import Message, Transport
from tests.support.waiting import eventually

__all__ = ["Line", "TransportContract", "collect", "connect"]

_TOPIC = "hazard/v1/mini/edge-a/telemetry"


class Line(ABC):
    """A transport under test and what is at its other end. The transport listens to `_TOPIC`."""

    transport: Transport
    redelivered_within_s: float = 5.0

    @abstractmethod
    def send(self, topic: str, payloads: Iterable[bytes]) -> None:
        """Send messages to the transport, in order; returns when its other side has them all."""

    @abstractmethod
    def heard(self) -> Sequence[tuple[str, bytes]]:
        """Return what the transport has published so far, as another listener heard it."""

    @abstractmethod
    def retained(self, topic: str) -> bytes | None:
        """Return what a listener that comes now is given."""


def connect(transport: Transport, timeout_s: float = 10.0) -> list[Message]:
    """Poll until there is a connection; returns what arrived meanwhile."""
    arrived: list[Message] = []

    def connected() -> bool:
        arrived.extend(transport.poll(0.02))
        return transport.connected

    eventually(connected, timeout_s)
    return arrived


def collect(transport: Transport, count: int, timeout_s: float = 10.0, *, acknowledging: bool = False) -> list[Message]:
    """Poll until ``count`` messages have arrived."""
    arrived: list[Message] = []

    def enough() -> bool:
        messages = transport.poll(0.02)
        if acknowledging:
            transport.acknowledge(messages)
        arrived.extend(messages)
        return len(arrived) >= count

    eventually(enough, timeout_s)
    return arrived


def reconnect(line: Line) -> list[Message]:
    """Drop the connection and make another."""
    line.transport.drop()
    assert not line.transport.connected
    return connect(line.transport)


def numbered(start: int, stop: int) -> list[bytes]:
    return [str(number).encode() for number in range(start, stop)]


def payloads(messages: Iterable[Message]) -> list[bytes]:
    return [message.payload for message in messages]


class TransportContract:
    """Tests that ask for a fixture ``line``."""

    def test_it_is_not_connected_before_the_first_poll(self, line: Line) -> None:
        assert not line.transport.connected
        assert line.transport.publish("some/topic", b"x", retain=False) is None
        line.transport.acknowledge([Message(_TOPIC, b"x", 1, line.transport.generation)])
        assert list(line.transport.confirmed()) == []

    def test_messages_arrive_whole_and_in_order(self, line: Line) -> None:
        connect(line.transport)
        sent = numbered(0, 2_000)
        line.send(_TOPIC, sent)
        arrived = collect(line.transport, len(sent), acknowledging=True)
        assert payloads(arrived) == sent
        assert {message.topic for message in arrived} == {_TOPIC}
        assert all(message.topic_ok for message in arrived)
        assert {message.generation for message in arrived} == {line.transport.generation}

    def test_payloads_may_be_empty_large_and_any_bytes(self, line: Line) -> None:
        connect(line.transport)
        sent = [b"", bytes(range(256)), b"\x00" * 1_000_000, b"after"]
        line.send(_TOPIC, sent)
        assert payloads(collect(line.transport, len(sent))) == sent

    def test_a_poll_waits_no_longer_than_told_and_no_longer_than_needed(self, line: Line) -> None:
        connect(line.transport)
        began_s = time.monotonic()
        assert list(line.transport.poll(0.1)) == []
        assert time.monotonic() - began_s < 1.0
        line.send(_TOPIC, [b"x"])
        began_s = time.monotonic()
        collect(line.transport, 1)
        assert time.monotonic() - began_s < 1.0

    def test_wake_from_another_thread_ends_a_wait(self, line: Line) -> None:
        connect(line.transport)
        waker = threading.Timer(0.1, line.transport.wake)
        began_s = time.monotonic()
        waker.start()
        arrived = line.transport.poll(30.0)
        assert time.monotonic() - began_s < 10.0
        assert list(arrived) == []
        waker.join()

    def test_what_was_acknowledged_is_not_delivered_again(self, line: Line) -> None:
        connect(line.transport)
        line.send(_TOPIC, numbered(0, 50))
        line.transport.acknowledge(collect(line.transport, 50))
        arrived = reconnect(line)
        line.send(_TOPIC, [b"end"])
        arrived += collect(line.transport, 1)
        assert payloads(arrived) == [b"end"]

    def test_what_was_not_acknowledged_is_delivered_again(self, line: Line) -> None:
        connect(line.transport)
        line.send(_TOPIC, numbered(0, 50))
        first = collect(line.transport, 50)
        line.transport.acknowledge(first[:20])
        again = reconnect(line)
        again += collect(line.transport, 30 - len(again), line.redelivered_within_s)
        assert sorted(payloads(again)) == sorted(numbered(20, 50))
        assert min(message.generation for message in again) > first[0].generation

    def test_what_is_sent_while_there_is_no_connection_arrives_later(self, line: Line) -> None:
        connect(line.transport)
        line.transport.drop()
        line.send(_TOPIC, numbered(0, 20))
        arrived = connect(line.transport)
        arrived += collect(line.transport, 20 - len(arrived), line.redelivered_within_s)
        assert sorted(payloads(arrived)) == sorted(numbered(0, 20))

    def test_an_acknowledgement_of_an_earlier_connection_destroys_nothing(self, line: Line) -> None:
        connect(line.transport)
        line.send(_TOPIC, numbered(0, 10))
        stale = collect(line.transport, 10)
        line.transport.acknowledge(stale)
        again = reconnect(line)
        line.send(_TOPIC, numbered(10, 20))
        fresh = again + collect(line.transport, 10 - len(again))
        assert sorted(payloads(fresh)) == sorted(numbered(10, 20))
        line.transport.acknowledge(stale)
        line.transport.poll(0.1)
        again = reconnect(line)
        again += collect(line.transport, 10 - len(again), line.redelivered_within_s)
        assert sorted(payloads(again)) == sorted(numbered(10, 20))

    def test_an_acknowledgement_while_connecting_anew_destroys_nothing(self, line: Line) -> None:
        connect(line.transport)
        line.send(_TOPIC, numbered(0, 10))
        stale = collect(line.transport, 10)
        line.transport.drop()
        again: list[Message] = []

        def acknowledged_all_the_way() -> bool:
            line.transport.acknowledge(stale)
            again.extend(line.transport.poll(0))
            return line.transport.connected

        eventually(acknowledged_all_the_way)
        again += collect(line.transport, 10 - len(again), line.redelivered_within_s)
        assert sorted(payloads(again)) == sorted(numbered(0, 10))

    def test_every_publication_is_heard_and_confirmed_once(self, line: Line) -> None:
        connect(line.transport)
        count = 3_000
        tokens = [line.transport.publish(f"out/{number}", b"x", retain=False) for number in range(count)]
        confirmed: list[int] = []

        def all_confirmed() -> bool:
            line.transport.poll(0.02)
            confirmed.extend(line.transport.confirmed())
            return len(confirmed) >= count

        eventually(all_confirmed, 20.0)
        assert sorted(confirmed) == sorted(token for token in tokens if token is not None)
        eventually(lambda: len(line.heard()) >= count)
        assert list(line.heard()) == [(f"out/{number}", b"x") for number in range(count)]

    def test_retained_publications_stay_until_emptied(self, line: Line) -> None:
        connect(line.transport)
        self._publish(line, "out/kept", b"first", retain=True)
        self._publish(line, "out/kept", b"second", retain=True)
        self._publish(line, "out/passing", b"x", retain=False)
        assert line.retained("out/kept") == b"second"
        assert line.retained("out/passing") is None
        self._publish(line, "out/kept", b"", retain=True)
        assert line.retained("out/kept") is None

    def test_nothing_is_confirmed_of_an_earlier_connection(self, line: Line) -> None:
        connect(line.transport)
        for number in range(100):
            line.transport.publish(f"out/{number}", b"x", retain=False)
        reconnect(line)
        assert list(line.transport.confirmed()) == []

    def test_after_close_waking_is_harmless(self, line: Line) -> None:
        connect(line.transport)
        line.transport.close()
        line.transport.wake()
        assert not line.transport.connected
        assert line.transport.publish("out/x", b"x", retain=False) is None

    @staticmethod
    def _publish(line: Line, topic: str, payload: bytes, *, retain: bool) -> None:
        token = line.transport.publish(topic, payload, retain=retain)
        confirmed: list[int] = []

        def is_confirmed() -> bool:
            line.transport.poll(0.02)
            confirmed.extend(line.transport.confirmed())
            return token in confirmed

        eventually(is_confirmed)
