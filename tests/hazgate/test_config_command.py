from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.plant.document import plant_schema
from hazgate.cli import build
from tests.support.plants import MINI_PLANT


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def hazgate(*words: str) -> Done:
    """Run `hazgate config` in this process."""
    result = CliRunner().invoke(build("config"), ["config", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return Done(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text(MINI_PLANT.replace("period: 1s", "perod: 1s", 1).replace("kind: direct", "kind: x"), "utf-8")
    return path


def test_good_files_are_said_to_be_good() -> None:
    done = hazgate("check", "demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("demo: 正确 · good: 106 tags, 4 escalations, digest ")


def test_all_problems_of_all_files_are_printed_and_the_exit_code_is_1(bad: Path) -> None:
    done = hazgate("check", "demo", str(bad), str(bad.with_name("none.yaml")))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"{bad}:11: edges.edge-b.kind: 'x'; one of agent, direct")
    assert lines[1].startswith(f"{bad}:21: tags.T-1.LEVEL.perod: unknown key 'perod'; did you mean 'period'?")
    assert lines[2] == f"{bad}: 2 个问题 · problems"
    assert "none.yaml:0: (file): No such file or directory" in lines[3]


def test_problems_can_be_read_by_a_program(bad: Path) -> None:
    done = hazgate("check", str(bad), "demo", "--json")
    assert done.returncode == 1
    first, second = json.loads(done.stdout)
    assert [problem["line"] for problem in first["problems"]] == [11, 21]
    assert set(first["problems"][0]) == {"file", "line", "key", "found", "allowed"}
    assert (first["ok"], second["ok"], second["tags"]) == (False, True, 106)


def test_the_schema_is_printed() -> None:
    done = hazgate("schema")
    assert done.returncode == 0
    assert json.loads(done.stdout) == plant_schema()


def test_show_lists_the_plant() -> None:
    done = hazgate("show", "demo")
    assert done.returncode == 0
    for part in ("液化石油气球罐区", "V-101.LEVEL", "H 10.455", "TRUCK-6", "H 0.33904", "-40 … 80 degC", "鲁C·D1001"):
        assert part in done.stdout, part


def test_show_one_tag_gives_the_basis_of_each_limit() -> None:
    done = hazgate("show", "demo", "--tag", "GD-201")
    assert done.returncode == 0
    assert "200 % OEL (GBZ 2.1-2019 MAC 1 mg/m3, 24.04 L/mol)" in done.stdout
    assert "plant/demo/GD-201" in done.stdout


def test_show_as_json() -> None:
    whole = json.loads(hazgate("show", "demo", "--json").stdout)
    assert len(whole["tags"]) == 106
    assert len(whole["digest"]) == 64
    tag = json.loads(hazgate("show", "demo", "--tag", "V-101.LEVEL", "--json").stdout)
    assert tag == whole["tags"]["V-101.LEVEL"]


def test_a_tag_that_is_not_there_is_wrong_use() -> None:
    done = hazgate("show", "demo", "--tag", "V-101.LEVL")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "demo: no tag 'V-101.LEVL': did you mean V-101.LEVEL?\n"
    assert "`hazgate config show demo` lists its tags" in hazgate("show", "demo", "--tag", "?").stderr


def test_a_bad_file_cannot_be_shown(bad: Path) -> None:
    done = hazgate("show", str(bad))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2


def test_the_command_is_there_for_people() -> None:
    program = "import sys; sys.argv[0] = 'hazgate'; from hazgate.cli import main; main()"
    command = [sys.executable, "-c", program, "config", "check", "demo"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "106 tags" in done.stdout
