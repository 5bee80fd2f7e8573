"""The records on PostgreSQL: one writer, no wait without an end, and the server may do what it likes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from config.clock import SystemClock
from config.settings import RecordsAddress
from gateway import pipeline
from gateway.errors import RecordsError
from gateway.records import postgresql as module
from gateway.records.database import open_reader, open_writer
from gateway.records.dialects import storable
from gateway.records.log import Kind, LogRow
from gateway.records.postgresql import Guard
from gateway.records.writer import Commit, Records
from tests.support.frames import frame
from tests.support.gateway_rig import Edge, Rig, Step
from tests.support.plants import mini_plant
from tests.support.postgresql import PostgreSql

T0 = 1_763_770_000_000


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSql]:
    """A server to be stopped and killed."""
    with PostgreSql(tmp_path_factory.mktemp("own")) as started:
        yield started


def test_there_is_one_writer(tmp_path: Path, postgresql: PostgreSql) -> None:
    address = postgresql.fresh()
    first = open_writer(tmp_path, address)
    with pytest.raises(RecordsError, match="another gateway writes these records"):
        open_writer(tmp_path, address)
    first.dispose()
    open_writer(tmp_path, address).dispose()


def test_a_reader_cannot_write_and_sees_one_moment(tmp_path: Path, postgresql: PostgreSql) -> None:
    address = postgresql.fresh()
    writing, reading = open_writer(tmp_path, address), open_reader(tmp_path, address)
    with reading.begin() as connection:
        count = text("SELECT count(*) FROM log")
        assert connection.scalar(count) == 0
        Records(writing).commit(Commit(log=[LogRow(1, Kind.TICK, 1)]))
        assert connection.scalar(count) == 0
        with pytest.raises(DBAPIError, match="read-only"):
            connection.execute(text("DELETE FROM log"))
    writing.dispose()
    reading.dispose()


def test_a_wrong_address_says_which(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match=r"cannot open postgresql://127\.0\.0\.1:1/x"):
        open_writer(tmp_path, RecordsAddress.parse("postgresql://somebody:secret@127.0.0.1:1/x"))


@pytest.mark.parametrize("text_", ["postgresql://h", "mysql://h/db", "postgresql://h/db?sslmode=x", "nonsense"])
def test_an_address_that_makes_no_sense_is_refused(text_: str) -> None:
    with pytest.raises(ValueError, match="expected postgresql://"):
        RecordsAddress.parse(text_)
    assert RecordsAddress.parse("postgresql://u:p@h/db").shown == "postgresql://h:5432/db"


def test_texts_no_database_takes_are_escaped() -> None:
    assert storable("液位\x00\ud800 a") == "液位\\x00\\ud800 a"


@pytest.mark.parametrize("fault", ["terminated", "restarted", "killed"])
def test_whatever_the_server_does_nothing_is_lost_and_nothing_comes_twice(
    tmp_path: Path, own: PostgreSql, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(pipeline, "_RECOVER_WAIT_S", 0.01)
    address = own.fresh()
    rig = Rig(tmp_path, mini_plant(), records_address=address)
    frames = [frame(seq, ("T-1.TEMP", T0 + 1_000 * seq, 45.0 if seq % 10 == 5 else 20.0)) for seq in range(1, 61)]
    edge = Edge(frames)

    def send(rig: Rig) -> None:
        edge.send(rig.transport, 5)

    def trouble(_rig: Rig) -> None:
        if fault == "terminated":
            own.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{address.database}'")
        elif fault == "restarted":
            own.restart()
        else:
            own.kill()
            own.start()

    steps: list[Step] = [send, 0.5]
    rig.play(*steps * 4, trouble, *steps * 4, trouble, *steps * 12)
    assert edge.kept(rig.transport) == 60
    assert [time_ms for _, time_ms, *_ in rig.samples()] == [T0 + 1_000 * seq for seq in range(1, 61)]
    kinds = [kind for _, kind, _ in rig.events()]
    assert (kinds.count("raised"), kinds.count("cleared")) == (6, 6)
    assert rig.ledger()["samples_stored"] == 60
    rig.close()


def test_a_server_that_hangs_is_given_up(tmp_path: Path, own: PostgreSql, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_S", 0.5)
    monkeypatch.setattr(module, "_LOOK_EVERY_S", 0.05)
    engine = open_writer(tmp_path, own.fresh())
    records, guard, stop = Records(engine), Guard(engine, SystemClock()), threading.Event()
    watching = threading.Thread(target=guard.run, args=(stop,))
    watching.start()
    records.commit(Commit(log=[LogRow(1, Kind.TICK, 1)]))
    own.hang(on=True)
    began_s = time.monotonic()
    try:
        with pytest.raises(RecordsError):
            records.commit(Commit(log=[LogRow(2, Kind.TICK, 2)]))
        assert time.monotonic() - began_s < 5.0
    finally:
        own.hang(on=False)
        stop.set()
        watching.join()
        engine.dispose()
