"""What gauges said at a time in the past, from the history, as the board would have shown it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from config.contract.quality import Quality
from config.plant.model import Tag
from gateway.history.port import HistoryReader, Stretch
from gateway.live import Values

__all__ = ["Recall", "recall"]


@dataclass(frozen=True, slots=True, eq=False)
class Recall:
    """Two boards of the same tags."""

    then: Values
    """What was fresh at that time; the rest is stale."""
    before: Values
    """What each gauge last said that was good, however old; to be weighed first, so that it is known."""


def recall(history: HistoryReader, tags: Sequence[tuple[Tag, int | None]], at_ms: int, look_back_ms: int) -> Recall:
    """Look up some tags.

    Args:
        history: Of the samples.
        tags: Each with its number there; None: it has none, and never said anything.
        at_ms: When.
        look_back_ms: How far back the last good sample is looked for.

    Raises:
        HistoryError: The store cannot be read.
    """
    then = _silent(tags, at_ms)
    before = replace(then, **{name: getattr(then, name).copy() for name in ("time_ms", "value", "quality", "stale")})
    for row, (tag, number) in enumerate(tags):
        if number is None:
            continue
        lately = history.stretch(number, max(0, at_ms - tag.stale_after_ms), at_ms + 1)
        if len(lately.time_ms):
            _put(then, row, lately, len(lately.time_ms) - 1)
        good = _last_good(lately)
        if good is None:
            lately = history.stretch(number, max(0, at_ms - look_back_ms), at_ms + 1)
            good = _last_good(lately)
        if good is not None:
            _put(before, row, lately, good)
    return Recall(then, before)


def _silent(tags: Sequence[tuple[Tag, int | None]], at_ms: int) -> Values:
    count = len(tags)
    return Values(
        at_ms=at_ms,
        names=tuple(tag.name for tag, _ in tags),
        time_ms=np.full(count, -1, np.int64),
        received_ms=np.full(count, -1, np.int64),
        value=np.full(count, np.nan),
        quality=np.zeros(count, np.uint8),
        stale=np.ones(count, np.bool_),
    )


def _last_good(found: Stretch) -> int | None:
    good = np.flatnonzero(((found.quality & 0b11) < Quality.BAD) & np.isfinite(found.value))
    return int(good[-1]) if len(good) else None


def _put(values: Values, row: int, found: Stretch, at: int) -> None:
    values.time_ms[row], values.value[row] = found.time_ms[at], found.value[at]
    values.quality[row], values.stale[row] = found.quality[at], False
