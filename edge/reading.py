"""What drivers hand over (readings) and what frames are made of (samples)."""

from __future__ import annotations

from dataclasses import dataclass

from config.contract.quality import Quality, Reason

__all__ = ["Reading", "Sample"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One number as it came from the hardware, before scaling."""

    tag: str
    number: float | None
    """As read; None when there was none."""
    time_ms: int | None
    """Source time, UTC; None when the source has no clock: the time of receipt is taken."""
    severity: Quality = Quality.GOOD
    reason: Reason = Reason.NONE
    """Why it is not good."""
    again: bool = False
    """The transport may have delivered it before (MQTT DUP, or just after a reconnect)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading in the canonical unit of its tag."""

    tag: str
    time_ms: int
    value: float | None
    severity: Quality
    reason: Reason
