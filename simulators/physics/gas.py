"""Gas releases as trains of Gaussian puffs carried by the wind, reflected at the ground.

C(x, y, z) = sum over puffs of m / ((2 pi)^1.5 sx sy sz) exp(-dx²/2sx² - dy²/2sy²)
             (exp(-(z - h)²/2sz²) + exp(-(z + h)²/2sz²)),   sx = sy

with Briggs' open-country spreads of the distance travelled (Pasquill stability A-F). A puff model treats the gas as
neutral: heavy gases really stay lower and spread wider near the source, which these simulators do not claim to show.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cloud", "Leak", "parts_per_million", "spread"]

_PUFF_EVERY_S = 0.5
_FORGET_M = 3000.0
"""A puff this far away is of no concern to any detector of the site."""

MOLAR_VOLUME_L = 24.04
"""Of an ideal gas at 20 degC and 101.325 kPa, as the limits of GB/T 50493 are converted."""

_BRIGGS_Y = {"A": 0.22, "B": 0.16, "C": 0.11, "D": 0.08, "E": 0.06, "F": 0.04}
_BRIGGS_Z = {
    "A": (0.20, 0.0, 1.0),
    "B": (0.12, 0.0, 1.0),
    "C": (0.08, 0.0002, -0.5),
    "D": (0.06, 0.0015, -0.5),
    "E": (0.03, 0.0003, -1.0),
    "F": (0.016, 0.0003, -1.0),
}

Floats = NDArray[np.float64]


def spread(stability: str, distance_m: Floats, initial_m: float) -> tuple[Floats, Floats]:
    """Return Briggs' open-country spreads (sy, sz) in m after ``distance_m``, starting from ``initial_m``."""
    a, b, p = _BRIGGS_Z[stability]
    across = _BRIGGS_Y[stability] * distance_m / np.sqrt(1.0 + 0.0001 * distance_m)
    upright = a * distance_m * (1.0 + b * distance_m) ** p
    return np.hypot(across, initial_m), np.hypot(upright, initial_m)


def parts_per_million(density_kg_m3: Floats, molar_mass_g_mol: float) -> Floats:
    """Turn kg of gas per m³ of air into ppm by volume at 20 degC; never more than the whole of it."""
    return np.minimum(density_kg_m3 * 1e6 * MOLAR_VOLUME_L / molar_mass_g_mol, 1e6)


@dataclass(frozen=True, slots=True)
class Leak:
    """Where and how fast gas gets out."""

    x_m: float
    y_m: float
    z_m: float
    rate_kg_s: float
    start_s: float
    duration_s: float
    initial_m: float = 0.5
    """Spread of the gas as it leaves the jet; more than 0."""


class Cloud:
    """All puffs of one leak. Arrays of equal length: centre, height, mass, distance travelled."""

    def __init__(self, leak: Leak, stability: str) -> None:
        self._leak = leak
        self._stability = stability
        self._pending_kg = 0.0
        self._next_s = leak.start_s
        self._columns: Floats = np.empty((4, 0))

    @property
    def mass_kg(self) -> float:
        """Of all puffs that are still followed, with the one that is just forming."""
        return float(self._columns[2].sum()) + self._pending_kg

    def advance(self, at_s: float, dt_s: float, wind: tuple[float, float]) -> float:
        """Let ``dt_s`` pass from ``at_s``: puffs drift, new ones are let out. Returns the kg let out."""
        x, y, _, travelled = self._columns
        x += wind[0] * dt_s
        y += wind[1] * dt_s
        travelled += math.hypot(*wind) * dt_s
        leak = self._leak
        end_s = leak.start_s + leak.duration_s
        leaking_s = max(min(at_s + dt_s, end_s) - max(at_s, leak.start_s), 0.0)
        released = leak.rate_kg_s * leaking_s
        self._pending_kg += released
        over = at_s + dt_s >= end_s
        if self._pending_kg > 0.0 and (at_s + dt_s >= self._next_s + _PUFF_EVERY_S or over):
            puff = np.array([[leak.x_m], [leak.y_m], [self._pending_kg], [0.0]])
            near = self._columns[:, travelled < _FORGET_M]
            self._columns = np.concatenate([near, puff], axis=1)
            self._pending_kg = 0.0
            self._next_s += _PUFF_EVERY_S
        return released

    def density_at(self, places: Floats) -> Floats:
        """Return the kg/m³ at places, an array of shape (n, 3): east, north, height in m."""
        x, y, mass, travelled = (column[np.newaxis, :] for column in self._columns)
        across, upright = spread(self._stability, travelled, self._leak.initial_m)
        east, north, height = (places[:, i, np.newaxis] for i in range(3))
        away2 = ((east - x) ** 2 + (north - y) ** 2) / (2.0 * across**2)
        source_m = self._leak.z_m
        vertical = np.exp(-((height - source_m) ** 2) / (2.0 * upright**2)) + np.exp(
            -((height + source_m) ** 2) / (2.0 * upright**2)
        )
        scale = mass / ((2.0 * math.pi) ** 1.5 * across**2 * upright)
        density: Floats = (scale * np.exp(-away2) * vertical).sum(axis=1)
        return density
