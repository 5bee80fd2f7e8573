"""The naive twin of the alarm core: docs/alarm-conditions.md as a plain loop over scalars.

Slow on purpose: no arrays, no cleverness, one sample and one condition at a time. `NaiveEngine` has the methods of
`alerting.engine.Engine`; `run` is for tests that want the alarms of a whole stream.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from alerting.batch import Batch, Change, Disposition
from alerting.rules import Rules
from config.contract.quality import Quality, Reason, pack, reason_of
from config.plant.model import CONDITIONS, Condition

__all__ = ["NaiveEngine", "Sample", "Tick", "Transition", "naive_assess", "run"]

FIVE_MINUTES_MS = 5 * 60 * 1000
DERIVED = (Condition.ROC_HIGH, Condition.ROC_LOW, Condition.FORECAST, Condition.DEV, Condition.FLATLINE)
STUDENT = [*[math.inf] * 4, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169, 3.106, 3.055, 3.012, 2.977]
"""Student's t, 99 % two-sided, by degrees of freedom."""
SUSPECT = pack(Quality.BAD, Reason.CLOCK_SUSPECT)


class Transition(NamedTuple):
    """One transition; the fields of `alerting.batch.Transitions`."""

    tag: int
    condition: Condition
    change: Change
    onset_ms: int
    time_ms: int
    value: float
    quality: int
    limit: float
    measure: float = math.nan
    low: float = math.nan
    high: float = math.nan


class Sample(NamedTuple):
    """One sample as it reaches the engine."""

    row: int
    time_ms: int
    value: float
    quality: int
    received_ms: int


class Tick(NamedTuple):
    """The gateway clock reaches a time."""

    now_ms: int


def naive_assess(rules: Rules, sample: Sample) -> int:
    """Return the quality byte in force."""
    low, high = float(rules.range_low[sample.row]), float(rules.range_high[sample.row])
    span = high - low
    if sample.time_ms - sample.received_ms > FIVE_MINUTES_MS:
        return SUSPECT
    if is_bad(sample.quality):
        return sample.quality
    if not math.isfinite(sample.value):
        return pack(Quality.BAD, Reason.NOT_FINITE)
    if sample.value > high + 0.03125 * span:
        return pack(Quality.BAD, Reason.OVER_RANGE)
    if sample.value < low - 0.0125 * span:
        return pack(Quality.BAD, Reason.UNDER_RANGE)
    return sample.quality


def is_bad(quality: int) -> bool:
    """Say whether a quality byte means bad."""
    return (quality & 0b11) >= Quality.BAD


@dataclass
class Slot:
    """The good samples of one slot of a window, summed up."""

    count: int = 0
    ms: int = 0
    """Sum of their times since the begin of the slot."""
    quanta: int = 0
    """Sum of their values."""
    low: int = 0
    high: int = 0


@dataclass
class Window:
    """What the window of a tag shows at a good sample."""

    formed: bool
    slope: float = math.nan
    """Per minute."""
    margin: float = math.nan
    range: float = math.nan


@dataclass
class Alarm:
    """One condition of one tag."""

    active: bool = False
    onset_ms: int = 0
    """Of the alarm when active, else of the pending run."""
    pending: bool = False
    """A run that would change ``active`` is on its way."""
    frozen: bool = False
    """The last sample said nothing: the pending run gains no time."""
    held_ms: int = 0
    changed_ms: int = 0


@dataclass
class Tag:
    """What is remembered of one tag."""

    clock_ms: int = -1
    last_ms: int = -1
    """Effective time of the last evaluated sample."""
    received_ms: int = -1
    silent_since_ms: int | None = None
    value: float = math.nan
    quality: int = pack(Quality.BAD, Reason.NOT_FINITE)
    stale: bool = False
    slots: dict[int, Slot] = field(default_factory=dict)
    """By number."""
    reference: float = math.nan
    """What DEV compared the last sample with; NaN when it could not."""
    alarms: dict[Condition, Alarm] = field(default_factory=lambda: {condition: Alarm() for condition in CONDITIONS})


