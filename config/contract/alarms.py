"""Alarms as edge and gateway both know them: the same thing has the same name, whoever notices it."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated, Literal

import msgspec

from config.contract.frame import TimeMs

__all__ = ["LocalAlarm", "alarm_id"]


def alarm_id(tag: str, condition: str, onset_ms: int) -> str:
    """Return the name of an alarm: 16 hexadecimal digits that follow from what it is."""
    return blake2b(f"{tag}|{condition}|{onset_ms}".encode(), digest_size=8).hexdigest()


class LocalAlarm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Edge -> gateway, and -> whoever listens on the broker of the plant: what an edge has decided by itself.

    The gateway decides anew from the samples; this is what it is compared with.
    """

    alarm_id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
    tag: Annotated[str, msgspec.Meta(max_length=128)]
    condition: Annotated[str, msgspec.Meta(max_length=16)]
    tier: Annotated[int, msgspec.Meta(ge=1, le=4)]
    state: Literal["active", "cleared"]
    onset_ms: TimeMs
    """Source time; STALE: edge clock. Likewise below."""
    raised_ms: TimeMs
    cleared_ms: TimeMs | None
    value: float | None
    """Of the deciding sample, canonical unit."""
    limit: float | None
    unit: str
    cut: bool
    """There was no connection to the gateway when it was raised."""
    text_zh: str
    text_en: str
