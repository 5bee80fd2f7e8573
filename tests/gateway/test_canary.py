"""The canary: a reading that goes all the way, and somebody outside who cries when none comes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from config.errors import PlantError
from config.plant.load import read_plant
from gateway.broker import free_port
from gateway.canary import Canary
from gateway.live import Board, Values
from tests.support.edges import FakeGateway, edge_settings, running_edge
from tests.support.plants import MINI_PLANT
from tests.support.servers import Mosquitto
from tests.support.waiting import eventually, eventually_async

RECEIVER = Path(__file__).parents[2] / "scripts" / "canary_receiver.py"
CANARY = """\
  CANARY:
    description: {zh: "金丝雀", en: "Canary"}
    kind: other
    quantity: number
    unit: "1"
    range: [0, 1000]
    period: 1s
    edge: edge-a
    source: {driver: canary}
"""
PLANT = read_plant(MINI_PLANT + CANARY, "canary.yaml")


def values(time_ms: int, *, stale: bool = False) -> Values:
    names = tuple(PLANT.tags)
    times = np.full(len(names), -1, np.int64)
    times[names.index("CANARY")] = time_ms
    number, flags = np.zeros(len(names)), np.full(len(names), stale)
    return Values(time_ms, names, times, times, number, np.zeros(len(names), np.uint8), flags)


@contextmanager
def receiver(tmp_path: Path, after_s: float) -> Iterator[tuple[str, Path]]:
    port, cries = free_port(), tmp_path / "cries"
    script = tmp_path / "cry"
    script.write_text(f'#!/bin/sh\necho "$1" >> "{cries}"\n', encoding="utf-8")
    script.chmod(0o755)
    command = [sys.executable, str(RECEIVER), "--listen", f"127.0.0.1:{port}", "--after-s", str(after_s)]
    with subprocess.Popen([*command, "--again-s", "0.4", "--on-silence", str(script)]) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            eventually(lambda: status(url) > 0, 10.0)
            yield url, cries
        finally:
            process.kill()


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=2.0) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_silence_is_cried_again_and_again_and_its_end_is_told(tmp_path: Path) -> None:
    with receiver(tmp_path, 0.6) as (url, cries):
        board = Board()
        canary = Canary(PLANT, board, f"{url}/canary")
        canary.turn()
        board.values = values(1_000)
        canary.turn()
        assert status(url) == 200
        eventually(lambda: cries.exists() and cries.read_text().count("SILENCE") >= 2, 10.0)
        assert status(url) == 503
        canary.turn()
        assert status(url) == 503, "the same reading is no sign of life"
        board.values = values(2_000, stale=True)
        canary.turn()
        assert status(url) == 503, "nor is an old one"
        board.values = values(2_000)
        canary.turn()
        eventually(lambda: "OVER" in cries.read_text(), 10.0)
        assert status(url) == 200


def test_rubbish_is_no_sign_of_life(tmp_path: Path) -> None:
    with receiver(tmp_path, 0.5) as (url, cries):
        eventually(cries.exists, 10.0)
        for body in (b"", b"nonsense", b"[]", b"{}", json.dumps({"x": 1}).encode()):
            request = urllib.request.Request(f"{url}/canary", data=body, method="POST")
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(request, timeout=2.0)
        for length in ("-1", "abc", "20000", "9" * 30):
            assert raw_post(url, length).startswith(b"HTTP/1.0 400 "), length
        assert status(url) == 503


def raw_post(url: str, length: str) -> bytes:
    """Say how long the body will be, send none of it, and return the answer."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5.0) as connection:
        connection.sendall(f"POST /canary HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
        return connection.recv(1000)


def test_a_receiver_that_is_away_is_tried_again() -> None:
    board = Board()
    canary = Canary(PLANT, board, f"http://127.0.0.1:{free_port()}/canary")
    board.values = values(1_000)
    canary.turn()
    canary.turn()
    assert canary._told == {}


async def test_an_edge_sings_in_its_period(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, FakeGateway(broker, "mini", "edge-a") as gateway:
        async with running_edge(edge_settings(tmp_path / "edge", broker, broker), PLANT):
            await eventually_async(lambda: len([one for one in gateway.samples if one[0] == "CANARY"]) >= 3, 10.0)
    sung = [one for one in gateway.samples if one[0] == "CANARY"]
    assert [value for *_, value in sung[:3]] == [1.0, 2.0, 3.0]
    assert 900 < sung[1][1] - sung[0][1] < 2_000


def test_a_canary_reads_nothing() -> None:
    with pytest.raises(PlantError, match="topic of a canary"):
        read_plant(MINI_PLANT + CANARY.replace("driver: canary", "driver: canary, topic: x"), "canary.yaml")
