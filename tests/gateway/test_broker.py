"""The embedded broker: comes up, comes back, ends with its owner, and stays usable when nobody fetches."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from config.clock import SystemClock
from gateway import broker as module
from gateway import entrance, nats
from gateway.broker import EmbeddedBroker, free_port
from gateway.errors import BrokerError
from gateway.probe import answers_mqtt
from tests.support.paho import ended
from tests.support.waiting import eventually, eventually_async


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    async with EmbeddedBroker(tmp_path / "broker", clock=SystemClock(), port=0) as broker:
        yield broker


def connected(broker: EmbeddedBroker, name: str, *, keep_session: bool = False) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=not keep_session)
    client.connect(broker.host, broker.port)
    client.loop_start()
    eventually(client.is_connected)
    return client


def subscribed(client: Client, topic: str) -> None:
    """Return when the server has granted the subscription, not when it was asked for."""
    granted: list[int] = []
    client.on_subscribe = lambda _client, _userdata, mid, *_: granted.append(mid)
    mid = client.subscribe(topic, 1)[1]
    eventually(lambda: mid in granted)


async def test_it_lets_clients_connect_once_started_and_none_after_its_end(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path, clock=SystemClock(), port=0) as broker:
        pid = broker.pid
        assert pid is not None
        assert answers_mqtt(broker.host, broker.port)
    assert broker.pid is None
    assert not psutil.pid_exists(pid)
    assert not answers_mqtt(broker.host, broker.port)


async def test_a_crashed_server_is_started_again_on_the_same_port(embedded: EmbeddedBroker) -> None:
    first = embedded.pid
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(embedded.supervise())
        for crash in (1, 2):
            embedded.kill()
            await eventually_async(lambda crash=crash: embedded.restarts == crash, 10.0)  # type: ignore[misc]  # mypy reads no default of a lambda
            assert await asyncio.to_thread(answers_mqtt, embedded.host, embedded.port)
        watching.cancel()
    assert embedded.pid != first
    assert embedded.error == ""


async def test_a_server_that_no_longer_answers_is_started_again(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROBE_EVERY_S", 0.05)
    first = embedded.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(embedded.supervise())
        await eventually_async(lambda: embedded.restarts == 1, 20.0)
        watching.cancel()
    assert embedded.pid != first


async def test_a_taken_port_is_said_so(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    second = EmbeddedBroker(tmp_path / "second", clock=SystemClock(), port=embedded.port)
    with pytest.raises(BrokerError, match=f"127.0.0.1:{embedded.port}: the address is taken"):
        await second.start()


async def test_a_directory_has_one_broker(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    second = EmbeddedBroker(tmp_path / "broker", clock=SystemClock(), port=0)
    with pytest.raises(BrokerError, match="another process already runs"):
        await second.start()
    assert await asyncio.to_thread(answers_mqtt, embedded.host, embedded.port)


async def test_a_server_that_does_not_come_up_is_reported_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entrance, "nats_conf", lambda *_, **__: "mqtt { colour: green }")
    broker = EmbeddedBroker(tmp_path, clock=SystemClock(), port=0)
    with pytest.raises(BrokerError, match=r"ended with 1.*(?s:.*)colour"):
        await broker.start()
    assert broker.pid is None


async def test_an_unusable_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    broker = EmbeddedBroker(tmp_path / "file", clock=SystemClock(), port=0)
    with pytest.raises(BrokerError, match="cannot use"):
        await broker.start()


async def test_a_missing_program_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PROGRAM", "no-such-server")
    with pytest.raises(BrokerError, match="scripts/setup"):
        await EmbeddedBroker(tmp_path, clock=SystemClock(), port=0).start()


async def test_a_server_left_behind_by_a_killed_owner_is_replaced(tmp_path: Path) -> None:
    port = free_port()
    owner = EmbeddedBroker(tmp_path, clock=SystemClock(), port=port)
    await owner.start()
    left = owner.pid
    assert left is not None
    assert owner._lock is not None
    owner._lock.close()  # what the kernel does when the owner dies
    async with EmbeddedBroker(tmp_path, clock=SystemClock(), port=port) as broker:
        assert broker.pid != left
        await eventually_async(lambda: owner.pid is None)


async def test_messages_for_an_absent_subscriber_survive_a_restart_of_the_server(embedded: EmbeddedBroker) -> None:
    payloads: list[bytes] = []
    away = connected(embedded, "away", keep_session=True)
    subscribed(away, "some/+")
    here = connected(embedded, "here")
    ended(away)
    here.publish("some/topic", b"kept", qos=1).wait_for_publish(5.0)
    ended(here)
    await embedded.stop()
    await embedded.start()
    back = Client(CallbackAPIVersion.VERSION2, client_id="away", clean_session=False)
    back.on_message = lambda _client, _userdata, message: payloads.append(bytes(message.payload))
    back.connect(embedded.host, embedded.port)
    back.loop_start()
    # What the server had already handed to the connection that was ending comes again after its ack_wait of 10 s.
    await eventually_async(lambda: payloads, 30.0)
    ended(back)
    assert payloads == [b"kept"]


async def test_a_subscriber_that_never_comes_back_does_not_shut_the_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats, "QUEUE_MAX_BYTES", 20_000_000)
    monkeypatch.setattr(nats, "STORE_MAX_BYTES", 40_000_000)
    async with EmbeddedBroker(tmp_path, clock=SystemClock(), port=0) as broker:
        away = connected(broker, "away", keep_session=True)
        subscribed(away, "some/+")
        ended(away)
        here = connected(broker, "here")
        sent = [here.publish("some/topic", bytes(1_000_000), qos=1) for _ in range(60)]
        await eventually_async(lambda: all(one.is_published() for one in sent), 20.0)
        ended(here)
        assert await asyncio.to_thread(answers_mqtt, broker.host, broker.port)


async def test_a_client_may_have_dozens_of_subscriptions(embedded: EmbeddedBroker) -> None:
    granted: list[int] = []
    client = connected(embedded, "many")
    client.on_subscribe = lambda _client, _userdata, _mid, codes, _properties: granted.extend(
        code.value for code in codes
    )
    for number in range(60):
        client.subscribe(f"sensor/{number}", 1)
    await eventually_async(lambda: len(granted) == 60)
    ended(client)
    assert set(granted) == {1}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_runs_a_broker_until_asked_to_end(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    command = [sys.executable, "-m", "hazgate", "broker", "--data", str(tmp_path / "data"), "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        eventually(lambda: answers_mqtt("127.0.0.1", port), 20.0)
        children = psutil.Process(process.pid).children()
        process.send_signal(number)
        _, said = process.communicate(timeout=2.0)
    assert process.returncode == 0
    assert f"mqtt://127.0.0.1:{port}" in said
    assert not any(child.is_running() for child in children)


def test_the_server_ends_with_a_killed_command(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "hazgate", "broker", "--data", str(tmp_path / "data"), "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        eventually(lambda: answers_mqtt("127.0.0.1", port), 20.0)
        process.kill()
    eventually(lambda: not answers_mqtt("127.0.0.1", port))


def test_the_command_says_in_one_sentence_that_the_port_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = subprocess.run(
            [sys.executable, "-m", "hazgate", "broker", "--data", str(tmp_path), "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert result.returncode == 1
    assert "the address is taken" in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr
