"""Transitions as arrays."""

from __future__ import annotations

import numpy as np

from alerting.batch import Change, Transitions


def one(tag: int, condition: int, change: Change, time_ms: int) -> Transitions:
    return Transitions(
        tag=np.array([tag], np.int32),
        condition=np.array([condition], np.uint8),
        change=np.array([change], np.uint8),
        onset_ms=np.array([0], np.int64),
        time_ms=np.array([time_ms], np.int64),
        value=np.array([1.0]),
        quality=np.array([0], np.uint8),
        limit=np.array([np.nan]),
        measure=np.array([np.nan]),
        low=np.array([np.nan]),
        high=np.array([np.nan]),
    )


def test_concat_orders_by_time_tag_and_condition_and_keeps_what_happened_in_one_millisecond() -> None:
    parts = [
        one(1, 0, Change.RAISED, 9),
        one(1, 1, Change.CLEARED, 5),
        one(1, 1, Change.RAISED, 5),
        one(0, 5, Change.RAISED, 5),
        Transitions.empty(),
        one(1, 0, Change.RAISED, 5),
    ]
    whole = Transitions.concat(parts)
    assert len(whole) == 5
    assert list(zip(whole.time_ms.tolist(), whole.tag.tolist(), whole.condition.tolist(), strict=True)) == [
        (5, 0, 5),
        (5, 1, 0),
        (5, 1, 1),
        (5, 1, 1),
        (9, 1, 0),
    ]
    assert whole.change.tolist()[2:4] == [Change.CLEARED, Change.RAISED]


def test_nothing_and_nothing_is_nothing() -> None:
    assert len(Transitions.concat([])) == 0
    assert len(Transitions.concat([Transitions.empty()])) == 0
    assert Transitions.empty().time_ms.dtype == np.int64
