"""Shifts as an iCalendar file (RFC 5545), for the calendars of those who work them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from config.duty.model import Person
from gateway.notify.roster import Shift, Swap, people_of

__all__ = ["calendar"]

_LINE_BYTES = 75
_ESCAPES = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n", "\r": None})


def calendar(
    shifts: Iterable[Shift], swaps: Sequence[Swap], people: Mapping[str, Person], name: str, now_ms: int
) -> str:
    """Return a calendar with one event for each shift; where a swap begins or ends within one, for each part of it.

    Args:
        shifts: To be shown.
        swaps: That are considered.
        people: To call them by name.
        name: Of the calendar.
        now_ms: When it is made.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//HazGate//duty roster//ZH",
        "CALSCALE:GREGORIAN",
        f"NAME:{_text(name)}",
        f"X-WR-CALNAME:{_text(name)}",
    ]
    for shift in shifts:
        for begin_ms, end_ms, working in _parts(shift, swaps):
            names = "、".join(people[one].name if one in people else one for one in working)
            what = " ".join(part for part in (shift.kind, shift.team) if part)
            lines += [
                "BEGIN:VEVENT",
                f"UID:{_text(shift.id)}-{begin_ms}@hazgate",
                f"DTSTAMP:{_utc(now_ms)}",
                f"DTSTART:{_utc(begin_ms)}",
                f"DTEND:{_utc(end_ms)}",
                f"SUMMARY:{_text(f'{what}：{names}' if what else names)}",
                f"DESCRIPTION:{_text(f'值班表 {shift.roster} · duty roster {shift.roster}')}",
                "END:VEVENT",
            ]
    return "".join(f"{folded}\r\n" for line in (*lines, "END:VCALENDAR") for folded in _folded(line))


def _parts(shift: Shift, swaps: Sequence[Swap]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    inside = {
        at_ms
        for one in swaps
        if one.roster == shift.roster
        for at_ms in (one.begin_ms, one.end_ms)
        if shift.begin_ms < at_ms < shift.end_ms
    }
    cuts = [shift.begin_ms, *sorted(inside), shift.end_ms]
    part: tuple[int, int, tuple[str, ...]] | None = None
    for begin_ms, end_ms in pairwise(cuts):
        working = people_of(shift, swaps, begin_ms)
        if part is not None and part[2] == working:
            part = part[0], end_ms, working
            continue
        if part is not None:
            yield part
        part = begin_ms, end_ms, working
    if part is not None:
        yield part


def _text(text: str) -> str:
    return text.translate(_ESCAPES)


def _utc(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")


def _folded(line: str) -> Iterator[str]:
    """Yield a content line in pieces of at most 75 bytes, none of which ends within a character."""
    piece, size = "", 0
    for character in line:
        width = len(character.encode())
        if size + width > _LINE_BYTES:
            yield piece
            piece, size = " ", 1
        piece, size = piece + character, size + width
    yield piece
