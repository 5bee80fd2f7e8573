"""How each KPI is made from the alarms of one desk; what it means is in `gateway.kpi.definitions`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.rates import (
    DAY_MS,
    NOT_YET,
    TEN_MINUTES_MS,
    Buckets,
    Chatter,
    Floods,
    bucket_counts,
    chattering,
    fleeting,
    floods,
    most_frequent,
    most_in_any,
    most_standing,
)
from config.plant.model import Text, Tier
from gateway.kpi.definitions import ACKNOWLEDGE_MIN, FLEETING_MS, HANDLE_MIN
from gateway.kpi.rows import INHIBITED, AlarmColumns

__all__ = ["FIGURES", "Figure", "LeftOut", "Online", "Scene", "scene_of"]

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 3_600_000
_MANY: Final = 10

_APART: Final[Mapping[str, Text]] = {
    "shelved": Text("搁置期间产生，未提示", "raised while shelved, not annunciated"),
    "suppressed": Text("设计抑制期间产生，未提示", "raised while suppressed by design, not annunciated"),
    "out_of_service": Text("停用期间产生，未提示", "raised while out of service, not annunciated"),
}
_OTHERWISE: Final = Text("因其他原因未提示", "not annunciated for another reason")
_RETROSPECTIVE: Final = Text("由迟到数据补判，从未提示", "retrospective, never annunciated")
_NO_ALARMS: Final = Text("窗口内无报警", "no alarms in the window")
_NO_TIME: Final = Text("窗口尚无时长", "the window has no length yet")
_NOT_RECORDED: Final[Mapping[str, Text]] = {
    "inhibited": Text(
        "尚不可知：记录中没有报警产生时是否搁置、抑制或停用；全部按已提示计",
        "not yet known: the records do not say whether an alarm was shelved, suppressed or out of service when raised; "
        "all count as annunciated",
    ),
    "verdict": Text("尚不可知：记录中没有报警的原因", "not yet known: the records hold no cause of an alarm"),
    "closed_ms": Text(
        "尚不可知：记录中没有报警的关闭时间", "not yet known: the records do not say when an alarm was closed"
    ),
    "measured_ms": Text(
        "尚不可知：记录中没有首个措施的时间", "not yet known: the records do not say when the first measure was taken"
    ),
}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a figure does not count."""

    count: int
    reason: Text


@dataclass(frozen=True, slots=True)
class Figure:
    """One KPI of one desk and window."""

    value: float | None
    numerator: float | None = None
    denominator: float | None = None
    left_out: tuple[LeftOut, ...] = ()
    why_not: Text | None = None
    """Why there is no value."""


@dataclass(frozen=True, slots=True)
class Online:
    """How much of the time points had valid samples."""

    points: int
    valid_s: float
    expected_s: float
    unwatched: int
    """Points of which silence raises no alarm."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The alarms of one desk and window, looked at once for all figures."""

    from_ms: int
    to_ms: int
    """Not behind the present."""
    all: AlarmColumns
    """Also those that only reach into the window; neither retrospective nor inhibited."""
    told: AlarmColumns
    """Annunciated in the window."""
    apart: tuple[LeftOut, ...]
    inhibited: NDArray[np.int64]
    """How many of each kind, by code."""
    retrospective: int
    missing: frozenset[str]
    floods: Floods
    """Those of which a part lies in the window."""
    flood_ms: int
    buckets: Buckets
    chatter: Chatter
    """Episodes that reach into the window."""
    online: Online

    @property
    def length_ms(self) -> int:
        """Of the window."""
        return self.to_ms - self.from_ms


def scene_of(alarms: AlarmColumns, from_ms: int, to_ms: int, missing: frozenset[str], online: Online) -> Scene:
    """Look at the alarms of a desk.

    Args:
        alarms: As read for the window, by the time of annunciation.
        from_ms: Beginning of the window.
        to_ms: Its end, not behind the present.
        missing: Columns the records do not have.
        online: Of the points of the desk.
    """
    inside = (alarms.told_ms >= from_ms) & (alarms.told_ms < to_ms)
    retrospective, inhibited = alarms.retrospective, alarms.inhibited
    live = ~retrospective & (alarms.told_ms < to_ms)
    kinds = np.bincount(inhibited[inside & live], minlength=5)
    missed = int((inside & retrospective).sum())
    every = alarms.where(live & (inhibited == 0))
    told = every.where(every.told_ms >= from_ms)
    found = floods(every.told_ms, to_ms - 1)
    flood_end = np.where(found.end_ms == NOT_YET, to_ms, found.end_ms)
    reaches = flood_end > from_ms
    episodes = chattering(every.key, every.told_ms)
    lately = episodes.end_ms >= from_ms
    return Scene(
        from_ms=from_ms,
        to_ms=to_ms,
        all=every,
        told=told,
        apart=_apart(kinds, missed),
        inhibited=kinds,
        retrospective=missed,
        missing=missing,
        floods=Floods(*(one[reaches] for one in (found.begin_ms, found.end_ms, found.count, found.peak))),
        flood_ms=int((flood_end - np.maximum(found.begin_ms, from_ms))[reaches].sum()),
        buckets=bucket_counts(told.told_ms, from_ms, to_ms),
        chatter=Chatter(*(one[lately] for one in (episodes.key, episodes.begin_ms, episodes.end_ms, episodes.count))),
        online=online,
    )


