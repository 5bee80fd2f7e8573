"""Rules compiled from a plant."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from alerting.errors import AlertingError, RulesError
from alerting.rules import NOBODY, Rules, compile_rules
from config.plant.model import (
    CONDITIONS,
    Condition,
    ConditionRule,
    Enterprise,
    InstrumentKind,
    Plant,
    Site,
    Tag,
    Text,
    Tier,
)
from config.units import Quantity
from tests.support.rules import Cell, Row, make_rules

TEXT = Text("储罐", "tank")
H, STALE = CONDITIONS.index(Condition.H), CONDITIONS.index(Condition.STALE)


def tag(name: str, **changes: object) -> Tag:
    one = Tag(
        name=name,
        description=TEXT,
        quantity=Quantity.LEVEL,
        unit="m",
        range_low=0.0,
        range_high=16.0,
        kind=InstrumentKind.LEVEL_TRANSMITTER,
        position=None,
        period_ms=1_000,
        hold_ms=3_000,
        stale_after_ms=10_000,
        window_ms=300_000,
        edge="e1",
        hazard_unit="u1",
        vessel="",
        vehicle="",
        cas="",
        source=None,
        conditions=(
            ConditionRule(Condition.H, Tier.ORANGE, 12.5, 0.5, 2_000, 3_000, enabled=True, basis="test"),
            ConditionRule(Condition.STALE, Tier.BLUE, math.nan, 0.0, 0, 0, enabled=False, basis="test"),
        ),
    )
    return dataclasses.replace(one, **changes)  # type: ignore[arg-type]  # any field


def plant(*tags: Tag) -> Plant:
    return Plant(
        enterprise=Enterprise("e", TEXT),
        site=Site("s", TEXT, 0.0, 0.0),
        hazard_units={},
        vessels={},
        edges={},
        vehicles={},
        tags={one.name: one for one in tags},
        digest="d",
    )


def test_every_row_gets_the_rules_of_its_tag() -> None:
    rules = compile_rules(plant(tag("A"), tag("B", hold_ms=7, conditions=())), ["B", "A"])
    assert rules.names == ("B", "A")
    assert rules.count == 2
    assert rules.limit[H].tolist() == pytest.approx([math.nan, 12.5], nan_ok=True)
    assert (rules.deadband[H, 1], rules.on_delay_ms[H, 1], rules.off_delay_ms[H, 1]) == (0.5, 2_000, 3_000)
    assert rules.enabled[:, 1].tolist() == [condition is Condition.H for condition in CONDITIONS]
    assert rules.tier[:, 1].tolist() == [0, Tier.ORANGE, 0, 0, Tier.BLUE, 0, 0, 0, 0, 0, 0]
    assert not rules.enabled[:, 0].any()
    assert rules.hold_ms.tolist() == [7, 3_000]
    assert rules.stale_after_ms.tolist() == [10_000, 10_000]
    assert (rules.range_low[1], rules.range_high[1]) == (0.0, 16.0)
    assert (rules.floor[1], rules.ceiling[1]) == (-0.2, 16.5)


def test_a_name_the_plant_no_longer_has_keeps_its_row_and_does_nothing() -> None:
    rules = compile_rules(plant(tag("A")), ["gone", "A"])
    assert not rules.enabled[:, 0].any()
    assert (rules.calm_low[0], rules.calm_high[0]) == (-math.inf, math.inf)
    assert rules.enabled[H, 1]


def test_calm_is_where_no_enabled_limit_holds() -> None:
    cells = {
        Condition.HH: Cell(limit=90),
        Condition.H: Cell(limit=80),
        Condition.L: Cell(limit=20, enabled=False),
        Condition.LL: Cell(limit=10),
    }
    rules = make_rules([Row(cells), Row({Condition.H: Cell(limit=math.nan)})])
    assert rules.calm_low.tolist() == [10, -math.inf]
    assert rules.calm_high.tolist() == [80, math.inf]


def test_arrays_are_copies_that_cannot_be_written() -> None:
    hold_ms = np.array([5], np.int64)
    rules = dataclasses.replace(make_rules([Row()]), hold_ms=hold_ms)
    hold_ms[0] = 6
    assert rules.hold_ms.tolist() == [5]
    for name in Rules.__slots__:
        array = getattr(rules, name)
        assert not isinstance(array, np.ndarray) or not array.flags.writeable


def test_an_array_of_the_wrong_shape_is_refused_by_name() -> None:
    with pytest.raises(RulesError, match=r"limit has the shape \(2, 2\).*1 names need \(11, 1\)"):
        dataclasses.replace(make_rules([Row()]), limit=np.zeros((2, 2)))
    assert issubclass(RulesError, AlertingError)


def test_the_digest_changes_with_every_rule_and_knows_its_first_rows() -> None:
    base = compile_rules(plant(tag("A"), tag("B")), ["A", "B"])
    same = compile_rules(plant(tag("B"), tag("A")), ["A", "B"])
    assert base.digest == same.digest
    others = [
        compile_rules(plant(tag("A"), tag("B")), ["B", "A"]),
        compile_rules(plant(tag("A"), tag("B", hold_ms=1)), ["A", "B"]),
        compile_rules(plant(tag("A"), tag("B", conditions=())), ["A", "B"]),
        compile_rules(plant(tag("A")), ["A"]),
    ]
    assert len({base.digest, *(other.digest for other in others)}) == 5
    assert base.digest_of(1) == others[3].digest


@pytest.mark.parametrize("changes", [{"range_high": math.inf}, {"range_high": 0.0}, {"window_ms": 15}])
def test_a_window_needs_a_range_and_a_width(changes: dict[str, float]) -> None:
    row = dataclasses.replace(Row({Condition.FLATLINE: Cell(0.5)}), **changes)  # type: ignore[arg-type]  # of either kind
    with pytest.raises(
        RulesError, match="'T0' has a condition over a window: it needs a finite range and at least 16 ms"
    ):
        make_rules([row])


@pytest.mark.parametrize("partners", [(), (0,), (2,), (-2,), (1, 7)])
def test_a_deviation_needs_another_tag(partners: tuple[int, ...]) -> None:
    with pytest.raises(RulesError, match="DEV needs another tag as its first partner"):
        make_rules([Row({Condition.DEV: Cell(1.0)}, partners=partners), Row()])


def test_partners_become_rows() -> None:
    one = tag("A", conditions=(deviation("B"),))
    rules = compile_rules(plant(one, tag("B", conditions=())), ["B", "A"])
    assert rules.partners[:, 1].tolist() == [0, NOBODY]
    with pytest.raises(RulesError, match="DEV needs another tag"):
        compile_rules(plant(one), ["A"])


def deviation(*partners: str) -> ConditionRule:
    return ConditionRule(Condition.DEV, Tier.BLUE, 1.0, 0.0, 0, 0, enabled=True, basis="", partners=partners)
