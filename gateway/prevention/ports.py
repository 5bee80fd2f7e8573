"""What this room asks of others, so that it works while they are absent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.access.roles import Scope
from gateway.commands import By
from gateway.prevention.findings import Finding

__all__ = ["Dangers", "HasGrade", "OverdueChecks", "TurnsIntoDanger"]


class HasGrade(Protocol):
    """A hidden danger."""

    @property
    def grade(self) -> str:
        """``major`` or another."""
        ...


class Dangers(Protocol):
    """Knows hidden dangers."""

    def open_at(self, scope: Scope, *, enterprise: str = "", limit: int = 20) -> Sequence[HasGrade]:
        """Return the open ones of an enterprise, the worst first."""
        ...


class OverdueChecks(Protocol):
    """Knows check tasks."""

    def overdue(self, enterprise: str) -> int:
        """Return how many checks of an enterprise are overdue."""
        ...


class TurnsIntoDanger(Protocol):
    """Takes findings."""

    def take(self, finding: Finding, scope: Scope, by: By) -> str:
        """Make a finding a hidden danger; returns the danger's id."""
        ...
