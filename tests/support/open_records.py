"""Records for tests that are not about opening them."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, create_engine

from config.settings import RecordsAddress
from gateway.records import monthly, schema
from gateway.records.database import DATABASE_FILE, open_reader, open_writer

__all__ = ["open_both"]


def open_both(folder: Path, address: RecordsAddress | None) -> tuple[Engine, Engine]:
    """Return a writer and a reader of empty records. On SQLite the tables are made without migrations: much sooner."""
    if address is not None:
        return open_writer(folder, address), open_reader(folder, address)
    writer = create_engine(f"sqlite:///{folder / DATABASE_FILE}")
    with writer.begin() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
    assert monthly.kpi_month.name in schema.metadata.tables
    schema.metadata.create_all(writer)
    return writer, open_reader(folder)
