"""Rates, forecasts, deviations and flat lines against the twin, on signals long enough to mean something."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from alerting.batch import Batch, Change
from alerting.engine import Engine
from alerting.quality import assess
from alerting.rules import Rules
from alerting.samples import Samples
from config.plant.model import CONDITIONS, Condition
from tests.alerting.test_twin import assert_same_state, bits
from tests.support.naive import NaiveEngine, Transition
from tests.support.rules import Cell, Row, make_rules, rules_strategy
from tests.support.streams import listed

DERIVED = (Condition.ROC_HIGH, Condition.ROC_LOW, Condition.FORECAST, Condition.DEV, Condition.FLATLINE)


def signal(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Return a value that rests, drifts, jumps and trembles in turn, within -1.5 and 2.5."""
    parts = list[NDArray[np.float64]]()
    value = 0.0
    while sum(map(len, parts)) < count:
        length = int(rng.integers(5, 60))
        slope = rng.choice([0.0, 0.0, 0.01, -0.01, 0.05, -0.05, 0.3])
        noise = rng.choice([0.0, 0.001, 0.02, 0.2])
        parts.append(value + slope * np.arange(length) + rng.normal(0.0, 1.0, length) * noise)
        value = float(np.clip(parts[-1][-1], -1.0, 2.0)) if rng.random() < 0.8 else float(rng.uniform(-1.0, 2.0))
    return np.clip(np.concatenate(parts)[:count], -1.5, 2.5)


def recording(rng: np.random.Generator, rules: Rules, samples: int) -> Batch:
    """Return ``samples`` samples of each tag in order of time, with gaps and bad ones."""
    times, tags, values = list[NDArray[np.int64]](), list[NDArray[np.int32]](), list[NDArray[np.float64]]()
    for row in range(rules.count):
        steps_ms = rng.choice([0, 1, 1, 1, 2, 3], samples)
        steps_ms[rng.random(samples) < 0.01] = 90
        times.append(1_000 + np.cumsum(steps_ms))
        tags.append(np.full(samples, row, np.int32))
        values.append(signal(rng, samples))
    value = np.concatenate(values)
    value[rng.random(len(value)) < 0.01] = np.nan
    order = np.argsort(np.concatenate(times), kind="stable")
    time_ms = np.concatenate(times)[order]
    quality = rng.choice(np.array([0] * 40 + [1, 2], np.uint8), len(value))
    return Batch(np.concatenate(tags)[order], time_ms, value[order], quality)


def play(rng: np.random.Generator, rules: Rules, samples: int, largest: int) -> list[Transition]:
    """Let engine and twin see the same in batches of random size, with ticks and snapshots between."""
    engine, twin, told = Engine(rules), NaiveEngine(rules), list[Transition]()
    whole = recording(rng, rules, samples)
    begin = 0
    while begin < len(whole):
        end = begin + int(rng.integers(1, largest))
        part = Batch(*(getattr(whole, name)[begin:end] for name in Batch.__slots__))
        begin = end
        now_ms = int(part.time_ms[-1])
        batch = Batch(part.tag, part.time_ms, part.value, assess(rules, part, now_ms))
        evaluation = engine.evaluate(batch, now_ms)
        verdicts, twin_told = twin.evaluate(batch, now_ms)
        assert evaluation.disposition.tolist() == verdicts
        told += listed(evaluation.transitions)
        assert bits(listed(evaluation.transitions)) == bits(twin_told)
        if rng.random() < 0.3:
            ticked = listed(engine.tick(now_ms + 2))
            assert bits(ticked) == bits(twin.tick(now_ms + 2))
            told += ticked
        if rng.random() < 0.1:
            engine = Engine.restore(rules, engine.snapshot())
        assert_same_state(engine, twin)
    return told


