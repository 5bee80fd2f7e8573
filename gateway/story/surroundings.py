"""What belongs together in a plant, looked up without going through it: tags of a unit, vessel, vehicle; weather."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from config.plant.model import Plant, Position, Tag
from config.units import Quantity
from gateway.access.roles import Scope

__all__ = ["WEATHER", "Surroundings"]

WEATHER: Mapping[str, tuple[str, Quantity]] = MappingProxyType(
    {
        "wind_speed": ("WIND_SPEED", Quantity.SPEED),
        "wind_from": ("WIND_FROM", Quantity.NUMBER),
        "temperature": ("AIR_TEMP", Quantity.TEMPERATURE),
        "humidity": ("HUMIDITY", Quantity.FRACTION),
    }
)
"""What a weather station tells -> last part of the tag's name (``MET-1.WIND_SPEED``), and its quantity."""

_METRES_PER_DEGREE = 111_320.0


class Surroundings:
    """Of one plant; made once.

    Args:
        plant: What is watched.
    """

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._by: dict[tuple[str, str], list[Tag]] = {}
        roles = {value: role for role, value in WEATHER.items()}
        self.weather: dict[str, list[Tag]] = {role: [] for role in WEATHER}
        """What a weather station tells -> its tags."""
        for tag in plant.tags.values():
            for kind in ("hazard_unit", "vessel", "vehicle"):
                name = getattr(tag, kind)
                if name:
                    self._by.setdefault((kind, name), []).append(tag)
            role = roles.get((tag.name.rpartition(".")[2], tag.quantity))
            if role is not None:
                self.weather[role].append(tag)

    def of(self, kind: str, name: str) -> list[Tag]:
        """Return the tags of a ``hazard_unit``, ``vessel`` or ``vehicle``, in the order of the plant description."""
        return self._by.get((kind, name), [])

    def around(self, tag: Tag | None, vessel: str, unit: str, vehicle: str, limit: int) -> list[Tag]:
        """Return the tag itself, those of its vessel, then of its vehicle and unit; at most ``limit``."""
        groups: Iterable[Iterable[Tag]] = (
            [tag] if tag else [],
            self.of("vessel", vessel),
            self.of("vehicle", vehicle),
            self.of("hazard_unit", unit),
        )
        found: dict[str, Tag] = {}
        for group in groups:
            for one in group:
                if len(found) == limit:
                    return list(found.values())
                found.setdefault(one.name, one)
        return list(found.values())

    def sees(self, scope: Scope, unit: str) -> bool:
        """Say whether what is in a hazard unit (``""``: in none) may be seen."""
        if scope.whole:
            return True
        own = self._plant.enterprise
        if not unit:
            return scope.covers(own.id, own.district)
        known = self._plant.hazard_units.get(unit)
        return known is not None and scope.covers(known.enterprise or own.id, known.district or own.district)

    @property
    def site(self) -> tuple[float, float] | None:
        """Latitude and longitude of the site; None: not known."""
        site = self._plant.site
        return (site.latitude_deg, site.longitude_deg) if site.latitude_deg or site.longitude_deg else None

    def coordinates(self, position: Position | None) -> tuple[float, float] | None:
        """Return latitude and longitude of a position in the plant; None: it has none, or the site has none."""
        if position is None or self.site is None:
            return None
        latitude, longitude = self.site
        east = position.x_m / (_METRES_PER_DEGREE * math.cos(math.radians(latitude)))
        return latitude + position.y_m / _METRES_PER_DEGREE, longitude + east
