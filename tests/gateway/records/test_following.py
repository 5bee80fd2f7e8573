"""Following the log with a position of one's own."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from alerting.batch import Batch, Disposition
from config.contract.quality import Quality, Reason, pack
from config.settings import RecordsAddress
from gateway.errors import RecordsError
from gateway.records import following
from gateway.records.database import open_reader, open_writer
from gateway.records.following import LogFollowing
from gateway.records.log import Kind, LogRow, encode_samples
from gateway.records.writer import Commit, Records

SUSPECT = pack(Quality.BAD, Reason.CLOCK_SUSPECT)


@pytest.fixture
def records(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[Records]:
    engine = open_writer(tmp_path, records_address)
    yield Records(engine)
    engine.dispose()


@pytest.fixture
def log(records: Records, tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[LogFollowing]:
    assert records is not None
    engine = open_reader(tmp_path, records_address)
    yield LogFollowing(engine)
    engine.dispose()


def samples(position: int, count: int, disposition: Disposition = Disposition.EVALUATED, quality: int = 0) -> LogRow:
    column = np.arange(count)
    batch = Batch(column.astype(np.int32), column + 1_000, column / 2, np.full(count, quality, np.uint8))
    payload = encode_samples(batch, np.full(count, int(disposition), np.uint8))
    return LogRow(position, Kind.SAMPLES, 5_000 + position, count, payload)


def test_an_empty_log_has_nothing(log: LogFollowing) -> None:
    assert log.read_after(0, 100) == ([], 0)


def test_rows_of_samples_are_given_and_the_others_passed_over(records: Records, log: LogFollowing) -> None:
    records.commit(Commit(log=[LogRow(1, Kind.START, 1), samples(2, 3), LogRow(3, Kind.TICK, 2), samples(4, 1)]))
    entries, position = log.read_after(0, 100)
    assert [entry.position for entry in entries] == [2, 4]
    assert position == 4
    first = entries[0]
    assert first.received_ms == 5_002
    assert first.tag.tolist() == [0, 1, 2]
    assert first.time_ms.tolist() == [1_000, 1_001, 1_002]
    assert first.value.tolist() == [0.0, 0.5, 1.0]
    assert log.read_after(2, 100)[0][0].position == 4
    assert log.read_after(4, 100) == ([], 4)


def test_ticks_alone_move_the_position(records: Records, log: LogFollowing) -> None:
    records.commit(Commit(log=[LogRow(position, Kind.TICK, 1) for position in range(1, 11)]))
    assert log.read_after(0, 100) == ([], 10)


def test_no_more_is_read_than_wanted_but_always_something(records: Records, log: LogFollowing) -> None:
    records.commit(Commit(log=[samples(1, 50), samples(2, 40), samples(3, 20), LogRow(4, Kind.TICK, 1)]))
    for wanted, expected in ((1, 1), (50, 1), (89, 1), (90, 2), (109, 2), (110, 4)):
        entries, position = log.read_after(0, wanted)
        assert position == expected
        assert len(entries) == min(expected, 3)


def test_a_long_log_is_read_to_its_end(records: Records, log: LogFollowing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_ROWS", 7)
    rows = [samples(at, 2) if at % 3 else LogRow(at, Kind.TICK, 1) for at in range(1, 101)]
    records.commit(Commit(log=rows))
    position, seen = 0, list[int]()
    for _ in range(100):
        entries, further = log.read_after(position, 5)
        if further == position:
            break
        position = further
        seen += [entry.position for entry in entries]
    assert seen == [row.position for row in rows if row.kind is Kind.SAMPLES]


def test_late_equal_timed_and_suspect_samples_are_to_be_checked_again(records: Records, log: LogFollowing) -> None:
    records.commit(
        Commit(
            log=[
                samples(1, 1),
                samples(2, 1, Disposition.LATE),
                samples(3, 1, Disposition.SAME_TIME),
                samples(4, 1, quality=SUSPECT),
                samples(5, 1, Disposition.DUPLICATE),
            ]
        )
    )
    entries, _ = log.read_after(0, 100)
    assert [entry.recheck.tolist() for entry in entries] == [[False], [True], [True], [True], [False]]
    assert entries[4].disposition.tolist() == [Disposition.DUPLICATE]


def test_large_rows_are_not_all_held_at_once(records: Records, log: LogFollowing) -> None:
    for position in range(1, 21):
        records.commit(Commit(log=[samples(position, 100_000)]))
    tracemalloc.start()
    try:
        entries, position = log.read_after(0, 100_000)
        assert (len(entries), position) == (1, 1)
        assert tracemalloc.get_traced_memory()[1] < 15_000_000
    finally:
        tracemalloc.stop()


def test_a_log_that_cannot_be_read_is_said(records: Records, log: LogFollowing) -> None:
    with records._engine.begin() as connection:
        connection.execute(text("DROP TABLE log"))
    with pytest.raises(RecordsError, match="reading the log after 0"):
        log.read_after(0, 10)
