"""Housekeeping of the records beside the thread that commits: a short write-ahead log, no audit rows for ever."""

from __future__ import annotations

import sqlite3
import threading

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from config.clock import Clock
from gateway.records import audit
from gateway.records.database import checkpoint

__all__ = ["keep_audit", "keep_short"]

_EVERY_S = 0.5
_AUDIT_EVERY_S = 6 * 3600.0

log = structlog.get_logger(__name__)


def keep_short(engine: Engine, stop: threading.Event) -> None:
    """Checkpoint twice a second until ``stop`` is set.

    Args:
        engine: A connection of its own to the records database (not the writer's).
        stop: Ends it.
    """
    while not stop.wait(_EVERY_S):
        try:
            checkpoint(engine)
        except (SQLAlchemyError, sqlite3.Error) as error:
            # A full or failing disk, say. What was not moved stays in the log, and is written again the next time.
            log.warning("checkpoint_failed", error=str(error))


def keep_audit(engine: Engine, clock: Clock, keep_days: float, stop: threading.Event) -> None:
    """Let go of old audit rows now and every few hours, until ``stop`` is set.

    Args:
        engine: May write.
        clock: Wall.
        keep_days: See `gateway.records.audit.trim`.
        stop: Ends it.
    """
    while True:
        try:
            with engine.begin() as connection:
                audit.trim(connection, clock.wall_ms(), keep_days)
        except SQLAlchemyError as error:
            log.warning("audit_not_trimmed", error=str(error))
        if stop.wait(_AUDIT_EVERY_S):
            return
