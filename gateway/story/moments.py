"""Moments as a clock in Beijing shows them, which is where the sheet is read."""

from __future__ import annotations

from datetime import UTC, datetime

from config.days import CHINA

__all__ = ["clock_text", "day_text", "moment_text"]


def moment_text(at_ms: int | None) -> str:
    """Write a moment with its day; a dash for none."""
    return "–" if at_ms is None else _at(at_ms).strftime("%Y-%m-%d %H:%M:%S")


def clock_text(at_ms: int) -> str:
    """Write a moment of these days."""
    return _at(at_ms).strftime("%m-%d %H:%M:%S")


def day_text(at_ms: int) -> str:
    """Write a day, ``YYYY-MM-DD``."""
    return _at(at_ms).date().isoformat()


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(CHINA)
