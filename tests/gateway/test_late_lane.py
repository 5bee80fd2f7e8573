"""Late samples through the whole pipeline: what was missed is on the record, exactly once, and was never live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from config.contract.frame import Frame
from config.contract.topics import Kind
from gateway import late_lane, pipeline
from gateway.records.queries import AlarmFilter, AlarmSort, Queries
from tests.support.frames import EPOCH, frame
from tests.support.gateway_rig import Rig
from tests.support.plants import mini_plant

OLD_EPOCH = "0" * 16
START_MS = 1_763_770_000_000
PLANT = mini_plant()


@pytest.fixture(autouse=True)
def no_real_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_RECOVER_WAIT_S", 0.001)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    opened = Rig(tmp_path, PLANT, with_history=True, snapshot_every_s=1.0)
    yield opened
    opened.close()


def temperature(seq: int, at_s: int, *values: float, tag: str = "T-1.TEMP") -> Frame:
    """A frame of ``T-1.TEMP`` (H at 40, no delays), one sample a second."""
    first_ms = START_MS + 1_000 * at_s
    return frame(seq, *((tag, first_ms + 1_000 * at, value) for at, value in enumerate(values)))


def replace_epoch(one: Frame) -> Frame:
    return msgspec.structs.replace(one, epoch=OLD_EPOCH)


CALM_BEFORE = temperature(1, 0, 20.0, 20.0)
CALM_AFTER = temperature(2, 10, 20.0, 20.0, 20.0)
EXCURSION = temperature(3, 3, 45.0, 46.0, 44.0, 20.0)


def retrospective(rig: Rig) -> list[tuple[str, str, str, int, int, int | None, float]]:
    return [
        (
            *(row[name] for name in ("tag", "condition", "state")),
            *((row[name] - START_MS) // 1_000 for name in ("onset_ms", "raised_ms", "cleared_ms")),
            row["value"],
        )
        for row in rig.rows("alarm")
        if row["retrospective"]
    ]


FOUND = [("T-1.TEMP", "H", "cleared", 3, 3, 6, 45.0)]


def test_an_excursion_that_came_late_is_on_the_record_and_was_never_live(rig: Rig) -> None:
    rig.play(rig.send(CALM_BEFORE), 1.0, rig.send(CALM_AFTER), 1.0, rig.send(EXCURSION), 8.0)
    assert rig.ledger()["samples_late"] == 4
    assert retrospective(rig) == FOUND
    assert [kind for _, kind, _ in rig.events()] == ["retrospective"]
    assert [notice.kind for notice in rig.notices] == ["retrospective"]
    assert not [topic for topic in rig.transport.retained if "/alarms/" in topic]
    engine = rig.pipeline.work.engine if rig.pipeline.work else None
    assert engine is not None
    assert engine.value.tolist()[list(PLANT.tags).index("T-1.TEMP")] == 20.0
    assert not engine.active.any()
    queries = Queries(rig.reader)
    assert len(queries.alarms(AlarmFilter(retrospective=True), AlarmSort.TIME, None, 10)) == 1
    assert not queries.alarms(AlarmFilter(states=("active",)), AlarmSort.TIME, None, 10)
    assert not queries.alarms(AlarmFilter(retrospective=False), AlarmSort.TIME, None, 10)


def test_backlog_is_stored_and_looked_at_in_retrospect_and_never_live(rig: Rig) -> None:
    # Nothing newer has come yet: as live samples these would raise an alarm.
    rig.play(rig.send(temperature(1, 0, 20.0, 20.0, 20.0, 45.0, 46.0, 44.0, 20.0), kind=Kind.BACKLOG), 8.0)
    assert (rig.ledger()["samples_stored"], rig.ledger()["samples_late"], rig.ledger()["frames_kept"]) == (7, 7, 1)
    assert retrospective(rig) == FOUND
    assert [kind for _, kind, _ in rig.events()] == ["retrospective"]
    engine = rig.pipeline.work.engine if rig.pipeline.work else None
    assert engine is not None
    assert engine.time_ms.tolist()[list(PLANT.tags).index("T-1.TEMP")] == -1, "the live state never saw them"
    assert rig.history is not None
    number = Queries(rig.reader).tag_id("T-1.TEMP")
    assert number is not None
    assert len(rig.history.stretch(number, 0, 1 << 60).time_ms) == 7


def test_live_and_backlog_of_one_poll_are_told_apart(rig: Rig) -> None:
    old = replace_epoch(temperature(1, 0, 45.0, 20.0))
    assert rig.play(rig.send(old, kind=Kind.BACKLOG), rig.send(temperature(1, 60, 41.0)), 0.5, rig.kill())
    rig.play(8.0)
    assert sorted(kind for _, kind, _ in rig.events()) == ["raised", "retrospective"]
    live = [row for row in rig.rows("alarm") if not row["retrospective"]]
    assert [(row["state"], row["onset_ms"]) for row in live] == [("active", START_MS + 60_000)]
    assert retrospective(rig) == [("T-1.TEMP", "H", "cleared", 0, 0, 1, 45.0)]
    assert {row["epoch"]: row["upto"] for row in rig.rows("mark")} == {EPOCH: 1, OLD_EPOCH: 1}


def test_late_samples_that_change_nothing_are_only_stored(rig: Rig) -> None:
    rig.play(rig.send(CALM_BEFORE), 1.0, rig.send(CALM_AFTER), 1.0, rig.send(temperature(3, 3, 21.0, 22.0)), 8.0)
    assert not rig.rows("alarm")
    assert rig.lane.windows == 1
    assert rig.lane.late_samples == 2


def test_an_alarm_that_was_raised_live_is_not_told_again(rig: Rig) -> None:
    live = temperature(2, 5, 47.0, 20.0)
    rig.play(rig.send(CALM_BEFORE), 1.0, rig.send(live), 1.0, rig.send(temperature(3, 3, 45.0, 46.0)), 8.0)
    assert rig.lane.windows == 1
    assert [kind for _, kind, _ in rig.events()] == ["raised", "cleared"]


@pytest.mark.parametrize("wait_s", [0.1, 1.1, 2.6, 3.4])
def test_a_kill_at_any_time_records_it_once(rig: Rig, wait_s: float) -> None:
    killed = rig.play(rig.send(CALM_BEFORE), 1.0, rig.send(CALM_AFTER), rig.send(EXCURSION), wait_s, rig.kill())
    assert killed
    rig.play(8.0)
    assert retrospective(rig) == FOUND
    assert [kind for _, kind, _ in rig.events()] == ["retrospective"]


def test_a_commit_that_fails_loses_no_finding(rig: Rig) -> None:
    rig.play(rig.send(CALM_BEFORE), 1.0, rig.send(CALM_AFTER), rig.send(EXCURSION), 1.0)
    assert not rig.rows("alarm")
    fail_every_half_second = (0.5, rig.fail_commit()) * 6
    rig.play(*fail_every_half_second, 8.0)
    assert retrospective(rig) == FOUND
    assert [kind for _, kind, _ in rig.events()] == ["retrospective"]


def test_a_stream_of_late_samples_is_evaluated_meanwhile(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_lane, "_LONGEST_MS", 3_000)
    steps = [rig.send(CALM_BEFORE), rig.send(temperature(2, 100, 20.0)), rig.send(EXCURSION)]
    for seq in range(4, 10):
        steps += [rig.send(temperature(seq, 2 * seq, 20.0)), lambda rig: rig.clock.advance_s(1.0)]
    rig.play(*(part for step in steps for part in (step, 0.1)))
    assert rig.lane.windows >= 1


def test_the_log_is_kept_for_late_samples_still_on_their_way(rig: Rig) -> None:
    rig.play(rig.send(CALM_BEFORE), 1.0, rig.send(CALM_AFTER), rig.send(EXCURSION), 1.0)
    held = rig.lane.position()
    first = next(row.position for row in rig.log() if row.samples == 4)
    assert held == first - 1
    rig.play(8.0)
    assert rig.lane.position() > first
    assert min(row.position for row in rig.log()) > first, "and let go of then"


def test_a_tag_that_the_plant_no_longer_has_is_passed_over(rig: Rig) -> None:
    rig.play(rig.send(CALM_BEFORE), 1.0, rig.send(CALM_AFTER), rig.send(EXCURSION), 0.5)
    kept = {name: tag for name, tag in PLANT.tags.items() if name != "T-1.TEMP"}
    rig.restart(type(PLANT)(**{**{name: getattr(PLANT, name) for name in PLANT.__slots__}, "tags": kept}))
    rig.play(8.0)
    assert not rig.rows("alarm")
    assert rig.lane.position() > 3
