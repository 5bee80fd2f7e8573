"""Writes every second how the agent is doing into its data directory, for `hazgate edge status`."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from pathlib import Path

import msgspec
import structlog

from config.clock import Clock
from config.contract.alarms import LocalAlarm
from config.contract.messages import EdgeStatus, decode, encode
from config.errors import ContractError
from config.settings import EdgeSettings
from edge.errors import DataDirectoryError
from edge.health import EdgeHealth
from edge.local_alarms import LocalAlarms
from edge.outbox_thread import OutboxThread

__all__ = ["FRESH_S", "REPORT_FILE", "EdgeReport", "Report", "read_report"]

REPORT_FILE = "status.json"
EVERY_S = 1.0
FRESH_S = 5.0
"""An older report tells of an agent that does not run, or cannot write."""
_RATE_OVER = 15
"""Reports from which the rate of a backlog is taken."""

log = structlog.get_logger(__name__)


class EdgeReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    written_ms: int
    """Edge clock; a file older than a few seconds tells of an agent that does not run."""
    pid: int
    edge: str
    plant_connected: bool
    uplink_connected: bool
    status: EdgeStatus
    faults: dict[str, str]
    """Name -> the latest error."""
    backlog_epochs: int
    oldest_ms: int
    """When the oldest frame that waits was made; 0 when none does."""
    max_bytes: int
    """Of the outbox; beyond it frames are shed."""
    alarms: tuple[LocalAlarm, ...]
    """Active by the edge's own judgement."""


def read_report(data_dir: Path) -> EdgeReport:
    """Read what an agent last wrote.

    Raises:
        DataDirectoryError: There is nothing, or it cannot be read.
    """
    path = data_dir / REPORT_FILE
    try:
        return decode(path.read_bytes(), EdgeReport)
    except FileNotFoundError:
        raise DataDirectoryError(f"{path}: no agent has run here; name the --data of `hazgate edge`") from None
    except (OSError, ContractError) as error:
        raise DataDirectoryError(f"{path}: {error}") from error


class Report:
    """Writes `EdgeReport` while the agent runs.

    Args:
        settings: Where.
        health: What is told; its backlog and alarm figures are kept here.
        alarms: What this edge has noticed.
        outbox: What waits.
        clock: Wall and monotonic.
    """

    def __init__(
        self, settings: EdgeSettings, health: EdgeHealth, alarms: LocalAlarms, outbox: OutboxThread, clock: Clock
    ) -> None:
        self._settings = settings
        self._path = settings.data_dir / REPORT_FILE
        self._health = health
        self._alarms = alarms
        self._outbox = outbox
        self._clock = clock
        self._backlogs: deque[tuple[float, int]] = deque(maxlen=_RATE_OVER)

    async def run(self) -> None:
        """Write, for ever; a disk that is full or failing is somebody else's news."""
        while True:
            self._measure()
            try:
                self._write()
            except OSError as error:
                log.debug("no report written", error=str(error))
            await asyncio.sleep(EVERY_S)

    def _measure(self) -> None:
        """Keep the figures that nobody else has."""
        self._health.local_alarms = len(self._alarms.active)
        waiting = self._outbox.state.backlog_frames
        if not waiting:
            self._backlogs.clear()
            self._health.backlog_eta_s = None
            return
        self._backlogs.append((self._clock.monotonic_s(), waiting))
        began_s, before = self._backlogs[0]
        gone, took_s = before - waiting, self._backlogs[-1][0] - began_s
        self._health.backlog_eta_s = round(waiting * took_s / gone) if gone > 0 else None

    def _write(self) -> None:
        state, now_ms = self._outbox.state, self._clock.wall_ms()
        waiting_ms = [epoch.oldest_ms for epoch in state.epochs if epoch.held_frames]
        report = EdgeReport(
            written_ms=now_ms,
            pid=os.getpid(),
            edge=self._settings.edge,
            plant_connected=self._health.plant_connected,
            uplink_connected=self._health.uplink_connected,
            status=self._health.status(online=True, at_ms=now_ms, software=""),
            faults=dict(self._health.faults),
            backlog_epochs=max(0, len(state.epochs) - 1),
            oldest_ms=min(waiting_ms, default=0),
            max_bytes=self._settings.outbox_max_bytes,
            alarms=tuple(self._alarms.active.values()),
        )
        new = self._path.with_suffix(".new")
        new.write_bytes(encode(report))
        new.replace(self._path)
