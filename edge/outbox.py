"""The outbox: frames on disk until a gateway says that they are durable. Blocking; see `edge.outbox_thread`.

One SQLite file, WAL, ``synchronous=FULL``: what `Outbox.append` returned from survives a power cut. Frames go into the
live epoch; `Outbox.begin_epoch` turns it into backlog and makes another one. Frames leave when they are confirmed, or
are shed when the outbox is full. Beside the file lies a `Reserve`, without which the outbox on a full disk could not
delete what a gateway keeps, and so would never get empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from config.contract.frame import Frame, encode_frame
from config.reserve import Reserve
from edge.epochs import EpochState, OutboxState
from edge.errors import OutboxError
from edge.outbox_file import new_epoch_name, oldest_of, open_file, tidy, transaction, translated
from edge.reading import Sample
from edge.remembered import Remembered

__all__ = ["FRAME_OVERHEAD_BYTES", "Batch", "Outbox", "StoredFrame"]

FRAME_OVERHEAD_BYTES = 64
"""What a frame costs on disk beside its body, about."""

RESERVE_BYTES = 1024 * 1024
DELETE_FRAMES = 100
"""Deleted in one transaction, at most, so that what a deletion writes fits into the reserve."""


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
    """Of the samples that may be redelivered, `edge.remembered.KEY_BYTES` each."""
    alarms: Sequence[bool] = ()
    """Which frames tell of an alarm, and so are shed last; those not named do not."""


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A frame as it waits, encoded without the flags of its envelope."""

    seq: int
    samples: int
    made_ms: int
    """Edge clock; 0: nobody knows."""
    body: bytes


