"""One tag by itself: its rules, and its samples with those of the tags it is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Batch
from alerting.quality import CLOCK_SUSPECT
from alerting.rules import Rules, compile_rules
from config.plant.model import Plant
from gateway.history.port import HistoryReader, Stretch

__all__ = ["batches_of", "rules_of"]

_SLICE_SAMPLES = 2_000_000
_BATCH_SAMPLES = 16_384
"""Small enough that what stirs within costs little, large enough that numpy pays."""


def rules_of(plant: Plant, name: str) -> Rules:
    """Return the rules of a tag in row 0, then of the tags it is compared with, as far as they matter to it."""
    partners = dict.fromkeys(partner for rule in plant.tags[name].conditions for partner in rule.partners)
    tags = {name: plant.tags[name]} | {one: replace(plant.tags[one], conditions=()) for one in partners}
    return compile_rules(replace(plant, tags=tags), tuple(tags))


def batches_of(
    history: HistoryReader, tag_ids: tuple[int | None, ...], period_ms: int, span_ms: tuple[int, int]
) -> Iterator[Batch]:
    """Read the samples of some tags in the order of their own times, a part at a time.

    Args:
        history: Where they are.
        tag_ids: Number of each row in the history; None for a tag that never had one.
        period_ms: How often a sample is expected; says how much time is read in one go.
        span_ms: From, inclusive, and to, exclusive; source time.

    Yields:
        Batches that are not empty. Samples with a suspect clock are left out: nobody knows when they were taken.

    Raises:
        HistoryError: The history cannot be read.
    """
    from_ms, to_ms = span_ms
    width_ms = _SLICE_SAMPLES // len(tag_ids) * period_ms
    for begin_ms in range(from_ms, to_ms, width_ms):
        end_ms = min(begin_ms + width_ms, to_ms)
        whole = _merged(
            [
                (row, history.stretch(number, begin_ms, end_ms))
                for row, number in enumerate(tag_ids)
                if number is not None
            ]
        )
        for first in range(0, len(whole), _BATCH_SAMPLES):
            yield _cut(whole, slice(first, first + _BATCH_SAMPLES))


def _merged(parts: list[tuple[int, Stretch]]) -> Batch:
    batches = [
        Batch(np.full(len(part.time_ms), row, np.int32), part.time_ms, part.value, part.quality) for row, part in parts
    ]
    if not batches:
        nothing = np.empty(0, np.int64)
        return Batch(nothing.astype(np.int32), nothing, nothing.astype(np.float64), nothing.astype(np.uint8))
    whole = batches[0]
    if len(batches) > 1:
        joined = Batch(*(np.concatenate([getattr(one, name) for one in batches]) for name in Batch.__slots__))
        whole = _cut(joined, np.argsort(joined.time_ms, kind="stable"))
    suspect = whole.quality == CLOCK_SUSPECT
    return _cut(whole, ~suspect) if suspect.any() else whole


def _cut(batch: Batch, part: slice | NDArray[np.generic]) -> Batch:
    return Batch(*(getattr(batch, name)[part] for name in Batch.__slots__))
