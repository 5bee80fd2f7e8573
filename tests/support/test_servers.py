"""The brokers the other tests stand on."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from paho.mqtt import publish
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from gateway.probe import answers_mqtt
from tests.support.paho import ended
from tests.support.servers import Broker, Mosquitto
from tests.support.waiting import eventually, eventually_async


def retain(broker: Broker, text: str) -> None:
    publish.single("some/topic", text, qos=1, retain=True, hostname=broker.host, port=broker.port)


def retained(broker: Broker) -> bytes:
    payloads: list[bytes] = []

    def arrived(_client: Client, _userdata: object, message: MQTTMessage) -> None:
        payloads.append(bytes(message.payload))

    subscriber = Client(CallbackAPIVersion.VERSION2)
    subscriber.on_connect = lambda client, *_: client.subscribe("some/topic", 1)
    subscriber.on_message = arrived
    subscriber.connect(broker.host, broker.port)
    subscriber.loop_start()
    eventually(lambda: payloads)
    ended(subscriber)
    return payloads[0]


def test_a_broker_keeps_its_address_over_kill_and_start(broker: Broker) -> None:
    port = broker.port
    broker.kill()
    assert not broker.running
    assert not answers_mqtt(broker.host, port)
    broker.start()
    retain(broker, "hello")
    assert broker.port == port
    assert retained(broker) == b"hello"


def test_a_stopped_and_restarted_broker_lets_clients_connect(broker: Broker) -> None:
    before = broker.pid
    broker.restart()
    assert broker.pid != before
    retain(broker, "again")
    assert retained(broker) == b"again"


def test_a_broker_writes_a_log(broker: Broker) -> None:
    eventually(lambda: broker.log)


def test_state_cannot_be_wiped_under_a_running_broker(broker: Broker) -> None:
    with pytest.raises(RuntimeError, match="stop or kill"):
        broker.wipe()


def test_a_persistent_mosquitto_keeps_retained_messages_until_wiped(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, persistent=True) as broker:
        retain(broker, "kept")
        broker.restart()
        assert retained(broker) == b"kept"
        broker.stop()
        broker.wipe()
        assert not broker.state_dir.exists()


def test_leaving_the_context_ends_the_process_even_after_an_error(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    pids: list[int] = []

    def fail_with_a_running_broker() -> None:
        with broker:
            pids.append(broker.pid or 0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_with_a_running_broker()
    assert not broker.running
    assert not psutil.pid_exists(pids[0])


def test_eventually_gives_up_with_the_place_of_the_condition() -> None:
    with pytest.raises(AssertionError, match=r"test_servers\.py"):
        eventually(lambda: False, 0.05)


async def test_eventually_lets_the_loop_run() -> None:
    happened = threading.Event()
    asyncio.get_running_loop().call_later(0.02, happened.set)
    await eventually_async(happened.is_set)


LEAVES_A_TASK = """
import asyncio
tasks = []
async def test_leaves_a_task():
    tasks.append(asyncio.ensure_future(asyncio.Event().wait()))
"""
LEAVES_A_THREAD = """
import threading
def test_leaves_a_thread():
    threading.Thread(target=threading.Event().wait, name="forgotten", daemon=True).start()
"""


@pytest.mark.parametrize(
    ("code", "complaint"), [(LEAVES_A_TASK, "left tasks running"), (LEAVES_A_THREAD, "left threads running: forgotten")]
)
def test_a_test_that_leaves_something_running_fails(tmp_path: Path, code: str, complaint: str) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import no_task_left, nothing_left_running\n")
    (tmp_path / "test_it.py").write_text(code)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-o", "asyncio_mode=auto", "--rootdir", tmp_path, tmp_path],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1, result.stdout + result.stderr
    assert complaint in result.stdout
