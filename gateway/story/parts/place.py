"""Where it is: enterprise, site, hazard unit, vessel or vehicle, and the point on the map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from config.plant.model import Text
from gateway.api.models import Model, Name
from gateway.api.views import name_of
from gateway.story.case import Case
from gateway.story.telling import Said, empty, said

__all__ = ["PlaceContent", "tell_place"]


class Thing(Model):
    """Something with a name."""

    id: str
    name: Name


class EnterpriseThing(Thing):
    """Who runs the place."""

    uscc: str = Field(description="统一社会信用代码")
    address: str
    representative: str = Field(description="法定代表人")
    phone: str


class UnitThing(Thing):
    """The hazard unit."""

    use: str = Field(description="`production`, `storage`; empty: not said")
    cas: str
    exposed_people: int | None = Field(description="Outside the fence within 500 m")
    consequence_radius_m: float | None


class VesselThing(Thing):
    """What holds the substance."""

    kind: str
    cas: str
    capacity_m3: float | None
    height_m: float | None
    design_max_t: float | None = Field(description="Design maximum inventory")


class VehicleThing(Thing):
    """A truck."""

    plate: str
    cas: str


class PlaceContent(Model):
    """The place of an alarm."""

    enterprise: EnterpriseThing | None
    site: Thing | None
    hazard_unit: UnitThing | None
    vessel: VesselThing | None
    vehicle: VehicleThing | None
    district: str
    latitude_deg: float | None
    longitude_deg: float | None


def tell_place(case: Case) -> Said[PlaceContent]:
    """Tell of the place."""
    if case.of_system:
        return empty("系统自身的报警，不涉及具体场所", "an alarm of the system itself: it is about no place")
    latitude, longitude = case.coordinates or (None, None)
    vehicle = case.sources.plant.vehicles.get(case.vehicle)
    return said(
        PlaceContent(
            enterprise=_enterprise(case),
            site=_site(case),
            hazard_unit=_unit(case),
            vessel=_vessel(case),
            vehicle=None
            if vehicle is None
            else VehicleThing(id=vehicle.id, name=name_of(vehicle.name), plate=vehicle.plate, cas=vehicle.cas),
            district=case.district,
            latitude_deg=latitude,
            longitude_deg=longitude,
        )
    )


def _enterprise(case: Case) -> EnterpriseThing | None:
    body, own = case.ground.body("enterprise"), case.sources.plant.enterprise
    if not body and case.enterprise != own.id:
        return None
    more = {key: body.get(key, "") for key in ("uscc", "address", "representative", "phone")}
    return EnterpriseThing(id=case.enterprise, name=_name(body, own.name), **more)


def _site(case: Case) -> Thing | None:
    body, site = case.ground.body("site"), case.sources.plant.site
    if body:
        return Thing(id=body["id"], name=_name(body, None))
    of_plant = case.unit in case.sources.plant.hazard_units or case.tag is not None
    return Thing(id=site.id, name=name_of(site.name)) if of_plant and not case.vehicle else None


def _unit(case: Case) -> UnitThing | None:
    body, unit = case.ground.body("hazard-unit"), case.sources.plant.hazard_units.get(case.unit)
    if not body and unit is None:
        return None
    return UnitThing(
        id=case.unit,
        name=_name(body, None if unit is None else unit.name),
        use=body.get("use", ""),
        cas=body.get("cas", "") or ("" if unit is None else unit.cas),
        exposed_people=body.get("exposed_people"),
        consequence_radius_m=body.get("consequence_radius_m"),
    )


def _vessel(case: Case) -> VesselThing | None:
    body, vessel = case.ground.body("vessel"), case.sources.plant.vessels.get(case.vessel)
    if not body and vessel is None:
        return None
    return VesselThing(
        id=case.vessel,
        name=_name(body, None if vessel is None else vessel.name),
        kind=body.get("shape", "") or ("" if vessel is None else vessel.kind.value),
        cas=body.get("cas", "") or ("" if vessel is None else vessel.cas),
        capacity_m3=body.get("capacity_m3", None if vessel is None else vessel.capacity_m3),
        height_m=body.get("height_m", None if vessel is None else vessel.height_m),
        design_max_t=body.get("design_max_t"),
    )


def _name(body: Mapping[str, Any], of_plant: Text | None) -> Name:
    """Return the name in the registry; else that of the plant file."""
    if not body and of_plant is not None:
        return name_of(of_plant)
    return Name(zh=body["name_zh"], en=body.get("name_en") or body["name_zh"])
