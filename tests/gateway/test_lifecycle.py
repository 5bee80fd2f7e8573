"""Tiers rise, alarms latch, people acknowledge: through a real pipeline on real records, also across restarts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.contract.frame import Frame
from config.contract.messages import AlarmState, decode
from config.plant.load import read_plant
from gateway import pipeline
from gateway.commands import Act, Acts, By, Order, Verb
from gateway.errors import GatewayError, OverloadError, RecordsError
from gateway.records.writer import Commit
from tests.support.frames import frame
from tests.support.gateway_rig import Rig, Step
from tests.support.plants import MINI_PLANT

START_MS = 1_763_770_000_000
PLANT = read_plant(
    MINI_PLANT.replace(
        "H: {limit: 40, deadband: 0, on_delay: 0s, off_delay: 0s}",
        "H: {limit: 40, deadband: 0, on_delay: 0s, off_delay: 0s, latch: true}",
    ).replace("H: {limit: 8, deadband: 0.5, on_delay: 2s, off_delay: 3s}", "H: {limit: 8, on_delay: 0s, off_delay: 0s}")
    + """\
escalations:
  two_points: {when: k_of_n, at_least: 2, conditions: [H, HH], tier: orange}
  unanswered: {when: unacknowledged, tiers: [blue, yellow, orange], after: 10s}
""",
    "mini.yaml",
)


@pytest.fixture(autouse=True)
def no_real_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_RECOVER_WAIT_S", 0.001)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    opened = Rig(tmp_path, PLANT)
    yield opened
    opened.close()


def hot(seq: int, value: float = 45.0) -> Frame:
    """``T-1.TEMP`` over its H (latches, no delays) at second ``seq``, or with another value."""
    return frame(seq, ("T-1.TEMP", START_MS + 1_000 * seq, value))


def full(seq: int, value: float = 8.5) -> Frame:
    """``T-1.LEVEL`` over its H at second ``seq``."""
    return frame(seq, ("T-1.LEVEL", START_MS + 1_000 * seq, value))


def events(rig: Rig) -> list[tuple[str, str]]:
    """Return (tag, kind) of all events, in order; silence is not the matter here."""
    tags = {row["alarm_id"]: row["tag"] for row in rig.rows("alarm") if row["condition"] == "H"}
    return [(tags[row["alarm_id"]], row["kind"]) for row in rig.rows("alarm_event") if row["alarm_id"] in tags]


def kinds(rig: Rig) -> list[str]:
    return [kind for _, kind in events(rig)]


def alarm(rig: Rig, tag: str = "T-1.TEMP") -> dict[str, Any]:
    """Return the latest H alarm of a tag."""
    rows = [row for row in rig.rows("alarm") if (row["tag"], row["condition"]) == (tag, "H")]
    return max(rows, key=lambda row: int(row["onset_ms"]))


def retained(rig: Rig) -> dict[str, AlarmState]:
    found = [decode(one, AlarmState) for topic, one in rig.transport.retained.items() if "/alarms/" in topic]
    return {one.tag: one for one in found if one.condition == "H"}


class Desk:
    """Somebody who acknowledges, as the API does."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def acknowledge(
        self,
        tag: str = "T-1.TEMP",
        version: int | None = None,
        by: str = "Li",
        times: int = 1,
        verb: Verb = Verb.ACKNOWLEDGE,
    ) -> Step:
        def step(rig: Rig) -> None:
            seen = alarm(rig, tag)
            act = Act(verb, seen["alarm_id"], seen["version"] if version is None else version, "on my way")
            self.orders += [rig.inbox.submit(Acts((act,), By(by))) for _ in range(times)]

        return step

    @property
    def answers(self) -> list[str]:
        """Return the state after each order, or the name of what was wrong."""
        return [self._answer(order) for order in self.orders]

    @staticmethod
    def _answer(order: Order) -> str:
        try:
            (outcome,) = order.future.result(0)
        except GatewayError as error:
            return type(error).__name__
        return outcome["state"] if isinstance(outcome, dict) else type(outcome).__name__

    def said(self, at: int) -> str:
        """Return the words of a refusal."""
        return str(self.orders[at].future.result(0)[0])


