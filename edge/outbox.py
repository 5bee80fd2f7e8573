"""The outbox: frames on disk until a gateway says that they are durable. Blocking; see `edge.outbox_thread`.

One SQLite file, WAL, ``synchronous=FULL``: what `Outbox.append` returned from survives a power cut. An epoch is
made with the file; within it the frames held are always ``oldest..made`` without a gap, because frames leave only
at the low end: confirmed, or shed when the outbox is full. Beside the file lies a `Reserve`, without which the
outbox on a full disk could not delete what a gateway keeps, and so would never get empty.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from config.contract.frame import Frame, encode_frame
from edge.errors import OutboxDamagedError, OutboxError
from edge.reading import Sample
from edge.reserve import Reserve

__all__ = ["FRAME_OVERHEAD_BYTES", "KEY_BYTES", "REMEMBERED", "Batch", "Outbox", "OutboxState", "StoredFrame"]

FRAME_OVERHEAD_BYTES = 64
"""What a frame costs on disk beside its body, about."""

KEY_BYTES = 8
"""Length of the key of a sample, by which a redelivered one is known."""

REMEMBERED = 65_536
"""How many keys are remembered, at least: more than a broker may have redelivered without our PUBACK (MQTT has
65 535 packet ids)."""

RESERVE_BYTES = 1024 * 1024
DELETE_FRAMES = 100
"""Deleted in one transaction, at most, so that what a deletion writes fits into the reserve."""

VACUUM_PAGES = 10_000
"""Given back to the disk at each opening, at most: 40 MB, well under a second."""

_VERSION = 1
_BUSY_WAIT_S = 2.0
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_SCHEMA = """
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch TEXT NOT NULL,
    made_frames INTEGER NOT NULL,
    made_samples INTEGER NOT NULL,
    kept_frames INTEGER NOT NULL,
    held_bytes INTEGER NOT NULL,
    shed_samples INTEGER NOT NULL,
    last_batch TEXT NOT NULL
) STRICT;
CREATE TABLE frame (seq INTEGER PRIMARY KEY, samples INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE taken (id INTEGER PRIMARY KEY, keys BLOB NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples to be put into the outbox in one transaction."""

    id: str
    """Unlike any other: a batch tried again after an error whose outcome is unknown is put in once."""
    made_ms: int
    """Edge clock, UTC; becomes ``sent_ms`` of its frames."""
    frames: Sequence[Sequence[Sample]]
    """The samples of each frame, in order; no frame is empty."""
    keys: Sequence[bytes] = ()
    """Of the samples that may be redelivered, `KEY_BYTES` each."""


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A frame as it waits, encoded without the flags of its envelope."""

    seq: int
    samples: int
    body: bytes


@dataclass(frozen=True, slots=True)
class OutboxState:
    """The figures of an outbox, all of its present epoch."""

    epoch: str = ""
    """Empty as long as no outbox could be opened."""
    made_frames: int = 0
    """Highest seq."""
    made_samples: int = 0
    kept_frames: int = 0
    """Highest seq a gateway confirmed."""
    oldest: int = 1
    """Lowest seq held; ``made_frames + 1`` when nothing is."""
    held_bytes: int = 0
    shed_samples: int = 0
    last_batch: str = ""

    @property
    def held_frames(self) -> int:
        """How many frames wait to be confirmed."""
        return self.made_frames - self.oldest + 1


class Outbox:
    """An open outbox. Every method but `seen` belongs on one and the same thread.

    Args:
        path: The database file; made, with a new epoch, when it does not exist.
        max_bytes: Above this the oldest frames are shed; the newest always stays.

    Raises:
        OutboxDamagedError: The file is no outbox.
        OutboxError: It cannot be opened now.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._batches: deque[tuple[int, list[bytes]]] = deque()
        self._remembered: set[bytes] = set()
        self._remembered_count = 0
        self._path = path
        self.state = OutboxState()
        """The figures now; replaced whole when a transaction has gone through."""
        self._reserve = Reserve(path.with_name(f"{path.name}.reserve"), min(RESERVE_BYTES, max_bytes))
        self._open()

    def append(self, batch: Batch) -> int:
        """Put a batch in, durably, shedding the oldest frames if it would not fit.

        Returns:
            How many samples were shed for it.

        Raises:
            OutboxError: Nothing was put in, or it is not known: try again with the same batch.
        """
        if batch.id == self.state.last_batch:
            return 0
        try:
            self._reserve.hold()
        except OSError as error:
            message = f"outbox: no disk space to spare: {error}"
            raise OutboxError(message) from error
        state, rows = self._numbered(batch)
        with _translated(), self._transaction():
            self._db.executemany("INSERT INTO frame VALUES (?, ?, ?)", rows)
            state, shed = self._shed(state)
            self._write(state)
            remembered = self._remember(batch.keys)
        self.state = state
        if remembered is not None:
            self._admit(remembered, batch.keys)
        return shed

    def confirm(self, epoch: str, upto: int) -> None:
        """Delete what a gateway keeps. Nothing happens for another epoch, or for less than was confirmed before.

        Raises:
            OutboxError: Nothing was deleted.
        """
        while epoch == self.state.epoch and self.state.kept_frames < upto <= self.state.made_frames:
            part = min(upto, max(self.state.kept_frames, self.state.oldest - 1) + DELETE_FRAMES)
            try:
                self._delete(part)
            except OutboxError:
                if not self._reserve.give_up():
                    raise
                self._delete(part)
                with _translated():
                    self._tidy()

    def read(self, after_seq: int, limit: int) -> list[StoredFrame]:
        """Return up to ``limit`` frames with a seq above ``after_seq``, in order.

        Raises:
            OutboxError: They cannot be read now.
        """
        with _translated():
            found = self._db.execute(
                "SELECT seq, samples, body FROM frame WHERE seq > ? ORDER BY seq LIMIT ?", (after_seq, limit)
            )
            return [StoredFrame(*row) for row in found]

    def seen(self, key: bytes) -> bool:
        """Say whether a sample with this key was put in lately. May be called from any thread."""
        return key in self._remembered

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _delete(self, upto: int) -> None:
        """Delete the confirmed frames up to ``upto``, in one transaction."""
        state = self.state
        with _translated(), self._transaction():
            (freed,) = self._db.execute(
                "SELECT coalesce(sum(length(body) + ?), 0) FROM frame WHERE seq <= ?", (FRAME_OVERHEAD_BYTES, upto)
            ).fetchone()
            self._db.execute("DELETE FROM frame WHERE seq <= ?", (upto,))
            state = replace(
                state,
                kept_frames=upto,
                oldest=max(state.oldest, upto + 1),
                held_bytes=state.held_bytes - freed,
            )
            self._write(state)
        self.state = state

    def _open(self) -> None:
        """Open the file, with the reserve's space if there is no other."""
        try:
            self._connect()
        except OutboxDamagedError:
            raise
        except OutboxError:
            if not self._reserve.give_up():
                raise
            self._connect()

    def _connect(self) -> None:
        with _translated():
            self._db = sqlite3.connect(self._path, timeout=_BUSY_WAIT_S, isolation_level=None)
        try:
            with _translated():
                self._prepare()
                self.state = self._load()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # counts only before the first table is made
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA journal_mode = WAL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            message = (
                f"outbox: written by a newer HazGate (layout {version}, this one knows {_VERSION}); update the edge"
            )
            raise OutboxError(message)
        if version == 0:
            self._make()
        self._tidy()

    def _tidy(self) -> None:
        """Give unused pages back to the disk, and write the log into the file.

        On a disk that is nearly full the outbox would otherwise sit on free pages of its own and find no space for
        its log. And after a failed fsync nobody knows what of the log is on disk: so it is written once more.
        """
        try:
            self._db.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            if self._reserve.give_up():
                self._tidy()

    def _make(self) -> None:
        with self._transaction():
            for statement in _SCHEMA.split(";\n"):
                self._db.execute(statement)
            self._db.execute("INSERT INTO outbox VALUES (1, ?, 0, 0, 0, 0, 0, '')", (secrets.token_hex(16),))
            self._db.execute(f"PRAGMA user_version = {_VERSION}")

    def _load(self) -> OutboxState:
        try:
            row = self._db.execute(
                "SELECT epoch, made_frames, made_samples, kept_frames, held_bytes, shed_samples, last_batch FROM outbox"
            ).fetchone()
            (oldest,) = self._db.execute("SELECT min(seq) FROM frame").fetchone()
            (newest,) = self._db.execute("SELECT max(seq) FROM frame").fetchone()
            for id_, keys in self._db.execute("SELECT id, keys FROM taken ORDER BY id"):
                self._admit(id_, [keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # no such table, no such column
                message = f"outbox: the tables are not those of an outbox: {error}"
                raise OutboxDamagedError(message) from error
            raise
        if row is None or (newest is not None and newest != row[1]):
            message = f"outbox: frames up to {newest} are there, but the record of it says {row}"
            raise OutboxDamagedError(message)
        epoch, made_frames, made_samples, kept_frames, held_bytes, shed_samples, last_batch = row
        first = made_frames + 1 if oldest is None else oldest
        return OutboxState(epoch, made_frames, made_samples, kept_frames, first, held_bytes, shed_samples, last_batch)

    def _numbered(self, batch: Batch) -> tuple[OutboxState, list[tuple[int, int, bytes]]]:
        """Give the frames of a batch their seq; return the state with them, and their rows."""
        state = self.state
        rows = []
        for seq, samples in enumerate(batch.frames, start=state.made_frames + 1):
            rows.append((seq, len(samples), _encoded(state.epoch, seq, batch.made_ms, samples)))
        return replace(
            state,
            made_frames=state.made_frames + len(rows),
            made_samples=state.made_samples + sum(samples for _, samples, _ in rows),
            held_bytes=state.held_bytes + sum(len(body) + FRAME_OVERHEAD_BYTES for _, _, body in rows),
            last_batch=batch.id,
        ), rows

    def _shed(self, state: OutboxState) -> tuple[OutboxState, int]:
        """Delete the oldest frames until the rest fits; the newest always stays."""
        if state.held_bytes <= self._max_bytes:
            return state, 0
        shed, oldest, held_bytes = 0, state.oldest, state.held_bytes
        found = self._db.execute(
            "SELECT seq, samples, length(body) FROM frame WHERE seq < ? ORDER BY seq", (state.made_frames,)
        )
        for seq, samples, size in found:
            if held_bytes <= self._max_bytes:
                break
            shed, oldest, held_bytes = shed + samples, seq + 1, held_bytes - size - FRAME_OVERHEAD_BYTES
        found.close()
        self._db.execute("DELETE FROM frame WHERE seq < ?", (oldest,))
        state = replace(state, oldest=oldest, held_bytes=held_bytes, shed_samples=state.shed_samples + shed)
        return state, shed

    def _write(self, state: OutboxState) -> None:
        self._db.execute(
            "UPDATE outbox SET made_frames = ?, made_samples = ?, kept_frames = ?, held_bytes = ?, shed_samples = ?,"
            " last_batch = ?",
            (
                state.made_frames,
                state.made_samples,
                state.kept_frames,
                state.held_bytes,
                state.shed_samples,
                state.last_batch,
            ),
        )

    def _remember(self, keys: Sequence[bytes]) -> int | None:
        """Write the keys of a batch, delete those too old to matter; returns the id of the row."""
        if not keys:
            return None
        after = self._remembered_count + len(keys)
        for id_, old in self._batches:
            after -= len(old)
            if after < REMEMBERED:
                break
            self._db.execute("DELETE FROM taken WHERE id = ?", (id_,))
        return self._db.execute("INSERT INTO taken (keys) VALUES (?)", (b"".join(keys),)).lastrowid

    def _admit(self, id_: int, keys: Sequence[bytes]) -> None:
        """Do in memory what `_remember` did on disk."""
        self._batches.append((id_, list(keys)))
        self._remembered.update(keys)
        self._remembered_count += len(keys)
        while self._remembered_count - len(self._batches[0][1]) >= REMEMBERED:
            _, old = self._batches.popleft()
            self._remembered.difference_update(old)
            self._remembered_count -= len(old)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite has rolled back by itself after a full disk or an I/O error
                self._db.execute("ROLLBACK")
            raise


@contextmanager
def _translated() -> Iterator[None]:
    """Raise what SQLite raises as an error of ours."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        kind = OutboxDamagedError if code & 0xFF in _DAMAGE else OutboxError
        message = f"outbox: {error} ({getattr(error, 'sqlite_errorname', 'no code')})"
        raise kind(message) from error


def _encoded(epoch: str, seq: int, made_ms: int, samples: Sequence[Sample]) -> bytes:
    return encode_frame(
        Frame(
            schema=1,
            epoch=epoch,
            seq=seq,
            sent_ms=made_ms,
            tags=[sample.tag for sample in samples],
            times_ms=[sample.time_ms for sample in samples],
            values=[sample.value for sample in samples],
            quality=[int(sample.severity) for sample in samples],
            reasons={str(at): sample.reason.name.lower() for at, sample in enumerate(samples) if sample.reason},
        )
    )
