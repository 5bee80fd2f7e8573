"""kill -9 of the agent at random moments under load: what the plant broker acknowledged arrives, exactly once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest
from typer.testing import CliRunner

from hazgate.cli import build
from tests.support.edges import FakeGateway, Sensors
from tests.support.plants import MINI_PLANT
from tests.support.servers import Broker
from tests.support.waiting import eventually

KILLS = 4
RATE = 400


class Agent:
    """`hazgate edge` as a process."""

    def __init__(self, folder: Path, broker: Broker, *options: str) -> None:
        self._folder = folder
        plant = folder / "plant.yaml"
        plant.write_text(MINI_PLANT, encoding="utf-8")
        hazgate = Path(sys.executable).with_name("hazgate")
        self.command = [str(hazgate), "edge", "--plant", str(plant), "--edge", "edge-a", "--data", str(folder / "edge")]
        self.command += ["--plant-broker", broker.address, "--broker", broker.address, *options]
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "edge.log"

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        return self.process

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def said(self, text: str) -> int:
        """How many times it has logged something."""
        return self.log.read_text(encoding="utf-8").count(text) if self.log.exists() else 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


@contextmanager
def load(sensors: Sensors) -> Iterator[None]:
    """Publish on a thread of its own, about `RATE` readings a second on two tags."""
    stop = threading.Event()

    def publish() -> None:
        number = 0
        while not stop.wait(0.01):
            for _ in range(RATE // 100):
                number += 1
                time_ms = 1_700_000_000_000 + number
                if number % 2:
                    sample: tuple[str, int, float] = ("T-1.LEVEL", time_ms, number / 8)
                    sensors.publish_json("plant/mini/T-1.LEVEL", {"v": number / 8, "t": time_ms, "q": 0}, mark=sample)
                else:
                    sample = ("GD-1", time_ms, 2.5)
                    sensors.publish_json("plant/mini/GD-1", {"mA": 12, "t": time_ms}, mark=sample)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.timeout(180)
def test_nothing_the_plant_broker_acknowledged_is_lost_or_doubled(impatient: Broker, tmp_path: Path) -> None:
    chance = random.Random(20251122)
    agent = Agent(tmp_path, impatient, "--frame-max-delay-ms", "50", "--resend-after-s", "1")
    with agent, FakeGateway(impatient, "mini", "edge-a") as gateway, Sensors(impatient) as sensors:
        eventually(lambda: agent.said("plant broker connected") == 1, 20.0)
        with load(sensors):
            for kill in range(KILLS):
                threading.Event().wait(chance.uniform(0.0, 0.7))
                agent.kill()
                agent.start()
                eventually(lambda kill=kill: agent.said("plant broker connected") == kill + 2, 20.0)  # type: ignore[misc]  # bound now
        eventually(lambda: not sensors.waiting, 20.0)
        wanted = sorted(sensors.acknowledged, key=str)
        eventually(lambda: len(set(gateway.samples)) >= len(wanted), 40.0)
        assert sorted(gateway.samples, key=str) == wanted
        assert len(gateway.upto) == 1, "one epoch all along"
        assert len(wanted) > KILLS * 50


def test_the_signal_to_stop_ends_it_cleanly_and_quickly(broker: Broker, tmp_path: Path) -> None:
    with Agent(tmp_path, broker) as agent, FakeGateway(broker, "mini", "edge-a") as gateway:
        for signal_ in (signal.SIGTERM, signal.SIGINT):
            eventually(lambda: gateway.status is not None and gateway.status.online, 20.0)
            assert agent.process is not None
            agent.process.send_signal(signal_)
            assert agent.process.wait(3.0) == 0
            eventually(lambda: gateway.status is not None and not gateway.status.online)
            gateway.statuses.clear()
            agent.start()


def test_a_killed_agent_is_offline_by_its_will(broker: Broker, tmp_path: Path) -> None:
    with Agent(tmp_path, broker) as agent, FakeGateway(broker, "mini", "edge-a") as gateway:
        eventually(lambda: gateway.status is not None and gateway.status.online, 20.0)
        agent.kill()
        eventually(lambda: gateway.status is not None and not gateway.status.online)
        assert gateway.status is not None
        assert gateway.status.at_ms == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--plant", "nowhere.yaml"], "not found"),
        (["--broker", "http://x"], "mqtt://"),
        (["--frame-max-samples", "0"], "--frame-max-samples 0"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_2(tmp_path: Path, options: list[str], sentence: str) -> None:
    said = {"--edge": "tankfarm", "--plant": "demo", "--data": str(tmp_path)} | {options[0]: options[1]}
    done = CliRunner().invoke(build("edge"), ["edge", *(word for pair in said.items() for word in pair)])
    assert done.exit_code == 2
    assert sentence in done.output


def test_an_edge_the_plant_does_not_have_is_wrong_use(tmp_path: Path) -> None:
    hazgate = Path(sys.executable).with_name("hazgate")
    command = [str(hazgate), "edge", "--edge", "nobody", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "no such edge agent; it has: tankfarm, detectors, trucks" in done.stderr
    assert "Traceback" not in done.stderr
