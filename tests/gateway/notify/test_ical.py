"""The calendar of a roster is read by a library as it was meant."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

from icalendar import Calendar

from config.duty.model import Person, Roster
from config.duty.patterns import PATTERNS, cycle_of
from gateway.notify.ical import calendar
from gateway.notify.roster import Swap, shifts_between

T0 = 1_793_577_600_000
"""2026-11-02 00:00 UTC."""
HOUR_MS = 3_600_000
LONG = "很长的名字，带逗号；分号;,\\和\n换行" * 6


def test_a_library_reads_shifts_swaps_and_strange_names() -> None:
    pattern = PATTERNS["four_teams_two_shifts"]
    teams = {team: (team,) for team in "abcd"}
    roster = Roster("控制室", "UTC", date(2026, 11, 2), pattern.hours, cycle_of(pattern, list(teams)), teams)
    shifts = shifts_between(roster, T0 + 8 * HOUR_MS, T0 + 32 * HOUR_MS)
    people = {"a": Person("a", LONG), "x": Person("x", "顶班")}
    swap = Swap("s", "控制室", "a", "x", T0 + 12 * HOUR_MS, T0 + 14 * HOUR_MS)
    text = calendar(shifts, [swap], people, "控制室 值班", T0)
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    read = Calendar.from_ical(text)
    assert str(read["NAME"]) == "控制室 值班"
    events = [_told(event) for event in read.walk("VEVENT")]
    hours = [8, 12, 14, 20, 32]
    moments = [datetime.fromtimestamp((T0 + hour * HOUR_MS) / 1000, UTC) for hour in hours]
    assert [(begin, end) for begin, end, _ in events] == list(pairwise(moments))
    assert [words.partition("：")[2] for _, _, words in events[:3]] == [LONG, "顶班", LONG]
    uids = [str(event["UID"]) for event in read.walk("VEVENT")]
    assert len(set(uids)) == len(uids)


def _told(event: Any) -> tuple[datetime, datetime, str]:  # noqa: ANN401 - a property may be of any type
    return event["DTSTART"].dt, event["DTEND"].dt, str(event["SUMMARY"])
