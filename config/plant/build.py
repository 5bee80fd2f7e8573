"""From a plant file that could be read to the plant: defaults filled in, references followed, canonical units."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from config.plant.checks import References
from config.plant.document import PlantDocument, TextDocument
from config.plant.escalations import build_escalations
from config.plant.model import Edge, Enterprise, HazardUnit, Plant, Position, Site, Text, Vehicle, Vessel
from config.plant.suppressions import build_suppressions
from config.plant.tags import TagBuilder
from config.units import ReferenceAir

__all__ = ["build_plant"]

_AIR = {20: ReferenceAir.AIR_20C, 25: ReferenceAir.AIR_25C}


def build_plant(document: PlantDocument, references: References) -> Plant:
    """Return the plant (with an empty digest), noting what is wrong; it is only good when nothing was noted."""
    references.check_sections(document)
    site, enterprise = document.site, document.enterprise
    air = _AIR[document.gas_reference.air_temperature_c]
    hazard_units = {
        name: HazardUnit(name, _text(unit.name), unit.cas, unit.enterprise, unit.district)
        for name, unit in document.hazard_units.items()
    }
    vessels = _vessels(document, hazard_units)
    edges = {name: Edge(name, _text(edge.name), edge.kind) for name, edge in document.edges.items()}
    vehicles = {
        name: Vehicle(name, vehicle.plate, _text(vehicle.name), vehicle.cas, vehicle.edge)
        for name, vehicle in document.vehicles.items()
    }
    builder = TagBuilder(
        site=site.id,
        hazard_units=hazard_units,
        vessels=vessels,
        edges=edges,
        vehicles=vehicles,
        templates=document.templates,
        references=references,
        lel_table=document.gas_reference.lel_table,
        air=air,
    )
    tags = {name: tag for name, written in document.tags.items() if (tag := builder.build(name, written)) is not None}
    builder.check_partners(tags)
    return Plant(
        enterprise=Enterprise(enterprise.id, _text(enterprise.name), enterprise.district),
        site=Site(site.id, _text(site.name), site.latitude_deg, site.longitude_deg),
        hazard_units=MappingProxyType(hazard_units),
        vessels=MappingProxyType(vessels),
        edges=MappingProxyType(edges),
        vehicles=MappingProxyType(vehicles),
        tags=MappingProxyType(tags),
        digest="",
        lel_table=document.gas_reference.lel_table,
        reference_air=air,
        escalations=MappingProxyType(build_escalations(document.escalations, tags, references)),
        suppressions=MappingProxyType(build_suppressions(document.suppressions, tags, references)),
    )


def _vessels(document: PlantDocument, hazard_units: Mapping[str, HazardUnit]) -> dict[str, Vessel]:
    vessels: dict[str, Vessel] = {}
    for name, vessel in document.vessels.items():
        unit = hazard_units.get(vessel.hazard_unit or "")
        vessels[name] = Vessel(
            id=name,
            name=_text(vessel.name),
            kind=vessel.kind,
            hazard_unit=vessel.hazard_unit or "",
            cas=vessel.cas or (unit.cas if unit else ""),
            capacity_m3=vessel.capacity_m3,
            height_m=vessel.height_m,
            position=None if vessel.position is None else Position(*vessel.position),
        )
    return vessels


def _text(text: TextDocument) -> Text:
    return Text(text.zh, text.en)
