"""Who is on duty at a moment. Pure: rosters and swaps in, people and shifts out.

Shifts begin and end by the clock on the wall, so that one is an hour longer or shorter where clocks are changed; the
end of one and the beginning of the next are the same moment, always.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.duty.model import Duty, Roster

__all__ = ["Shift", "Swap", "moment_ms", "on_duty", "people_of", "shifts_at", "shifts_between"]

_ONE_DAY = timedelta(days=1)
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Shift:
    """One turn of one team."""

    id: str
    roster: str
    kind: str
    team: str
    begin_ms: int
    end_ms: int
    """It is over then."""
    people: tuple[str, ...]
    """As the roster has them, swaps not considered."""


@dataclass(frozen=True, slots=True)
class Swap:
    """One person does duty for another for a time."""

    id: str
    roster: str
    absent: str
    instead: str
    begin_ms: int
    end_ms: int


def moment_ms(day: date, at: time, zone: str) -> int:
    """Return when a wall clock shows a time; a time that is skipped counts as if the clock had not been changed."""
    return round(datetime.combine(day, at, ZoneInfo(zone)).timestamp() * 1000)


def shifts_between(roster: Roster, from_ms: int, to_ms: int) -> list[Shift]:
    """Return the shifts of which some part lies in ``from_ms <= t < to_ms``, in the order in which they begin."""
    found = [one for one in _candidates(roster, from_ms, to_ms) if one.begin_ms < to_ms and one.end_ms > from_ms]
    return sorted(found, key=lambda one: (one.begin_ms, one.id))


def shifts_at(roster: Roster, now_ms: int) -> list[Shift]:
    """Return the shifts that are being worked; normally one."""
    return shifts_between(roster, now_ms, now_ms + 1)


def people_of(shift: Shift, swaps: Iterable[Swap], at_ms: int) -> tuple[str, ...]:
    """Return who works a shift at a moment, each once; of several swaps for a person the last one counts."""
    for_whom = {
        one.absent: one.instead for one in swaps if one.roster == shift.roster and one.begin_ms <= at_ms < one.end_ms
    }
    return tuple(dict.fromkeys(_stand_in(person, for_whom) for person in shift.people))


def on_duty(duty: Duty, role: str, swaps: Sequence[Swap], now_ms: int) -> tuple[str, ...]:
    """Return the ids of those who fill a role at a moment; empty when nobody does."""
    known = duty.roles.get(role)
    if known is None:
        return ()
    roster = duty.rosters.get(known.roster)
    if roster is None:
        return known.people
    working = [person for shift in shifts_at(roster, now_ms) for person in people_of(shift, swaps, now_ms)]
    return tuple(dict.fromkeys(working))


def _stand_in(person: str, for_whom: Mapping[str, str]) -> str:
    """Follow swaps of swaps; a circle ends where it began."""
    seen = {person}
    while (other := for_whom.get(person)) is not None and other not in seen:
        seen.add(other)
        person = other
    return person


def _candidates(roster: Roster, from_ms: int, to_ms: int) -> Iterator[Shift]:
    for number, one in enumerate(roster.listed):
        begin_ms, end_ms = moment_ms(*one.begin, roster.zone), moment_ms(*one.end, roster.zone)
        yield Shift(f"{roster.id}.{number}", roster.id, one.name, "", begin_ms, end_ms, one.people)
    if not roster.pattern:
        return
    zone = ZoneInfo(roster.zone)
    # A shift is at most a day long and begins on its day: two days around are enough, whatever the zone does.
    day = datetime.fromtimestamp(from_ms / 1000, UTC).astimezone(zone).date() - 2 * _ONE_DAY
    last = datetime.fromtimestamp((to_ms + _DAY_MS) / 1000, UTC).astimezone(zone).date()
    while day <= last:
        for team, cycle in roster.pattern.items():
            kind = cycle[(day - roster.begins).days % len(cycle)]
            if kind:
                yield _shift(roster, team, kind, day)
        day += _ONE_DAY


def _shift(roster: Roster, team: str, kind: str, day: date) -> Shift:
    hours = roster.hours[kind]
    last = day if hours.end > hours.start else day + _ONE_DAY
    return Shift(
        id=f"{roster.id}.{day.isoformat()}.{kind}.{team}",
        roster=roster.id,
        kind=kind,
        team=team,
        begin_ms=moment_ms(day, hours.start, roster.zone),
        end_ms=moment_ms(last, hours.end, roster.zone),
        people=roster.teams.get(team, ()),
    )
