from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from config.clock import SystemClock
from config.duty.channels import ModbusBeaconSettings, MqttBeaconSettings
from gateway.notify.channels.beacon import Standing
from gateway.notify.channels.beacon_modbus import ModbusBeacon
from gateway.notify.channels.beacon_mqtt import MqttBeacon
from gateway.notify.port import ChannelError, Delivery, Kind
from tests.support.modbus_relay import ModbusRelay
from tests.support.notifications import message, row
from tests.support.paho import ended
from tests.support.servers import Mosquitto
from tests.support.waiting import eventually

BEAT = 9


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 4), st.booleans())))
def test_the_worst_of_what_stands_is_shown(told: list[tuple[int, int, bool]]) -> None:
    standing = Standing()
    open_tiers: dict[int, int] = {}
    assert standing.shown() is None
    for number, tier, over in told:
        for _ in range(2):  # told twice is told once
            kind = Kind.OVER if over else Kind.ALARM
            standing.take(message(f"k{number}", kind, tier=tier, alarms=(row(number, tier=tier),)))
        if over:
            open_tiers.pop(number, None)
        else:
            open_tiers[number] = tier
        shown = standing.shown()
        assert shown is not None
        assert (shown.tier, shown.alarms) == (min(open_tiers.values(), default=0), len(open_tiers))


# --- MQTT ------------------------------------------------------------------------------------------------------------


class Lamp:
    """A client that follows the topic, as the device would."""

    def __init__(self, broker: Mosquitto) -> None:
        self.got: list[tuple[str, str, bool]] = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda client, *_: client.subscribe("plant/lamp/#", 1)
        self.client.on_message = lambda _client, _data, m: self.got.append(
            (m.topic.removeprefix("plant/lamp/"), m.payload.decode(), m.retain)
        )
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()

    def last(self, leaf: str) -> str:
        return next((payload for topic, payload, _ in reversed(self.got) if topic == leaf), "")

    def state(self) -> dict[str, Any]:
        found = json.loads(self.last("state") or "{}")
        assert isinstance(found, dict)
        return found


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def beacon(broker: Mosquitto) -> Iterator[MqttBeacon]:
    beacon = MqttBeacon(MqttBeaconSettings(kind="beacon_mqtt", port=broker.port, topic="plant/lamp"), SystemClock())
    yield beacon
    beacon.close()


def test_a_lamp_that_comes_late_sees_the_state_and_no_old_heartbeat(broker: Mosquitto, beacon: MqttBeacon) -> None:
    assert beacon.send(message("k-1"), [], 5).delivery is Delivery.ACCEPTED
    beacon.heartbeat(5)
    lamp = Lamp(broker)
    eventually(lambda: lamp.last("online") == "1" and lamp.last("state"))
    assert {name: lamp.state()[name] for name in ("tier", "light", "siren", "key")} == {
        "tier": 1,
        "light": "red",
        "siren": True,
        "key": "k-1",
    }
    assert lamp.last("heartbeat") == ""
    beacon.heartbeat(5)
    eventually(lambda: lamp.last("heartbeat"))
    beacon.send(message("k-2", Kind.OVER), [], 5)
    eventually(lambda: lamp.state()["light"] == "off" and lamp.state()["siren"] is False)
    ended(lamp.client)


def test_a_start_puts_nothing_out_until_it_knows(broker: Mosquitto, beacon: MqttBeacon) -> None:
    lamp = Lamp(broker)
    beacon.send(message("t", Kind.SELF_TEST, alarms=(), tier=0), [], 5)
    beacon.heartbeat(5)
    eventually(lambda: lamp.last("heartbeat"))
    assert lamp.last("state") == ""
    beacon.restore([row(tier=3)])
    beacon.heartbeat(5)
    eventually(lambda: lamp.state().get("light") == "yellow")
    ended(lamp.client)


def test_a_gateway_that_goes_is_seen_to_be_gone(broker: Mosquitto, beacon: MqttBeacon) -> None:
    lamp = Lamp(broker)
    beacon.heartbeat(5)
    eventually(lambda: lamp.last("online") == "1")
    assert beacon._client is not None
    connection = beacon._client.socket()
    assert isinstance(connection, socket.socket)
    connection.shutdown(socket.SHUT_RDWR)  # no good-bye: the broker speaks the last will
    eventually(lambda: lamp.last("online") == "0")
    eventually(lambda: lamp.last("online") == "1")
    beacon.close()
    eventually(lambda: lamp.last("online") == "0")
    ended(lamp.client)


def test_a_broker_that_forgot_is_told_again(broker: Mosquitto, beacon: MqttBeacon) -> None:
    beacon.send(message(), [], 5)
    broker.kill()
    eventually(lambda: not beacon._connected.is_set())
    with pytest.raises(ChannelError) as caught:
        beacon.heartbeat(0.2)
    assert caught.value.retry
    broker.start()
    beacon.heartbeat(10)
    lamp = Lamp(broker)
    eventually(lambda: lamp.state().get("light") == "red")
    ended(lamp.client)


# --- Modbus ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def relay() -> Iterator[ModbusRelay]:
    with ModbusRelay() as relay:
        yield relay


def modbus(port: int, **more: object) -> ModbusBeacon:
    given = {"kind": "beacon_modbus", "host": "127.0.0.1", "port": port, "heartbeat_register": BEAT}
    coils = {"coils": {1: 0, 2: 1, 4: 3}, "siren_coil": 5}
    return ModbusBeacon(ModbusBeaconSettings.model_validate(given | coils | more), SystemClock())


def test_the_coil_of_the_worst_tier_is_on(relay: ModbusRelay) -> None:
    beacon = modbus(relay.port)
    for tier, coils in ((4, {3}), (3, {1}), (2, {1, 5}), (1, {0, 5})):
        receipt = beacon.send(message(f"k{tier}", alarms=(row(tier, tier=tier),), tier=tier), [], 5)
        assert receipt.delivery is Delivery.ACCEPTED
        assert relay.coils() == coils
    for tier, coils in ((1, {1, 5}), (2, {1}), (3, {3}), (4, set())):
        beacon.send(message(f"o{tier}", Kind.OVER, alarms=(row(tier, tier=tier),)), [], 5)
        assert relay.coils() == coils
    beacon.close()


def test_the_relay_sees_every_beat(relay: ModbusRelay) -> None:
    beacon = modbus(relay.port)
    seen = []
    for _ in range(4):
        beacon.heartbeat(5)
        seen.append(relay.register(BEAT))
    assert len(set(seen)) == 4
    assert relay.coils() == set()
    beacon._beat = 0xFFFF
    beacon.heartbeat(5)
    assert relay.register(BEAT) == 1
    beacon.close()


def test_a_relay_that_comes_back_is_shown_all_again() -> None:
    with ModbusRelay() as relay:
        beacon = modbus(relay.port)
        beacon.send(message(), [], 5)
    with pytest.raises(ChannelError) as caught:
        beacon.heartbeat(0.5)
    assert caught.value.retry
    with ModbusRelay(relay.port) as again:
        beacon.heartbeat(5)
        assert again.coils() == {0, 5}
        beacon.close()


def test_what_the_relay_has_not_is_said(relay: ModbusRelay) -> None:
    with pytest.raises(ChannelError, match="refuses"):
        modbus(relay.port, heartbeat_register=4000).heartbeat(5)


def test_a_relay_that_is_silent_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began_s = SystemClock().monotonic_s()
        with pytest.raises(ChannelError):
            modbus(silent.getsockname()[1]).heartbeat(0.3)
        assert SystemClock().monotonic_s() - began_s < 1.0
