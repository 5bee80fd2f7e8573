"""The notifier on real records, its channels turned by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from config.duty.model import Duty, Ladder, SelfTest, Step, Storm
from config.settings import RecordsAddress
from gateway.errors import RecordsError
from gateway.notify.notifier import Notifier
from gateway.notify.outbox import Batch, Outbox
from gateway.notify.port import Delivery, Kind
from gateway.records.database import open_reader, open_writer
from gateway.records.duty_tables import escalation, notification
from gateway.records.queries import Queries
from gateway.records.schema import alarm, alarm_event
from tests.support.channels import RecordingChannel
from tests.support.clocks import ManualClock
from tests.support.duties import MINUTE_MS, make_duty
from tests.support.plants import mini_plant
from tests.support.rows import alarm_row, event_row

PLANT = mini_plant()


class World:
    """Records, a clock, two channels; `turn` lets everything happen that is due."""

    def __init__(self, folder: Path, address: RecordsAddress | None, duty: Duty) -> None:
        self.engine, self.reader = open_writer(folder, address), open_reader(folder, address)
        self.clock = ManualClock()
        self.duty = duty
        self.events = 0
        self.a, self.b = RecordingChannel(), RecordingChannel()
        self.restart()

    def restart(self) -> None:
        """Begin as a new process."""
        channels = {"a": self.a, "b": self.b}
        self.outbox: Outbox = Outbox(self.engine, self.reader)
        self.notifier = Notifier(PLANT, self.duty, channels, self.outbox, Queries(self.reader), self.clock)

    def close(self) -> None:
        self.engine.dispose()
        self.reader.dispose()

    def turn(self) -> None:
        for _ in range(4):
            self.notifier.turn()
            for sender in self.notifier.senders.values():
                while sender.turn():
                    pass

    def put(self, name: str = "a1", kind: str = "raised", **changes: object) -> None:
        """Write an alarm and an event of it."""
        self.events += 1
        now_ms = self.clock.wall_ms()
        with self.engine.begin() as connection:
            known = connection.execute(select(alarm).where(alarm.c.alarm_id == name)).mappings().first()
            if known is None:
                row = alarm_row(name, raised_ms=now_ms, alarmed_ms=now_ms, received_ms=now_ms) | changes
                connection.execute(insert(alarm), row)
            else:
                connection.execute(update(alarm).where(alarm.c.alarm_id == name).values(**changes))
            connection.execute(insert(alarm_event), event_row(self.events, name, kind=kind))

    def rows(self) -> list[dict[str, Any]]:
        with self.engine.begin() as connection:
            return [
                dict(row) for row in connection.execute(select(notification).order_by(notification.c.id)).mappings()
            ]


@pytest.fixture
def world(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[World]:
    made = World(tmp_path, records_address, make_duty())
    made.turn()
    yield made
    made.close()


def storm_duty(over: int) -> Duty:
    steps = (Step("officer", ("a",), 3 * MINUTE_MS),)
    return make_duty(Ladder("all", frozenset({1, 2, 3, 4}), steps, storm=Storm(over=over)))


def test_an_alarm_is_told_once_and_then_step_by_step_until_somebody_acknowledges(world: World) -> None:
    world.put(tier=1)
    world.turn()
    assert world.a.kinds == ["alarm"]
    message, people = world.a.sent[0]
    assert people == ("zhang",)
    assert "红" in message.title.zh
    assert "Red" in message.title.en
    world.clock.advance_s(179)
    world.turn()
    assert world.a.kinds == ["alarm"]
    world.clock.advance_s(2)
    world.turn()
    assert world.a.kinds == ["alarm", "overdue"]
    assert world.b.sent[0][1] == ("li",)
    world.clock.advance_s(601)
    world.turn()
    assert world.b.kinds == ["overdue", "overdue"]
    assert len(set(world.b.keys)) == 2
    world.put(kind="acknowledged", acknowledged_ms=world.clock.wall_ms())
    world.turn()
    world.clock.advance_s(3_600)
    world.turn()
    assert world.b.kinds == ["overdue", "overdue"]
    assert {row["state"] for row in world.rows()} == {"accepted"}
    assert {row["reference"] for row in world.rows()} >= {"ref-1"}


def test_a_rise_of_the_tier_begins_the_ladder_anew(world: World) -> None:
    world.put(tier=2)
    world.turn()
    world.put(kind="acknowledged", acknowledged_ms=world.clock.wall_ms())
    world.turn()
    world.clock.advance_s(60)
    world.put(kind="tier_raised", tier=1, acknowledged_ms=None, alarmed_ms=world.clock.wall_ms())
    world.turn()
    assert world.a.kinds == ["alarm", "alarm"]
    assert [message.tier for message, _ in world.a.sent] == [2, 1]


def test_what_is_shelved_or_retrospective_or_acknowledged_is_not_told(world: World) -> None:
    world.put("s", inhibited="shelved")
    world.put("r", retrospective=True, state="cleared")
    world.put("k", acknowledged_ms=5)
    world.turn()
    assert world.a.sent == []


def test_what_was_raised_and_is_over_before_anybody_looked_is_told_all_the_same(world: World) -> None:
    world.put("blue", tier=4)
    world.put("blue", kind="cleared", state="cleared")
    world.put("other", tier=2)
    world.put("other", kind="returned", state="returned")
    world.turn()
    assert world.a.kinds == ["alarm", "alarm"]
    world.clock.advance_s(3_600)
    world.turn()
    assert world.b.sent == []
    with world.engine.begin() as connection:
        assert [row.alarm_id for row in connection.execute(select(escalation))] == ["other"]


def test_those_who_were_told_are_told_that_it_is_over_once(world: World) -> None:
    world.put()
    world.turn()
    world.put(kind="acknowledged", acknowledged_ms=world.clock.wall_ms())
    world.put(kind="cleared", state="cleared")
    world.turn()
    world.turn()
    world.restart()
    world.turn()
    assert world.a.kinds == ["alarm", "over"]
    assert world.b.sent == []


def test_a_restart_tells_nothing_twice_and_goes_on_with_the_ladder(world: World) -> None:
    world.put()
    world.turn()
    world.restart()
    world.turn()
    assert world.a.kinds == ["alarm"]
    world.clock.advance_s(200)
    world.restart()
    world.turn()
    assert world.a.kinds == ["alarm", "overdue"]


def test_killed_between_commit_and_mark_the_same_letter_goes_out_again_with_the_same_key(world: World) -> None:
    world.put()
    world.notifier.turn()
    assert world.notifier.senders["a"].turn()
    assert world.a.kinds == ["alarm"]
    world.restart()  # the result was never kept
    world.turn()
    assert world.a.kinds == ["alarm", "alarm"]
    assert len(set(world.a.keys)) == 1


def test_what_cannot_be_kept_is_not_sent_and_is_decided_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put()

    def refuse(_batch: Batch) -> None:
        raise RecordsError("no")

    with monkeypatch.context() as broken:
        broken.setattr(world.outbox, "commit", refuse)
        with pytest.raises(RecordsError):
            world.notifier.turn()
        assert not world.notifier.senders["a"].turn()
    world.notifier._telling = None
    world.turn()
    assert world.a.kinds == ["alarm"]


def test_a_message_is_tried_again_with_growing_delay(world: World) -> None:
    world.a.failures = 3
    world.put()
    world.turn()
    for seconds, tries in ((1, 2), (1, 2), (1, 3), (3, 3), (1, 4)):
        world.clock.advance_s(seconds)
        world.turn()
        assert world.a.tries == tries
    assert world.a.kinds == ["alarm"]
    assert [(row["state"], row["tries"]) for row in world.rows()] == [("accepted", 4)]


def test_a_message_that_has_failed_for_good_brings_the_next_step_at_once_and_is_a_trouble(world: World) -> None:
    world.a.failures, world.a.retry = 1, False
    world.put()
    world.turn()
    assert world.b.kinds == ["overdue"]
    assert world.a.kinds == ["overdue"]
    assert [row["state"] for row in world.rows()] == ["failed", "accepted", "accepted"]
    wrong = {one.fault: one.detail for one in world.notifier.findings() if one.wrong}
    assert wrong == {"NOTIFY_FAILED": "a: not today"}
    world.clock.advance_s(601)
    world.notifier.turn()
    assert not any(one.wrong for one in world.notifier.findings())


def test_the_last_step_is_not_repeated_sooner_for_having_failed(world: World) -> None:
    world.a.failures = world.b.failures = 1_000
    world.a.retry = world.b.retry = False
    world.put()
    world.turn()
    world.turn()
    assert (world.a.tries, world.b.tries) == (2, 1)


def test_a_storm_is_told_as_one_and_a_red_alarm_waits_for_seconds_only(tmp_path: Path) -> None:
    world = World(tmp_path, None, storm_duty(over=3))
    world.turn()
    for number in range(10):
        world.put(f"n{number}", tier=2)
    world.turn()
    assert world.a.kinds == ["alarm"] * 3
    world.clock.advance_s(5)
    world.turn()
    assert world.a.kinds[3:] == ["storm"]
    assert world.a.sent[3][0].count == 7
    world.clock.advance_s(10)
    world.put("late", tier=3)
    world.put("early", tier=3)
    world.turn()
    world.clock.advance_s(5)
    world.turn()
    assert len(world.a.sent) == 4
    world.put("red", tier=1)
    world.turn()
    world.clock.advance_s(5)
    world.turn()
    message = world.a.sent[4][0]
    assert (message.kind, message.count, message.tier) == (Kind.STORM, 3, 1)
    assert message.alarms[0]["alarm_id"] == "red"
    world.close()


def test_killed_in_a_storm_nothing_that_waits_is_forgotten(tmp_path: Path) -> None:
    world = World(tmp_path, None, storm_duty(over=2))
    world.turn()
    for number in range(6):
        world.put(f"n{number}", tier=4)
        world.put(f"n{number}", kind="cleared", state="cleared")
    world.turn()
    world.restart()
    world.turn()
    world.clock.advance_s(5)
    world.turn()
    told = {row["alarm_id"] for message, _ in world.a.sent for row in message.alarms}
    assert told == {f"n{number}" for number in range(6)}
    world.close()


def test_two_ladders_tell_the_same_alarm_each_in_its_own_way(tmp_path: Path) -> None:
    desk = Ladder("desk", frozenset({1, 2}), (Step("officer", ("a",), MINUTE_MS),))
    works = Ladder("works", frozenset({1}), (Step("manager", ("b",), MINUTE_MS),), again_every_ms=2 * MINUTE_MS)
    world = World(tmp_path, None, make_duty(desk, works))
    world.put("red", tier=1)
    world.put("orange", tier=2)
    world.turn()
    assert (len(world.a.sent), len(world.b.sent)) == (2, 1)
    world.clock.advance_s(121)
    world.turn()
    assert (len(world.a.sent), len(world.b.sent)) == (2, 2)
    world.close()


def test_the_self_test_is_made_once_a_day_and_its_missing_receipt_is_a_trouble(tmp_path: Path) -> None:
    daily = SelfTest(time(8), "Asia/Shanghai", ("a",), "officer")
    world = World(tmp_path, None, make_duty(self_test=daily))
    world.turn()
    world.restart()
    world.turn()
    assert world.a.kinds == ["self_test"]
    assert not any(one.wrong for one in world.notifier.findings())
    world.clock.advance_s(86_400)
    world.a.delivery = Delivery.SENT
    world.turn()
    assert world.a.kinds == ["self_test", "self_test"]
    assert [one.fault for one in world.notifier.findings() if one.wrong] == ["NOTIFY_SELF_TEST"]
    world.restart()
    world.turn()
    assert [one.fault for one in world.notifier.findings() if one.wrong] == ["NOTIFY_SELF_TEST"]
    world.close()


def test_a_channel_that_is_gone_fails_what_waits_for_it(world: World) -> None:
    world.a.failures = 1
    world.put()
    world.turn()
    steps = (Step("manager", ("b",), MINUTE_MS),)
    world.duty = replace(world.duty, ladders={"all": Ladder("all", frozenset({2}), steps)})
    channels = {"b": world.b}
    outbox = Outbox(world.engine, world.reader)
    world.notifier = Notifier(PLANT, world.duty, channels, outbox, Queries(world.reader), world.clock)
    world.turn()
    assert [row["state"] for row in world.rows()] == ["failed"]
    assert "no channel" in world.rows()[0]["error"]


def test_old_notifications_go_and_those_still_to_be_sent_stay(world: World) -> None:
    world.put("old")
    world.turn()
    world.a.failures = 1
    world.put("stuck")
    world.turn()
    assert world.outbox.trim(world.clock.wall_ms() + 1) == 1
    assert [row["state"] for row in world.rows()] == ["queued"]


def test_what_somebody_acknowledged_and_nobody_handled_is_told_one_level_up(world: World) -> None:
    world.put(tier=1)
    world.turn()
    world.put(kind="acknowledged", acknowledged_ms=world.clock.wall_ms())
    world.turn()
    world.clock.advance_s(15 * 60)
    world.put(kind="overdue", overdue="measure")
    world.restart()
    world.turn()
    assert (world.a.kinds, world.b.kinds) == (["alarm", "overdue"], ["overdue"])
    assert world.b.sent[0][1] == ("li",)
    assert "超时未处理" in world.b.sent[0][0].title.zh
    world.clock.advance_s(3_600)
    world.turn()
    assert world.b.kinds == ["overdue"], "once"


def test_many_that_came_and_went_unseen_are_one_message(world: World) -> None:
    for name in ("a1", "a2", "a3"):
        world.put(name, tier=1)
    world.turn()
    for name in ("a1", "a2", "a3"):
        world.put(name, kind="returned", state="returned", cleared_ms=world.clock.wall_ms())
    world.turn()
    told = len(world.b.sent)
    for name in ("a1", "a2", "a3"):
        world.put(name, kind="overdue", overdue="acknowledge")
    world.turn()
    (message, _) = world.b.sent[-1]
    assert (len(world.b.sent) - told, message.kind, message.count) == (1, Kind.OVERDUE, 3)


def test_a_ladder_that_climbs_by_itself_is_not_told_twice(world: World) -> None:
    world.put(tier=1)
    world.turn()
    world.put(kind="overdue", overdue="acknowledge")
    world.turn()
    assert (world.a.kinds, world.b.kinds) == (["alarm"], [])
