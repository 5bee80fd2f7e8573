"""Distances and directions on the earth, and what lies downwind. Pure: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["EARTH_M", "bearing_deg", "distance_m", "downwind"]

EARTH_M = 6_371_008.8
"""Mean radius (IUGG)."""

_ROUND = 360.0
Degrees = NDArray[np.float64]


def distance_m(
    latitude_deg: float, longitude_deg: float, to_latitude_deg: Degrees, to_longitude_deg: Degrees
) -> Degrees:
    """Return how far places are from one place, by the haversine."""
    lat, to_lat = np.radians(latitude_deg), np.radians(to_latitude_deg)
    half_lat = (to_lat - lat) / 2
    half_lon = np.radians(to_longitude_deg - longitude_deg) / 2
    part = np.sin(half_lat) ** 2 + np.cos(lat) * np.cos(to_lat) * np.sin(half_lon) ** 2
    return _floats(2 * EARTH_M * np.arcsin(np.sqrt(np.clip(part, 0.0, 1.0))))


def bearing_deg(
    latitude_deg: float, longitude_deg: float, to_latitude_deg: Degrees, to_longitude_deg: Degrees
) -> Degrees:
    """Return in which direction places lie from one place: 0 north, 90 east; below 360."""
    lat, to_lat = np.radians(latitude_deg), np.radians(to_latitude_deg)
    lon = np.radians(to_longitude_deg - longitude_deg)
    east = np.sin(lon) * np.cos(to_lat)
    north = np.cos(lat) * np.sin(to_lat) - np.sin(lat) * np.cos(to_lat) * np.cos(lon)
    return _floats(np.degrees(np.arctan2(east, north)) % _ROUND % _ROUND)  # a hair below zero rounds up to 360 at first


def downwind(bearings_deg: Degrees, wind_from_deg: float, half_angle_deg: float) -> NDArray[np.bool_]:
    """Return which directions lie in the sector the wind blows into; its edges belong to it.

    Args:
        bearings_deg: Directions.
        wind_from_deg: Where the wind comes from, as it is told.
        half_angle_deg: Of the sector, to each side.
    """
    off = np.abs((bearings_deg - wind_from_deg - 180.0 + 180.0) % _ROUND - 180.0)
    inside: NDArray[np.bool_] = off <= half_angle_deg + 1e-9
    return inside


def _floats(found: Any) -> Degrees:  # noqa: ANN401 - numpy's own
    return np.asarray(found, np.float64)