@pytest.fixture
def desk() -> Desk:
    return Desk()


# --- tiers ---------------------------------------------------------------------------------------------------------


def test_two_points_of_one_unit_rise_and_say_why(rig: Rig) -> None:
    rig.play(rig.send(hot(1)), 0.3, rig.send(full(2)), 0.3)
    assert events(rig) == [
        ("T-1.TEMP", "raised"), ("T-1.LEVEL", "raised"), ("T-1.LEVEL", "tier_raised"), ("T-1.TEMP", "tier_raised"),
    ] or events(rig) == [
        ("T-1.TEMP", "raised"), ("T-1.LEVEL", "raised"), ("T-1.TEMP", "tier_raised"), ("T-1.LEVEL", "tier_raised"),
    ]  # fmt: skip
    row = alarm(rig)
    assert (row["tier"], row["base_tier"], row["version"], row["state"]) == (2, 4, 2, "active")
    expected = {"rule": "two_points", "when": "k_of_n", "from": 4, "to": 2, "count": 2}
    assert {key: row["rise"][key] for key in expected} == expected
    assert row["rise"]["others"] == [["T-1.LEVEL", "H"]]
    (event,) = [one for one in rig.rows("alarm_event") if one["kind"] == "tier_raised" and one["detail"] == row["rise"]]
    assert (event["version"], event["at_ms"]) == (2, event["received_ms"])
    assert [notice.kind for notice in rig.notices] == kinds(rig), "a rise is told like a new alarm"
    state = retained(rig)["T-1.TEMP"]
    assert (state.tier, state.base_tier, state.acknowledged, state.version) == (2, 4, False, 2)
    assert "升级 蓝→橙：同一单元多点报警，另有 T-1.LEVEL 高报警（规则 two_points）" in state.message_zh
    assert "tier Blue → Orange: several points of one unit in alarm, with T-1.LEVEL HIGH" in state.message_en


def test_a_tier_does_not_fall_when_its_reason_is_gone(rig: Rig) -> None:
    rig.play(rig.send(hot(1)), 0.3, rig.send(full(2)), 0.3, rig.send(full(3, 5.0)), 1.5)
    assert (alarm(rig)["tier"], alarm(rig)["state"]) == (2, "active")
    assert alarm(rig, "T-1.LEVEL")["state"] == "returned", "orange by now: somebody has to see it"
    assert kinds(rig).count("tier_raised") == 2


def test_nobody_acknowledging_lifts_an_alarm_tier_by_tier(rig: Rig) -> None:
    rig.play(rig.send(hot(1)), 45.0)
    risen = [
        row
        for row in rig.rows("alarm_event")
        if row["kind"] == "tier_raised" and row["alarm_id"] == alarm(rig)["alarm_id"]
    ]
    raised_ms = alarm(rig)["received_ms"]
    assert [(row["detail"]["from"], row["detail"]["to"]) for row in risen] == [(4, 3), (3, 2), (2, 1)]
    assert [row["at_ms"] - raised_ms for row in risen] == [10_000, 20_000, 30_000]
    assert all(0 <= row["received_ms"] - row["at_ms"] <= 1_000 for row in risen), "decided at the next tick"


def test_an_acknowledged_alarm_stays_where_it_is(rig: Rig, desk: Desk) -> None:
    rig.play(rig.send(hot(1)), 5.0, desk.acknowledge(), 30.0)
    assert desk.answers == ["active"]
    assert kinds(rig) == ["raised", "acknowledged"]
    assert alarm(rig)["tier"] == 4


def test_a_rise_voids_the_acknowledgement(rig: Rig, desk: Desk) -> None:
    rig.play(rig.send(hot(1)), 0.3, desk.acknowledge(), 0.3)
    assert (alarm(rig)["acknowledged_by"], retained(rig)["T-1.TEMP"].acknowledged) == ("Li", True)
    rig.play(rig.send(full(2)), 0.3)
    row = alarm(rig)
    assert (row["tier"], row["acknowledged_ms"], row["acknowledged_by"]) == (2, None, None)
    assert not retained(rig)["T-1.TEMP"].acknowledged
    rig.play(desk.acknowledge(), 30.0)
    assert desk.answers == ["active", "active"]
    assert (alarm(rig)["tier"], alarm(rig)["acknowledged_by"]) == (2, "Li")


