"""What came of a demo: all that was sent against all that was kept, and the alarms against the scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from config.plant.model import Condition
from hazgate.demo.answers import AlarmItem
from simulators.payloads import Sample
from simulators.scenario import Scenario
from simulators.verdict import Alarm, Verdict, judge

__all__ = ["Comparison", "Delays", "Judgement", "Kept", "compare", "delays_of", "judge_alarms"]

_LIMITS = {Condition.HH.value, Condition.H.value, Condition.L.value, Condition.LL.value}
_SHOWN = 20


class Kept(NamedTuple):
    """A sample as it lies in history."""

    tag: str
    time_ms: int
    value: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Samples sent against samples in history, by tag, time and value."""

    missing: tuple[Kept, ...]
    """Sent, but not in history."""
    doubled: tuple[Kept, ...]
    """In history more than once."""
    unexpected: tuple[Kept, ...]
    """In history, but nobody sent them."""


@dataclass(frozen=True, slots=True)
class Delays:
    """From sample to alarm, in milliseconds, over the limit alarms."""

    alarms: int
    p50: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """The whole verdict."""

    sent: int
    unsent: int
    """Made by the simulator, but never taken by the broker."""
    stored: int
    """Counted by the gateway's ledger."""
    absorbed: int
    """Arrived again and were dropped, counted by the ledger."""
    comparison: Comparison
    verdict: Verdict
    delays: Delays

    @property
    def lost(self) -> int:
        """By content or by count, whichever is worse."""
        return max(len(self.comparison.missing), self.sent - self.stored - self.absorbed, 0)

    @property
    def passed(self) -> bool:
        """Nothing lost, doubled, missed or false."""
        return not (self.lost or self.unsent or self.comparison.doubled) and self.verdict.passed

    def document(self) -> dict[str, Any]:
        """Return it for a report."""
        compared, verdict = self.comparison, self.verdict
        return {
            "samples_sent": self.sent,
            "samples_stored": self.stored,
            "lost": self.lost,
            "duplicates": len(compared.doubled),
            "alarms_expected": verdict.expected,
            "alarms_raised": verdict.raised,
            "missed": len(verdict.missed),
            "false": len(verdict.false),
            "sample_to_alarm_ms": {"p50": self.delays.p50, "p99": self.delays.p99, "max": self.delays.max},
            "passed": self.passed,
            "limit_alarms_timed": self.delays.alarms,
            "samples_unsent": self.unsent,
            "duplicates_absorbed": self.absorbed,
            "samples_unexpected": len(compared.unexpected),
            "first_lost": [list(one) for one in compared.missing[:_SHOWN]],
            "first_duplicates": [list(one) for one in compared.doubled[:_SHOWN]],
            "missed_alarms": list(verdict.missed),
            "false_alarms": list(verdict.false),
            "demands": list(verdict.details),
        }


def compare(sent: Iterable[Sample], kept: Iterable[Kept], without_clock: AbstractSet[str] = frozenset()) -> Comparison:
    """Compare what was sent with what is in history, value by value.

    Args:
        sent: Distinct samples.
        kept: What is in history.
        without_clock: Tags whose sources send no time. Theirs is that of receipt: only their values are compared,
            with how often each was sent.
    """
    wanted = Counter(_timed(Kept(sample.tag, sample.time_ms, sample.value), without_clock) for sample in sent)
    found = Counter(_timed(one, without_clock) for one in kept)
    beyond = found - wanted
    return Comparison(
        missing=tuple(sorted((wanted - found).elements(), key=_order)),
        doubled=tuple(sorted((one for one in beyond.elements() if one in wanted), key=_order)),
        unexpected=tuple(sorted((one for one in beyond.elements() if one not in wanted), key=_order)),
    )


def _timed(kept: Kept, without_clock: AbstractSet[str]) -> Kept:
    return kept._replace(time_ms=-1) if kept.tag in without_clock else kept


def judge_alarms(scenario: Scenario, alarms: Sequence[AlarmItem], started_ms: int, ran_s: float) -> Verdict:
    """Compare the alarms of a run with what its scenario demands."""
    told = [
        Alarm(alarm.tag, Condition(alarm.condition), alarm.base_tier, alarm.raised_ms, alarm.cleared_ms)
        for alarm in alarms
    ]
    return judge(scenario, told, started_ms, ran_s)


def delays_of(alarms: Iterable[AlarmItem]) -> Delays:
    """Measure how long it took from sample to alarm.

    For every limit alarm: when the gateway had decided it (gateway clock), minus the moment it was due. Without
    on-delay that moment is the source time of the sample that decided. With an on-delay it is when the delay ran out;
    whatever the gateway then still waits, for a sample or for its tick, counts as delay, the on-delay itself does not.
    """
    delays_ms = [alarm.decided_ms - alarm.raised_ms for alarm in alarms if alarm.condition in _LIMITS]
    if not delays_ms:
        return Delays(0, 0.0, 0.0, 0.0)
    p50, p99 = np.percentile(delays_ms, (50, 99))
    return Delays(len(delays_ms), round(float(p50), 1), round(float(p99), 1), float(max(delays_ms)))


def _order(kept: Kept) -> tuple[int, str]:
    return kept.time_ms, kept.tag
