"""`hazgate registry`: files into the registry and out of it, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.records.database import open_writer
from gateway.registry.files import DEMO_REGISTRY
from hazgate.cli import build

runner = CliRunner()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    open_writer(tmp_path).dispose()
    return tmp_path


def run(*words: str) -> tuple[int, str]:
    result = runner.invoke(build("registry"), ["registry", *words])
    return result.exit_code, result.output


def plant_of(folder: Path) -> Path:
    """Write what the tables of the demo refer to."""
    tables = folder / "tables"
    tables.mkdir()
    for file in DEMO_REGISTRY.glob("*.csv"):
        (tables / file.name).write_bytes(file.read_bytes())
    for kind, lines in {
        "enterprise": "id,name_zh\ndemo-chem,示例化工\n",
        "site": "id,name_zh,enterprise\ndemo,一厂,demo-chem\n",
        "hazard-unit": "id,name_zh,site\nlpg,球罐区,demo\ncl2,液氯,demo\nmeoh,甲醇,demo\n",
    }.items():
        (tables / f"{kind}.csv").write_text(lines, encoding="utf-8")
    (tables / "vessel.csv").unlink()
    return tables


def test_a_folder_is_tried_taken_in_exported_and_read_in_again(data: Path) -> None:
    tables = plant_of(data)
    code, told = run("import", str(tables), "--data", str(data), "--dry-run", "--json")
    assert (code, json.loads(told)["written"]) == (0, False)
    code, told = run("import", str(tables), "--data", str(data), "--json", "--why", "first")
    assert code == 0
    assert json.loads(told)["kinds"]["person"] == {"created": 7, "changed": 0, "unchanged": 0}
    book = data / "all.xlsx"
    assert run("export", str(book), "--data", str(data))[0] == 0
    code, told = run("import", str(book), "--data", str(data))
    assert code == 0
    assert "nothing to change" in told
    table = data / "person.csv"
    assert run("export", str(table), "--data", str(data), "--enterprise", "demo-chem")[0] == 0
    assert table.read_text("utf-8-sig").count("demo-chem.") >= 7
    assert run("export", str(table), "--data", str(data))[0] == 1, "no file is overwritten"


def test_faults_are_told_and_end_with_1(data: Path) -> None:
    file = data / "person.csv"
    file.write_text("id,name_zh,enterprise\np1,人,nowhere\n", encoding="utf-8")
    code, told = run("import", str(file), "--data", str(data))
    assert code == 1
    assert "nowhere" in told
    assert "nothing was written" in told


@pytest.mark.parametrize(
    "words", [["import", "x.xlsx"], ["export", "x.pdf"], ["import", "nothing", "--data", "nowhere"]]
)
def test_wrong_use_ends_with_2(words: list[str]) -> None:
    assert run(*words)[0] == 2


def test_the_template_is_made(tmp_path: Path) -> None:
    assert run("template", str(tmp_path / "t.xlsx"))[0] == 0
    assert (tmp_path / "t.xlsx").read_bytes()[:2] == b"PK"
