"""Days of the calendar in China (UTC+8, without summer time), as records have them: ``YYYY-MM-DD``."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

__all__ = ["CHINA", "day_after", "day_of", "day_start_ms"]

CHINA: Final = timezone(timedelta(hours=8))
"""One time for the whole country, without summer time."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def day_of(at_ms: int) -> str:
    """Return the day on which a moment falls."""
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(CHINA).date().isoformat()


def day_after(day: str, days: int) -> str:
    """Return the day so many days after another; the last there is, where the calendar ends."""
    try:
        return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
    except OverflowError:
        return date.max.isoformat()


def day_start_ms(day: str) -> int:
    """Return when a day begins.

    Raises:
        ValueError: It is no day.
    """
    return round(datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=CHINA).timestamp() * 1000)
