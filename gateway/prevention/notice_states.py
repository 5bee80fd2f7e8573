"""The life of a notice to a neighbour as a table. ``docs/prevention.md`` shows it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from config.plant.model import Text
from gateway.prevention.machine import Table, go, no

__all__ = ["NOTICES", "NOTICE_NAMES", "NoticeEffect", "NoticeEvent", "NoticeState"]


class NoticeState(StrEnum):
    """How far a notice has come."""

    SENT = "sent"
    SEEN = "seen"
    CONFIRMED = "confirmed"


class NoticeEvent(StrEnum):
    """What happens to a notice."""

    SEE = "see"
    CONFIRM = "confirm"
    LAPSE = "lapse"
    """The time to confirm it is over; by the clock alone."""


class NoticeEffect(StrEnum):
    """What a transition does beside."""

    STAMP_SEEN = "stamp_seen"
    STAMP_CONFIRMED = "stamp_confirmed"
    STAMP_OVERDUE = "stamp_overdue"
    """Once; it stays though it is confirmed later."""


NOTICE_NAMES: Mapping[NoticeState, Text] = MappingProxyType(
    {
        NoticeState.SENT: Text("已发出", "sent"),
        NoticeState.SEEN: Text("已查看", "seen"),
        NoticeState.CONFIRMED: Text("已确认", "confirmed"),
    }
)

_S, _E, _F = NoticeState, NoticeEvent, NoticeEffect
_CONFIRMED = no("已确认", "it has been confirmed already")

NOTICES: Table[NoticeState, NoticeEvent, NoticeEffect] = MappingProxyType(
    {
        _S.SENT: {
            _E.SEE: go(_S.SEEN, _F.STAMP_SEEN),
            _E.CONFIRM: go(_S.CONFIRMED, _F.STAMP_SEEN, _F.STAMP_CONFIRMED),
            _E.LAPSE: go(_S.SENT, _F.STAMP_OVERDUE),
        },
        _S.SEEN: {
            _E.SEE: go(_S.SEEN),
            _E.CONFIRM: go(_S.CONFIRMED, _F.STAMP_CONFIRMED),
            _E.LAPSE: go(_S.SEEN, _F.STAMP_OVERDUE),
        },
        _S.CONFIRMED: {_E.SEE: go(_S.CONFIRMED), _E.CONFIRM: _CONFIRMED, _E.LAPSE: _CONFIRMED},
    }
)
