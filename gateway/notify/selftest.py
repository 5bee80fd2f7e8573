"""The daily message from one end to the other: when it is due, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from config.duty.model import Duty, SelfTest
from config.plant.model import Plant
from gateway.notify.letters import Letter, key_of, payload_of
from gateway.notify.port import Kind
from gateway.notify.roster import Swap, moment_ms, on_duty

__all__ = ["day_of", "tests_of"]


def day_of(test: SelfTest, now_ms: int) -> str:
    """Return the day whose test is the last one that should have been made."""
    day = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZoneInfo(test.zone)).date()
    if moment_ms(day, test.at, test.zone) > now_ms:
        day -= timedelta(days=1)
    return day.isoformat()


def tests_of(test: SelfTest, duty: Duty, swaps: Sequence[Swap], plant: Plant, now_ms: int) -> Iterator[Letter]:
    """Yield the test of the day for every channel; made again, it has the same key."""
    people = on_duty(duty, test.role, swaps, now_ms)
    for channel in test.channels:
        yield Letter(
            key=key_of(Kind.SELF_TEST.value, day_of(test, now_ms), channel),
            kind=Kind.SELF_TEST,
            ladder="",
            tier=0,
            alarm_ids=(),
            alarmed_ms=None,
            turn=0,
            role=test.role,
            people=people,
            channel=channel,
            deadline_ms=now_ms + test.within_ms,
            payload=payload_of(Kind.SELF_TEST, (), plant, duty.zone, ""),
            created_ms=now_ms,
            next_try_ms=now_ms,
        )
