"""A crash at every point of a turn, one after the other: whatever the moment, the outcome is that of no crash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway import pipeline
from tests.support.frames import frame
from tests.support.gateway_rig import Edge, Killed, Rig, Step, replayed_events
from tests.support.plants import mini_plant

T0 = 1_763_770_000_000
FRAMES = [frame(seq, ("T-1.TEMP", T0 + 1_000 * seq, 45.0 if seq % 7 in {3, 4} else 20.0)) for seq in range(1, 31)]

POINTS: dict[str, Callable[[Rig], tuple[Any, str]]] = {
    "received, before it is read": lambda rig: (rig.pipeline, "_open_commit"),
    "evaluated, before the commit": lambda rig: (rig.records, "commit"),
    "committed, before the transport is told": lambda rig: (rig.transport, "acknowledge"),
    "acknowledged, before kept is said": lambda rig: (rig.transport, "publish"),
    "told, before the values are shown": lambda rig: (rig.pipeline, "_show"),
}
"""Name of a crash point -> where the process dies on its way in."""


@pytest.fixture(autouse=True)
def no_real_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_RECOVER_WAIT_S", 0.001)


def play(rig: Rig, point: str | None, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send everything, dying once at a point; what is not confirmed is sent again."""
    edge = Edge(FRAMES)

    def send(rig: Rig) -> None:
        edge.send(rig.transport, 3)

    if point is not None:
        owner, name = POINTS[point](rig)
        real, calls = getattr(owner, name), 0

        def dying(*arguments: Any, **words: Any) -> Any:  # noqa: ANN401 - whatever it is
            nonlocal calls
            calls += 1
            if calls == after:
                monkeypatch.setattr(owner, name, real)
                raise Killed
            return real(*arguments, **words)

        monkeypatch.setattr(owner, name, dying)
    steps: list[Step] = [send, 0.4]
    while edge.kept(rig.transport) < len(FRAMES):
        rig.play(*steps * 20)
    rig.play(2.0)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("after", [2, 5, 9, 14])
def test_a_crash_there_changes_nothing_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, after: int
) -> None:
    rig = Rig(tmp_path, mini_plant(), snapshot_every_s=3.0, history_position=lambda: 0)
    play(rig, point, after, monkeypatch)
    samples = [(tag, time_ms, value) for tag, time_ms, value, _ in rig.samples()]
    assert samples == [("T-1.TEMP", T0 + 1_000 * seq, 45.0 if seq % 7 in {3, 4} else 20.0) for seq in range(1, 31)]
    assert [one for one in rig.events() if not one[0].startswith("?")] == replayed_events(rig)
    kinds = [kind for _, kind, _ in rig.events()]
    assert (kinds.count("raised"), kinds.count("cleared")) == (4, 4)
    assert rig.ledger()["samples_stored"] == 30
    rig.close()


def test_a_receipt_never_names_what_is_not_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I2: the process dies right after every single `kept`, and what it named is there."""
    rig = Rig(tmp_path, mini_plant())
    edge = Edge(FRAMES)

    def send(rig: Rig) -> None:
        edge.send(rig.transport, 3)

    real, seen = rig.transport.publish, 0

    def dying(topic: str, payload: bytes, *, retain: bool) -> int | None:
        nonlocal seen
        token = real(topic, payload, retain=retain)
        if topic.endswith("/kept"):
            seen += 1
            raise Killed
        return token

    monkeypatch.setattr(rig.transport, "publish", dying)
    for _ in range(100):
        rig.play(send, 0.5)
        marks = {row["epoch"]: row["upto"] for row in rig.rows("mark")}
        assert edge.kept(rig.transport) <= marks.get(edge.epoch, 0)
        if edge.kept(rig.transport) == len(FRAMES):
            break
    assert seen >= 10
    assert rig.ledger()["samples_stored"] == 30
    rig.close()
