"""How well faults are found: each labelled file against each detector, and what it costs in false alarms."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from hazgate.bench.detectors import Alarm, Entry, detectors
from hazgate.bench.labelled import Labelled, read_labelled

__all__ = ["Score", "detect", "score", "totals"]

_DAY_MS: Final = 86_400_000.0


@dataclass(frozen=True, slots=True)
class Score:
    """One detector on one file."""

    file: str
    detector: str
    wanted_per_day: float | None
    """False alarms a channel-day asked for, where one can ask."""
    channels: int
    normal_rows: int
    """Limits were learnt from these; alarms in them are `learnt_alarms`, not false ones."""
    faults: int
    detected: int
    """Faults in whose window some channel raised an alarm."""
    delays_s: tuple[float, ...]
    """From the begin of the window to the first alarm in it, for the detected."""
    first: tuple[str, ...]
    """Channel and condition of that alarm."""
    by_chance: float
    """Faults this one would be expected to hit if its alarms knew nothing: by its false alarms in this file alone."""
    false_alarms: int
    """Raised after the normal rows and outside every window."""
    false_after_fault: int
    """Those of them after a fault had begun: what it left behind, or going back to normal."""
    channel_days: float
    """Time after the normal rows and outside the windows, times channels."""
    learnt_alarms: int
    confidence: Mapping[str, int]
    """How sure `suggest` said to be of how many settings."""


def detect(data: Path, rates: Sequence[float], say: Callable[[str], None]) -> dict[str, Any]:
    """Run every detector over every labelled file.

    Args:
        data: Holds ``skab/`` or ``nab/``.
        rates: False alarms a day wanted of each channel, each tried.
        say: Told which file is read.

    Returns:
        The scores, file by file, and totals by detector and kind of file.

    Raises:
        BenchError: The data is not there or cannot be read.
    """
    scores = []
    for series in read_labelled(data):
        say(series.name)
        scores += [score(series, entry) for entry in detectors(rates)]
    return {"totals": totals(scores), "files": [asdict(one) for one in scores]}


def score(series: Labelled, entry: Entry) -> Score:
    """Compare the alarms of a detector with the labels. The windows are taken as they are, without tolerance."""
    outcome = entry.run(series)
    alarms = outcome.alarms
    learnt_until_ms = int(series.time_ms[series.normal_rows - 1])
    hits = [_first_within(alarms, begin, end) for begin, end in series.windows]
    found = [(hit, begin) for hit, (begin, _) in zip(hits, series.windows, strict=True) if hit is not None]
    outside = [alarm for alarm in alarms if not any(begin <= alarm.time_ms <= end for begin, end in series.windows)]
    false_alarms = sum(alarm.time_ms > learnt_until_ms for alarm in outside)
    first_ms = series.windows[0][0] if series.windows else math.inf
    outside_ms = _outside_ms(series, learnt_until_ms)
    per_ms = false_alarms / max(outside_ms, 1)
    return Score(
        file=series.name,
        detector=entry.name,
        wanted_per_day=entry.wanted_per_day,
        channels=len(series.channels),
        normal_rows=series.normal_rows,
        faults=len(series.windows),
        detected=len(found),
        delays_s=tuple((hit.time_ms - begin) / 1000 for hit, begin in found),
        first=tuple(f"{hit.channel} {hit.condition}" for hit, _ in found),
        by_chance=sum(-math.expm1(-per_ms * (end - begin)) for begin, end in series.windows),
        false_alarms=false_alarms,
        false_after_fault=sum(alarm.time_ms > first_ms for alarm in outside),
        channel_days=outside_ms / _DAY_MS * len(series.channels),
        learnt_alarms=sum(alarm.time_ms <= learnt_until_ms for alarm in outside),
        confidence=outcome.confidence,
    )


def totals(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """Add up by data set and detector."""
    groups: dict[tuple[str, str, float | None], list[Score]] = {}
    for one in scores:
        groups.setdefault((one.file.split("/")[0], one.detector, one.wanted_per_day), []).append(one)
    return [_total(group) for group in groups.values()]


def _total(group: Sequence[Score]) -> dict[str, Any]:
    delays = [delay for one in group for delay in one.delays_s]
    days = sum(one.channel_days for one in group)
    false_alarms = sum(one.false_alarms for one in group)
    return {
        "data": group[0].file.split("/")[0],
        "detector": group[0].detector,
        "wanted_per_channel_day": group[0].wanted_per_day,
        "faults": sum(one.faults for one in group),
        "detected": sum(one.detected for one in group),
        "by_chance": round(sum(one.by_chance for one in group), 1),
        "median_delay_s": median(delays) if delays else None,
        "longest_delay_s": max(delays, default=None),
        "false_alarms": false_alarms,
        "false_after_fault": sum(one.false_after_fault for one in group),
        "channel_days": round(days, 3),
        "false_alarms_per_channel_day": round(false_alarms / days, 3) if days else None,
        "confidence": dict(sum((Counter(one.confidence) for one in group), Counter[str]())),
        "files_without_false_alarm": sum(not one.false_alarms for one in group),
        "files": len(group),
    }


def _first_within(alarms: Sequence[Alarm], begin_ms: int, end_ms: int) -> Alarm | None:
    return next((alarm for alarm in alarms if begin_ms <= alarm.time_ms <= end_ms), None)


def _outside_ms(series: Labelled, after_ms: int) -> int:
    """Return how much time lies after a moment and outside every window; a row stands for the time to the next."""
    begin, stands = series.time_ms[:-1], np.diff(series.time_ms)
    counted = begin >= after_ms
    for window_begin, window_end in series.windows:
        counted &= ~((begin >= window_begin) & (begin <= window_end))
    return int(stands[counted].sum())
