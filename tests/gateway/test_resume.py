"""A start: last snapshot, then the tail of the log, is the state of the last process bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from config.contract.frame import Frame
from config.plant.model import Condition, ConditionRule, Plant
from gateway.records.log import Kind
from gateway.resume import Resumed, resume
from tests.support.frames import frame
from tests.support.gateway_rig import Rig, Step
from tests.support.plants import mini_plant

PLANT = mini_plant()
START_MS = 1_763_770_000_000


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    opened = Rig(tmp_path, PLANT)
    yield opened
    opened.close()


def resumed(rig: Rig) -> Resumed:
    return resume(rig.records, rig.plant, 10_000, rig.clock.wall_ms())


def changed(plant: Plant, tag: str, condition: Condition, **changes: Any) -> Plant:  # noqa: ANN401 - fields of a rule
    """Return the plant with another rule for one condition."""

    def rule_of(rule: ConditionRule) -> ConditionRule:
        return replace(rule, **changes) if rule.condition is condition else rule

    new = replace(plant.tags[tag], conditions=tuple(rule_of(rule) for rule in plant.tags[tag].conditions))
    return replace(plant, tags={**plant.tags, tag: new}, digest=f"{plant.digest}+")


def without_tag(plant: Plant, name: str) -> Plant:
    return replace(plant, tags={tag: one for tag, one in plant.tags.items() if tag != name}, digest="less")


def busy_frame(seq: int) -> Frame:
    """A frame among many that raise and clear, let delays run, come late and are bad."""
    at_ms = START_MS + 700 * seq
    return frame(
        seq,
        ("T-1.TEMP", at_ms, 45.0 if seq % 5 else 20.0),
        ("T-1.LEVEL", at_ms - (9_000 if seq % 6 == 0 else 0), 8.7 if seq % 11 > 5 else 5.0),
        ("GD-1", at_ms, None if seq % 9 == 0 else 0.5),
        ("TRUCK-1.SPEED", at_ms + (600_000 if seq % 8 == 0 else 0), 90.0),
    )


def steps(rig: Rig, first: int, last: int) -> list[Step]:
    return [step for seq in range(first, last + 1) for step in (rig.send(busy_frame(seq)), 0.7)]


@pytest.mark.parametrize("snapshot_every_s", [2.0, 7.0, 1_000.0])
def test_the_engine_goes_on_bit_for_bit_after_a_kill(rig: Rig, snapshot_every_s: float) -> None:
    rig.snapshot_every_s = snapshot_every_s
    rig.restart()
    for lap in range(4):
        assert rig.play(*steps(rig, 15 * lap + 1, 15 * lap + 15), Rig.kill())
        assert rig.engine is not None
        now_ms = rig.clock.wall_ms()
        rig.engine.start(now_ms)  # what the next process says to its own engine
        again = resumed(rig)
        assert again.engine.snapshot() == rig.engine.snapshot()
        assert [dict(row) for row in again.book.open_alarms] == [
            row for row in sorted(rig.rows("alarm"), key=lambda row: int(row["sequence"])) if row["state"] == "active"
        ]
        assert again.commit.alarms == []
    assert rig.rows("alarm_event")


def test_resuming_alone_changes_nothing(rig: Rig) -> None:
    rig.play(*steps(rig, 1, 12), Rig.kill())
    before = [rig.rows(table) for table in ("log", "alarm", "alarm_event", "mark")]
    resumed(rig)
    resumed(rig)
    assert [rig.rows(table) for table in ("log", "alarm", "alarm_event", "mark")] == before


def test_the_first_start_of_all(rig: Rig) -> None:
    first = resumed(rig)
    assert first.names == tuple(PLANT.tags)
    assert (first.position, first.snapshot_position, first.told_upto, first.untold, first.trimmed) == (1, 0, 0, [], 0)
    (row,) = first.commit.log
    assert (row.kind, row.received_ms, row.position) == (Kind.START, rig.clock.wall_ms(), 1)
    assert first.commit.names == dict(enumerate(PLANT.tags))


def test_everything_durable_is_taken_up_again(rig: Rig) -> None:
    rig.play(*steps(rig, 1, 12), Rig.kill())
    again = resumed(rig)
    (mark,) = again.marks.values()
    assert mark.upto == 12
    assert again.position == rig.log()[-1].position + 1
    assert again.book.event_id == len(rig.events())
    assert again.commit.names == {}


def test_silence_while_nobody_listened_is_not_the_sensors(rig: Rig) -> None:
    rig.play(rig.send(frame(1, ("T-1.TEMP", START_MS, 20.0))), 1.0, Rig.kill())
    rig.clock.advance_s(86_400)
    rig.play(2.0)
    assert rig.alarms() == []


def test_a_rule_that_is_switched_off_takes_its_alarm_with_it(rig: Rig) -> None:
    rig.play(rig.send(frame(1, ("T-1.TEMP", START_MS, 45.0))), 1.0)
    assert rig.alarms() == [("T-1.TEMP", "H", "active")]
    rig.restart(changed(PLANT, "T-1.TEMP", Condition.H, enabled=False))
    rig.play(1.0)
    assert rig.alarms() == [("T-1.TEMP", "H", "cleared")]
    assert [notice.kind for notice in rig.notices] == ["raised", "cleared"]
    assert not [topic for topic in rig.transport.retained if "/alarms/" in topic], "nothing stays behind on the broker"
    assert rig.rows("follower")[0]["position"] == 2


def test_a_tag_that_leaves_the_plant_takes_its_alarms_with_it(rig: Rig) -> None:
    rig.play(rig.send(frame(1, ("T-1.TEMP", START_MS, 45.0))), 1.0, Rig.kill())
    rig.restart(without_tag(PLANT, "T-1.TEMP"))
    rig.play(1.0)
    assert rig.alarms() == [("T-1.TEMP", "H", "cleared")]
    rig.play(rig.send(frame(2, ("T-1.TEMP", START_MS + 9_000, 50.0), ("GD-1", START_MS + 9_000, 0.0))), 1.0)
    assert [row["reason"] for row in rig.rows("dead_letter")] == ["unknown_tag"]
    assert [tag for tag, *_ in rig.samples()] == ["T-1.TEMP", "GD-1"], "rows keep their tags"


def test_a_tag_that_comes_back_has_its_row_again(rig: Rig) -> None:
    rig.play(rig.send(frame(1, ("T-1.TEMP", START_MS, 20.0))), 1.0)
    rig.restart(without_tag(PLANT, "T-1.TEMP"))
    rig.play(1.0)
    rig.restart(PLANT)
    rig.play(rig.send(frame(2, ("T-1.TEMP", START_MS + 5_000, 21.0))), 1.0)
    assert [(tag, value) for tag, _, value, _ in rig.samples()] == [("T-1.TEMP", 20.0), ("T-1.TEMP", 21.0)]
    assert [row["name"] for row in rig.rows("tag")] == list(PLANT.tags)


def test_a_new_tag_gets_a_row_behind_all_others(rig: Rig) -> None:
    rig.play(rig.send(frame(1, ("T-1.TEMP", START_MS, 45.0))), 1.0)
    new = replace(PLANT.tags["T-1.TEMP"], name="A-NEW.TEMP")
    rig.restart(replace(PLANT, tags={"A-NEW.TEMP": new, **PLANT.tags}, digest="more"))
    rig.play(rig.send(frame(2, ("A-NEW.TEMP", START_MS + 1_500, 50.0))), 1.0)
    assert [row["name"] for row in rig.rows("tag")] == [*PLANT.tags, "A-NEW.TEMP"]
    assert rig.alarms() == [("T-1.TEMP", "H", "active"), ("A-NEW.TEMP", "H", "active")]
    assert len(rig.events()) == 2, "the alarm that was open stays as it was"


def test_another_limit_starts_its_condition_fresh_and_leaves_the_others(rig: Rig) -> None:
    over = frame(1, ("T-1.TEMP", START_MS, 45.0), ("PLAIN.PRESS", START_MS, 1.0), ("GD-1", START_MS, 0.5))
    rig.play(rig.send(over), 10.0)
    before = {row["tag"]: row["alarm_id"] for row in rig.rows("alarm")}
    rig.restart(changed(PLANT, "T-1.TEMP", Condition.H, limit=44.0))
    rig.play(rig.send(frame(2, ("T-1.TEMP", START_MS + 11_000, 45.0))), 1.0)
    temperature = [row for row in rig.rows("alarm") if row["tag"] == "T-1.TEMP"]
    assert sorted((row["state"], row["limit"]) for row in temperature) == [("active", 44.0), ("cleared", 40.0)]
    assert [row["alarm_id"] for row in rig.rows("alarm") if row["tag"] == "GD-1"] == [before["GD-1"]]


def spoil_the_snapshot(rig: Rig) -> None:
    with rig.database.begin() as connection:
        connection.execute(text("UPDATE snapshot SET payload = zeroblob(100)"))


def test_a_snapshot_nobody_can_read_does_not_stop_the_gateway(rig: Rig) -> None:
    rig.play(rig.send(frame(1, ("T-1.TEMP", START_MS, 45.0))), 1.0)
    spoil_the_snapshot(rig)
    rig.restart()
    with capture_logs() as logs:
        rig.play(rig.send(frame(2, ("T-1.TEMP", START_MS + 2_000, 46.0))), 1.0)
    assert [entry["log_level"] for entry in logs if entry["event"] == "snapshot_unusable"] == ["error"]
    assert rig.alarms()[-1] == ("T-1.TEMP", "H", "active")
    assert rig.board.health.replayed


def test_a_snapshot_nobody_can_read_clears_no_alarm(rig: Rig) -> None:
    rig.play(rig.send(frame(1, ("T-1.TEMP", START_MS, 45.0))), 1.0)
    (before,) = rig.rows("alarm")
    spoil_the_snapshot(rig)
    rig.restart()
    rig.play(1.0)
    assert rig.rows("alarm") == [before]
    rig.play(rig.send(frame(2, ("T-1.TEMP", START_MS + 2_000, None))), 1.0)
    assert before in rig.rows("alarm"), "a bad value says nothing either"
    rig.play(rig.send(frame(3, ("T-1.TEMP", START_MS + 3_000, 20.0))), 1.0)
    assert rig.alarms() == [("T-1.TEMP", "H", "cleared"), ("T-1.TEMP", "BAD_PV", "cleared")]
