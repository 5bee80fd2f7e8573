"""What a backtest says: per tag and condition, in all, and which alarms made the difference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from alerting.backtest import Load, compare, load
from alerting.retrospect import Alarms
from config.plant.model import CONDITIONS, Condition
from gateway.backtest import Period, TagPast

__all__ = ["BacktestReport", "Change", "Compared", "Side", "report_of"]

_MOST_CHANGES = 2_000
_ACCEPTABLE_PER_DAY, _MANAGEABLE_PER_DAY = 150, 300
"""EEMUA 191 and ISA-18.2-2009, table 5: about 150 a day and operator are likely acceptable, 300 the most."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Side(_Model):
    """What one set of rules asks of the people who answer the alarms."""

    alarms: int
    per_day: float
    in_alarm_s: float
    """Time in alarm, added up."""
    chattering: int
    """Alarms that are one of three or more of their tag and condition raised within 60 s."""
    most_in_ten_minutes: int
    in_flood: float
    """Part of the ten-minute spans in which more than ten alarms were raised."""
    verdict: Literal["acceptable", "manageable", "overloaded"]
    """By EEMUA 191: about 150 alarms a day and operator at most, about 300 at most, more."""


class Compared(_Model):
    """One condition of one tag under both sets of rules."""

    tag: str
    condition: Condition
    today: Side
    proposed: Side
    added: int
    """Alarms that no alarm of today overlaps."""
    removed: int
    """Alarms of today that no proposed one overlaps."""
    moved: int
    """Proposed alarms that overlap one of today, raised or cleared at another time."""


class Change(_Model):
    """One alarm that makes a difference."""

    kind: Literal["added", "removed", "moved"]
    tag: str
    condition: Condition
    onset_ms: int
    raised_ms: int
    cleared_ms: int
    """The end of the period where it was still active."""


class BacktestReport(_Model):
    """Today's and proposed rules over the same stored samples."""

    from_ms: int
    to_ms: int
    tags: int
    samples: int
    today: Side
    proposed: Side
    added: int
    removed: int
    moved: int
    conditions: tuple[Compared, ...]
    """Those with an alarm on either side."""
    changes: tuple[Change, ...] = Field(description="In order of tag and time; at most 2000")


def report_of(pasts: Iterable[TagPast], period: Period) -> BacktestReport:
    """Put the tags together."""
    found = list(pasts)
    today, proposed = (_numbered([getattr(past, name) for past in found]) for name in ("today", "proposed"))
    tally = compare(today, proposed)
    compared = tuple(_compared(found, period))
    changes = [
        *_changes("removed", found, today.take(tally.removed)),
        *_changes("added", found, proposed.take(tally.added)),
        *_changes("moved", found, proposed.take(tally.moved)),
    ]
    changes.sort(key=lambda one: (one.tag, one.raised_ms, one.condition))
    return BacktestReport(
        from_ms=period.from_ms,
        to_ms=period.to_ms,
        tags=len(found),
        samples=sum(past.samples for past in found),
        today=_side(today, period),
        proposed=_side(proposed, period),
        added=int(tally.added.sum()),
        removed=int(tally.removed.sum()),
        moved=int(tally.moved.sum()),
        conditions=compared,
        changes=tuple(changes[:_MOST_CHANGES]),
    )


def _numbered(parts: list[Alarms]) -> Alarms:
    """Put the alarms of several tags into one, numbered in their order."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in Alarms.__slots__}
    columns["tag"] = np.repeat(np.arange(len(parts), dtype=np.int32), [len(part) for part in parts])
    return Alarms(**columns)


def _compared(pasts: Iterable[TagPast], period: Period) -> Iterator[Compared]:
    for past in pasts:
        there = np.union1d(past.today.condition, past.proposed.condition).tolist()
        for number in there:
            today = past.today.take(past.today.condition == number)
            proposed = past.proposed.take(past.proposed.condition == number)
            tally = compare(today, proposed)
            yield Compared(
                tag=past.name,
                condition=CONDITIONS[number],
                today=_side(today, period),
                proposed=_side(proposed, period),
                added=int(tally.added.sum()),
                removed=int(tally.removed.sum()),
                moved=int(tally.moved.sum()),
            )


def _side(alarms: Alarms, period: Period) -> Side:
    asked: Load = load(alarms, period.from_ms, period.to_ms)
    return Side(
        alarms=asked.alarms,
        per_day=round(asked.per_day, 3),
        in_alarm_s=asked.in_alarm_s,
        chattering=asked.chattering,
        most_in_ten_minutes=asked.most_in_ten_minutes,
        in_flood=round(asked.in_flood, 6),
        verdict=_verdict(asked.per_day),
    )


def _verdict(per_day: float) -> Literal["acceptable", "manageable", "overloaded"]:
    if per_day <= _ACCEPTABLE_PER_DAY:
        return "acceptable"
    return "manageable" if per_day <= _MANAGEABLE_PER_DAY else "overloaded"


def _changes(kind: Literal["added", "removed", "moved"], pasts: list[TagPast], alarms: Alarms) -> Iterator[Change]:
    for at in range(len(alarms)):
        yield Change(
            kind=kind,
            tag=pasts[int(alarms.tag[at])].name,
            condition=CONDITIONS[int(alarms.condition[at])],
            onset_ms=int(alarms.onset_ms[at]),
            raised_ms=int(alarms.raised_ms[at]),
            cleared_ms=int(alarms.cleared_ms[at]),
        )