def _apart(kinds: NDArray[np.int64], retrospective: int) -> tuple[LeftOut, ...]:
    reasons = (*(_APART[kind] for kind in INHIBITED), _OTHERWISE)
    counts = zip((*kinds[1:].tolist(), retrospective), (*reasons, _RETROSPECTIVE), strict=True)
    return tuple(LeftOut(count, reason) for count, reason in counts if count)


def _annunciated(scene: Scene) -> Figure:
    return Figure(len(scene.told), len(scene.told), None, _unknown(scene))


def _per(scene: Scene, unit_ms: int) -> Figure:
    spans = scene.length_ms / unit_ms
    return _ratio(len(scene.told), spans, _unknown(scene), _NO_TIME)


def _max(scene: Scene) -> Figure:
    most = most_in_any(scene.told.told_ms)
    return Figure(most, most, None, _unknown(scene))


def _windows(scene: Scene) -> Figure:
    buckets = scene.buckets
    beside = Text("不在完整的 10 分钟段内", "not in a whole 10-min window")
    left = (*_unknown(scene), *_some(buckets.outside, beside))
    none = Text("窗口内没有完整的 10 分钟段", "there is no whole 10-min window")
    return _ratio(int((buckets.counts > _MANY).sum()), len(buckets.counts), left, none)


def _flood_time(scene: Scene) -> Figure:
    return _ratio(scene.flood_ms / 1000, scene.length_ms / 1000, _unknown(scene), _NO_TIME)


def _floods(scene: Scene) -> Figure:
    count = len(scene.floods.begin_ms)
    return Figure(count, count, None, _unknown(scene))


def _top(scene: Scene) -> Figure:
    frequent = most_frequent(scene.told.key)
    return _ratio(int(frequent.count.sum()), frequent.total, _unknown(scene), _NO_ALARMS)


def _chattering(scene: Scene) -> Figure:
    count = len(np.unique(scene.chatter.key))
    return Figure(count, count, None, _unknown(scene))


def _fleeting(scene: Scene) -> Figure:
    told = scene.told
    count = int(fleeting(told.raised_ms, told.cleared_ms, FLEETING_MS).sum())
    going_on = int((told.cleared_ms == NOT_YET).sum())
    left = (*_unknown(scene), *_some(going_on, Text("尚未恢复", "not over yet")))
    return Figure(count, count, len(told), left)


def _standing(scene: Scene) -> Figure:
    alarms = scene.all
    most = most_standing(alarms.raised_ms, alarms.cleared_ms, scene.from_ms, scene.to_ms, DAY_MS)
    return Figure(most, most, None, _unknown(scene))


def _priority(scene: Scene, tier: Tier) -> Figure:
    return _ratio(int((scene.told.base_tier == tier).sum()), len(scene.told), _unknown(scene), _NO_ALARMS)


def _inhibited(scene: Scene, code: int) -> Figure:
    if "inhibited" in scene.missing:
        return Figure(None, why_not=_NOT_RECORDED["inhibited"])
    count = int(scene.inhibited[code])
    return Figure(count, count)


def _retrospective(scene: Scene) -> Figure:
    return Figure(scene.retrospective, scene.retrospective)


def _median(scene: Scene, tier: Tier) -> Figure:
    of_tier = scene.told.where(scene.told.tier == tier)
    seen = of_tier.acknowledged_ms != NOT_YET
    took_ms = (of_tier.acknowledged_ms - of_tier.alarmed_ms)[seen]
    left = (*_unknown(scene), *_some(int((~seen).sum()), Text("未确认", "not acknowledged")))
    if not len(took_ms):
        return Figure(None, None, 0, left, Text("没有已确认的报警", "no alarm has been acknowledged"))
    return Figure(float(np.median(took_ms)) / _MINUTE_MS, None, len(took_ms), left)


