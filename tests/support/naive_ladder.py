"""The ladder once more, told as a story: every moment from the first on is lived through, one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["naive_ladder"]


def naive_ladder(
    moments: Sequence[Mapping[str, Any]], waits: Sequence[int], again: int | None, tiers: frozenset[int]
) -> list[tuple[int, int]]:
    """Return (moment, step) of all that is told, given the row of the alarm at every moment.

    The wait of a step is counted in moments; the alarm exists from moment 0 on.
    """
    told: list[tuple[int, int]] = []
    life: tuple[int, int] | None = None
    turn, rested, last = 0, False, 0
    for now, row in enumerate(moments):
        if (row["alarmed_ms"], row["tier"]) != life:
            life, turn, rested = (row["alarmed_ms"], row["tier"]), 0, False
        if row["inhibited"] or row["acknowledged_ms"] is not None or row["tier"] not in tiers:
            rested = True
            continue
        if turn and row["state"] not in ("active", "latched"):
            rested = True
            continue
        more = turn < len(waits) or again is not None
        wait = waits[turn - 1] if 0 < turn < len(waits) else again
        if turn == 0 or (more and rested) or (more and wait is not None and now >= last + wait):
            told.append((now, min(turn, len(waits) - 1)))
            turn, last = turn + 1, now
            rested = row["state"] not in ("active", "latched")
        else:
            rested = False
    return told
