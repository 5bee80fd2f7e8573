"""What a site has agreed about its duty, as the rest of the program sees it: who is told what, when, how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from types import MappingProxyType
from typing import Any

from config.duty.handling import DEFAULT_HANDLING, Handling

__all__ = [
    "DEFAULT_DUTY",
    "Duty",
    "Ladder",
    "ListedShift",
    "Person",
    "Quiet",
    "Role",
    "Roster",
    "SelfTest",
    "ShiftHours",
    "Step",
    "Storm",
]

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may be on duty. Empty: not known."""

    id: str
    name: str
    phone: str = ""
    email: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class ShiftHours:
    """When a kind of shift is worked, by the clock on the wall."""

    start: time
    end: time
    """Not later than the start: on the next day."""


@dataclass(frozen=True, slots=True)
class ListedShift:
    """A shift that was written down one by one; moments of the wall clock of the roster's zone."""

    begin: tuple[date, time]
    end: tuple[date, time]
    people: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Roster:
    """Who works when: a cycle of days for each team, or a plain list."""

    id: str
    zone: str
    """IANA name."""
    begins: date
    """First day of the cycle; the cycle also runs backwards from it."""
    hours: Mapping[str, ShiftHours]
    """Kind of shift -> its hours."""
    pattern: Mapping[str, tuple[str, ...]]
    """Team -> kind of shift on each day of the cycle; empty: off."""
    teams: Mapping[str, tuple[str, ...]]
    """Team -> ids of people."""
    listed: tuple[ListedShift, ...] = ()


@dataclass(frozen=True, slots=True)
class Role:
    """A role on duty, filled by a roster or by fixed people."""

    id: str
    roster: str = ""
    people: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Who is told over what, and how long to wait for somebody to acknowledge."""

    role: str
    channels: tuple[str, ...]
    wait_ms: int


@dataclass(frozen=True, slots=True)
class Storm:
    """So many alarms that they are told as one."""

    over: int = 10
    """More messages than this within a minute begin it."""
    hold_ms: int = 5_000
    """So long a red alarm waits for others at most."""
    every_ms: int = _MINUTE_MS
    """One message in so long where no red alarm is among them."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which a ladder is silent; red alarms know none."""

    zone: str
    begin: time
    end: time
    forget: bool = False
    """What came in them is not told at their end either."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """How alarms of some tiers are told, step by step, until somebody acknowledges."""

    id: str
    tiers: frozenset[int]
    steps: tuple[Step, ...]
    again_every_ms: int | None = None
    """The last step is repeated so often; None: never."""
    give_up_ms: int = 15 * _MINUTE_MS
    """A message that could not be sent for so long has failed, and the next step is taken at once."""
    tell_over: bool = True
    """Those who were told are told as well that it is over."""
    storm: Storm = Storm()
    quiet: Quiet | None = None


@dataclass(frozen=True, slots=True)
class SelfTest:
    """A message every day from one end to the other."""

    at: time
    zone: str
    channels: tuple[str, ...]
    role: str
    within_ms: int = 5 * _MINUTE_MS
    """A receipt must come within so long."""


def _default_roles() -> Mapping[str, Role]:
    return MappingProxyType({"duty_officer": Role("duty_officer")})


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Duty:
    """Everything of a duty file. The default: one role, no channel; alarms are on the screen alone."""

    people: Mapping[str, Person] = field(default_factory=_nothing)
    roles: Mapping[str, Role] = field(default_factory=_default_roles)
    rosters: Mapping[str, Roster] = field(default_factory=_nothing)
    channels: Mapping[str, Mapping[str, Any]] = field(default_factory=_nothing)
    """Name -> settings of a channel, as its own file reads them."""
    ladders: Mapping[str, Ladder] = field(default_factory=_nothing)
    self_test: SelfTest | None = None
    zone: str = "Asia/Shanghai"
    """In which messages say when something was."""
    handling: Handling = DEFAULT_HANDLING


DEFAULT_DUTY = Duty()
