"""Hidden dangers in the records: read for a change, written with the event that changed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from gateway.access.roles import Scope
from gateway.dangers.clocks import running
from gateway.dangers.model import Danger, danger_from, urgency_of
from gateway.records.danger_tables import danger, danger_event
from gateway.registry.store import seen_by
from gateway.searching.due import note

__all__ = ["add", "is_done", "locked", "row_of", "seen_at_place", "write"]


def seen_at_place(scope: Scope) -> ColumnElement[bool]:
    """Return the condition under which dangers may be seen, where a unit, vessel or tag is asked for besides.

    It is written so that no index of enterprises fits: SQLite, which does not know how many rows there are, would go
    through all dangers of an enterprise for those of one of its tags.
    """
    return seen_by(scope, func.coalesce(danger.c.enterprise, ""), func.coalesce(danger.c.district, ""))


def locked(connection: Connection, danger_id: str) -> Danger | None:
    """Return a danger that nobody else changes before the transaction is over, or None."""
    asked = select(danger).where(danger.c.id == danger_id).with_for_update()
    row = connection.execute(asked).mappings().first()
    return None if row is None else danger_from(dict(row))


def is_done(connection: Connection, danger_id: str, key: str) -> bool:
    """Say whether an act is on record already."""
    asked = select(danger_event.c.seq).where(danger_event.c.danger_id == danger_id, danger_event.c.key == key)
    return connection.execute(asked).first() is not None


def add(connection: Connection, new: Danger) -> None:
    """Write a danger that was not there before.

    Raises:
        IntegrityError: There is one of its name, or an open proposal of the same tag and condition.
    """
    connection.execute(insert(danger), row_of(new))


def write(
    connection: Connection,
    after: Danger,
    kind: str,
    by: str,
    now_ms: int,
    detail: Mapping[str, Any],
    key: str | None = None,
) -> Danger:
    """Write a danger as it is now, with what follows from its clocks, and the event that made it so.

    Args:
        connection: Holds the danger (`locked`, `add`).
        after: As it is, its clocks written already.
        kind: Of the event.
        by: Account.
        now_ms: Gateway clock.
        detail: What was said.
        key: Under which the event is known to have happened.

    Returns:
        The danger as it was written.
    """
    due_ms, level = running(connection, after.id)
    urgency = urgency_of(after.state, after.grade, level, listed=after.listed)
    after = replace(after, events=after.events + 1, due_ms=due_ms, level=level, urgency=urgency)
    connection.execute(update(danger).where(danger.c.id == after.id).values(**row_of(after)))
    event = {
        "danger_id": after.id,
        "seq": after.events,
        "kind": kind,
        "at_ms": now_ms,
        "by": by,
        "state": after.state.value,
        "detail": dict(detail) or None,
        "key": key,
    }
    connection.execute(insert(danger_event), event)
    note(connection, "danger", [after.id])
    return after


def row_of(one: Danger) -> dict[str, Any]:
    """Return a danger as a row of its table."""
    row = {field.name: getattr(one, field.name) for field in fields(one)}
    return {**row, "source": one.source.value, "grade": one.grade.value, "state": one.state.value,
            "hands": list(one.hands) or None}  # fmt: skip
