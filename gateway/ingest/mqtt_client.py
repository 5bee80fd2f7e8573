"""paho-mqtt with a shorter way for what there is much of: publications received, acknowledgements sent."""

from __future__ import annotations

import socket
from collections.abc import Callable

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

__all__ = ["BufferedClient"]

_PUBLISH, _TYPE_BITS, _QOS_BITS = 0x30, 0xF0, 0b0110
_PUBACK = b"\x40\x02"
"""Success, in the short form that MQTT 3.1.1 and 5 share; the packet id follows."""
_RECEIVE_BYTES = 1 << 18
_LENGTH_BYTES = 4


class BufferedClient(paho.Client):
    """A paho client without a thread, whose reads and writes are gathered.

    paho reads a packet with four calls, sends every acknowledgement with one, and builds MQTT 5 property tables for
    every message, which nobody here looks at. This takes publications straight out of what the socket gave, and leaves
    to paho all other packets, and those that have not arrived whole.

    Args:
        client_id: Of the session.
        protocol: MQTT version.
        on_arrival: Called with topic (bytes), payload and packet id (0 for QoS 0) of every message.
    """

    def __init__(
        self, client_id: str, protocol: MQTTProtocolVersion, on_arrival: Callable[[bytes, bytes, int], None]
    ) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if protocol == MQTTProtocolVersion.MQTTv5 else False,
            protocol=protocol,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self._unread = b""
        self._unread_at = 0
        self._unsent = bytearray()
        self._has_properties = protocol == MQTTProtocolVersion.MQTTv5
        self._on_arrival = on_arrival

    @property
    def has_unread(self) -> bool:
        """Bytes were received that nobody has taken yet."""
        return self._unread_at < len(self._unread)

    @property
    def has_unsent(self) -> bool:
        """Bytes wait to be sent."""
        return bool(self._unsent)

    def puback(self, packet_id: int) -> None:
        """Acknowledge a message of QoS 1; sent with the next `flush`."""
        self._unsent += _PUBACK + packet_id.to_bytes(2, "big")

    def flush(self) -> None:
        """Send what was gathered, as far as the socket takes it.

        Raises:
            OSError: The connection is broken.
        """
        while self._unsent and self._sock is not None:
            try:
                sent = super()._sock_send(self._unsent)
            except BlockingIOError:
                return
            del self._unsent[:sent]

    # --- what paho calls ---------------------------------------------------------------------------------------

    def _create_socket_connection(self) -> socket.socket:
        connection = super()._create_socket_connection()
        # What a turn has to say goes out in few writes. Without this each waits until the broker's kernel has
        # acknowledged the one before, which that puts off for up to 40 ms.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self.has_unread:
            self._unread, self._unread_at = super()._sock_recv(max(bufsize, _RECEIVE_BYTES)), 0
            self._last_bytes_received = paho.time_func()
        piece = self._unread[self._unread_at : self._unread_at + bufsize]
        self._unread_at += len(piece)
        return piece

    def _sock_send(self, buf: bytes | bytearray) -> int:
        self._unsent += buf
        return len(buf)

    def _sock_close(self) -> None:
        self._unread, self._unread_at = b"", 0
        self._unsent.clear()
        super()._sock_close()

    def _packet_read(self) -> MQTTErrorCode:
        between_packets = self._in_packet["command"] == 0
        if between_packets and self._take_publications():
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        return super()._packet_read()

    def _handle_publish(self) -> MQTTErrorCode:
        """Take a publication that paho has put together from several pieces."""
        try:
            self._take(self._in_packet["command"], self._in_packet["packet"])
        except IndexError:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    # --- publications ------------------------------------------------------------------------------------------

    def _take_publications(self) -> bool:
        """Take all whole publications that stand next in what was received; says whether there were any."""
        data, first = self._unread, self._unread_at
        try:
            while data[self._unread_at] & _TYPE_BITS == _PUBLISH:
                start, length = _variable_number(data, self._unread_at + 1)
                if length > len(data) - start:
                    break
                self._take(data[self._unread_at], data[start : start + length])
                self._unread_at = start + length
        except IndexError:
            pass  # the end of what was received, or a malformed packet: paho gets it and says which
        return self._unread_at > first

    def _take(self, command: int, packet: bytes | bytearray) -> None:
        """Take a PUBLISH of QoS 0 or 1 apart (MQTT 3.1.1 and 5.0, section 3.3); we never subscribe with QoS 2.

        Args:
            command: First byte of the packet.
            packet: What follows its length.

        Raises:
            IndexError: It is malformed.
        """
        at = 2 + (packet[0] << 8 | packet[1])
        topic = bytes(packet[2:at])
        packet_id = 0
        if command & _QOS_BITS:
            packet_id = packet[at] << 8 | packet[at + 1]
            at += 2
        if self._has_properties:
            at, length = _variable_number(packet, at)
            at += length
        self._on_arrival(topic, bytes(packet[at:]), packet_id)


def _variable_number(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return where the variable byte integer at ``at`` ends, and its value (MQTT 5.0, section 1.5.5).

    Raises:
        IndexError: It does not end, or not within four bytes.
    """
    value = 0
    for place in range(_LENGTH_BYTES):
        digit = data[at + place]
        value |= (digit & 0x7F) << 7 * place
        if not digit & 0x80:
            return at + place + 1, value
    raise IndexError(at)
