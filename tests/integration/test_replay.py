"""Recorded real data through broker, edge and gateway: every row once, to the bit, and the alarms of the naive twin.

STALE is not among the alarms: it depends on the wall clock, and the plants of the recordings do not watch it.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.plant.load import load_plant
from config.units import conversion
from gateway.records.log import Kind
from simulators.replay import REPLAYS
from tests.support.chain import (
    RECORDS_FILE,
    Event,
    archive_log,
    events_of,
    logged,
    recorded,
    rules_of,
    running_chain,
    stored,
    twin_of_log,
)
from tests.support.naive import Sample, Tick, run
from tests.support.nursery import Nursery, Program
from tests.support.servers import Broker
from tests.support.waiting import eventually

DATA = Path(__file__).parents[3] / "shared" / "data"
STALL_MS = 800
"""The recordings have on-delays of seconds. Played as fast as it goes, a machine that stands still for that long lets
the gateway's tick decide before the samples that would have decided have come; then it is played again."""
HOLD_MS = 2_500
"""Longer than a sample of a test bed that samples once a second stands for the process, and a tick."""


@dataclass(frozen=True)
class Recording:
    """What of a file goes where."""

    name: str
    """Of map and plant."""
    edge: str
    file: Path
    separator: str
    time: str
    columns: dict[str, tuple[str, str]]
    """Column -> tag and the unit of the recorded numbers."""
    ends_in_ticks: bool
    """Delays still running at its end are over within seconds of the gateway's clock."""

    def rows(self) -> list[tuple[str, int, float]]:
        """Read it: tag, source time and value in canonical unit, in the order of the file."""
        plant = load_plant(REPLAYS / f"{self.name}.plant.yaml")
        found = []
        with self.file.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter=self.separator):
                time_ms = round(datetime.fromisoformat(row[self.time]).replace(tzinfo=UTC).timestamp() * 1000)
                for column, (tag, unit) in self.columns.items():
                    convert = conversion(unit, plant.tags[tag].quantity)
                    found.append((tag, time_ms, convert.to_canonical(float(row[column]))))
        return found


SKAB = Recording(
    name="skab",
    edge="testbed",
    file=DATA / "skab" / "other" / "1.csv",
    separator=";",
    time="datetime",
    columns={
        "Accelerometer1RMS": ("SKAB.ACC1", "g"),
        "Accelerometer2RMS": ("SKAB.ACC2", "g"),
        "Current": ("SKAB.CURRENT", "A"),
        "Pressure": ("SKAB.PRESSURE", "bar"),
        "Temperature": ("SKAB.TEMPERATURE", "degC"),
        "Thermocouple": ("SKAB.THERMOCOUPLE", "degC"),
        "Voltage": ("SKAB.VOLTAGE", "V"),
        "Volume Flow RateRMS": ("SKAB.FLOW", "L/min"),
    },
    ends_in_ticks=True,
)
NAB = Recording(
    name="nab",
    edge="machine",
    file=DATA / "nab" / "machine_temperature_system_failure.csv",
    separator=",",
    time="timestamp",
    columns={"value": ("NAB.TEMPERATURE", "deg")},
    ends_in_ticks=False,
)


@pytest.mark.parametrize("broker", ["mosquitto", pytest.param("embedded", marks=pytest.mark.soak)], indirect=True)
@pytest.mark.parametrize("recording", [SKAB, NAB], ids=lambda recording: recording.name)
@pytest.mark.timeout(300)
def test_a_recording_is_stored_row_by_row_and_raises_the_alarms_of_the_twin(
    recording: Recording, broker: Broker, nursery: Nursery, tmp_path: Path
) -> None:
    if not recording.file.is_file():
        pytest.skip(f"the recorded data is not there: {recording.file}")
    rows = recording.rows()
    data = play_steadily(recording, broker, nursery, tmp_path, len(set(rows)))
    plant = load_plant(REPLAYS / f"{recording.name}.plant.yaml")

    kept = stored(data, plant)
    assert set(kept.values()) == {1}, "stored more than once"
    assert kept.keys() == set(rows)

    told = recorded(data)
    assert len(told) > 10
    assert told == twin_of_log(data, plant)
    if longest_silence_ms(data) >= STALL_MS or late(data):
        pytest.skip(f"this machine stood still for {STALL_MS} ms each time: ticks and samples met differently")
    assert ordered(told) == ordered(twin_of_file(recording, data, rows))


