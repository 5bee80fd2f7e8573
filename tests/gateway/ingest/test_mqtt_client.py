"""The short way past paho gives the same messages however the bytes happen to be cut into pieces."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion

from gateway.ingest.mqtt_client import BufferedClient

Arrived = tuple[bytes, bytes, int]

VERSIONS = st.sampled_from([MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
MESSAGES = st.lists(
    st.tuples(
        st.binary(min_size=1, max_size=20), st.binary(max_size=300) | st.just(bytes(20_000)), st.integers(0, 65_535)
    ),
    max_size=8,
)
PINGRESP = b"\xd0\x00"


def packet(first: int, body: bytes) -> bytes:
    length, encoded = len(body), b""
    while True:
        length, digit = divmod(length, 128)
        encoded += bytes([digit | (0x80 if length else 0)])
        if not length:
            return bytes([first]) + encoded + body


def publish(message: Arrived, version: MQTTProtocolVersion) -> bytes:
    """QoS 1 with the id, or QoS 0 when that is 0; with one property (a content type) in MQTT 5."""
    topic, payload, packet_id = message
    body = len(topic).to_bytes(2, "big") + topic
    if packet_id:
        body += packet_id.to_bytes(2, "big")
    if version == MQTTProtocolVersion.MQTTv5:
        body += b"\x07\x03\x00\x04json" if len(payload) % 2 else b"\x00"
    return packet(0x32 if packet_id else 0x30, body + payload)


@contextmanager
def client_on_a_wire(version: MQTTProtocolVersion) -> Iterator[tuple[BufferedClient, socket.socket, list[Arrived]]]:
    arrived: list[Arrived] = []
    here, there = socket.socketpair()
    here.settimeout(0)
    client = BufferedClient("test", version, lambda *one: arrived.append(one))
    client._sock = here
    with closing(here), closing(there):
        yield client, there, arrived
        client._sock = None


def read_all(client: BufferedClient) -> MQTTErrorCode:
    """Let it read until the wire is empty."""
    while True:
        code = client.loop_read()
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or not (client.has_unread or pending(client)):
            return code


def pending(client: BufferedClient) -> bool:
    assert isinstance(client._sock, socket.socket)
    try:
        return bool(client._sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


@given(VERSIONS, MESSAGES, st.lists(st.integers(1, 50), max_size=30), st.sampled_from([b"", PINGRESP]))
def test_any_cut_gives_the_same_messages(
    version: MQTTProtocolVersion, messages: list[Arrived], cuts: list[int], between: bytes
) -> None:
    stream = between.join(publish(message, version) for message in messages)
    with client_on_a_wire(version) as (client, wire, arrived):
        for cut in cuts:
            wire.sendall(stream[:cut])
            stream = stream[cut:]
            assert read_all(client) == MQTTErrorCode.MQTT_ERR_SUCCESS
        wire.sendall(stream)
        assert read_all(client) == MQTTErrorCode.MQTT_ERR_SUCCESS
    assert arrived == messages


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(packet(0x32, b"\x00"), id="no whole topic length"),
        pytest.param(packet(0x32, b"\x00\x01t\x00"), id="no whole packet id"),
        pytest.param(packet(0x32, b"\x00\x01t\x00\x01\x80"), id="properties that do not end"),
        pytest.param(packet(0x32, b"\x00\x01t\x00\x01\x80\x80\x80\x80\x01"), id="a length of five bytes"),
    ],
)
def test_a_malformed_publication_ends_the_connection_and_not_the_messages_before_it(broken: bytes) -> None:
    before = (b"t", b"x", 7)
    with client_on_a_wire(MQTTProtocolVersion.MQTTv5) as (client, wire, arrived):
        wire.sendall(publish(before, MQTTProtocolVersion.MQTTv5) + broken + publish(before, MQTTProtocolVersion.MQTTv5))
        assert read_all(client) == MQTTErrorCode.MQTT_ERR_PROTOCOL
    assert arrived == [before]


@given(st.lists(st.integers(1, 65_535)))
def test_acknowledgements_are_sent_in_order_with_one_write(packet_ids: list[int]) -> None:
    with client_on_a_wire(MQTTProtocolVersion.MQTTv311) as (client, wire, _):
        for packet_id in packet_ids:
            client.puback(packet_id)
        assert client.has_unsent == bool(packet_ids)
        client.flush()
        assert not client.has_unsent
        wire.settimeout(0)
        expected = b"".join(packet(0x40, packet_id.to_bytes(2, "big")) for packet_id in packet_ids)
        assert (wire.recv(len(expected) + 1) if expected else b"") == expected
