"""`hazgate duty`."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from hazgate.commands.duty import app

EXAMPLE = Path(__file__).parents[2] / "config" / "duties" / "example.yaml"


def test_a_good_file_is_good_and_is_shown() -> None:
    checked = CliRunner().invoke(app, ["check", str(EXAMPLE)])
    assert (checked.exit_code, "good: 5 people" in checked.output) == (0, True)
    shown = CliRunner().invoke(app, ["show", str(EXAMPLE)])
    assert "plant_manager (phone), 5 min" in shown.output
    assert "陈厂长" in shown.output


def test_a_mistake_is_named_and_the_exit_code_says_so(tmp_path: Path) -> None:
    file = tmp_path / "duty.yaml"
    file.write_text("roles:\n  officer: {people: [nobody]}\n", encoding="utf-8")
    checked = CliRunner().invoke(app, ["check", str(file)])
    assert checked.exit_code == 1
    assert f"{file}:2: roles.officer.people[0]" in checked.output


def test_without_a_file_the_built_in_duty_is_shown() -> None:
    assert "duty_officer" in CliRunner().invoke(app, ["show"]).output
