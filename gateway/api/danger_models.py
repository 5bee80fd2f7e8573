"""What the API answers about hidden dangers. Times are UTC epoch milliseconds."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from config.dangers import Clocked, DangerRules
from config.plant.model import Text
from gateway.api.models import Model, Name, State
from gateway.api.views import name_of
from gateway.dangers.clocks import CLOCK_NAMES, ClockState
from gateway.dangers.ledger import Counts, OnTime
from gateway.dangers.matching import Near, NearAlarm
from gateway.dangers.model import Danger
from gateway.dangers.states import (
    EVENT_NAMES,
    GRADE_NAMES,
    SOURCE_NAMES,
    STATE_NAMES,
    STATES,
    Event,
    Go,
    Grade,
    Source,
)
from gateway.dangers.states import State as DangerState

__all__ = [
    "DangerClockView",
    "DangerCounts",
    "DangerDetail",
    "DangerMoment",
    "DangerPage",
    "DangerReporterView",
    "DangerTimeline",
    "DangerView",
    "FiveFixesView",
    "NearDangerAlarm",
    "NearDangerAlarms",
    "OnTimePage",
    "OnTimeView",
    "clock_view",
    "counts_view",
    "danger_view",
    "moment_view",
    "near_view",
    "on_time_view",
]

_TAKEN_OVER = (
    "enterprise", "district", "site", "hazard_unit", "vessel", "tag", "condition", "alarm_id", "place",
    "latitude_deg", "longitude_deg", "source", "grade", "state", "title", "text", "seen_ms", "found_ms", "found_by",
    "deadline_ms", "asked_until_ms", "extended", "listed", "listed_ms", "listed_until_ms", "notice",
    "regulator_receipt", "congress_receipt", "rectified_ms", "verified_ms", "verified_by", "over_ms", "over_by",
    "reopened", "risk_id", "finding", "version", "due_ms", "level",
)  # fmt: skip
_EVENT_WORDS = {
    "report": Text("上报", "reported"),
    "propose": Text("系统建议", "proposed by alarms"),
    "overdue": Text("逾期升级", "late, climbed a level"),
}


class FiveFixesView(Model):
    """The five fixes (五落实)."""

    responsible: str = Field(description="责任")
    measures: str = Field(description="措施")
    funds_yuan: float = Field(description="资金")
    deadline_ms: int = Field(description="时限")
    precautions: str = Field(description="预案")


class DangerView(Model):
    """A hidden danger (隐患)."""

    danger_id: str
    version: int = Field(description="Rises with what people do; to be named by who does something")
    enterprise: str = Field(description="Empty: not known yet")
    district: str
    site: str
    hazard_unit: str
    vessel: str
    tag: str
    condition: str = Field(description="Of the alarm it is about")
    alarm_id: str
    place: str
    latitude_deg: float | None
    longitude_deg: float | None
    source: Source
    source_name: Name
    grade: Grade
    grade_name: Name
    state: DangerState
    state_name: Name
    title: str
    text: str
    seen_ms: int | None
    found_ms: int
    found_by: str = Field(description="Who put it in; `system`: alarms that recur")
    plan: FiveFixesView | None
    deadline_ms: int | None
    asked_until_ms: int | None = Field(description="More time that was asked for and not decided")
    extended: int
    listed: bool = Field(description="Under listed supervision (挂牌督办) now")
    listed_ms: int | None
    listed_until_ms: int | None
    notice: str = Field(description="What the public reads of it")
    regulator_receipt: str
    congress_receipt: str
    rectified_ms: int | None
    verified_ms: int | None
    verified_by: str
    over_ms: int | None = Field(description="Closed (销号) or dismissed")
    over_by: str
    reopened: int
    risk_id: str
    finding: str
    due_ms: int | None = Field(description="The earliest clock that runs")
    overdue: bool
    level: int = Field(description="How many levels it has climbed because something is late")
    with_whom: Name | None = Field(description="The post it is with because something is late")
    can: tuple[Event, ...] = Field(description="What its state allows; not who may")


class DangerClockView(Model):
    """Something that was or is to be done in time."""

    clock: Clocked
    name: Name
    round: int
    begun_ms: int
    due_ms: int
    done_ms: int | None
    outcome: str = Field(description="Empty: runs; `done`, `void`, `reopened`")
    level: int
    holder: Name = Field(description="The post that is to do it")
    with_whom: Name | None = Field(description="The post it is with because it is late")
    source: str = Field(description="Where the deadline is from")
    confidence: str


class DangerDetail(DangerView):
    """A hidden danger with its clocks."""

    clocks: tuple[DangerClockView, ...]


class DangerPage(Model):
    """Hidden dangers, in the order asked for."""

    items: tuple[DangerView, ...]
    next_cursor: str | None = Field(description="null on the last page")


class DangerCounts(Model):
    """How many there are, of what was asked for."""

    by_state: dict[str, int]
    by_grade: dict[str, int] = Field(description="Of those that are not over; `none`: not graded yet")
    open: int
    overdue: int = Field(description="As of the last look at the clocks, every 15 s")
    listed: int


class DangerMoment(Model):
    """Something that happened to a hidden danger."""

    seq: int
    event: str
    name: Name
    at_ms: int
    by: str
    state: DangerState = Field(description="After it")
    detail: dict[str, Any] = Field(description="What was said")


class DangerTimeline(Model):
    """What happened to a hidden danger, oldest first."""

    danger_id: str
    events: tuple[DangerMoment, ...]


class NearDangerAlarm(Model):
    """An alarm near a hidden danger."""

    alarm_id: str
    tag: str
    condition: str
    tier: int
    state: State
    hazard_unit: str
    raised_ms: int
    after_ms: int = Field(description="Raised so long after the danger was noticed; below 0: before")
    near: Near
    distance_m: float | None


class NearDangerAlarms(Model):
    """Alarms near the place and the time of a hidden danger, the nearest first."""

    danger_id: str
    before_ms: int = Field(description="Looked for from so long before it was noticed")
    after_ms: int
    radius_m: float
    items: tuple[NearDangerAlarm, ...]


class DangerReporterView(Model):
    """Who called 12350."""

    name: str
    phone: str
    text: str


class OnTimeView(Model):
    """How much of what was to be rectified in a month was, of one enterprise (隐患按期整改率)."""

    enterprise: str
    due: int
    in_time: int
    late: int
    missing: int
    reopened: int = Field(description="Closed and came back: counts as not done, also afterwards")
    rate: float | None = Field(description="in_time / due; null: nothing was due")


class OnTimePage(Model):
    """The rates of a month, enterprise by enterprise."""

    month: str
    items: tuple[OnTimeView, ...]
    next_cursor: str | None


def danger_view(one: Danger, rules: DangerRules, now_ms: int) -> DangerView:
    """Return a danger as it is shown."""
    return DangerView(**_fields(one, rules, now_ms))


def danger_detail(one: Danger, clocks: list[ClockState], rules: DangerRules, now_ms: int) -> DangerDetail:
    """Return a danger with its clocks."""
    views = tuple(clock_view(clock, rules, now_ms) for clock in clocks)
    return DangerDetail(**_fields(one, rules, now_ms), clocks=views)


def clock_view(clock: ClockState, rules: DangerRules, now_ms: int) -> DangerClockView:
    """Return a clock as it is shown."""
    deadline = rules.at(clock.begun_ms).clocks[clock.clock]
    same = ("clock", "round", "begun_ms", "due_ms", "done_ms", "outcome", "level")
    return DangerClockView(
        **{name: getattr(clock, name) for name in same},
        name=name_of(CLOCK_NAMES[clock.clock]),
        holder=name_of(deadline.holder),
        with_whom=None if clock.outcome else _with_whom(clock.level, rules, now_ms),
        source=deadline.source,
        confidence=deadline.confidence,
    )


def moment_view(event: dict[str, Any]) -> DangerMoment:
    """Return an event as it is shown."""
    kind = event["kind"]
    words = _EVENT_WORDS[kind] if kind in _EVENT_WORDS else EVENT_NAMES[Event(kind)]
    same = {name: event[name] for name in ("seq", "at_ms", "by", "state")}
    return DangerMoment(**same, event=kind, name=name_of(words), detail=event["detail"] or {})


def counts_view(counts: Counts) -> DangerCounts:
    """Return counts as they are shown."""
    return DangerCounts(
        by_state=counts.by_state,
        by_grade=counts.by_grade,
        open=sum(counts.by_grade.values()),
        overdue=counts.overdue,
        listed=counts.listed,
    )


def near_view(found: NearAlarm) -> NearDangerAlarm:
    """Return an alarm near a danger as it is shown."""
    return NearDangerAlarm(**{name: getattr(found, name) for name in NearDangerAlarm.model_fields})


def on_time_view(one: OnTime) -> OnTimeView:
    """Return a rate as it is shown."""
    return OnTimeView(**{name: getattr(one, name) for name in OnTimeView.model_fields})


def _fields(one: Danger, rules: DangerRules, now_ms: int) -> dict[str, Any]:
    cells = STATES[one.state]
    return {name: getattr(one, name) for name in _TAKEN_OVER} | {
        "danger_id": one.id,
        "source_name": name_of(SOURCE_NAMES[one.source]),
        "grade_name": name_of(GRADE_NAMES[one.grade]),
        "state_name": name_of(STATE_NAMES[one.state]),
        "plan": None if one.plan is None else FiveFixesView(**one.plan),
        "overdue": one.due_ms is not None and one.due_ms < now_ms,
        "with_whom": _with_whom(one.level, rules, now_ms),
        "can": tuple(event for event in Event if isinstance(cells[event], Go)),
    }


def _with_whom(level: int, rules: DangerRules, now_ms: int) -> Name | None:
    levels = rules.at(now_ms).levels
    return name_of(levels[min(level, len(levels)) - 1].holder) if level else None
