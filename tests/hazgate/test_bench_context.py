"""A small province: the bench fills it, asks, and says what it found."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.clock import SystemClock
from gateway.story.plan import PARTS
from hazgate.bench.context import measure_context
from hazgate.bench.pipeline import BenchError
from hazgate.bench.town import Town

TOWN = Town(enterprises=5, units=12, alarms=300, dangers=60)


@pytest.mark.soak
def test_a_small_province_tells_every_part(tmp_path: Path) -> None:
    said: list[str] = []
    found = measure_context(tmp_path, "", TOWN, (4, 8), SystemClock(), said.append)
    assert (found["records"], found["tags"], found["alarms"]) == ("sqlite", 120, 300)
    for turn, asked in (("restart_cold", 4), ("warm", 8)):
        row = found[turn]
        assert row["asked"] == asked
        assert set(row["parts_ms"]) == set(PARTS)
        assert row["total_ms"]["p50"] > 0
        for part in ("tag", "place", "people", "substance", "related", "history"):
            assert row["states"][part]["empty"] == 0, part
    assert "filling alarm" in said

    with pytest.raises(BenchError, match="another town"):
        measure_context(tmp_path, "", Town(1, 1, 1, 1), (1, 1), SystemClock(), said.append)
