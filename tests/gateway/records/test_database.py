"""Opening the records: migrations, connection rules, the clear word when they cannot be used."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError

from config.settings import RecordsAddress
from gateway.errors import RecordsError
from gateway.records import database, keeper
from gateway.records.database import DATABASE_FILE, checkpoint, migrate, open_reader, open_writer
from gateway.records.keeper import keep_short
from gateway.records.schema import metadata
from gateway.records.writer import Records
from tests.support.postgresql import PostgreSql
from tests.support.rows import HANDLING_COLUMNS, alarm_row, event_row
from tests.support.waiting import eventually

MEASURED = {"measure", "measure_low", "measure_high"}
ADDED = {
    "base_tier",
    "latch",
    "alarmed_ms",
    "acknowledged_ms",
    "acknowledged_by",
    "rise",
    "detail",
    "retrospective",
    "key",
    *HANDLING_COLUMNS,
    *MEASURED,
}
"""Columns the first release did not have."""


@contextmanager
def writer(data_dir: Path) -> Iterator[Engine]:
    engine = open_writer(data_dir)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def reader(data_dir: Path) -> Iterator[Engine]:
    engine = open_reader(data_dir)
    try:
        yield engine
    finally:
        engine.dispose()


def pragma(engine: Engine, name: str) -> object:
    with engine.begin() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def put(engine: Engine, name: str, position: int) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO follower VALUES (:name, :position)"), {"name": name, "position": position})


def names(engine: Engine) -> list[str]:
    with engine.begin() as connection:
        return list(connection.scalars(text("SELECT name FROM follower ORDER BY name")))


def test_a_new_database_has_exactly_the_schema(tmp_path: Path) -> None:
    with writer(tmp_path / "not" / "yet" / "there") as engine, engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    assert differences == []


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    with writer(tmp_path) as engine:
        put(engine, "a", 1)
    with writer(tmp_path) as engine:
        migrate(engine)
        assert names(engine) == ["a"]


def test_the_migrations_go_down_to_nothing_and_up_again(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).with_name("migrations")))
    with writer(tmp_path) as engine:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "base")
        assert inspect(engine).get_table_names() == ["alembic_version"]
        migrate(engine)
        assert set(inspect(engine).get_table_names()) == {"alembic_version", *metadata.tables}


def test_the_writer_is_durable_and_never_checkpoints_inside_a_commit(tmp_path: Path) -> None:
    with writer(tmp_path) as engine:
        assert pragma(engine, "journal_mode") == "wal"
        assert pragma(engine, "synchronous") == 2
        assert pragma(engine, "wal_autocheckpoint") == 0
        assert pragma(engine, "page_size") == 16_384


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    with writer(tmp_path), reader(tmp_path) as reading, pytest.raises(OperationalError, match="readonly"):
        put(reading, "a", 1)


def test_a_reader_sees_what_was_committed_and_never_half_of_it(tmp_path: Path) -> None:
    with writer(tmp_path) as writing, reader(tmp_path) as reading:
        with writing.begin() as connection:
            connection.execute(text("INSERT INTO follower VALUES ('a', 1)"))
            assert names(reading) == []
        assert names(reading) == ["a"]


def test_a_reader_never_makes_the_writer_wait(tmp_path: Path) -> None:
    with writer(tmp_path) as writing, reader(tmp_path) as reading, reading.begin() as connection:
        connection.execute(text("SELECT * FROM follower")).all()
        put(writing, "a", 1)
        assert connection.execute(text("SELECT * FROM follower")).all() == []


def test_an_error_in_a_transaction_undoes_all_of_it(tmp_path: Path) -> None:
    with writer(tmp_path) as engine:

        def put_twice() -> None:
            with engine.begin() as connection:
                connection.execute(text("INSERT INTO follower VALUES ('a', 1)"))
                connection.execute(text("INSERT INTO follower VALUES ('a', 2)"))

        with pytest.raises(DBAPIError):
            put_twice()
        assert names(engine) == []


@pytest.mark.parametrize("folder", ["plain", "with space", "100%41", "what?x=1", "a#b", "液位"])
def test_any_name_of_a_data_directory_will_do(tmp_path: Path, folder: str) -> None:
    with writer(tmp_path / folder) as engine, reader(tmp_path / folder) as reading:
        put(engine, "a", 1)
        assert names(reading) == ["a"]
    assert (tmp_path / folder / DATABASE_FILE).exists()


def test_a_file_that_is_no_database_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / DATABASE_FILE).write_bytes(b"this is no database at all" * 1000)
    with pytest.raises(RecordsError, match=r"records\.sqlite.*not a database"):
        open_writer(tmp_path)


def test_a_data_directory_that_is_a_file_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RecordsError, match="cannot open"):
        open_writer(tmp_path / "file")


def test_a_database_of_a_later_release_is_refused(tmp_path: Path) -> None:
    with writer(tmp_path) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RecordsError, match="9999"):
        open_writer(tmp_path)


def test_a_checkpoint_moves_everything_while_the_writer_goes_on(tmp_path: Path) -> None:
    with writer(tmp_path) as writing, reader(tmp_path) as reading:
        for number in range(50):
            put(writing, f"{number:03}", number)
        pages, moved = checkpoint(reading)
        assert pages == moved > 50
        put(writing, "later", 1)
        assert len(names(reading)) == 51


def test_the_keeper_moves_what_was_written_and_the_write_ahead_log_is_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[int, int]] = []

    def noted(engine: Engine) -> tuple[int, int]:
        done.append(checkpoint(engine))
        return done[-1]

    def is_moved(before: int) -> bool:
        # The first one to end may have begun before the write; of the later ones each sees all of it.
        return any(pages == moved for pages, moved in done[before + 1 :])

    monkeypatch.setattr(keeper, "_EVERY_S", 0.01)
    monkeypatch.setattr(keeper, "checkpoint", noted)
    stop = threading.Event()
    with writer(tmp_path) as writing, reader(tmp_path) as reading:
        migrated = (tmp_path / f"{DATABASE_FILE}-wal").stat().st_size  # it grows with every table there is
        thread = threading.Thread(target=keep_short, args=(reading, stop))
        thread.start()
        try:
            for megabytes in range(1, 7):
                with writing.begin() as connection:
                    connection.execute(
                        text("INSERT INTO snapshot VALUES (:position, 0, zeroblob(1000000))"), {"position": megabytes}
                    )
                eventually(partial(is_moved, len(done)))
        finally:
            stop.set()
            thread.join()
        assert (tmp_path / DATABASE_FILE).stat().st_size > 6_000_000
        assert (tmp_path / f"{DATABASE_FILE}-wal").stat().st_size < migrated + 2_500_000


def test_a_checkpoint_that_fails_does_not_end_the_keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_EVERY_S", 0.01)
    calls = []

    def failing(_engine: Engine) -> tuple[int, int]:
        calls.append(1)
        raise sqlite3.OperationalError("disk I/O error")  # the driver's own: a checkpoint goes past SQLAlchemy

    monkeypatch.setattr(keeper, "checkpoint", failing)
    stop = threading.Event()
    with writer(tmp_path), reader(tmp_path) as reading:
        thread = threading.Thread(target=keep_short, args=(reading, stop))
        thread.start()
        eventually(lambda: len(calls) > 2)
        stop.set()
        thread.join()


def test_a_crash_before_any_checkpoint_loses_nothing(tmp_path: Path) -> None:
    """What a killed process leaves behind: a database file and a write-ahead log, copied here while it is open."""
    with writer(tmp_path / "live") as engine:
        put(engine, "a", 1)
        copy = tmp_path / "copy"
        copy.mkdir()
        for file in (tmp_path / "live").iterdir():
            if not file.name.endswith("-shm"):
                (copy / file.name).write_bytes(file.read_bytes())
    with closing(sqlite3.connect(copy / DATABASE_FILE)) as raw:
        assert raw.execute("SELECT name FROM follower").fetchall() == [("a",)]


@contextmanager
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the last step of the newest migration fail."""
    with monkeypatch.context() as patch:

        def fail(*_: object, **__: object) -> None:
            message = "killed in the middle"
            raise RuntimeError(message)

        patch.setattr("alembic.op.create_index", fail)
        with pytest.raises(RuntimeError, match="in the middle"):
            yield


