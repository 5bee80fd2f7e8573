"""The slow twin of `gateway.risks.dynamic`: walks through time minute by minute, lowering by one where it is time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["COLOURS", "naive_colour"]

COLOURS = ("red", "orange", "yellow", "blue")


def naive_colour(
    static: str, causes: Sequence[tuple[str, int, int | None]], now: int, lifts: Mapping[str, int], step: int
) -> str:
    """Return the colour of the moment.

    Args:
        static: As assessed.
        causes: Kind, since, until (None: it lasts).
        now: The time.
        lifts: By how many colours each kind lifts.
        step: How long one colour lasts when a cause is over.
    """
    best = 0
    for kind, since, until in causes:
        if since > now:
            continue
        left, over_for = lifts.get(kind, 0), 0
        for _ in range(now - until if until is not None else 0):
            over_for += 1
            if over_for == step:
                left, over_for = left - 1, 0
        best = max(best, left)
    return COLOURS[max(COLOURS.index(static) - best, 0)]
