"""The moment, kept alarm by alarm: as the kernels say of all alarms, and as a restart says from the records."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, insert

from alerting.first_out import UnitAlarms, first_out
from alerting.rates import DAY_MS, NOT_YET, ChatterRule, FloodRule, chattering, floods
from config.contract.quality import Quality, Reason, pack
from config.settings import RecordsAddress
from gateway.errors import RecordsError
from gateway.kpi.desks import Desks
from gateway.kpi.now import Now, NowReport
from gateway.kpi.running import RunningChatter, RunningFlood, RunningGroups
from gateway.live import AlarmNotice
from gateway.records import schema
from tests.support.open_records import open_both
from tests.support.rows import alarm_row, event_row

MINUTE_MS = 60_000
T0 = 1_800_000_000_000
SUSPECT = pack(Quality.UNCERTAIN, Reason.CLOCK_SUSPECT)


@given(
    st.lists(st.integers(0, 120), max_size=60).map(sorted),
    st.integers(0, 160),
    st.integers(1, 6),
    st.integers(0, 5),
    st.integers(1, 30),
)
def test_a_flood_of_the_moment_is_that_of_the_kernel(
    times: list[int], later: int, above: int, short: int, within: int
) -> None:
    rule = FloodRule(above, max(1, above - short), within)
    running = RunningFlood(rule)
    for at_ms, several in groupby(times):
        for one in several:
            running.add(one)
        so_far = [one for one in times if one <= at_ms]
        assert last_flood(running, at_ms) == kernel_flood(so_far, at_ms, rule)
    now_ms = max([*times, later])
    assert last_flood(running, now_ms) == kernel_flood(times, now_ms, rule)
    assert running.count(now_ms) == sum(now_ms - within < one <= now_ms for one in times)


def last_flood(running: RunningFlood, now_ms: int) -> list[int] | None:
    found = running.latest(now_ms)
    return None if found is None else [found.begin_ms, found.end_ms, found.count, found.peak]


def kernel_flood(times: list[int], now_ms: int, rule: FloodRule) -> list[int] | None:
    found = floods(np.array(times, np.int64), now_ms, rule)
    columns = (found.begin_ms, found.end_ms, found.count, found.peak)
    return [int(one[-1]) for one in columns] if len(found.begin_ms) else None


@given(
    st.lists(st.tuples(st.integers(0, 120), st.sampled_from("abc")), max_size=60).map(sorted),
    st.integers(0, 60),
    st.integers(2, 4),
    st.integers(0, 30),
)
def test_chattering_of_the_moment_is_that_of_the_kernel(
    activations: list[tuple[int, str]], later: int, least: int, within: int
) -> None:
    rule = ChatterRule(least, within)
    running = RunningChatter(rule)
    for at_ms, tag in activations:
        running.add((tag, "H"), at_ms)
    now_ms = max([0, *(at_ms for at_ms, _ in activations)]) + later
    key = np.array(["abc".index(tag) for _, tag in activations], np.int64)
    episodes = chattering(key, np.array([at_ms for at_ms, _ in activations], np.int64), rule)
    columns = (episodes.key, episodes.begin_ms, episodes.end_ms, episodes.count)
    expected = {
        ("abc"[row[0]], "H"): tuple(row[1:])
        for row in zip(*(one.tolist() for one in columns), strict=True)
        if row[2] >= now_ms - within
    }
    assert {key: (one.begin_ms, one.end_ms, one.count) for key, one in running.now(now_ms).items()} == expected


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, dict[str, Any]]]:
    """Return (moment, row) of raised and cleared alarms, in the order of the gateway."""
    count = draw(st.integers(1, 12))
    names = draw(st.permutations([f"{at:02}" for at in range(count)]))
    moments = deque(draw(st.permutations(range(3 * count))))
    rows = []
    for name in names:
        opened, closed = sorted((moments.popleft(), moments.popleft()))
        row = alarm_row(
            name,
            hazard_unit=draw(st.sampled_from(["one", "two"])),
            raised_ms=draw(st.integers(0, 9)),
            quality=draw(st.sampled_from([0, 0, 0, SUSPECT])),
            received_ms=opened,
        )
        rows.append((opened, row))
        if draw(st.booleans()):
            rows.append((closed, {**row, "state": "cleared"}))
    return sorted(rows, key=lambda one: one[0])


@given(histories())
def test_first_out_of_the_moment_is_that_of_the_kernel(history: list[tuple[int, dict[str, Any]]]) -> None:
    running = RunningGroups()
    for moment, row in history:
        if row["state"] == "active":
            running.open(row, moment)
        else:
            running.close(row)
    rows = [row for _, row in history if row["state"] == "active"]
    closed = {row["alarm_id"]: moment for moment, row in history if row["state"] == "cleared"}
    ids = sorted(row["alarm_id"] for row in rows)
    found = first_out(
        UnitAlarms(
            unit=np.array([["one", "two"].index(row["hazard_unit"]) for row in rows], np.int64),
            opened=np.array([row["received_ms"] for row in rows], np.int64),
            closed=np.array([closed.get(row["alarm_id"], NOT_YET) for row in rows], np.int64),
            source_ms=np.array([row["raised_ms"] for row in rows], np.int64),
            trusted=np.array([row["quality"] == 0 for row in rows], np.bool_),
            rank=np.array([ids.index(row["alarm_id"]) for row in rows], np.int64),
        )
    )
    expected = {
        rows[first]["hazard_unit"]: (rows[first]["alarm_id"], by_source, size, still)
        for first, by_source, size, still in zip(
            found.first.tolist(), found.by_source.tolist(), found.size.tolist(), found.open.tolist(), strict=True
        )
        if still
    }
    now = running.now()
    assert {unit: (one.first, one.trusted, one.size, len(one.open)) for unit, one in now.items()} == expected


class Records:
    """Records that alarms are put into as the pipeline does, and somebody who listens meanwhile."""

    def __init__(self, folder: Path, address: RecordsAddress | None) -> None:
        self.writer, self.reader = open_both(folder, address)
        self.heard = Now(self.reader, Desks({"cl2": "chlorine"}))
        self.events = 0

    def tell(self, kind: str, row: dict[str, Any]) -> None:
        """Commit, then tell."""
        self.events += 1
        row = {**row, "sequence": self.events}
        with self.writer.begin() as connection:
            connection.execute(schema.alarm.delete().where(schema.alarm.c.alarm_id == row["alarm_id"]))
            connection.execute(insert(schema.alarm), [row])
            event = event_row(self.events, row["alarm_id"], kind=kind, received_ms=row["received_ms"])
            connection.execute(insert(schema.alarm_event), [event])
        self.heard.hear(AlarmNotice(self.events, kind, row))

    def raise_(self, name: str, at_ms: int, **changes: object) -> dict[str, Any]:
        row = alarm_row(name, onset_ms=at_ms, raised_ms=at_ms, received_ms=at_ms, alarmed_ms=at_ms, **changes)
        self.tell("raised", row)
        return row

    def clear(self, row: dict[str, Any], at_ms: int) -> None:
        self.tell("cleared", {**row, "state": "cleared", "cleared_ms": at_ms})

    def both(self, now_ms: int) -> NowReport:
        """Return what the one who listened says, which is what one who begins now says."""
        fresh = Now(self.reader, Desks({"cl2": "chlorine"})).report(now_ms)
        assert self.heard.report(now_ms) == fresh
        return fresh


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    yield from kept(tmp_path, None)


@pytest.fixture
def any_records(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[Records]:
    """On either database."""
    yield from kept(tmp_path, records_address)


def kept(folder: Path, address: RecordsAddress | None) -> Iterator[Records]:
    opened = Records(folder, address)
    yield opened
    opened.reader.dispose()
    opened.writer.dispose()


def test_a_restart_goes_on_with_flood_chatter_and_first_out(any_records: Records) -> None:
    assert any_records.both(T0).first_out == ()
    first = any_records.raise_("first", T0)
    rows = [any_records.raise_(f"a{at:02}", T0 + at * 1_000, tag=f"T-{at % 4}") for at in range(1, 11)]
    any_records.clear(first, T0 + 11_000)
    for row in rows[:7]:
        any_records.clear(row, T0 + 12_000)
    found = any_records.both(T0 + 13_000)
    site, chlorine = found.desks
    assert (site.last_10_min, chlorine.last_10_min) == (11, 0)
    assert site.flood is not None
    assert (site.flood.begin_ms, site.flood.end_ms, site.flood.peak) == (T0 + 10_000, None, 11)
    assert chlorine.flood is None
    assert (site.chattering_count, site.chattering[0].tag, site.chattering[0].count) == (2, "T-1", 3)
    (group,) = found.first_out
    assert (group.alarm_id, group.size, group.open, group.by_source) == ("first", 11, 3, True)
    over = any_records.both(T0 + 11 * MINUTE_MS)
    assert over.desks[0].flood is None
    assert over.desks[0].last_flood is not None
    # The fifth from behind leaves the window ten minutes after it came: four are left.
    assert over.desks[0].last_flood.end_ms == T0 + 6_000 + 10 * MINUTE_MS
    assert over.desks[0].chattering_count == 0
    for row in rows[7:]:
        any_records.clear(row, T0 + 12 * MINUTE_MS)
    assert any_records.both(T0 + 13 * MINUTE_MS).first_out == ()


def test_standing_alarms_are_those_older_than_a_day_of_their_desk(records: Records) -> None:
    records.heard.report(T0)
    records.raise_("old", T0, hazard_unit="cl2")
    records.raise_("gone", T0)
    records.clear(alarm_row("gone", raised_ms=T0, received_ms=T0), T0 + 5)
    records.tell("retrospective", alarm_row("missed", state="cleared", retrospective=True, received_ms=T0))
    site, chlorine = records.both(T0 + DAY_MS).desks
    assert (site.standing_count, chlorine.standing_count) == (0, 0)
    site, chlorine = records.both(T0 + DAY_MS + 1).desks
    assert (site.standing_count, chlorine.standing_count) == (0, 1)
    assert chlorine.standing[0].raised_ms == T0


def test_a_retrospective_alarm_is_no_alarm_of_the_moment(records: Records) -> None:
    records.heard.report(T0)
    records.tell("retrospective", alarm_row("missed", state="cleared", retrospective=True, received_ms=T0))
    found = records.both(T0 + 1)
    assert (found.desks[0].last_10_min, found.first_out) == (0, ())


def test_a_latched_alarm_keeps_its_group_open(records: Records) -> None:
    records.heard.report(T0)
    row = records.raise_("first", T0)
    records.tell("latched", {**row, "state": "latched", "cleared_ms": T0 + 5})
    records.raise_("second", T0 + 10)
    (group,) = records.both(T0 + 20).first_out
    assert (group.alarm_id, group.size, group.open) == ("first", 2, 2)


def test_an_alarm_that_is_over_when_it_is_told_was_first_nevertheless(records: Records) -> None:
    records.heard.report(T0)
    over = alarm_row("first", received_ms=T0, raised_ms=T0, state="cleared", cleared_ms=T0 + 50)
    second = alarm_row("second", received_ms=T0 + 10, raised_ms=T0 + 10)
    for number, kind, row in ((1, "raised", over), (2, "raised", second), (3, "cleared", over)):
        records.heard.hear(AlarmNotice(number, kind, row))
    (group,) = records.heard.report(T0 + 100).first_out
    assert (group.alarm_id, group.size, group.open) == ("first", 2, 1)


def test_a_notice_that_cannot_be_taken_ends_nothing_and_the_state_is_read_anew(records: Records) -> None:
    records.heard.report(T0)
    records.raise_("one", T0)
    records.heard.hear(AlarmNotice(2, "raised", {"alarm_id": "half a row"}))
    assert records.heard.failures == 1
    assert records.heard.report(T0 + 1).desks[0].last_10_min == 1


def test_a_clock_that_was_set_back_ends_no_flood(records: Records) -> None:
    records.heard.report(T0)
    for at in range(12):
        records.raise_(f"a{at:02}", T0 - at * MINUTE_MS)
    assert records.heard.report(T0).desks[0].last_10_min == 12


def test_a_restart_finds_the_beginning_of_a_chain_of_alarms(any_records: Records) -> None:
    any_records.heard.report(T0)
    first = before = any_records.raise_("0", T0)
    for link in range(1, 8):
        after = any_records.raise_(f"{link}", T0 + link * 1_000)
        any_records.clear(before, T0 + link * 1_000 + 500)
        before = after
    any_records.raise_("other unit", T0 - 5_000, hazard_unit="cl2")
    _, group = any_records.both(T0 + MINUTE_MS).first_out
    assert (group.alarm_id, group.size, group.open) == (first["alarm_id"], 8, 1)


@pytest.mark.parametrize("seed", range(3))
def test_a_restart_at_any_moment_says_what_the_one_says_who_listened(tmp_path: Path, seed: int) -> None:
    records, chance = Records(tmp_path, None), Random(seed)
    records.heard.report(T0)
    now_ms, opened = T0, list[dict[str, Any]]()
    for number in range(120):
        now_ms += chance.choice((1, 1_000, 20_000, 120_000))
        if opened and chance.random() < 0.45:
            records.clear(opened.pop(chance.randrange(len(opened))), now_ms)
        else:
            unit, tag = chance.choice(("meoh", "cl2", "")), chance.choice("abc")
            opened.append(records.raise_(f"{number:04}", now_ms, hazard_unit=unit, tag=tag))
        if number % 10 == 0:
            records.both(now_ms + chance.choice((0, 700_000)))
    records.reader.dispose()
    records.writer.dispose()


class Silent:
    """Records that cannot be read."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.fails = True

    def connect(self) -> object:
        if self.fails:
            with self.engine.connect() as connection:
                connection.exec_driver_sql("SELECT nothing FROM nowhere")
        return self.engine.connect()


def test_records_that_cannot_be_read_are_read_when_they_can(tmp_path: Path) -> None:
    records = Records(tmp_path, None)
    silent = Silent(records.reader)
    now = Now(silent, Desks())  # type: ignore[arg-type]  # the part of an engine that is asked
    with pytest.raises(RecordsError):
        now.report(T0)
    row = records.raise_("one", T0)
    now.hear(AlarmNotice(1, "raised", row))
    silent.fails = False
    assert now.report(T0 + 1).desks[0].last_10_min == 1
    records.reader.dispose()
    records.writer.dispose()


def test_what_was_suppressed_when_raised_is_not_annunciated(records: Records) -> None:
    records.heard.report(T0)
    records.heard.hear(AlarmNotice(1, "raised", {**alarm_row("one", received_ms=T0), "inhibited": "shelved"}))
    assert records.heard.report(T0 + 1).desks[0].last_10_min == 0


def test_an_unknown_desk_is_the_default_one() -> None:
    desks = Desks({"a": "one", "b": "two", "c": "one"})
    assert desks.names == ("site", "one", "two")
    assert replace(desks, default="hall").desk("z") == "hall"
