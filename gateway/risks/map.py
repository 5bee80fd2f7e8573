"""The map of risk sources (风险源一张图): sites, units and vessels as GeoJSON (RFC 7946)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Engine, Select, and_, case, func, select

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
_COLOURS = {colour.rank: colour for colour in Colour}
_RANKS = {colour: rank for rank, colour in _COLOURS.items()}
_NAMES = {colour: {"zh": name.zh, "en": name.en} for colour, name in COLOUR_NAMES.items()}
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

    def add(self, many: int, static: Colour, dynamic: Colour | None) -> None:
        """Count risks of a colour."""
        self.risks += many
        self.static = _worse(self.static, static)
        self.dynamic = _worse(self.dynamic, dynamic)

    def explain(self, reasons: Iterable[Mapping[str, Any]]) -> None:
        """Say what lifts a risk here."""
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
        records = self._records(kinds, scope, at_ms)
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

    def _records(self, kinds: Sequence[str], scope: Scope, at_ms: int | None) -> dict[str, dict[str, Version]]:
        """Return what is to be shown, and what it is part of: that may have the position."""
        needed = [kind for kind in KINDS_SHOWN if not kinds or kind in kinds or kind != "vessel"]
        found = {kind: self._registry.find(kind, scope, at_ms=at_ms, limit=_MOST) for kind in needed}
        return {kind: {one.id: one for one in found.get(kind, ())} for kind in KINDS_SHOWN}

    def _colours(self, scope: Scope, at_ms: int | None) -> dict[Key, _Colours]:
        found: dict[Key, _Colours] = {}
        with using(self._reader, "reading the colours of places") as connection:
            if at_ms is not None:
                for (body,) in connection.execute(_then(scope, at_ms)):
                    if body["ended_ms"] is None:
                        _add(found, body, 1, Colour(body["static_colour"]), None)
                return found
            for row in connection.execute(_now(scope)).mappings().all():
                _add(found, row, row["many"], _COLOURS[row["static"]], _COLOURS[row["dynamic"]])
            for row in connection.execute(_lifted(scope)).mappings():
                for key in _keys(row):
                    found[key].explain(row["reasons"])
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
    """Count risks and find their worst colours place by place; there are fewer places than risks."""
    places = [risk.c[column] for column in KINDS_SHOWN.values()]
    static, dynamic = (func.min(_rank(risk.c[name])).label(name[:-7]) for name in ("static_colour", "dynamic_colour"))
    return select(*places, func.count().label("many"), static, dynamic).where(*_mine(scope)).group_by(*places)


def _lifted(scope: Scope) -> Select[Any]:
    places = [risk.c[column] for column in KINDS_SHOWN.values()]
    return select(*places, risk.c.reasons).where(risk.c.lifted.is_(True), *_mine(scope)).order_by(risk.c.id)


def _mine(scope: Scope) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return risk.c.ended_ms.is_(None), seen_by(scope, risk.c.enterprise, risk.c.district)


def _rank(colour: ColumnElement[str]) -> ColumnElement[int]:
    return case({one.value: one.rank for one in Colour}, value=colour, else_=len(Colour))


def _keys(row: Mapping[Any, Any]) -> Iterator[Key]:
    return ((kind, row[column]) for kind, column in KINDS_SHOWN.items() if row[column])


def _add(found: dict[Key, _Colours], row: Mapping[Any, Any], many: int, static: Colour, dynamic: Colour | None) -> None:
    for key in _keys(row):
        found.setdefault(key, _Colours()).add(many, static, dynamic)


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
        "static_colour_name": None if static is None else _NAMES[static],
        "dynamic_colour": None,
        "dynamic_colour_name": None,
        "reasons": [],
    }
    if at_ms is None and here.dynamic is not None:
        said |= {"dynamic_colour": here.dynamic, "dynamic_colour_name": _NAMES[here.dynamic], "reasons": here.reasons}
    return said


def _feature(one: Version, at: tuple[float, float], said: Mapping[str, Any]) -> dict[str, Any]:
    named = {"zh": one.name, "en": str(one.body.get("name_en") or one.name)}
    whose = {"kind": one.kind, "id": one.id, "name": named, "enterprise": one.enterprise, "district": one.district}
    point = {"type": "Point", "coordinates": list(at)}
    return {"type": "Feature", "id": f"{one.kind}/{one.id}", "geometry": point, "properties": {**whose, **said}}


def _worse(one: Colour | None, other: Colour | None) -> Colour | None:
    if one is None or other is None:
        return one or other
    return one if _RANKS[one] <= _RANKS[other] else other
