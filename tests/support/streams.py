"""Streams of batches, ticks, restarts and snapshots for the alarm core, drawn by Hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from alerting.batch import Batch, Transitions
from alerting.rules import Rules
from config.contract.quality import Quality, Reason, pack
from config.plant.model import CONDITIONS, Condition
from tests.support.naive import Sample, Transition
from tests.support.rules import VALUES

__all__ = ["Adopt", "Evaluate", "Op", "Restore", "Start", "TickTo", "batch_of", "listed", "streams"]

QUALITIES = (
    *(0, 0, 0, 0, 0, 0, 0, 0),
    pack(Quality.UNCERTAIN, Reason.DEVICE),
    pack(Quality.BAD, Reason.DEVICE),
    pack(Quality.BAD, Reason.OVER_RANGE),
    pack(Quality.BAD, Reason.UNDER_RANGE),
)
OFFSETS_MS = (*range(-12, 1), -4, -3, -2, -1, 0, 0, 0)
"""Source time against the gateway clock: latency, disorder, equal times."""
FAR_MS = 300_000


@dataclass(frozen=True, slots=True)
class Evaluate:
    """A batch, received at a time."""

    samples: tuple[Sample, ...]
    received_ms: int


@dataclass(frozen=True, slots=True)
class TickTo:
    """A tick."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Start:
    """The gateway restarts."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Restore:
    """Snapshot and restore."""


@dataclass(frozen=True, slots=True)
class Adopt:
    """Alarms that others remember."""

    alarms: tuple[tuple[int, Condition, int], ...]
    """Row, condition, onset; each row and condition once."""


Op = Evaluate | TickTo | Start | Restore | Adopt


def batch_of(samples: Sequence[Sample]) -> Batch:
    """Return the samples as a batch."""
    return Batch(
        tag=np.array([one.row for one in samples], np.int32),
        time_ms=np.array([one.time_ms for one in samples], np.int64),
        value=np.array([one.value for one in samples], np.float64),
        quality=np.array([one.quality for one in samples], np.uint8),
    )


def listed(transitions: Transitions) -> list[Transition]:
    """Return the engine's transitions as the twin tells them."""
    columns = (
        transitions.tag,
        transitions.condition,
        transitions.change,
        transitions.onset_ms,
        transitions.time_ms,
        transitions.value,
        transitions.quality,
        transitions.limit,
        transitions.measure,
        transitions.low,
        transitions.high,
    )
    return [
        Transition(tag, CONDITIONS[condition], change, *rest)
        for tag, condition, change, *rest in zip(*(column.tolist() for column in columns), strict=True)
    ]


@st.composite
def samples(draw: st.DrawFn, rows: int, now_ms: int) -> Sample:
    """Draw one sample received at ``now_ms``; the clock of one in twenty is far ahead."""
    far = draw(st.integers(0, 19)) == 0
    offset_ms = draw(st.sampled_from((FAR_MS + 1, FAR_MS + 50) if far else OFFSETS_MS))
    value = draw(st.sampled_from((*VALUES, *VALUES, 1e308, float("nan"), float("inf"), float("-inf"))))
    return Sample(draw(st.integers(0, rows - 1)), now_ms + offset_ms, value, draw(st.sampled_from(QUALITIES)), now_ms)


@st.composite
def adoptions(draw: st.DrawFn, rows: int, now_ms: int) -> Adopt:
    """Draw alarms to adopt, begun a moment ago."""
    places = st.tuples(st.integers(0, rows - 1), st.sampled_from(CONDITIONS))
    found = draw(st.lists(places, unique=True, max_size=4))
    return Adopt(tuple((row, condition, now_ms - draw(st.integers(0, 20))) for row, condition in found))


@st.composite
def streams(draw: st.DrawFn, rules: Rules, max_ops: int = 12, max_samples: int = 12) -> list[Op]:
    """Draw what happens to an engine; the gateway clock goes on, and rarely back."""
    now_ms, ops = 1_000, list[Op]()
    for _ in range(draw(st.integers(1, max_ops))):
        now_ms += draw(st.sampled_from((0, 0, 1, 2, 3, 5, 8, 40, -30)))
        kind = draw(st.sampled_from("eeeeetttsra"))
        if kind == "e":
            drawn = draw(st.lists(samples(rules.count, now_ms), max_size=max_samples))
            ops.append(Evaluate(tuple(drawn), now_ms))
        else:
            other: dict[str, Op] = {"t": TickTo(now_ms), "s": Start(now_ms), "r": Restore()}
            ops.append(other[kind] if kind in other else draw(adoptions(rules.count, now_ms)))
    return ops
