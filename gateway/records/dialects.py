"""What differs between the databases the records may live in: upserts, bulk inserts, errors, texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table, bindparam, case, delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from gateway.errors import RecordsBusyError, RecordsError, RecordsFullError
from gateway.ledger import Count
from gateway.records import schema

__all__ = ["Statements", "meaning_of", "storable"]

_Insert = Callable[[Any], Any]
_INSERTS: dict[str, _Insert] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

_AGAIN = {"40001", "40P01", "55P03"}
"""PostgreSQL: serialization failure, deadlock, lock not available."""
_FULL = {"53100"}


class Statements:
    """Every statement of the writer, for one database.

    Args:
        engine: Of the writer.
    """

    def __init__(self, engine: Engine) -> None:
        insert = _INSERTS[engine.dialect.name]
        # Written in every turn, for every edge: compiled once, to be run with plain tuples in the order of the columns.
        self.insert_log = _Bulk(insert(schema.log), schema.log, engine)
        self.put_mark = _Bulk(_upsert(insert, schema.mark, ("edge", "epoch")), schema.mark, engine)
        self.add_counts = _Bulk(_add_counts(insert), schema.ledger, engine)
        self.add_dead_letter = _add_dead_letter(insert)
        self.put_status = _put_status(insert)
        self.put_local_alarm = _upsert(insert, schema.local_alarm, ("edge", "alarm_id"))
        self.put_alarm = _upsert(insert, schema.alarm, ("alarm_id",))
        self.put_inhibition = _upsert(insert, schema.inhibition, ("id",))
        self.put_worker = _upsert(insert, schema.worker, ("name",))
        self.answer = (
            update(schema.command).where(schema.command.c.id == bindparam("of")).values(outcome=bindparam("said"))
        )
        self.drop_commands = delete(schema.command).where(schema.command.c.created_ms < bindparam("before"))
        self.insert_event = insert(schema.alarm_event)
        self.insert_tag = insert(schema.tag)
        self.put_follower = _upsert(insert, schema.follower, ("name",))
        self.put_snapshot = _upsert(insert, schema.snapshot, ("position",))
        self.drop_snapshots = delete(schema.snapshot).where(schema.snapshot.c.position < bindparam("upto"))
        self.trim_log = delete(schema.log).where(schema.log.c.position <= bindparam("upto"))


class _Bulk:
    """An insert of whole rows, given as tuples in the order of the columns."""

    def __init__(self, statement: Any, table: Table, engine: Engine) -> None:  # noqa: ANN401 - SQLAlchemy's own types
        self._statement = statement
        self._columns = [column.name for column in table.c]
        self._sql = ""
        if engine.dialect.positional:
            compiled = statement.compile(dialect=engine.dialect, column_keys=self._columns)
            if compiled.positiontup != self._columns:
                raise RecordsError(f"{table.name}: the driver takes {compiled.positiontup}, not {self._columns}")
            self._sql = str(compiled)

    def __call__(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run it."""
        if self._sql:
            connection.exec_driver_sql(self._sql, list(rows))
        else:
            connection.execute(self._statement, [dict(zip(self._columns, row, strict=True)) for row in rows])


def meaning_of(error: DBAPIError) -> type[RecordsError]:
    """Return the error of ours that a driver's error stands for."""
    said, code = str(error.orig), getattr(error.orig, "sqlstate", None)
    if code in _AGAIN or "database is locked" in said or "database table is locked" in said or "is busy" in said:
        return RecordsBusyError
    return RecordsFullError if code in _FULL or "disk is full" in said else RecordsError


def storable(text: str) -> str:
    """Return a text as every database takes it: no NUL, no half of a surrogate pair; those are written as escapes."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


def _upsert(insert: _Insert, table: Any, keys: tuple[str, ...]) -> Any:  # noqa: ANN401 - SQLAlchemy's own types
    statement = insert(table)
    changed = {column.name: statement.excluded[column.name] for column in table.c if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


def _add_counts(insert: _Insert) -> Any:  # noqa: ANN401 - SQLAlchemy's own types
    statement = insert(schema.ledger)
    added = {count.value: schema.ledger.c[count.value] + statement.excluded[count.value] for count in Count}
    return statement.on_conflict_do_update(index_elements=("edge",), set_=added)


def _add_dead_letter(insert: _Insert) -> Any:  # noqa: ANN401 - SQLAlchemy's own types
    statement = insert(schema.dead_letter)
    columns, new = schema.dead_letter.c, statement.excluded
    return statement.on_conflict_do_update(
        index_elements=("reason", "topic", "sha256"),
        set_={
            "count": columns["count"] + new["count"],
            "samples": columns.samples + new.samples,
            "last_ms": new.last_ms,
            "detail": new.detail,
        },
    )


def _put_status(insert: _Insert) -> Any:  # noqa: ANN401 - SQLAlchemy's own types
    """An offline status (a will) keeps what the edge last said of itself."""
    statement = insert(schema.edge_status)
    old, new = schema.edge_status.c, statement.excluded
    return statement.on_conflict_do_update(
        index_elements=("edge",),
        set_={
            "received_ms": new.received_ms,
            "since_ms": case((old.online == new.online, old.since_ms), else_=new.since_ms),
            "online": new.online,
            "payload": case((new.online, new.payload), else_=old.payload),
        },
    )
