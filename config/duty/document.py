"""The duty file as it is written: every key, its type, what it means."""

from __future__ import annotations

import re
from datetime import date, time
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from config.plant.document import DurationMs, TierName

__all__ = [
    "DutyDocument",
    "HandlingDocument",
    "HoursDocument",
    "LadderDocument",
    "ListedShiftDocument",
    "PersonDocument",
    "QuietDocument",
    "RoleDocument",
    "RosterDocument",
    "SelfTestDocument",
    "StepDocument",
    "StormDocument",
]

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _clock(value: object) -> object:
    """Read ``08:00``; ``24:00`` is the midnight at the end of a day."""
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None and value != "24:00":
        raise ValueError('a time of day such as "08:00"')
    return time(int(match[1]), int(match[2])) if match else time(0)


def _day(value: object) -> object:
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError('a day such as "2026-11-02"')


def _moment(value: object) -> object:
    parts = value.split() if isinstance(value, str) else ()
    if len(parts) != 2:  # noqa: PLR2004 - a day and a time
        raise ValueError('a day and a time such as "2026-11-02 08:00"')
    return _day(parts[0]), _clock(parts[1])


ClockTime: TypeAlias = Annotated[time, BeforeValidator(_clock)]
Day: TypeAlias = Annotated[date, BeforeValidator(_day)]
Moment: TypeAlias = Annotated[tuple[date, time], BeforeValidator(_moment)]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\s.]+$")]
Words: TypeAlias = Annotated[str, Field(min_length=1, max_length=128)]
Maybe: TypeAlias = Annotated[str, Field(max_length=128)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class PersonDocument(_Document):
    """Somebody who may be on duty."""

    name: Words
    phone: Maybe = ""
    email: Maybe = ""
    account: Maybe = ""
    """Account of this person in the gateway."""


class RoleDocument(_Document):
    """A role on duty: a roster, or people who always fill it."""

    roster: Name | None = None
    people: tuple[Name, ...] = ()


class HoursDocument(_Document):
    """Hours of a kind of shift, wall clock; an end that is not later than the start is on the next day."""

    start: ClockTime
    end: ClockTime


class ListedShiftDocument(_Document):
    """A shift written down by itself."""

    begin: Moment
    end: Moment
    people: Annotated[tuple[Name, ...], Field(min_length=1)]
    name: Maybe = ""


class RosterDocument(_Document):
    """Who works when."""

    time_zone: Words = "Asia/Shanghai"
    """IANA name."""
    begins: Day | None = None
    """First day of the cycle."""
    pattern: Name | dict[Name, Annotated[list[str | None], Field(min_length=1, max_length=366)]] | None = None
    """A known pattern, or for each team the kind of shift on each day of the cycle (null: off)."""
    hours: dict[Name, HoursDocument] = {}
    """Kind of shift -> hours; a known pattern brings its own, which may be changed here."""
    teams: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = {}
    """Team -> people; with a known pattern in the order in which they enter the cycle."""
    listed: tuple[ListedShiftDocument, ...] = ()


class StepDocument(_Document):
    """Who is told, over what, and how long to wait for an acknowledgement."""

    role: Name
    channels: Annotated[tuple[Name, ...], Field(min_length=1)]
    wait: DurationMs = 300_000


class StormDocument(_Document):
    """So many alarms that they are told as one."""

    over: Annotated[int, Field(ge=1, le=100_000)] = 10
    """More messages than this a minute."""
    hold: DurationMs = 5_000
    """So long a red alarm waits for others."""
    every: DurationMs = 60_000
    """One message in so long when no red alarm is among them."""


class QuietDocument(_Document):
    """Hours without messages; red alarms know none."""

    time_zone: Words = "Asia/Shanghai"
    begin: ClockTime
    end: ClockTime
    forget: bool = False
    """What came in them is not told at their end either."""


class LadderDocument(_Document):
    """How alarms of some tiers are told until somebody acknowledges."""

    tiers: Annotated[tuple[TierName, ...], Field(min_length=1)]
    steps: Annotated[tuple[StepDocument, ...], Field(min_length=1)]
    again_every: DurationMs | None = None
    """The last step is repeated so often; left out: it is not."""
    give_up: DurationMs = 900_000
    """What could not be sent for so long has failed."""
    tell_over: bool = True
    storm: StormDocument = StormDocument()
    quiet: QuietDocument | None = None


class SelfTestDocument(_Document):
    """A message every day from one end to the other."""

    at: ClockTime
    time_zone: Words = "Asia/Shanghai"
    channels: Annotated[tuple[Name, ...], Field(min_length=1)]
    role: Name
    within: DurationMs = 300_000


Minutes: TypeAlias = Annotated[list[Annotated[float, Field(gt=0, le=43_200)] | None], Field(min_length=4, max_length=4)]


class HandlingDocument(_Document):
    """Clocks of handling; minutes of red, orange, yellow, blue (null: none)."""

    acknowledge_min: Minutes | None = None
    measure_min: Minutes | None = None
    re_alarm_min: Minutes | None = None
    shelve_longest: DurationMs | None = None
    shelve_forbidden: tuple[TierName, ...] | None = None
    flood_over: Annotated[int, Field(ge=1)] | None = None
    flood_ends_below: Annotated[int, Field(ge=1)] | None = None
    flood_within: DurationMs | None = None
    chatter_times: Annotated[int, Field(ge=2)] | None = None
    chatter_within: DurationMs | None = None
    standing: DurationMs | None = None
    audit_keep_days: Annotated[float, Field(ge=180)] | None = None
    source: Words | None = None
    """Who agreed on these, when."""


class DutyDocument(_Document):
    """A duty file."""

    people: dict[Name, PersonDocument] = {}
    roles: dict[Name, RoleDocument] = {"duty_officer": RoleDocument()}
    rosters: dict[Name, RosterDocument] = {}
    channels: dict[Name, dict[str, Any]] = {}
    ladders: dict[Name, LadderDocument] = {}
    self_test: SelfTestDocument | None = None
    time_zone: Words = "Asia/Shanghai"
    """In which messages say when something was."""
    handling: HandlingDocument = HandlingDocument()
