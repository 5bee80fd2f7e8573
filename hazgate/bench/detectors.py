"""What is compared: suggested limits and three-sigma limits in the real alarm engine, and two control charts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any, Final

import numpy as np
import yaml
from numpy.typing import NDArray

from alerting.batch import Batch, Change, Transitions
from alerting.engine import Engine
from alerting.quality import assess
from alerting.rules import compile_rules
from alerting.suggest import Normal, suggest
from config.plant.load import read_plant
from config.plant.model import CONDITIONS, Plant
from config.units import Conversion
from hazgate.bench.labelled import Labelled
from hazgate.fragment import known_conditions, limits_of

__all__ = ["Alarm", "Detector", "Entry", "Outcome", "detectors"]

_PIECE: Final = 4_096
"""Samples in one batch; what the engine decides does not depend on it."""
_ROOM: Final = 10.0
"""The instrument range reaches so many times the recorded span beyond it: no reading is out of range."""
_WINDOW_PERIODS: Final = 32
"""Window of ROC+ and ROC-: the house default but for its floor of five minutes, which is most of SKAB's normal rows."""
_SIGMAS: Final = 3.0
_EWMA_WEIGHT, _EWMA_SIGMAS = 0.2, 3.0
_CUSUM_SLACK, _CUSUM_BOUND = 0.5, 5.0


@dataclass(frozen=True, slots=True, order=True)
class Alarm:
    """One alarm raised."""

    time_ms: int
    channel: str
    condition: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a detector did on one file."""

    alarms: Sequence[Alarm]
    """Raised over the whole file, in order of time."""
    confidence: Mapping[str, int] = field(default_factory=dict)
    """How sure it said to be of how many settings, where it says so."""


Detector = Callable[[Labelled], Outcome]
"""Learns from the normal rows of a file and runs over the whole of it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing compared."""

    name: str
    wanted_per_day: float | None
    """False alarms a channel-day the limits were suggested for; None where that cannot be asked for."""
    run: Detector


def detectors(rates: Sequence[float]) -> list[Entry]:
    """Return what is compared.

    Args:
        rates: False alarms a channel-day wanted, each tried, for the suggested limits.
    """
    everything = known_conditions()
    levels = tuple(name for name in everything if not name.startswith("ROC"))
    sets = {"H L": levels} | ({"H L ROC": everything} if everything != levels else {})
    suggested = [
        Entry(f"suggested {name}", rate, partial(_suggested, rate=rate, conditions=conditions))
        for rate in rates
        for name, conditions in sets.items()
    ]
    charts = (("3 sigma", _three_sigma), ("EWMA", _ewma), ("CUSUM", _cusum))
    return suggested + [Entry(name, None, run) for name, run in charts]


def _suggested(series: Labelled, rate: float, conditions: Sequence[str]) -> Outcome:
    """Suggest limits from the normal rows, write them into a plant file, run it."""
    bare = _plant(series, {})
    rows = slice(0, series.normal_rows)
    limits: dict[str, Mapping[str, Any]] = {}
    sure: Counter[str] = Counter()
    for name, value in zip(series.channels, series.value, strict=True):
        tag = bare.tags[_tag(name)]
        quality = np.zeros(series.normal_rows, np.uint8)
        normal = Normal(series.time_ms[rows], value[rows], quality, tag.hold_ms, tag.window_ms)
        found = suggest(normal, rate, conditions)
        limits[name] = limits_of(found, tag, Conversion(Fraction(1)))
        sure.update(str(one.confidence) for one in found)
    return Outcome(_run(series, _plant(series, limits)), dict(sure))


def _three_sigma(series: Labelled) -> Outcome:
    """Put H and L three standard deviations from the mean, without deadband or delay."""
    limits = {}
    for name, (mean, deviation) in zip(series.channels, _moments(series), strict=True):
        plain = {"deadband": 0.0, "on_delay": "0s", "off_delay": "0s"}
        high, low = mean + _SIGMAS * deviation, mean - _SIGMAS * deviation
        limits[name] = {"H": {"limit": float(high), **plain}, "L": {"limit": float(low), **plain}}
    return Outcome(_run(series, _plant(series, {name: one for name, one in limits.items() if one["H"] != one["L"]})))


def _ewma(series: Labelled) -> Outcome:
    """Chart an exponentially weighted mean (Roberts 1959; weight 0.2, three sigma)."""
    bound = _EWMA_SIGMAS * math.sqrt(_EWMA_WEIGHT / (2.0 - _EWMA_WEIGHT))

    def out(z: NDArray[np.float64]) -> NDArray[np.bool_]:
        mean, means = 0.0, []
        for value in z.tolist():
            mean += _EWMA_WEIGHT * (value - mean)
            means.append(mean)
        return np.asarray(np.abs(np.array(means)) > bound)

    return _charted(series, "EWMA", out)


def _cusum(series: Labelled) -> Outcome:
    """Chart sums of what is beyond half a sigma, both ways (Page 1954; slack 0.5, bound 5); an alarm starts anew."""

    def out(z: NDArray[np.float64]) -> NDArray[np.bool_]:
        up = down = 0.0
        alarms = []
        for value in z.tolist():
            up, down = max(0.0, up + value - _CUSUM_SLACK), max(0.0, down - value - _CUSUM_SLACK)
            alarms.append(max(up, down) > _CUSUM_BOUND)
            up, down = (0.0, 0.0) if alarms[-1] else (up, down)
        return np.array(alarms)

    return _charted(series, "CUSUM", out)


def _charted(series: Labelled, name: str, out: Callable[[NDArray[np.float64]], NDArray[np.bool_]]) -> Outcome:
    """Run a chart over the standardised channels; an alarm is a row that is out after one that was not."""
    alarms = []
    for channel, value, (mean, deviation) in zip(series.channels, series.value, _moments(series), strict=True):
        there = np.flatnonzero(np.isfinite(value))
        if deviation > 0.0:
            is_out = out((value[there] - mean) / deviation)
            begins = there[is_out & ~np.concatenate(([False], is_out[:-1]))]
            alarms += [Alarm(int(series.time_ms[at]), channel, name) for at in begins]
    return Outcome(sorted(alarms))


def _moments(series: Labelled) -> list[tuple[float, float]]:
    """Return mean and standard deviation of the normal rows of each channel."""
    normal = series.value[:, : series.normal_rows]
    return [(float(np.nanmean(row)), float(np.nanstd(row))) for row in normal]


def _tag(channel: str) -> str:
    """Return a tag name made of a channel's name."""
    return "".join(letter if letter.isalnum() else "_" for letter in channel)


