"""A province for the benchmarks: enterprises in chemical parks, their units, vessels and tags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config.plant.model import (
    Edge,
    EdgeKind,
    Enterprise,
    HazardUnit,
    InstrumentKind,
    Plant,
    Site,
    Tag,
    Text,
    Vessel,
    VesselKind,
)
from config.units import Quantity

__all__ = ["CAS", "END_MS", "Town", "UnitOf", "district_id", "enterprise_id", "tags_of", "town_plant"]

CAS = ("67-56-1", "7664-41-7", "7782-50-5", "71-43-2", "108-88-3")
TAGS_PER_UNIT = 10
END_MS = 1_796_083_200_000
"""The present of the province."""
_PER_VESSEL = (
    ("LEVEL", Quantity.FRACTION, InstrumentKind.LEVEL_TRANSMITTER, "%"),
    ("TEMP", Quantity.TEMPERATURE, InstrumentKind.TEMPERATURE_TRANSMITTER, "degC"),
    ("PRESS", Quantity.PRESSURE, InstrumentKind.PRESSURE_TRANSMITTER, "kPa"),
)
_GAS = ("GD-1", "GD-2", "GD-3", "GD-4")
_PARK_OF = 50
"""Enterprises in one park."""


@dataclass(frozen=True, slots=True)
class Town:
    """How large it is.

    Args:
        enterprises: Each with one site.
        units: Dealt to the enterprises in turn; each with two vessels and ten tags.
        alarms: In the last 30 days.
        dangers: Hidden dangers, one in ten open.
        seed: Of what is random.
    """

    enterprises: int = 5_000
    units: int = 20_000
    alarms: int = 1_000_000
    dangers: int = 500_000
    seed: int = 1

    @property
    def tags(self) -> int:
        """How many tags there are."""
        return self.units * TAGS_PER_UNIT

    def of_units(self) -> Iterator[UnitOf]:
        """Return the units, in order."""
        return (UnitOf(number, number % self.enterprises) for number in range(self.units))


@dataclass(frozen=True, slots=True)
class UnitOf:
    """A unit and whose it is, by number."""

    number: int
    enterprise: int

    @property
    def id(self) -> str:
        """Of the unit."""
        return f"{enterprise_id(self.enterprise)}.U{self.number:05}"

    @property
    def vessels(self) -> tuple[str, str]:
        """Ids of its vessels."""
        return f"{self.id}.V1", f"{self.id}.V2"

    @property
    def cas(self) -> str:
        """What is in it."""
        return CAS[self.number % len(CAS)]

    @property
    def district(self) -> str:
        """Where it is."""
        return district_id(self.enterprise)

    @property
    def place(self) -> tuple[float, float]:
        """Latitude and longitude: parks of some kilometres, all over a province."""
        park, inside = divmod(self.enterprise, _PARK_OF)
        return 34.5 + park * 7 % 40 / 10 + inside % 7 * 0.005, 115.0 + park * 11 % 70 / 10 + inside // 7 * 0.006


def enterprise_id(number: int) -> str:
    """Return the id of the n-th enterprise."""
    return f"E{number:04}"


def district_id(enterprise: int) -> str:
    """Return the district an enterprise lies in."""
    return f"37{enterprise // _PARK_OF % 100:04}"


def tags_of(unit: UnitOf) -> tuple[tuple[str, str], ...]:
    """Return name and vessel of the ten tags of a unit."""
    on_vessels = tuple((f"{vessel}.{name}", vessel) for vessel in unit.vessels for name, *_ in _PER_VESSEL)
    return (*on_vessels, *((f"{unit.id}.{name}", "") for name in _GAS))


def town_plant(town: Town) -> Plant:
    """Return the plant of a gateway that watches all of it; its tags raise no alarms by themselves."""
    units = list(town.of_units())
    tags = {tag.name: tag for unit in units for tag in _tags(unit)}
    return Plant(
        enterprise=Enterprise("operator", Text("监测平台", "Operator")),
        site=Site("town", Text("全省", "Province"), 36.0, 118.0),
        hazard_units={
            one.id: HazardUnit(one.id, Text(f"{one.number}号单元", f"Unit {one.number}"), one.cas,
                               enterprise_id(one.enterprise), one.district)
            for one in units
        },
        vessels={name: _vessel(name, one) for one in units for name in one.vessels},
        edges={"edge": Edge("edge", Text("边缘", "Edge"), EdgeKind.AGENT)},
        vehicles={},
        tags=tags,
        digest=f"town-{town.enterprises}-{town.units}",
    )  # fmt: skip


def _vessel(name: str, unit: UnitOf) -> Vessel:
    return Vessel(name, Text("储罐", "Tank"), VesselKind.VERTICAL_TANK, unit.id, unit.cas, 1_000.0, 10.0, None)


def _tags(unit: UnitOf) -> Iterator[Tag]:
    kinds = (*_PER_VESSEL, *_PER_VESSEL, *(("GD", Quantity.FRACTION, InstrumentKind.GAS_DETECTOR, "%") for _ in _GAS))
    for (name, vessel), (_, quantity, kind, shown) in zip(tags_of(unit), kinds, strict=True):
        yield Tag(
            name=name,
            description=Text("测点", "point"),
            quantity=quantity,
            unit=shown,
            range_low=0.0,
            range_high=100.0,
            kind=kind,
            position=None,
            period_ms=60_000,
            hold_ms=120_000,
            stale_after_ms=600_000,
            window_ms=300_000,
            edge="edge",
            hazard_unit=unit.id,
            vessel=vessel,
            vehicle="",
            cas=unit.cas,
            source=None,
            conditions=(),
        )
