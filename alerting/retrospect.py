"""What late samples would have raised, had they come in time (docs/alarm-conditions.md, "Late samples")."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Batch, Change, Transitions
from alerting.engine import Engine
from alerting.quality import CLOCK_SUSPECT
from alerting.rules import STALE, Rules

__all__ = ["Alarms", "Known", "alarms_of", "evaluate_in_order", "lead_ms", "missed", "tail_ms"]

Ints = NDArray[np.int64]
G = TypeVar("G", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Alarms:
    """Alarms with a begin and an end. All arrays have the same length m, in order of onset."""

    tag: NDArray[np.int32]
    condition: NDArray[np.uint8]
    onset_ms: Ints
    raised_ms: Ints
    cleared_ms: Ints
    value: NDArray[np.float64]
    """Of the sample that raised it; so are the rest."""
    quality: NDArray[np.uint8]
    limit: NDArray[np.float64]
    measure: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of alarms."""
        return len(self.tag)

    def take(self, which: NDArray[np.generic]) -> Alarms:
        """Return some of them."""
        return Alarms(*(getattr(self, name)[which] for name in Alarms.__slots__))


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Alarms on the record, of the tags in question. All arrays have the same length k."""

    tag: NDArray[np.int32]
    condition: NDArray[np.uint8]
    onset_ms: Ints
    cleared_ms: Ints
    """The largest number where it is still active."""


def lead_ms(rules: Rules, tag: int) -> int:
    """Return how long before a late sample an evaluation has to begin to know what it meets."""
    return int(rules.window_ms[tag] + rules.hold_ms[tag] + rules.on_delay_ms[:, tag].max())


def tail_ms(rules: Rules, tag: int) -> int:
    """Return how long after a late sample an evaluation has to go on to see what it led to."""
    return int(lead_ms(rules, tag) + rules.off_delay_ms[:, tag].max())


def evaluate_in_order(rules: Rules, batches: Iterable[Batch], until_ms: int) -> Alarms:
    """Evaluate samples as if each had come when it was taken.

    Args:
        rules: Of the tags in the batches.
        batches: In order of source time, within and between. Samples with a suspect clock are left out: nobody knows
            when they were taken.
        until_ms: What is still active is closed then.

    Returns:
        The alarms. None of STALE: late data do not undo a silence.
    """
    engine = Engine(rules)
    parts: list[Transitions] = []
    for batch in batches:
        sure = batch.quality != CLOCK_SUSPECT
        if sure.any():
            timely = Batch(*(getattr(batch, name)[sure] for name in Batch.__slots__))
            parts.append(engine.evaluate(timely, int(timely.time_ms[-1])).transitions)
    return alarms_of(Transitions.concat(parts), until_ms)


def alarms_of(transitions: Transitions, until_ms: int) -> Alarms:
    """Pair what was raised with what was cleared.

    Args:
        transitions: Of an engine that began with nothing active; STALE is left out.
        until_ms: The end of what was never cleared.
    """
    order = np.lexsort((transitions.time_ms, transitions.condition, transitions.tag))  # stable
    order = order[transitions.condition[order] != STALE]
    raised = transitions.change[order] == Change.RAISED
    begin, after = order[raised], np.append(order, -1)[np.flatnonzero(raised) + 1]
    ended = np.append(~raised, False)[np.flatnonzero(raised) + 1]
    cleared_ms = np.where(ended, transitions.time_ms[np.where(ended, after, 0)], until_ms)
    found = Alarms(
        tag=transitions.tag[begin],
        condition=transitions.condition[begin],
        onset_ms=transitions.onset_ms[begin],
        raised_ms=transitions.time_ms[begin],
        cleared_ms=np.maximum(cleared_ms, transitions.time_ms[begin]),
        value=transitions.value[begin],
        quality=transitions.quality[begin],
        limit=transitions.limit[begin],
        measure=transitions.measure[begin],
        low=transitions.low[begin],
        high=transitions.high[begin],
    )
    return found.take(np.lexsort((found.condition, found.tag, found.onset_ms)))


def missed(found: Alarms, known: Known, late_from_ms: int, late_to_ms: int) -> Alarms:
    """Return the alarms that the late samples had a part in and that are not on the record.

    Args:
        found: What the samples say in order.
        known: What is on the record.
        late_from_ms: Source time of the first late sample.
        late_to_ms: Of the last one.

    Returns:
        Those whose time from onset to raising meets the late samples, and whose tag and condition have no alarm on
        the record that overlaps them.
    """
    touched = (found.onset_ms <= late_to_ms) & (found.raised_ms >= late_from_ms)
    same = (found.tag[:, None] == known.tag) & (found.condition[:, None] == known.condition)
    overlap = (found.onset_ms[:, None] <= known.cleared_ms) & (known.onset_ms <= found.cleared_ms[:, None])
    return found.take(touched & ~(same & overlap).any(axis=1))
