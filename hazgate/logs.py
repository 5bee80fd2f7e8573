"""How processes log: for people on a terminal, JSON lines otherwise; one event a line, never lost in buffers."""

from __future__ import annotations

import logging
import sys

import structlog

__all__ = ["log_for_operators"]


def log_for_operators(level: int = logging.INFO) -> None:
    """Set up structlog on standard error."""
    people = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if people else structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
