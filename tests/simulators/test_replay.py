"""Recorded data comes out as it was recorded, and what is wrong in it is told."""

from __future__ import annotations

import csv
import math
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from config.clock import SystemClock
from config.errors import PlantError
from config.settings import BrokerAddress
from simulators.errors import ReplayError
from simulators.publish import PlaySettings, play
from simulators.recording import Spoiled
from simulators.replay import Replay, Shift, open_replay, shift_ms, shipped_maps
from tests.support.listener import listening
from tests.support.offline import alarms_of, read_messages
from tests.support.servers import Broker
from tests.support.waiting import eventually_async

DATA = Path(__file__).parents[3] / "shared" / "data"
SKAB = DATA / "skab" / "other" / "1.csv"
NAB = DATA / "nab" / "machine_temperature_system_failure.csv"
RECORDINGS = {"skab": (SKAB, ";"), "nab": (NAB, ",")}

HEADER = (
    "datetime;Accelerometer1RMS;Accelerometer2RMS;Current;Pressure;Temperature;Thermocouple;Voltage;"
    "Volume Flow RateRMS\n"
)


def _needs(path: Path) -> None:
    if not path.is_file():
        pytest.skip(f"the recorded data is not here: {path.name}")


def _skab(tmp_path: Path, rows: str, header: str = HEADER) -> Replay:
    data = tmp_path / "data.csv"
    data.write_text(header + rows, encoding="utf-8")
    return open_replay(data, shipped_maps()["skab"])


ROW = "2020-03-01 15:44:0{};0.08;0.13;1.2;0.05;92;22.2;230;76\n"


def test_a_row_becomes_a_message_per_tag_at_its_time(tmp_path: Path) -> None:
    replay = _skab(tmp_path, ROW.format(6) + ROW.format(8))
    sent = list(replay.messages())
    assert len(sent) == 16
    assert [message.due_ms for message in sent] == [0] * 8 + [2000] * 8
    pressure = next(message for message in sent if message.topic.endswith("PRESSURE"))
    assert msgspec.json.decode(pressure.payload) == {"v": 0.05, "t": 1583077446000}
    assert pressure.samples[0].value == 5.0  # bar to kPa


def test_bad_rows_and_cells_are_counted_told_and_left_out(tmp_path: Path) -> None:
    rows = [
        ROW.format(1),
        ";0.08;0.13;1.2;0.05;92;22.2;230;76\n",
        "yesterday;0.08;0.13;1.2;0.05;92;22.2;230;76\n",
        "2020-03-01 15:44:04;0.08;0.13\n",
        "\n",
        "2020-03-01 15:44:05;;nan;1.2;inf;n/a;22.2;1_0;76\n",
        ROW.format(6),
    ]
    survey = _skab(tmp_path, "".join(rows)).survey()
    assert (survey.rows, survey.spoiled.rows, survey.spoiled.cells, survey.samples) == (3, 3, 5, 8 + 3 + 8)
    assert {(problem.line, problem.key) for problem in survey.spoiled.first} == {
        (3, "datetime"),
        (4, "datetime"),
        (5, "(row)"),
        (7, "Accelerometer1RMS"),
        (7, "Accelerometer2RMS"),
        (7, "Pressure"),
        (7, "Temperature"),
        (7, "Voltage"),
    }


def test_only_the_first_problems_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    survey = _skab(tmp_path, ROW.format(1) + "never;0\n" * 500).survey()
    assert survey.spoiled.rows == 500
    assert len(survey.spoiled.first) == 20


def test_a_recording_without_a_usable_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="no usable row, 1 unusable"):
        _skab(tmp_path, "never;0\n").survey()


def test_missing_columns_are_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ReplayError) as caught:
        _skab(tmp_path, "", header="datetime,Pressure\n").survey()
    assert len(caught.value.problems) == 9
    assert "separator ';'" in str(caught.value)


def test_a_clock_that_was_put_back_keeps_its_rows_and_their_order(tmp_path: Path) -> None:
    sent = list(_skab(tmp_path, ROW.format(6) + ROW.format(8) + ROW.format(7) + ROW.format(9)).messages())
    times = [message.samples[0].time_ms - 1583077440000 for message in sent[::8]]
    assert times == [6000, 8000, 7000, 9000]
    assert [message.due_ms for message in sent[::8]] == [0, 2000, 2000, 3000]


@pytest.mark.parametrize(("speed", "start"), [(1.0, 0.0), (2.0, -1.0), (math.inf, -2.0)])
def test_moved_to_now_no_row_is_sent_before_its_time(tmp_path: Path, speed: float, start: float) -> None:
    survey = _skab(tmp_path, ROW.format(6) + ROW.format(8)).survey()
    moved_ms = shift_ms(survey, Shift.NOW, 1_800_000_000_000, speed)
    assert survey.first_ms + moved_ms == 1_800_000_000_000 + start * 1000
    assert shift_ms(survey, Shift.KEEP, 1_800_000_000_000, speed) == 0


