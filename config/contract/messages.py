"""The small messages beside frames: receipts, statuses, plain points, alarm states (design 5.1)."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec

from config.contract.frame import Epoch, TimeMs
from config.errors import ContractError

__all__ = ["AlarmState", "EdgeStatus", "Kept", "Point", "Refusal", "decode", "decode_point", "encode"]

Count = Annotated[int, msgspec.Meta(ge=0)]


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One frame that was set aside whole, so that its edge can say so."""

    seq: int
    reason: str


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Gateway -> edge, retained: everything of ``epoch`` up to ``upto`` is durable."""

    epoch: Epoch
    upto: Count
    refused: tuple[Refusal, ...] = ()
    """Frames below ``upto`` that went to the dead letters, the latest few."""


class EdgeStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Edge -> all, retained; the will of an edge is ``{"online": false}``."""

    online: bool
    at_ms: TimeMs = 0
    """Edge clock; 0 in the will, which is written before it is needed."""
    epoch: str = ""
    made_samples: Count = 0
    """Samples of this epoch ever put into the outbox."""
    made_frames: Count = 0
    """Highest seq of this epoch."""
    kept_frames: Count = 0
    """Highest seq of this epoch that a gateway confirmed."""
    outbox_frames: Count = 0
    outbox_bytes: Count = 0
    shed_samples: Count = 0
    """Samples of this epoch shed because the outbox was full."""
    backlog_frames: Count = 0
    """Frames of earlier epochs that wait behind the live ones."""
    backlog_eta_s: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """When the backlog will be gone at its present rate; None: nobody knows."""
    local_alarms: Count = 0
    """Alarms active by the edge's own judgement."""
    unreadable: dict[str, int] = {}
    """Sensor payloads that were not understood or not wanted: reason -> count since start."""
    faults: tuple[str, ...] = ()
    """What does not work at the edge now: ``outbox`` (nothing can be kept), ``outbox_read`` and
    ``outbox_delete`` (nothing can be sent, or deleted), ``outbox_full`` (the oldest is shed), ``plant_broker``,
    ``subscription``."""
    software: str = ""


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One sample of a plain sensor, already in the canonical unit of its tag."""

    value: float | None
    time: TimeMs | None = None
    quality: Annotated[int, msgspec.Meta(ge=0, le=2)] = 0


class AlarmState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Gateway -> sirens, PLCs, anyone; retained while the alarm is open."""

    alarm_id: str
    state: Literal["active", "returned", "latched", "cleared", "inhibited"]
    """Returned: its condition is over, and somebody has to acknowledge it; latched: and reset it. Inhibited: recorded,
    and not to be told (shelved, suppressed by design, out of service)."""
    tier: int
    base_tier: int
    """As it was raised; a lower ``tier`` than that has risen since."""
    acknowledged: bool
    """Somebody has seen it, in this tier."""
    tag: str
    condition: str
    hazard_unit: str
    onset_ms: int
    raised_ms: int
    cleared_ms: int | None
    value: float | None
    limit: float | None
    unit: str
    delayed: bool
    version: int
    message_zh: str
    message_en: str


M = TypeVar("M", bound=msgspec.Struct)

_encoder = msgspec.json.Encoder()


def encode(message: msgspec.Struct) -> bytes:
    """Return a message as it goes on the wire."""
    return _encoder.encode(message)


def decode(payload: bytes, kind: type[M]) -> M:
    """Read a message of a known kind.

    Raises:
        ContractError: The payload is not that message.
    """
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"not a {kind.__name__}: {error}"
        raise ContractError(message) from None


def decode_point(payload: bytes) -> Point:
    """Read what a plain sensor publishes: a JSON number, or an object like `Point`.

    Raises:
        ContractError: It is neither.
    """
    try:
        read = msgspec.json.decode(payload, type=float | None | Point)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"not a point: {error}"
        raise ContractError(message) from None
    return read if isinstance(read, Point) else Point(read)
