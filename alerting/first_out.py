"""Which alarm of a hazard unit came first: the one that names the cause, while those behind it are its consequences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerting.rates import NOT_YET
from alerting.segments import first_of_runs, running_max

__all__ = ["FirstOut", "UnitAlarms", "first_out"]

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class UnitAlarms:
    """Alarms of hazard units. Arrays of equal length."""

    unit: NDArray[np.int64]
    opened: NDArray[np.int64]
    """When it was raised, in the order of the gateway: event number, or gateway clock."""
    closed: NDArray[np.int64]
    """When it was over, in the same order; `NOT_YET` while it is open."""
    source_ms: NDArray[np.int64]
    """When it was raised by the clock of its source."""
    trusted: NDArray[np.bool_]
    """That clock can be trusted."""
    rank: NDArray[np.int64]
    """Decides between equals: place of its id among all ids."""


@dataclass(frozen=True, slots=True)
class FirstOut:
    """Groups of alarms, by unit, then in the order of the gateway. Arrays of equal length but for ``group``."""

    group: NDArray[np.int64]
    """Of each alarm."""
    first: NDArray[np.int64]
    """The alarm that came first, as its place among the alarms given."""
    by_source: NDArray[np.bool_]
    """It is the first by the clocks of the sources; else one of these cannot be trusted, and the gateway's order says
    which was first."""
    size: NDArray[np.int64]
    open: NDArray[np.int64]
    """How many of it are open; 0: the group is over."""


def first_out(alarms: UnitAlarms) -> FirstOut:
    """Group the alarms of each unit, and mark the first of every group.

    A group begins with an alarm of a unit in which none is open, and ends when none is. Its first alarm is the earliest
    by source time, then by id, when the clocks of all its alarms can be trusted; else the earliest in the order
    of the gateway, then by source time, then by id.
    """
    order = np.lexsort((alarms.opened, alarms.unit))
    unit, opened = alarms.unit[order], alarms.opened[order]
    closed = np.where(alarms.closed == NOT_YET, _NEVER, np.maximum(alarms.closed, alarms.opened))[order]
    begins = first_of_runs(unit)
    reached = np.roll(running_max(np.cumsum(begins) - 1, closed), 1)
    begins |= opened >= reached
    group = np.empty(len(order), np.int64)
    group[order] = np.cumsum(begins) - 1
    groups = int(begins.sum())
    by_source = np.bincount(group, ~alarms.trusted, groups) == 0
    main = np.where(by_source[group], alarms.source_ms, alarms.opened) if len(group) else group
    ranked = np.lexsort((alarms.rank, alarms.source_ms, main, group))
    first = ranked[first_of_runs(group[ranked])]
    still = np.bincount(group, alarms.closed == NOT_YET, groups).astype(np.int64)
    return FirstOut(group, first, by_source, np.bincount(group, minlength=groups), still)
