"""The ladder against its naive twin, and its corners one by one."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.duty.model import Ladder, Quiet, Step
from gateway.notify.ladder import Progress, hasten, quiet_until_ms, take
from tests.support.naive_ladder import naive_ladder
from tests.support.rows import alarm_row

T0 = 1_793_491_200_000
"""2026-11-01 00:00 UTC, 08:00 in Shanghai."""
HOUR_MS = 3_600_000


@st.composite
def lives(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows of one alarm at every moment of some time."""
    row = {"alarmed_ms": 0, "tier": 3, "acknowledged_ms": None, "state": "active", "inhibited": None}
    rows = []
    for now in range(draw(st.integers(1, 40))):
        match draw(st.sampled_from(["", "", "", "ack", "undo", "rise", "over", "latch", "shelve", "release"])):
            case "ack":
                row |= {"acknowledged_ms": now}
            case "undo":
                row |= {"acknowledged_ms": None}
            case "rise":
                row |= {"tier": max(int(str(row["tier"])) - 1, 1), "alarmed_ms": now, "acknowledged_ms": None}
            case "over":
                row |= {"state": "returned"}
            case "latch":
                row |= {"state": "latched"}
            case "shelve":
                row |= {"inhibited": "shelved"}
            case "release":
                row |= {"inhibited": None, "alarmed_ms": now, "state": "active", "acknowledged_ms": None}
            case _:
                pass
        rows.append(dict(row))
    return rows


@given(
    lives(),
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.none() | st.integers(1, 6),
    st.frozensets(st.integers(1, 4)),
)
def test_the_ladder_does_what_its_twin_does(
    rows: list[dict[str, Any]], waits: list[int], again: int | None, tiers: frozenset[int]
) -> None:
    ladder = Ladder("x", tiers, tuple(Step("r", ("c",), wait) for wait in waits), again_every_ms=again)
    told, progress = [], None
    for now, row in enumerate(rows):
        found = take(row | {"retrospective": False}, ladder, progress, now)
        progress = found.progress
        if found.turn is not None:
            told.append((now, found.step))
        again_at_once = take(row | {"retrospective": False}, ladder, progress, now)
        assert again_at_once.turn is None
    assert told == naive_ladder(rows, waits, again, tiers)


def ladder(quiet: Quiet | None = None) -> Ladder:
    return Ladder("x", frozenset({1, 2}), (Step("r", ("c",), 60_000),) * 2, quiet=quiet)


def at_shanghai(hour: float) -> int:
    return T0 + round((hour - 8) * HOUR_MS)


NIGHT = Quiet("Asia/Shanghai", time(22), time(6))


@pytest.mark.parametrize(
    ("hour", "ends"), [(21.9, None), (22, 30), (23, 30), (29.9, 30), (30, None), (8, None), (0, 6), (5.99, 6)]
)
def test_quiet_hours_go_over_midnight(hour: float, ends: float | None) -> None:
    assert quiet_until_ms(NIGHT, at_shanghai(hour)) == (None if ends is None else at_shanghai(ends))


def test_an_alarm_of_the_night_is_told_at_the_end_of_quiet_hours_and_a_red_one_at_once() -> None:
    now_ms = at_shanghai(23)
    row = alarm_row(tier=2, alarmed_ms=now_ms)
    held = take(row, ladder(NIGHT), None, now_ms)
    assert (held.turn, held.progress.due_ms) == (None, at_shanghai(30))
    assert take(row, ladder(NIGHT), held.progress, at_shanghai(29)).turn is None
    assert take(row, ladder(NIGHT), held.progress, at_shanghai(30)).turn == 0
    assert take(alarm_row(tier=1, alarmed_ms=now_ms), ladder(NIGHT), None, now_ms).turn == 0


def test_an_alarm_of_quiet_hours_may_be_forgotten() -> None:
    quiet = Quiet("Asia/Shanghai", time(22), time(6), forget=True)
    row = alarm_row(tier=2, alarmed_ms=at_shanghai(23))
    held = take(row, ladder(quiet), None, at_shanghai(23))
    assert take(row, ladder(quiet), held.progress, at_shanghai(40)).turn is None
    anew = row | {"alarmed_ms": at_shanghai(40)}
    assert take(anew, ladder(quiet), held.progress, at_shanghai(40)).turn == 0


def test_after_a_long_standstill_steps_do_not_come_all_at_once() -> None:
    row = alarm_row(tier=1, alarmed_ms=T0)
    first = take(row, ladder(), None, T0).progress
    second = take(row, ladder(), first, T0 + 10 * HOUR_MS)
    assert (second.turn, second.progress.due_ms) == (1, None)


@pytest.mark.parametrize(("taken", "turn", "sooner"), [(1, 0, True), (2, 0, False), (2, 1, False)])
def test_only_the_latest_turn_that_failed_makes_haste(taken: int, turn: int, *, sooner: bool) -> None:
    before = Progress(T0, 1, taken, T0 + HOUR_MS)
    assert (hasten(before, ladder(), turn, T0) != before) is sooner
