"""A plant in motion: the true value behind every tag, advanced in fixed steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from config.chemicals import load_chemicals
from config.plant.model import Condition, InstrumentKind, Plant, Tag, Vessel
from config.units import Conversion, Quantity, conversion
from simulators.instruments import Response
from simulators.physics.gas import Cloud, Leak, parts_per_million
from simulators.physics.rng import branch
from simulators.physics.substances import substance_of
from simulators.physics.tank import Tank
from simulators.physics.trucks import Stop, Truck
from simulators.physics.vessels import Shape, shape_of
from simulators.physics.weather import Weather
from simulators.scenario import ReleasePart, Scenario, TruckPart

__all__ = ["World"]

_START_FILL = 0.6
_TRUCK_M3 = 24.0
_ROUND_DEG = 0.02
"""Half the side of the round a truck drives when its scenario names no route: about 2 km."""


class _Plume:
    """One release and the detectors that are made for its gas."""

    def __init__(self, release: ReleasePart, detectors: Sequence[Tag], stability: str, plant: Plant) -> None:
        self.release = release
        leak = Leak(release.x_m, release.y_m, release.z_m, release.rate_kg_s, release.start_s, release.duration_s)
        self.cloud = Cloud(leak, stability)
        gas = substance_of(release.cas)
        self.rows = [row for row, tag in enumerate(detectors) if substance_of(tag.cas) is gas]
        self._places = np.array([_place(detectors[row]) for row in self.rows]).reshape(-1, 3)
        self._molar_mass = gas.molar_mass_g_mol
        self._scales = [_from_ppm(detectors[row], plant) for row in self.rows]

    def shown(self) -> list[float]:
        """Return what each of ``rows`` breathes now, in its canonical unit."""
        ppm = parts_per_million(self.cloud.density_at(self._places), self._molar_mass)
        return [scale.to_canonical(float(x)) for scale, x in zip(self._scales, ppm, strict=True)]


class World:
    """All that moves on a plant while a scenario plays. Deterministic: the same seed gives the same bits."""

    def __init__(self, plant: Plant, scenario: Scenario, seed: int) -> None:
        self._plant = plant
        self._scenario = scenario
        self._step = 0
        self._dt_s = scenario.step_ms / 1000.0
        self.weather = Weather(scenario.weather.climate(), branch(seed, "wind"))
        self.tanks = {key: self._tank(key, vessel) for key, vessel in plant.vessels.items()}
        self._loads = {key: self._load(key) for key in plant.vehicles}
        self.trucks = {key: self._truck(key) for key in plant.vehicles}
        self._detectors = [tag for tag in plant.tags.values() if tag.kind is InstrumentKind.GAS_DETECTOR]
        stability = scenario.weather.stability
        self._plumes = [_Plume(release, self._detectors, stability, plant) for release in scenario.releases]
        combustible = scenario.combustible_t90_s
        t90_s = [
            combustible if t.quantity is Quantity.COMBUSTIBLE_GAS else scenario.toxic_t90_s for t in self._detectors
        ]
        self._response = Response(np.array(t90_s))
        self._sources = {name: self._behind(tag) for name, tag in plant.tags.items()}

    @property
    def at_s(self) -> float:
        """Seconds since the start of the run."""
        return self._step * self._dt_s

    def value(self, tag: str) -> float:
        """Return what is in front of a tag's transmitter now, canonical unit."""
        return self._sources[tag]()

    def advance(self) -> None:
        """Let one step pass."""
        at_s, dt_s = self.at_s, self._dt_s
        self._operate(at_s, at_s + dt_s)
        self.weather.advance(dt_s)
        ambient_c = self.weather.temperature_c
        for tank in (*self.tanks.values(), *self._loads.values()):
            tank.advance(dt_s * self._scenario.process_speed, ambient_c)
        for truck in self.trucks.values():
            truck.advance(dt_s)
        if self._detectors:
            self._response.advance(self._gas(at_s), dt_s)
        self._step += 1

    def _operate(self, from_s: float, to_s: float) -> None:
        """Set the pumps and valves whose time has come."""
        for pump in self._scenario.pumps:
            if from_s <= pump.at_s < to_s:
                getattr(self.tanks[pump.vessel], pump.line).flow_m3_h = pump.flow_m3_h
        for valve in self._scenario.valves:
            if from_s <= valve.at_s < to_s:
                getattr(self.tanks[valve.vessel], valve.line).opening = valve.opening

    def _gas(self, at_s: float) -> NDArray[np.float64]:
        """Move the clouds and return what every detector breathes, canonical unit of each."""
        shown = np.zeros(len(self._detectors))
        for plume in self._plumes:
            if at_s + self._dt_s >= plume.release.start_s:
                released_kg = plume.cloud.advance(at_s, self._dt_s, self.weather.wind)
                if plume.release.vessel:
                    self.tanks[plume.release.vessel].leak(released_kg)
                shown[plume.rows] += plume.shown()
        return shown

    def _tank(self, key: str, vessel: Vessel) -> Tank:
        """Make a vessel as its scenario starts it."""
        part = self._scenario.tanks.get(key)
        shape = shape_of(vessel.kind)
        warm = self.weather.temperature_c if part is None or part.temperature_c is None else part.temperature_c
        tank = Tank(
            substance_of(vessel.cas), shape, vessel.capacity_m3, vessel.height_m, _START_FILL * vessel.capacity_m3, warm
        )
        if part is not None:
            tank.inlet_temperature_c = part.inlet_temperature_c
            tank.time_constant_s = part.time_constant_h * 3600.0
            if part.level_m is not None:
                tank.set_level(part.level_m)
        return tank

    def _load(self, vehicle: str) -> Tank:
        """Make what a truck carries."""
        part = self._scenario.trucks.get(vehicle)
        warm = self.weather.temperature_c if part is None or part.temperature_c is None else part.temperature_c
        substance = substance_of(self._plant.vehicles[vehicle].cas)
        return Tank(substance, Shape.LYING, _TRUCK_M3, 2.0, 0.8 * _TRUCK_M3, warm)

    def _truck(self, vehicle: str) -> Truck:
        """Put a truck on its route."""
        site = self._plant.site
        part = self._scenario.trucks.get(vehicle) or TruckPart(
            route=tuple(
                (site.latitude_deg + north * _ROUND_DEG, site.longitude_deg + east * _ROUND_DEG)
                for north, east in ((-1, -1), (-1, 1), (1, 1), (1, -1), (-1, -1))
            )
        )
        speed_m_s = part.speed_km_h / 3.6
        stops = tuple(Stop(stop.at_km * 1000.0, stop.dwell_s) for stop in part.stops)
        start_m = part.start_km * 1000.0
        return Truck(part.route, speed_m_s, stops, start_m, speed_m_s if part.moving else 0.0)

    def _behind(self, tag: Tag) -> Callable[[], float]:
        """Return what gives the true value of a tag."""
        if tag.kind is InstrumentKind.GAS_DETECTOR:
            row = self._detectors.index(tag)
            return lambda: float(self._response.shown[row])
        if tag.vehicle:
            truck = self.trucks[tag.vehicle]
            return _of_truck(tag, truck, self._loads[tag.vehicle]) or self._steady(tag)
        if tag.vessel:
            return _of_tank(tag, self.tanks[tag.vessel]) or self._steady(tag)
        if tag.quantity is Quantity.TEMPERATURE:
            return lambda: self.weather.temperature_c
        return self._steady(tag)

    def _steady(self, tag: Tag) -> Callable[[], float]:
        """Return a value that never raises anything, or the one the scenario gives."""
        value = self._scenario.steady.get(tag.name)
        if value is None:
            limits = {rule.condition: rule.limit for rule in tag.conditions if rule.enabled}
            highs = [limit for condition, limit in limits.items() if condition in (Condition.H, Condition.HH)]
            lows = [limit for condition, limit in limits.items() if condition in (Condition.L, Condition.LL)]
            value = 0.5 * (max([tag.range_low, *lows]) + min([tag.range_high, *highs]))
        constant = value
        return lambda: constant


