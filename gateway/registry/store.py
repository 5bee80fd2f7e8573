"""The records of the registry: read as they are or were, written as new versions, never changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    Select,
    bindparam,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.exc import IntegrityError

from config.clock import Clock
from gateway.access.roles import Caller, Scope
from gateway.commands import By
from gateway.errors import ConflictError
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.dialects import storable
from gateway.records.registry_tables import FOREVER_MS, record
from gateway.records.transaction import using
from gateway.registry.kinds import KINDS, Kind

__all__ = ["Draft", "OnWritten", "Registry", "Version", "Wanted", "seen_by", "version_of"]

_AT_ONCE = 500
"""Ids in one statement."""


@dataclass(frozen=True, slots=True)
class Version:
    """A record as it was, or is, from ``since_ms`` to before ``until_ms``."""

    kind: str
    id: str
    version: int
    since_ms: int
    until_ms: int
    """`FOREVER_MS`: it still holds."""
    enterprise: str
    """Empty: everybody's."""
    district: str
    parent: str
    name: str
    gone: bool
    body: Mapping[str, Any]
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A record to be written."""

    kind: str
    body: Mapping[str, Any]
    """As its model has it, checked; with ``id``."""
    expected: int | None = None
    """The version that was seen; 0: there is none; None: whatever there is."""
    gone: bool = False
    """There is to be none from here on; ``body`` need hold ``id`` alone."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records of a kind."""

    enterprise: str | None = None
    districts: Collection[str] | None = None
    """In one of these."""
    parent: str | None = None
    begins: str = ""
    """Whose id or name begins so."""


OnWritten = Callable[[Connection, Sequence[Version]], None]


def _unheard(_connection: Connection, _written: Sequence[Version]) -> None:
    """Nobody listens."""


def seen_by(
    scope: Scope, enterprise: ColumnElement[str], district: ColumnElement[str], *, public: bool = False
) -> ColumnElement[bool]:
    """Return the condition under which rows of a table may be seen.

    Args:
        scope: Whose things may be seen; widened (`Registry.widened`).
        enterprise: Column: whose a row is.
        district: Column: where it is.
        public: Rows of no enterprise are everybody's.
    """
    if scope.whole:
        return true()
    mine: list[ColumnElement[bool]] = [enterprise.in_(sorted(scope.enterprises))] if scope.enterprises else []
    districts = sorted(scope.districts | scope.below)
    if districts:
        mine.append(district.in_(districts))
    if public:
        mine.append(enterprise == "")
    return or_(*mine)


