"""Scenario files: what happens on a plant, and the alarms it must and must not raise."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from config.plant.model import Condition
from simulators.faults import Fault, FaultKind
from simulators.physics.weather import Climate

__all__ = [
    "Allowed",
    "Demanded",
    "Expectations",
    "FaultPart",
    "PumpPart",
    "ReleasePart",
    "Scenario",
    "TankPart",
    "TruckPart",
    "ValvePart",
    "WeatherPart",
]

Seconds = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
LineName: TypeAlias = Literal["fill", "drain"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class WeatherPart(_Part):
    """What `Climate` says of them; here with their bounds."""

    temperature_mean_c: Annotated[float, Field(ge=-50, le=60)] = 20.0
    temperature_swing_c: Annotated[float, Field(ge=0, le=30)] = 5.0
    start_hour: Annotated[float, Field(ge=0, lt=24)] = 10.0
    wind_speed_m_s: Annotated[float, Field(ge=0.5, le=40)] = 3.0
    wind_from_deg: Annotated[float, Field(ge=0, le=360)] = 270.0
    speed_sigma: Annotated[float, Field(ge=0, le=0.5)] = 0.08
    direction_sigma_deg: Annotated[float, Field(ge=0, le=45)] = 4.0
    stability: Literal["A", "B", "C", "D", "E", "F"] = "D"
    """Pasquill class."""

    def climate(self) -> Climate:
        """Return it as the physics wants it."""
        return Climate(**self.model_dump(exclude={"stability"}))


class TankPart(_Part):
    """How a vessel starts; what is not said is 60 % full and as warm as the air."""

    level_m: Annotated[float, Field(ge=0)] | None = None
    temperature_c: float | None = None
    inlet_temperature_c: float | None = None
    """Of what is pumped in."""
    time_constant_h: Positive = 48.0
    """How slowly it follows the ambient temperature."""


class StopPart(_Part):
    """Where on its way a truck stands for a while."""

    at_km: Positive
    dwell_s: Positive


class TruckPart(_Part):
    """What a truck drives; its route starts again at the end."""

    route: Annotated[tuple[tuple[float, float], ...], Field(min_length=2)]
    """Latitude and longitude in degrees."""
    speed_km_h: Annotated[float, Field(ge=0, le=130)] = 45.0
    start_km: Seconds = 0.0
    moving: bool = True
    """Already at its speed at the start."""
    stops: tuple[StopPart, ...] = ()
    temperature_c: float | None = None
    """Of its load."""


class PumpPart(_Part):
    """A pump is set."""

    at_s: Seconds
    vessel: str
    line: LineName
    flow_m3_h: Annotated[float, Field(ge=0)]
    """0 stops it."""


class ValvePart(_Part):
    """A valve is set."""

    at_s: Seconds
    vessel: str
    line: LineName
    opening: Annotated[float, Field(ge=0, le=1)]


class ReleasePart(_Part):
    """Gas gets out at a place, in metres east and north of the site's origin and above ground."""

    cas: str
    vessel: str = ""
    """Takes its mass from here, when named."""
    x_m: float
    y_m: float
    z_m: Annotated[float, Field(ge=0)] = 1.0
    rate_kg_s: Positive
    start_s: Seconds
    duration_s: Positive


