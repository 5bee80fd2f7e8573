"""`hazgate backtest` on a real history, and the same by the API of a real server."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert
from typer.testing import CliRunner

from gateway.history.duckdb_store import HistoryStore
from gateway.history.port import HistoryBatch
from gateway.lock import own
from gateway.records import schema
from gateway.records.database import open_writer
from hazgate.cli import build
from tests.support.plants import MINI_PLANT

BEGIN_MS = 1_763_769_600_000  # 2025-11-22T00:00:00Z
PLANT = MINI_PLANT
CHANGED = MINI_PLANT.replace("H: {limit: 40, deadband: 0", "H: {limit: 44, deadband: 0")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a stopped gateway: T-1.TEMP at 20, at 42 for ten seconds, at 46 for ten."""
    folder = tmp_path_factory.mktemp("data")
    records = open_writer(folder)
    with records.begin() as connection:
        connection.execute(insert(schema.tag), [{"tag_id": 0, "name": "T-1.LEVEL"}, {"tag_id": 1, "name": "T-1.TEMP"}])
    records.dispose()
    value = np.full(3_600, 20.0)
    value[100:110], value[200:210], value[300:310] = 42.0, 46.0, (42, 42, 42, 45, 45, 45, 45, 42, 42, 42)
    time_ms = BEGIN_MS + 1_000 * np.arange(len(value))
    store = HistoryStore(folder / "history.duckdb")
    nothing = np.zeros(len(value), np.bool_)
    store.append(
        HistoryBatch(
            np.ones(len(value), np.int32), time_ms, time_ms, value, nothing.astype(np.uint8), nothing, nothing
        ),
        1,
    )
    store.close()
    (folder / "today.yaml").write_text(PLANT, encoding="utf-8")
    (folder / "new.yaml").write_text(CHANGED, encoding="utf-8")
    return folder


def run(data: Path, *more: str, rules: str = "new.yaml") -> tuple[int, str, str]:
    arguments = ["backtest", "--rules", str(data / rules), "--plant", str(data / "today.yaml"), "--data-dir", str(data)]
    result = CliRunner().invoke(
        build("backtest"), [*arguments, "--from", "2025-11-22", "--to", "2025-11-22T01:00:00Z", *more]
    )
    return result.exit_code, result.stdout, result.stderr


def test_what_comes_goes_and_moves(data: Path) -> None:
    code, out, _ = run(data, "--json", "--tags", "T-1.*")
    report = json.loads(out)
    assert code == 0
    assert (report["tags"], report["samples"]) == (2, 3_600)
    (changed,) = [one for one in report["conditions"] if one["condition"] == "H"]
    assert (changed["today"]["alarms"], changed["proposed"]["alarms"]) == (3, 2)
    assert (changed["added"], changed["removed"], changed["moved"]) == (0, 1, 1)
    assert (changed["today"]["in_alarm_s"], changed["proposed"]["in_alarm_s"]) == (30.0, 14.0)
    told = [(one["kind"], (one["raised_ms"] - BEGIN_MS) // 1_000) for one in report["changes"]]
    assert told == [("removed", 100), ("moved", 303)]
    assert report["today"]["per_day"] == 72.0
    assert report["proposed"]["verdict"] == "acceptable"


def test_the_table_and_the_picture(data: Path, tmp_path: Path) -> None:
    picture = tmp_path / "backtest.svg"
    code, out, _ = run(data, "--plot", str(picture))
    assert code == 0
    assert "T-1.TEMP" in out
    assert "EEMUA 191" in out
    drawn = picture.read_text(encoding="utf-8")
    assert drawn.startswith("<svg")
    assert drawn.count('fill="#2da44e"') == 2, "the legend, and the one alarm that goes"
    code, out, _ = run(data, "--all", rules="today.yaml")
    assert code == 0
    assert "T-1.TEMP" in out


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--tags", "NOBODY"], 2, "--tags NOBODY: no tag of either plant file fits"),
        (["--tags", ","], 2, "--tags : no tag of either plant file fits"),
        (["--from", "yesterday"], 2, "--from 'yesterday': expected a time as ISO 8601"),
        (["--to", "2025-11-01"], 2, "--from 2025-11-22 is not before --to 2025-11-01"),
        (["--from", "2024-01-01", "--to", "2024-01-02"], 2, "no samples of these tags in that time"),
        (["--data-dir", "/nowhere"], 2, "no history.duckdb; name the directory a gateway keeps its data in"),
    ],
)
def test_wrong_use_is_one_sentence(data: Path, more: list[str], code: int, said: str) -> None:
    found, _, err = run(data, *more)
    assert found == code
    assert said in err


def test_a_wrong_rules_file_is_told_with_its_lines(data: Path) -> None:
    (data / "wrong.yaml").write_text(CHANGED.replace("H: {limit: 44", "H: {limit: hot"), encoding="utf-8")
    code, _, err = run(data, rules="wrong.yaml")
    assert code == 2
    assert "wrong.yaml:" in err
    assert "limits.H" in err
    code, _, err = run(data, rules="missing.yaml")
    assert code == 2
    assert "No such file or directory; a readable YAML file" in err


def test_a_running_gateway_is_named(data: Path) -> None:
    with own(data):
        code, _, err = run(data)
    assert code == 1
    assert "POST /api/v1/backtest" in err


def test_a_tag_that_only_one_plant_has(data: Path) -> None:
    begin = CHANGED.index("  T-1.TEMP:")
    end = CHANGED.index("  GD-1:")
    (data / "less.yaml").write_text(CHANGED[:begin] + CHANGED[end:], encoding="utf-8")
    code, out, _ = run(data, "--json", "--tags", "T-1.TEMP", rules="less.yaml")
    report = json.loads(out)
    assert code == 0
    assert (report["removed"], report["proposed"]["alarms"]) == (3, 0)
