"""Where something is and whose that is: from the registry, else from the plant file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from config.plant.model import Plant, Text
from gateway.access.roles import Scope
from gateway.errors import BadRequestError
from gateway.registry.store import Registry

__all__ = ["Spot", "Stand", "Where"]


@dataclass(frozen=True, slots=True)
class Spot:
    """A place; what is empty is not known."""

    tag: str = ""
    vessel: str = ""
    hazard_unit: str = ""
    site: str = ""
    enterprise: str = ""
    district: str = ""


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a hazard unit stands, and whose it is."""

    enterprise: str
    district: str
    position: tuple[float, float] | None
    """Latitude and longitude, degrees; of its site where it has none."""


_KINDS = {
    "tag": "tag",
    "vessel": "vessel",
    "hazard_unit": "hazard-unit",
    "site": "site",
    "enterprise": "enterprise",
}
"""From the smallest place to the largest: field -> kind of record."""
_FIELDS = (*_KINDS, "district")


class Where:
    """Looks places up.

    Args:
        registry: Comes first.
        plant: Knows things that no record may have been made of yet.
    """

    def __init__(self, registry: Registry, plant: Plant) -> None:
        self._registry = registry
        self._plant = plant

    def spot(self, asked: Spot, scope: Scope) -> Spot:
        """Return a place with everything that follows from what is said of it.

        Raises:
            BadRequestError: Something does not exist (or may not be seen), or is somewhere else.
        """
        said = {name: value for name, value in asdict(asked).items() if value}
        known: dict[str, str] = dict(said)
        settled: set[str] = set()
        for name, kind in _KINDS.items():
            if name not in known:
                continue
            facts = self._facts(kind, known[name], scope)
            if facts is None and name in said and name not in settled:
                raise BadRequestError(f"{name}: there is no {kind} {known[name]!r}（不存在）")
            for other in _FIELDS:
                value = (facts or {}).get(other)
                if not value or other == name or other in settled:
                    continue  # whose a site is does not say whose a unit on it is
                if said.get(other, value) != value and other != "district":
                    raise BadRequestError(f"{other}: {name} {known[name]!r} is not there but at {value!r}")
                known[other] = value
                settled.add(other)
        return Spot(**known)

    def stand(self, hazard_unit: str, scope: Scope) -> Stand | None:
        """Return where a hazard unit stands, or None when there is none that may be seen."""
        facts = self._facts("hazard-unit", hazard_unit, scope)
        if facts is None:
            return None
        position = _position(facts) or _position(self._facts("site", facts.get("site", ""), Scope()) or {})
        return Stand(facts["enterprise"], facts["district"], position)

    def names(self, kind: str, codes: Iterable[str], scope: Scope) -> dict[str, Text]:
        """Return how records that may be seen are called, by id; of enterprises and hazard units."""
        wanted = set(codes) - {""}
        found = self._registry.many(kind, wanted, scope)
        names = {code: Text(one.name, str(one.body.get("name_en") or one.name)) for code, one in found.items()}
        for code in wanted - set(names):
            facts, own = self._facts(kind, code, scope), self._plant.enterprise
            if facts is not None:
                names[code] = own.name if kind == "enterprise" else self._plant.hazard_units[code].name
        return names

    def of_alarm(self, row: Mapping[Any, Any], scope: Scope) -> Spot | None:
        """Return where an alarm is, or None when it may not be seen.

        Args:
            row: Of `gateway.records.schema.alarm`; its tag may be in no plant any more.
            scope: Whose things may be seen.
        """
        for name in ("tag", "vessel", "hazard_unit"):
            if not row[name]:
                continue
            try:
                spot = self.spot(Spot(**{name: row[name]}), scope)
            except BadRequestError:
                continue
            kept = {"tag": row["tag"], "vessel": row["vessel"] or spot.vessel}
            return replace(spot, **kept, hazard_unit=row["hazard_unit"] or spot.hazard_unit)
        own = self._plant.enterprise
        if not scope.covers(own.id, own.district) or (row["hazard_unit"] and not scope.whole):
            return None
        return Spot(row["tag"], row["vessel"], row["hazard_unit"], self._plant.site.id, own.id, own.district)

    def _facts(self, kind: str, name: str, scope: Scope) -> Mapping[str, Any] | None:
        """Return what a record says of where it is, or None when there is none to be seen."""
        record = self._registry.get(kind, name, scope)
        if record is not None:
            return {**record.body, "enterprise": record.enterprise, "district": record.district}
        if self._registry.newest([(kind, name)]):
            return None  # somebody else's, or gone: what the plant file says of it holds no longer
        facts = self._of_plant(kind, name)
        seen = facts is not None and scope.covers(facts["enterprise"], facts["district"])
        return facts if seen else None

    def _of_plant(self, kind: str, name: str) -> dict[str, Any] | None:
        plant, own = self._plant, self._plant.enterprise
        unit = name if kind == "hazard-unit" else ""
        vessel = ""
        match kind:
            case "tag" if name in plant.tags:
                unit, vessel = plant.tags[name].hazard_unit, plant.tags[name].vessel
            case "vessel" if name in plant.vessels:
                unit = plant.vessels[name].hazard_unit
            case "hazard-unit" if name in plant.hazard_units:
                pass
            case "site" if name == plant.site.id:
                pass
            case "enterprise" if name == own.id:
                pass
            case _:
                return None
        record = plant.hazard_units.get(unit)
        enterprise = (record.enterprise if record else "") or own.id
        district = (record.district if record else "") or own.district
        return {
            "vessel": vessel,
            "hazard_unit": unit,
            "site": plant.site.id,
            "enterprise": enterprise,
            "district": district,
            "latitude_deg": plant.site.latitude_deg,
            "longitude_deg": plant.site.longitude_deg,
        }


def _position(facts: Mapping[str, Any]) -> tuple[float, float] | None:
    north, east = facts.get("latitude_deg"), facts.get("longitude_deg")
    return None if north is None or east is None else (float(north), float(east))
