"""systemd is told that the gateway is ready and goes round, and not told so when it stands still."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from gateway.live import Board
from gateway.watchdog import Watchdog
from tests.support.clocks import ManualClock
from tests.support.plants import MINI_PLANT
from tests.support.processes import Process
from tests.support.servers import Mosquitto


class Systemd:
    """The side of systemd: what was said to its socket."""

    def __init__(self) -> None:
        self.address = f"@hazgate-test-{uuid4().hex}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.address[1:])

    def hears(self, within_s: float) -> str:
        """Return the next thing said; empty when nothing is."""
        self._socket.settimeout(within_s)
        try:
            return self._socket.recv(1000).decode()
        except TimeoutError:
            return ""

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd() -> Iterator[Systemd]:
    with closing(Systemd()) as listening:
        yield listening


def test_alive_is_said_for_as_long_as_the_pipeline_goes_round(systemd: Systemd) -> None:
    board, clock = Board(), ManualClock()
    watchdog = Watchdog(board, clock, systemd.address)
    watchdog.turn()
    assert systemd.hears(1.0) == "WATCHDOG=1", "the first replay may take long"
    board.report(beat_monotonic_s=clock.monotonic_s())
    clock.advance_s(9.0)
    watchdog.turn()
    assert systemd.hears(1.0) == "WATCHDOG=1"
    clock.advance_s(2.0)
    watchdog.turn()
    assert systemd.hears(0.1) == "", "it stands still"
    board.report(beat_monotonic_s=clock.monotonic_s())
    watchdog.turn()
    assert systemd.hears(1.0) == "WATCHDOG=1"


def test_a_systemd_that_is_away_ends_nothing(tmp_path: Path) -> None:
    watchdog = Watchdog(Board(), ManualClock(), str(tmp_path / "nobody"))
    watchdog.turn()
    watchdog.turn()


async def test_without_systemd_nothing_is_said() -> None:
    await Watchdog(Board(), ManualClock(), "").run()


def test_a_gateway_says_that_it_is_ready_and_alive_and_still_ends_at_once(tmp_path: Path, systemd: Systemd) -> None:
    plant = tmp_path / "mini.yaml"
    plant.write_text(MINI_PLANT, encoding="utf-8")
    with Mosquitto(tmp_path) as broker:
        where = ("--broker", broker.address, "--http", "127.0.0.1:0", "--plant", str(plant))
        words = ("gateway", "--no-accounts", "--data", str(tmp_path / "data"), *where)
        with Process(tmp_path / "gateway.log", words, {"NOTIFY_SOCKET": systemd.address}) as gateway:
            assert systemd.hears(30.0) == "READY=1", gateway.log
            assert systemd.hears(10.0) == "WATCHDOG=1"
            assert systemd.hears(10.0) == "WATCHDOG=1"
            assert gateway.stop() == 0, gateway.log