def test_a_migration_that_is_interrupted_leaves_what_was(
    tmp_path: Path, records_address: RecordsAddress | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).with_name("migrations")))
    engine = open_writer(tmp_path, records_address)
    put(engine, "a", 1)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
    before = set(inspect(engine).get_table_names())
    with broken(monkeypatch):
        migrate(engine)
    assert set(inspect(engine).get_table_names()) == before
    migrate(engine)
    assert set(inspect(engine).get_table_names()) == {"alembic_version", *metadata.tables}
    assert names(engine) == ["a"]
    engine.dispose()


def test_a_new_postgresql_database_has_exactly_the_schema_and_goes_down_to_nothing(
    tmp_path: Path, postgresql: PostgreSql
) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).with_name("migrations")))
    engine = open_writer(tmp_path, postgresql.empty())
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    changes = [one for group in found for one in (group if isinstance(group, list) else [group])]
    assert [one for one in changes if "comment" not in one[0]] == [], "comments of columns may be newer"
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()


def test_a_database_of_the_first_release_keeps_its_alarms(tmp_path: Path) -> None:
    """An older data directory: its open alarms go on, in their tier, acknowledged by nobody."""
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).with_name("migrations")))
    row = {name: value for name, value in alarm_row(tier=3).items() if name not in ADDED}
    event = {name: value for name, value in event_row().items() if name not in ADDED}
    with writer(tmp_path) as engine, engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        for table, old in (("alarm", row), ("alarm_event", event)):
            columns = ", ".join(f'"{name}"' for name in old)
            values = ", ".join(f":{name}" for name in old)
            connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({values})"), old)
    with writer(tmp_path) as engine:
        (kept,) = Records(engine).load().open_alarms
        happened = Records(engine).event(row["alarm_id"], 1)
    assert kept == alarm_row(tier=3, base_tier=3, alarmed_ms=1_100)
    assert happened == event_row()
