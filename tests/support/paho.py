"""What tests with a plain paho client need."""

from __future__ import annotations

from paho.mqtt.client import Client

from tests.support.waiting import eventually

__all__ = ["ended"]


def ended(client: Client) -> None:
    """Say good-bye to the broker, let paho's thread close the socket, then end the thread."""
    client.disconnect()
    eventually(lambda: client.socket() is None)
    client.loop_stop()
