"""Hazard units and their vessels as grades need them: from the registry, else from the plant file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from config.liquids import load_liquids
from config.plant.model import HazardUnit, Plant, Vessel
from gateway.access.roles import Scope
from gateway.registry.kinds import VesselShape
from gateway.registry.store import Registry, Version

__all__ = ["Grounds", "Tank", "Unit"]

_ALL = Scope()
_PAGE = 1_000
_ONE_BY_ONE = 100
"""Units whose vessels are asked for one by one; of more than that, all vessels there are are gone through."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A hazard unit."""

    id: str
    enterprise: str
    district: str
    name_zh: str
    name_en: str
    people: int | None
    """Possibly exposed outside the fence within 500 m, as the registry says; None: not said."""


@dataclass(frozen=True, slots=True)
class Tank:
    """A vessel: what follows from a level in it. None: not known."""

    id: str
    enterprise: str
    district: str
    unit: str
    shape: VesselShape
    cas: str
    capacity_m3: float | None = None
    height_m: float | None = None
    design_max_t: float | None = None
    density_kg_m3: float | None = None
    density_at_c: float = 20.0
    expansion_per_k: float = 0.0
    loose: bool = False
    """It is no vessel but what was filed without one."""


class Grounds:
    """Finds units and vessels.

    What the registry has, it says; what it does not have, the plant file says. Whether something may be seen goes by
    whose it is now, also where it is asked how it was.

    Args:
        registry: Records as they are and were.
        plant: What is watched.
    """

    def __init__(self, registry: Registry, plant: Plant) -> None:
        self._registry = registry
        self._plant = plant

    def unit(self, name: str, scope: Scope, at_ms: int | None = None) -> Unit | None:
        """Return a unit; None: there is none that may be seen."""
        now = self._registry.get("hazard-unit", name, _ALL)
        planned = self._plant.hazard_units.get(name)
        owned = _unit_of(now) if now else self._planned_unit(planned) if planned else None
        if owned is None or not scope.covers(owned.enterprise, owned.district):
            return None
        was = self._registry.get("hazard-unit", name, _ALL, at_ms) if now and at_ms is not None else None
        return _unit_of(was) if was else owned

    def tank(self, name: str, scope: Scope, at_ms: int | None = None) -> Tank | None:
        """Return a vessel; None: there is none that may be seen."""
        now = self._registry.get("vessel", name, _ALL)
        planned = self._plant.vessels.get(name)
        owned = _tank_of(now) if now else self._planned_tank(planned) if planned else None
        if owned is None or not scope.covers(owned.enterprise, owned.district):
            return None
        was = self._registry.get("vessel", name, _ALL, at_ms) if now and at_ms is not None else None
        return _filled_up(_tank_of(was) if was else owned)

    def tanks(self, unit: str, at_ms: int | None = None) -> list[Tank]:
        """Return the vessels of a unit, whoever asks."""
        return self.tanks_of((unit,), at_ms)[unit]

    def tanks_of(self, units: Collection[str], at_ms: int | None = None) -> dict[str, list[Tank]]:
        """Return the vessels of some units, whoever asks."""
        found: dict[str, dict[str, Tank]] = {unit: {} for unit in units}
        for parent in units if len(units) <= _ONE_BY_ONE else (None,):
            for version in self._pages(parent, at_ms):
                if version.parent in found:
                    found[version.parent][version.id] = _tank_of(version)
        planned = [vessel for vessel in self._plant.vessels.values() if vessel.hazard_unit in found]
        elsewhere = self._registry.many("vessel", (vessel.id for vessel in planned), _ALL, at_ms)
        for vessel in planned:
            if vessel.id not in elsewhere:
                found[vessel.hazard_unit][vessel.id] = self._planned_tank(vessel)
        return {unit: [_filled_up(held[name]) for name in sorted(held)] for unit, held in found.items()}

    def watched(self) -> list[Unit]:
        """Return the units of the plant, and those that the registry has vessels of the plant in."""
        moved = self._registry.many("vessel", self._plant.vessels, _ALL).values()
        names = dict.fromkeys([*self._plant.hazard_units, *(one.parent for one in moved if one.parent)])
        known = self._registry.many("hazard-unit", names, _ALL)
        planned = self._plant.hazard_units
        return [
            _unit_of(known[name]) if name in known else self._planned_unit(planned[name])
            for name in names
            if name in known or name in planned
        ]

    def _pages(self, unit: str | None, at_ms: int | None) -> Iterable[Version]:
        after = ""
        while True:
            page = self._registry.find("vessel", _ALL, parent=unit, at_ms=at_ms, after=after, limit=_PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].id

    def _planned_unit(self, unit: HazardUnit) -> Unit:
        enterprise = self._plant.enterprise
        return Unit(
            id=unit.id,
            enterprise=unit.enterprise or enterprise.id,
            district=unit.district or enterprise.district,
            name_zh=unit.name.zh,
            name_en=unit.name.en,
            people=None,
        )

    def _planned_tank(self, vessel: Vessel) -> Tank:
        unit = self._plant.hazard_units.get(vessel.hazard_unit)
        owner = None if unit is None else self._planned_unit(unit)
        enterprise = self._plant.enterprise
        return Tank(
            id=vessel.id,
            enterprise=enterprise.id if owner is None else owner.enterprise,
            district=enterprise.district if owner is None else owner.district,
            unit=vessel.hazard_unit,
            shape=VesselShape(vessel.kind.value),
            cas=vessel.cas,
            capacity_m3=vessel.capacity_m3,
            height_m=vessel.height_m,
        )


def _unit_of(version: Version) -> Unit:
    body = version.body
    return Unit(
        id=version.id,
        enterprise=version.enterprise,
        district=version.district,
        name_zh=version.name,
        name_en=str(body.get("name_en", "")),
        people=body.get("exposed_people"),
    )


def _tank_of(version: Version) -> Tank:
    body = version.body
    figures: Mapping[str, Any] = {
        name: body.get(name) for name in ("capacity_m3", "height_m", "design_max_t", "density_kg_m3")
    }
    return Tank(
        id=version.id,
        enterprise=version.enterprise,
        district=version.district,
        unit=version.parent,
        shape=VesselShape(body.get("shape", VesselShape.VERTICAL_TANK)),
        cas=str(body.get("cas", "")),
        density_at_c=float(body.get("density_at_c", 20.0)),
        expansion_per_k=float(body.get("expansion_per_k", 0.0)),
        **figures,
    )


def _filled_up(tank: Tank) -> Tank:
    """Return a vessel with what is known of its liquid, where the registry does not say it."""
    liquid = load_liquids().get(tank.cas)
    if liquid is None or (tank.density_kg_m3 is not None and tank.expansion_per_k):
        return tank
    tank = replace(tank, expansion_per_k=tank.expansion_per_k or liquid.expansion_per_k)
    if tank.density_kg_m3 is None:
        tank = replace(tank, density_kg_m3=liquid.density_kg_m3, density_at_c=liquid.at_c)
    return tank
