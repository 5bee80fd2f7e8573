"""Very many new versions at once, without keeping the pipeline from writing: staged in short turns, then moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from config.clock import Clock
from gateway.commands import By
from gateway.errors import ConflictError
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.dialects import storable
from gateway.records.registry_tables import FOREVER_MS, record, registry_staged
from gateway.records.transaction import using
from gateway.registry.store import Draft, Version, version_of

__all__ = ["Bulk", "Move", "OnMoved"]

_TURN: Final = 1_000
"""Rows in one short turn."""

staged = registry_staged.c


@dataclass(frozen=True, slots=True)
class Move:
    """What all rows of an import share."""

    import_id: str
    by: By
    why: str
    detail: Mapping[str, Any]
    """For the audit log."""


OnMoved = Callable[[Connection, ColumnElement[bool]], None]
"""Told inside the transaction which rows of `registry_staged` are being written."""


def _unheard(_connection: Connection, _mine: ColumnElement[bool]) -> None: ...


class Bulk:
    """Writes very many versions, all of them or none.

    Args:
        engine: For transactions beside the pipeline.
        clock: Wall; also measures how long the pipeline was kept from writing.
        on_moved: As `gateway.registry.store.OnWritten`, for rows too many to be handed over one by one.
    """

    def __init__(self, engine: Engine, clock: Clock, on_moved: OnMoved = _unheard) -> None:
        self._engine = engine
        self._clock = clock
        self._on_moved = on_moved
        self.locked_s = 0.0
        """How long the last `write` kept everybody else from writing: SQLite has one writer; on PostgreSQL others wait
        for the end of the audit log alone."""

    def write(
        self,
        drafts: Sequence[Draft],
        before: Mapping[tuple[str, str], Version],
        move: Move,
        say: Callable[[int], None] = lambda _: None,
        also: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        """Write new versions of records; each changes something.

        Args:
            drafts: At most one of each record.
            before: The newest version of each, where there is one.
            move: Whose they are.
            say: Told how many are staged.
            also: Done in the same transaction.

        Raises:
            ConflictError: Somebody wrote one of the records meanwhile; nothing was written.
            RecordsError: The records cannot be used; nothing was written.
        """
        self.clear(move.import_id)
        # In the order of the key, in which they are put in quickest.
        ordered = sorted(drafts, key=lambda draft: (draft.kind, draft.body["id"]))
        rows = _rows(ordered, before, move.import_id)
        count = 0
        while chunk := list(islice(rows, _TURN)):
            with using(self._engine, "staging records") as connection:
                connection.execute(insert(registry_staged), chunk)
            count += len(chunk)
            say(count)
        try:
            began_s = self._commit(move, also)
        except IntegrityError as error:
            raise ConflictError(
                "somebody else created one of these records: import again（期间有记录被修改）"
            ) from error
        self.locked_s = self._clock.monotonic_s() - began_s
        self.clear(move.import_id)

    def _commit(self, move: Move, also: Callable[[Connection], None]) -> float:
        """Move what is staged; returns since when everybody else was kept from writing."""
        with using(self._engine, "writing the registry") as connection:
            began_s = self._clock.monotonic_s()
            now_ms = self._clock.wall_ms()
            self._move(connection, move, now_ms)
            self._on_moved(connection, staged.import_id == move.import_id)
            also(connection)
            if connection.dialect.name == "postgresql":
                began_s = self._clock.monotonic_s()
            by = move.by
            entry = Entry(now_ms, by.account, by.origin, "registry.import", move.import_id, detail=move.detail)
            audit.append(connection, [entry])
        return began_s

    def clear(self, import_id: str) -> None:
        """Let go of what an import staged."""
        mine = select(staged.seq).where(staged.import_id == import_id).limit(_TURN)
        gone = 1
        while gone:
            with using(self._engine, "clearing staged records") as connection:
                wanted = and_(staged.import_id == import_id, staged.seq.in_(list(connection.scalars(mine))))
                gone = connection.execute(delete(registry_staged).where(wanted)).rowcount

    @staticmethod
    def _move(connection: Connection, move: Move, now_ms: int) -> None:
        mine = staged.import_id == move.import_id
        followed = and_(mine, staged.version > 1)
        ended = select(staged.kind, staged.id, staged.version - 1).where(followed)
        key = tuple_(record.c.kind, record.c.id, record.c.version)
        until_ms = _later(record.c.since_ms, now_ms)
        still = and_(key.in_(ended), record.c.until_ms == FOREVER_MS)
        count = connection.execute(update(record).where(still).values(until_ms=until_ms)).rowcount
        stale = (connection.scalar(select(func.count()).where(followed)) or 0) - count
        if stale:
            raise ConflictError(f"{stale} of these records were changed meanwhile: import again（期间有记录被修改）")
        said: dict[str, Any] = {
            "until_ms": literal(FOREVER_MS),
            "since_ms": _later(staged.since_ms, now_ms),
            "gone": literal(value=False),
            "by": literal(storable(move.by.account)),
            "why": literal(storable(move.why)),
        }
        names = [column.name for column in record.columns]
        said |= {name: staged[name] for name in names if name not in said}
        moved = select(*(said[name] for name in names)).where(mine)
        connection.execute(insert(record).from_select(names, moved))


def _later(column: ColumnElement[int], now_ms: int) -> ColumnElement[int]:
    """Return the clock, but never before the version that is followed: it may have been set back."""
    return case((column > now_ms, column), else_=now_ms)


def _rows(
    drafts: Sequence[Draft], before: Mapping[tuple[str, str], Version], import_id: str
) -> Iterator[dict[str, Any]]:
    for seq, draft in enumerate(drafts):
        old = before.get((draft.kind, draft.body["id"]))
        made = version_of(draft, old)
        yield {
            "import_id": import_id,
            "seq": seq,
            "kind": made.kind,
            "id": made.id,
            "version": made.version,
            "since_ms": 0 if old is None else old.since_ms,
            "enterprise": made.enterprise,
            "district": made.district,
            "parent": made.parent,
            "name": storable(made.name),
            "body": storable(msgspec.json.encode(made.body, order="sorted").decode()),
        }
