"""From levels to masses and bands: geometry against numeric integration, gauges that fail, edges with a deadband."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.contract.quality import Quality, Reason, pack
from config.gb18218 import edition_on, load_gb18218
from gateway.grading.inventory import Basis, Inventory, Stock, graded, measure, nothing_known
from gateway.grading.volumes import GEOMETRY, Geometry, density_at, share_filled
from gateway.live import Values
from gateway.registry.kinds import VesselShape
from tests.gateway.api.world import T0

BY = load_gb18218().operational_on(date(2026, 11, 27))
EDITION = edition_on(date(2026, 11, 27))
GOOD, UNCERTAIN, BAD = 0, pack(Quality.UNCERTAIN, Reason.DEVICE), pack(Quality.BAD, Reason.DEVICE)
NAN = math.nan


def share(geometry: Geometry, height: float) -> float:
    return float(share_filled(np.array([geometry], np.uint8), np.array([height]))[0])


def integrated(geometry: Geometry, height: float) -> float:
    """Slices of the vessel, from the bottom up to the level over all of them."""
    middles = (np.arange(40_000) + 0.5) / 40_000
    half = np.sqrt(middles * (1 - middles))  # of the chord, radius 1/2
    area = {Geometry.LINEAR: np.ones_like(middles), Geometry.SPHERE: half**2, Geometry.LYING: half}[geometry]
    return float(area[middles < height].sum() / area.sum())


@given(st.sampled_from(Geometry), st.floats(0, 1))
def test_the_formulas_are_what_slices_add_up_to(geometry: Geometry, height: float) -> None:
    assert share(geometry, height) == pytest.approx(integrated(geometry, height), abs=1e-4)


@pytest.mark.parametrize("geometry", Geometry)
def test_empty_half_and_full_are_exact(geometry: Geometry) -> None:
    assert [share(geometry, x) for x in (0.0, 0.5, 1.0)] == pytest.approx([0, 0.5, 1], abs=1e-15)
    assert math.isnan(share(geometry, NAN))


@given(st.sampled_from(Geometry), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_level_is_more(geometry: Geometry, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert share(geometry, low) <= share(geometry, high) + 1e-12


def test_every_shape_has_a_geometry() -> None:
    assert set(GEOMETRY) == set(VesselShape)
    assert [GEOMETRY[VesselShape.SPHERE], GEOMETRY[VesselShape.HORIZONTAL_TANK]] == [Geometry.SPHERE, Geometry.LYING]


def test_density_falls_as_it_gets_warmer() -> None:
    found = density_at(np.array([20.0, 40, 0, NAN, -1e6]), *(np.full(5, one) for one in (1000.0, 20.0, 0.001)))
    assert found.tolist() == pytest.approx([1000, 1000 / 1.02, 1000 / 0.98, 1000, 2000])


# --- gauges -------------------------------------------------------------------------------------------------------


def stock(
    vessels: int = 1,
    levels: tuple[int, ...] = (0,),
    warmths: tuple[int, ...] = (),
    **changes: Any,  # noqa: ANN401 - arrays of several types
) -> Stock:
    """Standing tanks of 100 m3 and 10 m with 1000 kg/m3, Q = 10 t and beta = 2, all in one unit of alpha = 1."""

    def all_(value: float) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.full(vessels, value)

    made = Stock(
        unit=np.zeros(vessels, np.intp),
        geometry=np.zeros(vessels, np.uint8),
        capacity_m3=all_(100),
        height_m=all_(10),
        density_kg_m3=all_(1000),
        density_at_c=all_(20),
        expansion_per_k=all_(0.001),
        design_max_t=all_(90),
        per_s=all_(1 / 10),
        per_r=all_(2 / 10),
        level_row=np.arange(len(levels), dtype=np.intp),
        level_vessel=np.array(levels, np.intp),
        level_percent=np.zeros(len(levels), np.bool_),
        warmth_row=np.arange(len(levels), len(levels) + len(warmths), dtype=np.intp),
        warmth_vessel=np.array(warmths, np.intp),
        alpha=np.ones(1),
    )
    return replace(made, **changes)


def values(*read: float | tuple[float, int] | tuple[float, int, bool]) -> Values:
    rows = [(one if isinstance(one, tuple) else (one,)) for one in read]
    filled = [(*row, *(GOOD, False)[len(row) - 1 :]) for row in rows]
    value, quality, stale = (list(column) for column in zip(*filled, strict=True))
    times = np.arange(len(rows), dtype=np.int64) + T0
    return Values(T0, ("x",) * len(rows), times, times, np.array(value), np.array(quality, np.uint8), np.array(stale))


def weigh(of: Stock, *reads: Values) -> Inventory:
    known = nothing_known(len(of.unit))
    for read in reads[:-1]:
        known = measure(of, read, known, BY).known
    return measure(of, reads[-1], known, BY)


def test_a_level_becomes_a_mass() -> None:
    found = weigh(stock(), values(5.0))
    assert (found.volume_m3[0], found.mass_t[0], found.s[0], found.r[0]) == pytest.approx((50, 50, 5, 10))
    assert (found.basis[0], found.complete[0], found.known.at_ms[0]) == (Basis.LEVEL, True, T0)


def test_a_percentage_is_of_the_height() -> None:
    lying = stock(geometry=np.array([Geometry.LYING], np.uint8), level_percent=np.array([True]))
    assert weigh(lying, values(25.0)).mass_t[0] == pytest.approx(100 * integrated(Geometry.LYING, 0.25), abs=0.01)


@pytest.mark.parametrize(
    ("second", "basis"),
    [
        ((1.0, GOOD, True), Basis.LAST_KNOWN),
        ((1.0, BAD, False), Basis.LAST_KNOWN),
        (NAN, Basis.LAST_KNOWN),
        (-0.3, Basis.LAST_KNOWN),
        (math.inf, Basis.LAST_KNOWN),
    ],
)
def test_a_gauge_that_fails_takes_nothing_away(second: float | tuple[float, int, bool], basis: Basis) -> None:
    found = weigh(stock(), values(8.0), values(second))
    assert (found.mass_t[0], found.basis[0], found.complete[0]) == (pytest.approx(80), basis, False)


def test_drift_of_the_zero_is_empty_and_above_full_is_full() -> None:
    assert weigh(stock(), values(-0.1)).mass_t[0] == 0
    assert weigh(stock(), values(10.7)).mass_t[0] == pytest.approx(100)


def test_an_uncertain_level_counts_and_is_said_to_be() -> None:
    found = weigh(stock(), values(8.0), values((2.0, UNCERTAIN)))
    assert (found.mass_t[0], found.basis[0], found.complete[0]) == (pytest.approx(20), Basis.UNCERTAIN, False)


def test_before_a_gauge_ever_spoke_the_design_maximum_counts() -> None:
    silent = values((5.0, GOOD, True))
    found = weigh(stock(), silent)
    assert (found.mass_t[0], found.s[0], found.basis[0]) == (90, 9, Basis.DESIGN_MAX)
    nothing = weigh(stock(design_max_t=np.array([NAN])), silent)
    assert (nothing.s[0], nothing.basis[0], nothing.complete[0]) == (0, Basis.UNKNOWN, False)


@pytest.mark.parametrize("missing", ["capacity_m3", "height_m", "density_kg_m3"])
def test_where_no_mass_follows_the_design_maximum_counts(missing: str) -> None:
    found = weigh(replace(stock(), **cast("dict[str, Any]", {missing: np.array([NAN])})), values(5.0))
    assert (found.mass_t[0], found.basis[0]) == (90, Basis.DESIGN_MAX)


def test_of_several_gauges_those_count_that_make_it_more() -> None:
    two = stock(levels=(0, 0), warmths=(0, 0))
    assert weigh(two, values(5.0, 8.0, 60.0, 20.0)).mass_t[0] == pytest.approx(80)
    assert weigh(two, values(5.0, (8.0, BAD), 70.0, (20.0, BAD))).mass_t[0] == pytest.approx(50 / 1.05)
    assert weigh(two, values((5.0, UNCERTAIN), 8.0, 20.0, 20.0)).basis[0] == Basis.LEVEL
    assert weigh(two, values(5.0, (8.0, UNCERTAIN), 20.0, 20.0)).basis[0] == Basis.UNCERTAIN


def test_a_temperature_that_fails_stays_what_it_was() -> None:
    warm = stock(warmths=(0,))
    assert weigh(warm, values(5.0, 70.0), values(5.0, (0.0, BAD))).mass_t[0] == pytest.approx(50 / 1.05)


def test_what_is_not_in_the_standard_is_not_counted_and_not_complete() -> None:
    found = weigh(stock(per_s=np.array([NAN]), per_r=np.array([NAN])), values(5.0))
    assert (found.s[0], found.mass_t[0], found.complete[0]) == (0, pytest.approx(50), False)


def test_units_have_their_own_sums() -> None:
    many = stock(vessels=3, levels=(0, 1, 2), unit=np.array([0, 1, 1], np.intp), alpha=np.array([1.0, 2.0, NAN]))
    found = weigh(many, values(1.0, 2.0, 3.0))
    assert found.s.tolist() == pytest.approx([1, 5, 0])
    assert found.r.tolist() == pytest.approx([2, 20, NAN], nan_ok=True)
    assert found.complete.tolist() == [True, True, False]


LEVELS = st.lists(
    st.tuples(st.floats(-1, 11) | st.just(NAN), st.sampled_from([GOOD, UNCERTAIN, BAD]), st.booleans()),
    min_size=1, max_size=12,
)  # fmt: skip


@given(st.lists(LEVELS, min_size=1, max_size=4))
def test_one_vessel_at_a_time_says_the_same(turns: list[list[tuple[float, int, bool]]]) -> None:
    """The slow twin: four tanks in two units, gauges dealt to them in turn, a loop over all."""
    gauges = max(map(len, turns))
    filled = [turn + [(NAN, BAD, True)] * (gauges - len(turn)) for turn in turns]
    many = stock(
        vessels=4,
        levels=tuple(number % 4 for number in range(gauges)),
        unit=np.array([0, 0, 1, 1], np.intp),
        alpha=np.array([1.0, 2.0]),
    )
    last = [NAN] * 4
    for turn in filled:
        for tank in range(4):
            heights = [
                min(max(v / 10, 0), 1)
                for number, (v, quality, stale) in enumerate(turn)
                if number % 4 == tank and quality != BAD and not stale and v >= -0.2
            ]
            last[tank] = max(heights, default=last[tank])
    masses = [90 if math.isnan(one) else 100 * one for one in last]
    found = weigh(many, *(values(*turn) for turn in filled))
    assert found.mass_t.tolist() == pytest.approx(masses)
    assert found.s.tolist() == pytest.approx([sum(masses[:2]) / 10, sum(masses[2:]) / 10])
    assert found.r.tolist() == pytest.approx([sum(masses[:2]) / 5, 2 * sum(masses[2:]) / 5])


# --- bands --------------------------------------------------------------------------------------------------------


def ranked(s: float, r: float, before: int = -1) -> int:
    found = replace(weigh(stock(), values(1.0)), s=np.array([s]), r=np.array([r]))
    return int(graded(found, np.array([before], np.int8), EDITION, BY)[0])


@pytest.mark.parametrize(
    ("s", "r", "rank"),
    [(0.999, 500, 0), (1, 9.999, 1), (1, 10, 2), (5, 49.99, 2), (5, 50, 3), (5, 99.9, 3), (5, 100, 4), (5, NAN, -1),
     (sum([0.1] * 10), 3, 1)],
)  # fmt: skip
def test_bands_are_entered_at_their_edges(s: float, r: float, rank: int) -> None:
    assert ranked(s, r) == rank


@pytest.mark.parametrize(
    ("s", "r", "before", "rank"),
    [(5, 9.9, 2, 2), (5, 9.7, 2, 1), (5, 9.9, 1, 1), (5, 99, 4, 4), (5, 97, 4, 3), (0.99, 5, 1, 1), (0.97, 5, 1, 0),
     (0.99, 5, 0, 0), (0.5, 5, 4, 0), (5, 49.5, 4, 3), (5, 200, 0, 4)],
)  # fmt: skip
def test_a_band_is_left_only_well_below_its_edge(s: float, r: float, before: int, rank: int) -> None:
    assert ranked(s, r, before) == rank


@given(st.lists(st.floats(9.85, 10.15), min_size=1, max_size=30))
def test_noise_at_an_edge_crosses_it_once_at_most(noise: list[float]) -> None:
    ranks = [ranked(5, noise[0])]
    for r in noise[1:]:
        ranks.append(ranked(5, r, ranks[-1]))
    assert sum(one != other for one, other in pairwise(ranks)) <= 1
