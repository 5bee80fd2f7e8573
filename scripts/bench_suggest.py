"""How often the stated bound of the false-alarm rate holds: limits from a short period, alarms counted on a long one.

Run: python scripts/bench_suggest.py
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.excursions import Course, raised, sustained_above, sustained_below
from alerting.slopes import window_slopes
from alerting.suggest import Normal, Suggestion, suggest

Floats = NDArray[np.float64]
Make = Callable[[int, np.random.Generator], Floats]

NORMAL, NEW = 20_000, 2_000_000
HOLD_MS, WINDOW_MS = 3_000, 32_000
WANTED: Final = (20.0, 2.0)
"""A day, of one condition: 4.6 and 0.46 in the normal period."""


def red(memory: float) -> Make:
    """First-order autoregression, one value a second."""

    def make(count: int, random: np.random.Generator) -> Floats:
        length = math.ceil(math.log(1e-8) / math.log(memory))
        kernel = memory ** np.arange(length) * math.sqrt(1.0 - memory**2)
        size = 1 << (count + 2 * length).bit_length()
        noise = np.fft.rfft(random.normal(size=count + length), size)
        return np.fft.irfft(noise * np.fft.rfft(kernel, size), size)[length : count + length]

    return make


KINDS: dict[str, Make] = {
    "white, Gaussian": lambda count, random: random.normal(size=count),
    "autoregressive, 0.9": red(0.9),
    "autoregressive, 0.99": red(0.99),
    "white, in steps of half a sigma": lambda count, random: np.round(random.normal(size=count) * 2.0) / 2.0,
    "white, exponential": lambda count, random: random.exponential(size=count),
    "white, Student t with 4 degrees": lambda count, random: random.standard_t(4, size=count),
}


def rate_on(one: Suggestion, value: Floats) -> float:
    """Return the alarms a day a suggestion raises on new data."""
    times = np.arange(len(value), dtype=np.int64) * 1_000
    y = window_slopes(times, value, WINDOW_MS) if one.condition.startswith("ROC") else value
    course = Course.of(times, y, np.isfinite(y), HOLD_MS)
    above, below = sustained_above(course, one.on_delay_ms), sustained_below(course, one.off_delay_ms)
    return len(raised(above, below, one.limit, one.deadband)) / (course.held_ms / 86_400_000)


def main() -> None:
    """Print a line for each kind of noise, condition and wanted rate."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, default=100, help="normal periods of each kind")
    count = parser.parse_args().series
    print("| noise | condition | wanted/day | bound holds | real/wanted: median, 95 % | bound/wanted, median |")
    print("|---|---|---|---|---|---|")
    times = np.arange(NORMAL, dtype=np.int64) * 1_000
    for name, make in KINDS.items():
        new = make(NEW, np.random.default_rng(10_000))
        for condition in ("H", "ROC+"):
            for wanted in WANTED:
                told: list[Suggestion] = []
                real: list[float] = []
                for seed in range(count if condition == "H" else count // 5):
                    value = make(NORMAL, np.random.default_rng(seed))
                    quality = np.zeros(NORMAL, np.uint8)
                    told += suggest(Normal(times, value, quality, HOLD_MS, WINDOW_MS), wanted, (condition,))
                    real.append(rate_on(told[-1], new))
                upper, rates = np.array([one.upper_per_day for one in told]), np.array(real)
                middle, far = np.quantile(rates, (0.5, 0.95)) / wanted
                holds = f"{int((rates <= upper).sum())} of {len(rates)}"
                bound = float(np.median(upper)) / wanted
                print(
                    f"| {name} | {condition} | {wanted:g} | {holds} | {middle:.2f}, {far:.2f} | {bound:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
