"""The transport without a network keeps the contract of transports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from tests.support.queue_transport import QueueTransport
from tests.support.transport_contract import Line, TransportContract


class QueueLine(Line):
    transport: QueueTransport

    def __init__(self) -> None:
        self.transport = QueueTransport()

    def send(self, topic: str, payloads: Iterable[bytes]) -> None:
        self.transport.send(topic, payloads)

    def heard(self) -> Sequence[tuple[str, bytes]]:
        return self.transport.heard

    def retained(self, topic: str) -> bytes | None:
        return self.transport.retained.get(topic)


@pytest.fixture
def line() -> Line:
    return QueueLine()


class TestQueueTransport(TransportContract):
    """The contract in memory."""
