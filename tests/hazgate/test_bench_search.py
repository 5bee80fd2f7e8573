"""`hazgate bench search`: everything it makes is taken up and searched."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from hazgate.commands import bench


def test_the_search_is_measured_over_as_much_as_asked_for() -> None:
    sizes = ("--enterprises", "20", "--units", "40", "--tags", "200", "--alarms", "100", "--dangers", "300")
    result = CliRunner().invoke(bench.app, ["search", *sizes, "--rounds", "1", "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)["search"]
    assert (said["index"]["entries"], said["index"]["behind"]) == (560, 0)
    assert set(said["search_ms"]) == {"everything", "a district", "an enterprise"}
    for figures in said["search_ms"].values():
        assert 0 < figures["p50"] <= figures["p95"] <= figures["max"]
        assert figures["found"] > 0
