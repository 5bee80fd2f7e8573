"""What is told to the broker: receipts, and the state of every alarm, whatever the connection does."""

from __future__ import annotations

from typing import Any

import pytest

from config.contract.messages import AlarmState, Kept, Refusal, decode
from config.contract.topics import Kind, alarm_topic, edge_topic
from gateway.outlet import Outlet
from tests.support.plants import mini_plant
from tests.support.queue_transport import QueueTransport
from tests.support.rows import alarm_row

PLANT = mini_plant()
KEPT = edge_topic("mini", "edge-a", Kind.KEPT)


def row(number: int, sequence: int, state: str = "active", **changes: object) -> dict[str, Any]:
    cleared_ms = 5_000 if state == "cleared" else None
    return alarm_row(f"{number:016x}", sequence=sequence, state=state, cleared_ms=cleared_ms, **changes)


def topic(number: int) -> str:
    return alarm_topic("mini", f"{number:016x}")


class Desk:
    """An outlet, its transport, and the alarms that are open."""

    def __init__(self, position: int = 0) -> None:
        self.transport = QueueTransport(idle=lambda _s: None)
        self.outlet = Outlet(self.transport, PLANT, position)
        self.open: dict[str, dict[str, Any]] = {}
        self.now_s = 0.0

    def tell(self, *alarms: dict[str, Any]) -> None:
        for alarm in alarms:
            if alarm["state"] == "active":
                self.open[alarm["alarm_id"]] = alarm
            else:
                self.open.pop(alarm["alarm_id"], None)
        self.outlet.tell(alarms)

    def turn(self) -> int:
        """Go round once; returns the position."""
        self.transport.poll(0)
        self.outlet.flush(self.now_s, tuple(self.open.values()))
        self.now_s += 1.0
        return self.outlet.position

    def turns(self, count: int = 4) -> int:
        return [self.turn() for _ in range(count)][-1]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_raised_alarm_is_retained_with_everything_a_siren_needs(desk: Desk) -> None:
    desk.tell(row(1, 1))
    desk.turn()
    state = decode(desk.transport.retained[topic(1)], AlarmState)
    assert state == AlarmState(
        alarm_id=f"{1:016x}",
        state="active",
        tier=2,
        base_tier=2,
        acknowledged=False,
        tag="T-1.TEMP",
        condition="H",
        hazard_unit="meoh",
        onset_ms=1_000,
        raised_ms=1_000,
        cleared_ms=None,
        value=45.0,
        limit=40.0,
        unit="degC",
        delayed=False,
        version=1,
        message_zh=state.message_zh,
        message_en=state.message_en,
    )
    assert "罐" in state.message_zh
    assert "45" in state.message_en


def test_a_cleared_alarm_is_told_once_and_its_topic_emptied(desk: Desk) -> None:
    desk.tell(row(1, 1))
    desk.turn()
    desk.tell(row(1, 2, "cleared", version=2))
    desk.turns()
    assert topic(1) not in desk.transport.retained
    told = [payload for where, payload in desk.transport.heard if where == topic(1)]
    assert [decode(payload, AlarmState).state for payload in told[:2]] == ["active", "cleared"]
    assert told[2:] == [b""]


def test_the_position_moves_only_when_the_broker_has_confirmed(desk: Desk) -> None:
    desk.transport.confirming = False
    desk.tell(row(1, 1), row(2, 2))
    assert desk.turns() == 0
    desk.transport.confirming = True
    assert desk.turns() == 2


def test_a_cleared_alarm_counts_as_told_when_its_topic_is_empty_too(desk: Desk) -> None:
    desk.turn()
    desk.transport.confirming = False
    desk.tell(row(1, 1, "cleared"))
    desk.turn()
    first, second = desk.transport._unconfirmed
    desk.transport._confirmed = [first]
    desk.outlet.flush(desk.now_s, ())
    assert desk.outlet.position == 0
    desk.transport._confirmed = [second]
    desk.outlet.flush(desk.now_s, ())
    assert desk.outlet.position == 1


def test_confirmations_out_of_order_move_the_position_in_order(desk: Desk) -> None:
    desk.turn()
    desk.transport.confirming = False
    desk.tell(row(1, 1), row(2, 2), row(3, 3))
    desk.turn()
    first, second, third = desk.transport._unconfirmed
    for token, position in ((third, 0), (first, 1), (second, 3)):
        desk.transport._confirmed = [token]
        desk.outlet.flush(desk.now_s, tuple(desk.open.values()))
        assert desk.outlet.position == position


def test_nothing_is_told_without_a_connection_and_nothing_is_forgotten(desk: Desk) -> None:
    desk.transport.reachable = False
    desk.tell(row(1, 1))
    desk.outlet.keep("edge-a", "e1", 7, ())
    desk.turns()
    assert desk.transport.heard == []
    desk.transport.reachable = True
    assert desk.turns() == 1
    assert topic(1) in desk.transport.retained
    assert KEPT in desk.transport.retained


