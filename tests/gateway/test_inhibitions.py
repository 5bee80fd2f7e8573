"""Shelved, suppressed by design, out of service; clocks that run out: through a real pipeline on real records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.contract.frame import Frame
from config.contract.messages import AlarmState, decode
from config.plant.load import read_plant
from gateway.commands import Act, Acts, By, Command, Inhibit, Order, Outcome, Release, Verb
from gateway.lifecycle import LifeEvent
from tests.support.frames import frame
from tests.support.gateway_rig import Rig, Step
from tests.support.plants import MINI_PLANT

START_MS = 1_763_770_000_000
MINUTE_MS = 60_000
PLANT = read_plant(
    MINI_PLANT.replace("HH: {limit: 9, deadband: 0.25, on_delay: 2s", "HH: {limit: 9, tier: red, on_delay: 0s")
    .replace("H: {limit: 8, deadband: 0.5, on_delay: 2s", "H: {limit: 8, tier: orange, on_delay: 0s")
    .replace("H: {limit: 40, deadband: 0, on_delay: 0s", "H: {limit: 40, tier: orange, deadband: 0, on_delay: 0s")
    .replace("STALE: {tier: yellow}", "STALE: false")
    + """\
suppressions:
  trip: {name: {zh: "联锁停车", en: "trip"}, tags: [T-1.TEMP], conditions: [H], while: {tag: T-1.LEVEL, condition: HH}}
  purge: {name: {zh: "吹扫", en: "purge"}, tags: [T-1.TEMP]}
""",
    "mini.yaml",
)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    opened = Rig(tmp_path, PLANT)
    yield opened
    opened.close()


def temp(seq: int, value: float = 45.0) -> Frame:
    return frame(seq, ("T-1.TEMP", START_MS + 1_000 * seq, value))


def level(seq: int, value: float) -> Frame:
    return frame(seq, ("T-1.LEVEL", START_MS + 1_000 * seq, value))


class Desk:
    """Somebody at a desk."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def ask(self, command: Command) -> Callable[[Rig], None]:
        return lambda rig: self.orders.append(rig.inbox.submit(command))

    def shelve(self, rig: Rig, minutes: float = 10, condition: str = "H", tag: str = "T-1.TEMP") -> Step:
        until_ms = rig.clock.wall_ms() + int(minutes * MINUTE_MS)
        return self.ask(Inhibit(LifeEvent.SHELVE, tag, (condition,), until_ms, "nuisance", By("li", "10.0.0.9")))

    def acknowledge(self) -> Step:
        def step(rig: Rig) -> None:
            row = last(rig)
            self.ask(Acts((Act(Verb.ACKNOWLEDGE, row["alarm_id"], row["version"]),), By("li")))(rig)

        return step

    def answer(self) -> Outcome:
        (outcome,) = self.orders[-1].future.result(0)
        return outcome


@pytest.fixture
def desk() -> Desk:
    return Desk()


def last(rig: Rig, tag: str = "T-1.TEMP") -> dict[str, Any]:
    return [row for row in rig.rows("alarm") if row["tag"] == tag and row["condition"] == "H"][-1]


def kinds(rig: Rig, tag: str = "T-1.TEMP") -> list[str]:
    name = last(rig, tag)["alarm_id"]
    return [row["kind"] for row in rig.rows("alarm_event") if row["alarm_id"] == name]


def published(rig: Rig) -> list[str]:
    found = [decode(one, AlarmState) for topic, one in rig.transport.retained.items() if "/alarms/" in topic]
    return sorted(f"{one.tag} {one.condition}" for one in found if one.condition in ("H", "HH"))


