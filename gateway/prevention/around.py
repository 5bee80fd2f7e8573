"""Who is around a place: neighbours and enterprises of the registry, by distance and wind; kept as arrays."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from config.plant.model import Text
from config.prevention import JointRules
from gateway.access.roles import Scope
from gateway.prevention.bearings import bearing_deg, distance_m, downwind
from gateway.prevention.means import Means
from gateway.records.registry_tables import FOREVER_MS, record
from gateway.records.transaction import using
from gateway.registry.store import Version

__all__ = ["Around", "NeighbourAt"]

_KINDS = ("neighbour", "enterprise")
_LOOK_S = 5.0
_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class NeighbourAt:
    """Somebody near, as seen from a place."""

    id: str
    """Record of the registry: of a neighbour or of an enterprise."""
    name: Text
    sort: str
    """``enterprise``, ``school``, ...; see the registry."""
    of_enterprise: str
    """Whose record it is."""
    is_enterprise: str
    """The enterprise of the registry that it is; empty: none."""
    distance_m: float
    bearing_deg: float
    downwind: bool
    people: int | None
    contact: str
    phone: str


@dataclass(frozen=True, slots=True)
class _Map:
    """Everybody whose place is known."""

    mark: tuple[tuple[str, int, int], ...]
    records: Sequence[Version]
    latitude_deg: NDArray[np.float64]
    longitude_deg: NDArray[np.float64]


class Around:
    """Knows who is where. Any thread may use it.

    Args:
        means: Records, registry; and the monotonic clock: how long a look at them is good for.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self._lock = threading.Lock()
        self._map: _Map | None = None
        self._looked_s = 0.0

    def find(
        self,
        scope: Scope,
        latitude_deg: float,
        longitude_deg: float,
        wind_from_deg: float | None,
        wind_m_s: float | None,
        radius_m: float,
        rules: JointRules,
        *,
        fresh: bool = False,
    ) -> list[NeighbourAt]:
        """Return who is within a radius, those downwind first, then the nearest; calm or unknown wind: all are.

        An enterprise that somebody's record names as a neighbour, and that is in the registry itself, comes once.
        """
        there = self._known(fresh=fresh)
        far = distance_m(latitude_deg, longitude_deg, there.latitude_deg, there.longitude_deg)
        near = np.flatnonzero(far <= radius_m)
        turned = bearing_deg(latitude_deg, longitude_deg, there.latitude_deg[near], there.longitude_deg[near])
        calm = wind_from_deg is None or (wind_m_s is not None and wind_m_s < rules.calm_m_s)
        under = np.ones(len(near), np.bool_)
        if not calm and wind_from_deg is not None:
            under = downwind(turned, wind_from_deg, rules.half_angle_deg)
        found = [
            _seen_from(there.records[row], float(far[row]), float(turn), below=bool(below))
            for row, turn, below in zip(near.tolist(), turned, under, strict=True)
            if scope.covers(there.records[row].enterprise, there.records[row].district)
        ]
        found.sort(key=lambda one: (not one.downwind, one.distance_m, one.id))
        return _once(found)

    def _known(self, *, fresh: bool) -> _Map:
        with self._lock:
            now_s = self._means.clock.monotonic_s()
            if self._map is None or fresh or now_s - self._looked_s >= _LOOK_S:
                mark = self._mark()
                if self._map is None or self._map.mark != mark:
                    self._map = self._read(mark)
                self._looked_s = now_s
            return self._map

    def _mark(self) -> tuple[tuple[str, int, int], ...]:
        """Return what is another whenever a record is: versions only ever rise."""
        asked = (
            select(record.c.kind, func.count(), func.sum(record.c.version))
            .where(record.c.kind.in_(_KINDS), record.c.until_ms == FOREVER_MS)
            .group_by(record.c.kind)
        )
        with using(self._means.reader, "looking for neighbours") as connection:
            return tuple(sorted((row[0], row[1], int(row[2])) for row in connection.execute(asked)))

    def _read(self, mark: tuple[tuple[str, int, int], ...]) -> _Map:
        found: list[Version] = []
        for kind in _KINDS:
            last, more = "", True
            while more:
                page = self._means.registry.find(kind, Scope(), after=last, limit=_PAGE)
                found += [
                    one for one in page if None not in (one.body.get("latitude_deg"), one.body.get("longitude_deg"))
                ]
                last, more = (page[-1].id, len(page) == _PAGE) if page else ("", False)
        at = np.array([(one.body["latitude_deg"], one.body["longitude_deg"]) for one in found], np.float64).reshape(
            -1, 2
        )
        return _Map(mark, found, at[:, 0].copy(), at[:, 1].copy())


def _seen_from(one: Version, far_m: float, turned_deg: float, *, below: bool) -> NeighbourAt:
    body = one.body
    enterprise = one.kind == "enterprise"
    return NeighbourAt(
        id=one.id,
        name=Text(one.name, str(body.get("name_en") or one.name)),
        sort="enterprise" if enterprise else str(body.get("sort", "other")),
        of_enterprise=one.enterprise,
        is_enterprise=one.id if enterprise else str(body.get("is_enterprise", "")),
        distance_m=round(far_m, 1),
        bearing_deg=round(turned_deg, 1) % 360,
        downwind=below,
        people=body.get("people"),
        contact=str(body.get("contact" if not enterprise else "representative", "")),
        phone=str(body.get("phone", "")),
    )


def _once(found: Sequence[NeighbourAt]) -> list[NeighbourAt]:
    """Leave out enterprises that come a second time: their own record counts, else the first one of a neighbour."""
    seen = {one.is_enterprise for one in found if one.id == one.is_enterprise}
    kept = []
    for one in found:
        if one.is_enterprise and one.id != one.is_enterprise:
            if one.is_enterprise in seen:
                continue
            seen.add(one.is_enterprise)
        kept.append(one)
    return kept
