"""Which resources of rescue are nearest. Positions of all are kept in memory, and read again when one was written."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, select

from gateway.access.roles import Scope
from gateway.records.registry_tables import FOREVER_MS, record
from gateway.records.transaction import using

__all__ = ["Nearby", "distances_m"]

_EARTH_M = 6_371_008.8
"""Mean radius (IUGG)."""


class _Position(msgspec.Struct):
    """What is read of a record."""

    latitude_deg: float
    longitude_deg: float


@dataclass(frozen=True, slots=True)
class _Known:
    """All of a kind, in arrays of the same length."""

    written_ms: int
    ids: NDArray[np.str_]
    enterprise: NDArray[np.str_]
    district: NDArray[np.str_]
    latitude_deg: NDArray[np.float64]
    longitude_deg: NDArray[np.float64]


class Nearby:
    """Finds the nearest records of a kind that have a position. Any thread may ask.

    Args:
        reader: To read from.
        kind: Of `gateway.registry.kinds.KINDS`; one whose records all have a position.
    """

    def __init__(self, reader: Engine, kind: str = "resource") -> None:
        self._reader = reader
        self._kind = kind
        self._known: _Known | None = None
        self._reading = threading.Lock()

    def nearest(self, scope: Scope, place: tuple[float, float], within_m: float, limit: int) -> dict[str, float]:
        """Return id -> distance in metres of what may be seen, the nearest first.

        Args:
            scope: Whose things may be seen; what is of no enterprise is everybody's.
            place: Latitude and longitude.
            within_m: Not further.
            limit: At most so many.

        Raises:
            RecordsError: The records cannot be read.
        """
        known = self._fresh()
        away_m = distances_m(place, known.latitude_deg, known.longitude_deg)
        near = np.flatnonzero(away_m <= within_m)
        if not scope.whole:
            near = near[_seen(scope, known.enterprise[near], known.district[near])]
        order = near[np.argsort(away_m[near], kind="stable")][:limit]
        return {str(known.ids[one]): float(away_m[one]) for one in order}

    def _fresh(self) -> _Known:
        newest = (
            select(record.c.since_ms).where(record.c.kind == self._kind).order_by(record.c.since_ms.desc()).limit(1)
        )
        with using(self._reader, "looking for resources") as connection:
            written_ms = connection.scalar(newest) or 0
        with self._reading:
            if self._known is None or self._known.written_ms != written_ms:
                self._known = self._read(written_ms)
            return self._known

    def _read(self, written_ms: int) -> _Known:
        columns = (record.c.id, record.c.enterprise, record.c.district, record.c.body)
        now = record.c.kind == self._kind, record.c.until_ms == FOREVER_MS, record.c.gone.is_(False)
        with using(self._reader, "reading resources") as connection:
            rows = connection.execute(select(*columns).where(*now)).all()
        positions = [msgspec.json.decode(row[3], type=_Position) for row in rows]
        ids, enterprise, district = (np.array([row[column] for row in rows], np.str_) for column in range(3))
        return _Known(
            written_ms=written_ms,
            ids=ids,
            enterprise=enterprise,
            district=district,
            latitude_deg=np.array([one.latitude_deg for one in positions], np.float64),
            longitude_deg=np.array([one.longitude_deg for one in positions], np.float64),
        )


def distances_m(
    place: tuple[float, float], latitude_deg: NDArray[np.float64], longitude_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the great-circle distances from a place, in metres (haversine)."""
    here, there = np.radians(place[0]), np.radians(latitude_deg)
    north, east = np.sin((there - here) / 2), np.sin(np.radians(longitude_deg - place[1]) / 2)
    chord = north**2 + np.cos(here) * np.cos(there) * east**2
    return np.asarray(2 * _EARTH_M * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0))))


def _seen(scope: Scope, enterprise: NDArray[np.str_], district: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Say the same as `gateway.registry.store.seen_by` with ``public``."""
    mine = np.isin(enterprise, ["", *scope.enterprises])
    return np.asarray(mine | np.isin(district, [one for one in scope.districts | scope.below if one]))
