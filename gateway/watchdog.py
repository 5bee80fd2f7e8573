"""Tells systemd that the gateway is ready and goes round (sd_notify); tells nobody where nobody listens."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import structlog

from config.clock import Clock
from gateway.api.live_views import ALIVE_S, beat_age_ms
from gateway.live import Board

__all__ = ["Watchdog"]

_EVERY_S = 5.0
"""Several times within the ``WatchdogSec=30`` of the units."""

log = structlog.get_logger(__name__)


class Watchdog:
    """Runs on the event loop, so that one that stands still is noticed as well as a pipeline that does.

    Args:
        board: Where the pipeline shows its beat.
        clock: Monotonic.
        address: Of systemd's socket (``NOTIFY_SOCKET``); empty: there is none.
    """

    def __init__(self, board: Board, clock: Clock, address: str) -> None:
        self._board = board
        self._clock = clock
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._silent = False

    async def run(self) -> None:
        """Say ready, then alive again and again, for as long as it is true. Until it is cancelled."""
        if self._address:
            self._say("READY=1")
            while True:
                self.turn()
                await asyncio.sleep(_EVERY_S)

    def turn(self) -> None:
        """Say that the gateway is alive, if it is by the measure of ``/livez``: a first replay may take long."""
        if (beat_age_ms(self._board, self._clock) or 0) < ALIVE_S * 1000:
            self._say("WATCHDOG=1")

    def _say(self, text: str) -> None:
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)) as sender:
            try:
                sender.sendto(text.encode(), self._address)
                self._silent = False
            except OSError as error:
                if not self._silent:
                    log.warning("systemd_does_not_hear", error=str(error), address=self._address)
                self._silent = True
