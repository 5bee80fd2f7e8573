"""Check the ids of a plant file and what its entries say about each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from config.chemicals import Chemical, is_cas
from config.contract.topics import is_edge_id, is_tag_name
from config.plant.document import PlantDocument
from config.plant.findings import Findings, one_of
from config.plant.model import VesselKind
from config.plant.yaml_lines import Path, Value

__all__ = ["References"]

_NAMED_SECTIONS = ("hazard_units", "vessels", "edges", "vehicles", "templates", "tags")


@dataclass(frozen=True, slots=True)
class References:
    """What may be referred to: everything the file names, even where it is wrong, and the chemical catalogue."""

    names: Mapping[str, Collection[str]]
    """By section."""
    chemicals: Mapping[str, Chemical]
    findings: Findings

    @classmethod
    def of(cls, raw: Value, chemicals: Mapping[str, Chemical], findings: Findings) -> References:
        """Take the names from the file as it was written."""
        names: dict[str, Collection[str]] = {}
        for section in _NAMED_SECTIONS:
            entries = raw.get(section) if isinstance(raw, dict) else None
            names[section] = list(entries) if isinstance(entries, dict) else []
        return cls(names, chemicals, findings)

    def known(self, section: str, name: str, path: Path) -> bool:
        """Say whether ``name`` is in ``section``; if not, note it at ``path``."""
        if name in self.names[section]:
            return True
        what = section.removesuffix("s").replace("_", " ")
        self.findings.add(path, f"unknown {what} {name!r}", one_of(name, self.names[section]))
        return False

    def known_cas(self, cas: str, path: Path) -> bool:
        """Say whether ``cas`` is in the catalogue; if not, note it at ``path``."""
        if cas in self.chemicals:
            return True
        if not is_cas(cas):
            self.findings.add(path, f"{cas!r}", "a CAS number such as 67-56-1, with its check digit")
        else:
            self.findings.add(
                path, f"unknown substance {cas}", "a substance of the chemical catalogue (config/chemicals.yaml)"
            )
        return False

    def check_sections(self, document: PlantDocument) -> None:
        """Check the ids and references of everything but tags."""
        self._check_ids(document)
        for name, unit in document.hazard_units.items():
            self.known_cas(unit.cas, ("hazard_units", name, "cas"))
        for name, vehicle in document.vehicles.items():
            self.known("edges", vehicle.edge, ("vehicles", name, "edge"))
            self.known_cas(vehicle.cas, ("vehicles", name, "cas"))
        self._check_vessels(document)

    def _check_ids(self, document: PlantDocument) -> None:
        for path, text in ((("enterprise", "id"), document.enterprise.id), (("site", "id"), document.site.id)):
            if not is_edge_id(text):
                self.findings.add(path, f"{text!r}", "an id of the form [a-z0-9._-]{1,64}")
        for name in document.edges:
            if not is_edge_id(name):
                self.findings.add(("edges", name), f"{name!r}", "an id of the form [a-z0-9._-]{1,64}", of_key=True)
        sections: tuple[str, ...] = (
            "hazard_units",
            "vessels",
            "vehicles",
            "templates",
            "tags",
            "escalations",
            "suppressions",
        )
        for section in sections:
            for name in getattr(document, section):
                if not is_tag_name(name):
                    self.findings.add(
                        (section, name), f"{name!r}", "a name of the form [A-Za-z0-9._-]{1,128}", of_key=True
                    )

    def _check_vessels(self, document: PlantDocument) -> None:
        for name, vessel in document.vessels.items():
            path: Path = ("vessels", name)
            on_truck = vessel.kind is VesselKind.TRUCK_TANK
            if vessel.cas is not None:
                self.known_cas(vessel.cas, (*path, "cas"))
            elif on_truck:
                self.findings.add((*path, "cas"), "the key is missing", "a truck tank says what is in it", of_key=True)
            if vessel.hazard_unit is None:
                if not on_truck and not self.findings.written((*path, "hazard_unit")):
                    self.findings.add(
                        (*path, "hazard_unit"),
                        "the key is missing",
                        "every vessel but a truck tank has one",
                        of_key=True,
                    )
            elif on_truck:
                self.findings.add((*path, "hazard_unit"), f"{vessel.hazard_unit!r}", "none for a truck tank")
            else:
                self.known("hazard_units", vessel.hazard_unit, (*path, "hazard_unit"))
