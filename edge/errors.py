"""Errors of the `edge` room.

EdgeError
 +-- UnknownEdgeError         the plant has no such edge agent
 +-- UnknownDriverError       a tag names a driver that does not exist
 +-- DataDirectoryError       the data directory cannot be used, or another agent uses it
 +-- UnreadableError          a payload that holds no reading; carries the reason it is counted under
 +-- LinkError                a broker cannot be reached, or the connection to it is lost
 +-- OutboxError              the outbox cannot be used now (disk full, input/output error); trying again may help
      +-- OutboxDamagedError  the file is no outbox any more; it has to be moved aside
"""

from __future__ import annotations

__all__ = [
    "DataDirectoryError",
    "EdgeError",
    "LinkError",
    "OutboxDamagedError",
    "OutboxError",
    "UnknownDriverError",
    "UnknownEdgeError",
    "UnreadableError",
]


class EdgeError(Exception):
    """Base of every error this room raises."""


class UnknownEdgeError(EdgeError):
    """The plant has no such edge, or it is not one that runs an agent."""


class UnknownDriverError(EdgeError):
    """A tag of this edge names a driver that does not exist."""


class DataDirectoryError(EdgeError):
    """The data directory cannot be made or written, or another agent uses it."""


class UnreadableError(EdgeError):
    """A payload of a sensor that holds no reading.

    Attributes:
        reason: The constant it is counted under, e.g. ``not_json``.
    """

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}")


class LinkError(EdgeError):
    """A broker cannot be reached or does not do what it is asked, or the connection to it is lost."""


class OutboxError(EdgeError):
    """The outbox cannot be used now; nothing of what was tried was done."""


class OutboxDamagedError(OutboxError):
    """The file is no outbox any more; it has to be moved aside."""
