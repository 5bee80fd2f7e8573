"""How often rare values come: clusters of exceedances, a generalised Pareto tail over them, and how sure it is.

- Peaks over a threshold, generalised Pareto excesses, return levels: Coles, An Introduction to Statistical Modeling of
  Extreme Values (2001), chapter 4; dependence and clusters: chapter 5.
- Where one cluster ends: Ferro and Segers, Inference for clusters of extreme values, J. R. Statist. Soc. B 65 (2003).
- Values in steps: a geometric tail, its probability by Jeffreys' prior.
- Fit by probability-weighted moments: Hosking and Wallis, Technometrics 29 (1987).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["HEAVIEST", "Tail", "cluster_starts", "fit", "fit_excesses", "poisson_upper", "resample"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HEAVIEST: Final = 0.5
"""Largest shape believed; a heavier tail is no sensor noise, and moments do not fit it."""
_BISECTIONS: Final = 60
_SEED: Final = 182
_NARROWEST: Final = 1e-12
"""Scale of a tail of which a draw took nothing but the threshold itself, as a part of the greatest excess."""
_CLOSE: Final = 2.0
"""Exceedances never farther apart than this leave Ferro and Segers' second estimator without a number."""


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """How often alarms come above a threshold; every field a number, or an array of equally many."""

    threshold: float
    rate: Floats
    """Alarms a day with the limit at the threshold."""
    scale: Floats
    shape: Floats
    """0 to `HEAVIEST`: 0 is exponential. A bounded tail (below 0) is never believed: that errs towards fewer alarms."""
    step: float = 0.0
    """Values come in steps of this; 0: they do not."""

    def rate_at(self, limit: float) -> Floats:
        """Return alarms a day with the limit there, at or above the threshold."""
        above = max(limit - self.threshold, 0.0) / self.scale
        bent = np.maximum(self.shape, 1e-9)
        return np.asarray(self.rate * np.exp(-np.log1p(bent * above) / bent))

    def limit_for(self, rate: float) -> Floats:
        """Return the limit that gives so many alarms a day; the threshold where that gives fewer (Coles 4.12)."""
        factor = np.log(np.maximum(self.rate / rate, 1.0))
        bent = np.maximum(self.shape, 1e-9)
        return np.asarray(self.threshold + self.scale * np.expm1(bent * factor) / bent)


def cluster_starts(position: Ints) -> Ints:
    """Group exceedances into clusters that are as good as independent.

    The extremal index is estimated from the times between exceedances, and as many of the longest times as that
    calls for part the clusters (Ferro and Segers 2003, with ties kept together). Neighbours are never parted: their
    estimator takes one unbroken run for so many independent values.

    Args:
        position: m positions in the series, rising.

    Returns:
        Indexes into ``position`` at which clusters begin; empty for no exceedance.
    """
    count = len(position)
    if count <= 1:
        return np.arange(count)
    gap = np.diff(position).astype(np.float64)
    if gap.max() > _CLOSE:
        top, bottom = 2.0 * (gap - 1.0).sum() ** 2, ((gap - 1.0) * (gap - 2.0)).sum()
    else:
        top, bottom = 2.0 * gap.sum() ** 2, (gap**2).sum()
    index = min(1.0, top / ((count - 1) * bottom))
    wanted = min(int(index * count) + 1, count - 1)
    parting = np.partition(gap, len(gap) - wanted)[len(gap) - wanted]
    shortest = parting if index < 1.0 else 0.0
    return np.concatenate(([0], np.flatnonzero(gap > max(shortest, 1.0)) + 1))