def test_every_open_alarm_is_told_again_on_a_new_connection(desk: Desk) -> None:
    desk.tell(row(1, 1), row(2, 2), row(2, 3, "cleared"))
    desk.turns()
    desk.transport.drop()
    desk.transport.retained.clear()
    desk.transport.heard.clear()
    desk.turns()
    assert set(desk.transport.retained) == {topic(1)}
    assert [where for where, _ in desk.transport.heard] == [topic(1)]


def test_open_alarms_of_an_earlier_process_are_told_on_the_first_connection() -> None:
    desk = Desk(position=9)
    desk.open["x"] = row(1, 4)
    assert desk.turns() == 9
    assert set(desk.transport.retained) == {topic(1)}


def test_what_was_not_confirmed_is_told_again_on_the_next_connection(desk: Desk) -> None:
    desk.tell(row(1, 1))
    desk.turns()
    desk.transport.confirming = False
    desk.tell(row(1, 2, "cleared"))
    desk.turn()
    desk.transport.drop()
    desk.transport.retained[topic(1)] = b"the broker never saw the end"
    desk.transport.confirming = True
    assert desk.turns() == 2
    assert desk.transport.retained == {}


def test_the_position_never_passes_over_an_end_that_was_not_confirmed(desk: Desk) -> None:
    """Else a crash between the two confirmations would leave a closed alarm on the broker for ever."""
    desk.tell(row(1, 1))
    desk.turns()
    desk.transport.confirming = False
    desk.tell(row(1, 2, "cleared"), row(2, 3))
    desk.turn()
    desk.transport.drop()
    desk.transport.poll(0)
    desk.outlet.flush(desk.now_s, tuple(desk.open.values()))
    tokens = list(desk.transport._unconfirmed)
    seen = []
    for token in tokens:
        desk.transport._confirmed = [token]
        desk.outlet.flush(desk.now_s, tuple(desk.open.values()))
        seen.append((desk.outlet.position, topic(1) in desk.transport.retained))
    assert seen[0][0] < 3
    assert seen[-1] == (3, False)


def test_an_alarm_is_told_once_however_often_it_waited(desk: Desk) -> None:
    desk.turn()
    desk.transport.confirming = False
    desk.tell(row(1, 1))
    desk.turn()
    for _ in range(3):
        desk.transport.drop()
        desk.transport.heard.clear()
        desk.turns()
        assert [where for where, _ in desk.transport.heard] == [topic(1)]


def test_kept_is_retained_and_says_what_was_refused(desk: Desk) -> None:
    desk.outlet.keep("edge-a", "e" * 8, 7, [Refusal(6, "bad_shape")])
    desk.turn()
    assert decode(desk.transport.retained[KEPT], Kept) == Kept("e" * 8, 7, (Refusal(6, "bad_shape"),))


def test_only_the_latest_receipt_of_an_epoch_is_published(desk: Desk) -> None:
    for upto in range(1, 6):
        desk.outlet.keep("edge-a", "e" * 8, upto, [Refusal(upto, "bad_shape")] if upto % 2 else [])
    desk.turn()
    told = [decode(payload, Kept) for where, payload in desk.transport.heard if where == KEPT]
    assert [one.upto for one in told] == [5]
    assert [one.seq for one in told[0].refused] == [1, 3, 5]
    desk.turns()
    assert len([where for where, _ in desk.transport.heard if where == KEPT]) == 1


def test_of_many_refusals_the_latest_are_told(desk: Desk) -> None:
    desk.outlet.keep("edge-a", "e" * 8, 99, [Refusal(seq, "bad_shape") for seq in range(50)])
    desk.turn()
    assert [one.seq for one in decode(desk.transport.retained[KEPT], Kept).refused] == list(range(30, 50))


def test_every_epoch_gets_its_own_receipt(desk: Desk) -> None:
    desk.outlet.keep("edge-a", "a" * 8, 3, ())
    desk.outlet.keep("edge-a", "b" * 8, 9, ())
    desk.turn()
    told = [decode(payload, Kept) for where, payload in desk.transport.heard if where == KEPT]
    assert [(one.epoch, one.upto) for one in told] == [("a" * 8, 3), ("b" * 8, 9)]


def test_receipts_are_told_five_times_a_second_and_the_last_one_always(desk: Desk) -> None:
    desk.turn()
    for step in range(100):
        desk.outlet.keep("edge-a", "a" * 8, step, ())
        desk.now_s = 100 + step * 0.01
        desk.outlet.flush(desk.now_s, ())
    desk.outlet.flush(200.0, ())
    told = [decode(payload, Kept).upto for where, payload in desk.transport.heard if where == KEPT]
    assert 4 <= len(told) <= 7
    assert told[-1] == 99


def test_an_alarm_of_a_tag_that_left_the_plant_is_still_told(desk: Desk) -> None:
    desk.tell(row(1, 1, tag="GONE"))
    desk.turn()
    state = decode(desk.transport.retained[topic(1)], AlarmState)
    assert (state.tag, state.unit) == ("GONE", "")
    assert "GONE" in state.message_en
