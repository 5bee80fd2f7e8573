"""Errors of the `alerting` room.

AlertingError
 +-- RulesError          rules whose arrays do not fit together
 +-- SnapshotError       a snapshot that is damaged, of another version, or of other rules
"""

from __future__ import annotations

__all__ = ["AlertingError", "RulesError", "SnapshotError"]


class AlertingError(Exception):
    """Base of every error this room raises."""


class RulesError(AlertingError):
    """The arrays of the rules do not fit together; says which one and the shape it should have."""


class SnapshotError(AlertingError):
    """A snapshot cannot be restored; says what was found and what would be needed."""
