"""A hazmat truck that drives a polyline at a set speed, brakes for its stops, and starts over at the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

__all__ = ["Stop", "Truck", "distances_m"]

_EARTH_M = 6_371_008.8
_ACCELERATION_M_S2 = 0.6
_BRAKING_M_S2 = 0.8
_AT_STOP_M = 0.5


@dataclass(frozen=True, slots=True)
class Stop:
    """Where it stands, and for how long."""

    at_m: float
    dwell_s: float


def distances_m(route: Sequence[tuple[float, float]]) -> list[float]:
    """Return the way from the first to each point of a (latitude, longitude) polyline, by haversine."""
    travelled = [0.0]
    for (lat1, lon1), (lat2, lon2) in pairwise(route):
        a, b = math.radians(lat1), math.radians(lat2)
        h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(math.radians(lon2 - lon1) / 2) ** 2
        travelled.append(travelled[-1] + 2 * _EARTH_M * math.asin(math.sqrt(h)))
    return travelled


@dataclass(slots=True)
class Truck:
    """Where a truck is and how fast it goes."""

    route: tuple[tuple[float, float], ...]
    speed_m_s: float
    """What it drives at when nothing is in the way."""
    stops: tuple[Stop, ...]
    travelled_m: float = 0.0
    """On this round."""
    now_m_s: float = 0.0
    _marks: list[float] = field(default_factory=list)
    _next: int = 0
    _dwelt_s: float = 0.0

    def __post_init__(self) -> None:
        self._marks = distances_m(self.route)
        self._next = sum(stop.at_m < self.travelled_m for stop in self.stops)

    def advance(self, dt_s: float) -> None:
        """Let ``dt_s`` pass."""
        gap_m = self._gap_m()
        if gap_m <= _AT_STOP_M:
            self._dwell(dt_s)
            return
        allowed = min(self.speed_m_s, math.sqrt(2.0 * _BRAKING_M_S2 * gap_m))
        self.now_m_s = min(self.now_m_s + _ACCELERATION_M_S2 * dt_s, allowed)
        self.travelled_m += min(self.now_m_s * dt_s, gap_m)
        if self.travelled_m >= self._marks[-1]:
            self.travelled_m -= self._marks[-1]
            self._next = 0

    def _gap_m(self) -> float:
        """Return the way left to the next stop; a round without one has no end."""
        if self._next >= len(self.stops):
            return math.inf
        return self.stops[self._next].at_m - self.travelled_m

    def _dwell(self, dt_s: float) -> None:
        """Stand at a stop until its time is over."""
        self.now_m_s = 0.0
        self._dwelt_s += dt_s
        if self._dwelt_s >= self.stops[self._next].dwell_s:
            self._dwelt_s = 0.0
            self._next += 1

    @property
    def place(self) -> tuple[float, float]:
        """Latitude and longitude now, degrees."""
        latitudes, longitudes = zip(*self.route, strict=True)
        return (
            float(np.interp(self.travelled_m, self._marks, latitudes)),
            float(np.interp(self.travelled_m, self._marks, longitudes)),
        )
