"""How many alarms, how fast, and which of them are a nuisance: the arithmetic behind EEMUA 191 and ISA-18.2 figures.

Times are milliseconds on one clock, whichever the caller counts on. An alarm that has not ended yet ends at `NOT_YET`.
Every kernel goes through its alarms with whole arrays: a month of a million alarms takes a fraction of a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.segments import first_of_runs, running_max

__all__ = [
    "CHATTER",
    "DAY_MS",
    "FLOOD",
    "NOT_YET",
    "TEN_MINUTES_MS",
    "Buckets",
    "Chatter",
    "ChatterRule",
    "FloodRule",
    "Floods",
    "Frequent",
    "bucket_counts",
    "chattering",
    "covered_ms",
    "fleeting",
    "floods",
    "most_frequent",
    "most_in_any",
    "most_standing",
    "standing",
]

Numbers = NDArray[np.int64]

NOT_YET: Final = -1
"""End of an alarm that has not ended."""
TEN_MINUTES_MS: Final = 600_000
DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class FloodRule:
    """When a flood begins and ends."""

    begins_above: int = 10
    """It begins when more activations than this lie in the trailing window."""
    ends_below: int = 5
    within_ms: int = TEN_MINUTES_MS
    """The trailing window at t is t - within_ms < time <= t."""


@dataclass(frozen=True, slots=True)
class ChatterRule:
    """When one alarm is raised too often."""

    least: int = 3
    within_ms: int = 60_000
    """From the first to the last of them, at most."""


FLOOD: Final = FloodRule()
CHATTER: Final = ChatterRule()


@dataclass(frozen=True, slots=True)
class Floods:
    """The floods of one desk, oldest first. Arrays of equal length."""

    begin_ms: Numbers
    """The activation that was one too many."""
    end_ms: Numbers
    """When fewer than enough were left in the trailing window; `NOT_YET` when it goes on."""
    count: Numbers
    """Activations from begin to before end, both ends of `floods` included."""
    peak: Numbers
    """Most activations in the trailing window while it lasted."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """Activations in whole wall-clock buckets of equal width, empty ones included."""

    first_ms: int
    """Beginning of the first."""
    counts: Numbers
    outside: int
    """Activations in the parts of buckets at the two ends of the window."""


@dataclass(frozen=True, slots=True)
class Chatter:
    """Episodes of chattering, by key, then by time. Arrays of equal length."""

    key: Numbers
    begin_ms: Numbers
    """First activation."""
    end_ms: Numbers
    """Last activation."""
    count: Numbers


@dataclass(frozen=True, slots=True)
class Frequent:
    """The most frequent keys, most frequent first, the smaller key first where equal."""

    key: Numbers
    count: Numbers
    total: int
    """Of all keys."""


def floods(time_ms: Numbers, until_ms: int, rule: FloodRule = FLOOD) -> Floods:
    """Find the floods among activations.

    Args:
        time_ms: Of activations, not falling.
        until_ms: What is later is not looked at, neither activations nor ends.
        rule: When one begins and ends.
    """
    time_ms = time_ms[: np.searchsorted(time_ms, until_ms, "right")]
    moments, counts = _trailing(time_ms, until_ms, rule.within_ms)
    above, below = counts > rule.begins_above, counts < rule.ends_below
    # Between the two bounds it goes on as it was: the last moment that was outside of them decides.
    decided = np.maximum.accumulate(np.where(above | below, np.arange(len(moments)), -1))
    state = np.zeros(len(moments) + 1, np.bool_)
    state[1:] = above[decided] & (decided >= 0)
    change = np.flatnonzero(state[1:] != state[:-1])
    begin, end = change[::2], change[1::2]
    goes_on = len(begin) > len(end)
    begin_ms, end_ms = moments[begin], np.append(moments[end], [NOT_YET] * goes_on)
    after = np.append(moments[end], [until_ms + 1] * goes_on)
    count = np.searchsorted(time_ms, after) - np.searchsorted(time_ms, begin_ms)
    peak = np.maximum.reduceat(counts, change)[::2] if len(change) else np.zeros(0, np.int64)
    return Floods(begin_ms, end_ms, count.astype(np.int64), peak)


def most_in_any(time_ms: Numbers, within_ms: int = TEN_MINUTES_MS) -> int:
    """Return the most activations in any trailing window; times not falling."""
    if not len(time_ms):
        return 0
    before = np.searchsorted(time_ms, time_ms - within_ms, "right")
    return int((np.arange(1, len(time_ms) + 1) - before).max())


def bucket_counts(time_ms: Numbers, from_ms: int, to_ms: int, width_ms: int = TEN_MINUTES_MS) -> Buckets:
    """Count activations in wall-clock buckets that lie wholly within ``from_ms <= t < to_ms``.

    Args:
        time_ms: Not falling.
        from_ms: Beginning of the window.
        to_ms: Its end.
        width_ms: Buckets begin at its multiples.
    """
    first, last = -(-from_ms // width_ms), max(to_ms // width_ms, -(-from_ms // width_ms))
    edges = np.arange(first, last + 1, dtype=np.int64) * width_ms
    counts = np.diff(np.searchsorted(time_ms, edges))
    inside = np.diff(np.searchsorted(time_ms, (from_ms, max(from_ms, to_ms))))[0]
    return Buckets(int(first * width_ms), counts, int(inside - counts.sum()))


def chattering(key: Numbers, time_ms: Numbers, rule: ChatterRule = CHATTER) -> Chatter:
    """Find the episodes in which one alarm was raised again and again.

    Activations belong to one episode when they are linked by runs of ``least`` within ``within_ms`` that share one.

    Args:
        key: Of each activation: one number for each tag and condition.
        time_ms: In any order.
        rule: What is too often.
    """
    order = np.lexsort((time_ms, key))
    key, time_ms, span = key[order], time_ms[order], rule.least - 1
    runs = max(len(key) - span, 0)
    fast = key[span:] == key[:runs]
    fast &= time_ms[span:] - time_ms[:runs] <= rule.within_ms
    start = np.flatnonzero(fast)
    apart = np.flatnonzero(np.diff(start) > span)
    begin = start[np.append(0, apart + 1)] if len(start) else start
    end = start[np.append(apart, len(start) - 1)] + span if len(start) else start
    return Chatter(key[begin], time_ms[begin], time_ms[end], end - begin + 1)


def fleeting(raised_ms: Numbers, cleared_ms: Numbers, within_ms: int) -> NDArray[np.bool_]:
    """Say which alarms were over within a time in which nobody could have acted."""
    brief = cleared_ms - raised_ms <= within_ms
    brief &= cleared_ms != NOT_YET
    return brief


def standing(raised_ms: Numbers, cleared_ms: Numbers, at_ms: int, longer_than_ms: int = DAY_MS) -> NDArray[np.bool_]:
    """Say which alarms are active at a moment and have been for longer than that."""
    stands: NDArray[np.bool_] = (cleared_ms == NOT_YET) | (cleared_ms > at_ms)
    stands &= at_ms - raised_ms > longer_than_ms
    return stands


def most_standing(
    raised_ms: Numbers, cleared_ms: Numbers, from_ms: int, to_ms: int, longer_than_ms: int = DAY_MS
) -> int:
    """Return how many alarms were standing at once, at most, in ``from_ms <= t < to_ms``."""
    begin = np.maximum(raised_ms + longer_than_ms + 1, from_ms)
    end = np.where(cleared_ms == NOT_YET, to_ms, np.minimum(cleared_ms, to_ms))
    stood = begin < end
    begin, end = np.sort(begin[stood]), np.sort(end[stood])
    here = np.arange(1, len(begin) + 1) - np.searchsorted(end, begin, "right")
    return int(here.max(initial=0))


def most_frequent(key: Numbers, top: int = 10) -> Frequent:
    """Return the most frequent keys, at most ``top``."""
    keys, counts = np.unique(key, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:top]
    return Frequent(keys[order], counts[order], len(key))


def covered_ms(row: Numbers, begin_ms: Numbers, end_ms: Numbers, rows: int) -> Numbers:
    """Return the time that spans cover in each row, counted once where they overlap.

    Args:
        row: Of each span, at least 0 and below ``rows``.
        begin_ms: Of each span.
        end_ms: Of each span; one that ends before it begins covers nothing.
        rows: How many there are.
    """
    order = np.lexsort((begin_ms, row))
    row, begin_ms, end_ms = row[order], begin_ms[order], np.maximum(end_ms, begin_ms)[order]
    first = first_of_runs(row)
    reached = np.roll(running_max(np.cumsum(first) - 1, end_ms), 1)
    fresh = np.where(first, begin_ms, np.maximum(begin_ms, reached))
    return np.bincount(row, np.maximum(end_ms - fresh, 0), rows).astype(np.int64)


def _trailing(time_ms: Numbers, until_ms: int, within_ms: int) -> tuple[Numbers, Numbers]:
    """Return the moments at which the number of activations in the trailing window changes, and that number then."""
    leaves = time_ms + within_ms
    leaves = leaves[: np.searchsorted(leaves, until_ms, "right")]
    moments = np.sort(np.concatenate((time_ms, leaves)), kind="stable")  # merges the two, which are sorted
    moments = moments[first_of_runs(moments)]
    counts = np.searchsorted(time_ms, moments, "right") - np.searchsorted(leaves, moments, "right")
    return moments, counts