def _in_time(scene: Scene, done_ms: NDArray[np.int64], minutes: Mapping[Tier, int]) -> Figure:
    alarms = scene.all
    clock_ms = np.array([0, *(minutes[tier] for tier in Tier), 0, 0, 0], np.int64)[alarms.tier] * _MINUTE_MS
    due_ms = alarms.alarmed_ms + clock_ms
    due = (due_ms >= scene.from_ms) & (due_ms < scene.to_ms)
    in_time = due & (done_ms != NOT_YET) & (done_ms <= due_ms)
    later = int((due_ms >= scene.to_ms).sum())
    left = (*_unknown(scene), *_some(later, Text("时限在窗口内尚未到期", "clock does not run out in the window")))
    none = Text("窗口内没有到期的时限", "no clock ran out in the window")
    return _ratio(int(in_time.sum()), int(due.sum()), left, none)


def _acknowledged(scene: Scene) -> Figure:
    return _in_time(scene, scene.all.acknowledged_ms, ACKNOWLEDGE_MIN)


def _handled(scene: Scene) -> Figure:
    if "measured_ms" in scene.missing:
        return Figure(None, why_not=_NOT_RECORDED["measured_ms"])
    return _in_time(scene, scene.all.measured_ms, HANDLE_MIN)


def _closed(scene: Scene) -> Figure:
    for name in ("closed_ms", "verdict"):
        if name in scene.missing:
            return Figure(None, why_not=_NOT_RECORDED[name])
    closed = (scene.told.closed_ms != NOT_YET) & scene.told.caused
    return _ratio(int(closed.sum()), len(scene.told), _unknown(scene), _NO_ALARMS)


def _valid(scene: Scene) -> Figure:
    if "verdict" in scene.missing:
        return Figure(None, why_not=_NOT_RECORDED["verdict"])
    caused = scene.told.caused
    left = (*_unknown(scene), *_some(int((~caused).sum()), Text("尚无原因", "without a cause")))
    none = Text("尚无报警填写了原因", "no alarm has a cause yet")
    return _ratio(int((caused & ~scene.told.false).sum()), int(caused.sum()), left, none)


def _online(scene: Scene) -> Figure:
    online = scene.online
    unwatched = Text("未启用数据中断报警的位号", "points whose silence raises no alarm")
    left = _some(online.unwatched, unwatched)
    none = Text("没有可统计的位号", "no point is watched for silence")
    return _ratio(round(online.valid_s, 3), round(online.expected_s, 3), left, none)


def _ratio(numerator: float, denominator: float, left_out: tuple[LeftOut, ...], none: Text) -> Figure:
    if not denominator:
        return Figure(None, numerator, denominator, left_out, none)
    return Figure(numerator / denominator, numerator, denominator, left_out)


def _some(count: int, reason: Text) -> tuple[LeftOut, ...]:
    return (LeftOut(count, reason),) if count else ()


def _unknown(scene: Scene) -> tuple[LeftOut, ...]:
    """Return what no figure of annunciated alarms counts."""
    if "inhibited" in scene.missing:
        return (*scene.apart, LeftOut(0, _NOT_RECORDED["inhibited"]))
    return scene.apart


FIGURES: Final[Mapping[str, Callable[[Scene], Figure]]] = {
    "annunciated": _annunciated,
    "per_10_min": partial(_per, unit_ms=TEN_MINUTES_MS),
    "per_hour": partial(_per, unit_ms=_HOUR_MS),
    "per_day": partial(_per, unit_ms=DAY_MS),
    "max_per_10_min": _max,
    "windows_above_10": _windows,
    "flood_time": _flood_time,
    "floods": _floods,
    "top_10_share": _top,
    "chattering": _chattering,
    "fleeting": _fleeting,
    "standing_24h": _standing,
    **{f"priority_{tier.name.lower()}": partial(_priority, tier=tier) for tier in Tier},
    **{kind: partial(_inhibited, code=code) for code, kind in enumerate(INHIBITED, 1)},
    "retrospective": _retrospective,
    **{f"acknowledge_{tier.name.lower()}": partial(_median, tier=tier) for tier in Tier},
    "acknowledged_in_time": _acknowledged,
    "disposal_rate": _closed,
    "disposal_in_time": _handled,
    "valid_rate": _valid,
    "online_rate": _online,
}
"""KPI -> how it is made."""
