"""Quality of a sample, and the reason it is not good, in one byte.

The low two bits are the severity that travels on the wire (``quality`` of a frame); the high six bits are
the reason (``reasons`` of a frame). Packed the way OPC UA status codes are, so that a batch stays four columns.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["REASON_NAMES", "Quality", "Reason", "pack", "reason_of", "severity_of"]


class Quality(IntEnum):
    """Severity, as on the wire."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2


class Reason(IntEnum):
    """Why a sample is not good (0-63). The lower-case name is its spelling on the wire."""

    NONE = 0
    NOT_FINITE = 1
    """No number: null, NaN or infinite."""
    OVER_RANGE = 2
    """Above the instrument's range (beyond its saturation band)."""
    UNDER_RANGE = 3
    """Below the instrument's range (beyond its saturation band)."""
    FAULT_CURRENT_LOW = 4
    """NAMUR NE 43: loop current <= 3.6 mA, open loop or burn-out."""
    FAULT_CURRENT_HIGH = 5
    """NAMUR NE 43: loop current >= 21 mA."""
    DEVICE = 6
    """The device itself says that the value is bad or uncertain."""
    UNREADABLE = 7
    """The payload of the sensor could not be read as a number."""
    CLOCK_SUSPECT = 8
    """Source time more than five minutes ahead of the gateway."""
    UNDEFINED_CURRENT = 9
    """NAMUR NE 43: between the measuring band and the fault band (3.6-3.8, 20.5-21 mA)."""
    OTHER = 63


REASON_NAMES: dict[str, Reason] = {reason.name.lower(): reason for reason in Reason}
"""Spelling on the wire -> reason."""


def pack(severity: Quality, reason: Reason = Reason.NONE) -> int:
    """Return the byte that holds both."""
    return int(reason) << 2 | int(severity)


def severity_of(packed: int) -> Quality:
    """Return the severity held in a packed byte."""
    return Quality(packed & 0b11)


def reason_of(packed: int) -> Reason:
    """Return the reason held in a packed byte."""
    return Reason(packed >> 2)
