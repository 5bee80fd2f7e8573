"""One transaction per turn: all of it, or nothing; and what a starting pipeline finds."""

from __future__ import annotations

import sqlite3
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, Table, event, select, text

from config.contract.alarms import LocalAlarm
from config.contract.messages import EdgeStatus, decode
from config.settings import RecordsAddress
from gateway.errors import RecordsBusyError, RecordsError
from gateway.ingest.acceptance import DeadLetter, Mark, take_in
from gateway.ingest.decode import Decoder
from gateway.ledger import Count
from gateway.live import Health
from gateway.records import schema, writer
from gateway.records.audit import Entry
from gateway.records.database import DATABASE_FILE, open_writer
from gateway.records.log import Kind, LogRow
from gateway.records.writer import Commit, Records, Stored
from gateway.tags import Rows
from tests.support.frames import message, payloads
from tests.support.plants import mini_plant
from tests.support.rows import alarm_row, event_row

LETTER = DeadLetter("bad_shape", "mini", "edge-a", "some/topic", "why", "0" * 64, 5, b"12345", 0)


ONLY_SQLITE = pytest.mark.parametrize("records_address", ["sqlite"], indirect=True)


@pytest.fixture
def engine(tmp_path: Path, records_address: RecordsAddress | None) -> Iterator[Engine]:
    opened = open_writer(tmp_path, records_address)
    yield opened
    opened.dispose()


LOCAL = LocalAlarm(
    alarm_id="0" * 16, tag="T-1.TEMP", condition="H", tier=3, state="active", onset_ms=1, raised_ms=2, cleared_ms=None,
    value=41.0, limit=40.0, unit="degC", cut=True, text_zh="", text_en="",
)  # fmt: skip


@pytest.fixture
def records(engine: Engine) -> Records:
    return Records(engine)


def rows(engine: Engine, table: str) -> list[dict[str, Any]]:
    of = schema.metadata.tables[table]
    with engine.begin() as connection:
        return [dict(row) for row in connection.execute(select(of).order_by(*of.primary_key)).mappings()]


WRITTEN = sorted({one.name for one in vars(schema).values() if isinstance(one, Table)} - {"command"})
"""What the pipeline writes; other tables have writers of their own."""
INHIBITION = {
    "id": "i", "tag": "T-1.TEMP", "condition": "H", "kind": "shelved", "since_ms": 1, "until_ms": 2, "reason": "r",
    "permit": "", "rule": "", "by": "li", "ended_ms": None, "ended_by": None, "ended_why": None,
}  # fmt: skip


def everything(**changes: Any) -> Commit:  # noqa: ANN401 - fields of Commit
    """Return a commit that writes to every table."""
    fields: dict[str, Any] = {
        "log": [LogRow(1, Kind.SAMPLES, 100, 2, b"\x00" * 44), LogRow(2, Kind.TICK, 101)],
        "marks": (Mark("edge-a", "e1", 5, 5, 9, 1, 2, 3, 4),),
        "counts": {"edge-a": Counter({Count.FRAMES_KEPT: 1, Count.SAMPLES_STORED: 2})},
        "dead_letters": (LETTER,),
        "statuses": {"edge-a": EdgeStatus(online=True, at_ms=7, epoch="e1")},
        "local_alarms": (("edge-a", LOCAL),),
        "received_ms": 100,
        "alarms": (alarm_row(),),
        "events": (event_row(),),
        "names": {0: "T-1.LEVEL", 1: "T-1.TEMP"},
        "health": Health(samples=7),
        "answers": {"c1": [{"conflict": "too late"}]},
        "inhibitions": ({**INHIBITION, "id": "i1"},),
        "audit": [Entry(100, "li", "::1", "alarm.acknowledge", "a")],
        "followers": {"alarm_topics": 99},
        "snapshot": (2, b"state"),
        **changes,
    }
    return Commit(**fields)