def fit_excesses(excess: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Fit generalised Pareto distributions by probability-weighted moments.

    Args:
        excess: m excesses over the threshold, >= 0, rising.
        weight: [..., m]: how often each counts.

    Returns:
        Scale and shape, [...]; the shape is kept within 0 and `HEAVIEST`, and the scale then keeps the mean.
    """
    total = np.maximum(weight.sum(axis=-1), 1.0)
    exceeded_by = 1.0 - (np.cumsum(weight, axis=-1) - weight / 2.0 + 0.15) / total[..., None]
    mean = (weight * excess).sum(axis=-1) / total
    moment = (weight * excess * exceeded_by).sum(axis=-1) / total
    spread = mean - 2.0 * moment
    usual = spread > 1e-9 * mean
    shape = np.where(usual, 2.0 - mean / np.where(usual, spread, 1.0), 0.0).clip(0.0, HEAVIEST)
    return np.maximum(mean * (1.0 - shape), _NARROWEST * max(float(excess[-1]), _NARROWEST)), shape


def fit_steps(excess: Floats, weight: Floats, step: float) -> tuple[Floats, Floats]:
    """Count exceedances of values that come in steps: how many of the steps reached were gone beyond.

    Args:
        excess: m excesses over a threshold half a step below a value: half a step and whole ones.
        weight: [..., m]: how often each counts.
        step: The step.

    Returns:
        Times a step was gone beyond, and times it was not, [...].
    """
    steps = np.maximum(np.round(excess / step - 0.5), 0.0)
    return (weight * steps).sum(axis=-1), weight.sum(axis=-1)


def step_scale(beyond: Floats, step: float) -> Floats:
    """Return the scale of the exponential tail that goes beyond each next step with the given probability."""
    return np.asarray(step / -np.log(np.clip(beyond, 1e-12, 1.0 - 1e-9)))


def fit(excess: Floats, step: float) -> tuple[Floats, Floats]:
    """Return scale and shape of excesses, continuous or (``step`` > 0) in steps.

    In steps the tail is geometric, with Jeffreys' estimate of going beyond a step: what never happened among N
    clusters is not impossible, but at about 1 in 2 N.
    """
    ones = np.ones(len(excess))
    if not step:
        return fit_excesses(np.sort(excess), ones)
    beyond, stopped = fit_steps(excess, ones, step)
    return step_scale((beyond + 0.5) / (beyond + stopped + 1.0), step), np.zeros(())


def resample(peak: Floats, block_of_peak: Ints, alarms: Ints, tail: Tail, days: float, draws: int) -> Tail:
    """Return tails of the series put together anew from its own blocks, so that what comes together stays together.

    Args:
        peak: m cluster peaks, above the threshold.
        block_of_peak: Block each lies in.
        alarms: [blocks]: alarms in each with the limit at the threshold.
        tail: The tail fitted.
        days: Length of the series.
        draws: How many.
    """
    blocks, random = len(alarms), np.random.default_rng(_SEED)
    times = random.multinomial(blocks, np.full(blocks, 1.0 / blocks), size=draws)
    order = np.argsort(peak, kind="stable")
    excess, weight = peak[order] - tail.threshold, times[:, block_of_peak[order]].astype(np.float64)
    kept = weight.sum(axis=1) > 1.0
    times, weight = times[kept], weight[kept]
    if tail.step:
        beyond, stopped = fit_steps(excess, weight, tail.step)
        scale = step_scale(random.beta(beyond + 0.5, stopped + 0.5), tail.step)
        shape = np.zeros(len(scale))
    else:
        scale, shape = fit_excesses(excess, weight)
    return Tail(tail.threshold, (times @ alarms) / days, scale, shape, tail.step)


def poisson_upper(count: int, level: float = 0.95) -> float:
    """Return the exact upper confidence bound of the mean of a Poisson count (Garwood 1936); 3.0 for none at 95 %."""
    logs = np.array([math.lgamma(k + 1.0) for k in range(count + 1)])
    number = np.arange(count + 1.0)
    low, high = float(count), count + 10.0 + 10.0 * math.sqrt(count + 1.0)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        at_most = float(np.exp(number * math.log(max(middle, 1e-300)) - middle - logs).sum())
        low, high = (middle, high) if at_most > 1.0 - level else (low, middle)
    return high
