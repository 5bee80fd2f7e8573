"""Errors of the `alerting` room.

AlertingError
 +-- RulesError          rules whose arrays do not fit together
 +-- SeriesError         a recorded series that does not fit together, or is asked for what it cannot give
 +-- SnapshotError       a snapshot that is damaged, of another version, or of other rules
"""

from __future__ import annotations

__all__ = ["AlertingError", "RulesError", "SeriesError", "SnapshotError"]


class AlertingError(Exception):
    """Base of every error this room raises."""


class RulesError(AlertingError):
    """The arrays of the rules do not fit together; says which one and the shape it should have."""


class SeriesError(AlertingError):
    """A recorded series does not fit together, or is asked for what it cannot give; says what."""


class SnapshotError(AlertingError):
    """A snapshot cannot be restored; says what was found and what would be needed."""
