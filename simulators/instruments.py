"""From what is true to what an instrument says: noise, limits of its output, resolution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from config.plant.model import InstrumentKind, Tag
from config.units import Quantity

__all__ = ["Instrument", "Response", "instrument_of"]

_SATURATION_LOW = (3.8 - 4.0) / 16.0
_SATURATION_HIGH = (20.5 - 4.0) / 16.0
"""NAMUR NE 43: a current loop measures from 3.8 to 20.5 mA, shares of the span below and above its range."""

_ACCURACY = {
    Quantity.LEVEL: (0.001, 0.001),
    Quantity.FRACTION: (0.02, 0.01),
    Quantity.TEMPERATURE: (0.1, 0.1),
    Quantity.SPEED: (0.2, 0.1),
    Quantity.NUMBER: (0.0, 0.0),
}
"""Noise and resolution in the canonical unit: radar level 1 mm, Pt100 0.1 K, wheel sensor 0.1 km/h."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """How an instrument renders a value, in the canonical unit of its quantity."""

    noise: float
    """Standard deviation."""
    resolution: float
    """Smallest step it shows; 0 for none."""
    lowest: float
    """What its output can say at the least and the most."""
    highest: float

    def render(self, value: float) -> float:
        """Return the value as the instrument can say it: in steps, within its limits."""
        if self.resolution > 0.0:
            value = round(round(value / self.resolution) * self.resolution, 9)
        return min(max(value, self.lowest), self.highest)


def instrument_of(tag: Tag) -> Instrument:
    """Return a typical instrument for a tag: accuracies as in the data sheets of the field."""
    span = tag.range_high - tag.range_low
    noise, resolution = _accuracy(tag, span)
    loop = tag.source is not None and tag.source.current_loop
    return Instrument(
        noise=noise,
        resolution=resolution,
        lowest=tag.range_low + (_SATURATION_LOW * span if loop else 0.0),
        highest=tag.range_low + (_SATURATION_HIGH * span if loop else span),
    )


def _accuracy(tag: Tag, span: float) -> tuple[float, float]:
    """Return (noise, resolution) of a tag."""
    if tag.kind is InstrumentKind.GAS_DETECTOR:
        return 0.002 * span, 0.001 * span
    return _ACCURACY.get(tag.quantity, (0.0005 * span, 0.0001 * span))


class Response:
    """First-order lag of many detectors at once: a step is shown to 90 % after T90."""

    def __init__(self, t90_s: NDArray[np.float64]) -> None:
        self._constant_s = t90_s / math.log(10.0)
        self.shown: NDArray[np.float64] = np.zeros_like(t90_s)

    def advance(self, truth: NDArray[np.float64], dt_s: float) -> None:
        """Let ``dt_s`` pass with this in front of the sensors; ``shown`` follows."""
        self.shown += (truth - self.shown) * -np.expm1(-dt_s / self._constant_s)
