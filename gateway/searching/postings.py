"""Sets of entries as they are kept: a row for each token and block of 15360 entries, a bit or two bytes for each entry.

Plain tables and numpy instead of the full-text search of one database or the other: docs/decisions/0024.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, func, insert, select, update

from gateway.records.search_tables import search_entry, search_posting

__all__ = ["BLOCK", "Bits", "Postings", "add", "docs_in"]

BLOCK = 15_360
"""Entries. Its bitmap stays in its row: above 2 kB PostgreSQL moves it out, above 4 kB SQLite."""
_BYTES = BLOCK // 8
_AT_ONCE = 500
_OFFSET = np.dtype("<u2")

Bits = NDArray[np.uint8]
"""A bit for each entry there may be, the lowest first."""


class Postings:
    """Reads the sets of tokens.

    Args:
        connection: In a transaction.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        last = connection.scalar(select(func.max(search_entry.c.doc)))
        self._blocks = 0 if last is None else last // BLOCK + 1
        self._kept: dict[int, Bits] = {}

    def load(self, tokens: Iterable[int]) -> None:
        """Read all that will be asked for, in one statement; any other set is empty."""
        wanted = sorted(set(tokens) - self._kept.keys())
        for start in range(0, len(wanted), _AT_ONCE):
            rows = select(search_posting).where(
                search_posting.c.block.in_(range(self._blocks)),
                search_posting.c.token.in_(wanted[start : start + _AT_ONCE]),
            )
            for block, token, docs in self._connection.execute(rows):
                if token not in self._kept:
                    self._kept[token] = self.none()
                self._kept[token][block * _BYTES : (block + 1) * _BYTES] = _bits(docs)

    def none(self) -> Bits:
        """Return the empty set."""
        return np.zeros(self._blocks * _BYTES, np.uint8)

    def every(self) -> Bits:
        """Return the set of everything."""
        return np.full(self._blocks * _BYTES, 0xFF, np.uint8)

    def of(self, token: int) -> Bits:
        """Return the entries that may have a token; not to be changed."""
        found = self._kept.get(token)
        return self.none() if found is None else found

    def all_of(self, tokens: Iterable[int]) -> Bits:
        """Return the entries that may have all of some tokens."""
        found = self.every()
        for token in tokens:
            found &= self.of(token)
        return found

    def any_of(self, tokens: Iterable[int]) -> Bits:
        """Return the entries that may have one of some tokens."""
        found = self.none()
        for token in tokens:
            found |= self.of(token)
        return found


def docs_in(bits: Bits, at_most: int) -> list[int]:
    """Return the first numbers of the entries of a set, in order."""
    holding = np.flatnonzero(bits)[:at_most]
    inside = np.unpackbits(bits[holding], bitorder="little").reshape(-1, 8)
    which, bit = np.nonzero(inside)
    numbers: list[int] = (holding[which] * 8 + bit)[:at_most].tolist()
    return numbers


def add(connection: Connection, tokens: Mapping[int, Iterable[int]]) -> None:
    """Note that some entries have some tokens. One thread alone does so.

    Args:
        connection: In a transaction that may write.
        tokens: Number of an entry -> its tokens.
    """
    new: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for doc, of_it in tokens.items():
        block, place = divmod(doc, BLOCK)
        in_block = new[block]
        for token in of_it:
            in_block[token].append(place)
    for block, places in new.items():
        _add_in(connection, block, places)


def _add_in(connection: Connection, block: int, places: Mapping[int, list[int]]) -> None:
    there: dict[int, bytes] = {}
    wanted = sorted(places)
    for start in range(0, len(wanted), _AT_ONCE):
        table = search_posting.c
        rows = select(table.token, table.docs).where(
            table.block == block, table.token.in_(wanted[start : start + _AT_ONCE])
        )
        there |= {row.token: row.docs for row in connection.execute(rows)}
    fresh: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for token in wanted:
        before = there.get(token)
        after = _with(before or b"", places[token])
        if before is None:
            fresh.append({"token": token, "block": block, "docs": after})
        elif after != before:
            changed.append({"of_token": token, "of_block": block, "new_docs": after})
    if fresh:
        connection.execute(insert(search_posting), fresh)
    if changed:
        connection.execute(_CHANGE, changed)


_CHANGE = (
    update(search_posting)
    .where(search_posting.c.token == bindparam("of_token"), search_posting.c.block == bindparam("of_block"))
    .values(docs=bindparam("new_docs"))
)


def _bits(docs: bytes) -> Bits:
    """Return a block as bits. It is kept as such when it is full length, else as the list of its places."""
    if len(docs) == _BYTES:
        return np.frombuffer(docs, np.uint8)
    bits = np.zeros(BLOCK, np.bool_)
    bits[np.frombuffer(docs, _OFFSET)] = True
    return np.packbits(bits, bitorder="little")


def _with(docs: bytes, places: Iterable[int]) -> bytes:
    """Return a block with more places in it."""
    if len(docs) == _BYTES:
        bits = np.unpackbits(np.frombuffer(docs, np.uint8), bitorder="little")
        bits[list(places)] = 1
        return np.packbits(bits, bitorder="little").tobytes()
    inside = sorted({*np.frombuffer(docs, _OFFSET).tolist(), *places})
    if len(inside) * _OFFSET.itemsize < _BYTES:
        return np.array(inside, _OFFSET).tobytes()
    bits = np.zeros(BLOCK, np.uint8)
    bits[inside] = 1
    return np.packbits(bits, bitorder="little").tobytes()
