"""What was written and is to be taken up into the index: noted by who writes it, in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, func, insert, select

from gateway.records.registry_tables import registry_staged
from gateway.records.search_tables import search_due
from gateway.registry.store import Version

__all__ = ["MANY", "behind", "note", "note_records", "note_staged"]

MANY = 10_000
"""Things waiting; more are not counted."""


def note(connection: Connection, kind: str, ids: Iterable[str]) -> None:
    """Say, inside a caller's transaction, that some things of a kind of `SOURCES` were written, or are gone."""
    rows = [{"kind": kind, "id": one} for one in ids]
    if rows:
        connection.execute(insert(search_due), rows)


def note_records(connection: Connection, written: Sequence[Version]) -> None:
    """Note records of the registry (`gateway.registry.store.OnWritten`)."""
    rows = [{"kind": one.kind, "id": one.id} for one in written]
    connection.execute(insert(search_due), rows)


def note_staged(connection: Connection, mine: ColumnElement[bool]) -> None:
    """Note the records of an import (`gateway.registry.bulk.OnMoved`)."""
    staged = select(registry_staged.c.kind, registry_staged.c.id).where(mine)
    connection.execute(insert(search_due).from_select(["kind", "id"], staged))


def behind(connection: Connection) -> int:
    """Return how many things are still to be taken up; many are not counted further than `MANY`."""
    some = select(search_due.c.seq).limit(MANY).subquery()
    return connection.scalar(select(func.count()).select_from(some)) or 0
