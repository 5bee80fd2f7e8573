"""Which samples can change nothing: most of them, so the automata run on the others alone.

For each tag a box of values is kept. As long as its samples stay inside, no condition of the tag can hold, whatever the
samples are; so a box is only a short cut, is no part of a snapshot, and decides nothing. It lies

- between the limits;
- so close around the window that no line through it can be as steep as ROC+, ROC- or FORECAST ask for: n points within
  a band of R and a span T of time have a slope of at most R sqrt(2 n) / 2 T (Cauchy-Schwarz, two points at the ends);
- for tags that are compared, so close around the value that two boxes near each other hold no two values a limit apart.

FLATLINE is the other way round: it cannot hold before two different values have left the window.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.quality import is_bad
from alerting.rings import Slotted
from alerting.rules import DEV, FLATLINE, FORECAST, NOBODY, QUANTA, ROC_HIGH, ROC_LOW, SLOTS, Rules
from alerting.samples import Samples
from alerting.segments import first_of_runs
from alerting.state import State
from alerting.windows import spans

__all__ = ["Calm"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_STEEPEST: Final = 3.0
"""Above sqrt(2 * 16) / 2 = 2.83: room for rounding."""
_MINUTE_MS: Final = 60_000.0
_PART_OF_LIMIT: Final = 0.25
"""Width of a box of a tag that is compared, in limits: boxes whose values differ by half a limit are near."""
_SHRINK: Final = 0.999
_FOREVER_MS: Final = 1 << 62
_NO_LOW: Final = 4 * QUANTA


class Calm:
    """The boxes of all tags.

    Args:
        rules: The rules in force.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        on = rules.enabled
        self._compared = np.flatnonzero(on[DEV])
        self._width = _compared_width(rules, self._compared)
        moving = on[ROC_HIGH] | on[ROC_LOW] | on[FORECAST] | np.isfinite(self._width)
        self._boxed = moving | on[FLATLINE]
        self._low = np.where(moving, np.inf, rules.calm_low)
        self._high = np.where(moving, -np.inf, rules.calm_high)
        self._until_ms = np.where(on[FLATLINE], 0, _FOREVER_MS)
        span_min = np.where(on.any(axis=0), rules.window_ms / 2 / _MINUTE_MS, 0.0)
        steepest = np.fmin(
            np.where(on[ROC_HIGH], rules.limit[ROC_HIGH], np.nan), np.where(on[ROC_LOW], rules.limit[ROC_LOW], np.nan)
        )
        self._room = np.where(np.isnan(steepest), np.inf, steepest * span_min / _STEEPEST)
        reach = np.where(on[FORECAST], rules.limit[FORECAST], np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            self._reach = np.where(np.isnan(reach), -1.0, _STEEPEST * reach / span_min)
        self._number = np.full(rules.count, NOBODY)  # scratch, all NOBODY between calls
        self._least, self._most = np.empty(rules.count), np.empty(rules.count)  # scratch
        self._first, self._dependents = _dependents(rules, self._compared)

    def stirred(self, state: State, samples: Samples) -> Bools:
        """Say which samples may change something, by themselves."""
        row = samples.row
        calm = samples.value > self._low.take(row)
        calm &= samples.value < self._high.take(row)
        if self._rules.looks_beyond:
            calm &= samples.time_ms < self._until_ms.take(row)
        stirred = state.busy.take(row)
        stirred |= ~calm
        stirred |= is_bad(samples.quality)
        return stirred

    def still(self, state: State, samples: Samples, rows: Ints) -> Bools:
        """Say which tags cannot change anything with all their samples of a backlog, though some left their box.

        A box is drawn anew only between batches. Here the same is judged slot by slot, and value by value of partners.

        Args:
            state: Before the batch.
            samples: All evaluated samples, sorted by tag.
            rows: m tags, each once, rising.
        """
        self._number[rows] = np.arange(len(rows))
        of = self._number.take(samples.row)
        self._number[rows] = NOBODY
        at = np.flatnonzero(of != NOBODY)
        own, of = samples.take(at), of.take(at)
        limit_low, limit_high = self._rules.calm_low.take(own.row), self._rules.calm_high.take(own.row)
        loud = is_bad(own.quality) | ~((own.value > limit_low) & (own.value < limit_high))
        still = ~state.busy.take(rows)
        still[of[loud]] = False
        if len(self._rules.ringed):
            still[np.searchsorted(rows, self._steep(state, own.take(np.flatnonzero(still.take(of)))))] = False
        still[np.searchsorted(rows, self._apart(state, samples, rows[still]))] = False
        return still

    def _steep(self, state: State, samples: Samples) -> Ints:
        """Return the tags whose windows may be too steep or too flat at some of these good samples."""
        sample = Slotted.of(self._rules, samples, np.ones(len(samples), np.bool_))
        if not len(sample):
            return sample.row
        span = spans(self._rules, state.rings, sample)
        row = span.row
        quantum, base = self._rules.quantum.take(row), self._rules.range_low.take(row)
        low, high = base + (span.low - 2) * quantum, base + (span.high + 2) * quantum
        steep = ~(self._spare(row, low, high) > 0)
        flat = ~(span.before * quantum > self._rules.limit[FLATLINE].take(row))
        flat &= self._rules.enabled[FLATLINE].take(row)
        return np.asarray(row[steep | flat])

    def _apart(self, state: State, samples: Samples, rows: Ints) -> Ints:
        """Return those of ``rows`` that are compared, and may be too far from all their partners."""
        rows = rows[self._rules.enabled[DEV].take(rows)]
        if not len(rows):
            return rows
        partners = self._rules.partners.take(rows, axis=1)
        wanted = np.concatenate([rows, partners[partners != NOBODY]])
        value = np.where(is_bad(state.quality.take(wanted)), np.nan, state.value.take(wanted))
        self._least[wanted] = self._most[wanted] = value
        starts = np.flatnonzero(first_of_runs(samples.row))
        tags, good = samples.row.take(starts), ~is_bad(samples.quality)
        least = np.fmin.reduceat(np.where(good, samples.value, np.nan), starts)
        most = np.fmax.reduceat(np.where(good, samples.value, np.nan), starts)
        self._least[tags] = np.fmin(self._least.take(tags), least)
        self._most[tags] = np.fmax(self._most.take(tags), most)
        near = np.zeros(len(rows), np.bool_)
        for partner in partners:
            other = np.where(partner == NOBODY, rows, partner)
            apart = np.maximum(
                self._most.take(rows) - self._least.take(other), self._most.take(other) - self._least.take(rows)
            )
            near |= (partner != NOBODY) & ~(apart >= self._rules.limit[DEV].take(rows))
        return rows[~near]

    def dependents(self, rows: Ints) -> Ints:
        """Return the tags that are compared with some of ``rows``."""
        if not len(self._compared):
            return rows[:0]
        first, count = self._first.take(rows), np.diff(self._first).take(rows)
        offset = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        found: Ints = self._dependents.take(np.repeat(first, count) + offset)
        return found

    def settle(self, state: State, rows: Ints) -> None:
        """Draw the boxes of ``rows`` again, after their samples were evaluated."""
        rows = rows[self._boxed.take(rows)]
        if not len(rows):
            return
        busy = state.busy.take(rows)
        self._shut(rows[busy])  # stirred anyway
        self._draw(state, rows[~busy])
        self._shut_distant(state, rows)

    def _shut(self, rows: Ints) -> None:
        self._low[rows] = np.inf
        self._high[rows] = -np.inf

    def _draw(self, state: State, rows: Ints) -> None:
        value = state.value.take(rows)
        value[is_bad(state.quality.take(rows))] = np.nan
        low, high = self._window(state, rows, value)
        room = self._spare(rows, low, high)
        half = self._width.take(rows) / 2
        low = np.fmax(low - room, value - half)
        high = np.fmin(high + room, value + half)
        shut = ~(room > 0) | np.isnan(value)
        static_low, static_high = self._rules.calm_low.take(rows), self._rules.calm_high.take(rows)
        self._low[rows] = np.where(shut, np.inf, np.maximum(low, static_low))
        self._high[rows] = np.where(shut, -np.inf, np.minimum(high, static_high))

    def _window(self, state: State, rows: Ints, value: Floats) -> tuple[Floats, Floats]:
        """Return the least and the greatest value in sight, a little rounded apart; say when a window can be flat."""
        low, high = value.copy(), value.copy()
        ring = self._rules.ring.take(rows)
        at = np.flatnonzero(ring != NOBODY)
        if not len(at):
            return low, high
        rows, ring = rows.take(at), ring.take(at)
        cell = state.rings.latest(ring)
        used = cell["count"] > 0
        lowest = np.minimum.accumulate(np.where(used, cell["low"].astype(np.int64), _NO_LOW), axis=0)
        highest = np.maximum.accumulate(np.where(used, cell["high"].astype(np.int64), -_NO_LOW), axis=0)
        quantum, base = self._rules.quantum.take(rows), self._rules.range_low.take(rows)
        filled = used.any(axis=0)
        low[at] = np.where(filled, np.fmin(low.take(at), base + (lowest[-1] - 2) * quantum), low.take(at))
        high[at] = np.where(filled, np.fmax(high.take(at), base + (highest[-1] + 2) * quantum), high.take(at))

        lively = (highest - lowest) * quantum > self._rules.limit[FLATLINE].take(rows)
        leaves = state.rings.slot.take(ring) - lively.argmax(axis=0) + SLOTS
        until_ms = np.where(lively[-1], leaves * self._rules.step_ms.take(rows), 0)
        self._until_ms[rows] = np.where(self._rules.enabled[FLATLINE].take(rows), until_ms, _FOREVER_MS)
        return low, high

    def _spare(self, rows: Ints, low: Floats, high: Floats) -> Floats:
        """Return by how much the values may leave the range of the window; not more than 0 when they may not."""
        spread = high - low
        room = (self._room.take(rows) - spread) / 2
        reach = self._reach.take(rows)
        to_limit = np.minimum(self._rules.calm_high.take(rows) - high, low - self._rules.calm_low.take(rows))
        far = (to_limit - reach * spread) / (1 + 2 * reach)
        room = np.minimum(room, np.where(reach < 0, np.inf, far))
        return np.asarray(room * _SHRINK)

    def _shut_distant(self, state: State, rows: Ints) -> None:
        """Shut the boxes of tags whose partners are too far away: their deviation has to be looked at."""
        if not len(self._compared):
            return
        pairs = np.concatenate([rows[self._rules.enabled[DEV].take(rows)], self.dependents(rows)])
        limit = self._rules.limit[DEV].take(pairs)
        near = np.zeros(len(pairs), np.bool_)
        low, high = self._low.take(pairs), self._high.take(pairs)
        for which in self._rules.partners:
            partner = which.take(pairs)
            there = partner != NOBODY
            other_low, other_high = self._reach_of(state, np.where(there, partner, 0))
            with np.errstate(invalid="ignore"):  # a shut box and an endless one: shut it stays
                apart = np.maximum(high - other_low, other_high - low)
            near |= there & ~(apart >= limit)
        self._shut(pairs[~near])

    def _reach_of(self, state: State, rows: Ints) -> tuple[Floats, Floats]:
        """Return between which values the tags are until they stir: in their box, or where they were last; else NaN."""
        low, high = self._low.take(rows), self._high.take(rows)
        value = np.where(is_bad(state.quality.take(rows)), np.nan, state.value.take(rows))
        shut = low > high
        return np.where(shut, value, low), np.where(shut, value, high)


def _compared_width(rules: Rules, compared: Ints) -> Floats:
    """Return how wide the box of a tag may be because it is compared; infinite when it is not."""
    width = np.full(rules.count, np.inf)
    limit = rules.limit[DEV].take(compared) * _PART_OF_LIMIT
    limit = np.where(np.isnan(limit), np.inf, limit)
    np.minimum.at(width, compared, limit)
    for which in rules.partners:
        partner = which.take(compared)
        there = partner != NOBODY
        np.minimum.at(width, partner[there], limit[there])
    return width


def _dependents(rules: Rules, compared: Ints) -> tuple[Ints, Ints]:
    """Return for each row where its dependents begin, and the dependents."""
    partner = rules.partners.take(compared, axis=1).reshape(-1)
    dependent = np.tile(compared, len(rules.partners))[partner != NOBODY]
    partner = partner[partner != NOBODY]
    first = np.zeros(rules.count + 1, np.int64)
    np.cumsum(np.bincount(partner, minlength=rules.count), out=first[1:])
    return first, dependent[np.argsort(partner, kind="stable")]
