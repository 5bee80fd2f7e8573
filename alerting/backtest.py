"""Two sets of rules over the same past: which alarms come, go and move, and what they ask of their operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Batch, Transitions
from alerting.engine import Engine
from alerting.retrospect import Alarms, alarms_of
from alerting.rules import STALE, Rules
from config.plant.model import CONDITIONS

__all__ = ["CHATTER_MS", "CHATTER_RAISES", "Load", "Past", "Tally", "chattering", "compare", "load"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CHATTER_RAISES: Final = 3
CHATTER_MS: Final = 60_000
"""Raised so often in so long is chattering (ISA-18.2-2016, 16.5; EEMUA 191)."""

_DAY_MS: Final = 86_400_000
_TEN_MINUTES_MS: Final = 600_000
_FLOOD: Final = 10
"""More than so many in ten minutes begin a flood (ISA-18.2-2016)."""
_TIME_BITS: Final = 42
"""Of a time in ms: until the year 2109."""


class Past:
    """Evaluates one tag's past, batch by batch, as if each sample had come when it was taken.

    Silence is judged by the source times: a gap longer than the allowance raises STALE, the sample after it clears it.

    Args:
        rules: Row 0 is the tag; the others are there to be compared with.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._engine = Engine(rules)
        self._parts: list[Transitions] = []
        self._silences: list[Alarms] = []
        self._last: tuple[int, float, int] | None = None

    def evaluate(self, batch: Batch) -> None:
        """Go on with samples in order of source time, with the quality in force and clocks that can be trusted."""
        self._parts.append(self._engine.evaluate(batch, int(batch.time_ms[-1])).transitions)
        own = np.flatnonzero(batch.tag == 0)
        if len(own) and self._rules.enabled[STALE, 0]:
            self._listen(batch.time_ms.take(own), batch.value.take(own), batch.quality.take(own))

    def end(self, until_ms: int) -> Alarms:
        """Return the alarms of the tag; what is still active ends at ``until_ms``."""
        self._parts.append(self._engine.tick(until_ms))
        found = alarms_of(Transitions.concat(self._parts), until_ms)
        if self._last is not None and self._rules.enabled[STALE, 0]:
            self._listen(np.array([until_ms]), np.zeros(1), np.zeros(1, np.uint8))
        parts = [found.take(found.tag == 0), *self._silences]
        return Alarms(*(np.concatenate([getattr(part, name) for part in parts]) for name in Alarms.__slots__))

    def _listen(self, time_ms: Ints, value: NDArray[np.float64], quality: NDArray[np.uint8]) -> None:
        """Note the gaps that end with these samples."""
        if self._last is not None:
            time_ms = np.concatenate([[self._last[0]], time_ms])
            value = np.concatenate([[self._last[1]], value])
            quality = np.concatenate([np.array([self._last[2]], np.uint8), quality])
        allowance_ms = int(self._rules.stale_after_ms[0])
        gap = np.flatnonzero(np.diff(time_ms) > allowance_ms)
        self._last = int(time_ms[-1]), float(value[-1]), int(quality[-1])
        if not len(gap):
            return
        nothing = np.full(len(gap), np.nan)
        self._silences.append(
            Alarms(
                tag=np.zeros(len(gap), np.int32),
                condition=np.full(len(gap), STALE, np.uint8),
                onset_ms=time_ms[gap],
                raised_ms=time_ms[gap] + allowance_ms,
                cleared_ms=time_ms[gap + 1],
                value=value[gap],
                quality=quality[gap],
                limit=nothing,
                measure=nothing,
                low=nothing,
                high=nothing,
            )
        )


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """How two sets of alarms differ. Arrays aligned with the alarms of either set."""

    removed: Bools
    """[today]: no proposed alarm of the same tag and condition overlaps it."""
    added: Bools
    """[proposed]: no alarm of today overlaps it."""
    moved: Bools
    """[proposed]: some of today overlap it, but none is raised and cleared at the same times."""


def compare(today: Alarms, proposed: Alarms) -> Tally:
    """Match the alarms of two sets of rules over the same samples.

    Args:
        today: Alarms of one tag and condition do not overlap each other; any order.
        proposed: The same.
    """
    removed = _alone(today, proposed)
    added = _alone(proposed, today)
    same = np.isin(_names(proposed), _names(today))
    return Tally(removed, added, ~added & ~same)


def _alone(one: Alarms, other: Alarms) -> Bools:
    """Say which alarms of ``one`` no alarm of the same tag and condition of ``other`` overlaps."""
    lane = _lane(other) << _TIME_BITS
    begins, ends = np.sort(lane + other.onset_ms), np.sort(lane + other.cleared_ms)
    lane = _lane(one) << _TIME_BITS
    begun = np.searchsorted(begins, lane + one.cleared_ms, side="right")
    over = np.searchsorted(ends, lane + one.onset_ms, side="left")
    return np.asarray(begun == over)


def _lane(alarms: Alarms) -> Ints:
    return alarms.tag.astype(np.int64) * len(CONDITIONS) + alarms.condition


def _names(alarms: Alarms) -> NDArray[np.void]:
    """Return tag, condition and times of each alarm as one thing to compare."""
    columns = np.stack([_lane(alarms), alarms.raised_ms, alarms.cleared_ms], axis=1)
    names: NDArray[np.void] = np.ascontiguousarray(columns).view(np.dtype((np.void, 24))).reshape(-1)
    return names


def chattering(alarms: Alarms) -> Bools:
    """Say which alarms are one of three or more of their tag and condition raised within a minute."""
    order = np.lexsort((alarms.raised_ms, _lane(alarms)))
    lane, raised_ms = _lane(alarms)[order], alarms.raised_ms[order]
    found = np.zeros(len(order), np.bool_)
    span = CHATTER_RAISES - 1
    if len(order) > span:
        burst = (lane[span:] == lane[:-span]) & (raised_ms[span:] - raised_ms[:-span] <= CHATTER_MS)
        for step in range(CHATTER_RAISES):
            found[step : len(order) - span + step] |= burst
    chatters = np.empty_like(found)
    chatters[order] = found
    return chatters


@dataclass(frozen=True, slots=True)
class Load:
    """What alarms ask of one operator (EEMUA 191; ISA-18.2-2016 table 5)."""

    alarms: int
    per_day: float
    in_alarm_s: float
    """Added up over alarms."""
    chattering: int
    most_in_ten_minutes: int
    in_flood: float
    """Part of the ten-minute spans with more than ten alarms."""


def load(alarms: Alarms, from_ms: int, to_ms: int) -> Load:
    """Return the load of a period ``from_ms <= t < to_ms``."""
    per_span = np.bincount((alarms.raised_ms - from_ms).clip(0) // _TEN_MINUTES_MS)
    spans = max(1, -(-(to_ms - from_ms) // _TEN_MINUTES_MS))
    return Load(
        alarms=len(alarms),
        per_day=len(alarms) * _DAY_MS / (to_ms - from_ms),
        in_alarm_s=float((alarms.cleared_ms - alarms.raised_ms).sum()) / 1000,
        chattering=int(chattering(alarms).sum()),
        most_in_ten_minutes=int(per_span.max(initial=0)),
        in_flood=float((per_span > _FLOOD).sum()) / spans,
    )