def test_a_local_alarm_is_kept_in_its_latest_state(records: Records, engine: Engine) -> None:
    records.commit(everything())
    over = msgspec.structs.replace(LOCAL, state="cleared", cleared_ms=9)
    records.commit(Commit(local_alarms=(("edge-a", over), ("edge-b", LOCAL)), received_ms=200))
    kept = {row["edge"]: (row["state"], row["cleared_ms"], row["received_ms"]) for row in rows(engine, "local_alarm")}
    assert kept == {"edge-a": ("cleared", 9, 200), "edge-b": ("active", None, 200)}


def test_a_new_database_is_empty(records: Records) -> None:
    assert records.load() == Stored((), {}, 0, 0, (), (), (), None, {}, trimmed=0)


def test_what_was_committed_is_found_again(records: Records) -> None:
    records.commit(everything())
    stored = records.load()
    assert stored.names == ("T-1.LEVEL", "T-1.TEMP")
    assert stored.marks == {("edge-a", "e1"): Mark("edge-a", "e1", 5, 5, 9, 1, 2, 3, 4)}
    assert (stored.position, stored.event_id) == (2, 1)
    assert stored.open_alarms == (alarm_row(),)
    assert stored.snapshot == (2, b"state")
    assert stored.followers == {"alarm_topics": 99}
    assert list(records.rows_after(0)) == [LogRow(1, Kind.SAMPLES, 100, 2, b"\x00" * 44), LogRow(2, Kind.TICK, 101)]
    assert list(records.rows_after(1)) == [LogRow(2, Kind.TICK, 101)]


@ONLY_SQLITE
def test_it_is_on_disk_for_another_process_at_once(records: Records, tmp_path: Path) -> None:
    records.commit(everything())
    raw = sqlite3.connect(tmp_path / DATABASE_FILE)
    assert raw.execute("SELECT count(*) FROM log").fetchone() == (2,)
    raw.close()


@pytest.mark.parametrize("table", WRITTEN)  # others write that one
def test_a_commit_that_fails_anywhere_leaves_nothing(records: Records, engine: Engine, table: str) -> None:
    records.commit(everything())
    before = {name: rows(engine, name) for name in schema.metadata.tables}
    failing = True

    @event.listens_for(engine, "before_cursor_execute")
    def _fail(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if failing and statement.startswith(f"INSERT INTO {table} "):
            raise sqlite3.OperationalError("database or disk is full")

    later = everything(
        log=[LogRow(3, Kind.TICK, 200)],
        marks=(Mark("edge-a", "e1", 6),),
        alarms=(alarm_row("b" * 16),),
        events=(event_row(2, "b" * 16),),
        names={2: "NEW"},
        followers={"alarm_topics": 100},
        snapshot=(3, b"later"),
    )
    with pytest.raises((RecordsError, sqlite3.OperationalError)):
        records.commit(later)
    failing = False
    assert {name: rows(engine, name) for name in schema.metadata.tables} == before
    records.commit(later)
    assert {name: rows(engine, name) for name in schema.metadata.tables} != before


def test_a_row_that_is_there_already_is_an_error_and_undoes_the_rest(records: Records, engine: Engine) -> None:
    records.commit(everything())
    with pytest.raises(RecordsError, match=r"(?i)unique"):
        records.commit(everything(names={}, marks=(Mark("edge-b", "e9", 1),)))
    assert [row["edge"] for row in rows(engine, "mark")] == ["edge-a"]


@ONLY_SQLITE
def test_a_full_disk_is_no_reason_to_try_again_at_once(records: Records, engine: Engine) -> None:
    with engine.begin() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(RecordsError, match="full") as raised:
        records.commit(Commit(log=[LogRow(1, Kind.SAMPLES, 1, 1, b"x" * 5_000_000)]))
    assert not isinstance(raised.value, RecordsBusyError)
    assert records.load().position == 0


@ONLY_SQLITE
def test_a_locked_database_may_be_tried_again(records: Records, engine: Engine, tmp_path: Path) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=50")
    other = sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordsBusyError, match="locked"):
        records.commit(everything())
    other.execute("ROLLBACK")
    other.close()
    records.commit(everything())
    assert records.load().position == 2


