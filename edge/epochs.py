"""The figures of an outbox: one live epoch, and before it those that wait to be drained as backlog."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EpochState", "OutboxState"]


@dataclass(frozen=True, slots=True)
class EpochState:
    """One epoch: a stream of frames numbered from 1 without gaps, of which those held may have been thinned out."""

    number: int = 0
    """Rises with every epoch of this outbox."""
    name: str = ""
    """As on the wire; empty as long as no outbox could be opened."""
    first_id: int = 1
    """Row of its first frame: the frame with ``seq`` lies in row ``first_id + seq - 1``."""
    made_frames: int = 0
    """Highest seq."""
    made_samples: int = 0
    kept_frames: int = 0
    """Highest seq a gateway confirmed."""
    held_frames: int = 0
    """How many wait to be confirmed."""
    oldest: int = 1
    """Lowest seq held; ``made_frames + 1`` when nothing is."""
    oldest_ms: int = 0
    """When that frame was made, edge clock; 0 when none is held or nobody knows."""
    shed_samples: int = 0

    @property
    def last_id(self) -> int:
        """Row of its newest frame."""
        return self.first_id + self.made_frames - 1

    def row(self, seq: int) -> int:
        """Return the row of a frame."""
        return self.first_id + seq - 1

    def seq(self, row: int) -> int:
        """Return the seq of the frame in a row."""
        return row - self.first_id + 1


_NONE = EpochState()


@dataclass(frozen=True, slots=True)
class OutboxState:
    """All of an outbox. The figures without a qualifier are those of the live epoch."""

    epochs: tuple[EpochState, ...] = ()
    """Oldest first; the last one is live. Empty as long as no outbox could be opened."""
    held_bytes: int = 0
    last_batch: str = ""

    @property
    def live(self) -> EpochState:
        """The epoch that new frames go into."""
        return self.epochs[-1] if self.epochs else _NONE

    @property
    def backlog(self) -> EpochState | None:
        """The oldest epoch, when it is not the live one."""
        return self.epochs[0] if len(self.epochs) > 1 else None

    @property
    def epoch(self) -> str:
        """Name of the live epoch."""
        return self.live.name

    @property
    def made_frames(self) -> int:
        """Highest seq."""
        return self.live.made_frames

    @property
    def made_samples(self) -> int:
        """Samples ever put into the live epoch."""
        return self.live.made_samples

    @property
    def kept_frames(self) -> int:
        """Highest seq a gateway confirmed."""
        return self.live.kept_frames

    @property
    def shed_samples(self) -> int:
        """Samples of the live epoch that were shed."""
        return self.live.shed_samples

    @property
    def held_frames(self) -> int:
        """Frames of all epochs that wait to be confirmed."""
        return sum(epoch.held_frames for epoch in self.epochs)

    @property
    def backlog_frames(self) -> int:
        """Of which in earlier epochs."""
        return self.held_frames - self.live.held_frames

    def find(self, name: str) -> EpochState | None:
        """Return the epoch of this name."""
        return next((epoch for epoch in self.epochs if epoch.name == name), None)

    def replaced(self, changed: EpochState) -> tuple[EpochState, ...]:
        """Return the epochs with one of them changed."""
        return tuple(changed if epoch.number == changed.number else epoch for epoch in self.epochs)