def test_at_most_so_many_rows_are_replayed(tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text(HEADER + "".join(ROW.format(at) for at in range(9)), encoding="utf-8")
    replay = open_replay(data, shipped_maps()["skab"], limit=3)
    assert replay.survey().rows == 3
    assert len(list(replay.messages())) == 24


MAP = (
    "plant: {plant}\nseparator: ','\ntime: {{column: t, format: '{form}', timezone: {zone}}}\ncolumns:\n  v: {column}\n"
)


def _mapped(
    tmp_path: Path, row: str, *, form: str = "iso", zone: str = "UTC", column: str = "{tag: NAB.TEMPERATURE}"
) -> Replay:
    plant = shipped_maps()["nab"].with_name("nab.plant.yaml")
    (tmp_path / "plant.yaml").write_text(plant.read_text(encoding="utf-8"), encoding="utf-8")
    text = MAP.format(plant="plant.yaml", form=form, zone=zone, column=column)
    (tmp_path / "map.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "data.csv").write_text(f"t,v\n{row}\n", encoding="utf-8")
    return open_replay(tmp_path / "data.csv", tmp_path / "map.yaml")


@pytest.mark.parametrize(
    ("row", "form", "zone"),
    [
        ("2025-11-22 08:00:00,1", "iso", "UTC"),
        ("2025-11-22T16:00:00+08:00,1", "iso", "UTC"),
        ("2025-11-22 16:00:00,1", "iso", "Asia/Shanghai"),
        ("22.11.2025 08:00,1", "%d.%m.%Y %H:%M", "UTC"),
        ("1763798400,1", "epoch_s", "UTC"),
        ("1763798400000,1", "epoch_ms", "UTC"),
    ],
)
def test_times_of_every_form_are_understood(tmp_path: Path, row: str, form: str, zone: str) -> None:
    (message,) = _mapped(tmp_path, row, form=form, zone=zone).messages()
    assert message.samples[0].time_ms == 1763798400000


def test_a_map_may_say_where_and_how_to_publish(tmp_path: Path) -> None:
    column = "{tag: NAB.TEMPERATURE, source: {topic: other/place, format: number}}"
    (message,) = _mapped(tmp_path, "2025-11-22 08:00:00,1.5", column=column).messages()
    assert (message.topic, message.payload) == ("other/place", b"1.5")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"column": "{tag: NOPE}"}, "map.yaml:5: columns.v.tag: no tag 'NOPE'"),
        ({"column": "{tga: X}"}, "map.yaml:5: columns.v.tga: this key is not known"),
        ({"zone": "Mars/Olympus"}, "map.yaml:3: time.timezone"),
    ],
)
def test_a_wrong_map_is_told_with_its_line(tmp_path: Path, change: dict[str, str], told: str) -> None:
    with pytest.raises((ReplayError, PlantError)) as caught:
        _mapped(tmp_path, "2025-11-22 08:00:00,1", **change)
    assert told in str(caught.value)


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_recorded_number_is_read_by_the_edge_once_and_unchanged(name: str) -> None:
    path, separator = RECORDINGS[name]
    _needs(path)
    replay = open_replay(path, shipped_maps()[name])
    read = [sample for _, samples in read_messages(replay.plant, replay.messages(), 0) for sample in samples]
    with path.open(newline="", encoding="utf-8") as file:
        recorded = list(csv.DictReader(file, delimiter=separator))
    columns = {"skab": list(recorded[0])[1:9], "nab": ["value"]}[name]
    factors = {"Pressure": 100.0}  # bar to kPa
    wanted = [float(row[column]) * factors.get(column, 1.0) for row in recorded for column in columns]
    assert [sample.value for sample in read] == wanted
    assert replay.survey().spoiled == Spoiled()


def test_the_hour_that_nab_has_twice_is_kept() -> None:
    _needs(NAB)
    times = [message.samples[0].time_ms for message in open_replay(NAB, shipped_maps()["nab"]).messages()]
    assert len(times) == 22_695
    assert sum(later <= earlier for earlier, later in pairwise(times)) == 1
    assert len(times) - len(set(times)) == 12


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_shipped_limits_raise_something(name: str) -> None:
    path, _ = RECORDINGS[name]
    _needs(path)
    replay = open_replay(path, shipped_maps()[name])
    survey = replay.survey()
    seconds, slice_ms = {"skab": (800.0, 100), "nab": (80 * 86_400.0, 3_000_000)}[name]
    alarms = alarms_of(replay.plant, replay.messages(), survey.first_ms, seconds, slice_ms=slice_ms)
    assert len(alarms) >= 3
    assert {alarm.condition for alarm in alarms} & {"H", "L", "HH"}


@pytest.mark.parametrize("name", RECORDINGS)
async def test_every_row_is_published_once(broker: Broker, name: str) -> None:
    path, _ = RECORDINGS[name]
    _needs(path)
    replay = open_replay(path, shipped_maps()[name], limit=300)
    address = BrokerAddress.parse(broker.address)
    wanted = [(message.topic, message.payload) for message in replay.messages()]
    async with listening(address) as heard:
        ledger = await play(replay.messages(), address, SystemClock(), PlaySettings(speed=math.inf))
        await eventually_async(lambda: len(heard) >= len(wanted), 10.0)
    assert heard == wanted
    assert (ledger.messages, ledger.unsent_messages) == (len(wanted), 0)