def lively_rules(rng: np.random.Generator, count: int) -> Rules:
    def pick(*values: float) -> float:
        return float(rng.choice(values))

    def cell(*limits: float) -> Cell:
        limit = pick(*limits)
        return Cell(limit, pick(0.0, 0.1, 0.5) * limit, int(pick(0, 0, 2, 9)), int(pick(0, 0, 2, 9)))

    rows = []
    for row in range(count):
        others = [other for other in range(count) if other != row]
        conditions = {
            Condition.H: Cell(1.5, 0.1),
            Condition.HH: Cell(2.2, 0.1, on_delay_ms=3),
            Condition.L: Cell(-0.9, 0.1),
            Condition.ROC_HIGH: cell(100.0, 500.0, 2_000.0, 9_000.0),
            Condition.ROC_LOW: cell(100.0, 500.0, 2_000.0, 9_000.0),
            Condition.FORECAST: cell(1e-4, 5e-4, 2e-3),
            Condition.DEV: cell(0.1, 0.5, 1.0),
            Condition.FLATLINE: cell(0.0, 0.001, 0.05),
            Condition.BAD_PV: Cell(),
            Condition.STALE: Cell(),
        }
        rows.append(
            Row(
                {condition: one for condition, one in conditions.items() if rng.random() < 0.8},
                hold_ms=int(pick(2, 5, 50)),
                stale_after_ms=60,
                range_low=-1.5,
                range_high=2.5,
                window_ms=int(pick(16, 33, 64, 160)),
                partners=tuple(rng.permutation(others)[: int(rng.integers(1, 3))].tolist()),
            )
        )
    return make_rules(rows)


