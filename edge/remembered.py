"""Keys of the samples put in lately, on disk and in memory: how a redelivered sample is known."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Sequence

__all__ = ["KEY_BYTES", "REMEMBERED", "Remembered"]

KEY_BYTES = 8
"""Length of a key."""

REMEMBERED = 65_536
"""How many keys are remembered, at least: more than a broker may have redelivered without our PUBACK (MQTT has
65 535 packet ids)."""


class Remembered:
    """The keys of an outbox, a row for each batch. Only `knows` may be called from any thread."""

    def __init__(self) -> None:
        self._batches: deque[tuple[int, list[bytes]]] = deque()
        self._keys: set[bytes] = set()
        self._count = 0

    def load(self, db: sqlite3.Connection) -> None:
        """Read what is on disk."""
        for row, keys in db.execute("SELECT id, keys FROM taken ORDER BY id"):
            self.admit(row, [keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)])

    def write(self, db: sqlite3.Connection, keys: Sequence[bytes]) -> int | None:
        """Write the keys of a batch, delete those too old to matter; returns the row, to be admitted once durable."""
        if not keys:
            return None
        after = self._count + len(keys)
        for row, old in self._batches:
            after -= len(old)
            if after < REMEMBERED:
                break
            db.execute("DELETE FROM taken WHERE id = ?", (row,))
        return db.execute("INSERT INTO taken (keys) VALUES (?)", (b"".join(keys),)).lastrowid

    def admit(self, row: int, keys: Sequence[bytes]) -> None:
        """Do in memory what `write` did on disk."""
        self._batches.append((row, list(keys)))
        self._keys.update(keys)
        self._count += len(keys)
        while self._count - len(self._batches[0][1]) >= REMEMBERED:
            _, old = self._batches.popleft()
            self._keys.difference_update(old)
            self._count -= len(old)

    def knows(self, key: bytes) -> bool:
        """Say whether a sample with this key was put in lately."""
        return key in self._keys
