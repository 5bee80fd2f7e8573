"""The audit log: every change of it is found and located, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, insert, update

from config.settings import RecordsAddress
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.database import open_writer
from gateway.records.schema import audit as table

DAY_MS = 86_400_000
NOW_MS = 1_763_770_000_000


@pytest.fixture
def engine(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[Engine]:
    opened = open_writer(tmp_path, records_address)
    yield opened
    opened.dispose()


def entries(count: int, at_ms: int = NOW_MS) -> list[Entry]:
    return [
        Entry(at_ms + at, "李明", "10.0.0.1", "alarm.acknowledge", f"a{at}", detail={"b": 1}) for at in range(count)
    ]


def broken_rows(engine: Engine) -> list[int]:
    with engine.begin() as connection:
        return [one.seq for one in audit.verify(connection)[1]]


def fill(engine: Engine, count: int = 5) -> None:
    for entry in entries(count):
        with engine.begin() as connection:
            audit.append(connection, [entry])


def test_what_was_written_holds(engine: Engine) -> None:
    with engine.begin() as connection:
        assert audit.verify(connection) == (0, [])
        assert audit.append(connection, entries(3)) == 3
        assert audit.append(connection, entries(2)) == 5
    with engine.begin() as connection:
        assert audit.verify(connection) == (5, [])
        assert [row["seq"] for row in audit.rows(connection, after=3)] == [4, 5]


@pytest.mark.parametrize(
    "change",
    [{"account": "wang"}, {"detail": "{}"}, {"at_ms": 1}, {"outcome": "refused"}, {"act": "x"}, {"origin": "y"}],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_row_is_located(engine: Engine, change: dict[str, object]) -> None:
    fill(engine)
    with engine.begin() as connection:
        connection.execute(update(table).where(table.c.seq == 3).values(**change))
    assert broken_rows(engine) == [3]


def test_a_row_that_was_changed_and_sealed_anew_is_located_by_the_next(engine: Engine) -> None:
    fill(engine)
    with engine.begin() as connection:
        row = next(audit.rows(connection, after=2)) | {"account": "wang"}
        connection.execute(update(table).where(table.c.seq == 3).values(account="wang", hash=audit._seal(row)))
    assert broken_rows(engine) == [4]


def test_missing_and_inserted_rows_are_located(engine: Engine) -> None:
    fill(engine)
    with engine.begin() as connection:
        taken = next(audit.rows(connection, after=2))
        connection.execute(delete(table).where(table.c.seq == 3))
    assert broken_rows(engine) == [4]
    with engine.begin() as connection:
        connection.execute(insert(table).values(**taken))
        connection.execute(delete(table).where(table.c.seq == 1))
    assert broken_rows(engine) == [2], "the beginning is known"


def test_trimming_is_on_the_record_and_never_below_180_days(engine: Engine) -> None:
    with engine.begin() as connection:
        audit.append(connection, entries(3, NOW_MS - 200 * DAY_MS) + entries(4, NOW_MS - 170 * DAY_MS))
        assert audit.trim(connection, NOW_MS, keep_days=1) == 3
        assert audit.trim(connection, NOW_MS, keep_days=1) == 0
        assert audit.verify(connection) == (5, [])
        connection.execute(delete(table).where(table.c.seq == 4))
        assert [one.seq for one in audit.verify(connection)[1]] == [5], "a second beginning is nobody's trimming"


@given(texts=st.lists(st.text(max_size=300), min_size=1, max_size=4), data=st.data())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_kept_and_verifies(engine: Engine, texts: list[str], data: st.DataObject) -> None:
    with engine.begin() as connection:
        for one in texts:
            audit.append(connection, [Entry(NOW_MS, one, one, "x", one, detail={one: data.draw(st.integers(0, 9))})])
    assert broken_rows(engine) == []