@pytest.mark.parametrize("killed_s", [0.4, 9.0, 10.7, 20.7, 40.0])
def test_a_restart_anywhere_changes_nothing_about_what_rises(tmp_path: Path, killed_s: float) -> None:
    """The same story without and with a process killed in the middle, its state thrown away."""
    told = []
    for name in ("whole", "killed"):
        rig = Rig(tmp_path / name, PLANT)
        first = rig.send(hot(1))
        if name == "whole":
            rig.play(first, 50.0)
        else:
            assert rig.play(first, killed_s, rig.kill())
            rig.play(50.0 - killed_s)
        mine = [row for row in rig.rows("alarm_event") if row["alarm_id"] == alarm(rig)["alarm_id"]]
        told.append([(row["kind"], row["version"], row["at_ms"], row["detail"]) for row in mine])
        assert len(told[-1]) == 4
        rig.close()
    assert told[0] == told[1]


def test_rises_of_a_commit_that_failed_are_decided_again_once(rig: Rig) -> None:
    rig.play(rig.send(hot(1)), 0.3, rig.fail_commit(), rig.send(full(2)), 1.0, rig.send(full(2)), 1.0)
    assert kinds(rig).count("tier_raised") == 2
    versions = [row["version"] for row in rig.rows("alarm_event") if row["alarm_id"] == alarm(rig)["alarm_id"]]
    assert versions == [1, 2]


# --- acknowledging -------------------------------------------------------------------------------------------------


def test_an_acknowledgement_is_durable_before_it_is_answered(rig: Rig, desk: Desk) -> None:
    seen: list[bool] = []
    original = rig.records.commit

    def watched(commit: Commit) -> None:
        seen.extend(order.future.done() for order in desk.orders)
        original(commit)

    rig.play(rig.send(hot(1)), 0.3)
    rig.records.commit = watched  # type: ignore[method-assign]
    rig.play(desk.acknowledge(), 0.3)
    assert seen[0] is False
    assert desk.answers == ["active"]
    (event,) = [row for row in rig.rows("alarm_event") if row["kind"] == "acknowledged"]
    assert event["detail"] == {"by": "Li", "comment": "on my way"}
    assert alarm(rig)["acknowledged_ms"] == event["at_ms"]


def test_asking_twice_acknowledges_once(rig: Rig, desk: Desk) -> None:
    rig.play(rig.send(hot(1)), 0.3, desk.acknowledge(times=2), 0.3, desk.acknowledge(version=1), 0.3)
    assert rig.play(desk.acknowledge(version=1), 0.1, rig.kill())
    rig.play(desk.acknowledge(version=1), 0.3)
    assert desk.answers == ["active"] * 5
    assert kinds(rig) == ["raised", "acknowledged"]


def test_what_cannot_be_acknowledged(rig: Rig, desk: Desk) -> None:
    rig.play(rig.send(hot(1)), 0.3, desk.acknowledge(version=7), 0.2, desk.acknowledge(), 0.2)
    rig.play(desk.acknowledge(version=1, by="Wang"), 0.2, desk.acknowledge(by="Wang"), 0.2)
    rig.play(lambda one: desk.orders.append(one.inbox.submit(Acts((Act(Verb.ACKNOWLEDGE, "none", 1),), By("Li")))), 0.2)
    rig.play(rig.send(hot(2, 20.0)), 0.2, desk.acknowledge(), 0.2)
    assert desk.answers == [
        "ConflictError", "active", "ConflictError", "ConflictError", "NotFoundError", "ConflictError",
    ]  # fmt: skip
    assert "has version 1, not yet 7" in desk.said(0)
    assert "acknowledged by Li since it was seen (version 2, seen 1)" in desk.said(2)
    assert "acknowledged already" in desk.said(3)
    assert "no alarm none" in desk.said(4)
    assert "acknowledged already" in desk.said(5)


