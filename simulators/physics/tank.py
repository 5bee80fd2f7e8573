"""One vessel: volume in, volume out, heat from outside, pressure from both; it can be filled past its rim."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from simulators.physics.substances import ATMOSPHERE_KPA, Substance
from simulators.physics.vessels import Shape, fraction_at, height_at

__all__ = ["Line", "Tank"]

_BLANKET_KPA = 0.6
"""What a nitrogen blanket holds in a tank that is not under its own vapour pressure."""
_BREATHING_KPA_PER_M3_H = 0.0005
"""Back pressure of a breathing valve per m³/h of vapour it has to let out."""


@dataclass(slots=True)
class Line:
    """A pump and a valve in one pipe."""

    flow_m3_h: float = 0.0
    """What the pump gives with the valve open; 0 is off."""
    opening: float = 1.0
    """Of the valve, 0-1."""

    @property
    def rate_m3_s(self) -> float:
        """Flow now, m³/s."""
        return self.flow_m3_h * self.opening / 3600.0


@dataclass(slots=True)
class Tank:
    """State and bookkeeping of one vessel.

    What came in is always what was there, went out, ran over or leaked: see `imbalance_m3`.
    """

    substance: Substance
    shape: Shape
    capacity_m3: float
    height_m: float
    volume_m3: float
    temperature_c: float
    time_constant_s: float = 48 * 3600.0
    """How fast the content follows the ambient temperature."""
    inlet_temperature_c: float | None = None
    """Of what is pumped in; None: the same as the content."""
    fill: Line = field(default_factory=Line)
    drain: Line = field(default_factory=Line)
    filled_m3: float = 0.0
    drained_m3: float = 0.0
    leaked_m3: float = 0.0
    overflowed_m3: float = 0.0
    _start_m3: float = 0.0

    def __post_init__(self) -> None:
        self._start_m3 = self.volume_m3

    def advance(self, dt_s: float, ambient_c: float) -> None:
        """Let ``dt_s`` seconds of process time pass."""
        entering = self.fill.rate_m3_s * dt_s
        leaving = min(self.drain.rate_m3_s * dt_s, self.volume_m3 + entering)
        if entering > 0.0 and self.inlet_temperature_c is not None:
            share = entering / (entering + self.volume_m3)
            self.temperature_c += share * (self.inlet_temperature_c - self.temperature_c)
        self.temperature_c += (ambient_c - self.temperature_c) * -math.expm1(-dt_s / self.time_constant_s)
        self.filled_m3 += entering
        self.drained_m3 += leaving
        volume = self.volume_m3 + entering - leaving
        over = max(volume - self.capacity_m3, 0.0)
        self.overflowed_m3 += over
        self.volume_m3 = volume - over

    def leak(self, mass_kg: float) -> float:
        """Take what a leak lets out; returns the mass that was there to take, kg."""
        density = self.density_kg_m3
        volume = min(mass_kg / density, self.volume_m3)
        self.volume_m3 -= volume
        self.leaked_m3 += volume
        return volume * density

    @property
    def density_kg_m3(self) -> float:
        """Of the liquid at its temperature."""
        return self.substance.density_kg_m3 / (1.0 + self.substance.expansion_per_k * (self.temperature_c - 20.0))

    @property
    def level_m(self) -> float:
        """Height of the liquid above the bottom."""
        return self.height_m * height_at(self.shape, self.volume_m3 / self.capacity_m3)

    @property
    def fraction(self) -> float:
        """Filled share of the capacity, 0-1."""
        return self.volume_m3 / self.capacity_m3

    @property
    def pressure_kpa(self) -> float:
        """Gauge pressure of the vapour space: its own vapour pressure, or a blanket and what breathing adds."""
        if self.substance.liquefied:
            return max(self.substance.vapour_kpa(self.temperature_c) - ATMOSPHERE_KPA, 0.0)
        net_m3_h = 3600.0 * (self.fill.rate_m3_s - self.drain.rate_m3_s)
        return _BLANKET_KPA + _BREATHING_KPA_PER_M3_H * net_m3_h

    @property
    def drain_t_h(self) -> float:
        """Mass flow out of the drain line, t/h."""
        return self.drain.flow_m3_h * self.drain.opening * self.density_kg_m3 / 1000.0 if self.volume_m3 > 0 else 0.0

    @property
    def fill_t_h(self) -> float:
        """Mass flow into the vessel, t/h."""
        return self.fill.flow_m3_h * self.fill.opening * self.density_kg_m3 / 1000.0

    @property
    def imbalance_m3(self) -> float:
        """What the bookkeeping cannot explain; 0 but for rounding."""
        gone = self.drained_m3 + self.leaked_m3 + self.overflowed_m3
        return self._start_m3 + self.filled_m3 - gone - self.volume_m3

    def set_level(self, level_m: float) -> None:
        """Start at this level; the bookkeeping starts anew."""
        self.volume_m3 = self.capacity_m3 * fraction_at(self.shape, level_m / self.height_m)
        self._start_m3 = self.volume_m3
