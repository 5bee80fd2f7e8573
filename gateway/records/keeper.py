"""Keeps the write-ahead log of the records short, beside the thread that commits."""

from __future__ import annotations

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
        except SQLAlchemyError as error:  # a full disk, say: the log grows, the next round tries again
            log.warning("checkpoint_failed", error=str(error))