def test_a_shelved_alarm_is_recorded_not_told_and_comes_back_by_itself(rig: Rig, desk: Desk) -> None:
    rig.play(rig.send(temp(1)), 0.5, desk.shelve(rig), 0.5)
    row = last(rig)
    assert (row["state"], row["inhibited"], published(rig)) == ("active", "shelved", [])
    rig.restart()
    rig.play(9 * MINUTE_MS / 1000)
    assert (last(rig)["inhibited"], last(rig)["overdue"]) == ("shelved", ""), "no clock runs; a restart forgets nothing"
    rig.play(70.0)
    row = last(rig)
    assert (row["inhibited"], published(rig)) == (None, ["T-1.TEMP H"])
    assert kinds(rig) == ["raised", "shelved", "unshelved"]
    (event,) = [one for one in rig.rows("alarm_event") if one["kind"] == "unshelved"]
    assert event["detail"] == {"by": "system", "why": "time"}
    assert row["alarmed_ms"] == event["at_ms"], "told like a new one"
    (inhibition,) = rig.rows("inhibition")
    assert (inhibition["ended_why"], inhibition["by"], inhibition["reason"]) == ("time", "li", "nuisance")
    (entry,) = rig.rows("audit")
    assert (entry["account"], entry["origin"], entry["act"], entry["subject"]) == (
        "li", "10.0.0.9", "point.shelve", "T-1.TEMP H",
    )  # fmt: skip


def test_what_begins_while_shelved_is_told_when_that_ends(rig: Rig, desk: Desk) -> None:
    rig.play(0.5, desk.shelve(rig), 0.5, rig.send(temp(1)), 0.5)
    assert (last(rig)["inhibited"], published(rig)) == ("shelved", [])
    (shelved,) = rig.rows("inhibition")
    rig.play(desk.ask(Release(shelved["id"], By("wang"), "back")), 0.5)
    assert (kinds(rig), published(rig)) == (["raised", "unshelved"], ["T-1.TEMP H"])


def test_what_was_over_meanwhile_needs_nobody(rig: Rig, desk: Desk) -> None:
    rig.play(0.5, desk.shelve(rig), 0.5, rig.send(temp(1)), 0.5, rig.send(temp(2, 20.0)), 0.5)
    assert (kinds(rig), last(rig)["state"], last(rig)["stage"]) == (["raised", "cleared"], "cleared", "closed")
    rig.play(rig.send(temp(3, 20.0)), 660.0, rig.send(temp(4)), 0.5)
    assert (last(rig)["inhibited"], published(rig)) == (None, ["T-1.TEMP H"]), "the next one is told"


@pytest.mark.parametrize(
    ("condition", "tag", "minutes", "why"),
    [
        ("HH", "T-1.LEVEL", 10, "never shelved"),
        ("H", "T-1.TEMP", 481, "at most 8 h"),
        ("H", "T-1.TEMP", -1, "its end is past"),
    ],
)
def test_what_may_not_be_shelved(rig: Rig, desk: Desk, condition: str, tag: str, minutes: float, why: str) -> None:
    rig.play(0.5, desk.shelve(rig, minutes, condition, tag), 0.5)
    assert why in str(desk.answer())
    assert rig.rows("inhibition") == []
    assert [(row["outcome"], why in row["detail"]) for row in rig.rows("audit")] == [("refused", True)]


def test_a_rule_suppresses_while_the_alarm_that_names_the_cause_is_told(rig: Rig, desk: Desk) -> None:
    rig.play(rig.send(level(1, 9.5)), 1.5, rig.send(temp(2)), 0.5)
    assert last(rig)["inhibited"] == "suppressed"
    assert published(rig) == ["T-1.LEVEL H", "T-1.LEVEL HH"], "the cause is told"
    (row,) = rig.rows("inhibition")
    rig.play(desk.ask(Release(row["id"], By("li"))), 0.5)
    assert "as long as rule trip holds" in str(desk.answer())
    rig.restart()
    rig.play(1.5, *(rig.send(level(seq, 5.0)) for seq in range(3, 9)), 1.5)
    assert (kinds(rig), last(rig)["inhibited"]) == (["raised", "unsuppressed"], None)
    assert rig.rows("inhibition")[0]["ended_why"] == "rule"


def test_the_longer_word_wins(rig: Rig, desk: Desk) -> None:
    until_ms = rig.clock.wall_ms() + 30 * MINUTE_MS
    work = Inhibit(LifeEvent.REMOVE, "T-1.TEMP", ("H",), until_ms, "new sensor", By("zhao"), permit="WP-17")
    rig.play(rig.send(temp(1)), 0.5, desk.shelve(rig), 0.5, desk.ask(work), 0.5)
    assert last(rig)["inhibited"] == "out_of_service"
    assert sorted((row["kind"], row["ended_why"]) for row in rig.rows("inhibition")) == [
        ("out_of_service", None), ("shelved", "replaced"),
    ]  # fmt: skip
    rig.play(desk.shelve(rig, 5), 0.5)
    assert "return it to service first" in str(desk.answer())
    rig.play(desk.acknowledge(), 0.5)
    assert "out of service" in str(desk.answer())
    rig.play(rig.send(level(2, 9.5)), 2.5)
    assert last(rig)["inhibited"] == "out_of_service", "no rule shortens it"
    rig.play(1_900.0)
    assert kinds(rig) == ["raised", "shelved", "removed", "in_service", "suppressed"]


