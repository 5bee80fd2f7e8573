"""The alarm a story is about, where it is, and where the parts find what they tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from config.clock import Clock
from config.plant.model import HazardUnit, Plant, Tag, Vessel
from gateway.access.roles import Scope
from gateway.history.port import HistoryReader
from gateway.live import Board
from gateway.notify.desk import DutyDesk
from gateway.records.queries import Queries, Row
from gateway.registry.store import Registry, Version
from gateway.story.nearby import Nearby
from gateway.story.neighbourhood import Neighbourhood
from gateway.story.ports import Others
from gateway.story.surroundings import Surroundings

__all__ = ["Case", "Ground", "Readings", "Sources", "open_case", "read_ground"]


class Readings:
    """Where in the latest values a tag is; the look-up is made once for each set of names.

    Args:
        board: Of the pipeline.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        self._names: tuple[str, ...] = ()
        self._rows: dict[str, int] = {}

    def row(self, tag: str) -> int | None:
        """Return the row of a tag in `Board.values`; None: there is none."""
        values = self.board.values
        if values is None:
            return None
        if values.names is not self._names:
            rows = {name: row for row, name in enumerate(values.names)}
            self._names, self._rows = values.names, rows
        return self._rows.get(tag)


@dataclass(frozen=True, slots=True)
class Sources:
    """What parts may ask."""

    plant: Plant
    surroundings: Surroundings
    readings: Readings
    queries: Queries
    history: HistoryReader
    registry: Registry
    duty: DutyDesk
    nearby: Nearby
    neighbourhood: Neighbourhood
    others: Others
    clock: Clock


@dataclass(frozen=True, slots=True)
class Ground:
    """What the registry says of the place of an alarm, as far as it may be seen."""

    records: Mapping[str, Version] = field(default_factory=dict)
    """Kind -> record: tag, vessel, hazard-unit, site, enterprise."""

    def body(self, kind: str) -> Mapping[str, Any]:
        """Return a record; empty where there is none."""
        found = self.records.get(kind)
        return {} if found is None else found.body


@dataclass(frozen=True, slots=True)
class Case:
    """One alarm, asked for by somebody at a moment."""

    sources: Sources
    alarm: Row
    scope: Scope
    at_ms: int
    tag: Tag | None
    """None: the plant has it no longer, or it is an alarm of the system."""
    unit: str
    vessel: str
    vehicle: str
    cas: str
    """What the tag measures, or the vessel holds."""
    stored_cas: str
    """What the vessel or the unit is there for: often another than a detector is calibrated for (propane for LPG)."""
    enterprise: str
    """Whose place it is; empty: the gateway's own."""
    district: str
    coordinates: tuple[float, float] | None
    """Latitude and longitude of the place, as near as is known."""
    ground: Ground

    @property
    def of_system(self) -> bool:
        """It is about the gateway itself or an edge, not about a place."""
        return bool(self.alarm["condition"] == "SYSTEM")


def read_ground(sources: Sources, alarm: Row, scope: Scope) -> Ground:
    """Return what the registry says of the place of an alarm."""
    found: dict[str, Version] = {}

    def take(kind: str, name: str) -> Mapping[str, Any]:
        version = sources.registry.get(kind, name, scope) if name else None
        if version is None:
            return {}
        found[kind] = version
        return version.body

    tag = take("tag", alarm["tag"] if alarm["condition"] != "SYSTEM" else "")
    vessel = take("vessel", alarm["vessel"] or tag.get("vessel", ""))
    unit = take("hazard-unit", alarm["hazard_unit"] or vessel.get("hazard_unit", "") or tag.get("hazard_unit", ""))
    plant = sources.plant
    own = alarm["hazard_unit"] in plant.hazard_units or not alarm["hazard_unit"]
    site = take("site", unit.get("site", "") or (plant.site.id if own else ""))
    of_plant = plant.hazard_units.get(alarm["hazard_unit"])
    take("enterprise", _first(_each("enterprise", unit, vessel, tag, site)) or _run_by(plant, of_plant))
    return Ground(found)


def open_case(sources: Sources, alarm: Row, scope: Scope, ground: Ground) -> Case:
    """Return the case of an alarm that may be seen."""
    plant = sources.plant
    tag = plant.tags.get(alarm["tag"])
    unit, vessel = plant.hazard_units.get(alarm["hazard_unit"]), plant.vessels.get(alarm["vessel"])
    vehicle = plant.vehicles.get(alarm["vehicle"])
    records = [ground.body(kind) for kind in ("tag", "vessel", "hazard-unit")]
    own = plant.enterprise
    return Case(
        sources=sources,
        alarm=alarm,
        scope=scope,
        at_ms=sources.clock.wall_ms(),
        tag=tag,
        unit=alarm["hazard_unit"] or _first(_each("hazard_unit", *records)),
        vessel=alarm["vessel"] or _first(_each("vessel", records[0])),
        vehicle=alarm["vehicle"],
        cas=_first(one.cas for one in (tag, vessel, vehicle, unit) if one) or _first(_each("cas", *records)),
        stored_cas=_first(one.cas for one in (vessel, vehicle, unit) if one) or _first(_each("cas", *records[1:])),
        enterprise=_first(_each("enterprise", *records)) or _run_by(plant, unit),
        district=_first(_each("district", *records)) or (unit.district if unit else "") or own.district,
        coordinates=None if vehicle else _where(sources.surroundings, (tag, vessel), ground),
        ground=ground,
    )


def _run_by(plant: Plant, unit: HazardUnit | None) -> str:
    return (unit.enterprise if unit is not None else "") or plant.enterprise.id


def _where(around: Surroundings, case: tuple[Tag | None, Vessel | None], ground: Ground) -> tuple[float, float] | None:
    """Return the nearest place that is known."""
    in_plant = (around.coordinates(one.position) for one in case if one is not None)
    recorded = (_point(ground.body(kind)) for kind in ("vessel", "hazard-unit", "site"))
    return next(filter(None, (*in_plant, *recorded, around.site, _point(ground.body("enterprise")))), None)


def _point(body: Mapping[str, Any]) -> tuple[float, float] | None:
    latitude, longitude = body.get("latitude_deg"), body.get("longitude_deg")
    return None if latitude is None or longitude is None else (latitude, longitude)


def _each(name: str, *bodies: Mapping[str, Any]) -> Iterable[str]:
    return (body.get(name, "") for body in bodies)


def _first(texts: Iterable[str]) -> str:
    return next(filter(None, texts), "")
