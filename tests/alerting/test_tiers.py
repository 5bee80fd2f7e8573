"""Which tiers rise, and why: against the naive twin, and the cases people ask about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.tiers import ActiveAlarms, Rises, compile_escalations, find_rises
from config.plant.load import read_plant
from config.plant.model import (
    CONDITIONS,
    Condition,
    Escalation,
    EscalationScope,
    InstrumentKind,
    KOfN,
    Plant,
    Tier,
    Together,
    Unacknowledged,
)
from tests.support.naive_tiers import NaiveAlarm, NaiveRise, naive_rises
from tests.support.plants import MINI_PLANT

MORE = """\
  T-1.PRESS:
    {description: {zh: "1号罐压力", en: "Tank 1 pressure"}, kind: pressure_transmitter, quantity: pressure,
     unit: kPa, range: [0, 100], period: 1s, edge: edge-a, vessel: T-1, source: {topic: "plant/{tag}"}}
  GD-2:
    {description: {zh: "2号检测器", en: "Detector 2"}, kind: gas_detector, quantity: toxic_gas,
     unit: ppm, range: [0, 5], period: 1s,
     edge: edge-a, hazard_unit: cl2, source: {topic: "plant/{tag}"}}
"""
PLANT = read_plant(MINI_PLANT + MORE, "mini.yaml")
NAMES = (*PLANT.tags, "LEFT.THE.PLANT")
HH, H, STALE = Condition.HH, Condition.H, Condition.STALE


def with_rules(*rules: Escalation) -> Plant:
    return replace(PLANT, escalations={rule.id: rule for rule in rules})


def k_of_n(at_least: int = 2, tier: Tier = Tier.RED, name: str = "k", **changes: object) -> KOfN:
    rule = KOfN(name, tier, at_least, conditions=(H, HH), hazard_unit="", kind=None, tags=())
    return replace(rule, **changes)  # type: ignore[arg-type]  # fields of several types


def alarm(
    tag: str, condition: Condition = H, tier: int = 4, *, acknowledged: bool = False, since_ms: int = 0
) -> NaiveAlarm:
    return NaiveAlarm(tag, condition, tier, acknowledged, since_ms)


def columns(alarms: list[NaiveAlarm]) -> ActiveAlarms:
    return ActiveAlarms(
        row=np.array([NAMES.index(one.tag) for one in alarms], np.int32),
        condition=np.array([CONDITIONS.index(one.condition) for one in alarms], np.uint8),
        tier=np.array([one.tier for one in alarms], np.uint8),
        acknowledged=np.array([one.acknowledged for one in alarms], np.bool_),
        since_ms=np.array([one.since_ms for one in alarms], np.int64),
    )


def told(rises: Rises, plant: Plant, alarms: list[NaiveAlarm]) -> list[NaiveRise]:
    names = list(plant.escalations)
    return [
        NaiveRise(
            alarms[int(rises.alarm[at])],
            int(rises.tier[at]),
            names[int(rises.rule[at])],
            int(rises.at_ms[at]),
            tuple(alarms[one] for one in rises.made_by(at)),
        )
        for at in range(len(rises))
    ]


def rises_of(plant: Plant, *alarms: NaiveAlarm, now_ms: int = 1_000) -> dict[str, tuple[int, str]]:
    found = told(find_rises(compile_escalations(plant, NAMES), columns(list(alarms)), now_ms), plant, list(alarms))
    return {f"{one.alarm.tag} {one.alarm.condition}": (one.tier, one.rule) for one in found}


some_conditions = st.lists(st.sampled_from([H, HH, STALE]), min_size=1, max_size=3, unique=True).map(tuple)
tiers = st.sampled_from(Tier)
k_of_ns = st.builds(
    KOfN,
    st.just("k"),
    tiers,
    st.integers(1, 3),
    some_conditions,
    st.sampled_from(["", "meoh", "cl2"]),
    st.sampled_from([None, InstrumentKind.GAS_DETECTOR]),
    st.sampled_from([(), ("GD-1", "GD-2"), ("T-1.LEVEL",)]),
)
togethers = st.builds(
    Together, st.just("t"), tiers, some_conditions, st.sampled_from(["", "T-1"]), st.sampled_from(EscalationScope)
)
unacknowledgeds = st.builds(
    Unacknowledged,
    st.just("u"),
    st.sampled_from([None, Tier.RED, Tier.ORANGE]),
    st.sampled_from([(Tier.BLUE,), (Tier.ORANGE, Tier.YELLOW), (Tier.YELLOW, Tier.BLUE)]),
    st.integers(1, 5),
)
rules = st.lists(st.one_of(k_of_ns, togethers, unacknowledgeds), max_size=4)
alarms_drawn = st.lists(
    st.builds(
        NaiveAlarm,
        st.sampled_from(NAMES),
        st.sampled_from([H, HH, STALE]),
        st.integers(1, 4),
        st.booleans(),
        st.integers(0, 9),
    ),
    max_size=12,
    unique_by=lambda one: (one.tag, one.condition),
)


@given(rules, alarms_drawn, st.integers(0, 10))
def test_it_is_the_naive_twin(drawn: list[Escalation], alarms: list[NaiveAlarm], now_ms: int) -> None:
    plant = replace(PLANT, escalations={f"{one.id}{n}": replace(one, id=f"{one.id}{n}") for n, one in enumerate(drawn)})
    found = find_rises(compile_escalations(plant, NAMES), columns(alarms), now_ms)
    assert told(found, plant, alarms) == naive_rises(plant, alarms, now_ms)


def test_two_points_of_one_unit_rise_and_two_conditions_of_one_point_do_not() -> None:
    plant = with_rules(k_of_n())
    assert rises_of(plant, alarm("T-1.LEVEL", H), alarm("T-1.LEVEL", HH, 2)) == {}
    assert rises_of(plant, alarm("T-1.LEVEL"), alarm("GD-1")) == {}
    assert rises_of(plant, alarm("GD-1"), alarm("GD-2", HH, 2)) == {"GD-1 H": (1, "k"), "GD-2 HH": (1, "k")}


def test_who_is_already_there_stays() -> None:
    assert rises_of(with_rules(k_of_n()), alarm("GD-1", tier=1), alarm("GD-2", tier=2)) == {"GD-2 H": (1, "k")}


def test_the_worst_tier_wins_then_the_first_rule() -> None:
    plant = with_rules(k_of_n(tier=Tier.ORANGE, name="a"), k_of_n(name="b"), k_of_n(name="c"))
    assert rises_of(plant, alarm("GD-1"), alarm("GD-2")) == {"GD-1 H": (1, "b"), "GD-2 H": (1, "b")}


@pytest.mark.parametrize(
    ("on", "found"),
    [(EscalationScope.VESSEL, {"T-1.LEVEL HH": (1, "t"), "T-1.PRESS STALE": (1, "t")}), (EscalationScope.TAG, {})],
)
def test_conditions_together(on: EscalationScope, found: dict[str, tuple[int, str]]) -> None:
    plant = with_rules(Together("t", Tier.RED, (HH, STALE), "", on))
    assert rises_of(plant, alarm("T-1.LEVEL", HH), alarm("T-1.PRESS", STALE), alarm("GD-1", STALE)) == found
    assert rises_of(plant, alarm("T-1.LEVEL", HH), alarm("T-1.LEVEL", STALE)) != {}


def test_unacknowledged_too_long() -> None:
    plant = with_rules(Unacknowledged("u", None, (Tier.BLUE, Tier.YELLOW), 500))
    waiting = alarm("GD-1", since_ms=500)
    assert rises_of(plant, waiting, now_ms=999) == {}
    assert rises_of(plant, waiting, now_ms=1_000) == {"GD-1 H": (3, "u")}
    assert rises_of(plant, replace(waiting, acknowledged=True), now_ms=1_000) == {}
    assert rises_of(plant, replace(waiting, tier=2), now_ms=1_000) == {}
