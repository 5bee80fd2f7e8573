from __future__ import annotations

import math

import pytest

from config.plant.derived import DERIVED
from config.plant.load import plant_content, plant_digest, read_plant
from config.plant.model import CONDITIONS, Condition, ConditionRule, EdgeKind, Plant, SourceFormat, Tag, Tier
from config.plant.substances import plant_substances
from config.units import LelTable, ReferenceAir
from tests.support.plants import MINI_PLANT, mini_plant, plant_text

TEMPLATES = """\
templates:
  detector:
    description: {zh: "{tag} 检测器", en: "{tag} detector of {site}"}
    kind: gas_detector
    quantity: combustible_gas
    unit: "%LEL"
    range: [0, 100]
    period: 500ms
    edge: edge-a
    hazard_unit: meoh
    source: {topic: "plant/{site}/{edge}/{tag}", path: v, time_path: t, unit: "%vol"}
"""


def with_tags(tags: str, more: str = TEMPLATES) -> Plant:
    return read_plant(MINI_PLANT.replace("tags:\n", f"{more}tags:\n{tags}"), "f.yaml")


def rule(tag: Tag, condition: Condition) -> ConditionRule:
    (found,) = (rule for rule in tag.conditions if rule.condition is condition)
    return found


def level_tag(**keys: str) -> Tag:
    """Return a level tag of 0-10 m with some keys changed."""
    said = {
        "description": "{zh: x, en: x}", "kind": "level_transmitter", "quantity": "level", "unit": "m",
        "range": "[0, 10]", "period": "1s", "edge": "edge-a", **keys,
    }  # fmt: skip
    lines = "".join(f"    {key}: {value}\n" for key, value in said.items())
    return with_tags(f"  X:\n{lines}").tags["X"]


def test_the_order_of_tags_and_conditions_is_that_of_the_file_and_of_the_house() -> None:
    plant = mini_plant()
    assert list(plant.tags) == ["T-1.LEVEL", "T-1.TEMP", "GD-1", "TRUCK-1.SPEED", "PLAIN.PRESS"]
    assert [rule.condition for rule in plant.tags["T-1.LEVEL"].conditions] == [
        condition for condition in CONDITIONS if condition not in DERIVED
    ]


def test_a_level_tag_has_what_was_written() -> None:
    tag = mini_plant().tags["T-1.LEVEL"]
    assert (tag.range_low, tag.range_high, tag.unit) == (0, 10, "m")
    assert (tag.hazard_unit, tag.vessel, tag.cas) == ("meoh", "T-1", "67-56-1"), "from the vessel"
    assert rule(tag, Condition.H) == ConditionRule(Condition.H, Tier.BLUE, 8, 0.5, 2000, 3000, True, "plant file")  # noqa: FBT003  fields in order
    assert rule(tag, Condition.STALE).tier is Tier.YELLOW
    assert tag.source is not None
    assert tag.source.topic == "plant/mini/T-1.LEVEL"
    assert (tag.source.path, tag.source.time_path, tag.source.quality_path) == (("v",), ("t",), ("q",))
    assert (tag.source.format, tag.source.scale, tag.source.offset, tag.source.unit) == (SourceFormat.JSON, 1, 0, "m")


def test_limits_ranges_and_deadbands_become_canonical() -> None:
    tag = mini_plant().tags["PLAIN.PRESS"]
    assert (tag.unit, tag.range_high) == ("MPa", 1600)
    assert (rule(tag, Condition.H).limit, rule(tag, Condition.H).deadband) == (1200, 100)


def test_an_offset_of_a_unit_moves_limits_but_not_deadbands() -> None:
    tag = level_tag(
        quantity="temperature", unit="°F", range="[32, 212]", limits="{H: {limit: 122, deadband: 9}, L: 50}"
    )
    assert (tag.unit, tag.range_low, tag.range_high) == ("degF", 0, 100)
    assert (rule(tag, Condition.H).limit, rule(tag, Condition.H).deadband) == (50, 5)


def test_every_tag_is_watched_for_silence_and_for_bad_values() -> None:
    for tag in mini_plant().tags.values():
        for condition in (Condition.STALE, Condition.BAD_PV):
            assert math.isnan(rule(tag, condition).limit)
            assert rule(tag, condition).deadband == 0


def test_a_blind_gas_detector_is_worse_than_a_blind_gauge() -> None:
    tags = mini_plant().tags
    assert rule(tags["GD-1"], Condition.BAD_PV).tier is rule(tags["GD-1"], Condition.STALE).tier is Tier.YELLOW
    assert rule(tags["T-1.LEVEL"], Condition.BAD_PV).tier is Tier.BLUE


