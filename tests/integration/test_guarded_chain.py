"""Sensor, edge and gateway as processes, over TLS and with passwords from files, on both brokers."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from config.contract.topics import Kind, edge_topic
from gateway.certificates import CA_CERTIFICATE
from tests.support.guarded import Guarded, Visitor, guarded
from tests.support.plants import MINI_PLANT
from tests.support.servers import BROKERS
from tests.support.waiting import eventually

NAMES = ("gateway", "edge-a", "edge-a-sensors", "edge-b")


@contextmanager
def process(log: Path, *words: str) -> Iterator[None]:
    with log.open("w", encoding="utf-8") as said:
        started = subprocess.Popen([sys.executable, "-m", "hazgate", *words], stdout=said, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        started.terminate()
        assert started.wait(20) == 0, log.read_text(encoding="utf-8")


def way_in(door: Guarded, folder: Path, name: str) -> tuple[str, str]:
    """Return the address for one client, and the file with its password."""
    file = folder / f"{name}.password"
    file.write_text(f"{door.passwords[name]}\n", encoding="utf-8")
    return f"mqtts://{name}@{door.broker.address}?ca={door.certificates / CA_CERTIFICATE}", str(file)


@pytest.mark.parametrize("kind", sorted(BROKERS))
def test_a_reading_is_kept_and_a_forged_frame_never_seen(kind: str, tmp_path: Path) -> None:
    plant, log = tmp_path / "plant.yaml", tmp_path / "gateway.log"
    plant.write_text(MINI_PLANT, encoding="utf-8")
    with ExitStack() as running:
        door = running.enter_context(guarded(kind, tmp_path, NAMES, tls=True))
        address, password = way_in(door, tmp_path, "gateway")
        words = ("--plant", str(plant), "--broker", address, "--broker-password-file", password)
        data = str(tmp_path / "gateway")
        running.enter_context(process(log, "gateway", "--no-accounts", "--data", data, "--http", "127.0.0.1:0", *words))
        address, password = way_in(door, tmp_path, "edge-a")
        words = ("--plant", str(plant), "--broker", address, "--broker-password-file", password)
        beside = ("--plant-broker", address, "--plant-broker-password-file", password)
        data = str(tmp_path / "edge")
        running.enter_context(
            process(tmp_path / "edge.log", "edge", "--edge", "edge-a", "--data", data, *words, *beside)
        )
        eventually(lambda: re.search(r"API (\S+)/api/v1", log.read_text(encoding="utf-8")), 30.0)
        found = re.search(r"API (\S+)/api/v1", log.read_text(encoding="utf-8"))
        assert found
        with httpx.Client(base_url=f"{found[1]}/api/v1") as api:
            with Visitor(door.address("edge-b")) as thief:
                thief.publish(edge_topic("mini", "edge-a", Kind.TELEMETRY), b"forged")
            with Visitor(door.address("edge-a-sensors")) as sensors:
                eventually(lambda: is_kept(sensors, api), 20.0, every_s=0.3)
            assert api.get("/dead-letters").json()["items"] == []


def is_kept(sensors: Visitor, api: httpx.Client) -> bool:
    """Send a reading; says whether one has come to be kept."""
    sensors.publish("plant/mini/T-1.TEMP", b"21.5")
    edges = api.get("/ledger").json()["edges"]
    return any(one["edge"] == "edge-a" and one["counts"].get("samples_stored", 0) > 0 for one in edges)
