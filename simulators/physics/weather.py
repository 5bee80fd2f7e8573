"""Ambient temperature over the day, and a wind whose speed and direction wander slowly."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["Climate", "Weather"]

_WANDER_S = 120.0
"""Correlation time of the wind's meander."""

_WARMEST_HOUR = 14.0


@dataclass(frozen=True, slots=True)
class Climate:
    """What the weather is about."""

    temperature_mean_c: float = 20.0
    temperature_swing_c: float = 5.0
    """Half the difference between the warmest (14:00) and the coldest hour (02:00)."""
    start_hour: float = 10.0
    """Solar hour of the day at which the run starts."""
    wind_speed_m_s: float = 3.0
    wind_from_deg: float = 270.0
    """Where it blows from, clockwise from north, as weather services say it."""
    speed_sigma: float = 0.08
    """Standard deviation of the speed's meander, relative."""
    direction_sigma_deg: float = 4.0


class Weather:
    """The weather of one run. The meander is an Ornstein-Uhlenbeck process, exact for any step."""

    def __init__(self, climate: Climate, rng: np.random.Generator) -> None:
        self._climate = climate
        self._rng = rng
        self._at_s = 0.0
        self._speed, self._turn = (float(x) for x in rng.standard_normal(2))

    def advance(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self._at_s += dt_s
        keep = math.exp(-dt_s / _WANDER_S)
        kick = math.sqrt(1.0 - keep * keep)
        speed, turn = self._rng.standard_normal(2)
        self._speed = keep * self._speed + kick * float(speed)
        self._turn = keep * self._turn + kick * float(turn)

    @property
    def temperature_c(self) -> float:
        """Ambient temperature now."""
        climate = self._climate
        hour = climate.start_hour + self._at_s / 3600.0
        return climate.temperature_mean_c + climate.temperature_swing_c * math.cos(
            2.0 * math.pi * (hour - _WARMEST_HOUR) / 24.0
        )

    @property
    def wind(self) -> tuple[float, float]:
        """Velocity of the air (east, north) in m/s now; never quite calm, where a puff model has no meaning."""
        climate = self._climate
        speed = max(climate.wind_speed_m_s * (1.0 + climate.speed_sigma * self._speed), 0.2)
        bearing = math.radians(climate.wind_from_deg + climate.direction_sigma_deg * self._turn)
        return -speed * math.sin(bearing), -speed * math.cos(bearing)
