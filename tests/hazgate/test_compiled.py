"""The compiled twin of the alarm core against the engine: what is measured against must do the same."""

from __future__ import annotations

import numpy as np
import pytest

from alerting.batch import Batch, Disposition, Transitions
from alerting.engine import Engine
from alerting.quality import assess
from alerting.rules import BAD_PV, LIMITS, STALE, Rules
from config.plant.model import CONDITIONS

pytest.importorskip("numba", reason="numba is not installed: make setup")

from hazgate.bench.compiled import CompiledEngine

COLUMNS = ("tag", "condition", "change", "onset_ms", "time_ms", "value", "quality", "limit")
WATCHED = [*LIMITS, STALE, BAD_PV]


def _rules(rng: np.random.Generator, count: int) -> Rules:
    shape = (len(CONDITIONS), count)
    watched = np.isin(np.arange(len(CONDITIONS)), WATCHED)[:, None]
    limit = rng.choice([-1.0, 0.0, 1.0, 2.0, np.nan], shape)
    limit[[STALE, BAD_PV]] = np.nan
    return Rules(
        names=tuple(f"T{row}" for row in range(count)),
        limit=limit,
        deadband=rng.choice([0.0, 0.5, 1.0], shape),
        on_delay_ms=rng.choice([0, 5, 20, 50], shape),
        off_delay_ms=rng.choice([0, 5, 20, 50], shape),
        enabled=(rng.random(shape) < 0.8) & watched,
        tier=np.full(shape, 2, np.uint8),
        hold_ms=rng.choice([3, 20, 100], count),
        stale_after_ms=np.full(count, 10_000),
        range_low=np.full(count, -1.5),
        range_high=np.full(count, 2.5),
        window_ms=np.full(count, 16),
        partners=np.full((2, count), -1),
    )


def _batch(rng: np.random.Generator, tags: int, now_ms: int) -> Batch:
    """Late ones, duplicates, resends, clocks far ahead, NaN, readings out of range, bad and uncertain ones."""
    count = int(rng.integers(1, 1_500))
    time_ms = now_ms + np.sort(rng.integers(0, 400, count)) - rng.choice([0, 0, 0, 0, 7], count)
    time_ms[rng.random(count) < 0.01] += 400_000
    return Batch(
        tag=rng.integers(0, tags, count, dtype=np.int32),
        time_ms=time_ms,
        value=rng.choice([-2.0, -1.0, 0.0, 1.0, 1.0, 2.0, 3.0, np.nan, np.inf], count),
        quality=rng.choice(np.array([0, 0, 0, 0, 1, 2, 10, 14], np.uint8), count),
    )


def _assert_same(ours: Transitions, theirs: Transitions) -> None:
    for name in COLUMNS:
        column, other = getattr(ours, name), getattr(theirs, name)
        assert column.dtype == other.dtype
        assert column.tobytes() == other.tobytes(), name


@pytest.mark.parametrize("seed", range(4))
def test_the_compiled_twin_says_what_the_engine_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rules = _rules(rng, 60)
    engine, compiled = Engine(rules), CompiledEngine(rules)
    now_ms = 10_000
    engine.start(now_ms)
    seen, told = set[int](), set[int]()
    for _ in range(20):
        silent = np.flatnonzero(rules.enabled[STALE] & (rng.random(rules.count) < 0.1)).astype(np.int32)
        engine.adopt(silent, np.full(len(silent), STALE, np.uint8), np.full(len(silent), now_ms - 50))
        compiled.adopt_silence(silent, np.full(len(silent), now_ms - 50))
        raw = _batch(rng, rules.count, now_ms)
        now_ms += 500
        quality = assess(rules, raw, now_ms)
        ours = engine.evaluate(Batch(raw.tag, raw.time_ms, raw.value, quality), now_ms)
        theirs = compiled.evaluate(raw, now_ms)
        assert theirs.disposition.tolist() == ours.disposition.tolist()
        _assert_same(ours.transitions, theirs.transitions)
        assert compiled.active.T.tolist() == engine.active[[*LIMITS, BAD_PV]].tolist()
        seen |= set(ours.disposition.tolist())
        told |= set(ours.transitions.condition.tolist())
    assert seen == set(Disposition), "each verdict was met"
    assert told == set(WATCHED), "each condition was met"


def test_more_transitions_than_there_was_room_for_at_first() -> None:
    rules = _rules(np.random.default_rng(0), 400)
    tag = np.tile(np.arange(rules.count, dtype=np.int32), 40)
    time_ms = np.repeat(np.arange(40) * 100, rules.count)
    value = np.where(np.arange(len(tag)) // rules.count % 2, 2.0, -1.0)
    batch = Batch(tag, time_ms, value, np.zeros(len(tag), np.uint8))
    ours = Engine(rules).evaluate(batch, 5_000).transitions
    assert len(ours) > 8 * 1_024
    _assert_same(ours, CompiledEngine(rules).evaluate(batch, 5_000).transitions)
