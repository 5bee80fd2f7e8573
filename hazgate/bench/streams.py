"""Streams for the benchmark of the alarm core: quiet noise, and tags that wander over their limit and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from alerting.batch import Batch
from alerting.rules import NOBODY, Rules
from config.plant.model import CONDITIONS, Condition

__all__ = ["FEW", "START_MS", "Conditions", "Shape", "Stream", "bench_rules"]

Conditions = Literal["limits", "all"]
Shape = Literal["each tag once", "backlog"]

START_MS: Final = 1_000_000
FEW: Final = 200
"""Tags a backlog is of."""
BACKLOG: Final = 100_000
"""Samples of a batch of backlog."""

_PERIOD_MS: Final = 1_000
_NOISE: Final = 0.5
_WINDOW_MS: Final = 300_000
_FRAME: Final = 100
_VALUE_LIMITS: Final = {Condition.HH: 95.0, Condition.H: 90.0, Condition.L: 10.0, Condition.LL: 5.0}
_LIMITS: Final = _VALUE_LIMITS | {
    Condition.ROC_HIGH: 10.0,
    Condition.ROC_LOW: 10.0,
    Condition.FORECAST: 2.0,
    Condition.DEV: 30.0,
    Condition.FLATLINE: 0.001,
}
_WATCHED: Final = frozenset({*_VALUE_LIMITS, Condition.STALE, Condition.BAD_PV})


def bench_rules(tags: int, conditions: Conditions) -> Rules:
    """Return equal rules for every tag: L 10, H 90 and so on, delays of 2 s, a sample a second.

    Args:
        tags: How many.
        conditions: ``limits``: HH H L LL, STALE and BAD_PV; ``all``: every condition there is, windows of five
            minutes, each tag compared with its neighbour.
    """
    shape = (len(CONDITIONS), tags)
    limit = np.array([_LIMITS.get(condition, np.nan) for condition in CONDITIONS])
    enabled = np.array([conditions == "all" or condition in _WATCHED for condition in CONDITIONS])
    return Rules(
        names=tuple(f"T{row}" for row in range(tags)),
        limit=np.repeat(limit[:, None], tags, axis=1),
        deadband=np.full(shape, 2.0),
        on_delay_ms=np.full(shape, 2 * _PERIOD_MS),
        off_delay_ms=np.full(shape, 2 * _PERIOD_MS),
        enabled=np.repeat(enabled[:, None], tags, axis=1),
        tier=np.full(shape, 2, np.uint8),
        hold_ms=np.full(tags, 3 * _PERIOD_MS),
        stale_after_ms=np.full(tags, 600 * _PERIOD_MS),
        range_low=np.zeros(tags),
        range_high=np.full(tags, 100.0),
        window_ms=np.full(tags, _WINDOW_MS),
        partners=np.stack([np.arange(tags) ^ 1, np.full(tags, NOBODY)]),
    )


@dataclass(frozen=True, slots=True)
class Stream:
    """Batches as the gateway would receive them.

    Tags 2n and 2n + 1 do the same, so that a tag never differs from its neighbour by more than noise.
    """

    tags: int
    active: float
    """Part of the tags whose value wanders over H, every 44 s; the others are noise around 50."""
    shape: Shape
    """``each tag once``: a batch has one sample of each tag, in frames of a hundred tags, as edges send, the frames
    shuffled; ``backlog``: 100 000 samples of a few
    tags in the order of time."""
    samples: int = 0
    """Samples of a batch, if not as many as the shape says."""

    @property
    def batch_samples(self) -> int:
        """Return how many samples each batch has."""
        return self.samples or (self.tags if self.shape == "each tag once" else BACKLOG)

    def batches(self) -> Iterator[tuple[Batch, int]]:
        """Generate batches with the gateway's time of their receipt, without end."""
        rng = np.random.default_rng(1)
        now_ms = START_MS
        samples = self.batch_samples
        few = min(FEW, self.tags)
        ticks = np.arange(samples, dtype=np.int64)
        while True:
            if self.shape == "each tag once":
                frames = rng.permutation(-(-self.tags // _FRAME))
                tag = (frames[:, None] * _FRAME + np.arange(_FRAME)).reshape(-1)
                tag = tag[tag < self.tags][:samples].astype(np.int32)
                time_ms = np.full(samples, now_ms)
                now_ms += _PERIOD_MS
            else:
                tag = (ticks % few).astype(np.int32)
                time_ms = now_ms + _PERIOD_MS * (ticks // few)
                now_ms = int(time_ms[-1]) + _PERIOD_MS
            pair = tag // 2
            noise = _NOISE * rng.standard_normal(samples, np.float32)
            wander = 90.0 + 3.0 * np.sin(time_ms / 7_000.0 + pair)
            lively = self.active > 0
            lively &= pair % round(1 / (self.active or 1)) == 0
            value = np.where(lively, wander, 50.0) + noise
            yield Batch(tag, time_ms, value, np.zeros(samples, np.uint8)), now_ms