def test_an_acknowledgement_that_could_not_be_kept_is_said_to_have_failed(rig: Rig, desk: Desk) -> None:
    rig.play(rig.send(hot(1)), 0.3, rig.fail_commit(RecordsError("disk full")), desk.acknowledge(), 0.5)
    assert desk.answers == ["RecordsError"]
    assert alarm(rig)["acknowledged_ms"] is None
    rig.play(desk.acknowledge(), 0.3)
    assert desk.answers[1:] == ["active"]


def test_one_that_comes_while_the_gateway_stops_is_refused(rig: Rig) -> None:
    rig.play(rig.send(hot(1)), 0.3)

    order = rig.inbox.submit(Acts((Act(Verb.ACKNOWLEDGE, alarm(rig)["alarm_id"], 1),), By("Li")))
    rig.stop.set()
    rig.pipeline.run(rig.stop)
    with pytest.raises(OverloadError, match="stopping"):
        order.future.result(0)


# --- latching ------------------------------------------------------------------------------------------------------


def test_a_latching_alarm_stays_until_it_is_acknowledged_and_reset(rig: Rig, desk: Desk) -> None:
    rig.play(rig.send(hot(1)), 0.3, rig.send(hot(2, 20.0)), 0.3)
    row = alarm(rig)
    assert (row["state"], row["cleared_ms"]) == ("latched", START_MS + 2_000)
    assert retained(rig)["T-1.TEMP"].state == "latched"
    rig.restart()
    rig.play(desk.acknowledge(verb=Verb.RESET), 0.3, desk.acknowledge(), 0.3)
    assert "acknowledge it before it is reset" in desk.said(0)
    assert alarm(rig)["state"] == "latched", "seen, and still to be reset"
    rig.play(desk.acknowledge(verb=Verb.RESET), 0.3)
    row = alarm(rig)
    assert (row["state"], row["cleared_ms"], row["acknowledged_by"]) == ("cleared", START_MS + 2_000, "Li")
    assert desk.answers == ["ConflictError", "latched", "cleared"]
    assert kinds(rig) == ["raised", "latched", "acknowledged", "reset"]
    assert retained(rig) == {}
    rig.play(desk.acknowledge(version=2), 0.3)
    assert desk.answers[3:] == ["cleared"], "asked again: done already"


def test_acknowledged_first_it_is_still_to_be_reset(rig: Rig, desk: Desk) -> None:
    rig.play(rig.send(hot(1)), 0.3, desk.acknowledge(verb=Verb.RESET), desk.acknowledge(), 0.3)
    rig.play(rig.send(hot(2, 20.0)), 0.3)
    assert "nothing to reset" in desk.said(0)
    assert kinds(rig) == ["raised", "acknowledged", "latched"]
    rig.play(desk.acknowledge(verb=Verb.RESET), 0.3)
    assert kinds(rig)[3:] == ["reset"]
    assert retained(rig) == {}


@pytest.mark.parametrize("restart", [False, True])
def test_raised_again_while_latched_it_is_a_new_alarm_and_the_old_one_ends(rig: Rig, *, restart: bool) -> None:
    rig.play(rig.send(hot(1)), 0.3, rig.send(hot(2, 20.0)), 0.3)
    old = alarm(rig)
    if restart:
        rig.restart()
    rig.play(rig.send(hot(3)), 0.3)
    new = alarm(rig)
    assert kinds(rig) == ["raised", "latched", "superseded", "raised"]
    assert {row["alarm_id"]: row["state"] for row in rig.rows("alarm")} == {
        old["alarm_id"]: "cleared", new["alarm_id"]: "active",
    }  # fmt: skip
    (superseded,) = [row for row in rig.rows("alarm_event") if row["kind"] == "superseded"]
    assert superseded["detail"] == {"by": new["alarm_id"]}
    assert retained(rig)["T-1.TEMP"].alarm_id == new["alarm_id"]


def test_a_latched_alarm_neither_counts_as_a_point_nor_rises(rig: Rig) -> None:
    rig.play(rig.send(hot(1)), 0.3, rig.send(hot(2, 20.0)), 0.3, rig.send(full(3)), 5.0)
    assert "tier_raised" not in kinds(rig)
    rig.play(20.0)
    assert alarm(rig)["tier"] == 4
