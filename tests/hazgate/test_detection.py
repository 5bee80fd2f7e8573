"""`hazgate bench detection`: faults put into generated series are found, and what is counted is what happened."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hazgate.bench.detection import detect, score
from hazgate.bench.detectors import Alarm, Entry, Outcome, detectors
from hazgate.bench.labelled import Labelled, read_labelled
from hazgate.bench.pipeline import BenchError
from hazgate.commands import bench

START_S = 1_600_000_000


def _text(second: int) -> str:
    return datetime.fromtimestamp(START_S + second, UTC).strftime("%Y-%m-%d %H:%M:%S")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Write a file like SKAB's with a step in one of two channels, one without fault, and one like NAB's."""
    random = np.random.default_rng(1)
    for name, fault in (("other/1", True), ("anomaly-free/free", False)):
        path = tmp_path / "skab" / f"{name}.csv"
        path.parent.mkdir(parents=True)
        labels = ";anomaly;changepoint" if fault else ""
        lines = [f"datetime;Flow;Level{labels}"]
        for at in range(1_000):
            wrong = fault and 600 <= at < 800
            flow, level = random.normal() + 30.0 + 15.0 * wrong, random.normal()
            lines.append(f"{_text(at)};{flow:.4f};{level:.4f}" + (f";{float(wrong)};0.0" if fault else ""))
        path.write_text("\n".join(lines), encoding="utf-8")
    nab = tmp_path / "nab"
    nab.mkdir()
    rows = [f"{_text(300 * at)},{random.normal() - 20.0 * (900 <= at < 920):.5f}" for at in range(1_200)]
    (nab / "machine.csv").write_text("timestamp,value\n" + "\n".join(rows), encoding="utf-8")
    windows = {"known/machine.csv": [[_text(300 * 890), _text(300 * 930)]], "known/absent.csv": []}
    (nab / "windows.json").write_text(json.dumps(windows), encoding="utf-8")
    return tmp_path


def test_labels_are_read_as_they_are(data: Path) -> None:
    free, step, machine = read_labelled(data)
    assert (free.name, free.windows, free.normal_rows) == ("skab/anomaly-free/free.csv", (), 500)
    assert (step.channels, step.normal_rows) == (("Flow", "Level"), 400)
    assert step.windows == (((START_S + 600) * 1_000, (START_S + 799) * 1_000),)
    assert (machine.normal_rows, machine.period_ms) == (180, 300_000), "15 % of 1200 rows"


def test_plain_faults_are_found_at_once_and_nothing_else_is(data: Path) -> None:
    found = detect(data, [1.0], lambda _: None)
    suggested = [one for one in found["files"] if one["detector"] == "suggested H L ROC"]
    free, step, machine = suggested
    assert (free["faults"], step["faults"], machine["faults"]) == (0, 1, 1)
    assert (step["detected"], machine["detected"]) == (1, 1)
    assert step["first"][0].startswith("Flow ")
    assert step["delays_s"][0] < 60.0
    assert machine["delays_s"][0] == pytest.approx(3_000.0, abs=900.0), "ten rows after its window begins"
    assert sum(one["false_alarms"] for one in suggested) <= 2
    totals = {(one["data"], one["detector"]): one for one in found["totals"]}
    assert totals["skab", "suggested H L"]["detected"] == 1
    assert sum(totals["skab", "suggested H L"]["confidence"].values()) == 2 * 2 * 2, "files, channels, conditions"
    assert totals["skab", "3 sigma"]["confidence"] == {}
    assert {"3 sigma", "EWMA", "CUSUM"} <= {name for _, name in totals}


def test_three_sigma_limits_cry_more_often(data: Path) -> None:
    series = read_labelled(data)[0]
    counts = {entry.name: len(entry.run(series).alarms) for entry in detectors([1.0])}
    assert counts["3 sigma"] > counts["suggested H L"]


def test_alarms_are_counted_by_where_they_lie() -> None:
    times = np.arange(100, dtype=np.int64) * 1_000
    series = Labelled("x/y.csv", times, ("A", "B"), np.zeros((2, 100)), ((50_000, 59_000), (70_000, 79_000)), 20)
    alarms = [Alarm(at * 1_000, "A", "H") for at in (5, 30, 49, 53, 55, 60, 99)]
    one = score(series, Entry("told", None, lambda _: Outcome(alarms)))
    assert (one.faults, one.detected, one.delays_s, one.first) == (2, 1, (3.0,), ("A H",))
    assert (one.learnt_alarms, one.false_alarms, one.false_after_fault) == (1, 4, 2)
    outside_s = 80 - 20
    assert one.channel_days * 86_400 == pytest.approx(2 * outside_s)
    assert one.by_chance == pytest.approx(2 * (1 - np.exp(-4 / outside_s * 9)))


def test_the_command_prints_both_tables_or_json(data: Path) -> None:
    words = ["detection", "--data", str(data), "--false-alarms-per-day", "1"]
    table = CliRunner().invoke(bench.app, words)
    assert table.exit_code == 0, table.stderr
    assert "by file" in " ".join(table.stdout.split())
    said = json.loads(CliRunner().invoke(bench.app, [*words, "--json"]).stdout)
    assert said["machine"]["cores"]
    assert len(said["files"]) == 3 * 5


def test_missing_data_is_told(tmp_path: Path) -> None:
    for path, told in ((tmp_path / "nix", "no such directory"), (tmp_path, "neither skab/*/*.csv nor nab")):
        done = CliRunner().invoke(bench.app, ["detection", "--data", str(path)])
        assert done.exit_code == 1
        assert told in done.stderr
    assert CliRunner().invoke(bench.app, ["detection", "--data", ".", "--false-alarms-per-day", "0"]).exit_code == 2


def test_a_damaged_file_is_named(data: Path) -> None:
    path = data / "skab" / "other" / "1.csv"
    path.write_text("datetime;Flow\nyesterday;1\ntoday;2\n", encoding="utf-8")
    with pytest.raises(BenchError, match="yesterday"):
        read_labelled(data)


@pytest.mark.skipif("HAZGATE_DATA" not in os.environ, reason="HAZGATE_DATA does not name a folder of recorded data")
def test_the_recorded_faults_are_found_as_the_page_says() -> None:
    found = detect(Path(os.environ["HAZGATE_DATA"]), [24.0], lambda _: None)
    totals = {(one["data"], one["detector"]): one for one in found["totals"]}
    skab = totals["skab", "suggested H L ROC"]
    assert (skab["faults"], skab["detected"]) == (12, 11)
    assert skab["false_alarms"] < totals["skab", "3 sigma"]["false_alarms"] / 4
