"""The one writer of the records database: everything a batch changes, in one transaction (design 6.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, delete, func, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from config.contract.alarms import LocalAlarm
from config.contract.messages import EdgeStatus, encode
from gateway.commands import Command, Order
from gateway.errors import RecordsError
from gateway.handling import ENDED, Stage
from gateway.ingest.acceptance import DeadLetter, Mark
from gateway.ledger import Count
from gateway.live import Health
from gateway.records import audit, schema
from gateway.records.dialects import Statements, meaning_of, storable
from gateway.records.log import Kind, LogRow

__all__ = ["Commit", "Records", "Stored"]

_COMMANDS = 100
_COMMANDS_KEPT_MS = 3_600_000
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
    health: Health | None = None
    """How the pipeline does, for other processes."""
    inhibitions: Sequence[Mapping[str, Any]] = ()
    """Rows of `schema.inhibition`, whole."""
    audit: list[audit.Entry] = field(default_factory=list)
    """What people asked for."""
    answers: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """What came of commands from other processes: id -> `gateway.records.desk.Answer` of each part."""
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
            or self.answers
            or self.inhibitions
            or self.audit
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
    """Active ones, and those that are over and wait for somebody."""
    unhandled: tuple[dict[str, Any], ...]
    """Alarms that are over, and whose clocks of handling still run."""
    inhibitions: tuple[dict[str, Any], ...]
    """Those in force."""
    snapshot: tuple[int, bytes] | None
    followers: dict[str, int]
    trimmed: int
    """Rows of the log up to here are gone."""


_UNHANDLED = select(schema.alarm).where(
    schema.alarm.c.stage.in_([stage for stage in Stage if stage not in ENDED]),
    schema.alarm.c.state == "cleared",
    schema.alarm.c.measure_due_ms.is_not(None),
    schema.alarm.c.measured_ms.is_(None),
)
_LOCAL_COLUMNS = tuple(column.name for column in schema.local_alarm.c if column.name not in {"edge", "received_ms"})
_COUNTS = tuple(Count)
_MARK_ROW = attrgetter(*(column.name for column in schema.mark.c))
_LOG_ROW = attrgetter(*(column.name for column in schema.log.c))


@contextmanager
def _explained(doing: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise meaning_of(error)(f"{doing}: {error.orig}") from error
    except SQLAlchemyError as error:
        raise RecordsError(f"{doing}: {error}") from error


class Records:
    """The records database, from the pipeline's side.

    Args:
        engine: From `gateway.records.database.open_writer`; used by one thread only.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._do = Statements(engine)

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
            unhandled = connection.execute(_UNHANDLED).mappings()
            inhibitions = connection.execute(
                select(schema.inhibition).where(schema.inhibition.c.ended_ms.is_(None))
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
                unhandled=tuple(dict(alarm) for alarm in unhandled),
                inhibitions=tuple(dict(one) for one in inhibitions),
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
        with (
            _explained("reading the log"),
            self._engine.begin() as connection,
            closing(connection.execution_options(stream_results=True, max_row_buffer=1).execute(statement)) as rows,
        ):
            for row in rows:
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

    def event_of(self, alarm_id: str, key: str) -> dict[str, Any] | None:
        """Return the event of an alarm that came from the command with this key, or None.

        Raises:
            RecordsError: The database cannot be read.
        """
        events = schema.alarm_event
        wanted = select(events).where(events.c.alarm_id == alarm_id, events.c.key == key)
        with _explained("reading an event"), self._engine.begin() as connection:
            row = connection.execute(wanted).mappings().first()
            return dict(row) if row else None

    def inhibition(self, name: str) -> dict[str, Any] | None:
        """Return an inhibition, in force or not, or None.

        Raises:
            RecordsError: The database cannot be read.
        """
        wanted = select(schema.inhibition).where(schema.inhibition.c.id == name)
        with _explained("reading an inhibition"), self._engine.begin() as connection:
            row = connection.execute(wanted).mappings().first()
            return dict(row) if row else None

    def asked(self) -> list[Order]:
        """Return what other processes ask for, oldest first.

        Raises:
            RecordsError: The database cannot be read.
        """
        waiting = select(schema.command).where(schema.command.c.outcome.is_(None)).order_by(schema.command.c.created_ms)
        with _explained("reading commands"), self._engine.begin() as connection:
            rows = connection.execute(waiting.limit(_COMMANDS)).all()
        return [Order(msgspec.json.decode(row.payload, type=Command), id=row.id) for row in rows]

    def commit(self, commit: Commit) -> None:
        """Make a turn of the pipeline durable, as a whole.

        Raises:
            RecordsBusyError: Somebody else holds the database; nothing was written, trying again may help.
            RecordsError: Nothing was written.
        """
        do = self._do
        with _explained("committing a batch"), self._engine.begin() as connection:
            if commit.names:
                connection.execute(do.insert_tag, [{"tag_id": row, "name": name} for row, name in commit.names.items()])
            if commit.log:
                do.insert_log(connection, [_LOG_ROW(row) for row in commit.log])
            if commit.marks:
                do.put_mark(connection, [_MARK_ROW(mark) for mark in commit.marks])
            if commit.counts:
                do.add_counts(connection, [_ledger_row(*one) for one in commit.counts.items()])
            self._set_aside(connection, commit)
            if commit.statuses:
                rows = [_status_row(edge, status, commit.received_ms) for edge, status in commit.statuses.items()]
                connection.execute(do.put_status, rows)
            if commit.local_alarms:
                rows = [_local_alarm_row(*one, commit.received_ms) for one in commit.local_alarms]
                connection.execute(do.put_local_alarm, rows)
            self._keep_alarms(connection, commit)
            self._keep_house(connection, commit)

    def _keep_alarms(self, connection: Connection, commit: Commit) -> None:
        if commit.alarms:
            connection.execute(self._do.put_alarm, list(commit.alarms))
        if commit.events:
            connection.execute(self._do.insert_event, list(commit.events))
        if commit.inhibitions:
            connection.execute(self._do.put_inhibition, list(commit.inhibitions))
        if commit.audit:
            audit.append(connection, commit.audit)

    def _set_aside(self, connection: Connection, commit: Commit) -> None:
        if not commit.dead_letters:
            return
        connection.execute(
            self._do.add_dead_letter, [_dead_letter_row(one, commit.received_ms) for one in commit.dead_letters]
        )
        newest = connection.scalar(select(func.max(schema.dead_letter.c.id))) or 0
        if newest > _DEAD_LETTERS_KEPT:
            connection.execute(delete(schema.dead_letter).where(schema.dead_letter.c.id <= newest - _DEAD_LETTERS_KEPT))

    def _keep_house(self, connection: Connection, commit: Commit) -> None:
        if commit.followers:
            rows = [{"name": name, "position": position} for name, position in commit.followers.items()]
            connection.execute(self._do.put_follower, rows)
        if commit.health is not None:
            row = {
                "name": "pipeline",
                "at_ms": commit.received_ms,
                "health": msgspec.json.encode(commit.health).decode(),
            }
            connection.execute(self._do.put_worker, row)
        if commit.answers:
            rows = [{"of": name, "said": msgspec.json.encode(said).decode()} for name, said in commit.answers.items()]
            connection.execute(self._do.answer, rows)
            connection.execute(self._do.drop_commands, {"before": commit.received_ms - _COMMANDS_KEPT_MS})
        if commit.snapshot is not None:
            position, payload = commit.snapshot
            row = {"position": position, "created_ms": commit.received_ms, "payload": payload}
            connection.execute(self._do.put_snapshot, row)
            connection.execute(self._do.drop_snapshots, {"upto": position})
        if commit.trim_upto is not None:
            connection.execute(self._do.trim_log, {"upto": commit.trim_upto})


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
        "topic": storable(one.topic[:1000]),
        "detail": storable(one.detail),
        "sha256": one.sha256,
        "bytes": one.size,
        "head": one.head,
        "samples": one.samples,
        "count": 1,
        "first_ms": received_ms,
        "last_ms": received_ms,
    }
