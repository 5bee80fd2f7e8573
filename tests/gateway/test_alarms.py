"""From transitions to alarm rows and events."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from alerting.batch import Change, Transitions
from alerting.retrospect import Alarms
from config.contract.alarms import alarm_id
from config.contract.quality import Quality, Reason, pack
from config.plant.load import read_plant
from config.plant.model import CONDITIONS, Condition, Plant, Tier, Unacknowledged
from gateway.alarm_rows import Decided
from gateway.alarms import AlarmBook
from tests.support.plants import mini_plant, plant_text
from tests.support.rows import alarm_row

PLANT = mini_plant()
NAMES = tuple(PLANT.tags)
UNMEASURED = dict.fromkeys(("measure", "measure_low", "measure_high"))
Line = tuple[str, Condition, Change, int, int, float, int]
"""(tag, condition, change, onset_ms, time_ms, value, quality)"""


def transitions(*lines: Line) -> Transitions:
    tags, conditions, changes, onsets, times, values, qualities = zip(*lines, strict=True)
    return Transitions(
        tag=np.array([NAMES.index(tag) for tag in tags], np.int32),
        condition=np.array([CONDITIONS.index(condition) for condition in conditions], np.uint8),
        change=np.array(changes, np.uint8),
        onset_ms=np.array(onsets, np.int64),
        time_ms=np.array(times, np.int64),
        value=np.array(values, np.float64),
        quality=np.array(qualities, np.uint8),
        limit=np.full(len(lines), np.nan),
        measure=np.full(len(lines), np.nan),
        low=np.full(len(lines), np.nan),
        high=np.full(len(lines), np.nan),
    )


def raised(tag: str = "T-1.TEMP", condition: Condition = Condition.H, at_ms: int = 1_000, value: float = 45.0) -> Line:
    return (tag, condition, Change.RAISED, at_ms, at_ms, value, 0)


def cleared(tag: str = "T-1.TEMP", condition: Condition = Condition.H, at_ms: int = 9_000, value: float = 20.0) -> Line:
    return (tag, condition, Change.CLEARED, 1_000, at_ms, value, 0)


def book(*open_alarms: dict[str, object], event_id: int = 0, plant: Plant = PLANT) -> AlarmBook:
    return AlarmBook(plant, NAMES, open_alarms, event_id, delayed_after_ms=10_000)


def decide(alarms: AlarmBook, *lines: Line, received_ms: int = 1_100) -> Decided:
    return alarms.decide(transitions(*lines), received_ms, received_ms + 5, 77)


def test_the_name_of_an_alarm_follows_from_what_it_is() -> None:
    name = alarm_id("T-1.TEMP", Condition.H, 1_000)
    assert name == alarm_id("T-1.TEMP", Condition.H, 1_000)
    assert len(name) == 16
    assert set(name) <= set("0123456789abcdef")
    others = {
        alarm_id("T-1.LEVEL", Condition.H, 1_000),
        alarm_id("T-1.TEMP", Condition.HH, 1_000),
        alarm_id("T-1.TEMP", Condition.H, 1_001),
    }
    assert len({name, *others}) == 4


def test_a_raised_alarm_says_everything_about_itself() -> None:
    alarms = book(event_id=10)
    decided = decide(alarms, ("T-1.LEVEL", Condition.HH, Change.RAISED, 1_000, 3_000, 9.5, 1), received_ms=3_050)
    tag = PLANT.tags["T-1.LEVEL"]
    rule = next(rule for rule in tag.conditions if rule.condition is Condition.HH)
    name = alarm_id("T-1.LEVEL", Condition.HH, 1_000)
    (row,) = decided.alarms
    assert row == {
        "alarm_id": name,
        "tag": "T-1.LEVEL",
        "condition": "HH",
        "tier": int(rule.tier),
        "state": "active",
        "hazard_unit": "meoh",
        "vessel": "T-1",
        "vehicle": "",
        "edge": "edge-a",
        "onset_ms": 1_000,
        "raised_ms": 3_000,
        "cleared_ms": None,
        "received_ms": 3_050,
        "decided_ms": 3_055,
        "value": 9.5,
        "limit": 9.0,
        "deadband": 0.25,
        "on_delay_ms": 2_000,
        "quality": 1,
        "basis": rule.basis,
        "delayed": False,
        "retrospective": False,
        "version": 1,
        "sequence": 11,
        "base_tier": int(rule.tier),
        "latch": False,
        "alarmed_ms": 3_050,
        "acknowledged_ms": None,
        "acknowledged_by": None,
        "rise": None,
        **UNMEASURED,
        "inhibited": None,
        "material_version": 1,
        "stage": "raised",
        "assigned_to": None,
        "verdict": None,
        "hands": None,
        "measured_ms": None,
        "acknowledge_due_ms": 3_050 + 5 * 60_000,
        "measure_due_ms": 3_050 + 30 * 60_000,
        "overdue": "",
        "closed_ms": None,
        "closed_by": None,
    }
    assert decided.events == [
        {
            "event_id": 11,
            "alarm_id": name,
            "kind": "raised",
            "version": 1,
            "at_ms": 3_000,
            "received_ms": 3_050,
            "decided_ms": 3_055,
            "value": 9.5,
            "quality": 1,
            "position": 77,
            "detail": None,
            "key": None,
            **UNMEASURED,
        }
    ]
    assert alarms.event_id == 11
    assert [dict(one) for one in alarms.open_alarms] == [row]


def test_a_cleared_alarm_keeps_what_raised_it() -> None:
    alarms = book()
    (up,) = decide(alarms, raised()).alarms
    decided = decide(alarms, cleared(), received_ms=9_100)
    (down,) = decided.alarms
    changes = {"state": "cleared", "cleared_ms": 9_000, "version": 2, "sequence": 2, "material_version": 2}
    ended = {"stage": "closed", "closed_ms": 9_105}  # blue, over before anybody saw it: nobody is needed any more
    assert down == {**up, **changes, **ended}
    (happened,) = decided.events
    assert (happened["kind"], happened["value"], happened["received_ms"]) == ("cleared", 20.0, 9_100)
    assert alarms.open_alarms == ()
    assert up["state"] == "active", "rows handed out are never written again"


def test_events_are_numbered_in_the_order_of_the_transitions() -> None:
    alarms = book(event_id=100)
    decided = decide(alarms, raised(), raised("T-1.LEVEL"), cleared(), raised("T-1.TEMP", at_ms=9_500))
    assert [happened["event_id"] for happened in decided.events] == [101, 102, 103, 104]
    assert [row["sequence"] for row in decided.alarms] == [101, 102, 103, 104]
    assert [happened["kind"] for happened in decided.events] == ["raised", "raised", "cleared", "raised"]
    assert {row["tag"] for row in alarms.open_alarms} == {"T-1.LEVEL", "T-1.TEMP"}


def test_a_new_onset_is_a_new_alarm() -> None:
    alarms = book()
    decided = decide(alarms, raised(), cleared(), raised(at_ms=20_000))
    assert len({row["alarm_id"] for row in decided.alarms}) == 2
    assert [row["version"] for row in decided.alarms] == [1, 2, 1]


def test_the_same_onset_again_is_the_same_alarm_with_a_later_version() -> None:
    """Several values with one and the same source time may go over, under and over a limit without delays."""
    alarms = book()
    decided = decide(alarms, raised(), cleared(at_ms=1_000), raised(), cleared(at_ms=1_000))
    assert len({row["alarm_id"] for row in decided.alarms}) == 1
    assert [row["version"] for row in decided.alarms] == [1, 2, 3, 4]
    assert [happened["version"] for happened in decided.events] == [1, 2, 3, 4]


def test_open_alarms_of_an_earlier_process_are_cleared_by_name() -> None:
    alarms = book(alarm_row(version=3), event_id=7)
    (row,) = decide(alarms, cleared()).alarms
    assert (row["alarm_id"], row["version"], row["sequence"], row["state"]) == ("a" * 16, 4, 8, "returned")


@pytest.mark.parametrize(
    ("tag", "condition", "age_ms", "delayed"),
    [
        ("T-1.TEMP", Condition.H, 10_000, False),
        ("T-1.TEMP", Condition.H, 10_001, True),
        ("T-1.LEVEL", Condition.H, 12_000, False),  # an on-delay of 2 s is no lateness
        ("T-1.LEVEL", Condition.H, 12_001, True),
        ("T-1.LEVEL", Condition.STALE, 99_000, False),
        ("T-1.TEMP", Condition.H, -60_000, False),
    ],
)
def test_an_alarm_whose_sample_was_long_under_way_is_marked_delayed(
    tag: str, condition: Condition, age_ms: int, *, delayed: bool
) -> None:
    (row,) = decide(book(), raised(tag, condition, 100_000), received_ms=100_000 + age_ms).alarms
    assert row["delayed"] is delayed


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_becomes_null(value: float) -> None:
    bad = pack(Quality.BAD, Reason.NOT_FINITE)
    decided = decide(book(), ("T-1.TEMP", Condition.BAD_PV, Change.RAISED, 1, 1, value, bad))
    assert decided.alarms[0]["value"] is None
    assert decided.alarms[0]["limit"] is None
    assert decided.events[0]["value"] is None
    assert decided.alarms[0]["quality"] == bad


def test_when_engine_and_records_agree_there_is_nothing_to_reconcile() -> None:
    alarms = book(alarm_row())
    decided = alarms.reconcile({("T-1.TEMP", Condition.H): 1_000}, 50_000, 5)
    assert decided == Decided()
    assert len(alarms.open_alarms) == 1


def test_what_the_engine_no_longer_holds_is_cleared_now() -> None:
    alarms = book(alarm_row(quality=4), event_id=3)
    decided = alarms.reconcile({}, 50_000, 5)
    (row,) = decided.alarms
    assert (row["state"], row["cleared_ms"], row["version"]) == ("returned", 50_000, 2)
    assert [(one["kind"], one["at_ms"], one["position"], one["value"]) for one in decided.events] == [
        ("returned", 50_000, 5, None)
    ]
    assert [one["state"] for one in alarms.open_alarms] == ["returned"], "somebody has to have seen it"


def test_what_only_the_engine_holds_is_raised_now() -> None:
    alarms = book()
    (row,) = alarms.reconcile({("T-1.TEMP", Condition.H): 1_234}, 50_000, 5).alarms
    assert (row["onset_ms"], row["raised_ms"], row["alarm_id"]) == (
        1_234,
        50_000,
        alarm_id("T-1.TEMP", Condition.H, 1_234),
    )


def test_another_onset_closes_the_old_alarm_and_opens_the_new_one() -> None:
    alarms = book(alarm_row())
    decided = alarms.reconcile({("T-1.TEMP", Condition.H): 2_000}, 50_000, 5)
    assert [(row["state"], row["onset_ms"], row["stage"]) for row in decided.alarms] == [
        ("returned", 1_000, "raised"), ("cleared", 1_000, "merged"), ("active", 2_000, "raised"),
    ]  # fmt: skip


def test_an_alarm_of_a_tag_that_left_the_plant_can_be_closed() -> None:
    without = replace(PLANT, tags={name: tag for name, tag in PLANT.tags.items() if name != "T-1.TEMP"})
    alarms = book(alarm_row(), plant=without)
    (row,) = alarms.reconcile({}, 50_000, 5).alarms
    assert (row["tag"], row["state"]) == ("T-1.TEMP", "returned")


LATCHING = replace(
    PLANT,
    tags={
        name: replace(tag, conditions=tuple(replace(rule, latch=True) for rule in tag.conditions))
        for name, tag in PLANT.tags.items()
    },
)


def test_a_latching_alarm_that_comes_back_with_the_same_onset_is_the_same_alarm() -> None:
    alarms = book(plant=LATCHING)
    decided = decide(alarms, raised(), cleared(at_ms=1_000), raised())
    assert [(one["kind"], one["version"]) for one in decided.events] == [("raised", 1), ("latched", 2), ("raised", 3)]
    assert [row["state"] for row in alarms.open_alarms] == ["active"]


def test_what_left_the_plant_while_latched_waits_all_the_same() -> None:
    alarms = book(alarm_row(latch=True))
    (row,) = alarms.reconcile({}, 50_000, 5).alarms
    assert (row["state"], row["cleared_ms"]) == ("latched", 50_000)
    assert alarms.reconcile({}, 60_000, 6) == Decided()


def test_an_alarm_latches_by_the_rule_it_was_raised_with() -> None:
    alarms = book(alarm_row(latch=False), plant=LATCHING)
    assert decide(alarms, cleared()).alarms[0]["state"] == "returned"


def test_a_rise_names_at_most_twenty_others_and_counts_all() -> None:
    plant = read_plant(
        plant_text(30).replace("    quantity: level", "    hazard_unit: meoh\n    quantity: level")
        + "escalations:\n  many: {when: k_of_n, at_least: 3, conditions: [H], tier: red}\n",
        "big.yaml",
    )
    names = tuple(plant.tags)
    rows = [
        alarm_row(f"{at:016x}", tag=name, tier=4, sequence=at + 1, hazard_unit="meoh") for at, name in enumerate(names)
    ]
    alarms = AlarmBook(plant, names, rows, 30, delayed_after_ms=10_000)
    decided = alarms.escalate(5_000, 5_001, 9)
    assert [row["tier"] for row in decided.alarms] == [1] * 30
    rises = [row["rise"] for row in decided.alarms]
    assert {(len(rise["others"]), rise["count"], rise["at_ms"]) for rise in rises} == {(20, 30, 5_000)}
    assert all([row["tag"], "H"] not in row["rise"]["others"] for row in decided.alarms)
    assert alarms.escalate(6_000, 6_001, 10) == Decided()


def test_what_the_engine_measured_is_kept_with_the_alarm_and_its_event() -> None:
    found = replace(transitions(raised()), measure=np.array([0.75]), low=np.array([0.5]), high=np.array([math.nan]))
    decided = book().decide(found, 1_100, 1_105, 77)
    for row in (*decided.alarms, *decided.events):
        assert (row["measure"], row["measure_low"], row["measure_high"]) == (0.75, 0.5, None)


def test_a_retrospective_alarm_changes_nothing_about_the_active_one() -> None:
    late = Unacknowledged("late", None, (Tier.BLUE, Tier.YELLOW, Tier.ORANGE), 10_000)
    alarms = book(plant=replace(PLANT, escalations={"late": late}))
    decide(alarms, raised(at_ms=100_000), received_ms=100_000)
    missed = Alarms(
        tag=np.array([NAMES.index("T-1.TEMP")], np.int32),
        condition=np.array([CONDITIONS.index(Condition.H)], np.uint8),
        onset_ms=np.array([50_000]),
        raised_ms=np.array([50_000]),
        cleared_ms=np.array([60_000]),
        value=np.array([45.0]),
        quality=np.array([0], np.uint8),
        limit=np.array([40.0]),
        measure=np.array([2.5]),
        low=np.array([math.nan]),
        high=np.array([math.nan]),
    )
    (recalled,) = alarms.recall("T-1.TEMP", missed, 105_000, 105_001, 8).alarms
    assert (recalled["state"], recalled["retrospective"], recalled["measure"]) == ("cleared", True, 2.5)
    (risen,) = alarms.escalate(110_000, 110_001, 9).alarms
    assert (risen["onset_ms"], risen["rise"]["rule"]) == (100_000, "late")
