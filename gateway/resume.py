"""How a pipeline begins: last snapshot, then the tail of the log, gives the state the last process had, bit for bit.

The engine is a pure function of (rules, snapshot, log), so a replay repeats decisions without recording them again.
When the plant file has changed in between, what the change did to open alarms is recorded as events of this start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import structlog

from alerting.engine import Engine
from alerting.errors import SnapshotError
from alerting.rules import Rules, compile_rules
from config.duty.handling import DEFAULT_HANDLING, Handling
from config.plant.model import CONDITIONS, Condition, Plant
from gateway.alarms import AlarmBook
from gateway.ingest.acceptance import Mark
from gateway.inhibitions import Inhibitions
from gateway.late_lane import FOLLOWER as LATE_LANE
from gateway.outlet import FOLLOWER
from gateway.records.log import Kind, LogRow, decode_samples
from gateway.records.writer import Commit, Records, Stored
from gateway.tags import assign_rows

__all__ = ["Resumed", "replay_row", "restore_engine", "resume"]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Resumed:
    """Everything a pipeline goes on with, and the commit that says so (to be made before anything else)."""

    names: tuple[str, ...]
    rules: Rules
    engine: Engine
    book: AlarmBook
    marks: Mapping[tuple[str, str], Mark]
    position: int
    snapshot_position: int
    told_upto: int
    """Alarm events up to here are on the broker."""
    untold: list[dict[str, Any]]
    """Alarms with later events, those of this start included."""
    trimmed: int
    """Rows of the log up to here are gone."""
    reconsidered: int
    """Late samples up to here have been evaluated again."""
    commit: Commit = field(default_factory=Commit)


def resume(
    records: Records, plant: Plant, delayed_after_ms: int, now_ms: int, handling: Handling = DEFAULT_HANDLING
) -> Resumed:
    """Rebuild the state and take over.

    Args:
        records: The records database.
        plant: The plant as it is now.
        delayed_after_ms: See `gateway.alarms.AlarmBook`.
        now_ms: Gateway clock.
        handling: The site's clocks and rules.

    Raises:
        RecordsError: The records cannot be read, or hold a log that does not fit together.
    """
    stored = records.load()
    names = assign_rows(stored.names, plant)
    rules = compile_rules(plant, names)
    engine, remembers = restore_engine(rules, stored)
    snapshot_position = stored.snapshot[0] if stored.snapshot else 0
    replayed = _replay(records, engine, snapshot_position)
    if not remembers:
        _adopt(engine, names, [alarm for alarm in stored.open_alarms if _of_engine(alarm)])
    inhibitions = Inhibitions(stored.inhibitions)
    book = AlarmBook(plant, names, stored.open_alarms, stored.event_id, delayed_after_ms, handling, inhibitions)
    for alarm in stored.unhandled:
        book.agenda.note(alarm)
    position = stored.position + 1
    engine.start(now_ms)
    decided = book.reconcile(_active(engine, names), now_ms, position)
    told_upto = stored.followers.get(FOLLOWER, 0)
    log.info("resumed", position=position, replayed_rows=replayed, open_alarms=len(book.open_alarms))
    return Resumed(
        names=names,
        rules=rules,
        engine=engine,
        book=book,
        marks=stored.marks,
        position=position,
        snapshot_position=snapshot_position,
        told_upto=told_upto,
        untold=[*records.alarms_since(told_upto), *decided.alarms],
        trimmed=stored.trimmed,
        reconsidered=stored.followers.get(LATE_LANE, 0),
        commit=Commit(
            log=[LogRow(position, Kind.START, now_ms)],
            names={row: name for row, name in enumerate(names) if row >= len(stored.names)},
            received_ms=now_ms,
            alarms=decided.alarms,
            events=decided.events,
        ),
    )


def restore_engine(rules: Rules, stored: Stored) -> tuple[Engine, bool]:
    """Return the engine of the last snapshot, and whether it remembers what was before the log that is left."""
    if stored.snapshot is None:
        return Engine(rules), True
    payload = stored.snapshot[1]
    try:
        return Engine.restore(rules, payload), True
    except SnapshotError as error:
        log.warning("snapshot_of_other_rules", error=str(error))
    try:
        return Engine.restore_changed(rules, payload)[0], True
    except SnapshotError as error:
        # Better to go on from the log alone than not to watch. Delays that were on their way begin again.
        log.error("snapshot_unusable", error=str(error))
        return Engine(rules), False


def _adopt(engine: Engine, names: tuple[str, ...], active: Sequence[Mapping[str, Any]]) -> None:
    """Let the engine take every active alarm as raised: losing a snapshot is no reason to clear one."""
    rows = {name: row for row, name in enumerate(names)}
    engine.adopt(
        np.array([rows[alarm["tag"]] for alarm in active], np.int32),
        np.array([CONDITIONS.index(Condition(alarm["condition"])) for alarm in active], np.uint8),
        np.array([alarm["onset_ms"] for alarm in active], np.int64),
    )


def _of_engine(alarm: Mapping[str, Any]) -> bool:
    return bool(alarm["state"] == "active" and alarm["condition"] != Condition.SYSTEM)


def replay_row(engine: Engine, row: LogRow) -> None:
    """Let an engine see again what it saw then."""
    match row.kind:
        case Kind.SAMPLES:
            engine.evaluate(decode_samples(row.payload)[0], row.received_ms)
        case Kind.TICK:
            engine.tick(row.received_ms)
        case Kind.START:
            engine.start(row.received_ms)
        case Kind.BACKLOG:
            pass  # the engine never saw it


def _replay(records: Records, engine: Engine, position: int) -> int:
    """Let the engine see again what it saw after ``position``; returns the number of rows."""
    count = 0
    for row in records.rows_after(position):
        count += 1
        replay_row(engine, row)
    return count


def _active(engine: Engine, names: tuple[str, ...]) -> dict[tuple[str, Condition], int]:
    """Return the onset of every alarm the engine holds active, by tag and condition."""
    conditions, rows = engine.active.nonzero()
    return {
        (names[row], CONDITIONS[condition]): int(engine.onset_ms[condition, row])
        for condition, row in zip(conditions.tolist(), rows.tolist(), strict=True)
    }
