"""Clusters, tails and bounds: against known values and drawn samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.tails import HEAVIEST, Tail, cluster_starts, fit, fit_excesses, poisson_upper


@pytest.mark.parametrize(("count", "upper"), [(0, 2.9957), (1, 4.7439), (10, 16.9622), (200, 225.0)])
def test_the_poisson_bound_is_that_of_the_tables(count: int, upper: float) -> None:
    assert poisson_upper(count) == pytest.approx(upper, rel=2e-3)


@pytest.mark.parametrize("shape", [0.0, 0.2])
def test_a_drawn_tail_is_found_again(shape: float) -> None:
    uniform = np.random.default_rng(1).uniform(size=20_000)
    excess = np.sort(2.0 * (uniform**-shape - 1.0) / shape if shape else -2.0 * np.log(uniform))
    scale, found = fit_excesses(excess, np.ones(len(excess)))
    assert float(scale) == pytest.approx(2.0, rel=0.05)
    assert float(found) == pytest.approx(shape, abs=0.03)


def test_a_bounded_tail_is_taken_for_an_exponential_one_of_the_same_mean() -> None:
    excess = np.linspace(0.0, 1.0, 1_001)
    scale, shape = fit_excesses(excess, np.ones(1_001))
    assert float(scale) == pytest.approx(0.5)
    assert float(shape) == 0.0


@given(st.lists(st.integers(0, 3), min_size=12, max_size=12).filter(any))
def test_a_weight_is_worth_so_many_repetitions(weight: list[int]) -> None:
    excess = np.arange(1.0, 13.0) ** 2
    repeated = np.repeat(excess, weight)
    by_weight = fit_excesses(excess, np.array(weight, np.float64))
    assert float(by_weight[0]) > 0.0
    assert 0.0 <= float(by_weight[1]) <= HEAVIEST
    mean = float(by_weight[0]) / (1.0 - float(by_weight[1]))
    assert mean == pytest.approx(float(repeated.mean()))


def test_steps_give_a_geometric_tail() -> None:
    random = np.random.default_rng(2)
    beyond = random.geometric(0.8, 50_000).astype(np.float64) - 1.0  # goes beyond each next step one time in five
    scale, shape = fit((beyond + 0.5) * 3.0, 3.0)
    assert float(np.exp(-3.0 / scale)) == pytest.approx(0.2, abs=0.01)
    assert float(shape) == 0.0


def test_what_never_went_beyond_a_step_may_yet() -> None:
    scale, _ = fit(np.full(49, 0.5), 1.0)
    assert float(np.exp(-1.0 / scale)) == pytest.approx(0.5 / 50)


@given(st.floats(0.01, 5.0), st.floats(0.0, 0.5), st.floats(0.001, 0.9))
def test_the_limit_for_a_rate_has_that_rate(scale: float, shape: float, part: float) -> None:
    tail = Tail(10.0, np.asarray(7.0), np.asarray(scale), np.asarray(shape))
    limit = float(tail.limit_for(7.0 * part))
    assert limit >= 10.0
    assert float(tail.rate_at(limit)) == pytest.approx(7.0 * part, rel=1e-6)


def test_a_rate_above_that_of_the_threshold_gives_the_threshold() -> None:
    tail = Tail(10.0, np.asarray(7.0), np.asarray(1.0), np.asarray(0.1))
    assert float(tail.limit_for(70.0)) == 10.0


def test_exceedances_without_memory_are_nearly_all_clusters() -> None:
    position = np.flatnonzero(np.random.default_rng(3).uniform(size=100_000) < 0.002)
    assert len(cluster_starts(position)) > 0.85 * len(position)


def test_bursts_are_clusters() -> None:
    random = np.random.default_rng(4)
    begins = np.sort(random.choice(100_000, 40, replace=False)) * 50
    position = np.unique(begins[:, None] + random.choice(12, (40, 6)).cumsum(axis=1) // 6 * 2)
    assert len(cluster_starts(position)) == pytest.approx(40, abs=6)


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_an_unbroken_run_is_one_cluster(count: int) -> None:
    assert len(cluster_starts(np.arange(10, 10 + count))) == min(count, 1)


def test_a_draw_of_nothing_but_the_threshold_is_a_narrow_tail_not_a_division_by_zero() -> None:
    scale, shape = fit_excesses(np.array([0.0, 0.0, 3.0]), np.array([[1.0, 2.0, 0.0]]))
    tail = Tail(1.0, np.array([5.0]), scale, shape)
    assert tail.rate_at(2.0).tolist() == [0.0]
    assert tail.rate_at(1.0).tolist() == [5.0]
