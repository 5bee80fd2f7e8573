"""What happened to this alarm, and how often it came before."""

from __future__ import annotations

from pydantic import Field

from gateway.api.models import AlarmMoment, Model
from gateway.api.views import alarm_moment
from gateway.display import unit_of
from gateway.story.case import Case
from gateway.story.telling import Said, said

__all__ = ["HistoryContent", "tell_history"]

_DAYS = 30
_COUNTED = 1_000
_EVENTS = 50


class EarlierAlarm(Model):
    """The same tag and condition before."""

    alarm_id: str
    raised_ms: int
    cleared_ms: int | None
    verdict: str | None


class HistoryContent(Model):
    """The life of this alarm and of those like it."""

    times_30d: int = Field(description="Alarms of this tag and condition in the 30 days up to it, it included")
    at_least: bool = Field(description="There are more than were counted")
    earlier: tuple[EarlierAlarm, ...] = Field(description="The last ones before it, newest first")
    timeline: tuple[AlarmMoment, ...] = Field(description="Its latest events, oldest first")


def tell_history(case: Case) -> Said[HistoryContent]:
    """Tell of the past."""
    alarm, here = case.alarm, case.sources.neighbourhood
    times, earlier = here.like(alarm, _DAYS * 86_400_000, _COUNTED)
    unit = None if case.tag is None else unit_of(case.tag, case.sources.plant)
    same = ("alarm_id", "raised_ms", "cleared_ms", "verdict")
    return said(
        HistoryContent(
            times_30d=min(times, _COUNTED),
            at_least=times > _COUNTED,
            earlier=tuple(EarlierAlarm(**{name: row[name] for name in same}) for row in earlier),
            timeline=tuple(alarm_moment(event, unit) for event in here.events(alarm["alarm_id"], _EVENTS)),
        )
    )