def test_asked_again_it_is_done_already(rig: Rig, desk: Desk) -> None:
    until_ms = rig.clock.wall_ms() + 10 * MINUTE_MS
    same = Inhibit(LifeEvent.SHELVE, "T-1.TEMP", ("H",), until_ms, "nuisance", By("li"), key="one")
    rig.play(0.5, desk.ask(same), desk.ask(same), 0.5)
    rig.restart()
    rig.play(desk.ask(same), 0.5, 700.0, desk.ask(same), 0.5)
    assert [row["kind"] for row in rig.rows("inhibition")] == ["shelved"]
    assert len(rig.rows("audit")) == 1
    assert isinstance(desk.answer(), dict)


# --- clocks --------------------------------------------------------------------------------------------------------


def test_what_nobody_does_in_time_is_late_once(rig: Rig, desk: Desk) -> None:
    rig.play(rig.send(temp(1)), 5 * 60 + 1.5)
    assert (kinds(rig), last(rig)["overdue"]) == (["raised", "overdue"], "acknowledge")
    rig.restart()
    rig.play(desk.acknowledge(), 60.0)
    assert last(rig)["overdue"] == ""
    rig.play(25 * 60.0)
    assert (kinds(rig), last(rig)["overdue"]) == (["raised", "overdue", "acknowledged", "overdue"], "measure")
    name = last(rig)["alarm_id"]
    late = [one["detail"] for one in rig.rows("alarm_event") if (one["kind"], one["alarm_id"]) == ("overdue", name)]
    told_ms = last(rig)["alarmed_ms"]
    assert [(one["what"], one["due_ms"] - told_ms) for one in late] == [
        ("acknowledge", 5 * MINUTE_MS), ("measure", 30 * MINUTE_MS),
    ]  # fmt: skip


def test_the_clock_of_an_alarm_that_is_over_runs_on_through_a_restart(rig: Rig, desk: Desk) -> None:
    rig.play(rig.send(temp(1)), 0.5, desk.acknowledge(), 0.5, rig.send(temp(2, 20.0)), 0.5)
    assert last(rig)["state"] == "cleared"
    rig.restart()
    rig.play(31 * 60.0)
    assert (kinds(rig)[-1], last(rig)["overdue"]) == ("overdue", "measure")


def test_acknowledged_and_still_active_it_is_told_anew(rig: Rig, desk: Desk) -> None:
    rig.play(rig.send(temp(1)), 0.5, desk.acknowledge(), 61 * 60.0)
    assert kinds(rig) == ["raised", "acknowledged", "overdue", "re_alarmed"]
    row = last(rig)
    assert (row["acknowledged_ms"], row["overdue"]) == (None, "")
    assert [notice.kind for notice in rig.notices].count("re_alarmed") == 1


def test_acknowledging_no_data_hides_no_worse_alarm(tmp_path: Path) -> None:
    plant = read_plant(
        MINI_PLANT.replace("HH: {limit: 9, deadband: 0.25, on_delay: 2s", "HH: {limit: 9, on_delay: 0s"), "m.yaml"
    )
    rig, desk = Rig(tmp_path, plant), Desk()
    rig.play(rig.send(level(1, 9.5)), 20.0)
    by_condition = {row["condition"]: row for row in rig.rows("alarm") if row["tag"] == "T-1.LEVEL"}
    stale = by_condition["STALE"]
    rig.play(desk.ask(Acts((Act(Verb.ACKNOWLEDGE, stale["alarm_id"], stale["version"]),), By("li"))), 0.5)
    after = {row["condition"]: row["acknowledged_by"] for row in rig.rows("alarm") if row["tag"] == "T-1.LEVEL"}
    assert (after["STALE"], after["HH"]) == ("li", None)
    rig.close()
