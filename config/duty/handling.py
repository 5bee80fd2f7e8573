"""The clocks and rules of handling alarms, as a site has agreed on them; the defaults are ours, and no law's.

Every minute here is a convention (ISA-18.2 leaves them to the site's alarm philosophy; the provinces' rules could not
be read whole), which is why they are configuration with a date and a source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["DEFAULT_HANDLING", "Chatter", "Flood", "Handling", "Shelving"]

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS


def _per_tier(*minutes: float | None) -> Mapping[int, int]:
    """Return minutes of tiers 1 to 4 as milliseconds; a tier without is left out."""
    given = {tier: round(one * _MINUTE_MS) for tier, one in enumerate(minutes, 1) if one is not None}
    return MappingProxyType(given)


@dataclass(frozen=True, slots=True)
class Shelving:
    """What an operator may put aside, and for how long."""

    longest_ms: int = 8 * _HOUR_MS
    """The end of a shift."""
    forbidden_tiers: frozenset[int] = frozenset({1})


@dataclass(frozen=True, slots=True)
class Flood:
    """More than a desk can follow (ISA-18.2: begins above 10 in 10 min, ends below 5 in 10 min)."""

    over: int = 10
    ends_below: int = 5
    within_ms: int = 10 * _MINUTE_MS


@dataclass(frozen=True, slots=True)
class Chatter:
    """An alarm that comes again and again."""

    times: int = 3
    within_ms: int = _MINUTE_MS
    fleeting_ms: int = 5_000
    """Over so soon after it was raised that nobody could have acted."""


@dataclass(frozen=True, slots=True)
class Handling:
    """The clocks of an alarm and who may end it. Maps are from tier (1 red to 4 blue) to milliseconds."""

    acknowledge_ms: Mapping[int, int] = field(default_factory=lambda: _per_tier(3, 5, 10, 30))
    """From being told to somebody having seen it."""
    measure_ms: Mapping[int, int] = field(default_factory=lambda: _per_tier(15, 30, 60, 240))
    """From being told to the first measure."""
    re_alarm_ms: Mapping[int, int] = field(default_factory=lambda: _per_tier(30, 60, 120, None))
    """Acknowledged and still active after so long: told anew; a tier that is left out never is."""
    automatic_tiers: frozenset[int] = frozenset({4})
    """Over before anybody acknowledged it: such an alarm needs nobody any more (ISA-18.2: automatic return)."""
    other_reviewer_tiers: frozenset[int] = frozenset({1, 2})
    """Closed only by somebody who had no hand in it."""
    shelving: Shelving = Shelving()
    suppress_longest_ms: int = 24 * _HOUR_MS
    out_of_service_longest_ms: int = 30 * 24 * _HOUR_MS
    flood: Flood = Flood()
    chatter: Chatter = Chatter()
    standing_ms: int = 24 * _HOUR_MS
    audit_keep_days: float = 3 * 365.0
    source: str = "HazGate defaults 2026-11; ISA-18.2 / IEC 62682 leave them to the site"


DEFAULT_HANDLING = Handling()
