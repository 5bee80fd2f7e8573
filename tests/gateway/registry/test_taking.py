"""What the plant file names is in the registry; what people wrote there stays as they wrote it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.plant.load import DEMO_PLANT, load_plant, read_plant
from config.plant.model import Plant
from config.settings import RecordsAddress
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.records.database import open_desk, open_reader, open_writer
from gateway.registry.bulk import Bulk
from gateway.registry.files import DEMO_REGISTRY, tables_of
from gateway.registry.importing import Importing
from gateway.registry.kinds import KINDS
from gateway.registry.store import Draft, Registry
from gateway.registry.taking import Uptake
from tests.gateway.api.people import TWO_ENTERPRISES
from tests.gateway.api.world import SetClock
from tests.support.plants import MINI_PLANT, mini_plant

ALL = Scope()
ANN = By("ann", "10.0.0.1")


@pytest.fixture
def registry(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[Registry]:
    open_writer(tmp_path, records_address).dispose()
    desk, reader = open_desk(tmp_path, records_address), open_reader(tmp_path, records_address)
    yield Registry(desk, reader, SetClock())
    desk.dispose()
    reader.dispose()


def uptake_of(registry: Registry, plant: Plant, *tables: tuple[bytes, str]) -> Uptake:
    return Uptake(registry, plant, Importing(registry, Bulk(registry._writing, registry._clock)), tables)


def test_everything_the_demo_plant_names_is_taken_up(registry: Registry) -> None:
    plant = load_plant(DEMO_PLANT)
    created = uptake_of(registry, plant).turn()
    assert created == 3 + len(plant.hazard_units) + len(plant.vessels) + len(plant.vehicles) + len(plant.tags)
    unit = registry.get("hazard-unit", "cl2", ALL)
    assert unit is not None
    assert (unit.enterprise, unit.parent, unit.by, unit.body["cas"]) == ("demo-chem", "demo", "plant", "7782-50-5")
    truck = registry.get("vessel", "TRUCK-3", ALL)
    assert truck is not None
    assert (truck.body["shape"], truck.body["cas"], truck.body["capacity_m3"]) == ("truck_tank", "7782-50-5", None)
    assert {one.id for one in registry.find("tag", ALL)} == set(plant.tags)
    for kind, model in KINDS.items():
        for one in registry.find(kind, ALL):
            assert model.model.model_validate(one.body).model_dump(mode="json") == one.body


def test_a_second_start_writes_nothing_and_nothing_differs(registry: Registry) -> None:
    uptake = uptake_of(registry, load_plant(DEMO_PLANT))
    uptake.turn()
    assert uptake.turn() == 0
    assert uptake.differences(ALL) == ([], None)


def test_what_people_wrote_stays_and_is_listed_as_different(registry: Registry) -> None:
    uptake = uptake_of(registry, mini_plant())
    body = {"id": "T-1", "name_zh": "一号罐", "enterprise": "acme", "shape": "sphere", "hazard_unit": "meoh"}
    registry.write([Draft("vessel", body)], ANN, "as built")
    uptake.turn()
    registry.write([Draft("tag", {"id": "GD-1"}, gone=True)], ANN, "taken down")
    uptake.turn()
    vessel = registry.get("vessel", "T-1", ALL)
    assert vessel is not None
    assert vessel.body["shape"] == "sphere"
    assert registry.get("tag", "GD-1", ALL) is None
    found, more = uptake.differences(ALL)
    told = {(one.kind, one.id, one.field): (one.plant, one.registry) for one in found}
    assert told[("vessel", "T-1", "shape")] == ("vertical_tank", "sphere")
    assert told[("tag", "GD-1", "")] == ("1号氯气检测器", None)
    assert more is None


def test_a_unit_of_another_enterprise_is_that_enterprises(registry: Registry) -> None:
    uptake_of(registry, read_plant(TWO_ENTERPRISES, "two.yaml")).turn()
    bravo = Scope(frozenset({"bravo"}))
    seen = {
        kind: [one.id for one in registry.find(kind, bravo)] for kind in ("enterprise", "hazard-unit", "tag", "site")
    }
    assert seen == {"enterprise": ["bravo"], "hazard-unit": ["cl2"], "tag": ["GD-1"], "site": []}
    assert [one.id for one in registry.find("hazard-unit", Scope(districts=frozenset({"370305"})))] == ["cl2"]


def test_an_id_the_registry_does_not_take_is_listed_and_hinders_nothing(registry: Registry) -> None:
    text = MINI_PLANT.replace("  T-1: {name", "  _T-1: {name").replace("vessel: T-1", "vessel: _T-1")
    uptake = uptake_of(registry, read_plant(text, "mini.yaml"))
    uptake.turn()
    told = [(one.kind, one.id, one.field, one.registry) for one in uptake.differences(ALL)[0]]
    assert told == [
        ("vessel", "_T-1", "", None),
        ("tag", "T-1.LEVEL", "vessel", ""),
        ("tag", "T-1.TEMP", "vessel", ""),
    ]


def test_it_ends_when_the_gateway_stops(registry: Registry) -> None:
    stop = threading.Event()
    stop.set()
    assert uptake_of(registry, mini_plant()).turn(stop) == 0


def test_files_beside_the_plant_file_say_more_and_yield_to_people(registry: Registry) -> None:
    table = b"id,phone\nacme,100\n"
    uptake = uptake_of(registry, mini_plant(), (table, "enterprise"))
    uptake.turn()
    first, again = uptake.take_files(), uptake.take_files()
    assert first is not None
    assert again is not None
    assert (first.written, again.written) == (True, False)
    there = registry.get("enterprise", "acme", ALL)
    assert there is not None
    assert (there.body["phone"], there.by) == ("100", "file")
    registry.write([Draft("enterprise", {**there.body, "phone": "200"})], ANN, "moved")
    uptake.take_files()
    now = registry.get("enterprise", "acme", ALL)
    assert now is not None
    assert now.body["phone"] == "200"


def test_the_registry_of_the_demo_plant_has_no_fault(registry: Registry) -> None:
    uptake = uptake_of(registry, load_plant(DEMO_PLANT), *tables_of(DEMO_REGISTRY))
    uptake.turn()
    outcome = uptake.take_files()
    assert outcome is not None
    assert outcome.faults == ()
    assert uptake.differences(ALL)[0] == []
    assert {one.district for kind in ("site", "vessel", "tag") for one in registry.find(kind, ALL)} == {"990101"}
    for unit in ("lpg", "cl2", "meoh"):
        roles = {str(one.body["role"]) for one in registry.find("responsibility", ALL, parent=unit)}
        assert roles == {"principal", "technical", "operating"}
    assert {one.id for one in registry.find("chemical", ALL)} >= {"68476-85-7", "7782-50-5", "67-56-1"}
    assert len(registry.find("neighbour", ALL)) >= 5
    assert len(registry.find("resource", ALL)) >= 5