@ONLY_SQLITE
def test_a_reader_locks_nobody_out(records: Records, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT * FROM log").fetchall()
    records.commit(everything())
    other.close()


def test_marks_move(records: Records) -> None:
    records.commit(everything())
    records.commit(Commit(marks=(Mark("edge-a", "e1", 6, first_ms=3), Mark("edge-a", "e2", 1))))
    assert {key: mark.upto for key, mark in records.load().marks.items()} == {("edge-a", "e1"): 6, ("edge-a", "e2"): 1}


def test_the_ledger_adds_up(records: Records, engine: Engine) -> None:
    for _ in range(3):
        records.commit(
            Commit(
                counts={
                    "edge-a": Counter({Count.FRAMES_KEPT: 2, Count.SAMPLES_LATE: 1}),
                    "?": Counter({Count.FRAMES_REFUSED: 1}),
                }
            )
        )
    by_edge = {row["edge"]: row for row in rows(engine, "ledger")}
    assert by_edge["edge-a"]["frames_kept"] == 6
    assert by_edge["edge-a"]["samples_late"] == 3
    assert by_edge["edge-a"]["frames_refused"] == 0
    assert by_edge["?"]["frames_refused"] == 3


def test_every_count_has_a_column() -> None:
    assert {column.name for column in schema.ledger.c} == {"edge", *(count.value for count in Count)}


def test_the_same_dead_letter_again_only_counts(records: Records, engine: Engine) -> None:
    again = DeadLetter("bad_shape", "mini", "edge-a", "some/topic", "why now", "0" * 64, 5, b"12345", 3)
    other = DeadLetter("bad_shape", "mini", "edge-a", "other/topic", "why", "0" * 64, 5, b"12345", 0)
    records.commit(Commit(dead_letters=(LETTER, again, other), received_ms=10))
    records.commit(Commit(dead_letters=(again,), received_ms=20))
    first, second = rows(engine, "dead_letter")
    assert (first["count"], first["samples"], first["first_ms"], first["last_ms"]) == (3, 6, 10, 20)
    assert first["detail"] == "why now"
    assert (second["topic"], second["count"]) == ("other/topic", 1)


def test_the_oldest_dead_letters_make_room(records: Records, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_DEAD_LETTERS_KEPT", 10)
    for number in range(25):
        one = DeadLetter("bad_shape", "mini", "edge-a", f"topic/{number}", "why", "0" * 64, 5, b"12345", 0)
        records.commit(Commit(dead_letters=(one,)))
    assert [row["topic"] for row in rows(engine, "dead_letter")] == [f"topic/{number}" for number in range(15, 25)]


def test_an_endless_topic_is_cut(records: Records, engine: Engine) -> None:
    one = DeadLetter("bad_topic", "", "?", "x" * 60_000, "why", "0" * 64, 5, b"12345", 0)
    records.commit(Commit(dead_letters=(one,)))
    assert len(rows(engine, "dead_letter")[0]["topic"]) == 1000


def test_a_will_keeps_what_the_edge_last_said_of_itself(records: Records, engine: Engine) -> None:
    online = EdgeStatus(online=True, at_ms=5, epoch="e1", made_frames=9)
    records.commit(Commit(statuses={"edge-a": online}, received_ms=10))
    records.commit(Commit(statuses={"edge-a": EdgeStatus(online=True, at_ms=6, made_frames=10)}, received_ms=20))
    records.commit(Commit(statuses={"edge-a": EdgeStatus(online=False)}, received_ms=30))
    (row,) = rows(engine, "edge_status")
    assert (row["online"], row["received_ms"], row["since_ms"]) == (False, 30, 30)
    assert decode(row["payload"].encode(), EdgeStatus).made_frames == 10
    records.commit(Commit(statuses={"edge-a": online}, received_ms=40))
    (row,) = rows(engine, "edge_status")
    assert (row["online"], row["since_ms"]) == (True, 40)
    assert decode(row["payload"].encode(), EdgeStatus).made_frames == 9


def test_online_since_stays_while_the_edge_repeats_itself(records: Records, engine: Engine) -> None:
    for at_ms in (10, 20, 30):
        records.commit(Commit(statuses={"edge-a": EdgeStatus(online=True)}, received_ms=at_ms))
    (row,) = rows(engine, "edge_status")
    assert (row["since_ms"], row["received_ms"]) == (10, 30)


def test_of_several_rows_of_one_alarm_the_last_wins(records: Records) -> None:
    cleared = alarm_row(state="cleared", cleared_ms=2_000, version=2, sequence=2)
    records.commit(everything(alarms=(alarm_row(), cleared), events=(event_row(1), event_row(2, kind="cleared"))))
    assert records.load().open_alarms == ()
    assert records.alarm("a" * 16) == cleared
    assert records.alarm("nothing") is None
    assert records.load().event_id == 2


def test_alarms_since_an_event_come_in_the_order_of_their_last_event(records: Records) -> None:
    alarms = [alarm_row(letter * 16, sequence=sequence) for letter, sequence in (("a", 3), ("b", 1), ("c", 2))]
    records.commit(everything(alarms=alarms))
    assert [row["sequence"] for row in records.alarms_since(0)] == [1, 2, 3]
    assert [row["alarm_id"] for row in records.alarms_since(1)] == ["c" * 16, "a" * 16]
    assert records.alarms_since(3) == []


def test_only_the_last_snapshot_is_kept(records: Records, engine: Engine) -> None:
    records.commit(everything())
    records.commit(Commit(snapshot=(7, b"newer")))
    records.commit(Commit(snapshot=(7, b"newest")))
    assert [(row["position"], row["payload"]) for row in rows(engine, "snapshot")] == [(7, b"newest")]


def test_trimming_takes_rows_up_to_a_position(records: Records) -> None:
    records.commit(Commit(log=[LogRow(position, Kind.TICK, 1) for position in range(1, 11)]))
    records.commit(Commit(log=[LogRow(11, Kind.TICK, 1)], trim_upto=4))
    assert [row.position for row in records.rows_after(0)] == list(range(5, 12))
    assert records.load().trimmed == 4


def test_the_position_goes_on_after_everything_was_trimmed(records: Records) -> None:
    records.commit(Commit(log=[LogRow(position, Kind.TICK, 1) for position in range(1, 11)], snapshot=(10, b"x")))
    records.commit(Commit(names={0: "A"}, trim_upto=10))
    stored = records.load()
    assert (stored.position, stored.trimmed) == (10, 10)


def test_rows_are_read_one_at_a_time(records: Records) -> None:
    """A start must not need memory for the whole log at once."""
    for position in range(1, 21):
        records.commit(Commit(log=[LogRow(position, Kind.SAMPLES, 1, 1, bytes(2_000_000))]))
    tracemalloc.start()
    try:
        assert sum(len(row.payload) for row in records.rows_after(0)) == 40_000_000
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


def test_a_commit_says_whether_there_is_anything_in_it() -> None:
    assert Commit().is_empty
    assert not everything().is_empty
    assert not Commit(statuses={"edge-a": EdgeStatus(online=True)}).is_empty


PLANT = mini_plant()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(payloads, max_size=8))
def test_whatever_arrives_can_be_committed(engine: Engine, several: list[bytes]) -> None:
    """A payload that made the commit fail would come again and again, for ever."""
    decoder = Decoder("mini", Rows(tuple(PLANT.tags), PLANT))
    records = Records(engine)
    intake = take_in(decoder.read([message(payload) for payload in several]), records.load().marks, 1)
    records.commit(
        Commit(
            marks=tuple(intake.marks.values()),
            counts=intake.counts,
            dead_letters=intake.dead_letters,
            statuses=intake.statuses,
        )
    )
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM mark"))
