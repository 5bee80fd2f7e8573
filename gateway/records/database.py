"""Opening the records database: connection rules, migrations, the clear word when it cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from config.settings import RecordsAddress
from gateway.errors import RecordsError
from gateway.records.postgresql import desk_engine, reader_engine, writer_engine

__all__ = ["DATABASE_FILE", "checkpoint", "migrate", "newest_revision", "open_desk", "open_reader", "open_writer"]

DATABASE_FILE = "records.sqlite"

_BUSY_MS = 5_000
_PAGE_BYTES = 16_384
"""Log rows are tens of kilobytes: larger pages make shorter overflow chains."""
_JOURNAL_LIMIT_BYTES = 1 << 30
"""A longer write-ahead log is cut when SQLite begins it anew, inside a commit, which takes a third of a second. Under
full load it reaches some 300 MB by itself; longer it grows only when something kept it from being checkpointed."""


def open_writer(data_dir: Path, address: RecordsAddress | None = None) -> Engine:
    """Open the database for the one thread that writes, make it if needed, bring it to the newest schema.

    Args:
        data_dir: Where the SQLite file lies.
        address: A PostgreSQL database instead.

    Raises:
        RecordsError: It cannot be opened or migrated.
    """
    engine = _engine(data_dir, writer=True) if address is None else writer_engine(address)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        migrate(engine)
    except (OSError, SQLAlchemyError, CommandError) as error:
        engine.dispose()
        later = "; a later release wrote it: start that release" if isinstance(error, CommandError) else ""
        where = data_dir / DATABASE_FILE if address is None else address.shown
        raise RecordsError(f"cannot open {where}: {error}{later}") from error
    except RecordsError:
        engine.dispose()
        raise
    return engine


def open_reader(data_dir: Path, address: RecordsAddress | None = None) -> Engine:
    """Open the database, which exists, for reading from any thread."""
    return _engine(data_dir, writer=False) if address is None else reader_engine(address)


def open_desk(data_dir: Path, address: RecordsAddress | None = None) -> Engine:
    """Open the database, which exists, for short transactions that write beside the pipeline, from any thread."""
    return _engine(data_dir, writer=True) if address is None else desk_engine(address)


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest revision."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def newest_revision() -> str:
    """Return the newest revision of the schema that this release knows."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return ScriptDirectory.from_config(config).get_current_head() or ""


def _engine(data_dir: Path, *, writer: bool) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(data_dir / DATABASE_FILE)),
        connect_args={"check_same_thread": False, "timeout": _BUSY_MS / 1000},
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own type
        connection.isolation_level = None  # the driver shall not begin transactions behind our back
        cursor = connection.cursor()
        if writer:
            cursor.execute(f"PRAGMA page_size={_PAGE_BYTES}")
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            # A checkpoint inside a commit would make alarms wait; gateway.records.keeper does it beside.
            cursor.execute("PRAGMA wal_autocheckpoint=0")
            cursor.execute(f"PRAGMA journal_size_limit={_JOURNAL_LIMIT_BYTES}")
        else:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:  # noqa: ANN401 - as above
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def checkpoint(engine: Engine) -> tuple[int, int]:
    """Move committed pages from the write-ahead log into the database without making the writer wait.

    Returns:
        Pages in the write-ahead log, and how many of them are in the database now.
    """
    connection = engine.raw_connection()  # a checkpoint cannot run inside the transaction that SQLAlchemy begins
    try:
        _, pages, moved = connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    finally:
        connection.close()
    return int(pages), int(moved)
