"""`hazgate bench`: what it sends it accounts for, and it says so with an exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from hazgate.bench.load import Case, _alarming
from hazgate.commands import bench

CASE = Case("some", edges=8, tags_per_edge=50, frame_samples=10, samples_per_s=100, alarming_tags=20)


def test_a_short_run_accounts_for_every_sample_and_says_on_what() -> None:
    words = ("--seconds", "2", "--rate", "5000", "--case", "single", "--broker", "embedded", "--json")
    done = subprocess.run(
        [sys.executable, "-m", "hazgate", "bench", "pipeline", *words],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["machine"]["cores"]
    assert said["machine"]["duckdb"]
    (row,) = said["cases"]
    assert (row["case"], row["broker"], row["lost"]) == ("single", "embedded", 0)
    assert row["sent"] == row["counted_stored"] == row["stored_in_history"] > 20_000, "warm-up and run"
    assert row["alarms"] > 5
    assert 0 < row["sample_to_alarm_ms"]["p50"] <= row["sample_to_alarm_ms"]["p99"] <= row["sample_to_alarm_ms"]["max"]
    assert 0 < row["gateway_cpu_cores"] < 3


def test_a_lost_sample_is_told_by_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def losing(case: Case, broker: str, *_: object) -> dict[str, Any]:
        return {"case": case.name, "broker": broker, "lost": 1}

    monkeypatch.setattr(bench, "run_case", losing)
    result = CliRunner().invoke(bench.app, ["pipeline", "--case", "single", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["cases"] == [{"case": "single", "broker": "mosquitto", "lost": 1}]


def test_alarming_tags_are_dealt_to_all_edges_and_to_all_their_places() -> None:
    tags = _alarming(CASE, np.random.default_rng(1))
    assert sorted(map(len, tags)) == [2] * 4 + [3] * 4
    assert all(len(set(one)) == len(one) and set(one) <= set(range(50)) for one in tags)
    places = sorted(tag for one in tags for tag in one)
    assert places[0] < 10, "not all late in the round"
    assert places[-1] >= 40, "not all early in the round"


def test_the_kpis_of_a_month_are_measured_on_as_many_alarms_as_asked_for() -> None:
    result = CliRunner().invoke(bench.app, ["kpi", "--alarms", "3000", "--days", "3", "--json"])
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["cases"]
    assert (row["alarms"], row["annunciated"], len(row["seconds"])) == (3_000, 3_000, 3)
    assert row["floods"] > 0
    assert row["chattering"] > 0


def test_hidden_dangers_are_asked_for_among_as_many_as_asked_for() -> None:
    result = CliRunner().invoke(bench.app, ["dangers", "--dangers", "600", "--enterprises", "5", "--json"])
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["cases"]
    assert row["dangers"] == 600
    assert 0 < row["open_at_unit"]["p50"] <= row["open_at_unit"]["p95"] <= row["open_at_unit"]["max"]
    assert {"page_overdue", "counts_all", "on_time_all", "quiet_turn"} <= set(row)
