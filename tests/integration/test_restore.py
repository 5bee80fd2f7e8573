"""A gateway restored under its edge, all of them processes: it goes on, and the ledger names what the backup lacks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from config.clock import SystemClock
from hazgate.backup import back_up, restore
from tests.support.chain import Chain, running_chain
from tests.support.edges import Sensors
from tests.support.nursery import Nursery
from tests.support.servers import Mosquitto
from tests.support.waiting import eventually

BEFORE, LOST, AFTER = 4, 5, 6
"""Frames before the backup, between backup and restore, and after."""
TOPIC = "plant/mini/T-1.TEMP"


class Readings:
    """Readings of one tag, no two alike, each in a frame of its own."""

    def __init__(self, chain: Chain, sensors: Sensors) -> None:
        self._chain, self._sensors, self._sent = chain, sensors, 0

    def bring(self, frames: int, *, kept_before: int) -> None:
        """Send readings; return when all are kept, in the history, and no longer held by the edge."""
        for kept in range(kept_before + 1, kept_before + frames + 1):
            self._sent += 1
            self._sensors.publish(TOPIC, str(self._sent / 8))
            eventually(lambda kept=kept: self._chain.kept() == kept, 20.0)  # type: ignore[misc]  # mypy reads no default of a lambda
        eventually(lambda: held_by_the_edge(self._chain) == 0, 20.0)


def held_by_the_edge(chain: Chain) -> int:
    with closing(sqlite3.connect(f"file:{chain.folder / 'edge' / 'outbox.db'}?mode=ro", uri=True)) as outbox:
        return int(outbox.execute("SELECT count(*) FROM frame").fetchone()[0])


@contextmanager
def plant_at_work(nursery: Nursery, folder: Path, plant_file: Path) -> Iterator[tuple[Chain, Readings]]:
    with (
        Mosquitto(folder) as broker,
        Sensors(broker) as sensors,
        running_chain(nursery, folder, plant_file, "edge-a", broker, broker) as chain,
    ):
        eventually(chain.reads, 30.0)
        yield chain, Readings(chain, sensors)


@pytest.mark.soak
@pytest.mark.parametrize("records_only", [True, False], ids=["online, records only", "stopped, whole"])
def test_an_edge_goes_on_behind_a_gateway_that_was_restored(
    nursery: Nursery, tmp_path: Path, plant_file: Path, *, records_only: bool
) -> None:
    archive = tmp_path / "b.tar.gz"
    with plant_at_work(nursery, tmp_path, plant_file) as (chain, readings):
        readings.bring(BEFORE, kept_before=0)
        if not records_only:
            assert chain.gateway.stop() == 0
        back_up(chain.data, archive, SystemClock(), records_only=records_only)
        chain.gateway.start()
        eventually(chain.reads, 30.0)
        readings.bring(LOST, kept_before=BEFORE)
        chain.gateway.kill()

        restore(archive, chain.data, SystemClock(), force=True)
        chain.gateway.start()
        eventually(chain.reads, 30.0)
        readings.bring(AFTER, kept_before=BEFORE)
        (edge,) = (one for one in chain.get("/api/v1/ledger")["edges"] if one["edge"] == "edge-a")
        health = chain.get("/api/v1/health")
    assert edge["counts"]["samples_stored"] == BEFORE + AFTER
    assert edge["counts"]["frames_missing"] == LOST, "those of between backup and restore, and no others"
    assert health["history_ok"], health
    assert "kept: less than before" in (tmp_path / "edge.log").read_text(encoding="utf-8"), "the edge says so, too"