def _of_tank(tag: Tag, tank: Tank) -> Callable[[], float] | None:
    """Return what a transmitter on a vessel sees; None for what the physics does not know."""
    match tag.quantity:
        case Quantity.LEVEL:
            return lambda: tank.level_m
        case Quantity.FRACTION:
            return lambda: 100.0 * tank.level_m / tank.height_m
        case Quantity.TEMPERATURE:
            return lambda: tank.temperature_c
        case Quantity.PRESSURE:
            return lambda: tank.pressure_kpa
        case Quantity.MASS_FLOW:
            return lambda: tank.fill_t_h + tank.drain_t_h
        case _:
            return None


def _of_truck(tag: Tag, truck: Truck, load: Tank) -> Callable[[], float] | None:
    """Return what a transmitter on a truck sees; a NUMBER whose name ends in LAT or LON is its place."""
    if tag.quantity is Quantity.SPEED:
        return lambda: 3.6 * truck.now_m_s
    if tag.quantity is Quantity.NUMBER:
        if tag.name.upper().endswith("LAT"):
            return lambda: truck.place[0]
        if tag.name.upper().endswith("LON"):
            return lambda: truck.place[1]
    return _of_tank(tag, load)


def _place(tag: Tag) -> tuple[float, float, float]:
    """Return where a detector is; one without a position is where no gas comes."""
    if tag.position is None:
        return math.inf, math.inf, 0.0
    return tag.position.x_m, tag.position.y_m, tag.position.z_m


def _from_ppm(tag: Tag, plant: Plant) -> Conversion:
    """Return the conversion from ppm of the gas a detector is calibrated with to its canonical unit."""
    chemical = load_chemicals().get(tag.cas)
    gas = chemical.substance(plant.lel_table, plant.reference_air) if chemical else None
    return conversion("ppm", tag.quantity, gas)
