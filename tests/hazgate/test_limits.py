"""`hazgate limits suggest` as people run it: what it prints goes into a plant file as it is."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner, Result

from config.plant.load import read_plant
from config.plant.model import Condition
from gateway.app import HISTORY_FILE
from gateway.history.duckdb_store import HistoryStore
from gateway.history.port import HistoryBatch
from gateway.lock import own
from gateway.records.database import open_writer
from gateway.records.schema import tag as tag_table
from hazgate.cli import build

PLANT = """
enterprise: {id: e, name: {zh: "企业", en: "Enterprise"}}
site: {id: s, name: {zh: "厂", en: "Site"}, latitude_deg: 0, longitude_deg: 0}
edges:
  edge: {name: {zh: "边缘", en: "Edge"}}
tags:
  P1: &P
    description: {zh: "压力", en: "Pressure"}
    kind: pressure_transmitter
    quantity: pressure
    unit: bar
    range: [0, 10]
    period: 1s
    window: 32s
    edge: edge
    source: {topic: plant/p1}
    limits: {}
""".replace("&P", "")
MAP = """
plant: plant.yaml
separator: ";"
time: {column: time, format: epoch_s}
columns:
  p: {tag: P1, unit: kPa}
"""
COUNT = 4_000


def _run(*words: str) -> Result:
    return CliRunner().invoke(build("limits"), ["limits", "suggest", *words])


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    kpa = 500.0 + 20.0 * np.random.default_rng(1).normal(size=COUNT)
    rows = [f"{1_000_000 + at};{value:.4f}" for at, value in enumerate(kpa)]
    (tmp_path / "some.csv").write_text("time;p\n" + "\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "map.yaml").write_text(MAP, encoding="utf-8")
    (tmp_path / "plant.yaml").write_text(PLANT, encoding="utf-8")
    return tmp_path


def words(of: Path, *more: str) -> tuple[str, ...]:
    return ("--csv", str(of / "some.csv"), "--map", str(of / "map.yaml"), "--false-alarms-per-day", "100", *more)


def with_limits(plant: str, fragment: str) -> str:
    """Put a printed fragment into a plant file."""
    document, more = yaml.safe_load(plant), yaml.safe_load(fragment)
    for name, part in more["tags"].items():
        document["tags"][name]["limits"] = part["limits"]
    text: str = yaml.safe_dump(document, allow_unicode=True)
    return text


def test_the_fragment_is_taken_by_the_plant_file(recording: Path) -> None:
    done = _run(*words(recording, "--yaml"))
    assert done.exit_code == 0, done.stderr
    plant = read_plant(with_limits(PLANT, done.stdout), "plant.yaml")
    rules = {rule.condition: rule for rule in plant.tags["P1"].conditions}
    assert set(rules) >= {Condition.H, Condition.L, Condition.ROC_HIGH, Condition.ROC_LOW}
    assert 540.0 < rules[Condition.H].limit < 620.0, "canonical unit: kPa"
    assert 380.0 < rules[Condition.L].limit < 460.0
    assert rules[Condition.H].deadband > 1.0
    assert "confidence" in rules[Condition.H].basis
    assert "# H: " in done.stdout


def test_json_says_the_same_in_the_unit_of_the_tag(recording: Path) -> None:
    answer: list[dict[str, Any]] = json.loads(_run(*words(recording, "--json")).stdout)
    (tag,) = answer
    assert (tag["tag"], tag["unit"]) == ("P1", "bar")
    high, low, rise, fall = tag["suggestions"]
    assert 5.4 < high["limit"] < 6.2
    assert high["limit"] <= tag["limits"]["H"]["limit"] <= high["limit"] * 1.001, "rounded outwards"
    assert low["limit"] * 0.999 <= tag["limits"]["L"]["limit"] <= low["limit"]
    assert rise["limit"] > 0.0 < fall["limit"]
    assert high["wanted_per_day"] == 25.0
    assert high["expected_per_day"] <= 25.0001
    assert high["expected_per_day"] <= high["upper_per_day"]


def test_the_table_names_limits_and_reasons(recording: Path) -> None:
    done = _run(*words(recording, "--conditions", "H,L"))
    assert done.exit_code == 0
    assert "bar" in done.stdout
    assert "ROC" not in done.stdout
    far = _run(*words(recording)[:-2], "--conditions", "H")
    assert "of normal data for one alarm in 30 days: P1 H" in " ".join(far.stdout.split())


def test_only_the_period_named_is_looked_at(recording: Path) -> None:
    span = ("--from", "1970-01-12T13:46:40", "--to", "1970-01-12T14:20:00")  # 1 000 000 s and 2 000 s on
    (tag,) = json.loads(_run(*words(recording, "--json", "--conditions", "H", *span)).stdout)
    assert tag["suggestions"][0]["days"] * 86_400 == pytest.approx(1_999)


def test_a_period_that_says_nothing_ends_with_exit_1(recording: Path) -> None:
    done = _run(*words(recording, "--json", "--to", "1970-01-12T13:46:50"))
    assert done.exit_code == 1
    (tag,) = json.loads(done.stdout)
    assert [one["confidence"] for one in tag["suggestions"]] == ["cannot say"] * 4
    assert tag["suggestions"][0]["limit"] is None
    assert tag["limits"] == {}


def test_a_limit_outside_the_range_is_left_out_and_told(recording: Path) -> None:
    narrow = PLANT.replace("range: [0, 10]", "range: [4.8, 5.2]")
    (recording / "plant.yaml").write_text(narrow, encoding="utf-8")
    done = _run(*words(recording, "--yaml", "--conditions", "H,ROC+"))
    assert "outside the instrument's range" in done.stdout
    assert set(yaml.safe_load(done.stdout)["tags"]["P1"]["limits"]) == {"ROC+"}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--tags", "NIX"), "the plant has no tag NIX; it has P1"),
        (("--conditions", "HH"), "expected some of H, L, ROC+, ROC-"),
        (("--from", "yesterday"), "--from 'yesterday': expected a time as ISO 8601"),
        (("--from", "2030-01-01"), "no samples of any tag in that time"),
        (("--json", "--yaml"), "either --json or --yaml"),
        (("--data-dir", "."), "either --csv with --map, or --data-dir"),
        (("--false-alarms-per-day", "0"), "a positive number is needed"),
    ],
)
def test_wrong_use_ends_with_a_sentence_and_exit_2(recording: Path, more: tuple[str, ...], told: str) -> None:
    done = _run(*words(recording, *more))
    assert done.exit_code == 2
    assert told in done.stderr


def test_a_recording_needs_its_map_and_its_columns(recording: Path) -> None:
    csv = str(recording / "some.csv")
    assert "needs --map" in _run("--csv", csv).stderr
    assert "not found" in _run("--csv", csv, "--map", "nix.yaml").stderr
    assert "no such column" in _run("--csv", csv, "--map", "nab").stderr
    assert "neither" not in _run().stderr
    assert _run().exit_code == 2


def make_history(data_dir: Path) -> None:
    """Keep an hour of one tag as a gateway would, under the number 3."""
    data_dir.mkdir()
    engine = open_writer(data_dir)
    with engine.begin() as connection:
        connection.execute(tag_table.insert(), [{"tag_id": 3, "name": "P1"}])
    engine.dispose()
    with contextlib.closing(HistoryStore(data_dir / HISTORY_FILE)) as store:
        times = np.arange(COUNT, dtype=np.int64) * 1_000
        value = 500.0 + 20.0 * np.random.default_rng(1).normal(size=COUNT)
        no = np.zeros(COUNT, np.bool_)
        store.append(
            HistoryBatch(np.full(COUNT, 3, np.int32), times, times, value, np.zeros(COUNT, np.uint8), no, no), 1
        )


def test_the_history_of_a_stopped_gateway_will_do(recording: Path) -> None:
    data_dir = recording / "data"
    make_history(data_dir)
    from_history = ("--data-dir", str(data_dir), "--plant", str(recording / "plant.yaml"))
    rate = ("--false-alarms-per-day", "100", "--json")
    (tag,) = json.loads(_run(*from_history, *rate).stdout)
    (same,) = json.loads(_run(*words(recording, "--json")).stdout)
    assert math.isclose(tag["suggestions"][0]["limit"], same["suggestions"][0]["limit"], rel_tol=1e-4)
    with own(data_dir):
        busy = _run(*from_history, *rate)
    assert busy.exit_code == 1
    assert "stop the gateway" in busy.stderr


def test_a_directory_without_history_is_named(recording: Path) -> None:
    done = _run("--data-dir", str(recording), "--plant", str(recording / "plant.yaml"))
    assert done.exit_code == 1
    assert f"no {HISTORY_FILE}" in done.stderr