class _Spelling(yaml.SafeDumper):
    """Spells everything out: plant files take no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        """Give nothing an alias."""
        del data
        return True


def _plant(series: Labelled, limits: Mapping[str, Mapping[str, Any]]) -> Plant:
    """Return a plant with a tag for each channel, through the same gate as any plant file."""
    words = {"zh": "基准测试", "en": "benchmark"}
    tags: dict[str, Any] = {}
    for name, value in zip(series.channels, series.value, strict=True):
        low, high = float(np.nanmin(value)), float(np.nanmax(value))
        room = _ROOM * max(high - low, abs(high), 1e-9)
        tags[_tag(name)] = {
            "description": words,
            "kind": "other",
            "quantity": "number",
            "unit": "1",
            "range": [low - room, high + room],
            "period": f"{series.period_ms}ms",
            "window": f"{_WINDOW_PERIODS * series.period_ms}ms",
            "edge": "bench",
            "limits": {"STALE": False} | dict(limits.get(name, {})),
        }
    document = {
        "enterprise": {"id": "bench", "name": words},
        "site": {"id": "bench", "name": words, "latitude_deg": 0, "longitude_deg": 0},
        "edges": {"bench": {"name": words}},
        "tags": tags,
    }
    return read_plant(yaml.dump(document, Dumper=_Spelling), series.name)


def _run(series: Labelled, plant: Plant) -> list[Alarm]:
    """Run the alarm engine over the whole file, row by row of it, and a tick after each batch."""
    names = [_tag(name) for name in series.channels]
    engine = Engine(compile_rules(plant, names))
    engine.start(int(series.time_ms[0]))
    rows = len(series.time_ms)
    tag = np.tile(np.arange(len(names), dtype=np.int32), rows)
    time_ms, value = np.repeat(series.time_ms, len(names)), series.value.T.reshape(-1)
    alarms: list[Alarm] = []
    for start in range(0, len(tag), _PIECE):
        piece = slice(start, start + _PIECE)
        now_ms = int(time_ms[piece][-1])
        batch = Batch(tag[piece], time_ms[piece], value[piece], np.zeros(len(tag[piece]), np.uint8))
        batch = Batch(batch.tag, batch.time_ms, batch.value, assess(engine.rules, batch, now_ms))
        told = (engine.evaluate(batch, now_ms).transitions, engine.tick(now_ms))
        alarms += [alarm for part in told for alarm in _raised(part, series.channels)]
    return sorted(alarms)


def _raised(transitions: Transitions, channels: Sequence[str]) -> Iterable[Alarm]:
    for at in np.flatnonzero(transitions.change == Change.RAISED):
        condition = CONDITIONS[transitions.condition[at]]
        yield Alarm(int(transitions.time_ms[at]), channels[transitions.tag[at]], condition.value)
