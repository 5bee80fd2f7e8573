"""Constructs what prevents: one service for each thing, and the loop that keeps their time."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.prevention.means import Means
from gateway.prevention.permits import Permits
from gateway.prevention.rounds import Rounds

__all__ = ["Prevention", "make_prevention"]


@dataclass(frozen=True, slots=True)
class Prevention:
    """Everything that prevents."""

    permits: Permits
    rounds: Rounds
    """Keeps time; runs where the pipeline runs."""


def make_prevention(means: Means) -> Prevention:
    """Put it together."""
    permits = Permits(means)
    return Prevention(permits=permits, rounds=Rounds({"permits": permits.turn}, means.clock))
