"""The map of risk sources (风险源一张图): sites, units and vessels as GeoJSON (RFC 7946)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Engine, Select, and_, func, select

from config.risks import COLOUR_NAMES, Colour
from gateway.access.roles import Scope
from gateway.records.risk_tables import risk, risk_event
from gateway.records.schema import alarm
from gateway.records.transaction import using
from gateway.registry.store import Registry, Version, seen_by

__all__ = ["KINDS_SHOWN", "Box", "LegalGrades", "RiskMap"]

KINDS_SHOWN: Mapping[str, str] = {"site": "site", "hazard-unit": "hazard_unit", "vessel": "vessel"}
"""Kind of record -> its column in the table of risks; what is larger first."""
_MOST = 200_000
_MOST_REASONS = 20
Key = tuple[str, str]
"""Kind and id of a record."""


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the map, in degrees; the west end east of the east end: over the 180th meridian."""

    west: float
    south: float
    east: float
    north: float

    def holds(self, at: tuple[float, float]) -> bool:
        """Say whether a position (longitude, latitude) is in it."""
        x, y = at
        across = self.west <= x <= self.east if self.west <= self.east else x >= self.west or x <= self.east
        return across and self.south <= y <= self.north


class LegalGrades(Protocol):
    """Knows the legal grades of units (GB 18218), where that room is there."""

    def grades(self, units: Sequence[str], scope: Scope, at_ms: int) -> Mapping[str, int | None]:
        """Return unit -> grade 1 to 4, or None: filed, and no major hazard source; without a filing it is absent."""
        ...


@dataclass(slots=True)
class _Colours:
    """The colours of one place, and what lifts them."""

    static: Colour | None = None
    dynamic: Colour | None = None
    reasons: list[Mapping[str, Any]] = field(default_factory=list)
    risks: int = 0

    def add(self, static: Colour, dynamic: Colour | None, reasons: Iterable[Mapping[str, Any]]) -> None:
        self.risks += 1
        self.static = _worse(self.static, static)
        self.dynamic = _worse(self.dynamic, dynamic)
        self.reasons += [one for one in reasons if one not in self.reasons][: _MOST_REASONS - len(self.reasons)]


class RiskMap:
    """Draws the map. Any thread may use it.

    Args:
        registry: Where everything is.
        reader: Of risks and alarms; cannot write.
        legal: Left out: there are none.
    """

    def __init__(self, registry: Registry, reader: Engine, legal: LegalGrades | None = None) -> None:
        self._registry = registry
        self._reader = reader
        self._legal = legal

    def draw(
        self, kinds: Sequence[str], box: Box | None, scope: Scope, now_ms: int, at_ms: int | None, limit: int
    ) -> dict[str, Any]:
        """Return a collection of features, the sites first, in order of id.

        Args:
            kinds: Of `KINDS_SHOWN`; empty: all.
            box: Left out: everywhere.
            scope: Whose may be seen.
            now_ms: Gateway clock.
            at_ms: As places and static colours were then; nothing of the moment is said of a time that is past.
            limit: At most so many features.
        """
        records = self._records(scope, at_ms)
        units = {one.id: one.parent for one in records["hazard-unit"].values()}
        colours = self._colours(scope, at_ms)
        tiers = self._tiers(units) if at_ms is None else None
        asked_at = now_ms if at_ms is None else at_ms
        legal = {} if self._legal is None else self._legal.grades(list(units), scope, asked_at)
        features: list[dict[str, Any]] = []
        lost = cut = 0
        for kind in KINDS_SHOWN:
            for one in records[kind].values() if not kinds or kind in kinds else ():
                at, whose = _position(one, records)
                if at is None:
                    lost += 1
                elif box is not None and not box.holds(at):
                    continue
                elif len(features) >= limit:
                    cut += 1
                else:
                    said = {"position_of": whose} | _of_colours(colours.get((kind, one.id), _Colours()), at_ms)
                    said["open_alarms"] = None if tiers is None else tiers.get((kind, one.id), {})
                    if kind == "hazard-unit":
                        said["legal_grade"] = legal.get(one.id)
                    features.append(_feature(one, at, said))
        more = {"at_ms": asked_at, "without_position": lost, "left_off": cut}
        return {"type": "FeatureCollection", "features": features, **more}

    def _records(self, scope: Scope, at_ms: int | None) -> dict[str, dict[str, Version]]:
        return {
            kind: {one.id: one for one in self._registry.find(kind, scope, at_ms=at_ms, limit=_MOST)}
            for kind in KINDS_SHOWN
        }

    def _colours(self, scope: Scope, at_ms: int | None) -> dict[Key, _Colours]:
        found: dict[Key, _Colours] = {}
        asked = _now(scope) if at_ms is None else _then(scope, at_ms)
        with using(self._reader, "reading the colours of places") as connection:
            for row in connection.execute(asked).mappings():
                body = row if at_ms is None else row["body"]
                if body["ended_ms"] is not None:
                    continue
                dynamic = Colour(row["dynamic_colour"]) if at_ms is None else None
                reasons = row["reasons"] if at_ms is None else ()
                for kind, column in KINDS_SHOWN.items():
                    if body[column]:
                        here = found.setdefault((kind, body[column]), _Colours())
                        here.add(Colour(body["static_colour"]), dynamic, reasons)
        return found

    def _tiers(self, units: Mapping[str, str]) -> dict[Key, dict[str, int]]:
        """Count what is active by tier; at a site, what is at those units of it that may be seen."""
        c = alarm.c
        asked = (
            select(c.hazard_unit, c.vessel, c.tier, func.count().label("many"))
            .where(c.state == "active", c.retrospective.is_(False))
            .group_by(c.hazard_unit, c.vessel, c.tier)
        )
        found: dict[Key, dict[str, int]] = {}
        with using(self._reader, "counting open alarms") as connection:
            for row in connection.execute(asked):
                for key in _places(row.hazard_unit, row.vessel, units):
                    here = found.setdefault(key, {})
                    here[str(row.tier)] = here.get(str(row.tier), 0) + row.many
        return found