def play_steadily(recording: Recording, broker: Broker, nursery: Nursery, folder: Path, distinct: int) -> Path:
    """Replay until the machine has not stood still meanwhile, twice at most; returns the data directory."""
    place = folder
    for attempt in range(2):
        place = folder / str(attempt)
        place.mkdir()
        play(recording, broker, nursery, place, distinct)
        if longest_silence_ms(place / "gateway") < STALL_MS and not late(place / "gateway"):
            break
    return place / "gateway"


def play(recording: Recording, broker: Broker, nursery: Nursery, folder: Path, distinct: int) -> None:
    """Replay a recording through a chain of its own; everything is kept and has ended when this returns."""
    plant_file = REPLAYS / f"{recording.name}.plant.yaml"
    with running_chain(nursery, folder, plant_file, recording.edge, broker, broker) as chain:
        eventually(chain.reads, 60.0, every_s=0.05)
        archive_log(chain.data)
        words = ("replay", str(recording.file), "--map", recording.name, "--speed", "max", "--json")
        with Program(nursery, folder / "replay.log", (*words, "--broker", broker.address)) as replay:
            eventually(lambda: not replay.running, 120.0, every_s=0.05)
            assert replay.stop() == 0, replay.log
        sent = json.loads(replay.log.splitlines()[-1])
        assert (sent["unsent_samples"], sent["samples"]) == (0, distinct)
        eventually(lambda: chain.kept() == distinct, 60.0, every_s=0.1)
        eventually(lambda: silence_ms(chain.data) > HOLD_MS, 30.0, every_s=0.1)
        assert chain.edge.stop() == 0
        assert chain.gateway.stop() == 0


def twin_of_file(recording: Recording, data: Path, rows: list[tuple[str, int, float]]) -> list[Event]:
    """Run the naive twin over the rows of the file, as if each had been received at its own time."""
    rules = rules_of(data, load_plant(REPLAYS / f"{recording.name}.plant.yaml"))
    samples: list[Sample | Tick] = [
        Sample(rules.names.index(tag), time_ms, value, 0, time_ms) for tag, time_ms, value in rows
    ]
    if recording.ends_in_ticks:
        samples.append(Tick(max(time_ms for _, time_ms, _ in rows) + HOLD_MS))
    return events_of(rules, run(rules, samples))


def ordered(events: list[Event]) -> list[Event]:
    """Order events so that it does not matter how samples of different tags were mixed on their way."""
    return sorted(events, key=lambda one: (one.tag, one.condition, one.at_ms, one.onset_ms, one.kind))


def silence_ms(data: Path) -> int:
    """Return how long the gateway has ticked since the last samples."""
    rows = [(kind, received_ms) for _, received_ms, kind, _, _ in logged(data)]
    heard_ms = [received_ms for kind, received_ms in rows if kind is Kind.SAMPLES]
    return rows[-1][1] - heard_ms[-1]


def late(data: Path) -> int:
    """Return how many samples came late: the embedded broker sends again in another order when it is kept waiting."""
    with closing(sqlite3.connect(data / RECORDS_FILE)) as records:
        (count,) = records.execute("SELECT sum(samples_late) FROM ledger").fetchone()
    return int(count)


def longest_silence_ms(data: Path) -> int:
    """Return how much silence a tick has ever seen between the first and the last samples."""
    longest_ms, heard_ms, pending_ms = 0, -1, 0
    for _, received_ms, kind, _, _ in logged(data):
        if kind is Kind.SAMPLES:
            longest_ms, heard_ms, pending_ms = max(longest_ms, pending_ms), received_ms, 0
        elif heard_ms >= 0:
            pending_ms = received_ms - heard_ms
    return longest_ms
