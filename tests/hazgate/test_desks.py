"""`--desk`: what makes no sense ends with one sentence and exit 2, before anything is opened."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from hazgate.arguments import desks_of
from hazgate.commands import gateway


def test_desks_are_read_from_pairs() -> None:
    assert desks_of(["meoh=one", "cl2=two"]) == {"meoh": "one", "cl2": "two"}
    assert desks_of(None) == {}


@pytest.mark.parametrize("pairs", [["meoh"], ["=one"], ["meoh="], ["meoh=one", "meoh=two"]])
def test_what_is_no_pair_is_refused(pairs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as raised:
        desks_of(pairs)
    assert raised.value.exit_code == 2
    assert "HAZARD_UNIT=DESK" in capsys.readouterr().err


def test_a_hazard_unit_the_plant_does_not_have_is_named(tmp_path: Path) -> None:
    data = tmp_path / "data"
    result = CliRunner().invoke(gateway.app, ["--data", str(data), "--desk", "nowhere=one"])
    assert result.exit_code == 2
    assert "--desk nowhere: the plant has no such hazard unit; it has " in result.output
    assert not data.exists()