class Registry:
    """The registry. Any thread may use it.

    Args:
        writing: For short transactions beside the pipeline.
        reader: Cannot write, and so makes no pipeline wait.
        clock: Wall.
        on_written: Told inside the transaction what is being written; such as the search index notes.
    """

    def __init__(self, writing: Engine, reader: Engine, clock: Clock, on_written: OnWritten = _unheard) -> None:
        self._on_written = on_written
        self._writing = writing
        self._reader = reader
        self._clock = clock

    def get(self, kind: str, name: str, scope: Scope, at_ms: int | None = None) -> Version | None:
        """Return a record as it is, or was at a time; None: there is none that may be seen."""
        return self.many(kind, (name,), scope, at_ms).get(name)

    def many(self, kind: str, names: Iterable[str], scope: Scope, at_ms: int | None = None) -> dict[str, Version]:
        """Return those of some records that exist and may be seen, by id."""
        wanted = sorted(set(names) - {""})
        found: dict[str, Version] = {}
        with using(self._reader, "reading the registry") as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                asked = _holding(kind, scope, at_ms).where(record.c.id.in_(wanted[start : start + _AT_ONCE]))
                found |= {row["id"]: _version(row) for row in connection.execute(asked).mappings()}
        return found

    def known(self, kind: str, names: Iterable[str]) -> set[str]:
        """Return those of some ids that are taken: there is such a record, hidden or not, or there was."""
        wanted = sorted(set(names))
        taken: set[str] = set()
        with using(self._reader, "reading the registry") as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                asked = select(record.c.id).where(
                    record.c.kind == kind,
                    record.c.until_ms == FOREVER_MS,
                    record.c.id.in_(wanted[start : start + _AT_ONCE]),
                )
                taken |= set(connection.scalars(asked))
        return taken

    def newest(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Version]:
        """Return the newest version of some records, hidden or not, gone or not; nothing of it may be told."""
        with using(self._reader, "reading the registry") as connection:
            return _newest(connection, keys)

    def owners(self) -> Iterator[tuple[str, str]]:
        """Yield id and enterprise of every record that is somebody's; nothing of it may be told."""
        asked = select(record.c.id, record.c.enterprise).where(
            record.c.until_ms == FOREVER_MS, record.c.enterprise != "", record.c.kind.in_(list(KINDS))
        )
        with using(self._reader, "reading the registry") as connection:
            for row in connection.execution_options(yield_per=10_000).execute(asked):
                yield row.id, row.enterprise

    def find(
        self,
        kind: str,
        scope: Scope,
        *,
        enterprise: str | None = None,
        district: str | None = None,
        parent: str | None = None,
        at_ms: int | None = None,
        after: str = "",
        limit: int = 1_000,
    ) -> list[Version]:
        """Return the records of a kind that may be seen, in order of id.

        Args:
            kind: Of `KINDS`.
            scope: Whose things may be seen.
            enterprise: Of this enterprise only.
            district: In exactly this district only.
            parent: Part of this only.
            at_ms: As they were then; None: as they are.
            after: Behind this id.
            limit: At most so many.
        """
        wanted = Wanted(enterprise, None if district is None else (district,), parent)
        return self.page(kind, scope, wanted, at_ms=at_ms, after=after, limit=limit)

    def page(
        self, kind: str, scope: Scope, wanted: Wanted, *, at_ms: int | None = None, after: str = "", limit: int = 1_000
    ) -> list[Version]:
        """Return the records of a kind that may be seen and are wanted, in order of id; see `find`."""
        asked = _holding(kind, scope, at_ms).where(record.c.id > after).order_by(record.c.id).limit(limit)
        if wanted.enterprise is not None:
            asked = asked.where(record.c.enterprise == wanted.enterprise)
        if wanted.districts is not None:
            asked = asked.where(record.c.district.in_(sorted(wanted.districts)))
        if wanted.parent is not None:
            asked = asked.where(record.c.parent == wanted.parent)
        if wanted.begins:
            same = (record.c[column].startswith(wanted.begins, autoescape=True) for column in ("id", "name"))
            asked = asked.where(or_(*same))
        with using(self._reader, "reading the registry") as connection:
            return [_version(row) for row in connection.execute(asked).mappings()]

    def history(self, kind: str, name: str, scope: Scope) -> list[Version]:
        """Return every version of a record that may be seen, the oldest first, with those that say it is gone."""
        asked = select(record).where(record.c.kind == kind, record.c.id == name, _seen(kind, scope))
        with using(self._reader, "reading the registry") as connection:
            return [_version(row) for row in connection.execute(asked.order_by(record.c.version)).mappings()]

    def write(self, drafts: Sequence[Draft], by: By, why: str) -> list[Version]:
        """Write new versions, all of them or none; what would change nothing is left out.

        Returns:
            What was written.

        Raises:
            ConflictError: A version is another than the one expected.
            RecordsError: The records cannot be used.
        """
        try:
            with using(self._writing, "writing the registry") as connection:
                return self.write_in(connection, drafts, by, why)
        except IntegrityError as error:
            raise ConflictError("somebody else wrote at the same time: look again（记录已被修改，请刷新）") from error

    def write_in(self, connection: Connection, drafts: Sequence[Draft], by: By, why: str) -> list[Version]:
        """Do `write` inside a transaction of the caller's."""
        now_ms = self._clock.wall_ms()
        before = _newest(connection, ((draft.kind, draft.body["id"]) for draft in drafts))
        made = [_next(draft, before.get((draft.kind, draft.body["id"])), now_ms, by, why) for draft in drafts]
        written = [version for version in made if version is not None]
        if not written:
            return []
        ended = [
            {"of_kind": one.kind, "of_id": one.id, "of_version": one.version - 1, "at": one.since_ms}
            for one in written
            if one.version > 1
        ]
        if ended:
            connection.execute(_END, ended)
        connection.execute(insert(record), [_row(one) for one in written])
        self._on_written(connection, written)
        act = "registry.remove" if all(one.gone for one in written) else "registry.write"
        subject = f"{written[0].kind}/{written[0].id}" if len(written) == 1 else f"{len(written)} records"
        audit.append(connection, [Entry(now_ms, by.account, by.origin, act, subject, detail=_detail(written, why))])
        return written

    def widened(self, caller: Caller) -> Caller:
        """Return who asks with the districts below those that may be seen."""
        scope = caller.scope
        if not scope.districts:
            return caller
        return replace(caller, scope=replace(scope, below=self.below(scope.districts)))

    def below(self, districts: Collection[str]) -> frozenset[str]:
        """Return the districts that are part of some, at every level, without these."""
        below: set[str] = set()
        with using(self._reader, "reading districts") as connection:
            level = set(districts)
            while level:
                asked = _holding("district", Scope(), None).where(record.c.parent.in_(sorted(level)))
                level = {row["id"] for row in connection.execute(asked).mappings()} - below - set(districts)
                below |= level
        return frozenset(below)


