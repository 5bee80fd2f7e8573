"""Where something is, and whose: an enterprise, unit, vessel or tag that somebody named and may see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from config.plant.model import Plant, Text
from gateway.access.roles import Scope
from gateway.errors import BadRequestError
from gateway.prevention.means import Means

__all__ = ["Spot", "spot_of"]


@dataclass(frozen=True, slots=True)
class Spot:
    """A place, as exactly as it was named."""

    enterprise: str
    district: str
    name: Text
    """Of the narrowest thing named."""
    hazard_unit: str = ""
    vessel: str = ""
    tag: str = ""
    cas: str = ""
    latitude_deg: float | None = None
    longitude_deg: float | None = None


def spot_of(
    means: Means, scope: Scope, *, enterprise: str = "", hazard_unit: str = "", vessel: str = "", tag: str = ""
) -> Spot:
    """Return the place that is named; of several things named the narrowest, which has to lie in the others.

    Raises:
        BadRequestError: None is named or may be seen by that name, or one does not lie in the other.
    """
    named = {"tag": tag, "vessel": vessel, "hazard-unit": hazard_unit, "enterprise": enterprise}
    kinds = [kind for kind, name in named.items() if name]
    if not kinds:
        raise BadRequestError(
            "place: name an enterprise, a hazard unit, a vessel or a tag（请指明企业、单元、设备或位号）"
        )
    spot = _one(means, scope, kinds[0], named[kinds[0]])
    said = {"vessel": spot.vessel, "hazard-unit": spot.hazard_unit, "enterprise": spot.enterprise}
    for kind in kinds[1:]:
        if said[kind] != named[kind]:
            raise BadRequestError(
                f"{kind} {named[kind]!r}: {kinds[0]} {named[kinds[0]]!r} is not part of it（层级不符）"
            )
    return spot


def _one(means: Means, scope: Scope, kind: str, name: str) -> Spot:
    record = means.registry.get(kind, name, Scope())
    spot = _PLANNED[kind](means.plant, name)
    if record is not None:  # the registry has the last word
        spot = _recorded(kind, record.id, record.enterprise, record.district, record.body)
        if not spot.district and (owner := means.registry.get("enterprise", spot.enterprise, Scope())):
            spot = replace(spot, district=owner.district)
    if spot is None or not scope.covers(spot.enterprise, spot.district):
        raise BadRequestError(f"{kind} {name!r}: there is none that you may see（不存在或无权查看）")
    return spot


def _recorded(kind: str, name: str, enterprise: str, district: str, body: Mapping[str, Any]) -> Spot:
    unit = name if kind == "hazard-unit" else str(body.get("hazard_unit", ""))
    vessel = name if kind == "vessel" else str(body.get("vessel", ""))
    return Spot(
        enterprise=enterprise,
        district=district,
        name=Text(str(body.get("name_zh") or name), str(body.get("name_en") or name)),
        hazard_unit=unit,
        vessel=vessel,
        tag=name if kind == "tag" else "",
        cas=str(body.get("cas", "")),
        latitude_deg=body.get("latitude_deg"),
        longitude_deg=body.get("longitude_deg"),
    )


def _plan_enterprise(plant: Plant, name: str) -> Spot | None:
    one = plant.enterprise
    return Spot(one.id, one.district, one.name) if name == one.id else None


def _plan_unit(plant: Plant, name: str) -> Spot | None:
    unit = plant.hazard_units.get(name)
    if unit is None:
        return None
    whose = unit.enterprise or plant.enterprise.id, unit.district or plant.enterprise.district
    at = plant.site.latitude_deg, plant.site.longitude_deg
    return Spot(*whose, unit.name, unit.id, cas=unit.cas, latitude_deg=at[0], longitude_deg=at[1])


def _within(plant: Plant, unit: str, name: Text, cas: str, vessel: str, tag: str) -> Spot:
    """Return something in a unit of the plant, or in none."""
    at = _plan_unit(plant, unit) or Spot(plant.enterprise.id, plant.enterprise.district, name)
    lat, lon = plant.site.latitude_deg, plant.site.longitude_deg
    return Spot(at.enterprise, at.district, name, unit, vessel, tag, cas or at.cas, lat, lon)


def _plan_vessel(plant: Plant, name: str) -> Spot | None:
    one = plant.vessels.get(name)
    return None if one is None else _within(plant, one.hazard_unit, one.name, one.cas, name, "")


def _plan_tag(plant: Plant, name: str) -> Spot | None:
    one = plant.tags.get(name)
    return None if one is None else _within(plant, one.hazard_unit, one.description, "", one.vessel, name)


_PLANNED: Mapping[str, Callable[[Plant, str], Spot | None]] = {
    "enterprise": _plan_enterprise,
    "hazard-unit": _plan_unit,
    "vessel": _plan_vessel,
    "tag": _plan_tag,
}
"""What only the plant file says, by kind."""