@pytest.mark.parametrize("seed", range(2, 12))
def test_signals_of_every_kind_in_batches_of_any_size(seed: int) -> None:
    rng = np.random.default_rng(seed)
    told = play(rng, lively_rules(rng, 6), 400, 2 ** (1 + seed))
    seen = Counter((one.condition, one.change) for one in told)
    assert min(seen[condition, change] for condition in DERIVED for change in Change) > 0, seen


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_rules_and_any_signal(data: st.DataObject) -> None:
    rules = data.draw(
        rules_strategy(max_rows=3, conditions=data.draw(st.sets(st.sampled_from(CONDITIONS)).map(sorted)))
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    play(rng, rules, data.draw(st.sampled_from((10, 30, 80))), data.draw(st.sampled_from((2, 5, 40, 500))))


def slow_signal(rng: np.random.Generator, count: int, around: float) -> NDArray[np.float64]:
    """Return a value that steps about as far as a box lets it, drifts and rests."""
    parts = list[NDArray[np.float64]]()
    value = around + float(rng.uniform(-0.15, 0.15))
    while sum(map(len, parts)) < count:
        length = int(rng.integers(3, 50))
        value += float(rng.uniform(-0.07, 0.07)) + 0.2 * (around - value)
        slope, noise = rng.choice([0.0, 0.0, 0.0, 0.001, -0.001, 0.004]), rng.choice([0.0, 0.0005, 0.002])
        parts.append(value + slope * np.arange(length) + rng.normal(0.0, 1.0, length) * noise)
        value = float(parts[-1][-1])
    return np.clip(np.concatenate(parts)[:count], -1.29, 2.29)


@pytest.mark.parametrize("seed", range(10))
def test_what_the_boxes_let_through_changes_nothing(seed: int) -> None:
    """Samples at an even pace, few of them stirred: every rule of the boxes decides somewhere."""
    rng = np.random.default_rng(seed)
    count, samples = 6, 700
    limits = {
        Condition.ROC_HIGH: 60_000 * 0.008,
        Condition.ROC_LOW: 60_000 * 0.008,
        Condition.FORECAST: 40 / 60_000,
        Condition.DEV: 0.4,
        Condition.FLATLINE: 0.006,
    }
    rows = []
    for row in range(count):
        chosen = {condition: Cell(limit, 0.0) for condition, limit in limits.items() if rng.random() < 0.35}
        partner = (row + 1) % count
        rows.append(
            Row(
                {**chosen, Condition.H: Cell(2.3), Condition.L: Cell(-1.3)},
                hold_ms=50,
                range_low=-1.5,
                range_high=2.5,
                window_ms=int(rng.choice([16, 32, 64])),
                partners=(partner,) if row % 2 else (partner, (row + 2) % count),
            )
        )
    rules = make_rules(rows)
    engine, twin = Engine(rules), NaiveEngine(rules)
    around = float(rng.choice([-1.1, 0.5, 2.1]))
    values = np.stack([slow_signal(rng, samples, around) for _ in range(count)])
    times, at = np.arange(1_000, 1_000 + samples), 0
    stirred = 0
    while at < samples:
        upto = at + int(rng.choice([1, 1, 1, 3, 20, 90]))
        part = values[:, at:upto]
        order = rng.permutation(count)
        batch = Batch(
            np.tile(order, part.shape[1]).astype(np.int32),
            np.repeat(times[at:upto], count),
            part[order].T.reshape(-1),
            np.zeros(part.size, np.uint8),
        )
        stirred += int(engine._calm.stirred(engine._state, Samples.of(batch, 0, np.zeros(count, np.int32))).sum())
        now_ms = int(batch.time_ms[-1])
        assert bits(listed(engine.evaluate(batch, now_ms).transitions)) == bits(twin.evaluate(batch, now_ms)[1])
        at = upto
    assert_same_state(engine, twin)
    assert stirred < 0.9 * values.size


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_deviations_alone_need_no_window(data: st.DataObject) -> None:
    rules = data.draw(rules_strategy(min_rows=2, max_rows=3, conditions=(Condition.DEV, Condition.H)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    play(rng, rules, 30, data.draw(st.sampled_from((2, 40, 500))))


def test_deviations_of_a_backlog_without_a_window() -> None:
    cell = {Condition.DEV: Cell(1.0)}
    rules = make_rules([Row(cell, partners=(1,), hold_ms=1_000), Row(cell, partners=(0,), hold_ms=1_000)])
    engine, twin = Engine(rules), NaiveEngine(rules)
    values = np.array([0.0, 0.1, 0.4, 0.5, 0.8, 0.9, 0.2, 2.5])
    for at in range(0, 8, 4):
        batch = Batch(
            np.array([0, 1, 0, 1], np.int32), np.arange(at, at + 4), values[at : at + 4], np.zeros(4, np.uint8)
        )
        assert bits(listed(engine.evaluate(batch, at + 4).transitions)) == bits(twin.evaluate(batch, at + 4)[1])
    assert engine.active[CONDITIONS.index(Condition.DEV), 1]


def test_a_batch_of_nothing_but_bad_samples_leaves_the_window_as_it_was() -> None:
    rules = make_rules([Row({Condition.FLATLINE: Cell(0.5)})])
    engine, twin = Engine(rules), NaiveEngine(rules)
    batch = Batch(np.zeros(1, np.int32), np.array([5]), np.array([1.0]), np.full(1, 2, np.uint8))
    assert bits(listed(engine.evaluate(batch, 5).transitions)) == bits(twin.evaluate(batch, 5)[1])
    assert_same_state(engine, twin)


def test_the_state_of_a_tag_with_a_window_fits_into_a_kilobyte() -> None:
    rules = make_rules([Row({Condition.FLATLINE: Cell(0.5)})] * 100)
    state = Engine(rules)._state
    arrays = [getattr(state, name) for name in type(state).__slots__ if name not in ("rings", "latest_ms")]
    arrays += [getattr(state.rings, name) for name in type(state.rings).__slots__]
    assert sum(array.nbytes for array in arrays) / 100 <= 1_024


def test_a_limit_of_nan_never_deviates_whatever_the_partners() -> None:
    rows = [
        Row({Condition.DEV: Cell(float("nan"))}, partners=(1,)),
        Row({Condition.H: Cell(80.0)}),
        Row({Condition.DEV: Cell(1.0)}, partners=(0,)),
    ]
    engine = Engine(make_rules(rows))
    bad = Batch(np.zeros(1, np.int32), np.array([1]), np.array([5.0]), np.full(1, 2, np.uint8))
    assert not len(engine.evaluate(bad, 1).transitions)
    assert not engine.active.any()
