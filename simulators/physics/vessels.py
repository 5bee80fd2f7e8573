"""Level and volume of the three shapes a vessel comes in, as fractions of its height and capacity."""

from __future__ import annotations

import math
from enum import Enum

from config.plant.model import VesselKind

__all__ = ["Shape", "fraction_at", "height_at", "shape_of"]


class Shape(Enum):
    """How the filled volume grows with the level."""

    UPRIGHT = "upright"
    SPHERE = "sphere"
    LYING = "lying"


_SHAPES = {
    VesselKind.SPHERE: Shape.SPHERE,
    VesselKind.HORIZONTAL_TANK: Shape.LYING,
    VesselKind.TRUCK_TANK: Shape.LYING,
    VesselKind.CYLINDER_STORE: Shape.UPRIGHT,
    VesselKind.VERTICAL_TANK: Shape.UPRIGHT,
    VesselKind.REACTOR: Shape.UPRIGHT,
}


def shape_of(kind: VesselKind) -> Shape:
    """Return the shape of a kind of vessel."""
    return _SHAPES[kind]


def fraction_at(shape: Shape, height: float) -> float:
    """Return the filled share of the capacity (0-1) at a share of the inner height (0-1).

    Sphere: 3x² - 2x³. Lying cylinder: the circular segment (acos(1 - 2x) - 2(1 - 2x) sqrt(x - x²)) / pi.
    """
    x = min(max(height, 0.0), 1.0)
    if shape is Shape.UPRIGHT:
        return x
    if shape is Shape.SPHERE:
        return x * x * (3.0 - 2.0 * x)
    return (math.acos(1.0 - 2.0 * x) - 2.0 * (1.0 - 2.0 * x) * math.sqrt(x - x * x)) / math.pi


def height_at(shape: Shape, fraction: float) -> float:
    """Return the inverse of `fraction_at`, by bisection to the last bits of a float."""
    wanted = min(max(fraction, 0.0), 1.0)
    if shape is Shape.UPRIGHT:
        return wanted
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        if fraction_at(shape, middle) < wanted:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
