"""The physics: bookkeeping, closed forms, the same seed the same bits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.instruments import Response
from simulators.physics.gas import Cloud, Leak, parts_per_million, spread
from simulators.physics.rng import branch
from simulators.physics.substances import CHLORINE, METHANOL, PROPANE
from simulators.physics.tank import Line, Tank
from simulators.physics.trucks import Stop, Truck, distances_m
from simulators.physics.vessels import Shape, fraction_at, height_at
from simulators.physics.weather import Climate, Weather


@given(st.sampled_from(Shape), st.floats(0, 1))
def test_level_and_volume_are_inverse(shape: Shape, height: float) -> None:
    assert height_at(shape, fraction_at(shape, height)) == pytest.approx(height, abs=2e-8)


@pytest.mark.parametrize("shape", Shape)
def test_a_vessel_is_empty_at_the_bottom_half_full_in_the_middle_and_full_at_the_top(shape: Shape) -> None:
    assert fraction_at(shape, 0.0) == 0.0
    assert fraction_at(shape, 0.5) == pytest.approx(0.5)
    assert fraction_at(shape, 1.0) == pytest.approx(1.0)
    assert fraction_at(shape, -1.0) == 0.0


def test_sphere_volume_agrees_with_the_spherical_cap() -> None:
    radius, height = 6.15, 4.0
    cap_m3 = math.pi * height**2 * (3 * radius - height) / 3
    assert fraction_at(Shape.SPHERE, height / (2 * radius)) * 4 / 3 * math.pi * radius**3 == pytest.approx(cap_m3)


@given(
    st.lists(st.tuples(st.floats(0, 5000), st.floats(0, 5000), st.floats(0, 1), st.floats(0, 50)), max_size=30),
    st.floats(0, 100),
)
def test_a_tank_never_loses_or_makes_liquid(steps: list[tuple[float, float, float, float]], start_m3: float) -> None:
    tank = Tank(METHANOL, Shape.UPRIGHT, 100.0, 10.0, start_m3, 20.0)
    for fill, drain, opening, leak_kg in steps:
        tank.fill, tank.drain = Line(fill), Line(drain, opening)
        tank.advance(30.0, 20.0)
        tank.leak(leak_kg)
        assert 0.0 <= tank.volume_m3 <= tank.capacity_m3
        assert tank.imbalance_m3 == pytest.approx(0.0, abs=1e-6)


def test_an_overfilled_tank_runs_over_and_says_how_much() -> None:
    tank = Tank(METHANOL, Shape.UPRIGHT, 100.0, 10.0, 99.0, 20.0, fill=Line(3600.0))
    for _ in range(10):
        tank.advance(1.0, 20.0)
    assert tank.level_m == pytest.approx(10.0)
    assert tank.overflowed_m3 == pytest.approx(9.0)


def test_a_closed_valve_stops_a_running_pump() -> None:
    tank = Tank(METHANOL, Shape.UPRIGHT, 100.0, 10.0, 50.0, 20.0, fill=Line(3600.0, 0.0))
    tank.advance(10.0, 20.0)
    assert tank.volume_m3 == 50.0
    assert tank.fill_t_h == 0.0


@pytest.mark.parametrize(
    ("substance", "temperature_c", "kpa"),
    [
        (PROPANE, 25.0, 952.0),  # NIST: 9.52 bar
        (PROPANE, 40.0, 1369.0),  # 13.69 bar
        (CHLORINE, 25.0, 778.0),  # 7.78 bar
        (METHANOL, 25.0, 16.9),  # 127 mmHg
    ],
)
def test_vapour_pressure_is_that_of_the_tables(substance: object, temperature_c: float, kpa: float) -> None:
    assert isinstance(substance, type(PROPANE))
    assert substance.vapour_kpa(temperature_c) == pytest.approx(kpa, rel=0.02)


def test_the_pressure_of_a_liquefied_gas_rises_with_its_temperature() -> None:
    tank = Tank(PROPANE, Shape.SPHERE, 1000.0, 12.3, 600.0, 15.0, time_constant_s=3600.0)
    before_kpa = tank.pressure_kpa
    for _ in range(60):
        tank.advance(60.0, 35.0)
    assert tank.temperature_c == pytest.approx(35.0 - 20.0 / math.e, abs=0.01)
    assert tank.pressure_kpa > before_kpa + 200.0


def test_it_is_warmest_at_two_in_the_afternoon() -> None:
    climate = Climate(20.0, 5.0, start_hour=14.0)
    weather = Weather(climate, branch(1, "wind"))
    assert weather.temperature_c == pytest.approx(25.0)
    weather.advance(12 * 3600.0)
    assert weather.temperature_c == pytest.approx(15.0)


def test_wind_wanders_about_its_mean_and_blows_where_it_should() -> None:
    weather = Weather(Climate(wind_speed_m_s=4.0, wind_from_deg=270.0), branch(3, "wind"))
    winds = []
    for _ in range(4000):
        weather.advance(60.0)
        winds.append(weather.wind)
    east, north = np.mean(winds, axis=0)
    assert east == pytest.approx(4.0, rel=0.03)
    assert north == pytest.approx(0.0, abs=0.1)
    assert np.std([math.hypot(*wind) for wind in winds]) == pytest.approx(0.32, rel=0.1)


def test_generators_are_reproducible_and_do_not_depend_on_each_other() -> None:
    again = branch(5, "tag/a").random(4)
    assert (branch(5, "tag/a").random(4) == again).all()
    assert not (branch(5, "tag/b").random(4) == again).any()
    assert not (branch(6, "tag/a").random(4) == again).any()


def _steady_cloud(leak: Leak, wind_m_s: float, until_s: float) -> Cloud:
    cloud = Cloud(leak, "D")
    for step in range(round(until_s / 0.1)):
        cloud.advance(step * 0.1, 0.1, (wind_m_s, 0.0))
    return cloud


def test_what_leaked_is_in_the_cloud() -> None:
    cloud = Cloud(Leak(0, 0, 1, rate_kg_s=2.0, start_s=1.05, duration_s=7.3), "D")
    released = sum(cloud.advance(step * 0.1, 0.1, (3.0, 0.0)) for step in range(200))
    assert released == pytest.approx(2.0 * 7.3)
    assert cloud.mass_kg == pytest.approx(released)


def test_a_cloud_over_reflecting_ground_holds_the_mass_of_its_puff() -> None:
    cloud = Cloud(Leak(0, 0, 2.0, rate_kg_s=10.0, start_s=0.0, duration_s=0.1), "D")
    for step in range(300):
        cloud.advance(step * 0.1, 0.1, (3.0, 0.0))
    x, y, z = np.meshgrid(np.linspace(60, 120, 61), np.linspace(-40, 40, 41), np.linspace(0.25, 30, 61), indexing="ij")
    density = cloud.density_at(np.column_stack([x.ravel(), y.ravel(), z.ravel()]))
    cell_m3 = 1.0 * 2.0 * (29.75 / 60)
    assert density.sum() * cell_m3 == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("away_m", [20.0, 50.0, 100.0])
def test_a_steady_leak_agrees_with_the_gaussian_plume(away_m: float) -> None:
    wind_m_s, leak = 3.0, Leak(0, 0, 1.0, rate_kg_s=0.5, start_s=0.0, duration_s=1e6, initial_m=0.01)
    cloud = _steady_cloud(leak, wind_m_s, 90.0)
    across, upright = spread("D", np.array([away_m]), 0.01)
    y, z = 1.5, 1.2
    plume = (0.5 / (2 * math.pi * wind_m_s * across * upright) * np.exp(-(y**2) / (2 * across**2))) * (
        np.exp(-((z - 1.0) ** 2) / (2 * upright**2)) + np.exp(-((z + 1.0) ** 2) / (2 * upright**2))
    )
    # spreads grow along the plume, so a train of puffs is not the plume to the last digit
    assert cloud.density_at(np.array([[away_m, y, z]]))[0] == pytest.approx(plume[0], rel=0.1)


def test_nothing_is_seen_upwind_before_the_leak_or_far_beside_it() -> None:
    cloud = _steady_cloud(Leak(0, 0, 1.0, 1.0, 5.0, 100.0), 3.0, 20.0)
    upwind, beside, downwind = cloud.density_at(np.array([[-20.0, 0, 1], [20.0, 60.0, 1], [20.0, 0, 1]]))
    assert upwind < 1e-12
    assert beside < 1e-12
    assert downwind > 1e-3
    assert _steady_cloud(Leak(0, 0, 1.0, 1.0, 5.0, 100.0), 3.0, 4.0).mass_kg == 0.0


def test_concentration_is_at_most_all_of_the_air() -> None:
    ppm = parts_per_million(np.array([0.0, 0.00183, 50.0]), 44.1)
    assert ppm == pytest.approx([0.0, 1000.0, 1e6], rel=0.01)


def test_a_detector_shows_nine_tenths_of_a_step_after_its_t90() -> None:
    response = Response(np.array([10.0, 30.0]))
    for _ in range(100):
        response.advance(np.array([50.0, 50.0]), 0.1)
    assert response.shown[0] == pytest.approx(45.0)
    assert response.shown[1] < 30.0


ROUTE = ((36.85, 118.05), (36.86, 118.05), (36.86, 118.07))


def test_the_way_along_a_meridian_is_that_of_the_globe() -> None:
    assert distances_m(((36.0, 118.0), (37.0, 118.0)))[-1] == pytest.approx(111_195, rel=1e-3)


def test_a_truck_brakes_for_its_stop_stands_and_goes_on() -> None:
    truck = Truck(ROUTE, 15.0, (Stop(400.0, 20.0),), now_m_s=15.0)
    speeds = []
    for _ in range(900):
        truck.advance(0.1)
        speeds.append(truck.now_m_s)
    standing = [step for step, speed in enumerate(speeds) if speed == 0.0]
    assert len(standing) == pytest.approx(200, abs=3)
    assert max(np.abs(np.diff(speeds[: standing[0] - 30]))) <= 0.1  # 1 m/s²
    assert speeds[-1] > 0.0
    assert max(speeds) <= 15.0


def test_a_truck_stays_on_its_route_and_starts_over_at_its_end() -> None:
    truck = Truck(ROUTE, 30.0, (), now_m_s=30.0)
    rounds = 0
    for _ in range(2000):
        before_m = truck.travelled_m
        truck.advance(0.1)
        rounds += truck.travelled_m < before_m
        latitude, longitude = truck.place
        assert 36.85 <= latitude <= 36.86
        assert 118.05 <= longitude <= 118.07
    assert rounds == 2
