"""The Mosquitto configuration we ship: what a caller sets, and what it is for."""

from __future__ import annotations

from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from config import mosquitto
from config.errors import ConfigError
from config.mosquitto import mosquitto_conf
from tests.support.paho import ended
from tests.support.servers import Broker, Mosquitto
from tests.support.waiting import eventually

MORE_THAN_THE_DEFAULT_QUEUE = 3_000


def settings(text: str) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in text.splitlines() if line and not line.startswith("#") and " " in line)


def test_the_caller_sets_address_and_persistence_only(tmp_path: Path) -> None:
    plain = settings(mosquitto_conf(1883))
    changed = settings(mosquitto_conf(2883, host="0.0.0.0", persistence_dir=tmp_path))
    assert changed["listener"] == "2883 0.0.0.0"
    assert changed["persistence"] == "true"
    assert changed["persistence_location"] == f"{tmp_path.resolve()}/"
    assert {name for name in plain if plain[name] != changed[name]} == {
        "listener",
        "persistence",
        "persistence_location",
    }


def test_without_a_directory_nothing_is_saved() -> None:
    assert settings(mosquitto_conf(1883))["persistence"] == "false"


def test_a_shipped_file_without_a_needed_line_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mosquitto.conf").write_text("listener 1883\nallow_anonymous true\n")
    monkeypatch.setattr(mosquitto, "files", lambda _package: tmp_path)
    with pytest.raises(ConfigError, match="no line sets persistence"):
        mosquitto_conf(1883)


def subscriber(broker: Broker, received: list[int]) -> Client:
    """A client with a session of its own that outlives its connections; subscribed when this returns."""
    subscribed: list[object] = []
    client = Client(CallbackAPIVersion.VERSION2, client_id="subscriber", clean_session=False)
    client.on_connect = lambda client, *_: client.subscribe("some/topic", 1)
    client.on_subscribe = lambda *_: subscribed.append(True)
    client.on_message = lambda _client, _userdata, message: received.append(int(message.payload))
    client.connect(broker.host, broker.port)
    client.loop_start()
    eventually(lambda: subscribed)
    return client


def test_everything_acknowledged_for_an_absent_subscriber_is_delivered(tmp_path: Path) -> None:
    received: list[int] = []
    with Mosquitto(tmp_path) as broker:
        ended(subscriber(broker, received))
        here = Client(CallbackAPIVersion.VERSION2)
        here.connect(broker.host, broker.port)
        here.loop_start()
        sent = [here.publish("some/topic", number, qos=1) for number in range(MORE_THAN_THE_DEFAULT_QUEUE)]
        eventually(lambda: all(one.is_published() for one in sent), 20.0)
        ended(here)
        back = subscriber(broker, received)
        eventually(lambda: len(received) >= MORE_THAN_THE_DEFAULT_QUEUE, 20.0)
        ended(back)
    assert received == list(range(MORE_THAN_THE_DEFAULT_QUEUE))
