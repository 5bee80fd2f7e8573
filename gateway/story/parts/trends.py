"""The last hour of the tags around it, folded into minutes: least and greatest."""

from __future__ import annotations

from pydantic import Field

from config.plant.model import Tag
from gateway.api.models import Model, Name
from gateway.api.views import name_of
from gateway.display import unit_of
from gateway.history.port import Outline
from gateway.records.schema import OPEN_STATES
from gateway.story.case import Case
from gateway.story.telling import Said, empty, partial, said

__all__ = ["TrendsContent", "tell_trends"]

_HOUR_MS = 3_600_000
_AFTER_MS = 900_000
"""Of an alarm that is over, so long after it was raised is shown."""
_TAGS = 12
_BUCKETS = 60


class Trend(Model):
    """One tag; columns of equal length, minutes without a sample left out."""

    tag: str
    description: Name
    unit: str
    start_ms: tuple[int, ...]
    minimum: tuple[float | None, ...]
    maximum: tuple[float | None, ...]


class TrendsContent(Model):
    """An hour of the tags around the alarm."""

    from_ms: int
    to_ms: int
    bucket_ms: int
    tags: tuple[Trend, ...] = Field(description="Its own first, then those of its vessel, vehicle, unit; at most 12")


def tell_trends(case: Case) -> Said[TrendsContent]:
    """Tell what was measured."""
    around = case.sources.surroundings.around(case.tag, case.vessel, case.unit, case.vehicle, _TAGS)
    if not around:
        return empty("附近没有位号", "there are no tags around it")
    alarm = case.alarm
    to_ms = case.at_ms
    if alarm["state"] not in OPEN_STATES:
        to_ms = min(to_ms, alarm["raised_ms"] + _AFTER_MS)
    from_ms = max(0, to_ms - _HOUR_MS)
    numbers = case.sources.neighbourhood.tag_ids([one.name for one in around])
    outlines = case.sources.history.outlines(sorted(numbers.values()), from_ms, to_ms, _BUCKETS)
    trends = tuple(_trend(one, outlines.get(numbers.get(one.name, -1)), case) for one in around)
    content = TrendsContent(from_ms=from_ms, to_ms=to_ms, bucket_ms=_HOUR_MS // _BUCKETS, tags=trends)
    if not any(one.start_ms for one in trends):
        return partial(content, "该时段无历史数据", "the history has nothing of this hour")
    return said(content)


def _trend(tag: Tag, outline: Outline | None, case: Case) -> Trend:
    unit = unit_of(tag, case.sources.plant)
    return Trend(
        tag=tag.name,
        description=name_of(tag.description),
        unit=unit.name,
        start_ms=() if outline is None else tuple(outline.start_ms.tolist()),
        minimum=() if outline is None else tuple(unit.show_array(outline.minimum)),
        maximum=() if outline is None else tuple(unit.show_array(outline.maximum)),
    )
