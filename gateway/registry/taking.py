"""What the plant file names is taken up into the registry, where it is missing; what differs is listed."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import structlog
from pydantic import ValidationError

from config.plant.model import Plant, Position, Site, Tag, Text
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import ConflictError, RecordsError
from gateway.registry.importing import File, Importing, Outcome
from gateway.registry.kinds import KINDS, VesselShape
from gateway.registry.store import Draft, Registry

__all__ = ["FILE", "PLANT", "Difference", "Uptake", "named_by"]

PLANT: Final = By("plant", "gateway")
"""In whose name the plant file speaks."""
FILE: Final = By("file", "gateway")
"""In whose name the files beside it do."""
_AT_ONCE: Final = 1_000
"""Records in one transaction: the pipeline waits no longer for it than for one of its own."""
_AGAIN_S: Final = 10.0
_SCANNED: Final = 5_000
"""Things that one page of differences looks at, at most."""
_METRES_PER_DEGREE: Final = 111_320.0
_FILE_ID: Final = "at-start"
_FAULTS_LOGGED: Final = 20
_WHY_FILE: Final = "file given at start（启动时的登记文件）"
_WHY: Final = "named by the plant file（工厂描述文件）"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the plant file and the registry do not say alike."""

    kind: str
    id: str
    field: str
    """Empty: the record as a whole."""
    plant: Any
    registry: Any
    """None: there is none."""


class Uptake:
    """Takes up what the plant file names.

    Args:
        registry: Where to.
        plant: What is watched.
        importing: Takes files in.
        tables: Content and kind of files that say more of it.
    """

    def __init__(
        self, registry: Registry, plant: Plant, importing: Importing, tables: Sequence[tuple[bytes, str]] = ()
    ) -> None:
        self._registry = registry
        self._plant = plant
        self._importing = importing
        self._tables = tables

    def run(self, stop: threading.Event) -> None:
        """Do it once; as long as the records cannot be used, again after a while."""
        while not stop.is_set():
            try:
                self.turn(stop)
                self.take_files()
            except (RecordsError, ConflictError) as error:
                log.warning("plant_not_taken_up", error=str(error))
                stop.wait(_AGAIN_S)
            else:
                return

    def turn(self, stop: threading.Event | None = None) -> int:
        """Create what is missing; returns how many records that were. What somebody removed stays removed."""
        created = 0
        told = named_by(self._plant)
        while chunk := list(islice(told, _AT_ONCE)):
            if stop is not None and stop.is_set():
                break
            created += self._take(chunk)
        if created:
            log.info("plant_taken_up", records=created)
        return created

    def take_files(self) -> Outcome | None:
        """Take in the files beside the plant file, whole or not at all; what a person wrote stays."""
        if not self._tables:
            return None
        file = File(_FILE_ID, self._tables, Scope(), FILE, _WHY_FILE, dry_run=False, yields=True)
        outcome = self._importing.take(file, lambda *_: None)
        for fault in outcome.faults[:_FAULTS_LOGGED]:
            log.error("registry_file_fault", fault=str(fault))
        log.info("registry_files_taken_up", faults=outcome.fault_count, kinds=outcome.kinds, written=outcome.written)
        return outcome

    def _take(self, chunk: Sequence[tuple[str, dict[str, Any]]]) -> int:
        known = {
            kind: self._registry.known(kind, (body["id"] for of, body in chunk if of == kind))
            for kind in {kind for kind, _ in chunk}
        }
        drafts = []
        for kind, body in chunk:
            if body["id"] in known[kind]:
                continue
            record = _record(kind, body)
            if record is not None:
                drafts.append(Draft(kind, record, 0))
        return len(self._registry.write(drafts, PLANT, _WHY)) if drafts else 0

    def differences(self, scope: Scope, after: int = 0, limit: int = 100) -> tuple[list[Difference], int | None]:
        """Return where plant file and registry differ, for who may see the whole plant.

        Args:
            scope: Whose records may be seen.
            after: How many things of the plant have been looked at.
            limit: About so many.

        Returns:
            Differences, and how many things have been looked at now; None: all.
        """
        found: list[Difference] = []
        told = islice(named_by(self._plant), after, after + _SCANNED)
        looked = after
        while chunk := list(islice(told, 500)):
            looked += len(chunk)
            for kind in dict.fromkeys(kind for kind, _ in chunk):
                bodies = [body for of, body in chunk if of == kind]
                there = self._registry.many(kind, (body["id"] for body in bodies), scope)
                for body in bodies:
                    record = there.get(body["id"])
                    found += _differences(kind, body, None if record is None else record.body)
            if len(found) >= limit:
                return found, looked
        return found, looked if looked == after + _SCANNED else None


