"""KPIs of a window from records: each as its definition says, against plain loops, and with nothing left out unsaid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, Engine, MetaData, String, Table, create_engine, insert

from alerting.rates import DAY_MS
from config.settings import RecordsAddress
from gateway.kpi.compute import DeskReport, KpiReport, Kpis
from gateway.kpi.definitions import ACKNOWLEDGE_MIN, DEFINITIONS, FLEETING_MS
from gateway.kpi.desks import Desks
from gateway.kpi.figures import Figure
from gateway.kpi.rows import LOOK_BACK_MS
from gateway.records import schema
from tests.support.open_records import open_both
from tests.support.plants import mini_plant
from tests.support.rows import alarm_row

PLANT = mini_plant()
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
T0 = 1_800_000_000_000 // 600_000 * 600_000
WATCHED = [
    tag.name for tag in PLANT.tags.values() if any(one.condition == "STALE" and one.enabled for one in tag.conditions)
]
OPTIONAL: dict[str, Any] = {
    "inhibited": String(16),
    "verdict": String(32),
    "closed_ms": BigInteger(),
    "measured_ms": BigInteger(),
}


def row(name: str, at_ms: int, lasts_ms: int | None = MINUTE_MS, **changes: object) -> dict[str, Any]:
    """Return an alarm annunciated at a time."""
    cleared = None if lasts_ms is None else at_ms + lasts_ms
    state = "active" if lasts_ms is None else "cleared"
    times = {"onset_ms": at_ms, "raised_ms": at_ms, "received_ms": at_ms, "alarmed_ms": at_ms, "cleared_ms": cleared}
    return alarm_row(name, **{**times, "state": state, **changes})


class Book:
    """Records to put alarms into, and their KPIs."""

    def __init__(self, writer: Engine, reader: Engine, table: Table = schema.alarm) -> None:
        self.writer, self.reader, self.table = writer, reader, table

    def put(self, *rows: dict[str, Any]) -> None:
        with self.writer.begin() as connection:
            for one in rows:
                connection.execute(insert(self.table), [one])

    def report(self, from_ms: int, to_ms: int, now_ms: int | None = None, desks: Desks | None = None) -> KpiReport:
        kpis = Kpis(self.reader, PLANT, desks or Desks(), self.table)
        return kpis.report(from_ms, to_ms, to_ms if now_ms is None else now_ms)

    def figures(self, from_ms: int, to_ms: int, now_ms: int | None = None) -> dict[str, Figure]:
        return figures_of(self.report(from_ms, to_ms, now_ms).desks[0])


def figures_of(desk: DeskReport) -> dict[str, Figure]:
    return {one.id: one.figure for one in desk.kpis}


def left(figure: Figure) -> dict[str, int]:
    return {one.reason.en: one.count for one in figure.left_out}


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    yield from books(tmp_path, None)


@pytest.fixture
def any_book(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[Book]:
    """Of either database."""
    yield from books(tmp_path, records_address)


def books(folder: Path, address: RecordsAddress | None) -> Iterator[Book]:
    writer, reader = open_both(folder, address)
    yield Book(writer, reader)
    reader.dispose()
    writer.dispose()


@pytest.fixture
def handled(tmp_path: Path) -> Iterator[Book]:
    """Records that also keep the handling of alarms, as they will."""
    metadata = MetaData()
    table = schema.alarm.to_metadata(metadata)
    for name, kind in OPTIONAL.items():
        if name not in table.c:
            table.append_column(Column(name, kind, nullable=True))
    engine = create_engine(f"sqlite:///{tmp_path / 'handled.sqlite'}")
    metadata.create_all(engine)
    yield Book(engine, engine, table)
    engine.dispose()


def test_a_window_without_alarms_has_a_reason_for_every_missing_value(book: Book) -> None:
    figures = book.figures(T0, T0 + DAY_MS)
    assert list(figures) == list(DEFINITIONS)
    for name, figure in figures.items():
        assert (figure.value is None) == (figure.why_not is not None), name
    assert (figures["annunciated"].value, figures["per_10_min"].value, figures["flood_time"].value) == (0, 0, 0)
    assert figures["windows_above_10"].denominator == 144
    assert figures["top_10_share"].value is None
    assert figures["online_rate"].value == 1


def test_rates_are_of_the_window_up_to_now(any_book: Book) -> None:
    any_book.put(*(row(f"{at:02}", T0 + at * HOUR_MS) for at in range(12)))
    figures = any_book.figures(T0, T0 + DAY_MS, now_ms=T0 + DAY_MS // 2)
    assert (figures["per_hour"].value, figures["per_day"].value) == (1, 24)
    assert figures["per_10_min"].value == pytest.approx(1 / 6)
    assert (figures["per_hour"].numerator, figures["per_hour"].denominator) == (12, 12)


def test_a_window_is_by_the_time_of_annunciation_and_ends_before_its_end(book: Book) -> None:
    late = row("late", T0 + 5, raised_ms=T0 - DAY_MS, onset_ms=T0 - DAY_MS)
    book.put(row("before", T0 - 1), row("first", T0), late, row("last", T0 + 99), row("after", T0 + 100))
    assert book.figures(T0, T0 + 100)["annunciated"].value == 3


def test_a_flood_that_began_before_the_window_counts_from_its_beginning(book: Book) -> None:
    book.put(*(row(f"{at:02}", T0 - 5 * MINUTE_MS + at) for at in range(12)))
    report = book.report(T0, T0 + HOUR_MS)
    figures = figures_of(report.desks[0])
    # The eighth of them leaves at T0 + 5 min + 7 ms: four are left.
    assert figures["flood_time"].numerator == (5 * MINUTE_MS + 7) / 1000
    assert (figures["floods"].value, figures["annunciated"].value) == (1, 0)
    assert report.desks[0].floods[0].end_ms == T0 + 5 * MINUTE_MS + 7


def test_windows_with_more_than_ten_are_those_of_the_wall_clock(book: Book) -> None:
    book.put(*(row(f"a{at:02}", T0 + 600_000 + at) for at in range(11)), row("edge", T0 + 10))
    figures = book.figures(T0 + 5, T0 + HOUR_MS)
    figure = figures["windows_above_10"]
    assert (figure.numerator, figure.denominator) == (1, 5)
    assert left(figure)["not in a whole 10-min window"] == 1
    assert figures["max_per_10_min"].value == 11


def test_retrospective_alarms_are_counted_apart(any_book: Book) -> None:
    any_book.put(row("live", T0), row("missed", T0 + 1, retrospective=True))
    figures = any_book.figures(T0, T0 + HOUR_MS)
    assert (figures["annunciated"].value, figures["retrospective"].value) == (1, 1)
    assert left(figures["annunciated"])["retrospective, never annunciated"] == 1


def test_what_the_records_do_not_keep_is_not_yet_known(book: Book) -> None:
    book.put(row("one", T0))
    figures = book.figures(T0, T0 + HOUR_MS)
    for name, column in (
        ("shelved", "inhibited"),
        ("disposal_rate", "closed_ms"),
        ("disposal_in_time", "measured_ms"),
        ("valid_rate", "verdict"),
    ):
        if column not in schema.alarm.c:
            assert figures[name].value is None
            assert "not yet known" in figures[name].why_not.en  # type: ignore[union-attr]  # a value or a reason
            assert "尚不可知" in figures[name].why_not.zh  # type: ignore[union-attr]


def test_suppressed_alarms_are_no_load_and_all_are_told(handled: Book) -> None:
    kinds = ("shelved", "shelved", "suppressed", "out_of_service", "else", None)
    handled.put(*(row(f"{at}", T0 + at, None, inhibited=kind) for at, kind in enumerate(kinds)))
    figures = handled.figures(T0, T0 + HOUR_MS)
    told = {name: figures[name].value for name in ("annunciated", "shelved", "suppressed", "out_of_service")}
    assert told == {"annunciated": 1, "shelved": 2, "suppressed": 1, "out_of_service": 1}
    assert sum(left(figures["annunciated"]).values()) == 5
    assert len(handled.report(T0, T0 + 2 * DAY_MS).desks[0].standing) == 1


def test_handling_is_what_was_closed_with_a_cause(handled: Book) -> None:
    handled.put(
        row("true", T0, closed_ms=T0 + 10, verdict="true"),
        row("false", T0, closed_ms=T0 + 10, verdict="false_alarm"),
        row("test", T0, verdict="test"),
        row("ignored", T0, closed_ms=T0 + 10),
    )
    figures = handled.figures(T0, T0 + HOUR_MS)
    assert (figures["disposal_rate"].numerator, figures["disposal_rate"].denominator) == (2, 4)
    assert (figures["valid_rate"].numerator, figures["valid_rate"].denominator) == (2, 3)
    assert left(figures["valid_rate"]) == {"without a cause": 1}


def test_overdue_alarms_stay_in_the_denominator(handled: Book) -> None:
    limit_ms = 30 * MINUTE_MS  # orange
    handled.put(
        row("in time", T0, measured_ms=T0 + limit_ms),
        row("too late", T0, measured_ms=T0 + limit_ms + 1),
        row("never", T0 - limit_ms, None),
        row("due before", T0 - limit_ms - 1, None),
        row("due later", T0 + HOUR_MS - limit_ms, None),
    )
    figure = handled.figures(T0, T0 + HOUR_MS)["disposal_in_time"]
    assert (figure.numerator, figure.denominator) == (1, 3)
    assert left(figure)["clock does not run out in the window"] == 1


def test_the_clock_begins_anew_when_the_tier_rises(any_book: Book) -> None:
    risen = row("risen", T0 - 2 * DAY_MS, None, tier=1, base_tier=4, alarmed_ms=T0 + 10, acknowledged_ms=T0 + 60_010)
    any_book.put(risen)
    figure = any_book.figures(T0, T0 + HOUR_MS)["acknowledged_in_time"]
    assert (figure.numerator, figure.denominator) == (1, 1)


def test_the_median_is_of_those_acknowledged_and_tells_the_others(any_book: Book) -> None:
    any_book.put(
        *(row(f"{at}", T0, acknowledged_ms=T0 + at * MINUTE_MS) for at in (1, 2, 30)),
        row("open", T0, None),
        row("red", T0, tier=1, base_tier=1),
    )
    figures = any_book.figures(T0, T0 + HOUR_MS)
    assert (figures["acknowledge_orange"].value, figures["acknowledge_orange"].denominator) == (2, 3)
    assert left(figures["acknowledge_orange"])["not acknowledged"] == 1
    assert figures["acknowledge_red"].value is None
    assert (figures["priority_red"].value, figures["priority_orange"].value) == (0.2, 0.8)


def test_standing_alarms_from_long_before_are_found(any_book: Book) -> None:
    any_book.put(
        row("for ever", T0 - 90 * DAY_MS, None),
        row("until now", T0 - 2 * DAY_MS, 2 * DAY_MS + HOUR_MS),
        row("gone", T0 - 2 * DAY_MS, DAY_MS + 1),
        row("young", T0, None),
    )
    report = any_book.report(T0, T0 + DAY_MS)
    assert figures_of(report.desks[0])["standing_24h"].value == 2
    assert [one.raised_ms for one in report.desks[0].standing] == [T0 - 90 * DAY_MS]


def test_online_takes_silence_from_the_last_sample_on_and_bad_values_once(any_book: Book) -> None:
    silent = {"tag": WATCHED[0], "condition": "STALE", "onset_ms": T0 + HOUR_MS}
    any_book.put(
        row("silent", T0 + HOUR_MS + MINUTE_MS, HOUR_MS - MINUTE_MS, **silent),
        row("bad", T0 + HOUR_MS, 90 * MINUTE_MS, tag=WATCHED[0], condition="BAD_PV"),
        row("still", T0 - DAY_MS, None, tag=WATCHED[0], condition="STALE", onset_ms=T0 - DAY_MS, retrospective=True),
        row("high", T0, None, tag=WATCHED[0]),
    )
    figure = any_book.figures(T0, T0 + DAY_MS)["online_rate"]
    expected_s = len(WATCHED) * DAY_MS / 1000
    assert (figure.numerator, figure.denominator) == (expected_s - 5_400, expected_s)
    assert sum(left(figure).values()) == len(PLANT.tags) - len(WATCHED)


def test_a_point_silent_since_last_week_is_offline_all_day(book: Book) -> None:
    book.put(row("silent", T0 - 7 * DAY_MS, None, tag="T-1.LEVEL", condition="STALE", onset_ms=T0 - 7 * DAY_MS))
    figure = book.figures(T0, T0 + DAY_MS)["online_rate"]
    assert figure.denominator is not None
    assert figure.numerator == figure.denominator - DAY_MS / 1000


def test_each_desk_has_its_own_figures_and_together_they_have_all(book: Book) -> None:
    book.put(
        *(row(f"m{at}", T0 + at) for at in range(8)), *(row(f"c{at}", T0 + at, hazard_unit="cl2") for at in range(4))
    )
    desks = Desks({"cl2": "chlorine"})
    report = book.report(T0, T0 + HOUR_MS, desks=desks)
    assert [one.desk for one in report.desks] == ["site", "chlorine"]
    assert [figures_of(one)["annunciated"].value for one in report.desks] == [8, 4]
    points = [figures_of(one)["online_rate"].denominator for one in report.desks]
    assert sum(one or 0 for one in points) == book.figures(T0, T0 + HOUR_MS)["online_rate"].denominator
    alone = Kpis(book.reader, PLANT, desks).report(T0, T0 + HOUR_MS, T0 + HOUR_MS, "chlorine").desks
    assert alone == report.desks[1:]


def test_the_lists_say_which_alarms_it_was(book: Book) -> None:
    book.put(
        *(row(f"a{at}", T0 + at * 1_000, tag="T-1.LEVEL") for at in range(4)),
        *(row(f"b{at}", T0 + at * MINUTE_MS) for at in range(3)),
    )
    desk = book.report(T0, T0 + HOUR_MS).desks[0]
    assert [(one.tag, one.count) for one in desk.most_frequent] == [("T-1.LEVEL", 4), ("T-1.TEMP", 3)]
    assert [(one.tag, one.count, one.end_ms - one.begin_ms) for one in desk.chattering] == [("T-1.LEVEL", 4, 3_000)]
    assert figures_of(desk)["chattering"].value == 1


# --- against plain loops -------------------------------------------------------------------------------------------


@st.composite
def alarms(draw: st.DrawFn) -> list[dict[str, Any]]:
    minutes = st.integers(-3 * 1440, 2 * 1440)
    rows = []
    for number in range(draw(st.integers(0, 25))):
        at_ms = T0 + draw(minutes) * MINUTE_MS
        lasts_ms = draw(st.none() | st.sampled_from([1_000, FLEETING_MS, FLEETING_MS + 1, HOUR_MS, DAY_MS, 2 * DAY_MS]))
        tier = draw(st.integers(1, 4))
        seen_ms = draw(st.none() | st.integers(0, 40).map(lambda one, at_ms=at_ms: at_ms + one * MINUTE_MS))  # type: ignore[misc]
        rows.append(
            row(
                f"{number:02}",
                at_ms,
                lasts_ms,
                tag=draw(st.sampled_from(["T-1.LEVEL", "T-1.TEMP", "GD-1"])),
                condition=draw(st.sampled_from(["H", "STALE", "BAD_PV"])),
                tier=tier,
                base_tier=draw(st.integers(tier, 4)),
                acknowledged_ms=seen_ms,
                retrospective=draw(st.integers(0, 6)) == 0,
            )
        )
    return rows


def naive(rows: Sequence[dict[str, Any]], from_ms: int, to_ms: int) -> dict[str, float]:
    """Count alarm by alarm, and moment by moment where it is about moments."""
    live = [one for one in rows if not one["retrospective"] and one["received_ms"] < to_ms]
    told = [one for one in live if one["received_ms"] >= from_ms]
    due = [(one, one["alarmed_ms"] + ACKNOWLEDGE_MIN[one["tier"]] * MINUTE_MS) for one in live]
    due = [(one, until) for one, until in due if from_ms <= until < to_ms]
    moments = {from_ms, *(one["raised_ms"] + DAY_MS + 1 for one in live)}
    return {
        "annunciated": len(told),
        "fleeting": sum(
            one["cleared_ms"] is not None and one["cleared_ms"] - one["raised_ms"] <= 30_000 for one in told
        ),
        "acknowledged_due": len(due),
        "acknowledged": sum(
            one["acknowledged_ms"] is not None and one["acknowledged_ms"] <= until for one, until in due
        ),
        "yellow": sum(one["base_tier"] == 3 for one in told),
        "standing": max(
            sum(
                now - one["raised_ms"] > DAY_MS and (one["cleared_ms"] is None or one["cleared_ms"] > now)
                for one in live
            )
            for now in moments
            if from_ms <= now < to_ms
        ),
        "lost_minutes": sum(
            any(
                one["tag"] == tag
                and one["onset_ms"] <= now
                and (one["cleared_ms"] is None or now < one["cleared_ms"])
                and one["condition"] != "H"
                for one in live
            )
            for tag in WATCHED
            for now in range(from_ms, to_ms, MINUTE_MS)
        ),
    }


@given(rows=alarms(), hours=st.integers(1, 30))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_figures_are_those_of_plain_loops(handled: Book, rows: list[dict[str, Any]], hours: int) -> None:
    with handled.writer.begin() as connection:
        connection.execute(handled.table.delete())
    handled.put(*rows)
    from_ms, to_ms = T0, T0 + hours * HOUR_MS
    found, expected = handled.figures(from_ms, to_ms), naive(rows, from_ms, to_ms)
    online = found["online_rate"]
    assert {
        "annunciated": found["annunciated"].value,
        "fleeting": found["fleeting"].value,
        "acknowledged_due": found["acknowledged_in_time"].denominator,
        "acknowledged": found["acknowledged_in_time"].numerator,
        "yellow": found["priority_yellow"].numerator or 0,
        "standing": found["standing_24h"].value,
    } == {name: value for name, value in expected.items() if name != "lost_minutes"}
    assert online.denominator is not None
    assert online.numerator is not None
    lost_min = (online.denominator - online.numerator) / 60
    assert lost_min == pytest.approx(expected["lost_minutes"], abs=len(rows))


def test_every_clock_runs_out_within_the_look_back() -> None:
    assert max(ACKNOWLEDGE_MIN.values()) * MINUTE_MS <= LOOK_BACK_MS
