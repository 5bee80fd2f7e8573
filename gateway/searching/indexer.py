"""Keeps the index in step: whoever writes a thing notes it in the same transaction, and it is taken up right after."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import structlog
from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, literal, select, update

from gateway.errors import RecordsError
from gateway.records.dialects import storable
from gateway.records.search_tables import search_due, search_entry, search_posting, search_version
from gateway.records.transaction import using
from gateway.searching.matching import Entry, Texts, texts_of
from gateway.searching.postings import add
from gateway.searching.sources import SOURCES
from gateway.searching.tokens import tokens_of

__all__ = ["VERSION", "Indexer"]

VERSION = 1
"""Of what is kept. To be raised with every change of folding, sounds, tokens, postings or sources' fields: then
everything is taken up anew."""
_AT_ONCE = 250
"""Things in one transaction: the pipeline may wait for it."""
_EVERY_S = 1.0
_REST_S = 0.02

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Made:
    entry: Entry
    texts: Texts
    tokens: set[int]


class Indexer:
    """Takes up what was noted, in a thread of its own; one per database.

    Args:
        writing: For short transactions beside the pipeline.
        reader: Cannot write.
    """

    def __init__(self, writing: Engine, reader: Engine) -> None:
        self._writing = writing
        self._reader = reader

    def run(self, stop: threading.Event) -> None:
        """Take up until ``stop`` is set."""
        begun = False
        while not stop.is_set():
            try:
                begun = begun or self.begin()
                more = self.turn()
            except RecordsError as error:
                log.warning("search_index_not_in_step", error=str(error))
                more = False
            stop.wait(_REST_S if more else _EVERY_S)

    def begin(self) -> bool:
        """Begin the index anew where it was made by another version; says that it is of this one now."""
        with using(self._reader, "reading the search index") as connection:
            if connection.scalars(select(search_version.c.version)).all() == [VERSION]:
                return True
        self.begin_anew()
        return True

    def begin_anew(self) -> None:
        """Forget the index, and note everything there is; in short transactions, of which the last says it is done."""
        for table in (search_version, search_due, search_entry, search_posting):
            with using(self._writing, "forgetting the search index") as connection:
                connection.execute(delete(table))
        for kind, source in SOURCES.items():
            with using(self._writing, "beginning the search index anew") as connection:
                every = source.ids.add_columns(literal(kind))
                connection.execute(insert(search_due).from_select(["id", "kind"], every))
        with using(self._writing, "beginning the search index anew") as connection:
            connection.execute(insert(search_version), [{"version": VERSION}])

    def turn(self) -> bool:
        """Take up some of what was noted; says whether there may be more."""
        with using(self._reader, "reading what was written") as connection:
            due = connection.execute(select(search_due).order_by(search_due.c.seq).limit(_AT_ONCE)).all()
            if not due:
                return False
            wanted: dict[str, list[str]] = {}
            for row in due:
                wanted.setdefault(row.kind, []).append(row.id)
            entries = [entry for kind, ids in wanted.items() for entry in _read(connection, kind, ids)]
        made = [_Made(entry, texts := texts_of(entry), tokens_of(entry, texts)) for entry in entries]
        named = {(row.kind, row.id) for row in due}
        with using(self._writing, "writing the search index") as connection:
            _take_up(connection, made, named)
            connection.execute(delete(search_due).where(search_due.c.seq.in_([row.seq for row in due])))
        return len(due) == _AT_ONCE


def _read(connection: Connection, kind: str, ids: Sequence[str]) -> list[Entry]:
    source = SOURCES.get(kind)
    return [] if source is None else source.read(connection, sorted(set(ids)))


def _take_up(connection: Connection, made: Sequence[_Made], named: set[tuple[str, str]]) -> None:
    """Put entries into the index, and out of it those that were named and are no more."""
    known = _docs(connection, named)
    there = {(one.entry.kind, one.entry.id) for one in made}
    gone = [doc for key, doc in known.items() if key not in there]
    if gone:  # their bits stay: candidates are looked up, and these are not found
        connection.execute(delete(search_entry).where(search_entry.c.doc.in_(gone)))
    last = connection.scalar(select(func.max(search_entry.c.doc)))
    next_doc = 0 if last is None else last + 1
    tokens: dict[int, set[int]] = {}
    new, changed = [], []
    for one in made:
        doc = known.get((one.entry.kind, one.entry.id))
        if doc is None:
            doc, next_doc = next_doc, next_doc + 1
            new.append(_row(doc, one))
        else:
            changed.append({"of_doc": doc, **_row(doc, one)})
        tokens[doc] = one.tokens
    if new:
        connection.execute(insert(search_entry), new)
    if changed:
        connection.execute(_CHANGE, changed)
    add(connection, tokens)


_CHANGE = update(search_entry).where(search_entry.c.doc == bindparam("of_doc"))


def _docs(connection: Connection, named: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for kind in {kind for kind, _ in named}:
        ids = [one for of, one in named if of == kind]
        asked = select(search_entry.c.id, search_entry.c.doc).where(
            search_entry.c.kind == kind, search_entry.c.id.in_(ids)
        )
        found |= {(kind, row.id): row.doc for row in connection.execute(asked)}
    return found


def _row(doc: int, made: _Made) -> dict[str, object]:
    entry, texts = made.entry, made.texts
    return {
        "doc": doc,
        "kind": entry.kind,
        "id": entry.id,
        "enterprise": entry.enterprise,
        "district": entry.district,
        "public": entry.public,
        "title_zh": storable(entry.title_zh),
        "title_en": storable(entry.title_en),
        "fields": storable(msgspec.json.encode(entry.fields).decode()),
        "lines": storable("\n".join(texts.lines)),
        "sounds": "\n".join(texts.sounds),
    }
