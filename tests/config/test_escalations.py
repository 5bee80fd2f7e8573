"""Escalations in a plant file: what they mean, and every way to get them wrong."""

from __future__ import annotations

import pytest

from config.errors import PlantError, Problem
from config.plant.load import DEMO_PLANT, load_plant, plant_content, read_plant
from config.plant.model import Condition, EscalationScope, InstrumentKind, KOfN, Tier, Together, Unacknowledged
from tests.support.plants import MINI_PLANT

KEYS = "when, tier, at_least, conditions, hazard_unit, kind, tags, vessel, on, tiers, after"
TAGS = "T-1.LEVEL, T-1.TEMP, GD-1, TRUCK-1.SPEED, PLAIN.PRESS"


def problems_of(rule: str) -> list[tuple[str, str, str]]:
    text = f"{MINI_PLANT}escalations:\n  one: {{{rule}}}\n"
    with pytest.raises(PlantError) as caught:
        read_plant(text, "plant.yaml")
    last = text.count("\n")
    problems: tuple[Problem, ...] = caught.value.problems
    assert {(one.file, one.line) for one in problems} == {("plant.yaml", last)}
    return [(one.key.removeprefix("escalations.one").removeprefix("."), one.found, one.allowed) for one in problems]


def test_what_is_written_is_what_holds() -> None:
    plant = read_plant(
        MINI_PLANT
        + """\
escalations:
  two: {when: k_of_n, at_least: 2, conditions: [H, STALE], tier: red, hazard_unit: meoh, tags: [T-1.LEVEL, T-1.TEMP]}
  both: {when: together, conditions: [H, HH], tier: orange, on: tag}
  late: {when: unacknowledged, tiers: [blue, yellow], after: 5min}
""",
        "plant.yaml",
    )
    assert plant.escalations == {
        "two": KOfN("two", Tier.RED, 2, (Condition.H, Condition.STALE), "meoh", None, ("T-1.LEVEL", "T-1.TEMP")),
        "both": Together("both", Tier.ORANGE, (Condition.H, Condition.HH), "", EscalationScope.TAG),
        "late": Unacknowledged("late", None, (Tier.YELLOW, Tier.BLUE), 300_000),
    }
    shown = plant_content(plant)["escalations"]
    assert [shown[name]["when"] for name in shown] == ["k_of_n", "together", "unacknowledged"]


def test_a_changed_escalation_is_another_plant() -> None:
    late = "escalations:\n  late: {when: unacknowledged, tiers: [blue], after: %s}\n"
    digests = {read_plant(MINI_PLANT + part, "p").digest for part in ("", late % "5min", late % "6min")}
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("rule", "problems"),
    [
        ("when: sometimes", [("when", "'sometimes'", "one of k_of_n, together, unacknowledged")]),
        ("tier: red", [("when", "the key is missing", "'when' is required")]),
        (
            "when: unacknowledged, tiers: [blue], after: 1s, afther: 2s",
            [("afther", "unknown key 'afther'", f"did you mean 'after'? one of {KEYS}")],
        ),
        (
            "when: together, tier: red, conditions: [H, HH], after: 2s",
            [("after", "'after' beside when: together", "one of tier, conditions, vessel, on")],
        ),
        (
            "when: k_of_n, tier: red, conditions: [H]",
            [("at_least", "the key is missing", "'at_least' is required with when: k_of_n")],
        ),
        ("when: k_of_n, at_least: 1, tier: red, conditions: [H]", [("at_least", "1", "greater than or equal to 2")]),
        (
            "when: k_of_n, at_least: 2, tier: red, conditions: [H], hazard_unit: meho, tags: [T-1.LEVL]",
            [
                ("tags", "unknown tag 'T-1.LEVL'", f"did you mean 'T-1.LEVEL'? one of {TAGS}"),
                ("hazard_unit", "unknown hazard unit 'meho'", "did you mean 'meoh'? one of meoh, cl2"),
            ],
        ),
        (
            "when: k_of_n, at_least: 3, tier: red, conditions: [H, BAD_PV]",
            [("at_least", "3", "at most 2: no hazard unit has more such points")],
        ),
        (
            "when: k_of_n, at_least: 2, tier: red, conditions: [HH]",
            [("at_least", "2", "at most 1: no hazard unit has more such points")],
        ),
        (
            "when: together, tier: red, conditions: [H, H]",
            [("conditions", "H", "at least two different conditions")],
        ),
        (
            "when: together, tier: red, conditions: [H, HH], vessel: T-2",
            [("vessel", "unknown vessel 'T-2'", "did you mean 'T-1'? one of T-1")],
        ),
        (
            "when: together, tier: red, conditions: [H, HHH]",
            [("conditions[1]", "'HHH'", "did you mean 'HH'? one of " + ", ".join(Condition))],
        ),
        (
            "when: unacknowledged, tiers: [red, blue], after: 1s",
            [("tiers", "red", "orange, yellow or blue: there is nothing above red")],
        ),
        (
            "when: unacknowledged, tiers: [yellow, blue], after: 1s, tier: blue",
            [("tier", "blue", "a tier above all of `tiers`: red, orange")],
        ),
        ("when: unacknowledged, tiers: [blue], after: 0s", [("after", "0 s", "a time longer than 0 s")]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_what_is_allowed(rule: str, problems: list[tuple[str, str, str]]) -> None:
    assert problems_of(rule) == problems


def test_conditions_that_can_never_meet_are_refused() -> None:
    text = MINI_PLANT.replace("LL: {limit: 1, deadband: 0.25, on_delay: 2s, off_delay: 3s}", "LL: false")
    rule = "escalations:\n  one: {when: together, tier: red, conditions: [HH, LL], vessel: T-1}\n"
    with pytest.raises(PlantError, match=r"escalations\.one\.conditions: HH, LL; .* enabled together on T-1"):
        read_plant(text + rule, "plant.yaml")


def test_the_demo_plant_has_some_of_each() -> None:
    rules = load_plant(DEMO_PLANT).escalations.values()
    assert {rule.when for rule in rules} == {"k_of_n", "together", "unacknowledged"}
    assert any(isinstance(rule, KOfN) and rule.kind is InstrumentKind.GAS_DETECTOR for rule in rules)
