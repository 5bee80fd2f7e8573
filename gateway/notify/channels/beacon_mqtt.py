"""A light or siren that follows MQTT: a retained state, a heartbeat, and a last will.

Below the topic: ``state`` (retained), ``heartbeat`` (not retained, so that an old one is never taken for a new one),
``online`` (retained ``1``; the broker puts ``0`` there when the gateway is gone).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from config.clock import Clock
from config.duty.channels import MqttBeaconSettings
from gateway.notify.channels.beacon import Standing
from gateway.notify.port import ChannelError, Delivery, Message, Receipt, Recipient

__all__ = ["MqttBeacon"]

_LIGHTS = {0: "off", 1: "red", 2: "orange", 3: "yellow", 4: "blue"}
_KEEPALIVE_S = 10
_LONGEST_PAUSE_S = 5
_GOODBYE_S = 2.0


class MqttBeacon:
    """The channel `beacon_mqtt`. Accepted: the broker has acknowledged the state; no lamp says that it is lit."""

    def __init__(self, settings: MqttBeaconSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._standing = Standing()
        self._beats = 0
        self._connected = threading.Event()
        self._refusal = ""
        self._client: paho.Client | None = None

    def restore(self, alarms: Iterable[Mapping[str, Any]]) -> None:
        """Take the alarms that are open."""
        self._standing.restore(alarms)

    def send(self, message: Message, recipients: Sequence[Recipient], within_s: float) -> Receipt:  # noqa: ARG002 - all who see it
        """Show what the message changes."""
        self._standing.take(message)
        until_s = self._clock.monotonic_s() + within_s
        client = self._ready(until_s)
        if not self._show(client, until_s):  # a self test before anything is known: the way there is what it tests
            self._publish(client, "online", "1", until_s)
        return Receipt(Delivery.ACCEPTED)

    def heartbeat(self, within_s: float) -> None:
        """Publish the state again (the broker may have lost it) and a number that was not there before."""
        until_s = self._clock.monotonic_s() + within_s
        client = self._ready(until_s)
        self._show(client, until_s)
        self._beats += 1
        beat = json.dumps({"beat": self._beats, "at_ms": self._clock.wall_ms()})
        self._publish(client, "heartbeat", beat, until_s, retain=False)

    def _show(self, client: paho.Client, until_s: float) -> bool:
        """Publish the state, when there is one."""
        shown = self._standing.shown()
        if shown is None:
            return False
        state = {
            "tier": shown.tier,
            "light": _LIGHTS[shown.tier],
            "siren": shown.tier in self._settings.siren_tiers,
            "alarms": shown.alarms,
            "key": shown.key,
            "at_ms": self._clock.wall_ms(),
        }
        self._publish(client, "state", json.dumps(state), until_s)
        return True

    def _publish(self, client: paho.Client, leaf: str, payload: str, until_s: float, *, retain: bool = True) -> None:
        try:
            sent = client.publish(f"{self._settings.topic}/{leaf}", payload, qos=1, retain=retain)
            sent.wait_for_publish(max(until_s - self._clock.monotonic_s(), 0.0))
            taken = sent.is_published()
        except (RuntimeError, ValueError) as error:
            raise ChannelError(f"beacon: the broker was lost ({type(error).__name__})") from None
        if not taken:
            raise ChannelError("beacon: the broker did not acknowledge in time")

    def _ready(self, until_s: float) -> paho.Client:
        """Return the client when it is connected; it goes on trying in a thread of its own."""
        if self._client is None:
            self._client = self._started()
        if not self._connected.wait(max(until_s - self._clock.monotonic_s(), 0.0)):
            raise ChannelError(f"beacon: no connection to the broker {self._refusal}".rstrip())
        return self._client

    def _started(self) -> paho.Client:
        settings = self._settings
        client = paho.Client(CallbackAPIVersion.VERSION2)
        if settings.username is not None:
            client.username_pw_set(
                settings.username, settings.password.get_secret_value() if settings.password else None
            )
        if settings.tls:
            client.tls_set(ca_certs=None if settings.ca_file is None else str(settings.ca_file))
        client.will_set(f"{settings.topic}/online", "0", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.reconnect_delay_set(1, _LONGEST_PAUSE_S)
        client.connect_async(settings.host, settings.port, _KEEPALIVE_S)
        client.loop_start()
        return client

    def _on_connect(
        self, client: paho.Client, _: object, __: paho.ConnectFlags, code: ReasonCode, ___: Properties | None
    ) -> None:
        if code.is_failure:
            self._refusal = f"({code})"
            return
        self._refusal = ""
        client.publish(f"{self._settings.topic}/online", "1", qos=1, retain=True)
        self._connected.set()

    def _on_disconnect(
        self, _: paho.Client, __: object, ___: paho.DisconnectFlags, ____: ReasonCode, _____: Properties | None
    ) -> None:
        self._connected.clear()

    def close(self) -> None:
        """Say that the gateway is gone, which is a fault as any other, and end the thread."""
        client, self._client = self._client, None
        if client is None:
            return
        if self._connected.is_set():
            client.publish(f"{self._settings.topic}/online", "0", qos=1, retain=True).wait_for_publish(_GOODBYE_S)
        client.disconnect()
        client.loop_stop()
