from __future__ import annotations

import math
from collections import Counter

from config.plant.load import DEMO_PLANT, load_plant
from config.plant.model import Condition, EdgeKind, InstrumentKind, Plant, SourceFormat, Tag, VesselKind
from config.units import Quantity

PLANT: Plant = load_plant(DEMO_PLANT)


def detectors() -> list[Tag]:
    return [tag for tag in PLANT.tags.values() if tag.kind is InstrumentKind.GAS_DETECTOR]


def limits(tag: Tag) -> dict[Condition, float]:
    return {rule.condition: rule.limit for rule in tag.conditions if not math.isnan(rule.limit)}


def test_it_is_the_plant_that_was_asked_for() -> None:
    assert PLANT.site.id == "demo"
    assert list(PLANT.hazard_units) == ["lpg", "cl2", "meoh"]
    assert list(PLANT.edges) == ["tankfarm", "detectors", "trucks"]
    assert all(edge.kind is EdgeKind.AGENT for edge in PLANT.edges.values())
    assert Counter(vessel.kind for vessel in PLANT.vessels.values()) == {
        VesselKind.SPHERE: 4, VesselKind.HORIZONTAL_TANK: 4, VesselKind.VERTICAL_TANK: 4,
    }  # fmt: skip
    assert list(PLANT.vehicles) == [f"TRUCK-{number}" for number in range(1, 7)]
    assert len({vehicle.plate for vehicle in PLANT.vehicles.values()}) == 6
    assert Counter(tag.hazard_unit for tag in detectors()) == {"lpg": 14, "cl2": 14, "meoh": 12}


def test_every_tank_has_level_temperature_and_pressure_with_four_limits_each() -> None:
    for vessel in PLANT.vessels:
        for suffix, unit in (("LEVEL", "m"), ("TEMP", "degC"), ("PRESS", "kPa")):
            tag = PLANT.tags[f"{vessel}.{suffix}"]
            assert (tag.vessel, tag.unit, tag.edge, tag.period_ms) == (vessel, unit, "tankfarm", 1000)
            assert {Condition.HH, Condition.H, Condition.L, Condition.LL} <= set(limits(tag))


def test_every_truck_tells_speed_tank_and_place() -> None:
    for truck in PLANT.vehicles:
        tags = {tag.name.removeprefix(f"{truck}."): tag for tag in PLANT.tags.values() if tag.vehicle == truck}
        assert set(tags) == {"SPEED", "TANK_PRESS", "TANK_TEMP", "LAT", "LON"}
        assert tags["LAT"].quantity is tags["LON"].quantity is Quantity.NUMBER
        assert all(tag.period_ms == 2000 and tag.edge == "trucks" for tag in tags.values())


def test_gas_limits_follow_from_the_standard() -> None:
    expected = {
        "lpg": {Condition.H: "25", Condition.HH: "50"},
        "meoh": {Condition.H: "25", Condition.HH: "50"},
        "cl2": {Condition.H: "0.339", Condition.HH: "0.678"},
    }
    for tag in detectors():
        assert {condition: f"{limit:.3g}" for condition, limit in limits(tag).items()} == expected[tag.hazard_unit]


def test_every_limit_says_where_it_comes_from() -> None:
    for tag in PLANT.tags.values():
        assert all(rule.basis != "plant file" for rule in tag.conditions), tag.name


def test_sphere_levels_are_limited_to_85_and_90_percent() -> None:
    tag = PLANT.tags["V-101.LEVEL"]
    height = PLANT.vessels["V-101"].height_m
    assert round(limits(tag)[Condition.H] / height, 9) == 0.85
    assert round(limits(tag)[Condition.HH] / height, 9) == 0.90


def test_levels_are_measured_over_the_whole_height() -> None:
    for vessel in PLANT.vessels.values():
        assert PLANT.tags[f"{vessel.id}.LEVEL"].range_high == vessel.height_m


def test_every_vessel_is_within_reach_of_detectors_and_they_stand_low() -> None:
    """GB/T 50493-2019, outdoors: 10 m from a combustible source, 4 m from a toxic one; gases heavier than air.

    What leaks stands at the shell: the reach is counted from there.
    """
    reach = {"lpg": 10 + 6.15, "cl2": 4 + 1.2, "meoh": 10 + 7.0}
    for vessel in PLANT.vessels.values():
        assert vessel.position is not None
        near = 0
        for tag in detectors():
            assert tag.position is not None
            assert 0.3 <= tag.position.z_m <= 0.6
            away = math.hypot(tag.position.x_m - vessel.position.x_m, tag.position.y_m - vessel.position.y_m)
            near += tag.hazard_unit == vessel.hazard_unit and away <= reach[vessel.hazard_unit]
        assert near >= 2, vessel.id


def test_no_two_detectors_stand_at_the_same_place() -> None:
    assert len({tag.position for tag in detectors()}) == len(detectors())


def test_every_way_of_reading_a_sensor_is_used() -> None:
    sources = [(tag, tag.source) for tag in PLANT.tags.values() if tag.source is not None]
    assert len(sources) == len(PLANT.tags)
    assert all(source.topic == f"plant/demo/{tag.name}" for tag, source in sources)
    assert any(source.format is SourceFormat.NUMBER for _, source in sources)
    assert any(source.current_loop for _, source in sources)
    assert any(source.scale != 1 for _, source in sources)
    assert any(len(source.path) > 1 for _, source in sources)
    assert any(not source.quality_path and source.time_path for _, source in sources)
    assert {"mm", "MPa", "Pa", "bar"} <= {source.unit for _, source in sources}
