"""Floods, chatter and first-out of the moment, kept alarm by alarm: what `alerting` would say, without going back.

Times do not fall: the caller gives an alarm that seems earlier than the one before the time of that one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from alerting.rates import CHATTER, FLOOD, NOT_YET, ChatterRule, FloodRule
from config.contract.quality import Reason, reason_of

__all__ = ["Episode", "FloodNow", "Group", "RunningChatter", "RunningFlood", "RunningGroups"]


@dataclass(frozen=True, slots=True)
class FloodNow:
    """A flood."""

    begin_ms: int
    end_ms: int
    """`NOT_YET`: it goes on."""
    count: int
    peak: int


class RunningFlood:
    """The flood of one desk.

    Args:
        rule: When one begins and ends.
    """

    def __init__(self, rule: FloodRule = FLOOD) -> None:
        self._rule = rule
        self._times: deque[int] = deque()
        """Activations that were in the trailing window at the last of them."""
        self._flood: FloodNow | None = None
        self._over: FloodNow | None = None
        """The last one that has ended."""

    def add(self, at_ms: int) -> None:
        """Take an activation."""
        if self._times and at_ms > self._times[-1]:
            self._settle(at_ms - 1)
        self._times.append(at_ms)
        while self._times[0] <= at_ms - self._rule.within_ms:
            self._times.popleft()
        here = len(self._times)
        if self._flood is not None:
            flood = self._flood
            self._flood = FloodNow(flood.begin_ms, NOT_YET, flood.count + 1, max(flood.peak, here))
        elif here > self._rule.begins_above:
            self._flood = FloodNow(at_ms, NOT_YET, self._times.count(at_ms), here)

    def count(self, now_ms: int) -> int:
        """Return how many activations lie in the trailing window."""
        return sum(one > now_ms - self._rule.within_ms for one in self._times)

    def latest(self, now_ms: int) -> FloodNow | None:
        """Return the flood that goes on, else the last one; None when there was none."""
        flood = self._flood
        if flood is None:
            return self._over
        end_ms = self._end(now_ms)
        return flood if end_ms == NOT_YET else FloodNow(flood.begin_ms, end_ms, flood.count, flood.peak)

    def _settle(self, upto_ms: int) -> None:
        """Let the flood end if it did up to a moment, before the next activation."""
        found = self.latest(upto_ms)
        if self._flood is not None and found is not None and found.end_ms != NOT_YET:
            self._over, self._flood = found, None

    def _end(self, upto_ms: int) -> int:
        """Return when too few were left in the window, if that was so up to a moment; the last activation is in it."""
        needed = self._rule.ends_below
        if len(self._times) < needed:
            return self._times[-1]
        leaves = self._times[-needed] + self._rule.within_ms
        return leaves if leaves <= upto_ms else NOT_YET


@dataclass(slots=True)
class Episode:
    """The latest activations of one alarm, and its latest episode of chattering."""

    recent: deque[int]
    seen: int = 0
    begin_ms: int = NOT_YET
    end_ms: int = NOT_YET
    count: int = 0
    last: int = 0
    """Number of the activation that ended it."""


class RunningChatter:
    """The chattering of all alarms of a desk.

    Args:
        rule: What is too often.
    """

    def __init__(self, rule: ChatterRule = CHATTER) -> None:
        self._rule = rule
        self._of: dict[tuple[str, str], Episode] = {}

    def add(self, key: tuple[str, str], at_ms: int) -> None:
        """Take an activation."""
        found = self._of.get(key)
        if found is None:
            found = self._of[key] = Episode(deque(maxlen=self._rule.least))
        found.recent.append(at_ms)
        found.seen += 1
        if len(found.recent) < self._rule.least or at_ms - found.recent[0] > self._rule.within_ms:
            return
        linked = found.count and found.seen - found.last < self._rule.least
        found.count = found.count + found.seen - found.last if linked else self._rule.least
        found.begin_ms = found.begin_ms if linked else found.recent[0]
        found.end_ms, found.last = at_ms, found.seen

    def now(self, now_ms: int) -> Mapping[tuple[str, str], Episode]:
        """Return what chatters now: its last episode reaches into the time in which it would go on."""
        since_ms = now_ms - self._rule.within_ms
        return {key: one for key, one in self._of.items() if one.count and one.end_ms >= since_ms}


@dataclass(slots=True)
class Group:
    """The alarms of a hazard unit since none was open in it."""

    opened_ms: int
    first_by_order: tuple[Any, ...]
    first_by_source: tuple[Any, ...]
    trusted: bool = True
    size: int = 0
    open: set[str] = field(default_factory=set)

    @property
    def first(self) -> str:
        """Id of the alarm that came first."""
        return str((self.first_by_source if self.trusted else self.first_by_order)[-1])


class RunningGroups:
    """First-out of all hazard units."""

    def __init__(self) -> None:
        self._of: dict[str, Group] = {}

    def open(self, row: Mapping[str, Any], order: int) -> None:
        """Take an alarm that has been raised.

        Args:
            row: Of the table `alarm`.
            order: In which the gateway raised it.
        """
        unit, name, source_ms = row["hazard_unit"], row["alarm_id"], row["raised_ms"]
        by_order, by_source = (order, source_ms, name), (source_ms, name)
        group = self._of.get(unit)
        if group is None:
            group = self._of[unit] = Group(row["received_ms"], by_order, by_source)
        if name in group.open:
            return
        group.first_by_order = min(group.first_by_order, by_order)
        group.first_by_source = min(group.first_by_source, by_source)
        group.trusted &= reason_of(row["quality"]) is not Reason.CLOCK_SUSPECT
        group.size += 1
        group.open.add(name)

    def close(self, row: Mapping[str, Any]) -> None:
        """Take that an alarm is over."""
        group = self._of.get(row["hazard_unit"])
        if group is None:
            return
        group.open.discard(row["alarm_id"])
        if not group.open:
            del self._of[row["hazard_unit"]]

    def now(self) -> Mapping[str, Group]:
        """Return the groups that are open, by hazard unit."""
        return self._of