class FaultPart(_Part):
    """One fault on one tag or, by a pattern, on several."""

    tag: str
    """A name, or a pattern with ``*`` and ``?``."""
    kind: FaultKind
    from_s: Seconds
    to_s: Positive | None = None
    """None: to the end of the run."""
    per_s: float | None = None
    """drift: by how much it grows each second, canonical unit."""
    height: float | None = None
    """spike: added to a sample, canonical unit."""
    every: Annotated[int, Field(ge=1)] | None = None
    """spike, duplicate: every how many samples; 1 when not said."""
    ahead_s: float | None = None
    """clock_skew: how far its clock is ahead (negative: behind)."""
    direction: Literal["low", "high"] | None = None
    """fault_current: 3.5 or 21.5 mA; low when not said."""

    @model_validator(mode="after")
    def _fits_kind(self) -> FaultPart:
        needed, optional = _FAULT_KEYS.get(self.kind, (set(), set()))
        given = {key for key in _FAULT_OPTIONS if getattr(self, key) is not None}
        if given - needed - optional:
            message = f"{self.kind} does not take {', '.join(sorted(given - needed - optional))}"
            raise ValueError(message)
        if needed - given:
            message = f"{self.kind} needs {', '.join(sorted(needed - given))}"
            raise ValueError(message)
        if self.to_s is not None and self.to_s <= self.from_s:
            message = f"to_s must be after from_s ({self.from_s:g})"
            raise ValueError(message)
        return self

    def fault(self) -> Fault:
        """Return it as a `Channel` wants it."""
        amount = {
            FaultKind.DRIFT: self.per_s,
            FaultKind.SPIKE: self.height,
            FaultKind.CLOCK_SKEW: (self.ahead_s or 0.0) * 1000.0,
            FaultKind.FAULT_CURRENT: 1.0 if self.direction == "high" else -1.0,
        }.get(self.kind)
        end_ms = _NEVER_MS if self.to_s is None else round(self.to_s * 1000)
        return Fault(self.kind, round(self.from_s * 1000), end_ms, amount or 0.0, self.every or 1)


_NEVER_MS = 1 << 60
_FAULT_OPTIONS = ("per_s", "height", "every", "ahead_s", "direction")
_FAULT_KEYS: dict[FaultKind, tuple[set[str], set[str]]] = {
    FaultKind.DRIFT: ({"per_s"}, set()),
    FaultKind.SPIKE: ({"height"}, {"every"}),
    FaultKind.DUPLICATE: (set(), {"every"}),
    FaultKind.CLOCK_SKEW: ({"ahead_s"}, set()),
    FaultKind.FAULT_CURRENT: (set(), {"direction"}),
}
"""Kind -> keys it needs, keys it may have."""


class Allowed(_Part):
    """Alarms that may, or must not, be raised."""

    tag: str
    """A name, or a pattern with ``*`` and ``?``."""
    condition: Condition | None = None
    """None: any."""
    window: tuple[Seconds, Annotated[float, Field(ge=0, allow_inf_nan=True)]] = (0.0, math.inf)
    """Seconds from the start, both included."""

    def covers(self, tag: str, condition: Condition, at_s: float) -> bool:
        """Say whether this is about an alarm raised at that moment."""
        return (
            fnmatchcase(tag, self.tag)
            and self.condition in (None, condition)
            and self.window[0] <= at_s <= self.window[1]
        )


class Demanded(Allowed):
    """An alarm that must be raised; by a pattern, on at least ``count`` of its tags."""

    condition: Condition
    window: tuple[Seconds, Seconds]
    tier: Annotated[int, Field(ge=1, le=4)] | None = None
    count: Annotated[int, Field(ge=1)] = 1
    cleared_by_s: Positive | None = None

    def __str__(self) -> str:
        """Render as in reports."""
        return f"{self.tag} {self.condition} within [{self.window[0]:g}, {self.window[1]:g}] s"


class Expectations(_Part):
    """What a scenario says of alarms. What is in none of the lists is false when it is raised."""

    must_raise: tuple[Demanded, ...] = ()
    may_raise: tuple[Allowed, ...] = ()
    must_not_raise: tuple[Allowed, ...] = ()


class Scenario(_Part):
    """One file of `simulators/scenarios`."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    title: str
    plant: str = "demo"
    """``demo``, or a plant file beside the scenario."""
    seed: Annotated[int, Field(ge=0)] = 1
    duration_s: Positive
    step_ms: Annotated[int, Field(ge=10, le=1000)] = 100
    process_speed: Positive = 1.0
    """How much faster than the clock the contents of vessels change: filling a tank takes hours, a demo seconds."""
    weather: WeatherPart = WeatherPart()
    combustible_t90_s: Positive = 10.0
    toxic_t90_s: Positive = 30.0
    tanks: dict[str, TankPart] = {}
    trucks: dict[str, TruckPart] = {}
    steady: dict[str, float] = {}
    """Value of tags that no physics stands behind; canonical unit. Not said: half-way between the nearest limits."""
    pumps: tuple[PumpPart, ...] = ()
    valves: tuple[ValvePart, ...] = ()
    releases: tuple[ReleasePart, ...] = ()
    faults: tuple[FaultPart, ...] = ()
    expect: Expectations = Expectations()
