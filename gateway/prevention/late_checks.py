"""Counts the checks of an enterprise that are late."""

from __future__ import annotations

from config.clock import Clock
from gateway.access.roles import Scope
from gateway.risks.tasks import CheckTasks

__all__ = ["LateChecks"]


class LateChecks:
    """Fulfils `gateway.prevention.ports.OverdueChecks`.

    Args:
        tasks: Knows check tasks.
        clock: Wall.
    """

    def __init__(self, tasks: CheckTasks, clock: Clock) -> None:
        self._tasks = tasks
        self._clock = clock

    def overdue(self, enterprise: str) -> int:
        """Return how many checks of an enterprise are overdue now."""
        mine = Scope(enterprises=frozenset({enterprise}))
        return sum(self._tasks.overdue(mine, self._clock.wall_ms()).values())
