"""Hazard units and their vessels as grades need them: from the registry, else from the plant file."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

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

    What the registry has, it says, also that something is gone; what it never had, the plant file says. Whether
    something may be seen goes by whose it is now, also where it is asked how it was.

    Args:
        registry: Records as they are and were.
        plant: What is watched.
    """

    def __init__(self, registry: Registry, plant: Plant) -> None:
        self._registry = registry
        self._plant = plant

    def unit(self, name: str, scope: Scope, at_ms: int | None = None) -> Unit | None:
        """Return a unit; None: there is none that may be seen."""
        newest, then = self._versions("hazard-unit", name, at_ms)
        planned = self._plant.hazard_units.get(name)
        owned = _unit_of(newest) if newest else self._planned_unit(planned) if planned else None
        if owned is None or not scope.covers(owned.enterprise, owned.district):
            return None
        return _unit_of(then) if then else None if newest and newest.gone else owned

    def tank(self, name: str, scope: Scope, at_ms: int | None = None) -> Tank | None:
        """Return a vessel; None: there is none that may be seen."""
        newest, then = self._versions("vessel", name, at_ms)
        planned = self._plant.vessels.get(name)
        owned = _tank_of(newest) if newest else self._planned_tank(planned) if planned else None
        if owned is None or not scope.covers(owned.enterprise, owned.district):
            return None
        return _filled_up(_tank_of(then)) if then else None if newest and newest.gone else _filled_up(owned)

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
        said = self._said("vessel", [vessel.id for vessel in planned], at_ms)
        for vessel in planned:
            if vessel.id not in said:
                found[vessel.hazard_unit][vessel.id] = self._planned_tank(vessel)
        return {unit: [_filled_up(held[name]) for name in sorted(held)] for unit, held in found.items()}

    def watched(self) -> list[Unit]:
        """Return the units of the plant, and those that the registry has vessels of the plant in."""
        moved = self._registry.many("vessel", self._plant.vessels, _ALL).values()
        names = dict.fromkeys([*self._plant.hazard_units, *(one.parent for one in moved if one.parent)])
        known = self._registry.newest(("hazard-unit", name) for name in names)
        found = []
        for name in names:
            version, planned = known.get(("hazard-unit", name)), self._plant.hazard_units.get(name)
            if version is not None:
                found += [] if version.gone else [_unit_of(version)]
            elif planned is not None:
                found.append(self._planned_unit(planned))
        return found

    def _versions(self, kind: str, name: str, at_ms: int | None) -> tuple[Version | None, Version | None]:
        """Return the newest version of a record, gone or not; and the one of a time in the past, if there was one."""
        newest = self._registry.newest([(kind, name)]).get((kind, name))
        if newest is None or at_ms is None:
            return newest, None
        return newest, self._registry.get(kind, name, _ALL, at_ms)

    def _said(self, kind: str, names: Sequence[str], at_ms: int | None) -> set[str]:
        """Return of which things the registry says (or said) where they are, or that they are gone."""
        newest = self._registry.newest((kind, name) for name in names)
        if at_ms is None:
            return {name for _, name in newest}
        by_then = {name for (_, name), version in newest.items() if version.since_ms <= at_ms}
        return by_then | set(self._registry.many(kind, names, _ALL, at_ms))

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
        people=_people(body.get("exposed_people")),
    )


def _tank_of(version: Version) -> Tank:
    body = version.body
    shape, at_c = body.get("shape"), _figure(body.get("density_at_c"))
    return Tank(
        id=version.id,
        enterprise=version.enterprise,
        district=version.district,
        unit=version.parent,
        shape=VesselShape(shape) if shape in set(VesselShape) else VesselShape.REACTOR,
        cas=str(body.get("cas", "")),
        capacity_m3=_figure(body.get("capacity_m3")),
        height_m=_figure(body.get("height_m")),
        design_max_t=_figure(body.get("design_max_t")),
        density_kg_m3=_figure(body.get("density_kg_m3")),
        density_at_c=20.0 if at_c is None else at_c,
        expansion_per_k=_figure(body.get("expansion_per_k")) or 0.0,
    )


def _people(found: object) -> int | None:
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def _figure(found: object) -> float | None:
    """Return a figure of a record; an older kind of record may hold anything, and none of it ends the worker."""
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return float(found) if math.isfinite(found) else None


def _filled_up(tank: Tank) -> Tank:
    """Return a vessel with what is known of its liquid, where the registry does not say it."""
    liquid = load_liquids().get(tank.cas)
    if liquid is None or (tank.density_kg_m3 is not None and tank.expansion_per_k):
        return tank
    tank = replace(tank, expansion_per_k=tank.expansion_per_k or liquid.expansion_per_k)
    if tank.density_kg_m3 is None:
        tank = replace(tank, density_kg_m3=liquid.density_kg_m3, density_at_c=liquid.at_c)
    return tank
