"""Errors of the `gateway` room.

GatewayError
 +-- RecordsError        the records database cannot be used
 |    +-- RecordsBusy    not now; trying again may help
 +-- HistoryError        the history store cannot be used
 +-- BrokerError         the embedded broker did not start or stopped
 +-- NotFound            what was asked for does not exist
 +-- BadRequest          what was asked for makes no sense; says which part and what is allowed
"""

from __future__ import annotations

__all__ = [
    "BadRequest",
    "BrokerError",
    "GatewayError",
    "HistoryError",
    "NotFound",
    "RecordsBusy",
    "RecordsError",
]


class GatewayError(Exception):
    """Base of every error this room raises."""


class RecordsError(GatewayError):
    """The records database cannot be used; nothing of the batch was kept."""


class RecordsBusy(RecordsError):
    """The records database is locked; trying again may help."""


class HistoryError(GatewayError):
    """The history store cannot be used; the log keeps what it has not taken."""


class BrokerError(GatewayError):
    """The embedded broker did not start, or stopped."""


class NotFound(GatewayError):
    """What was asked for does not exist."""


class BadRequest(GatewayError):
    """What was asked for makes no sense."""
