"""The engine against its naive twin: same transitions, same verdicts, same state, whatever the batching."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from alerting.batch import Batch
from alerting.engine import Engine
from alerting.quality import assess
from alerting.rules import Rules
from alerting.state import COUNTING, IDLE
from config.plant.model import CONDITIONS, Condition
from tests.support.naive import NaiveEngine, Sample, Tick, Transition, in_order, naive_assess, run
from tests.support.rules import rules_strategy
from tests.support.streams import Adopt, Evaluate, Op, Restore, Start, TickTo, batch_of, listed, streams


def bits(transitions: list[Transition]) -> list[tuple[object, ...]]:
    """Make NaN comparable: floats by their bits."""
    return [tuple(np.float64(x).tobytes() if isinstance(x, float) else x for x in one) for one in transitions]


def assert_same_state(engine: Engine, twin: NaiveEngine) -> None:
    for row, tag in enumerate(twin.tags):
        assert engine.time_ms[row] == tag.clock_ms
        assert engine.received_ms[row] == tag.received_ms
        assert np.float64(engine.value[row]).tobytes() == np.float64(tag.value).tobytes()
        assert engine.quality[row] == tag.quality
        assert engine.stale[row] == tag.stale
        for condition, alarm in tag.alarms.items():
            at = CONDITIONS.index(condition), row
            assert engine.active[at] == alarm.active
            assert engine.onset_ms[at] == alarm.onset_ms
            assert engine._state.held_ms[at] == alarm.held_ms
            assert engine._state.changed_ms[at] == alarm.changed_ms
            assert (engine._state.pending[at] != IDLE) == alarm.pending
            assert (engine._state.pending[at] == COUNTING) == (alarm.pending and not alarm.frozen)
        alive = any(one.active or one.pending for name, one in tag.alarms.items() if name is not Condition.STALE)
        assert engine._state.busy[row] == alive


def assessed(rules: Rules, op: Evaluate) -> Batch:
    batch = batch_of(op.samples)
    return Batch(batch.tag, batch.time_ms, batch.value, assess(rules, batch, op.received_ms))


def part_of(batch: Batch, begin: int, end: int) -> Batch:
    return Batch(*(getattr(batch, name)[begin:end] for name in Batch.__slots__))


def adopted(op: Adopt) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.int64]]:
    return (
        np.array([row for row, _, _ in op.alarms], np.int32),
        np.array([CONDITIONS.index(condition) for _, condition, _ in op.alarms], np.uint8),
        np.array([onset_ms for _, _, onset_ms in op.alarms], np.int64),
    )


def play(rules: Rules, ops: list[Op]) -> None:
    engine, twin = Engine(rules), NaiveEngine(rules)
    for op in ops:
        match op:
            case Evaluate():
                batch = assessed(rules, op)
                assert batch.quality.tolist() == [naive_assess(rules, one) for one in op.samples]
                evaluation = engine.evaluate(batch, op.received_ms)
                verdicts, told = twin.evaluate(batch, op.received_ms)
                assert evaluation.disposition.tolist() == verdicts
                assert bits(listed(evaluation.transitions)) == bits(told)
            case TickTo():
                assert bits(listed(engine.tick(op.now_ms))) == bits(twin.tick(op.now_ms))
            case Start():
                engine.start(op.now_ms)
                twin.start(op.now_ms)
            case Adopt():
                engine.adopt(*adopted(op))
                for alarm in op.alarms:
                    twin.adopt(*alarm)
            case Restore():
                engine = Engine.restore(rules, engine.snapshot())
                twin = NaiveEngine.restore(rules, twin.snapshot())
        assert_same_state(engine, twin)


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_engine_is_bit_equal_to_the_naive_twin(data: st.DataObject) -> None:
    rules = data.draw(rules_strategy())
    play(rules, data.draw(streams(rules)))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_batching_changes_nothing(data: st.DataObject) -> None:
    rules = data.draw(rules_strategy())
    ops = data.draw(streams(rules, max_ops=6))
    whole, split = Engine(rules), Engine(rules)
    told_whole, told_split = list[Transition](), list[Transition]()
    for op in ops:
        if not isinstance(op, Evaluate):
            continue
        batch = assessed(rules, op)
        evaluation = whole.evaluate(batch, op.received_ms)
        told_whole += listed(evaluation.transitions)
        cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(batch)), max_size=4))), len(batch)]
        dispositions = list[int]()
        for begin, end in pairwise(cuts):
            part = split.evaluate(part_of(batch, begin, end), op.received_ms)
            dispositions += part.disposition.tolist()
            told_split += listed(part.transitions)
            split = Engine.restore(rules, split.snapshot())
        assert dispositions == evaluation.disposition.tolist()
    assert bits(in_order(told_split)) == bits(in_order(told_whole))
    assert split.snapshot() == whole.snapshot()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_ticks_that_do_not_run_ahead_of_the_data_change_nothing(data: st.DataObject) -> None:
    rules = data.draw(rules_strategy(max_rows=2))
    samples = [
        Sample(row, time_ms, data.draw(st.sampled_from((-2.0, 0.0, 1.0, 3.0))), 0, time_ms)
        for time_ms in sorted(data.draw(st.sets(st.integers(0, 60), max_size=15)))
        for row in range(rules.count)
    ]
    events = list[Sample | Tick]()
    for one in samples:
        events += [*(Tick(now_ms) for now_ms in range(one.time_ms - 2, one.time_ms)), one]
    events.sort(key=lambda event: event.now_ms if isinstance(event, Tick) else event.received_ms)
    assert bits(_processes(run(rules, events))) == bits(_processes(run(rules, samples)))


def _processes(transitions: list[Transition]) -> list[Transition]:
    """Leave out STALE, which only ticks raise."""
    return in_order(one for one in transitions if one.condition is not Condition.STALE)


@pytest.mark.parametrize("seed", range(3))
def test_engine_is_bit_equal_to_the_twin_on_large_mixed_batches(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rules = _dense_rules(rng, 40)
    engine, twin = Engine(rules), NaiveEngine(rules)
    now_ms = 10_000
    engine.start(now_ms)
    twin.start(now_ms)
    for _ in range(6):
        count = 1_500
        raw = Batch(
            tag=rng.integers(0, rules.count, count, dtype=np.int32),
            time_ms=now_ms + np.sort(rng.integers(0, 400, count)) - rng.choice([0, 0, 0, 0, 7], count),
            value=rng.choice([-2.0, -1.0, 0.0, 1.0, 1.0, 2.0, 3.0, np.nan], count),
            quality=rng.choice(np.array([0, 0, 0, 0, 1, 2, 10, 14], np.uint8), count),
        )
        raw.time_ms[rng.random(count) < 0.005] += 400_000
        now_ms += 500
        batch = Batch(raw.tag, raw.time_ms, raw.value, assess(rules, raw, now_ms))
        evaluation = engine.evaluate(batch, now_ms)
        verdicts, told = twin.evaluate(batch, now_ms)
        assert evaluation.disposition.tolist() == verdicts
        assert bits(listed(evaluation.transitions)) == bits(told)
        assert len(told) > 100
        assert bits(listed(engine.tick(now_ms))) == bits(twin.tick(now_ms))
        assert_same_state(engine, twin)


def _dense_rules(rng: np.random.Generator, count: int) -> Rules:
    shape = (len(CONDITIONS), count)
    return Rules(
        names=tuple(f"T{row}" for row in range(count)),
        limit=rng.choice([-1.0, 0.0, 1.0, 2.0], shape),
        deadband=rng.choice([0.0, 0.5, 1.0], shape),
        on_delay_ms=rng.choice([0, 5, 20, 50], shape),
        off_delay_ms=rng.choice([0, 5, 20, 50], shape),
        enabled=rng.random(shape) < 0.8,
        tier=np.full(shape, 2, np.uint8),
        hold_ms=rng.choice([3, 20, 100], count),
        stale_after_ms=rng.choice([90, 10_000], count),
        range_low=np.full(count, -1.5),
        range_high=np.full(count, 2.5),
        window_ms=rng.choice([16, 40, 200], count),
        partners=np.array(
            [np.roll(np.arange(count), 1), np.where(rng.random(count) < 0.5, np.roll(np.arange(count), 2), -1)]
        ),
    )
