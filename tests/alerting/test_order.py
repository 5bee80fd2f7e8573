"""Late samples, duplicates, equal times."""

from __future__ import annotations

import math

import numpy as np

from alerting.batch import Disposition
from alerting.engine import Engine
from config.plant.model import Condition
from tests.support.naive import Sample
from tests.support.rules import Cell, Row, make_rules
from tests.support.story import Story
from tests.support.streams import batch_of

EVALUATED, LATE, DUPLICATE, SAME_TIME = Disposition


def rules(rows: int = 1) -> Story:
    return Story(make_rules([Row({Condition.H: Cell(limit=80)})] * rows))


def test_a_late_sample_never_changes_the_state() -> None:
    it = rules()
    it.samples((1_000, 50))
    before = it.engine.snapshot()
    assert it.sample(999, 99) is LATE
    assert it.engine.snapshot() == before
    assert it.transitions == []


def test_same_time_and_value_is_a_duplicate_and_nan_equals_nan() -> None:
    it = rules()
    assert [it.sample(5, 50), it.sample(5, 50), it.sample(5, 51), it.sample(5, 50)] == [
        EVALUATED,
        DUPLICATE,
        SAME_TIME,
        SAME_TIME,
    ]
    assert [it.sample(6, math.nan), it.sample(6, math.nan)] == [EVALUATED, DUPLICATE]


def test_order_is_judged_within_a_batch_and_per_tag() -> None:
    engine = rules(2).engine
    stream = [(0, 10, 1.0), (1, 5, 1.0), (0, 9, 1.0), (0, 10, 1.0), (1, 6, 1.0), (0, 11, 2.0), (1, 6, 1.0), (1, 4, 1.0)]
    batch = batch_of([Sample(row, time_ms, value, 0, 20) for row, time_ms, value in stream])
    found = [Disposition(one) for one in engine.evaluate(batch, 20).disposition]
    assert found == [EVALUATED, EVALUATED, LATE, DUPLICATE, EVALUATED, EVALUATED, DUPLICATE, LATE]
    assert engine.time_ms.tolist() == [11, 6]


def test_an_empty_batch_says_nothing() -> None:
    evaluation = rules().engine.evaluate(batch_of([]), 5)
    assert len(evaluation.disposition) == 0
    assert len(evaluation.transitions) == 0


def test_a_batch_of_late_samples_only_changes_nothing() -> None:
    it = rules()
    it.samples((10, 99))
    evaluation = it.engine.evaluate(batch_of([Sample(0, 1, 5.0, 0, 20), Sample(0, 2, 5.0, 0, 20)]), 20)
    assert evaluation.disposition.tolist() == [LATE, LATE]
    assert it.engine.received_ms[0] == 10


def test_what_the_engine_shows_cannot_be_written() -> None:
    engine: Engine = rules().engine
    shown = (engine.time_ms, engine.received_ms, engine.value, engine.quality, engine.stale, engine.active)
    for array in (*shown, engine.onset_ms):
        assert isinstance(array, np.ndarray)
        assert not array.flags.writeable
