"""A month is frozen once, a day after its end, and never changes; what was changed in it shows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, insert, select, update

from alerting.rates import DAY_MS
from config.settings import RecordsAddress
from gateway.errors import BadRequestError
from gateway.kpi import months as months_module
from gateway.kpi.compute import Kpis
from gateway.kpi.desks import Desks
from gateway.kpi.months import Freezer, MonthReport, Months, month_of, span_of
from gateway.records import audit, schema
from gateway.records.monthly import kpi_month
from tests.support.open_records import open_both
from tests.support.plants import mini_plant
from tests.support.rows import alarm_row
from tests.support.waiting import eventually

OCTOBER, NOVEMBER = span_of("2026-10"), span_of("2026-11")


@dataclass
class SetClock:
    now_ms: int

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic_s(self) -> float:
        return self.now_ms / 1000


class Office:
    """Records, somebody who freezes their months, and a clock."""

    def __init__(self, writer: Engine, reader: Engine) -> None:
        self.writer = writer
        self.clock = SetClock(NOVEMBER[0])
        self.months = Months(Kpis(reader, mini_plant(), Desks({"cl2": "chlorine"})))
        self.freezer = Freezer(self.months, reader, writer, self.clock)

    def raise_(self, name: str, at_ms: int) -> None:
        times = {"onset_ms": at_ms, "raised_ms": at_ms, "received_ms": at_ms, "alarmed_ms": at_ms}
        with self.writer.begin() as connection:
            connection.execute(insert(schema.alarm), [alarm_row(name, **times)])

    def look(self, month: str = "2026-10") -> MonthReport:
        return self.months.report(month, self.clock.now_ms)


def annunciated(report: MonthReport) -> object:
    kpis = {one["id"]: one["figure"]["value"] for one in report.desks[0]["kpis"]}
    return kpis["annunciated"]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    yield from offices(tmp_path, None)


@pytest.fixture
def any_office(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[Office]:
    """On either database."""
    yield from offices(tmp_path, records_address)


def offices(folder: Path, address: RecordsAddress | None) -> Iterator[Office]:
    writer, reader = open_both(folder, address)
    yield Office(writer, reader)
    reader.dispose()
    writer.dispose()


def test_a_month_is_that_of_local_time() -> None:
    assert OCTOBER[1] == NOVEMBER[0]
    assert (OCTOBER[1] - OCTOBER[0], NOVEMBER[1] - NOVEMBER[0]) == (31 * DAY_MS, 30 * DAY_MS)
    assert NOVEMBER[0] == 1_793_462_400_000  # 2026-10-31T16:00:00Z
    assert (month_of(NOVEMBER[0] - 1), month_of(NOVEMBER[0])) == ("2026-10", "2026-11")
    assert span_of("2026-12")[1] == span_of("2027-01")[0]


@pytest.mark.parametrize("wrong", ["2026", "2026-13", "2026-1", "2026-00", "0001-01", "2026-11-01", "now", "٢٠٢٦-11"])
def test_what_is_no_month_is_refused(wrong: str) -> None:
    with pytest.raises(BadRequestError, match="yyyy-mm"):
        span_of(wrong)


def test_the_running_month_is_provisional_and_goes_to_now(office: Office) -> None:
    office.raise_("one", NOVEMBER[0])
    office.clock.now_ms = NOVEMBER[0] + DAY_MS
    report = office.look("2026-11")
    assert (report.provisional, report.hashes, annunciated(report)) == (True, {}, 1)
    with pytest.raises(BadRequestError, match="has not begun"):
        office.look("2026-12")


def test_a_month_is_due_a_day_after_its_end_from_that_of_the_first_alarm_on(any_office: Office) -> None:
    assert any_office.freezer.due() == []
    any_office.raise_("first", span_of("2026-08")[0] + 5)
    any_office.clock.now_ms = OCTOBER[1] + DAY_MS - 1
    assert any_office.freezer.due() == ["2026-08", "2026-09"]
    any_office.clock.now_ms += 1
    assert any_office.freezer.due() == ["2026-08", "2026-09", "2026-10"]
    assert any_office.freezer.freeze("2026-09")
    assert any_office.freezer.due() == ["2026-08", "2026-10"]


def test_a_frozen_month_does_not_change(any_office: Office) -> None:
    any_office.raise_("one", OCTOBER[0])
    any_office.clock.now_ms = NOVEMBER[0] + 2 * DAY_MS
    assert any_office.freezer.freeze("2026-10")
    frozen = any_office.look()
    assert (frozen.provisional, frozen.intact, annunciated(frozen)) == (False, True, 1)
    assert set(frozen.hashes) == {"site", "chlorine"}
    any_office.raise_("found later", OCTOBER[0] + 1)
    any_office.clock.now_ms += DAY_MS
    assert not any_office.freezer.freeze("2026-10"), "there is one row for each month and desk, once"
    assert any_office.look() == frozen


def test_freezing_is_noted_in_the_audit_log(any_office: Office) -> None:
    any_office.clock.now_ms = NOVEMBER[0] + 2 * DAY_MS
    any_office.freezer.freeze("2026-10")
    with any_office.writer.connect() as connection:
        (entry,) = audit.rows(connection)
        count, broken = audit.verify(connection)
    assert (entry["act"], entry["subject"], count, broken) == ("kpi.month.frozen", "2026-10", 1, [])
    assert all(one in entry["detail"] for one in any_office.look().hashes.values())


@pytest.mark.parametrize("column", ["payload", "definitions", "made_ms"])
def test_a_changed_month_is_found(office: Office, column: str) -> None:
    office.clock.now_ms = NOVEMBER[0] + 2 * DAY_MS
    office.freezer.freeze("2026-10")
    with office.writer.begin() as connection:
        before = connection.scalar(select(kpi_month.c[column]).where(kpi_month.c.desk == "site"))
        after = before + 1 if isinstance(before, int) else str(before).replace("0", "1", 1) + " "
        connection.execute(update(kpi_month).where(kpi_month.c.desk == "site").values({column: after}))
    assert not office.look().intact


def test_a_desk_that_was_taken_out_shows_too(office: Office) -> None:
    office.clock.now_ms = NOVEMBER[0] + 2 * DAY_MS
    office.freezer.freeze("2026-10")
    before = office.look().hashes
    with office.writer.begin() as connection:
        connection.execute(delete(kpi_month).where(kpi_month.c.desk == "site"))
    assert office.look().hashes != before


def test_the_thread_freezes_what_is_due_and_stops_when_asked(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(months_module, "_FIRST_LOOK_S", 0.01)
    office.raise_("one", OCTOBER[0])
    office.clock.now_ms = NOVEMBER[0] + 2 * DAY_MS
    stop = threading.Event()
    thread = threading.Thread(target=office.freezer.run, args=(stop,))
    thread.start()
    eventually(lambda: not office.look().provisional, 10)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
