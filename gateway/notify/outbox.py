"""What is to be told, kept in the records: in one transaction with how far the alarm events have been followed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from gateway.notify.ladder import Progress
from gateway.notify.letters import Letter, letter_of
from gateway.notify.port import Delivery, Kind
from gateway.notify.roster import Swap
from gateway.notify.sender import Result
from gateway.records.dialects import meaning_of, storable
from gateway.records.duty_tables import escalation, notification, notification_alarm, roster_swap
from gateway.records.queries import Row
from gateway.records.schema import OPEN_STATES, alarm, alarm_event, follower

__all__ = ["Batch", "Kept", "Outbox", "Standing"]

_NAME = "notify"
_TESTS = 100
"""Self tests looked back at: more than a site has channels."""
_AT_ONCE = 500
"""Values bound in one statement."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an alarm has come on a ladder, and who was told."""

    progress: Progress
    told: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """Channel, role, people."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What an earlier process left."""

    event_id: int
    alarms: tuple[Row, ...]
    """Open ones, and those that are still on a ladder."""
    standings: Mapping[tuple[str, str], Standing]
    """(ladder, alarm) -> how far."""
    letters: tuple[Letter, ...]
    """Still to be sent."""
    tests: Mapping[str, tuple[Delivery, int]]
    """Channel -> how far its last self test has come, and until when it had time."""


@dataclass(slots=True)
class Batch:
    """What changes in one transaction."""

    event_id: int
    standings: dict[tuple[str, str], Standing | None] = field(default_factory=dict)
    """None: it is on that ladder no more."""
    letters: list[Letter] = field(default_factory=list)
    results: Sequence[Result] = ()


class Outbox:
    """The notifier's side of the records. One thread uses it.

    Every method raises `RecordsBusyError` when the database is locked and `RecordsError` when it cannot be used.

    Args:
        engine: May write, takes no lock for longer than a transaction.
        reader: Cannot write, and takes none.
    """

    def __init__(self, engine: Engine, reader: Engine) -> None:
        self._engine = engine
        self._reader = reader
        self._kept_event_id = -1

    def load(self) -> Kept:
        """Return what there is; where nothing was ever followed, the events begin now."""
        with _transaction(self._reader) as connection:
            position = connection.scalar(select(follower.c.position).where(follower.c.name == _NAME))
            if position is None:
                newest = select(alarm_event.c.event_id).order_by(alarm_event.c.event_id.desc()).limit(1)
                position = connection.scalar(newest) or 0
            standings = {
                (row["ladder"], row["alarm_id"]): _standing(dict(row))
                for row in connection.execute(select(escalation)).mappings()
            }
            rows = {
                row["alarm_id"]: dict(row)
                for row in connection.execute(select(alarm).where(alarm.c.state.in_(OPEN_STATES))).mappings()
            }
            missing = sorted({alarm_id for _, alarm_id in standings} - rows.keys())
            for some in _portions(missing):
                found = connection.execute(select(alarm).where(alarm.c.alarm_id.in_(some))).mappings()
                rows |= {row["alarm_id"]: dict(row) for row in found}
            return Kept(position, tuple(rows.values()), standings, tuple(_queued(connection)), _tests(connection))

    def commit(self, batch: Batch) -> list[Letter]:
        """Keep a batch; returns those of its letters that are new. A key that is known is not told again."""
        with _transaction(self._engine) as connection:
            fresh = self._add(connection, batch.letters)
            _put_standings(connection, batch.standings)
            if batch.results:
                connection.execute(_MARK, [_marked(result) for result in batch.results])
            if batch.event_id != self._kept_event_id:
                moved = connection.execute(
                    update(follower).where(follower.c.name == _NAME).values(position=batch.event_id)
                )
                if not moved.rowcount:
                    connection.execute(insert(follower), {"name": _NAME, "position": batch.event_id})
        self._kept_event_id = batch.event_id
        return fresh

    def swaps(self, now_ms: int) -> list[Swap]:
        """Return the swaps that hold now or later, the oldest first."""
        wanted = select(roster_swap).where(roster_swap.c.ended_ms.is_(None), roster_swap.c.end_ms > now_ms)
        with _transaction(self._reader) as connection:
            rows = connection.execute(wanted.order_by(roster_swap.c.created_ms, roster_swap.c.id)).mappings().all()
        return [Swap(*(row[name] for name in Swap.__dataclass_fields__)) for row in rows]

    def trim(self, before_ms: int) -> int:
        """Let go of notifications made earlier, but for those still to be sent; returns how many."""
        old = notification.c.created_ms < before_ms, notification.c.state != Delivery.QUEUED.value
        with _transaction(self._engine) as connection:
            keys = select(notification.c.key).where(*old)
            connection.execute(delete(notification_alarm).where(notification_alarm.c.key.in_(keys)))
            return int(connection.execute(delete(notification).where(*old)).rowcount)

    @staticmethod
    def _add(connection: Connection, letters: Sequence[Letter]) -> list[Letter]:
        known: set[str] = set()
        for some in _portions([letter.key for letter in letters]):
            known |= set(connection.scalars(select(notification.c.key).where(notification.c.key.in_(some))))
        fresh = {letter.key: letter for letter in letters if letter.key not in known}
        if fresh:
            connection.execute(insert(notification), [letter.row() for letter in fresh.values()])
            links = [{"alarm_id": one, "key": letter.key} for letter in fresh.values() for one in letter.alarm_ids]
            if links:
                connection.execute(insert(notification_alarm), links)
        return list(fresh.values())


@contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    """Open a transaction whose errors are ours."""
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise meaning_of(error)(f"keeping the notifications: {error.orig}") from error


_MARK = (
    update(notification)
    .where(notification.c.key == bindparam("of"))
    .values(
        state=bindparam("now_state"),
        tries=bindparam("now_tries"),
        next_try_ms=bindparam("then_ms"),
        error=bindparam("said"),
        reference=bindparam("named"),
        sent_ms=bindparam("at_ms"),
    )
)


def _marked(result: Result) -> dict[str, Any]:
    told = result.state not in (Delivery.QUEUED, Delivery.FAILED)
    return {
        "of": result.letter.key,
        "now_state": result.state.value,
        "now_tries": result.tries,
        "then_ms": result.next_try_ms,
        "said": storable(result.error)[:2_000],
        "named": storable(result.reference)[:256],
        "at_ms": result.at_ms if told else None,
    }


def _put_standings(connection: Connection, standings: Mapping[tuple[str, str], Standing | None]) -> None:
    if not standings:
        return
    gone = delete(escalation).where(escalation.c.ladder == bindparam("on"), escalation.c.alarm_id == bindparam("of"))
    connection.execute(gone, [{"on": ladder, "of": alarm_id} for ladder, alarm_id in standings])
    rows = [
        {
            "ladder": ladder,
            "alarm_id": alarm_id,
            "alarmed_ms": one.progress.alarmed_ms,
            "tier": one.progress.tier,
            "taken": one.progress.taken,
            "due_ms": one.progress.due_ms,
            "told": [[channel, role, list(people)] for channel, role, people in one.told],
        }
        for (ladder, alarm_id), one in standings.items()
        if one is not None
    ]
    if rows:
        connection.execute(insert(escalation), rows)


def _standing(row: Mapping[str, Any]) -> Standing:
    progress = Progress(row["alarmed_ms"], row["tier"], row["taken"], row["due_ms"])
    return Standing(progress, tuple((channel, role, tuple(people)) for channel, role, people in row["told"]))


def _queued(connection: Connection) -> Iterable[Letter]:
    waits = notification.c.state == Delivery.QUEUED.value
    rows = connection.execute(select(notification).where(waits).order_by(notification.c.id)).mappings().all()
    links: dict[str, list[str]] = {}
    joined = select(notification_alarm).join(notification, notification.c.key == notification_alarm.c.key).where(waits)
    for link in connection.execute(joined).mappings():
        links.setdefault(link["key"], []).append(link["alarm_id"])
    return [letter_of(dict(row), links.get(row["key"], ())) for row in rows]


def _tests(connection: Connection) -> dict[str, tuple[Delivery, int]]:
    tests = select(notification.c.channel, notification.c.state, notification.c.deadline_ms)
    newest = tests.where(notification.c.kind == Kind.SELF_TEST.value).order_by(notification.c.id.desc()).limit(_TESTS)
    rows = connection.execute(newest).all()
    return {row.channel: (Delivery(row.state), row.deadline_ms) for row in reversed(rows)}


def _portions(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[at : at + _AT_ONCE] for at in range(0, len(values), _AT_ONCE))
