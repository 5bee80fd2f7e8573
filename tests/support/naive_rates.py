"""Rates of alarms as plain loops over moments: what `alerting.rates` and `alerting.first_out` must equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "NaiveAlarm",
    "NaiveFlood",
    "NaiveGroup",
    "naive_buckets",
    "naive_chatter",
    "naive_covered",
    "naive_first_out",
    "naive_floods",
    "naive_most",
    "naive_most_standing",
]


@dataclass
class NaiveFlood:
    begin_ms: int
    end_ms: int
    count: int
    peak: int


@dataclass(frozen=True)
class NaiveAlarm:
    unit: int
    opened: int
    closed: int | None
    source_ms: int
    trusted: bool
    rank: int


@dataclass
class NaiveGroup:
    members: list[NaiveAlarm]

    def open_at(self, moment: int) -> bool:
        return any(one.closed is None or max(one.closed, one.opened) > moment for one in self.members)


def naive_floods(times: Sequence[int], until_ms: int, above: int, below: int, within: int) -> list[NaiveFlood]:
    """Look at every millisecond."""
    found: list[NaiveFlood] = []
    flooded = False
    for now in range(min(times, default=0), until_ms + 1):
        here = sum(now - within < one <= now for one in times)
        if not flooded and here > above:
            flooded = True
            found.append(NaiveFlood(now, -1, 0, 0))
        elif flooded and here < below:
            flooded = False
            found[-1].end_ms = now
        if flooded:
            found[-1].count += sum(one == now for one in times)
            found[-1].peak = max(found[-1].peak, here)
    return found


def naive_most(times: Sequence[int], within: int) -> int:
    return max((sum(now - within < one <= now for one in times) for now in times), default=0)


def naive_buckets(times: Sequence[int], from_ms: int, to_ms: int, width: int) -> tuple[list[int], int]:
    """Return the counts of whole buckets, and how many fell beside them."""
    starts = [start for start in range(0, to_ms, width) if start >= from_ms and start + width <= to_ms]
    counts = [sum(start <= one < start + width for one in times) for start in starts]
    return counts, sum(from_ms <= one < to_ms for one in times) - sum(counts)


def naive_chatter(activations: Sequence[tuple[int, int]], least: int, within: int) -> list[tuple[int, int, int, int]]:
    """Return (key, first, last, count) of each episode, joining runs that share an activation one by one."""
    found = []
    for key in sorted({one for one, _ in activations}):
        times = sorted(time for one, time in activations if one == key)
        runs = [
            set(range(first, first + least))
            for first in range(len(times) - least + 1)
            if times[first + least - 1] - times[first] <= within
        ]
        episodes: list[set[int]] = []
        for run in runs:
            if episodes and episodes[-1] & run:
                episodes[-1] |= run
            else:
                episodes.append(run)
        found += [(key, times[min(one)], times[max(one)], len(one)) for one in episodes]
    return found


def naive_most_standing(alarms: Sequence[tuple[int, int | None]], from_ms: int, to_ms: int, longer: int) -> int:
    return max(
        (
            sum(now - raised > longer and (cleared is None or cleared > now) for raised, cleared in alarms)
            for now in range(from_ms, to_ms)
        ),
        default=0,
    )


def naive_covered(spans: Sequence[tuple[int, int, int]], rows: int) -> list[int]:
    """Count the milliseconds one by one."""
    return [
        len({moment for one, begin, end in spans if one == row for moment in range(begin, end)}) for row in range(rows)
    ]


def naive_first_out(alarms: Sequence[NaiveAlarm]) -> list[tuple[NaiveAlarm, bool, int, int]]:
    """Return first alarm, whether by source, size and open ones of each group."""
    groups: list[NaiveGroup] = []
    for unit in sorted({one.unit for one in alarms}):
        of_unit: list[NaiveGroup] = []
        for alarm in sorted((one for one in alarms if one.unit == unit), key=lambda one: one.opened):
            if of_unit and of_unit[-1].open_at(alarm.opened):
                of_unit[-1].members.append(alarm)
            else:
                of_unit.append(NaiveGroup([alarm]))
        groups += of_unit
    found = []
    for group in groups:
        by_source = all(one.trusted for one in group.members)
        first = min(
            group.members,
            key=lambda one: (one.source_ms if by_source else one.opened, one.source_ms, one.rank),
        )
        still = sum(one.closed is None for one in group.members)
        found.append((first, by_source, len(group.members), still))
    return found
