"""Errors of the `gateway` room.

GatewayError
 +-- RecordsError        the records database cannot be used
 |    +-- RecordsBusyError    not now; trying again may help
 |    +-- RecordsFullError    its disk is full
 +-- HistoryError        the history store cannot be used
 |    +-- HistoryBusyError    not now; says when to try again
 +-- BrokerError         the embedded broker did not start or stopped
 +-- CredentialsError    accounts or certificates of a broker cannot be read, made or written
 +-- NotFoundError            what was asked for does not exist
 +-- BadRequestError          what was asked for makes no sense; says which part and what is allowed
 |    +-- FaultyError          rows of the registry make no sense; names every fault
 |    +-- DeclarationError         substances of a unit that GB 18218 cannot be applied to; names each
 +-- ConflictError            what was asked for does not fit what there is now
 +-- UnauthenticatedError     nobody knows who asks
 +-- ForbiddenError           who asks may not
 +-- TooManyError             too often; says when to try again
 +-- OverloadError            not now: too much is being asked, or nobody answers
 +-- ChannelError             a message could not be sent (gateway.notify.port)
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "BadRequestError",
    "BrokerError",
    "ConflictError",
    "CredentialsError",
    "DeclarationError",
    "FaultyError",
    "ForbiddenError",
    "GatewayError",
    "HistoryBusyError",
    "HistoryError",
    "NotFoundError",
    "OverloadError",
    "RecordsBusyError",
    "RecordsError",
    "RecordsFullError",
    "TooManyError",
    "UnauthenticatedError",
]


class GatewayError(Exception):
    """Base of every error this room raises."""


class RecordsError(GatewayError):
    """The records database cannot be used; nothing of the batch was kept."""


class RecordsBusyError(RecordsError):
    """The records database is locked; trying again may help."""


class RecordsFullError(RecordsError):
    """The disk of the records database is full; somebody has to make room."""


class HistoryError(GatewayError):
    """The history store cannot be used; the log keeps what it has not taken."""


class HistoryBusyError(HistoryError):
    """The history server asks to be left alone for a while.

    Attributes:
        after_s: For how long.
    """

    def __init__(self, message: str, after_s: float) -> None:
        self.after_s = after_s
        super().__init__(message)


class BrokerError(GatewayError):
    """The embedded broker did not start, or stopped."""


class CredentialsError(GatewayError):
    """Accounts or certificates of a broker cannot be read, made or written."""


class NotFoundError(GatewayError):
    """What was asked for does not exist."""


class BadRequestError(GatewayError):
    """What was asked for makes no sense."""


class FaultyError(BadRequestError):
    """Rows of the registry make no sense.

    Attributes:
        faults: Everything wrong with them (`gateway.registry.faults.Fault`).
    """

    def __init__(self, faults: Sequence[object]) -> None:
        self.faults = tuple(faults)
        more = f" (and {len(self.faults) - 5} more)" if len(self.faults) > 5 else ""  # noqa: PLR2004 - of a sentence
        super().__init__("; ".join(map(str, self.faults[:5])) + more)


class DeclarationError(BadRequestError):
    """Substances of a hazard unit that GB 18218 cannot be applied to.

    Attributes:
        faults: What is wrong, item by item.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(faults))


class UnauthenticatedError(GatewayError):
    """Nobody knows who asks."""


class ForbiddenError(GatewayError):
    """Who asks may not do that."""


class TooManyError(GatewayError):
    """Too often.

    Attributes:
        after_s: When to try again.
    """

    def __init__(self, message: str, after_s: float) -> None:
        self.after_s = after_s
        super().__init__(message)


class ConflictError(GatewayError):
    """What was asked for does not fit what there is now."""


class OverloadError(GatewayError):
    """Not now: too much is being asked, or nobody answers; trying again may help."""
