"""`hazgate bench core`: every case has its figures, and what is asked of them is judged."""

from __future__ import annotations

import importlib
import json
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from alerting.batch import Batch
from hazgate.bench import core as bench_core
from hazgate.bench.core import ACTIVE, Effort, checks, has_numba, run_core
from hazgate.bench.streams import Stream, bench_rules
from hazgate.commands import bench

TINY = Effort((300,), (300,), samples=1, calls=(2, 4), scalar_samples=200)
SAID: list[str] = []


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return run_core(TINY, SAID.append)


def test_every_case_has_a_row_with_all_its_figures(rows: list[dict[str, Any]]) -> None:
    named = {(row["case"], row["conditions"], row["tags"], row["active"]) for row in rows}
    for conditions in ("limits", "all"):
        for case in ("each tag once", "backlog"):
            assert {(case, conditions, 300, active) for active in ACTIVE} <= named
        assert {("small batch", conditions, 1_000, 0.0), ("tick", conditions, 100_000, 0.0)} <= named
    assert len(named) == len(rows) == 16
    assert len({tuple(row) for row in rows}) == 1, "the same columns in the same order"
    for row in rows:
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        if row["case"] != "tick":
            assert row["samples_per_s"] == pytest.approx(1e3 * row["samples"] / row["p50_ms"], rel=0.01)
            assert row["vs_scalar"] == pytest.approx(
                row["samples_per_s"] / row["scalar_samples_per_s"], rel=0.01, abs=0.06
            )
            assert row["bytes_per_tag"] > 100
    assert any("all" in text for text in SAID)


@pytest.mark.skipif(not has_numba(), reason="numba is not installed: make setup")
def test_the_engine_is_held_to_the_compiled_one_for_limits_only(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["conditions"] == "limits" and row["case"] != "tick":
            assert row["same"] is True
            ratio = row["samples_per_s"] / row["compiled_samples_per_s"]
            assert row["vs_compiled"] == pytest.approx(ratio, rel=0.01, abs=1e-3)
        else:
            assert row["same"] is row["vs_compiled"] is row["compiled_samples_per_s"] is None
    assert sum(row["transitions"] for row in rows) > 0


def test_an_engine_that_says_something_else_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_numba():
        pytest.skip("numba is not installed: make setup")
    from hazgate.bench.compiled import CompiledEngine  # noqa: PLC0415 - only where numba is

    honest = CompiledEngine.evaluate

    def shifted(self: CompiledEngine, batch: Batch, received_ms: int) -> object:
        return honest(self, Batch(batch.tag, batch.time_ms + 1, batch.value, batch.quality), received_ms)

    monkeypatch.setattr(CompiledEngine, "evaluate", shifted)
    stream = Stream(100, 1.0, "each tag once")
    row = bench_core._row(bench_rules(100, "limits"), stream, "limits", Effort((), (), 1, (9, 9), 100))
    assert row["transitions"] > 0
    assert row["same"] is False


def _figures(**other: object) -> dict[str, Any]:
    figures = {
        "case": "each tag once",
        "conditions": "limits",
        "tags": 100_000,
        "samples": 100_000,
        "active": 0.01,
        "vs_compiled": 0.6,
        "vs_scalar": 200.0,
        "samples_per_s": 6_000_000,
        "ns_per_sample": 50.0,
        "p99_ms": 2.0,
        "same": True,
    }
    return figures | other


def test_what_is_asked_is_judged_by_the_worst_row() -> None:
    rows = [
        _figures(),
        _figures(tags=10_000, ns_per_sample=40.0, vs_compiled=None),
        _figures(tags=1_000_000, ns_per_sample=81.0, vs_compiled=None),
        _figures(tags=1_000, samples=1_000, p99_ms=1.0, vs_scalar=1.0),
        _figures(vs_scalar=99.0),
        _figures(tags=1_000, samples=1_000, p99_ms=0.2),
        _figures(case="tick", vs_compiled=0.0, vs_scalar=0.0),
    ]
    found = {one["name"]: (one["got"], one["met"]) for one in checks(rows)}
    assert found["vs_compiled, each tag once, 100000 samples, 1% active"] == (0.6, True)
    assert found["vs_scalar, each tag once, 100000 samples, 1% active"] == (99.0, False)
    assert found["cost at 1 M tags over 10 k, limits, 1% active"] == (81 / 40, False)
    assert found["p99 ms, 1 000 tags, one sample each, limits"] == (1.0, True)
    assert found["samples/s, all conditions, each tag once, 1% active"] == (None, None), "nothing measured it"
    assert found["same transitions as compiled"] == (1.0, True)


@pytest.mark.parametrize(("words", "code"), [(["--json"], 0), (["--json", "--check"], 1), ([], 0)])
def test_only_with_check_a_missed_figure_is_an_error(
    monkeypatch: pytest.MonkeyPatch, words: list[str], code: int
) -> None:
    monkeypatch.setattr(bench, "run_core", lambda *_: [_figures(vs_scalar=1.0)])
    result = CliRunner().invoke(bench.app, ["core", "--quick", *words])
    assert result.exit_code == code
    if "--json" in words:
        said = json.loads(result.stdout)
        assert set(said) == {"machine", "note", "cases", "checks"}
        assert said["machine"]["numpy"] == np.__version__
        assert said["cases"][0]["vs_scalar"] == 1.0
    else:
        assert "vs_scalar" in result.stdout


def test_without_numba_the_rest_is_measured_and_a_note_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_core, "find_spec", lambda _: None)
    stream = Stream(100, 1.0, "each tag once")
    row = bench_core._row(bench_rules(100, "limits"), stream, "limits", TINY)
    assert row["vs_compiled"] is row["same"] is None
    assert row["samples_per_s"] > 0
    monkeypatch.setattr(bench, "run_core", lambda *_: [row])
    assert "numba is not installed" in json.loads(CliRunner().invoke(bench.app, ["core", "--json"]).stdout)["note"]


def test_outside_a_checkout_the_error_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    result = CliRunner().invoke(bench.app, ["core", "--quick"])
    assert result.exit_code == 1
    assert "tests/support/naive.py" in result.stderr


@pytest.mark.parametrize("active", [*ACTIVE, 0.0])
def test_the_share_of_tags_that_leave_the_noise_is_the_one_asked_for(active: float) -> None:
    stream = Stream(1_000, active, "each tag once")
    above = set[int]()
    for number, (batch, _) in enumerate(stream.batches()):
        above |= set(batch.tag[batch.value > 85].tolist())
        if number == 5:
            break
    assert len(above) == round(active * 1_000)


def test_a_backlog_is_of_few_tags_in_the_order_of_time() -> None:
    stream = Stream(1_000, 0.1, "backlog")
    batches = stream.batches()
    (first, received_ms), (second, _) = next(batches), next(batches)
    assert len(first) == 100_000
    assert len(set(first.tag.tolist())) == 200
    assert np.all(np.diff(first.time_ms) >= 0)
    assert first.time_ms[-1] < second.time_ms[0]
    assert received_ms >= first.time_ms[-1]
