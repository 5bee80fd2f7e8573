"""The file of an outbox: its tables, earlier layouts brought up to date, and what SQLite says in our own words."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.reserve import Reserve
from edge.epochs import EpochState, OutboxState
from edge.errors import OutboxDamagedError, OutboxError

__all__ = ["VACUUM_PAGES", "load", "new_epoch_name", "oldest_of", "open_file", "tidy", "transaction", "translated"]

VACUUM_PAGES = 10_000
"""Given back to the disk at each opening, at most: 40 MB, well under a second."""

_VERSION = 2
_BUSY_WAIT_S = 2.0
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_BOTH = """
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    held_bytes INTEGER NOT NULL,
    last_batch TEXT NOT NULL
) STRICT;
CREATE TABLE epoch (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    first_id INTEGER NOT NULL,
    made_frames INTEGER NOT NULL,
    made_samples INTEGER NOT NULL,
    kept_frames INTEGER NOT NULL,
    shed_samples INTEGER NOT NULL
) STRICT;
CREATE INDEX frame_without_alarm ON frame (id) WHERE alarm = 0;
"""

_SCHEMA = f"""
CREATE TABLE frame (
    id INTEGER PRIMARY KEY,
    samples INTEGER NOT NULL,
    alarm INTEGER NOT NULL,
    made_ms INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE taken (id INTEGER PRIMARY KEY, keys BLOB NOT NULL) STRICT;
{_BOTH}"""

# In place: an outbox may hold gigabytes, on a disk that has no room for a copy.
_FROM_1 = f"""
ALTER TABLE outbox RENAME TO outbox_1;
ALTER TABLE frame RENAME COLUMN seq TO id;
ALTER TABLE frame ADD COLUMN alarm INTEGER NOT NULL DEFAULT 0;
ALTER TABLE frame ADD COLUMN made_ms INTEGER NOT NULL DEFAULT 0;
{_BOTH}
INSERT INTO outbox SELECT 1, held_bytes, last_batch FROM outbox_1;
INSERT INTO epoch SELECT 1, epoch, 1, made_frames, made_samples, kept_frames, shed_samples FROM outbox_1;
DROP TABLE outbox_1;
"""


def new_epoch_name() -> str:
    """Return a name no other epoch has."""
    return secrets.token_hex(16)


def open_file(path: Path, reserve: Reserve) -> tuple[sqlite3.Connection, OutboxState]:
    """Open an outbox file, made when it does not exist, with the reserve's space if there is no other.

    Raises:
        OutboxDamagedError: The file is no outbox.
        OutboxError: It cannot be opened now.
    """
    try:
        return _connect(path, reserve)
    except OutboxDamagedError:
        raise
    except OutboxError:
        if not reserve.give_up():
            raise
        return _connect(path, reserve)


def tidy(db: sqlite3.Connection, reserve: Reserve) -> None:
    """Give unused pages back to the disk, and write the log into the file.

    On a disk that is nearly full the outbox would otherwise sit on free pages of its own and find no space for
    its log. And after a failed fsync nobody knows what of the log is on disk: so it is written once more.
    """
    try:
        db.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise
        if reserve.give_up():
            tidy(db, reserve)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Do all or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite has rolled back by itself after a full disk or an I/O error
            db.execute("ROLLBACK")
        raise


@contextmanager
def translated() -> Iterator[None]:
    """Raise what SQLite raises as an error of ours."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        kind = OutboxDamagedError if code & 0xFF in _DAMAGE else OutboxError
        message = f"outbox: {error} ({getattr(error, 'sqlite_errorname', 'no code')})"
        raise kind(message) from error


def load(db: sqlite3.Connection) -> OutboxState:
    """Read the figures, and check that they fit the frames.

    Raises:
        OutboxDamagedError: They do not.
    """
    try:
        row = db.execute("SELECT held_bytes, last_batch FROM outbox").fetchone()
        columns = "number, name, first_id, made_frames, made_samples, kept_frames, shed_samples"
        found = db.execute(f"SELECT {columns} FROM epoch ORDER BY number").fetchall()
        epochs = tuple(_counted(db, *one) for one in found)
        (newest,) = db.execute("SELECT max(id) FROM frame").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # no such table, no such column
            message = f"outbox: the tables are not those of an outbox: {error}"
            raise OutboxDamagedError(message) from error
        raise
    if row is None or not epochs or (newest or 0) > epochs[-1].last_id:
        message = f"outbox: frames up to row {newest} are there, but the record of it says {row} {found}"
        raise OutboxDamagedError(message)
    return OutboxState(epochs, *row)


def oldest_of(db: sqlite3.Connection, epoch: EpochState) -> tuple[int, int]:
    """Return seq and time of the oldest frame of an epoch that is held; behind the last one when none is."""
    found = db.execute(
        "SELECT id, made_ms FROM frame WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1", (epoch.first_id, epoch.last_id)
    ).fetchone()
    return (epoch.made_frames + 1, 0) if found is None else (epoch.seq(found[0]), found[1])


def _connect(path: Path, reserve: Reserve) -> tuple[sqlite3.Connection, OutboxState]:
    with translated():
        db = sqlite3.connect(path, timeout=_BUSY_WAIT_S, isolation_level=None)
    try:
        with translated():
            _prepare(db, reserve)
            return db, load(db)
    except BaseException:
        db.close()
        raise


def _prepare(db: sqlite3.Connection, reserve: Reserve) -> None:
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # counts only before the first table is made
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA journal_mode = WAL")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > _VERSION:
        message = f"outbox: written by a newer HazGate (layout {version}, this one knows {_VERSION}); update the edge"
        raise OutboxError(message)
    if version < _VERSION:
        with transaction(db):
            for statement in (_SCHEMA if version == 0 else _FROM_1).split(";\n"):
                db.execute(statement)
            if version == 0:
                db.execute("INSERT INTO outbox VALUES (1, 0, '')")
                db.execute("INSERT INTO epoch VALUES (1, ?, 1, 0, 0, 0, 0)", (new_epoch_name(),))
            db.execute(f"PRAGMA user_version = {_VERSION}")
    tidy(db, reserve)


def _counted(
    db: sqlite3.Connection,
    number: int,
    name: str,
    first_id: int,
    made_frames: int,
    made_samples: int,
    kept_frames: int,
    shed_samples: int,
) -> EpochState:
    epoch = EpochState(
        number, name, first_id, made_frames, made_samples, kept_frames=kept_frames, shed_samples=shed_samples
    )
    count, newest = db.execute(
        "SELECT count(*), max(id) FROM frame WHERE id BETWEEN ? AND ?", (epoch.first_id, max(epoch.last_id, 0))
    ).fetchone()
    if newest is not None and newest != epoch.last_id:
        message = f"outbox: epoch {name} ends with frame {epoch.seq(newest)}, the record of it says {made_frames}"
        raise OutboxDamagedError(message)
    oldest, oldest_ms = oldest_of(db, epoch)
    return EpochState(
        number, name, first_id, made_frames, made_samples, kept_frames, count, oldest, oldest_ms, shed_samples
    )
