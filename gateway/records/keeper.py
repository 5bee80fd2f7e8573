"""Keeps the write-ahead log of the records short, beside the thread that commits."""

from __future__ import annotations

import sqlite3
import threading

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.records.database import checkpoint

__all__ = ["keep_short"]

_EVERY_S = 0.5

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
