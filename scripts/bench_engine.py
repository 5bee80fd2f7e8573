"""How fast the alarm engine is: cost per call of small batches, samples per second of large ones.

Run: python scripts/bench_engine.py
"""

from __future__ import annotations

import gc
import platform
from time import perf_counter

import numpy as np

from alerting.batch import Batch
from alerting.engine import Engine
from alerting.quality import assess
from alerting.rules import Rules
from config.plant.model import CONDITIONS, Condition


def rules_of(tags: int) -> Rules:
    """Return rules with every condition enabled: L 10, H 90, one second of delay, samples every second."""
    shape = (len(CONDITIONS), tags)
    limits = {Condition.HH: 95.0, Condition.H: 90.0, Condition.L: 10.0, Condition.LL: 5.0}
    limit = np.array([limits.get(condition, np.nan) for condition in CONDITIONS])
    return Rules(
        names=tuple(f"T{row}" for row in range(tags)),
        limit=np.repeat(limit[:, None], tags, axis=1),
        deadband=np.full(shape, 2.0),
        on_delay_ms=np.full(shape, 2_000),
        off_delay_ms=np.full(shape, 2_000),
        enabled=np.ones(shape, np.bool_),
        tier=np.full(shape, 2, np.uint8),
        hold_ms=np.full(tags, 3_000),
        stale_after_ms=np.full(tags, 60_000),
        range_low=np.zeros(tags),
        range_high=np.full(tags, 100.0),
    )


def measure(tags: int, samples: int, active: float, calls: int, *, spread: bool = True) -> tuple[np.ndarray, int]:
    """Return seconds per call, and how many transitions there were.

    Args:
        tags: Rows of the rules.
        samples: Samples per batch.
        active: Part of the tags whose value wanders over the limit; they raise and clear all the time.
        calls: Batches.
        spread: One sample per tag and batch in shuffled order; else a backlog on 100 tags.
    """
    rng = np.random.default_rng(1)
    rules = rules_of(tags)
    engine = Engine(rules)
    now_ms = 1_000_000
    engine.start(now_ms)
    lively = rng.random(tags) < active
    taken = []
    told = 0
    for _ in range(calls + 3):
        if spread:
            tag = rng.permutation(tags)[:samples].astype(np.int32)
            time_ms = np.full(samples, now_ms, np.int64)
            now_ms += 1_000
        else:
            tag = np.tile(np.arange(100, dtype=np.int32), samples // 100)
            time_ms = now_ms + 1_000 * np.arange(samples, dtype=np.int64) // 100
            now_ms += samples * 10
        phase = np.sin(time_ms / 7_000.0 + tag)
        value = np.where(lively[tag], 90.0 + 3.0 * phase, 50.0 + 10.0 * phase)
        batch = Batch(tag, time_ms, value, np.zeros(samples, np.uint8))
        begin = perf_counter()
        batch = Batch(tag, time_ms, value, assess(rules, batch, now_ms))
        evaluation = engine.evaluate(batch, now_ms)
        taken.append(perf_counter() - begin)
        told += len(evaluation.transitions)
    return np.array(taken[3:]), told


def measure_tick(tags: int, calls: int) -> np.ndarray:
    """Return seconds per tick with nothing to do."""
    rules = rules_of(tags)
    engine = Engine(rules)
    engine.start(0)
    taken = []
    for now_ms in range(calls):
        begin = perf_counter()
        engine.tick(now_ms)
        taken.append(perf_counter() - begin)
    return np.array(taken)


def main() -> None:
    """Print the table."""
    gc.disable()
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}; assess + evaluate")
    print(f"{'case':<44}{'p50 us':>9}{'p99 us':>9}{'M/s':>8}{'transitions':>13}")
    cases = [
        ("50 quiet samples, 1 000 tags", 1_000, 50, 0.0, 2_000, True),
        ("1 000 samples, 1 000 tags, quiet", 1_000, 1_000, 0.0, 2_000, True),
        ("1 000 samples, 1 000 tags, 1 % active", 1_000, 1_000, 0.01, 2_000, True),
        ("1 000 samples, 1 000 tags, 100 % active", 1_000, 1_000, 1.0, 1_000, True),
        ("100 000 samples, 100 000 tags, quiet", 100_000, 100_000, 0.0, 40, True),
        ("100 000 samples, 100 000 tags, 1 % active", 100_000, 100_000, 0.01, 40, True),
        ("100 000 samples, 100 000 tags, 100 % active", 100_000, 100_000, 1.0, 20, True),
        ("100 000 samples, backlog of 100 tags, quiet", 1_000, 100_000, 0.0, 40, False),
        ("100 000 samples, backlog of 100 tags, active", 1_000, 100_000, 1.0, 20, False),
        ("100 000 samples, 1 000 000 tags, 1 % active", 1_000_000, 100_000, 0.01, 20, True),
    ]
    for name, tags, samples, active, calls, spread in cases:
        taken, told = measure(tags, samples, active, calls, spread=spread)
        p50, p99 = np.percentile(taken, [50, 99]) * 1e6
        print(f"{name:<44}{p50:>9.0f}{p99:>9.0f}{samples / p50:>8.1f}{told:>13}")
    p50, p99 = np.percentile(measure_tick(100_000, 300), [50, 99]) * 1e6
    print(f"{'tick, 100 000 tags, nothing happens':<44}{p50:>9.0f}{p99:>9.0f}")


if __name__ == "__main__":
    main()
