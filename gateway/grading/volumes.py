"""How much of a vessel is filled at a level: solid geometry on whole arrays. No I/O.

Every shape is scaled to its capacity, so that what a table of calibration would say at 100 % is said at 100 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from gateway.registry.kinds import VesselShape

__all__ = ["GEOMETRY", "Geometry", "density_at", "share_filled"]

_MOST_SHRUNK = 0.5
"""No liquid gets twice as dense: a reading that says so is none to be multiplied by."""


class Geometry(IntEnum):
    """How the share of the volume follows from the share of the height."""

    LINEAR = 0
    """Standing cylinders; also where nothing better is known (reactors, stores, pipes): share of the capacity."""
    SPHERE = 1
    LYING = 2
    """A cylinder that lies, with flat ends."""


GEOMETRY: Mapping[VesselShape, Geometry] = {
    VesselShape.SPHERE: Geometry.SPHERE,
    VesselShape.VERTICAL_TANK: Geometry.LINEAR,
    VesselShape.HORIZONTAL_TANK: Geometry.LYING,
    VesselShape.CYLINDER_STORE: Geometry.LINEAR,
    VesselShape.REACTOR: Geometry.LINEAR,
    VesselShape.TRUCK_TANK: Geometry.LINEAR,
    VesselShape.PIPE_SEGMENT: Geometry.LINEAR,
}


def share_filled(geometry: NDArray[np.uint8], height: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of the volume that is filled up to a share of the inner height; NaN stays NaN.

    With x = h/D of a sphere: the cap pi h^2 (3r - h) / 3 over 4/3 pi r^3 is x^2 (3 - 2x). Of a lying cylinder: the
    circular segment r^2 acos((r - h)/r) - (r - h) sqrt(2rh - h^2) over pi r^2, with u = (r - h)/r = 1 - 2x.

    Args:
        geometry: `Geometry` of each vessel.
        height: Level over inner height (of a sphere or a lying cylinder: over its diameter), 0 to 1.
    """
    away = 1 - 2 * height
    lying = (np.arccos(away) - away * np.sqrt(1 - away**2)) / np.pi
    sphere = height**2 * (3 - 2 * height)
    return np.select([geometry == Geometry.SPHERE, geometry == Geometry.LYING], [sphere, lying], height)


def density_at(
    temperature_c: NDArray[np.float64],
    density_kg_m3: NDArray[np.float64],
    at_c: NDArray[np.float64],
    expansion_per_k: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the density of liquids; where the temperature is not known, at ``at_c``."""
    warmer = np.nan_to_num(temperature_c - at_c)
    return density_kg_m3 / np.maximum(1 + expansion_per_k * warmer, _MOST_SHRUNK)