_END = (
    update(record)
    .where(
        record.c.kind == bindparam("of_kind"),
        record.c.id == bindparam("of_id"),
        record.c.version == bindparam("of_version"),
    )
    .values(until_ms=bindparam("at"))
)


def _seen(kind: str, scope: Scope) -> ColumnElement[bool]:
    if KINDS[kind].public:
        return true()
    return seen_by(scope, record.c.enterprise, record.c.district, public=True)


def _holding(kind: str, scope: Scope, at_ms: int | None) -> Select[Any]:
    asked = select(record).where(record.c.kind == kind, record.c.gone.is_(False), _seen(kind, scope))
    if at_ms is None:
        return asked.where(record.c.until_ms == FOREVER_MS)
    # ``+ 0``: else SQLite, which knows nothing of how many there are, goes by the time and not by the id.
    return asked.where(record.c.since_ms + 0 <= at_ms, record.c.until_ms + 0 > at_ms)


def _newest(connection: Connection, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Version]:
    """Return the newest version of some records, whether it is gone or not."""
    wanted: dict[str, list[str]] = {}
    for kind, name in keys:
        wanted.setdefault(kind, []).append(name)
    found: dict[tuple[str, str], Version] = {}
    for kind, names in wanted.items():
        for start in range(0, len(names), _AT_ONCE):
            asked = select(record).where(
                record.c.kind == kind,
                record.c.until_ms == FOREVER_MS,
                record.c.id.in_(names[start : start + _AT_ONCE]),
            )
            found |= {(kind, row["id"]): _version(row) for row in connection.execute(asked).mappings()}
    return found


def _next(draft: Draft, before: Version | None, now_ms: int, by: By, why: str) -> Version | None:
    """Return the version a draft makes; None: it is so already.

    Raises:
        ConflictError: Not what was expected.
    """
    name = draft.body["id"]
    there = 0 if before is None or before.gone else before.version
    if draft.expected is not None and draft.expected != there:
        is_now = f"is at version {there} now" if there else "does not exist"
        raise ConflictError(f"{draft.kind} {name} {is_now}, not {draft.expected}: look again（记录已被修改，请刷新）")
    if draft.gone and before is not None and not before.gone:
        since_ms = max(now_ms, before.since_ms)
        return replace(before, version=before.version + 1, since_ms=since_ms, gone=True, by=by.account, why=why)
    if draft.gone or (there and before is not None and before.body == draft.body):
        return None
    made = version_of(draft, before)
    since_ms = now_ms if before is None else max(now_ms, before.since_ms)
    return replace(made, since_ms=since_ms, by=by.account, why=why)


def version_of(draft: Draft, before: Version | None) -> Version:
    """Return the version that a draft makes of a record; who writes it, when and why is still to be said."""
    kind = KINDS[draft.kind]
    name = draft.body["id"]
    return Version(
        kind=draft.kind,
        id=name,
        version=1 if before is None else before.version + 1,
        since_ms=0,
        until_ms=FOREVER_MS,
        enterprise=_enterprise_of(draft, kind),
        district=name if draft.kind == "district" else str(draft.body.get("district", "")),
        parent=str(draft.body.get(kind.parent, "")),
        name=str(draft.body.get("name_zh", "")),
        gone=False,
        body=draft.body,
        by="",
        why="",
    )


def _enterprise_of(draft: Draft, kind: Kind) -> str:
    if kind.public:
        return ""
    return str(draft.body["id"] if draft.kind == "enterprise" else draft.body.get("enterprise", ""))


def _row(version: Version) -> dict[str, Any]:
    row = {column.name: getattr(version, column.name) for column in record.columns}
    body = storable(msgspec.json.encode(version.body, order="sorted").decode())
    return {**row, "name": storable(version.name), "why": storable(version.why), "body": body}


def _version(row: RowMapping) -> Version:
    return Version(**{**row, "body": msgspec.json.decode(row["body"])})


def _detail(written: Sequence[Version], why: str) -> dict[str, Any]:
    """Return what the audit log says: which records, and how many more."""
    named = [f"{one.kind}/{one.id}@{one.version}" for one in written[:20]]
    return {"records": named, "count": len(written), "why": why}
