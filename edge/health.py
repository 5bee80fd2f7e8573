"""How an edge agent is doing: counters and faults, written by its parts, read by its status and by whoever asks."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import structlog

from config.contract.messages import EdgeStatus
from edge.epochs import OutboxState

__all__ = ["EdgeHealth"]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class EdgeHealth:
    """One object per running agent; only its event loop touches it."""

    outbox: OutboxState = field(default_factory=OutboxState)
    plant_connected: bool = False
    uplink_connected: bool = False
    kept_frames: int = 0
    """Highest seq of the present epoch that a gateway confirmed; may be ahead of what is deleted."""
    readings: int = 0
    """Taken from drivers since start, redelivered ones not counted."""
    sent_frames: int = 0
    """Published since start, repetitions counted."""
    resends: int = 0
    """Times the uplink went back to the oldest frame."""
    refused_frames: int = 0
    """Dead-lettered by a gateway, since start."""
    ignored_kept: int = 0
    """`kept` messages since start that were rubbish, of another epoch, or claimed more than was ever made."""
    unreadable: Counter[str] = field(default_factory=Counter)
    """Sensor payloads not understood or not wanted, by reason, since start."""
    backlog_eta_s: int | None = None
    """When the backlog will be gone at its present rate."""
    local_alarms: int = 0
    """Active by the judgement of this edge."""
    faults: dict[str, str] = field(default_factory=dict)
    """What does not work now: name -> the latest error."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something happened that the status should tell at once."""

    @property
    def made(self) -> int:
        """Samples of this epoch ever put into the outbox."""
        return self.outbox.made_samples

    @property
    def depth(self) -> int:
        """Frames in the outbox."""
        return self.outbox.held_frames

    @property
    def shed(self) -> int:
        """Samples of this epoch shed because the outbox was full."""
        return self.outbox.shed_samples

    def expect(self, name: str) -> None:
        """Note that something does not work yet: told in the status, but no news until it fails."""
        self.faults.setdefault(name, "")

    def fail(self, name: str, error: str) -> None:
        """Note that something does not work; logged when it is new."""
        if not self.faults.get(name):
            log.error("fault", name=name, error=error)
            self.changed.set()
        self.faults[name] = error

    def mend(self, name: str) -> None:
        """Note that something works (again)."""
        if self.faults.pop(name, None) is not None:
            log.info("fault over", name=name)
            self.changed.set()

    def status(self, *, online: bool, at_ms: int, software: str) -> EdgeStatus:
        """Return all this as the edge tells it."""
        outbox = self.outbox
        return EdgeStatus(
            online=online,
            at_ms=at_ms,
            epoch=outbox.epoch,
            made_samples=outbox.made_samples,
            made_frames=outbox.made_frames,
            kept_frames=max(self.kept_frames, outbox.kept_frames),
            outbox_frames=outbox.held_frames,
            outbox_bytes=outbox.held_bytes,
            shed_samples=outbox.shed_samples,
            backlog_frames=outbox.backlog_frames,
            backlog_eta_s=self.backlog_eta_s,
            local_alarms=self.local_alarms,
            unreadable=dict(self.unreadable),
            faults=tuple(sorted(self.faults)),
            software=software,
        )