def _record(kind: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what of something the registry takes; what it does not is listed among the differences."""
    try:
        return KINDS[kind].model.model_validate(body).model_dump(mode="json")
    except ValidationError as error:
        wrong = {one["loc"][0] for one in error.errors()}
        if wrong & {"id", "enterprise", "name_zh"}:
            log.warning("not_a_record", kind=kind, id=body["id"], error=error.errors()[0]["msg"])
            return None
    return KINDS[kind].model.model_validate({k: v for k, v in body.items() if k not in wrong}).model_dump(mode="json")


def _differences(kind: str, said: Mapping[str, Any], there: Mapping[str, Any] | None) -> Iterator[Difference]:
    """Compare what the plant file says; what it leaves open is the registry's own."""
    if there is None:
        yield Difference(kind, said["id"], "", said.get("name_zh", ""), None)
        return
    for field, value in said.items():
        if value not in ("", None) and there.get(field) != value and not (kind == "district" and field != "id"):
            yield Difference(kind, said["id"], field, value, there.get(field))


def named_by(plant: Plant) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield kind and content of everything a plant file names; what is referred to comes first."""
    yield from _districts(plant)
    yield from _enterprises(plant)
    site = {"latitude_deg": plant.site.latitude_deg, "longitude_deg": plant.site.longitude_deg}
    enterprise = plant.enterprise
    yield "site", _named(plant.site.id, plant.site.name) | site | _of(enterprise.id, enterprise.district)
    yield from _units(plant)
    yield from _vessels(plant)
    for tag in plant.tags.values():
        yield "tag", _tag(tag, plant)


def _districts(plant: Plant) -> Iterator[tuple[str, dict[str, Any]]]:
    """A plant file knows the code of a district alone."""
    units = (unit.district for unit in plant.hazard_units.values())
    for code in dict.fromkeys((plant.enterprise.district, *units)):
        if code:
            yield "district", {"id": code, "name_zh": code, "level": "district"}


def _enterprises(plant: Plant) -> Iterator[tuple[str, dict[str, Any]]]:
    own = plant.enterprise
    yield "enterprise", _named(own.id, own.name) | {"district": own.district}
    others: dict[str, str] = {}
    for unit in plant.hazard_units.values():
        if unit.enterprise not in ("", own.id):
            others.setdefault(unit.enterprise, unit.district or own.district)
    for name, district in others.items():
        yield "enterprise", {"id": name, "name_zh": name, "district": district}


def _units(plant: Plant) -> Iterator[tuple[str, dict[str, Any]]]:
    own = plant.enterprise.id
    for unit in plant.hazard_units.values():
        # The site is the enterprise's; who else has a unit on it sees that unit alone.
        body = _named(unit.id, unit.name) | {
            "cas": unit.cas,
            "site": plant.site.id if _runs(plant, unit.id) == own else "",
        }
        places = [v.position for v in plant.vessels.values() if v.hazard_unit == unit.id and v.position is not None]
        middle = _middle(places)
        yield "hazard-unit", body | _whose(plant, unit.id) | ({} if middle is None else _where(plant.site, middle))


def _vessels(plant: Plant) -> Iterator[tuple[str, dict[str, Any]]]:
    for vessel in plant.vessels.values():
        held = {"hazard_unit": vessel.hazard_unit, "shape": vessel.kind.value, "cas": vessel.cas}
        size = {"capacity_m3": float(vessel.capacity_m3), "height_m": float(vessel.height_m)}
        where = {} if vessel.position is None else _where(plant.site, vessel.position)
        yield "vessel", _named(vessel.id, vessel.name) | held | size | where | _whose(plant, vessel.hazard_unit)
    for vehicle in plant.vehicles.values():
        if vehicle.id not in plant.vessels:
            held = {"shape": VesselShape.TRUCK_TANK.value, "cas": vehicle.cas}
            yield "vessel", _named(vehicle.id, vehicle.name) | held | _whose(plant, "")


def _tag(tag: Tag, plant: Plant) -> dict[str, Any]:
    on = {"hazard_unit": tag.hazard_unit, "vessel": tag.vessel or tag.vehicle}
    measures = {"quantity": tag.quantity.value, "unit": tag.unit, "kind": tag.kind.value}
    return _named(tag.name, tag.description) | on | measures | _whose(plant, tag.hazard_unit)


def _named(name: str, called: Text) -> dict[str, Any]:
    return {"id": name, "name_zh": called.zh or name, "name_en": called.en}


def _of(enterprise: str, district: str) -> dict[str, Any]:
    return {"enterprise": enterprise, "district": district}


def _runs(plant: Plant, unit: str) -> str:
    known = plant.hazard_units.get(unit)
    return (known.enterprise if known else "") or plant.enterprise.id


def _whose(plant: Plant, unit: str) -> dict[str, Any]:
    """Return whose something in a hazard unit is, and where; as `Scope.hazard_units` has it."""
    known = plant.hazard_units.get(unit)
    return _of(_runs(plant, unit), (known.district if known else "") or plant.enterprise.district)


def _middle(places: Sequence[Position]) -> Position | None:
    if not places:
        return None
    count = len(places)
    return Position(sum(one.x_m for one in places) / count, sum(one.y_m for one in places) / count)


def _where(site: Site, place: Position) -> dict[str, Any]:
    """Return metres east and north of a site as degrees; good to a metre within some kilometres."""
    north = site.latitude_deg + place.y_m / _METRES_PER_DEGREE
    east_m_per_degree = _METRES_PER_DEGREE * max(0.01, math.cos(math.radians(site.latitude_deg)))
    east = site.longitude_deg + place.x_m / east_m_per_degree
    return {
        "latitude_deg": round(min(90.0, max(-90.0, north)), 6),
        "longitude_deg": round(min(180.0, max(-180.0, east)), 6),
    }