def test_false_switches_a_condition_off_and_it_stays_visible() -> None:
    assert not rule(mini_plant().tags["PLAIN.PRESS"], Condition.STALE).enabled
    assert rule(mini_plant().tags["PLAIN.PRESS"], Condition.BAD_PV).enabled


def test_a_gas_detector_takes_its_limits_from_the_catalogue() -> None:
    tag = mini_plant().tags["GD-1"]
    high, high_high = rule(tag, Condition.H), rule(tag, Condition.HH)
    assert tag.cas == "7782-50-5", "from its hazard unit"
    assert (f"{high.limit:.3g}", f"{high_high.limit:.3g}") == ("0.339", "0.678")
    assert (high.tier, high_high.tier) == (Tier.BLUE, Tier.ORANGE)
    assert (high.on_delay_ms, high.off_delay_ms) == (0, 10_000)
    assert high.deadband == pytest.approx(0.0339, rel=1e-3), "10 % of the limit"
    assert high.basis.startswith("GB/T 50493-2019: 100 % OEL")


@pytest.mark.parametrize(
    ("limits", "high", "high_high"),
    [
        ("{H: 20}", 20, 50),
        ("{HH: {on_delay: 3s}}", 25, 50),
        ("{H: 10, HH: 20}", 10, 20),
    ],
)
def test_what_is_written_replaces_only_that_of_the_catalogue(limits: str, high: float, high_high: float) -> None:
    tag = with_tags(f"  G: {{template: detector, limits: {limits}}}\n").tags["G"]
    assert (rule(tag, Condition.H).limit, rule(tag, Condition.HH).limit) == (high, high_high)


def test_a_limit_of_the_catalogue_can_be_switched_off() -> None:
    tag = with_tags("  G: {template: detector, limits: {H: false}}\n").tags["G"]
    assert not rule(tag, Condition.H).enabled
    assert rule(tag, Condition.HH).enabled


@pytest.mark.parametrize(
    ("quantity", "unit", "deadband", "delays_ms"),
    [
        ("level", "m", 0.5, (60_000, 60_000)),
        ("temperature", "degC", 0.1, (60_000, 60_000)),
        ("pressure", "kPa", 0.2, (15_000, 15_000)),
        ("mass_flow", "t/h", 0.5, (15_000, 15_000)),
        ("speed", "km/h", 0.2, (10_000, 10_000)),
        ("fraction", '"%"', 0.1, (15_000, 15_000)),
        ("number", "deg", 0.1, (15_000, 15_000)),
        ("toxic_gas", "ppm", 0.7, (0, 10_000)),
    ],
)
def test_habits_by_quantity(quantity: str, unit: str, deadband: float, delays_ms: tuple[int, int]) -> None:
    high = rule(level_tag(quantity=quantity, unit=unit, limits="{H: 7}"), Condition.H)
    assert high.deadband == pytest.approx(deadband)
    assert (high.on_delay_ms, high.off_delay_ms) == delays_ms


def test_a_habitual_deadband_is_at_most_half_the_way_to_the_next_limit() -> None:
    tag = level_tag(limits="{H: 8, HH: 8.5, L: 0.5}")
    assert [rule(tag, condition).deadband for condition in (Condition.HH, Condition.H)] == [0.25, 0.5]
    assert rule(level_tag(limits="{H: 0.5}"), Condition.H).deadband == 0.25, "half the way to the end of the range"
    assert rule(level_tag(limits="{H: 8, L: 7.5}"), Condition.L).deadband == 0.25


@pytest.mark.parametrize(
    ("period", "more", "times_ms"),
    [
        ("1s", {}, (1000, 2000, 10_000)),
        ("500ms", {}, (500, 1000, 10_000)),
        ("2min", {}, (120_000, 240_000, 600_000)),
        ("1h", {"hold": "1h", "stale_after": "1.5 h"}, (3_600_000, 3_600_000, 5_400_000)),
    ],
)
def test_hold_and_staleness_follow_the_period(
    period: str, more: dict[str, str], times_ms: tuple[int, int, int]
) -> None:
    tag = level_tag(period=period, **more)
    assert (tag.period_ms, tag.hold_ms, tag.stale_after_ms) == times_ms


