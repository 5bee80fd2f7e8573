"""The life of a permit of special work (特殊作业票) as a table. ``docs/prevention.md`` shows it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from config.plant.model import Text
from gateway.prevention.machine import Go, No, Table, go, no

__all__ = ["PERMITS", "PERMIT_NAMES", "PermitEffect", "PermitEvent", "PermitState"]


class PermitState(StrEnum):
    """How far a permit has come."""

    DRAFT = "draft"
    APPROVED = "approved"
    OPEN = "open"
    """People are at work."""
    CLOSED = "closed"
    VOID = "void"
    EXPIRED = "expired"


class PermitEvent(StrEnum):
    """What happens to a permit."""

    APPROVE = "approve"
    CHECK = "check"
    """A gas reading is recorded."""
    OPEN = "open"
    CLOSE = "close"
    VOID = "void"
    EXPIRE = "expire"
    """Its time is over; by the clock alone."""


class PermitEffect(StrEnum):
    """What a transition does beside."""

    SIGN = "sign"
    """Who approved is noted."""
    READ = "read"
    """The clock of gas readings begins anew."""
    BEGIN = "begin"
    """Work is under way from now on."""
    END = "end"
    """Work is over, and no reading is missing any more."""


PERMIT_NAMES: Mapping[PermitState, Text] = MappingProxyType(
    {
        PermitState.DRAFT: Text("草稿", "draft"),
        PermitState.APPROVED: Text("已批准", "approved"),
        PermitState.OPEN: Text("作业中", "open"),
        PermitState.CLOSED: Text("已关闭", "closed"),
        PermitState.VOID: Text("已作废", "void"),
        PermitState.EXPIRED: Text("已过期", "expired"),
    }
)

_S, _E, _F = PermitState, PermitEvent, PermitEffect
_NOT_APPROVED = no("尚未批准", "it has not been approved")
_APPROVED = no("已批准", "it has been approved already")
_OPEN = no("作业已开始", "work has begun already")
_NOT_OPEN = no("作业尚未开始：不再需要请作废", "work has not begun: void it if it is not needed")
_OVER = no("已结束，不可更改", "it is over and cannot be changed")


def _over() -> dict[PermitEvent, Go[PermitState, PermitEffect] | No]:
    return dict.fromkeys(PermitEvent, _OVER)


PERMITS: Table[PermitState, PermitEvent, PermitEffect] = MappingProxyType(
    {
        _S.DRAFT: {
            _E.APPROVE: go(_S.APPROVED, _F.SIGN),
            _E.CHECK: _NOT_APPROVED,
            _E.OPEN: _NOT_APPROVED,
            _E.CLOSE: _NOT_APPROVED,
            _E.VOID: go(_S.VOID, _F.END),
            _E.EXPIRE: go(_S.EXPIRED, _F.END),
        },
        _S.APPROVED: {
            _E.APPROVE: _APPROVED,
            _E.CHECK: go(_S.APPROVED, _F.READ),
            _E.OPEN: go(_S.OPEN, _F.BEGIN),
            _E.CLOSE: _NOT_OPEN,
            _E.VOID: go(_S.VOID, _F.END),
            _E.EXPIRE: go(_S.EXPIRED, _F.END),
        },
        _S.OPEN: {
            _E.APPROVE: _APPROVED,
            _E.CHECK: go(_S.OPEN, _F.READ),
            _E.OPEN: _OPEN,
            _E.CLOSE: go(_S.CLOSED, _F.END),
            _E.VOID: go(_S.VOID, _F.END),
            _E.EXPIRE: go(_S.EXPIRED, _F.END),
        },
        _S.CLOSED: _over(),
        _S.VOID: _over(),
        _S.EXPIRED: _over(),
    }
)
