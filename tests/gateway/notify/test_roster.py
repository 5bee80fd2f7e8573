"""Who is on duty: every moment has exactly one team, whatever clocks are changed; swaps; nights."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.duty.model import Duty, ListedShift, Role, Roster
from config.duty.patterns import PATTERNS, cycle_of
from gateway.notify.roster import Swap, on_duty, people_of, shifts_at, shifts_between

TEAMS = {"甲": ("a1", "a2"), "乙": ("b1",), "丙": ("c1",), "丁": ("d1",)}


def roster(name: str, zone: str = "Asia/Shanghai", teams: int = 4) -> Roster:
    some = dict(list(TEAMS.items())[:teams])
    pattern = PATTERNS[name]
    return Roster("room", zone, date(2026, 11, 2), pattern.hours, cycle_of(pattern, list(some)), some)


def at(text: str, zone: str = "Asia/Shanghai") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@given(
    st.sampled_from(["four_teams_three_shifts", "four_teams_two_shifts", "weekly"]),
    st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    st.datetimes(datetime(2009, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001 - taken as UTC
)
def test_every_moment_has_one_shift_and_the_next_begins_when_it_ends(name: str, zone: str, moment: datetime) -> None:
    now_ms = round(moment.replace(tzinfo=UTC).timestamp() * 1000)
    one = roster(name, zone)
    (shift,) = shifts_at(one, now_ms)
    assert shift.begin_ms <= now_ms < shift.end_ms
    (after,) = shifts_at(one, shift.end_ms)
    assert after.begin_ms == shift.end_ms
    assert after.id != shift.id


def test_four_teams_three_shifts() -> None:
    one = roster("four_teams_three_shifts")
    worked = [(shift.team, shift.kind) for shift in shifts_between(one, at("2026-11-02 00:00"), at("2026-11-03 00:00"))]
    assert len(worked) == 3
    assert len({team for team, _ in worked}) == 3
    month = shifts_between(one, at("2026-11-02 00:00"), at("2026-11-10 00:00"))
    for team in TEAMS:
        kinds = [shift.kind for shift in month if shift.team == team]
        assert sorted(kinds) == sorted(["白", "白", "中", "中", "夜", "夜"])


def test_a_night_shift_goes_over_midnight_and_is_longer_when_clocks_are_set_back() -> None:
    one = roster("four_teams_two_shifts", "Europe/Berlin")
    (night,) = shifts_at(one, at("2026-10-25 01:00", "Europe/Berlin"))
    assert night.kind == "夜"
    assert (night.end_ms - night.begin_ms) == 13 * 3_600_000
    (spring,) = shifts_at(one, at("2026-03-29 01:00", "Europe/Berlin"))
    assert (spring.end_ms - spring.begin_ms) == 11 * 3_600_000


def test_a_week_belongs_to_one_team_each() -> None:
    one = roster("weekly", teams=3)
    teams = [shifts_at(one, at(f"2026-11-{day:02} 12:00"))[0].team for day in range(2, 24)]
    assert teams == ["甲"] * 7 + ["乙"] * 7 + ["丙"] * 7 + ["甲"]


def test_swaps_are_followed_and_a_circle_ends() -> None:
    (shift,) = shifts_at(roster("weekly"), at("2026-11-02 12:00"))
    now_ms = at("2026-11-02 12:00")

    def swap(absent: str, instead: str, end_ms: int = now_ms + 1, of: str = "room") -> Swap:
        return Swap(f"{absent}-{instead}", of, absent, instead, now_ms - 1, end_ms)

    assert people_of(shift, [], now_ms) == ("a1", "a2")
    assert people_of(shift, [swap("a1", "b1")], now_ms) == ("b1", "a2")
    assert people_of(shift, [swap("a1", "b1"), swap("b1", "c1")], now_ms) == ("c1", "a2")
    assert people_of(shift, [swap("a1", "a2"), swap("a2", "a1")], now_ms) == ("a2", "a1")
    assert people_of(shift, [swap("a1", "a2")], now_ms) == ("a2",)
    assert people_of(shift, [swap("a1", "b1", end_ms=now_ms)], now_ms) == ("a1", "a2")
    assert people_of(shift, [swap("a1", "b1", of="other")], now_ms) == ("a1", "a2")


def test_a_plain_list_and_fixed_people() -> None:
    night = ListedShift((date(2026, 11, 2), time(20)), (date(2026, 11, 3), time(8)), ("a1",), "夜")
    listed = Roster("list", "Asia/Shanghai", date(1970, 1, 1), {}, {}, {}, (night,))
    duty = Duty(
        roles={"officer": Role("officer", roster="list"), "manager": Role("manager", people=("m",))},
        rosters={"list": listed},
    )
    assert on_duty(duty, "officer", [], at("2026-11-03 07:59")) == ("a1",)
    assert on_duty(duty, "officer", [], at("2026-11-03 08:00")) == ()
    assert on_duty(duty, "manager", [], 0) == ("m",)
    assert on_duty(duty, "nobody", [], 0) == ()


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_a_pattern_gives_each_team_the_same_days(name: str) -> None:
    cycle = cycle_of(PATTERNS[name], list("abcd"))
    assert len({tuple(sorted(days)) for days in cycle.values()}) == 1