def _now(scope: Scope) -> Select[Any]:
    c = risk.c
    columns = (c.site, c.hazard_unit, c.vessel, c.static_colour, c.dynamic_colour, c.reasons, c.ended_ms)
    return select(*columns).where(c.ended_ms.is_(None), seen_by(scope, c.enterprise, c.district)).order_by(c.id)


def _then(scope: Scope, at_ms: int) -> Select[Any]:
    """Return each risk as people had written it by then."""
    c = risk_event.c
    newest = select(c.risk_id, func.max(c.version).label("version")).where(c.at_ms <= at_ms).group_by(c.risk_id)
    last = newest.subquery()
    return (
        select(c.body)
        .join(last, and_(last.c.risk_id == c.risk_id, last.c.version == c.version))
        .join(risk, risk.c.id == c.risk_id)
        .where(seen_by(scope, risk.c.enterprise, risk.c.district))
        .order_by(c.risk_id)
    )


def _places(unit: str, vessel: str, units: Mapping[str, str]) -> Iterator[Key]:
    if vessel:
        yield "vessel", vessel
    if unit in units:
        yield "hazard-unit", unit
        if units[unit]:
            yield "site", units[unit]


def _position(one: Version, records: Mapping[str, Mapping[str, Version]]) -> tuple[tuple[float, float] | None, str]:
    """Return (longitude, latitude), and whose position it is: what has none is where it is part of."""
    place: Version | None = one
    for kind in ("vessel", "hazard-unit", "site"):
        if place is None:
            break
        if place.kind != kind:
            continue
        north, east = place.body.get("latitude_deg"), place.body.get("longitude_deg")
        if north is not None and east is not None:
            return (float(east), float(north)), kind
        above = {"vessel": "hazard-unit", "hazard-unit": "site"}.get(kind, "")
        place = records[above].get(place.parent) if above else None
    return None, ""


def _of_colours(here: _Colours, at_ms: int | None) -> dict[str, Any]:
    static = here.static
    said: dict[str, Any] = {
        "risks": here.risks,
        "static_colour": static,
        "static_colour_name": None if static is None else _name(static),
        "dynamic_colour": None,
        "dynamic_colour_name": None,
        "reasons": [],
    }
    if at_ms is None and here.dynamic is not None:
        said |= {"dynamic_colour": here.dynamic, "dynamic_colour_name": _name(here.dynamic), "reasons": here.reasons}
    return said


def _feature(one: Version, at: tuple[float, float], said: Mapping[str, Any]) -> dict[str, Any]:
    named = {"zh": one.name, "en": str(one.body.get("name_en") or one.name)}
    whose = {"kind": one.kind, "id": one.id, "name": named, "enterprise": one.enterprise, "district": one.district}
    point = {"type": "Point", "coordinates": list(at)}
    return {"type": "Feature", "id": f"{one.kind}/{one.id}", "geometry": point, "properties": {**whose, **said}}


def _name(colour: Colour) -> dict[str, str]:
    return {"zh": COLOUR_NAMES[colour].zh, "en": COLOUR_NAMES[colour].en}


def _worse(one: Colour | None, other: Colour | None) -> Colour | None:
    return min((colour for colour in (one, other) if colour is not None), key=lambda c: c.rank, default=None)
