"""The outbox as the event loop sees it: every call runs on one thread of its own and is awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import structlog

from config.clock import Clock
from edge.epochs import OutboxState
from edge.errors import OutboxDamagedError, OutboxError
from edge.outbox import Batch, Outbox, StoredFrame

__all__ = ["OutboxThread"]

log = structlog.get_logger(__name__)

T = TypeVar("T")


class OutboxThread:
    """Opens the outbox when it is needed, and again after every error; moves a damaged file aside.

    Args:
        path: The database file.
        max_bytes: See `Outbox`.
        clock: Names a damaged file that was moved aside.
    """

    def __init__(self, path: Path, max_bytes: int, clock: Clock) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._clock = clock
        self._outbox: Outbox | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbox")
        self.state = OutboxState()
        """The latest figures; replaced whole."""

    async def open(self) -> None:
        """Open the outbox if it is not.

        Raises:
            OutboxError: It cannot be opened now.
        """
        await self._run(lambda _: None)

    async def append(self, batch: Batch) -> int:
        """See `Outbox.append`."""
        return await self._run(lambda outbox: outbox.append(batch))

    async def confirm(self, epoch: str, upto: int) -> None:
        """See `Outbox.confirm`."""
        await self._run(lambda outbox: outbox.confirm(epoch, upto))

    async def begin_epoch(self) -> None:
        """See `Outbox.begin_epoch`."""
        await self._run(lambda outbox: outbox.begin_epoch())

    async def read(self, epoch: str, after_seq: int, limit: int) -> list[StoredFrame]:
        """See `Outbox.read`."""
        return await self._run(lambda outbox: outbox.read(epoch, after_seq, limit))

    def seen(self, key: bytes) -> bool:
        """See `Outbox.seen`; nothing has been seen while there is no outbox."""
        outbox = self._outbox
        return outbox is not None and outbox.seen(key)

    async def close(self) -> None:
        """Close the file and end the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._drop)
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[Outbox], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._attempt, work)

    def _attempt(self, work: Callable[[Outbox], T]) -> T:
        """Do one thing with the outbox. After an error it is opened afresh next time."""
        try:
            if self._outbox is None:
                self._outbox = self._open()
            result = work(self._outbox)
        except OutboxError as error:
            self._drop()
            if isinstance(error, OutboxDamagedError):
                self._set_aside(error)
            raise
        self.state = self._outbox.state
        return result

    def _open(self) -> Outbox:
        try:
            outbox = Outbox(self._path, self._max_bytes)
        except OutboxDamagedError as error:
            self._set_aside(error)
            outbox = Outbox(self._path, self._max_bytes)
        state = outbox.state
        say = log.debug if state.epoch == self.state.epoch else log.info
        say("outbox open", epoch=state.epoch, frames=state.held_frames, made=state.made_frames)
        return outbox

    def _drop(self) -> None:
        if self._outbox is not None:
            self._outbox.close()
            self._outbox = None

    def _set_aside(self, error: OutboxError) -> None:
        """Rename the damaged file and what belongs to it, so that a new epoch can begin.

        Raises:
            OutboxError: It cannot be renamed now.
        """
        aside = self._path.with_name(f"{self._path.name}.damaged-{self._clock.wall_ms()}")
        try:
            for suffix in ("-shm", "-wal", ""):
                part = self._path.with_name(self._path.name + suffix)
                if part.exists():
                    part.rename(aside.with_name(aside.name + suffix))
        except OSError as failed:
            message = f"outbox: damaged ({error}), and it cannot be moved aside: {failed}"
            raise OutboxError(message) from failed
        log.error(
            "outbox damaged: moved aside, a new epoch begins; frames in it that no gateway kept are not sent",
            error=str(error),
            moved_to=str(aside),
            last_known=self.state.made_frames,
        )
