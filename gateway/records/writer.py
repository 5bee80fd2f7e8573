"""The one writer of the records database: everything a batch changes, in one transaction (design 6.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Engine, Table, bindparam, delete, func, select
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from config.contract.alarms import LocalAlarm
from config.contract.messages import EdgeStatus, encode
from gateway.errors import RecordsBusyError, RecordsError, RecordsFullError
from gateway.ingest.acceptance import DeadLetter, Mark
from gateway.ledger import Count
from gateway.records import schema
from gateway.records.log import Kind, LogRow

__all__ = ["Commit", "Records", "Stored"]

_DEAD_LETTERS_KEPT = 20_000
"""Rows of the dead-letter table; the ledger goes on counting what older rows told."""


@dataclass(slots=True)
class Commit:
    """Everything one turn of the pipeline changes; all of it becomes durable, or none."""

    log: list[LogRow] = field(default_factory=list)
    marks: Sequence[Mark] = ()
    counts: Mapping[str, Counter[Count]] = field(default_factory=dict)
    dead_letters: Sequence[DeadLetter] = ()
    statuses: Mapping[str, EdgeStatus] = field(default_factory=dict)
    local_alarms: Sequence[tuple[str, LocalAlarm]] = ()
    """(edge, what it has noticed by itself)."""
    received_ms: int = 0
    alarms: Sequence[Mapping[str, Any]] = ()
    """Rows of `schema.alarm`, whole; a later one of the same alarm wins."""
    events: Sequence[Mapping[str, Any]] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    """New tags: row -> name."""
    followers: dict[str, int] = field(default_factory=dict)
    snapshot: tuple[int, bytes] | None = None
    """(log position it includes, payload)."""
    trim_upto: int | None = None
    """Log rows up to here are no longer needed by anybody."""

    @property
    def is_empty(self) -> bool:
        """Nothing is to be written."""
        return not (
            self.log
            or self.marks
            or self.counts
            or self.dead_letters
            or self.statuses
            or self.local_alarms
            or self.alarms
            or self.names
            or self.snapshot
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """What a starting pipeline finds."""

    names: tuple[str, ...]
    marks: dict[tuple[str, str], Mark]
    position: int
    """Last row of the log; 0 when there never was one."""
    event_id: int
    open_alarms: tuple[dict[str, Any], ...]
    """Active and latched ones."""
    snapshot: tuple[int, bytes] | None
    followers: dict[str, int]
    trimmed: int
    """Rows of the log up to here are gone."""


def _upsert(table: Any, keys: tuple[str, ...]) -> Any:  # noqa: ANN401 - SQLAlchemy's own types
    statement = insert(table)
    changed = {column.name: statement.excluded[column.name] for column in table.c if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


def _add_counts() -> Any:  # noqa: ANN401 - SQLAlchemy's own types
    statement = insert(schema.ledger)
    added = {count.value: schema.ledger.c[count.value] + statement.excluded[count.value] for count in Count}
    return statement.on_conflict_do_update(index_elements=("edge",), set_=added)


def _add_dead_letter() -> Any:  # noqa: ANN401 - SQLAlchemy's own types
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


def _put_status() -> Any:  # noqa: ANN401 - SQLAlchemy's own types
    """An offline status (a will) keeps what the edge last said of itself."""
    statement = insert(schema.edge_status)
    old, new = schema.edge_status.c, statement.excluded
    return statement.on_conflict_do_update(
        index_elements=("edge",),
        set_={
            "received_ms": new.received_ms,
            "since_ms": func.iif(old.online == new.online, old.since_ms, new.since_ms),
            "online": new.online,
            "payload": func.iif(new.online, new.payload, old.payload),
        },
    )


_INSERT_LOG = insert(schema.log)
_PUT_MARK = _upsert(schema.mark, ("edge", "epoch"))
_ADD_COUNTS = _add_counts()
_ADD_DEAD_LETTER = _add_dead_letter()
_PUT_STATUS = _put_status()
_PUT_ALARM = _upsert(schema.alarm, ("alarm_id",))
_PUT_LOCAL_ALARM = _upsert(schema.local_alarm, ("edge", "alarm_id"))
_INSERT_EVENT = insert(schema.alarm_event)
_INSERT_TAG = insert(schema.tag)
_PUT_FOLLOWER = _upsert(schema.follower, ("name",))
_INSERT_SNAPSHOT = _upsert(schema.snapshot, ("position",))
_DROP_SNAPSHOTS = delete(schema.snapshot).where(schema.snapshot.c.position < bindparam("upto"))
_TRIM_LOG = delete(schema.log).where(schema.log.c.position <= bindparam("upto"))
_LOCAL_COLUMNS = tuple(column.name for column in schema.local_alarm.c if column.name not in {"edge", "received_ms"})
_COUNTS = tuple(Count)
_MARK_ROW = attrgetter(*(column.name for column in schema.mark.c))
_LOG_ROW = attrgetter(*(column.name for column in schema.log.c))


def _compiled(statement: Insert, table: Table, engine: Engine) -> str:
    """Return the SQL of an insert that takes all columns of its table, in their order."""
    columns = [column.name for column in table.c]
    compiled = statement.compile(dialect=engine.dialect, column_keys=columns)
    if compiled.positiontup != columns:
        raise RecordsError(f"{table.name}: the database driver takes {compiled.positiontup}, not {columns}")
    return str(compiled)


@contextmanager
def _explained(doing: str) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if "locked" in str(error.orig) or "busy" in str(error.orig):
            raise RecordsBusyError(f"{doing}: {error.orig}") from error
        if "is full" in str(error.orig):
            raise RecordsFullError(f"{doing}: {error.orig}") from error
        raise RecordsError(f"{doing}: {error.orig}") from error
    except DBAPIError as error:
        raise RecordsError(f"{doing}: {error.orig}") from error
    except SQLAlchemyError as error:
        raise RecordsError(f"{doing}: {error}") from error


class Records:
    """The records database, from the pipeline's side.

    Args:
        engine: From `gateway.records.database.open_writer`; used by one thread only.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Written in every turn, for every edge: compiled once, to be run with plain tuples in the order of the columns.
        self._insert_log = _compiled(_INSERT_LOG, schema.log, engine)
        self._put_mark = _compiled(_PUT_MARK, schema.mark, engine)
        self._add_counts = _compiled(_ADD_COUNTS, schema.ledger, engine)

    def load(self) -> Stored:
        """Read everything a pipeline needs to go on.

        Raises:
            RecordsError: The database cannot be read.
        """
        with _explained("reading the records"), self._engine.begin() as connection:
            tags = connection.execute(select(schema.tag).order_by(schema.tag.c.tag_id)).all()
            marks = connection.execute(select(schema.mark)).mappings().all()
            followers = connection.execute(select(schema.follower)).all()
            snapshot = connection.execute(
                select(schema.snapshot.c.position, schema.snapshot.c.payload)
                .order_by(schema.snapshot.c.position.desc())
                .limit(1)
            ).one_or_none()
            open_alarms = connection.execute(
                select(schema.alarm)
                .where(schema.alarm.c.state.in_(schema.OPEN_STATES))
                .order_by(schema.alarm.c.sequence)
            ).mappings()
            first, last = connection.execute(
                select(func.min(schema.log.c.position), func.max(schema.log.c.position))
            ).one()
            position = max(last or 0, snapshot[0] if snapshot else 0)
            return Stored(
                names=tuple(name for _, name in tags),
                marks={(mark["edge"], mark["epoch"]): Mark(**mark) for mark in marks},
                position=position,
                event_id=connection.scalar(select(func.max(schema.alarm_event.c.event_id))) or 0,
                open_alarms=tuple(dict(alarm) for alarm in open_alarms),
                snapshot=(snapshot[0], snapshot[1]) if snapshot else None,
                followers={row.name: row.position for row in followers},
                trimmed=position if first is None else first - 1,
            )

    def rows_after(self, position: int) -> Iterator[LogRow]:
        """Yield log rows after ``position``, oldest first, one at a time: a row may be tens of megabytes.

        Raises:
            RecordsError: The database cannot be read.
        """
        statement = select(schema.log).where(schema.log.c.position > position).order_by(schema.log.c.position)
        with _explained("reading the log"), self._engine.begin() as connection:
            for row in connection.execute(statement):
                yield LogRow(row.position, Kind(row.kind), row.received_ms, row.samples, row.payload)

    def alarms_since(self, sequence: int) -> list[dict[str, Any]]:
        """Return alarms whose last event is later than ``sequence``, in the order of those events.

        Raises:
            RecordsError: The database cannot be read.
        """
        with _explained("reading alarms"), self._engine.begin() as connection:
            rows = connection.execute(
                select(schema.alarm).where(schema.alarm.c.sequence > sequence).order_by(schema.alarm.c.sequence)
            ).mappings()
            return [dict(row) for row in rows]

    def alarm(self, alarm_id: str) -> dict[str, Any] | None:
        """Return one alarm, or None.

        Raises:
            RecordsError: The database cannot be read.
        """
        with _explained("reading an alarm"), self._engine.begin() as connection:
            row = connection.execute(select(schema.alarm).where(schema.alarm.c.alarm_id == alarm_id)).mappings().first()
            return dict(row) if row else None

    def event(self, alarm_id: str, version: int) -> dict[str, Any] | None:
        """Return the event that gave an alarm this version, or None.

        Raises:
            RecordsError: The database cannot be read.
        """
        events = schema.alarm_event
        wanted = select(events).where(events.c.alarm_id == alarm_id, events.c.version == version)
        with _explained("reading an event"), self._engine.begin() as connection:
            row = connection.execute(wanted).mappings().first()
            return dict(row) if row else None

    def commit(self, commit: Commit) -> None:
        """Make a turn of the pipeline durable, as a whole.

        Raises:
            RecordsBusyError: Somebody else holds the database; nothing was written, trying again may help.
            RecordsError: Nothing was written.
        """
        with _explained("committing a batch"), self._engine.begin() as connection:
            if commit.names:
                connection.execute(_INSERT_TAG, [{"tag_id": row, "name": name} for row, name in commit.names.items()])
            if commit.log:
                connection.exec_driver_sql(self._insert_log, [_LOG_ROW(row) for row in commit.log])
            if commit.marks:
                connection.exec_driver_sql(self._put_mark, [_MARK_ROW(mark) for mark in commit.marks])
            if commit.counts:
                connection.exec_driver_sql(self._add_counts, [_ledger_row(*one) for one in commit.counts.items()])
            self._set_aside(connection, commit)
            if commit.statuses:
                rows = [_status_row(edge, status, commit.received_ms) for edge, status in commit.statuses.items()]
                connection.execute(_PUT_STATUS, rows)
            if commit.local_alarms:
                rows = [_local_alarm_row(*one, commit.received_ms) for one in commit.local_alarms]
                connection.execute(_PUT_LOCAL_ALARM, rows)
            if commit.alarms:
                connection.execute(_PUT_ALARM, list(commit.alarms))
            if commit.events:
                connection.execute(_INSERT_EVENT, list(commit.events))
            self._keep_house(connection, commit)

    @staticmethod
    def _set_aside(connection: Connection, commit: Commit) -> None:
        if not commit.dead_letters:
            return
        connection.execute(_ADD_DEAD_LETTER, [_dead_letter_row(one, commit.received_ms) for one in commit.dead_letters])
        newest = connection.scalar(select(func.max(schema.dead_letter.c.id))) or 0
        if newest > _DEAD_LETTERS_KEPT:
            connection.execute(delete(schema.dead_letter).where(schema.dead_letter.c.id <= newest - _DEAD_LETTERS_KEPT))

    @staticmethod
    def _keep_house(connection: Connection, commit: Commit) -> None:
        if commit.followers:
            rows = [{"name": name, "position": position} for name, position in commit.followers.items()]
            connection.execute(_PUT_FOLLOWER, rows)
        if commit.snapshot is not None:
            position, payload = commit.snapshot
            row = {"position": position, "created_ms": commit.received_ms, "payload": payload}
            connection.execute(_INSERT_SNAPSHOT, row)
            connection.execute(_DROP_SNAPSHOTS, {"upto": position})
        if commit.trim_upto is not None:
            connection.execute(_TRIM_LOG, {"upto": commit.trim_upto})


def _ledger_row(edge: str, counts: Counter[Count]) -> tuple[str | int, ...]:
    return (edge, *(counts.get(count, 0) for count in _COUNTS))


def _status_row(edge: str, status: EdgeStatus, received_ms: int) -> dict[str, Any]:
    return {
        "edge": edge,
        "received_ms": received_ms,
        "online": status.online,
        "since_ms": received_ms,
        "payload": encode(status).decode(),
    }


def _local_alarm_row(edge: str, alarm: LocalAlarm, received_ms: int) -> dict[str, Any]:
    return {"edge": edge, "received_ms": received_ms, **{name: getattr(alarm, name) for name in _LOCAL_COLUMNS}}


def _dead_letter_row(one: DeadLetter, received_ms: int) -> dict[str, Any]:
    return {
        "reason": one.reason,
        "site": one.site,
        "edge": one.edge,
        "topic": one.topic[:1000],
        "detail": one.detail,
        "sha256": one.sha256,
        "bytes": one.size,
        "head": one.head,
        "samples": one.samples,
        "count": 1,
        "first_ms": received_ms,
        "last_ms": received_ms,
    }