def test_a_tag_wins_over_its_template_key_by_key() -> None:
    plant = with_tags(
        "  G-1: {template: detector}\n"
        "  G-2:\n    template: detector\n    period: 2s\n    position: [1, 2]\n"
        "    source: {time_path: data.time, qos: 0}\n    limits: {STALE: {tier: 1}}\n"
        "  G-3: {template: detector, source: null, hazard_unit: cl2, cas: 67-56-1}\n"
    )
    first, second, third = (plant.tags[name] for name in ("G-1", "G-2", "G-3"))
    assert (first.description.zh, first.description.en) == ("G-1 检测器", "G-1 detector of mini")
    assert (first.period_ms, second.period_ms) == (500, 2000)
    assert first.source is not None
    assert second.source is not None
    assert (second.source.path, second.source.time_path, second.source.qos) == (("v",), ("data", "time"), 0)
    assert first.source.qos == 1
    assert second.source.topic == "plant/mini/edge-a/G-2"
    assert second.position is not None
    assert (second.position.x_m, second.position.y_m, second.position.z_m) == (1, 2, 0)
    assert rule(second, Condition.STALE).tier is Tier.RED
    assert (third.source, third.hazard_unit, third.cas) == (None, "cl2", "67-56-1")


def test_a_path_with_dots_in_a_key_is_written_as_a_list() -> None:
    tag = with_tags('  G: {template: detector, source: {path: ["a.b", "0"]}}\n').tags["G"]
    assert tag.source is not None
    assert tag.source.path == ("a.b", "0")


def test_a_tag_on_a_vehicle_takes_its_edge_and_substance() -> None:
    tag = mini_plant().tags["TRUCK-1.SPEED"]
    assert (tag.edge, tag.vehicle, tag.cas, tag.hazard_unit) == ("edge-a", "TRUCK-1", "67-56-1", "")


def test_the_plant_says_what_its_gas_concentrations_refer_to() -> None:
    plant = with_tags("", "gas_reference: {lel_table: nfpa, air_temperature_c: 25}\n")
    assert (plant.lel_table, plant.reference_air) == (LelTable.NFPA, ReferenceAir.AIR_25C)
    high = rule(plant.tags["GD-1"], Condition.H)
    assert high.limit == pytest.approx(24.45 / 70.906)
    assert plant_substances(plant)["7782-50-5"].air is ReferenceAir.AIR_25C
    assert (mini_plant().lel_table, mini_plant().reference_air) == (LelTable.IEC, ReferenceAir.AIR_20C)


def test_the_lel_table_decides_limits_written_in_percent_of_volume() -> None:
    tag = '  G: {template: detector, cas: 74-82-8, unit: "%vol", range: [0, 4.4], limits: {H: 1.1}}\n'
    iec = with_tags(tag, TEMPLATES).tags["G"]
    nfpa = with_tags(tag, TEMPLATES + "gas_reference: {lel_table: nfpa}\n").tags["G"]
    assert rule(iec, Condition.H).limit == 25
    assert rule(nfpa, Condition.H).limit == 22


def test_edges_are_agents_unless_they_say_otherwise() -> None:
    assert [edge.kind for edge in mini_plant().edges.values()] == [EdgeKind.AGENT, EdgeKind.DIRECT]


def test_the_digest_follows_the_meaning_not_the_writing() -> None:
    text = plant_text(3)
    digest = read_plant(text, "a.yaml").digest
    assert len(digest) == 64
    assert read_plant(f"# remark\n{text}", "b.yaml").digest == digest
    assert read_plant(text.replace("H: 8,", "H: {limit: 8.0, enabled: true},"), "c.yaml").digest == digest
    assert read_plant(text.replace("H: 8,", "H: 8.01,", 1), "d.yaml").digest != digest
    assert read_plant(text.replace("H: 8,", "H: {limit: 8, enabled: false},", 1), "e.yaml").digest != digest


def test_the_digest_follows_the_order_of_tags() -> None:
    head, first, second = plant_text(2).split("\n  T0")
    swapped = "\n  T0".join([head, second.rstrip("\n"), first])
    assert set(read_plant(swapped, "f").tags) == set(read_plant(plant_text(2), "f").tags)
    assert read_plant(swapped, "f").digest != read_plant(plant_text(2), "f").digest


def test_the_content_is_plain_json_and_whole() -> None:
    plant = mini_plant()
    content = plant_content(plant)
    assert set(content) == {
        "enterprise", "site", "hazard_units", "vessels", "edges", "vehicles", "tags", "escalations", "suppressions",
        "lel_table",
        "reference_air",
    }  # fmt: skip
    assert content["tags"]["GD-1"]["position"] == {"x_m": 12, "y_m": 34, "z_m": 0.5}
    assert plant_digest(plant) == plant.digest


def test_a_condition_latches_only_when_told_to() -> None:
    plant = read_plant(MINI_PLANT.replace("STALE: {tier: yellow}", "STALE: {tier: yellow, latch: true}"), "mini.yaml")
    latching = [one.condition for one in plant.tags["T-1.LEVEL"].conditions if one.latch]
    assert latching == [Condition.STALE]