class Outbox:
    """An open outbox. Every method but `seen` belongs on one and the same thread.

    Args:
        path: The database file; made, with a new epoch, when it does not exist.
        max_bytes: Above this frames are shed: the oldest first, those that tell of an alarm after all others, and the
            newest of an epoch never, for it tells the gateway what it need not wait for.

    Raises:
        OutboxDamagedError: The file is no outbox.
        OutboxError: It cannot be opened now.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._reserve = Reserve(path.with_name(f"{path.name}.reserve"), min(RESERVE_BYTES, max_bytes))
        self._db, self.state = open_file(path, self._reserve)
        """The figures now; replaced whole when a transaction has gone through."""
        self._remembered = Remembered()
        with translated():
            self._remembered.load(self._db)

    def append(self, batch: Batch) -> int:
        """Put a batch into the live epoch, durably, shedding other frames if it would not fit.

        Returns:
            How many samples were shed for it.

        Raises:
            OutboxError: Nothing was put in, or it is not known: try again with the same batch.
        """
        if batch.id == self.state.last_batch:
            return 0
        self._hold_reserve()
        state, rows = self._numbered(batch)
        with translated(), transaction(self._db):
            self._db.executemany("INSERT INTO frame (id, samples, alarm, made_ms, body) VALUES (?, ?, ?, ?, ?)", rows)
            state, shed = self._shed(state)
            self._write(state)
            row = self._remembered.write(self._db, batch.keys)
        self.state = state
        if row is not None:
            self._remembered.admit(row, batch.keys)
        return shed

    def begin_epoch(self) -> None:
        """Begin another epoch for what comes from now on. Nothing happens when the live one holds nothing.

        Raises:
            OutboxError: The old one goes on, or it is not known.
        """
        live = self.state.live
        if not live.held_frames:
            return
        self._hold_reserve()
        fresh = EpochState(number=live.number + 1, name=new_epoch_name(), first_id=live.last_id + 1)
        with translated(), transaction(self._db):
            self._db.execute(
                "INSERT INTO epoch VALUES (?, ?, ?, 0, 0, 0, 0)", (fresh.number, fresh.name, fresh.first_id)
            )
        self.state = replace(self.state, epochs=(*self.state.epochs, fresh))

    def confirm(self, epoch: str, upto: int) -> None:
        """Delete what a gateway keeps, and an earlier epoch of which nothing is left.

        Nothing happens for another epoch, or for less than was confirmed before.

        Raises:
            OutboxError: Nothing was deleted.
        """
        while (found := self.state.find(epoch)) and found.kept_frames < upto <= found.made_frames:
            part = min(upto, max(found.kept_frames, found.oldest - 1) + DELETE_FRAMES)
            try:
                self._delete(found, part)
            except OutboxError:
                if not self._reserve.give_up():
                    raise
                self._delete(found, part)
                with translated():
                    tidy(self._db, self._reserve)

    def read(self, epoch: str, after_seq: int, limit: int) -> list[StoredFrame]:
        """Return up to ``limit`` frames of an epoch with a seq above ``after_seq``, in order.

        Raises:
            OutboxError: They cannot be read now.
        """
        found = self.state.find(epoch)
        if found is None:
            return []
        span = (found.row(after_seq + 1), found.last_id, limit)
        with translated():
            rows = self._db.execute(
                "SELECT id, samples, made_ms, body FROM frame WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?", span
            )
            return [StoredFrame(found.seq(row), *rest) for row, *rest in rows]

    def seen(self, key: bytes) -> bool:
        """Say whether a sample with this key was put in lately. May be called from any thread."""
        return self._remembered.knows(key)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _hold_reserve(self) -> None:
        try:
            self._reserve.hold()
        except OSError as error:
            message = f"outbox: no disk space to spare: {error}"
            raise OutboxError(message) from error

    def _delete(self, epoch: EpochState, upto: int) -> None:
        """Delete the confirmed frames of an epoch up to ``upto``, in one transaction."""
        span = (epoch.first_id, epoch.row(upto))
        with translated(), transaction(self._db):
            gone, freed = self._db.execute(
                "SELECT count(*), coalesce(sum(length(body) + ?), 0) FROM frame WHERE id BETWEEN ? AND ?",
                (FRAME_OVERHEAD_BYTES, *span),
            ).fetchone()
            self._db.execute("DELETE FROM frame WHERE id BETWEEN ? AND ?", span)
            left = replace(epoch, kept_frames=upto, held_frames=epoch.held_frames - gone)
            epochs = self.state.replaced(self._aged(left))
            if not left.held_frames and epoch.number != self.state.live.number:
                epochs = tuple(one for one in epochs if one.number != epoch.number)
                self._db.execute("DELETE FROM epoch WHERE number = ?", (epoch.number,))
            state = replace(self.state, epochs=epochs, held_bytes=self.state.held_bytes - freed)
            self._write(state)
        self.state = state

    def _aged(self, epoch: EpochState) -> EpochState:
        """Look again which frame is the oldest."""
        oldest, oldest_ms = oldest_of(self._db, epoch)
        return replace(epoch, oldest=oldest, oldest_ms=oldest_ms)

    def _numbered(self, batch: Batch) -> tuple[OutboxState, list[tuple[int, int, bool, int, bytes]]]:
        """Give the frames of a batch their seq; return the state with them, and their rows."""
        live = self.state.live
        alarms = (*batch.alarms, *(False for _ in batch.frames[len(batch.alarms) :]))
        rows = []
        for seq, samples, alarm in zip(count(live.made_frames + 1), batch.frames, alarms, strict=False):
            body = _encoded(live.name, seq, batch.made_ms, samples)
            rows.append((live.row(seq), len(samples), alarm, batch.made_ms, body))
        live = replace(
            live,
            made_frames=live.made_frames + len(rows),
            made_samples=live.made_samples + sum(row[1] for row in rows),
            held_frames=live.held_frames + len(rows),
            oldest_ms=live.oldest_ms if live.held_frames else batch.made_ms,
        )
        held_bytes = self.state.held_bytes + sum(len(row[-1]) + FRAME_OVERHEAD_BYTES for row in rows)
        return OutboxState(self.state.replaced(live), held_bytes, batch.id), rows

    def _shed(self, state: OutboxState) -> tuple[OutboxState, int]:
        """Delete frames until the rest fits, in the order the class states."""
        total = 0
        for alarm in (0, 1):
            if state.held_bytes <= self._max_bytes:
                break
            state, shed = self._shed_those(state, alarm)
            total += shed
        return state, total

    def _shed_those(self, state: OutboxState, alarm: int) -> tuple[OutboxState, int]:
        """Delete the oldest frames that tell of an alarm, or those that do not, until the rest fits."""
        newest = {epoch.last_id for epoch in state.epochs}
        gone: list[int] = []
        shed = dict.fromkeys((epoch.number for epoch in state.epochs), 0)
        held_bytes = state.held_bytes
        epochs = iter(state.epochs)
        epoch = next(epochs)
        found = self._db.execute(f"SELECT id, samples, length(body) FROM frame WHERE alarm = {alarm:d} ORDER BY id")
        for row, samples, size in found:
            if held_bytes <= self._max_bytes:
                break
            while row > epoch.last_id:
                epoch = next(epochs)
            if row not in newest:
                gone.append(row)
                shed[epoch.number] += samples
                held_bytes -= size + FRAME_OVERHEAD_BYTES
        found.close()
        self._db.executemany("DELETE FROM frame WHERE id = ?", [(row,) for row in gone])
        thinner = tuple(self._thinned(epoch, gone, shed[epoch.number]) for epoch in state.epochs)
        return replace(state, epochs=thinner, held_bytes=held_bytes), sum(shed.values())

    def _thinned(self, epoch: EpochState, gone: Sequence[int], shed: int) -> EpochState:
        fewer = sum(epoch.first_id <= row <= epoch.last_id for row in gone)
        if not fewer:
            return epoch
        return self._aged(replace(epoch, held_frames=epoch.held_frames - fewer, shed_samples=epoch.shed_samples + shed))

    def _write(self, state: OutboxState) -> None:
        """Write the figures that are not those on disk."""
        self._db.execute("UPDATE outbox SET held_bytes = ?, last_batch = ?", (state.held_bytes, state.last_batch))
        changed = [epoch for epoch in state.epochs if epoch not in self.state.epochs]
        self._db.executemany(
            "UPDATE epoch SET made_frames = ?, made_samples = ?, kept_frames = ?, shed_samples = ? WHERE number = ?",
            [
                (epoch.made_frames, epoch.made_samples, epoch.kept_frames, epoch.shed_samples, epoch.number)
                for epoch in changed
            ],
        )


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
