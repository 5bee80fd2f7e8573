"""What is to be done now about one alarm on one ladder. Pure: an alarm row, how far it has come, the time.

========================================  =========================================================================
the alarm                                 is
========================================  =========================================================================
not told, retrospective, acknowledged     at rest
told anew (raised, tier risen, ...)       at the first step, at once, even when it is over by then: it was missed
over                                      at rest
at a step whose wait has passed           at the next step; after the last one, at the last one again
in quiet hours (never red)                at rest until they end, or for good
========================================  =========================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from config.duty.model import Ladder, Quiet
from gateway.notify.roster import moment_ms

__all__ = ["GOES_ON", "RED", "Progress", "Take", "begin", "hasten", "quiet_until_ms", "take"]

RED = 1
_NEVER_MS = 1 << 62
GOES_ON = frozenset({"active", "latched"})
"""States of an alarm whose condition holds, or that stays until somebody has seen it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an alarm has come on a ladder."""

    alarmed_ms: int
    """With the tier: which of its lives this is about."""
    tier: int
    taken: int
    """Steps taken so far, repetitions of the last one included."""
    due_ms: int | None
    """When the next step is to be taken; None: none is."""


@dataclass(frozen=True, slots=True)
class Take:
    """What is to be done now, and how far the alarm has come with that."""

    progress: Progress
    turn: int | None
    """Which step is to be taken now, repetitions counted; None: none."""
    step: int = 0
    """Position of that step on the ladder."""


def begin(row: Mapping[str, Any], progress: Progress | None) -> Progress:
    """Return how far an alarm has come: from the start when it was alarmed anew."""
    life = int(row["alarmed_ms"]), int(row["tier"])
    if progress is not None and (progress.alarmed_ms, progress.tier) == life:
        return progress
    return Progress(*life, taken=0, due_ms=life[0])


def take(row: Mapping[str, Any], ladder: Ladder, progress: Progress | None, now_ms: int) -> Take:
    """Return what is to be done about an alarm now.

    Args:
        row: Of the table `alarm`.
        ladder: On which it is told.
        progress: How far it has come there; None: nowhere yet.
        now_ms: Gateway clock.
    """
    now = begin(row, progress)
    if _rests(row, ladder, now):
        return Take(replace(now, due_ms=None), None)
    due_ms = now.due_ms
    if due_ms is None and (now.taken < len(ladder.steps) or ladder.again_every_ms is not None):
        due_ms = now_ms  # it had come to rest, and somebody took the acknowledgement back
    if due_ms is None or (due_ms > now_ms and now.taken):
        return Take(replace(now, due_ms=due_ms), None)
    held_ms = quiet_until_ms(ladder.quiet, now_ms) if now.tier != RED else None
    if held_ms is not None:
        forget = ladder.quiet is not None and ladder.quiet.forget
        return Take(
            replace(now, taken=max(now.taken, 1), due_ms=_NEVER_MS) if forget else replace(now, due_ms=held_ms), None
        )
    step = min(now.taken, len(ladder.steps) - 1)
    goes_on = row["state"] in GOES_ON
    after = replace(now, taken=now.taken + 1, due_ms=_next_ms(ladder, step, now_ms) if goes_on else None)
    return Take(after, now.taken, step)


def hasten(progress: Progress, ladder: Ladder, turn: int, now_ms: int) -> Progress:
    """Return how far an alarm has come when the messages of a turn could not be delivered: the next step is due.

    Only while that turn is the latest; and the last step is not repeated sooner for having failed.
    """
    waits = progress.due_ms is not None and progress.taken == turn + 1 < len(ladder.steps)
    return replace(progress, due_ms=now_ms) if waits else progress


def quiet_until_ms(quiet: Quiet | None, now_ms: int) -> int | None:
    """Return when the quiet hours end in which a moment lies; None when it lies in none."""
    if quiet is None or quiet.begin == quiet.end:
        return None
    day = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZoneInfo(quiet.zone)).date()
    for first in (day - timedelta(days=1), day):
        last = first if quiet.end > quiet.begin else first + timedelta(days=1)
        end_ms = moment_ms(last, quiet.end, quiet.zone)
        if moment_ms(first, quiet.begin, quiet.zone) <= now_ms < end_ms:
            return end_ms
    return None


def _rests(row: Mapping[str, Any], ladder: Ladder, now: Progress) -> bool:
    untold = row["inhibited"] is not None or row["retrospective"] or row["acknowledged_ms"] is not None
    over = now.taken > 0 and row["state"] not in GOES_ON
    return untold or over or now.tier not in ladder.tiers or not ladder.steps


def _next_ms(ladder: Ladder, step: int, now_ms: int) -> int | None:
    if step + 1 < len(ladder.steps):
        return now_ms + ladder.steps[step].wait_ms
    return None if ladder.again_every_ms is None else now_ms + ladder.again_every_ms
