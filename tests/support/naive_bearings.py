"""The slow twin of `gateway.prevention.bearings`: by vectors in space, one place at a time."""

from __future__ import annotations

import math

__all__ = ["naive_bearing_deg", "naive_distance_m", "naive_downwind"]

Vector = tuple[float, float, float]


def _at(latitude_deg: float, longitude_deg: float) -> Vector:
    lat, lon = math.radians(latitude_deg), math.radians(longitude_deg)
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


def _dot(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def naive_distance_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Return the length of the arc between two places, by the chord."""
    return 2 * 6_371_008.8 * math.asin(min(1.0, math.dist(_at(*a), _at(*b)) / 2))


def naive_bearing_deg(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Return the direction from one place to another: its parts along north and east at the first."""
    lat, lon = math.radians(a[0]), math.radians(a[1])
    north = (-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat))
    east = (-math.sin(lon), math.cos(lon), 0.0)
    there = _at(*b)
    return math.degrees(math.atan2(_dot(there, east), _dot(there, north))) % 360


def naive_downwind(bearing_deg: float, wind_from_deg: float, half_angle_deg: float) -> bool:
    """Say whether a direction is within an angle of the one the wind blows to."""
    to_deg = (wind_from_deg + 180) % 360
    off = abs(bearing_deg - to_deg) % 360
    return min(off, 360 - off) <= half_angle_deg + 1e-9