class NaiveEngine:
    """The specification, one scalar at a time."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.tags = [Tag() for _ in rules.names]

    def start(self, now_ms: int) -> None:
        """Count the silence of every tag from now."""
        for tag in self.tags:
            tag.silent_since_ms = now_ms

    def adopt(self, row: int, condition: Condition, onset_ms: int) -> None:
        """Take an alarm as raised that others remember."""
        if not self.enabled(row, condition):
            return
        alarm = self.tags[row].alarms[condition]
        alarm.active, alarm.onset_ms = True, onset_ms
        alarm.pending, alarm.held_ms = False, 0
        if condition is Condition.STALE:
            self.tags[row].stale = True

    def evaluate(self, batch: Batch, received_ms: int) -> tuple[list[Disposition], list[Transition]]:
        """Take samples in order of arrival."""
        told: list[Transition] = []
        verdicts = [
            self.take(Sample(int(row), int(time_ms), float(value), int(quality), received_ms), told)
            for row, time_ms, value, quality in zip(batch.tag, batch.time_ms, batch.value, batch.quality, strict=True)
        ]
        return verdicts, in_order(told)

    def tick(self, now_ms: int) -> list[Transition]:
        """Let the gateway clock reach a time."""
        told: list[Transition] = []
        for row, tag in enumerate(self.tags):
            silent_ms = 0 if tag.silent_since_ms is None else now_ms - tag.silent_since_ms
            for condition in CONDITIONS:
                self.let_time_pass(row, condition, silent_ms, told, keep=False)
            if tag.silent_since_ms is None or tag.silent_since_ms > now_ms:
                tag.silent_since_ms = now_ms
            allowance_ms = int(self.rules.stale_after_ms[row])
            if now_ms - tag.silent_since_ms > allowance_ms and not tag.stale:
                tag.stale = True
                if self.enabled(row, Condition.STALE):
                    tag.alarms[Condition.STALE].onset_ms = tag.silent_since_ms
                    self.change(row, Condition.STALE, tag.silent_since_ms + allowance_ms, told)
        return in_order(told)

    def take(self, sample: Sample, told: list[Transition]) -> Disposition:
        """Take one sample."""
        tag = self.tags[sample.row]
        disposition = Disposition.EVALUATED
        if sample.quality == SUSPECT:
            time_ms = sample.received_ms
        else:
            time_ms = sample.time_ms
            if time_ms == tag.clock_ms:
                disposition = Disposition.SAME_TIME
            if time_ms < tag.clock_ms:
                return Disposition.LATE
            if time_ms == tag.clock_ms and tag.quality != SUSPECT and same(sample.value, tag.value):
                return Disposition.DUPLICATE
            tag.clock_ms = time_ms

        self.go_on(sample, time_ms, told)
        return disposition

    def go_on(self, sample: Sample, time_ms: int, told: list[Transition]) -> None:
        """Let the sample before stand until ``time_ms``, then the new one speak."""
        tag = self.tags[sample.row]
        gap_ms = max(0, time_ms - tag.last_ms)
        for condition in CONDITIONS:
            self.let_time_pass(sample.row, condition, gap_ms, told, keep=True)
        tag.last_ms, tag.received_ms, tag.silent_since_ms = time_ms, sample.received_ms, sample.received_ms
        tag.value, tag.quality = sample.value, sample.quality
        if not is_bad(sample.quality):
            self.put_into_window(sample.row)
        tag.reference = self.compare(sample.row)
        if tag.stale:
            tag.stale = False
            if tag.alarms[Condition.STALE].active:
                self.change(sample.row, Condition.STALE, sample.received_ms, told)
        for condition in CONDITIONS:
            if condition is not Condition.STALE and self.enabled(sample.row, condition):
                self.apply(sample.row, condition, told)

    def let_time_pass(self, row: int, condition: Condition, gap_ms: int, told: list[Transition], *, keep: bool) -> None:
        """Let the last sample stand for the process for a while, for its hold at most."""
        tag, alarm = self.tags[row], self.tags[row].alarms[condition]
        if not alarm.pending or alarm.frozen:
            return
        span_ms = min(gap_ms, int(self.rules.hold_ms[row]))
        delay_ms = self.delay_ms(row, condition)
        if alarm.held_ms + span_ms >= delay_ms:
            self.change(row, condition, tag.last_ms + delay_ms - alarm.held_ms, told)
        elif keep:
            alarm.held_ms += span_ms

    def apply(self, row: int, condition: Condition, told: list[Transition]) -> None:
        """Let the last sample begin, go on with, suspend or break a run."""
        tag, alarm = self.tags[row], self.tags[row].alarms[condition]
        says = self.classify(row, condition)
        if says == "FROZEN":
            alarm.frozen = True
            return
        alarm.frozen = False
        if says != ("OFF" if alarm.active else "ON"):
            self.drop_run(alarm)
            return
        if not alarm.pending:
            alarm.pending = True
            if not alarm.active:
                alarm.onset_ms = tag.last_ms
        if self.delay_ms(row, condition) == 0:
            self.change(row, condition, tag.last_ms, told)

    def classify(self, row: int, condition: Condition) -> str:
        """Say what the last sample means to a condition: ON, OFF, BETWEEN or FROZEN."""
        value, quality = self.tags[row].value, self.tags[row].quality
        if condition is Condition.BAD_PV:
            return "ON" if is_bad(quality) else "OFF"
        if condition in DERIVED:
            return self.classify_derived(row, condition)
        limit, deadband = self.limit(row, condition), self.of(row, condition, "deadband")
        high = condition in (Condition.HH, Condition.H)
        y, y_limit = (value, limit) if high else (-value, -limit)
        if is_bad(quality):
            beyond = Reason.OVER_RANGE if high else Reason.UNDER_RANGE
            return "ON" if reason_of(quality) is beyond and y >= y_limit else "FROZEN"
        if y >= y_limit:
            return "ON"
        return "OFF" if y < y_limit - deadband else "BETWEEN"

    def classify_derived(self, row: int, condition: Condition) -> str:
        """Say what the last sample means to a condition that looks at more than its value."""
        measure, _, _ = self.measure(row, condition)
        if is_bad(self.tags[row].quality) or math.isnan(measure):
            return "FROZEN"
        y, y_limit = measure, self.limit(row, condition)
        if condition is Condition.ROC_LOW:
            y = -y
        if condition is Condition.DEV:
            y = abs(y)
        if condition in (Condition.FORECAST, Condition.FLATLINE):
            y, y_limit = -y, -y_limit
        if y >= y_limit:
            return "ON"
        return "OFF" if y < y_limit - self.of(row, condition, "deadband") else "BETWEEN"

    def measure(self, row: int, condition: Condition) -> tuple[float, float, float]:
        """Return what a condition measures at the last sample, and what belongs to it; NaN when it measures nothing."""
        tag = self.tags[row]
        if condition is Condition.DEV:
            return tag.value - tag.reference, tag.reference, tag.reference
        if condition not in DERIVED:
            return math.nan, math.nan, math.nan
        window = self.look(row)
        if not window.formed:
            return math.nan, math.nan, math.nan
        if condition is Condition.FLATLINE:
            return window.range, math.nan, math.nan
        if condition is Condition.FORECAST:
            return self.forecast(row, window)
        return window.slope, window.slope - window.margin, window.slope + window.margin

    def put_into_window(self, row: int) -> None:
        """Add the last sample to its slot."""
        tag = self.tags[row]
        low, high = float(self.rules.range_low[row]), float(self.rules.range_high[row])
        if not math.isfinite(high - low):
            return
        number, ms = divmod(tag.last_ms, self.step_ms(row))
        quanta = min(max(round((tag.value - low) / ((high - low) / 2**30)), -(2**30)), 2**31 - 1)
        slot = tag.slots.setdefault(number, Slot(low=quanta, high=quanta))
        slot.count += 1
        slot.ms += ms
        slot.quanta += quanta
        slot.low, slot.high = min(slot.low, quanta), max(slot.high, quanta)

    def look(self, row: int) -> Window:
        """Lay a line through the mean points of the slot of the last sample and the fifteen before it."""
        tag, step_ms = self.tags[row], self.step_ms(row)
        quantum = (float(self.rules.range_high[row]) - float(self.rules.range_low[row])) / 2**30
        latest = tag.last_ms // step_ms
        if latest not in tag.slots:
            return Window(formed=False)
        mean_now = tag.slots[latest].quanta / tag.slots[latest].count
        count, sx, sy, sxx, sxy, syy = 0, 0.0, 0.0, 0.0, 0.0, 0.0
        oldest_x, newest_x, lows, highs = 0.0, 0.0, list[int](), list[int]()
        for number in range(latest, latest - 16, -1):
            x, y = 0.0, 0.0  # an empty slot adds zeros
            if number in tag.slots:
                slot = tag.slots[number]
                x = number * step_ms + slot.ms / slot.count - tag.last_ms
                y = slot.quanta / slot.count - mean_now
                count, oldest_x = count + 1, min(oldest_x, x)
                lows.append(slot.low)
                highs.append(slot.high)
            if number == latest:
                newest_x = x
            sx, sy, sxx, sxy, syy = sx + x, sy + y, sxx + x * x, sxy + x * y, syy + y * y
        if count < 6 or newest_x - oldest_x < int(self.rules.window_ms[row]) / 2:
            return Window(formed=False)
        spread, joint = count * sxx - sx * sx, count * sxy - sx * sy
        slope = joint / spread
        residual = max((count * syy - sy * sy - slope * joint) / count, 0.0)
        error = math.sqrt(residual / (count - 2) * (count / spread))
        per_minute = quantum * 60_000.0
        margin = STUDENT[count - 2] * error * per_minute
        return Window(formed=True, slope=slope * per_minute, margin=margin, range=(max(highs) - min(lows)) * quantum)

    def forecast(self, row: int, window: Window) -> tuple[float, float, float]:
        """Return the minutes left to the next limit: at the slope, at its steepest, at its flattest."""
        value, ahead = self.tags[row].value, math.inf
        if window.slope - window.margin > 0:
            y, conditions, sign = value, (Condition.HH, Condition.H), 1.0
        elif window.slope + window.margin < 0:
            y, conditions, sign = -value, (Condition.L, Condition.LL), -1.0
        else:
            return math.inf, math.inf, math.inf
        for condition in conditions:
            limit = sign * self.limit(row, condition)
            if self.enabled(row, condition) and limit > y:
                ahead = min(ahead, limit - y)
        rate = abs(window.slope)
        return ahead / rate, ahead / (rate + window.margin), ahead / (rate - window.margin)

    def compare(self, row: int) -> float:
        """Return what DEV compares the last sample with: its partner, or the median of the three; NaN if it cannot."""
        tag = self.tags[row]
        partners = [int(partner) for partner in self.rules.partners[:, row] if partner >= 0]
        if not partners or not self.enabled(row, Condition.DEV) or is_bad(tag.quality):
            return math.nan
        for partner in partners:
            other = self.tags[partner]
            if is_bad(other.quality) or abs(tag.last_ms - other.last_ms) > int(self.rules.hold_ms[partner]):
                return math.nan
        values = [self.tags[partner].value for partner in partners]
        return values[0] if len(values) == 1 else sorted([tag.value, *values])[1]

    def step_ms(self, row: int) -> int:
        """Return the width of a slot."""
        return max(1, math.ceil(int(self.rules.window_ms[row]) / 16))

    def change(self, row: int, condition: Condition, time_ms: int, told: list[Transition]) -> None:
        """Raise or clear, and tell."""
        tag, alarm = self.tags[row], self.tags[row].alarms[condition]
        alarm.active = not alarm.active
        alarm.changed_ms = max(alarm.changed_ms, time_ms)
        change = Change.RAISED if alarm.active else Change.CLEARED
        told.append(
            Transition(
                row,
                condition,
                change,
                alarm.onset_ms,
                alarm.changed_ms,
                tag.value,
                tag.quality,
                self.limit(row, condition),
                *self.measure(row, condition),
            )
        )
        self.drop_run(alarm)

    def drop_run(self, alarm: Alarm) -> None:
        """Forget the pending run."""
        alarm.pending, alarm.held_ms = False, 0
        if not alarm.active:
            alarm.onset_ms = 0

    def of(self, row: int, condition: Condition, name: str) -> float:
        """Look a rule up."""
        return float(getattr(self.rules, name)[CONDITIONS.index(condition), row])

    def enabled(self, row: int, condition: Condition) -> bool:
        """Say whether the condition is to be watched."""
        return bool(self.rules.enabled[CONDITIONS.index(condition), row])

    def limit(self, row: int, condition: Condition) -> float:
        """Return the limit."""
        return self.of(row, condition, "limit")

    def delay_ms(self, row: int, condition: Condition) -> int:
        """Return the delay of the change that would come next."""
        active = self.tags[row].alarms[condition].active
        return int(self.of(row, condition, "off_delay_ms" if active else "on_delay_ms"))

    def snapshot(self) -> list[Tag]:
        """Return a copy of everything remembered."""
        return copy.deepcopy(self.tags)

    @classmethod
    def restore(cls, rules: Rules, payload: Sequence[Tag]) -> NaiveEngine:
        """Return an engine that goes on from a snapshot; tags appended since then start fresh."""
        engine = cls(rules)
        engine.tags[: len(payload)] = copy.deepcopy(list(payload))
        return engine


def same(one: float, other: float) -> bool:
    """Compare values; NaN equals NaN."""
    return one == other or (math.isnan(one) and math.isnan(other))


def in_order(told: Iterable[Transition]) -> list[Transition]:
    """Sort as `alerting.batch.Transitions` says."""
    return sorted(told, key=lambda one: (one.time_ms, one.tag, CONDITIONS.index(one.condition)))


def run(rules: Rules, events: Iterable[Sample | Tick], *, start_ms: int | None = None) -> list[Transition]:
    """Return all transitions of a stream of samples and ticks, in the order in which they are decided.

    Samples come with the quality the source gave them; it is assessed here, as the gateway does.
    """
    engine = NaiveEngine(rules)
    if start_ms is not None:
        engine.start(start_ms)
    told: list[Transition] = []
    for event in events:
        if isinstance(event, Tick):
            told += engine.tick(event.now_ms)
        else:
            engine.take(event._replace(quality=naive_assess(rules, event)), told)
    return told
