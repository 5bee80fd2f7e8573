"""The read side of the records database: what the API, the live page and the metrics ask of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, func, or_, select
from sqlalchemy.exc import DBAPIError

from gateway.records.dialects import meaning_of
from gateway.records.reconcile import local_alarms
from gateway.records.schema import (
    OPEN_STATES,
    alarm,
    alarm_event,
    audit,
    dead_letter,
    edge_status,
    follower,
    inhibition,
    ledger,
    mark,
    tag,
    worker,
)

__all__ = [
    "AlarmFilter",
    "AlarmKey",
    "AlarmSort",
    "Current",
    "EdgeRecords",
    "Queries",
    "Row",
    "Told",
]

Row = dict[str, Any]
"""One row, by column name."""
Units = tuple[str, ...] | None
"""Hazard units somebody may see (``""``: what is in none); None: all."""

_NEWEST = (alarm.c.raised_ms.desc(), alarm.c.alarm_id.desc())
STATES = (*OPEN_STATES, "cleared")
TIERS = (1, 2, 3, 4)


class AlarmSort(StrEnum):
    """In which order alarms are listed."""

    TIER = "tier"
    """Worst tier first, newest first within a tier."""
    TIME = "time"
    """Newest first."""


@dataclass(frozen=True, slots=True)
class AlarmKey:
    """Where an alarm stands in either order; a page begins behind one."""

    tier: int
    raised_ms: int
    alarm_id: str


@dataclass(frozen=True, slots=True)
class AlarmFilter:
    """Which alarms are wanted. An empty tuple or None does not restrict."""

    states: tuple[str, ...] = ()
    tiers: tuple[int, ...] = ()
    conditions: tuple[str, ...] = ()
    hazard_unit: str | None = None
    vessel: str | None = None
    tag: str | None = None
    edge: str | None = None
    delayed: bool | None = None
    retrospective: bool | None = None
    inhibited: tuple[str | None, ...] = ()
    """Kinds of inhibition; None among them: those that are told."""
    hazard_units: tuple[str, ...] | None = None
    """Only of these; None: of all."""
    stages: tuple[str, ...] = ()
    assigned_to: str | None = None
    overdue: bool | None = None
    from_ms: int | None = None
    """Raised at or after."""
    to_ms: int | None = None
    """Raised before."""


@dataclass(frozen=True, slots=True)
class Told:
    """One alarm event and the alarm as it is now."""

    event: Row
    alarm: Row


@dataclass(frozen=True, slots=True)
class Current:
    """The alarms of one moment, read in one transaction."""

    last_event_id: int
    """0 when nothing was ever raised."""
    active: tuple[Row, ...]
    """Open ones that are told, worst tier first, newest first; at most as many as asked for."""
    active_by_tier: Mapping[int, int]
    """All of them, also those beyond ``active``."""
    cleared: tuple[Row, ...]
    """The latest cleared ones, latest first."""


@dataclass(frozen=True, slots=True)
class EdgeRecords:
    """What the records say about every edge, read in one transaction. Keyed by edge."""

    counts: Mapping[str, Mapping[str, int]]
    """`gateway.ledger.Count` -> count."""
    marks: Mapping[str, tuple[Row, ...]]
    """Oldest epoch first."""
    statuses: Mapping[str, Row]


class Queries:
    """Answers from the records database. Thread-safe: every call takes its own connection and gives it back.

    Every method raises `RecordsBusyError` when the database is locked and `RecordsError` when it cannot be read.

    Args:
        engine: Of `gateway.records.database.open_reader`: its connections cannot write, and in one transaction they
            see one moment.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tag_ids: dict[str, int] = {}
        self._tag_names: dict[int, str] = {}

    @property
    def engine(self) -> Engine:
        """For those who read in ways of their own; it cannot write."""
        return self._engine

    def tag_id(self, name: str) -> int | None:
        """Return the number of a tag, or None when it never had one. A number once given never changes."""
        if name not in self._tag_ids:
            with self._read() as connection:
                found = connection.scalar(select(tag.c.tag_id).where(tag.c.name == name))
            if found is None:
                return None
            self._tag_ids[name] = found
        return self._tag_ids[name]

    def tag_name(self, tag_id: int) -> str | None:
        """Return the tag a number was given to, or None when it never was."""
        if tag_id not in self._tag_names:
            with self._read() as connection:
                rows = connection.execute(select(tag.c.name, tag.c.tag_id)).all()
            self._tag_names = {row.tag_id: row.name for row in rows}
        return self._tag_names.get(tag_id)

    def followers(self) -> dict[str, int]:
        """Return how far those who follow the log or the events have come, as far as that is kept here."""
        with self._read() as connection:
            return {row.name: row.position for row in connection.execute(select(follower))}

    def worker(self) -> tuple[int, str] | None:
        """Return when the worker last said how it does, and what it said (`gateway.live.Health`, JSON)."""
        with self._read() as connection:
            row = connection.execute(select(worker).where(worker.c.name == "pipeline")).first()
            return None if row is None else (row.at_ms, row.health)

    def alarms(self, wanted: AlarmFilter, sort: AlarmSort, after: AlarmKey | None, limit: int) -> list[Row]:
        """Return the first ``limit`` alarms behind ``after``.

        The order depends on columns that do not change once an alarm is raised (but for a tier that rises), so pages
        neither repeat nor skip an alarm while new ones arrive.
        """
        with self._read() as connection:
            if wanted.tag is not None:
                return _rows(connection, _of_one_tag(wanted, sort, after, limit))
            if wanted.stages:
                return _of_stages(connection, wanted, sort, after, limit)
            if sort is AlarmSort.TIER:
                return _by_tier(connection, wanted, after, limit)
            return _by_time(connection, wanted, wanted.tiers or TIERS, after, limit)

    def alarm(self, alarm_id: str) -> Row | None:
        """Return one alarm, or None."""
        with self._read() as connection:
            found = _rows(connection, select(alarm).where(alarm.c.alarm_id == alarm_id))
        return found[0] if found else None

    def alarms_overlapping(self, tag: str, from_ms: int, to_ms: int) -> list[Row]:
        """Return the alarms of a tag whose time from onset to clearing meets ``from_ms <= t <= to_ms``."""
        over = or_(alarm.c.cleared_ms.is_(None), alarm.c.cleared_ms >= from_ms)
        with self._read() as connection:
            return _rows(connection, select(alarm).where(alarm.c.tag == tag, alarm.c.onset_ms <= to_ms, over))

    def timeline(self, alarm_id: str) -> list[Row]:
        """Return the events of one alarm, oldest first."""
        query = select(alarm_event).where(alarm_event.c.alarm_id == alarm_id).order_by(alarm_event.c.event_id)
        with self._read() as connection:
            return _rows(connection, query)

    def events_after(self, event_id: int, limit: int, units: Units = None) -> list[Told]:
        """Return at most ``limit`` events behind ``event_id``, oldest first."""
        events = _of_units(select(alarm_event).where(alarm_event.c.event_id > event_id), units)
        with self._read() as connection:
            rows = _rows(connection, events.order_by(alarm_event.c.event_id).limit(limit))
            return _told(connection, rows)

    def last_event_id(self) -> int:
        """Return the number of the latest event, 0 when there is none."""
        with self._read() as connection:
            return _last_event_id(connection)

    def current(self, active_limit: int, cleared_limit: int, units: Units = None) -> Current:
        """Return the open alarms and the latest cleared ones of one moment."""
        wanted = AlarmFilter(states=OPEN_STATES, inhibited=(None,), hazard_units=units)
        with self._read() as connection:
            active = _by_tier(connection, wanted, None, active_limit)
            return Current(
                last_event_id=_last_event_id(connection),
                active=tuple(active),
                active_by_tier=_active_by_tier(connection, units),
                cleared=tuple(_lately_cleared(connection, cleared_limit, units)),
            )

    def active_by_tier(self, units: Units = None) -> dict[int, int]:
        """Count the open alarms that are told; every tier has an entry."""
        with self._read() as connection:
            return _active_by_tier(connection, units)

    def edges(self) -> EdgeRecords:
        """Return the ledger, the marks and the statuses of all edges."""
        with self._read() as connection:
            counts = {row.pop("edge"): row for row in _rows(connection, select(ledger).order_by(ledger.c.edge))}
            marks: dict[str, list[Row]] = {}
            for one in _rows(connection, select(mark).order_by(mark.c.edge, mark.c.first_ms, mark.c.epoch)):
                marks.setdefault(one["edge"], []).append(one)
            statuses = {one["edge"]: one for one in _rows(connection, select(edge_status))}
        return EdgeRecords(counts, {edge: tuple(rows) for edge, rows in marks.items()}, statuses)

    def dead_letters(self, reason: str | None, edge: str | None, before_id: int | None, limit: int) -> list[Row]:
        """Return at most ``limit`` dead letters below ``before_id``, the newest first."""
        query = select(dead_letter)
        if reason is not None:
            query = query.where(dead_letter.c.reason == reason)
        if edge is not None:
            query = query.where(dead_letter.c.edge == edge)
        if before_id is not None:
            query = query.where(dead_letter.c.id < before_id)
        with self._read() as connection:
            return _rows(connection, query.order_by(dead_letter.c.id.desc()).limit(limit))

    def inhibitions(
        self,
        *,
        in_force: bool,
        kind: str | None,
        tags: Sequence[str] | None,
        before: tuple[int, str] | None,
        limit: int,
    ) -> list[Row]:
        """Return at most ``limit`` inhibitions behind ``before`` (since_ms, id), the newest first."""
        query = select(inhibition)
        query = query.where(inhibition.c.ended_ms.is_(None) if in_force else inhibition.c.ended_ms.is_not(None))
        if kind is not None:
            query = query.where(inhibition.c.kind == kind)
        if tags is not None:
            query = query.where(inhibition.c.tag.in_(tags))
        if before is not None:
            earlier = and_(inhibition.c.since_ms == before[0], inhibition.c.id < before[1])
            query = query.where(or_(inhibition.c.since_ms < before[0], earlier))
        with self._read() as connection:
            order = (inhibition.c.since_ms.desc(), inhibition.c.id.desc())
            return _rows(connection, query.order_by(*order).limit(limit))

    def audit(self, after: int, account: str | None, subject: str | None, limit: int) -> list[Row]:
        """Return at most ``limit`` rows of the audit log behind number ``after``, oldest first."""
        query = select(audit).where(audit.c.seq > after)
        if account is not None:
            query = query.where(audit.c.account == account)
        if subject is not None:
            query = query.where(audit.c.subject == subject)
        with self._read() as connection:
            return _rows(connection, query.order_by(audit.c.seq).limit(limit))

    def inhibition(self, name: str) -> Row | None:
        """Return an inhibition, in force or not, or None."""
        with self._read() as connection:
            found = _rows(connection, select(inhibition).where(inhibition.c.id == name))
        return found[0] if found else None

    def local_alarms(
        self, edge: str, before: tuple[int, str] | None, limit: int, tags: Sequence[str] | None = None
    ) -> list[Row]:
        """Return what an edge has noticed by itself; see `gateway.records.reconcile`."""
        with self._read() as connection:
            return _rows(connection, local_alarms(edge, before, limit, tags))

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        """Open a transaction in which all statements see the same moment."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise meaning_of(error)(f"reading the records database: {error.orig}") from error


def _rows(connection: Connection, query: Select[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _last_event_id(connection: Connection) -> int:
    last: int | None = connection.execute(select(func.max(alarm_event.c.event_id))).scalar()
    return last or 0


def _of_units(events: Select[Any], units: Units) -> Select[Any]:
    """Restrict events to those of alarms of some hazard units."""
    if units is None:
        return events
    return events.join(alarm, alarm.c.alarm_id == alarm_event.c.alarm_id).where(alarm.c.hazard_unit.in_(units))


def _active_by_tier(connection: Connection, units: Units) -> dict[int, int]:
    told = [alarm.c.state.in_(OPEN_STATES), alarm.c.inhibited.is_(None)]
    if units is not None:
        told.append(alarm.c.hazard_unit.in_(units))
    counted = select(alarm.c.tier, func.count()).where(*told).group_by(alarm.c.tier)
    return dict.fromkeys(TIERS, 0) | {row[0]: row[1] for row in connection.execute(counted)}


def _lately_cleared(connection: Connection, limit: int, units: Units) -> list[Row]:
    """Follow the events backwards: they are numbered in the order in which things happened."""
    events = (
        select(alarm_event.c.alarm_id)
        .where(alarm_event.c.kind.in_(("cleared", "returned", "latched")))
        .order_by(alarm_event.c.event_id.desc())
        .limit(limit)
    )
    ids = connection.execute(_of_units(events, units)).scalars().all()
    rows = {row["alarm_id"]: row for row in _rows(connection, select(alarm).where(alarm.c.alarm_id.in_(ids)))}
    return [rows[one] for one in dict.fromkeys(ids) if one in rows and rows[one]["state"] == "cleared"]


def _told(connection: Connection, events: Sequence[Row]) -> list[Told]:
    ids = {event["alarm_id"] for event in events}
    rows = {row["alarm_id"]: row for row in _rows(connection, select(alarm).where(alarm.c.alarm_id.in_(ids)))}
    return [Told(event, rows[event["alarm_id"]]) for event in events if event["alarm_id"] in rows]


def _by_tier(connection: Connection, wanted: AlarmFilter, after: AlarmKey | None, limit: int) -> list[Row]:
    """Go through the tiers from the worst: within one tier the order is that of time, which an index gives."""
    found: list[Row] = []
    for tier in sorted(wanted.tiers or TIERS):
        if after is not None and tier < after.tier:
            continue
        behind = after if after is not None and tier == after.tier else None
        found += _by_time(connection, wanted, (tier,), behind, limit - len(found))
        if len(found) >= limit:
            break
    return found


def _by_time(
    connection: Connection, wanted: AlarmFilter, tiers: Sequence[int], after: AlarmKey | None, limit: int
) -> list[Row]:
    """Read every (state, tier) along its index and merge: a few short range scans, however many alarms there are."""
    found: list[Row] = []
    for state in wanted.states or STATES:
        for tier in tiers:
            cell = select(alarm).where(alarm.c.state == state, alarm.c.tier == tier, *_others(wanted), *_behind(after))
            newest = cell.order_by(alarm.c.raised_ms.desc(), alarm.c.alarm_id.desc()).limit(limit)
            found += _rows(connection, newest)
    found.sort(key=lambda row: (row["raised_ms"], row["alarm_id"]), reverse=True)
    return found[:limit]


def _of_one_tag(wanted: AlarmFilter, sort: AlarmSort, after: AlarmKey | None, limit: int) -> Select[Any]:
    """Build the query that follows the index of the tag.

    ``tier + 0`` and ``state || ''`` keep planners without statistics from taking the index over states and tiers,
    which would read every alarm of the plant to find those of one tag.
    """
    parts = [alarm.c.tag == wanted.tag, *_others(wanted)]
    if wanted.states:
        parts.append((alarm.c.state + "").in_(wanted.states))
    if wanted.tiers:
        parts.append((alarm.c.tier + 0).in_(wanted.tiers))
    if wanted.stages:
        parts.append((alarm.c.stage + "").in_(wanted.stages))
    query = select(alarm).where(*parts)
    if sort is AlarmSort.TIME:
        return query.where(*_behind(after)).order_by(*_NEWEST).limit(limit)
    return query.where(*_behind_in_tier(after)).order_by(alarm.c.tier, *_NEWEST).limit(limit)


def _behind_in_tier(after: AlarmKey | None) -> list[ColumnElement[bool]]:
    """Return the restriction to alarms behind ``after`` where the worst tier comes first."""
    if after is None:
        return []
    return [or_(alarm.c.tier > after.tier, and_(alarm.c.tier + 0 == after.tier, *_behind(after)))]


def _of_stages(
    connection: Connection, wanted: AlarmFilter, sort: AlarmSort, after: AlarmKey | None, limit: int
) -> list[Row]:
    """Read every stage along its index and merge; alarms still to be handled are few, whatever is in the records."""
    found: list[Row] = []
    for stage in wanted.stages:
        parts = [alarm.c.stage == stage, *_others(wanted)]
        if wanted.states:
            parts.append((alarm.c.state + "").in_(wanted.states))
        if wanted.tiers:
            parts.append((alarm.c.tier + 0).in_(wanted.tiers))
        if sort is AlarmSort.TIME:
            query = select(alarm).where(*parts, *_behind(after)).order_by(*_NEWEST)
        else:
            query = select(alarm).where(*parts, *_behind_in_tier(after)).order_by(alarm.c.tier, *_NEWEST)
        found += _rows(connection, query.limit(limit))
    found.sort(key=lambda row: (row["raised_ms"], row["alarm_id"]), reverse=True)
    if sort is AlarmSort.TIER:
        found.sort(key=lambda row: int(row["tier"]))
    return found[:limit]


def _others(wanted: AlarmFilter) -> list[ColumnElement[bool]]:
    """Return the restrictions beside state, tier and tag."""
    parts: list[ColumnElement[bool]] = []
    for name in ("hazard_unit", "vessel", "edge", "delayed", "retrospective", "assigned_to"):
        value = getattr(wanted, name)
        if value is not None:
            parts.append(alarm.c[name] == value)
    if wanted.hazard_units is not None:
        parts.append(alarm.c.hazard_unit.in_(wanted.hazard_units))
    if wanted.conditions:
        parts.append(alarm.c.condition.in_(wanted.conditions))
    if wanted.inhibited:
        kinds = [kind for kind in wanted.inhibited if kind is not None]
        told = [alarm.c.inhibited.is_(None)] if None in wanted.inhibited else []
        parts.append(or_(alarm.c.inhibited.in_(kinds), *told))
    if wanted.overdue is not None:
        parts.append((alarm.c.overdue != "") if wanted.overdue else (alarm.c.overdue == ""))
    if wanted.from_ms is not None:
        parts.append(alarm.c.raised_ms >= wanted.from_ms)
    if wanted.to_ms is not None:
        parts.append(alarm.c.raised_ms < wanted.to_ms)
    return parts


def _behind(after: AlarmKey | None) -> list[ColumnElement[bool]]:
    """Return the restriction to alarms older than ``after``; the first part is the one an index can use."""
    if after is None:
        return []
    older = or_(alarm.c.raised_ms < after.raised_ms, alarm.c.alarm_id < after.alarm_id)
    return [alarm.c.raised_ms <= after.raised_ms, older]
