"""The quality in force."""

from __future__ import annotations

import math

import numpy as np
import pytest

from alerting.batch import Batch
from alerting.quality import assess
from config.contract.quality import Quality, Reason, pack
from tests.support.naive import Sample
from tests.support.rules import Row, make_rules
from tests.support.streams import batch_of

RULES = make_rules([Row(range_low=0.0, range_high=160.0)])
NOW_MS = 1_000_000
GOOD, BAD = Quality.GOOD, Quality.BAD
FAULT = pack(BAD, Reason.FAULT_CURRENT_LOW)


@pytest.mark.parametrize(
    ("value", "quality", "ahead_ms", "expected"),
    [
        (50.0, 0, 0, 0),
        (165.0, 0, 0, 0),
        (math.nextafter(165, 999), 0, 0, pack(BAD, Reason.OVER_RANGE)),
        (-2.0, 0, 0, 0),
        (math.nextafter(-2, -999), 0, 0, pack(BAD, Reason.UNDER_RANGE)),
        (math.nan, 0, 0, pack(BAD, Reason.NOT_FINITE)),
        (math.inf, 0, 0, pack(BAD, Reason.NOT_FINITE)),
        (-math.inf, 1, 0, pack(BAD, Reason.NOT_FINITE)),
        (math.nan, FAULT, 0, FAULT),
        (999.0, FAULT, 0, FAULT),
        (999.0, 1, 0, pack(BAD, Reason.OVER_RANGE)),
        (50.0, pack(Quality.UNCERTAIN, Reason.DEVICE), 0, pack(Quality.UNCERTAIN, Reason.DEVICE)),
        (50.0, 0, 300_000, 0),
        (50.0, 0, 300_001, pack(BAD, Reason.CLOCK_SUSPECT)),
        (math.nan, FAULT, 300_001, pack(BAD, Reason.CLOCK_SUSPECT)),
    ],
)
def test_the_worst_that_can_be_seen_decides(value: float, quality: int, ahead_ms: int, expected: int) -> None:
    batch = batch_of([Sample(0, NOW_MS + ahead_ms, value, quality, NOW_MS), Sample(0, NOW_MS, 1.0, 0, NOW_MS)])
    assert assess(RULES, batch, NOW_MS).tolist() == [expected, 0]


def test_the_batch_is_left_as_it_was() -> None:
    batch = batch_of([Sample(0, NOW_MS, math.nan, 0, NOW_MS)])
    assert assess(RULES, batch, NOW_MS).dtype == np.uint8
    assert batch.quality.tolist() == [0]


def test_a_tag_without_a_range_is_never_out_of_it() -> None:
    rules = make_rules([Row(range_low=-math.inf, range_high=math.inf)])
    batch = Batch(np.zeros(2, np.int32), np.zeros(2, np.int64), np.array([1e308, -1e308]), np.zeros(2, np.uint8))
    assert assess(rules, batch, NOW_MS).tolist() == [0, 0]
