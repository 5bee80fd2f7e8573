"""What follows a commit: receipts in time, and what the history will not take on the record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.contract.messages import Kept, decode
from gateway import pipeline
from gateway.ingest.acceptance import DeadLetter
from tests.support.frames import frame
from tests.support.gateway_rig import Rig
from tests.support.plants import mini_plant


@pytest.fixture(autouse=True)
def no_real_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_RECOVER_WAIT_S", 0.001)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    opened = Rig(tmp_path, mini_plant())
    yield opened
    opened.close()


def test_what_the_history_rejects_becomes_a_dead_letter_once(rig: Rig) -> None:
    letter = DeadLetter("history_rejected", "mini", "", "history", "time outside range", "0" * 64, 4, b"line", 1)

    def reject(rig: Rig) -> None:
        rig.rejected.append(letter)

    rig.play(reject, rig.fail_commit(), 3.0)
    assert rig.rejected == []
    (row,) = rig.rows("dead_letter")
    assert (row["reason"], row["detail"], row["count"], row["head"]) == (
        "history_rejected", "time outside range", 1, b"line",
    )  # fmt: skip


def test_a_receipt_does_not_wait_for_the_next_tick(rig: Rig) -> None:
    said: list[float] = []

    def note(rig: Rig) -> None:
        said.append(rig.clock.monotonic_s() if "hazard/v1/mini/edge-a/kept" in rig.transport.retained else 0.0)

    first, second = frame(1, ("T-1.TEMP", 1_000, 20.0)), frame(2, ("T-1.TEMP", 2_000, 20.0))
    rig.play(rig.send(first), 0.01, rig.send(second), 0.3, note)
    (payload,) = [value for topic, value in rig.transport.retained.items() if topic.endswith("/kept")]
    assert said[0] > 0
    assert decode(payload, Kept).upto == 2
