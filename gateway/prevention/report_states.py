"""The life of a direct report of an accident (事故直报) as a table. ``docs/prevention.md`` shows it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from config.plant.model import Text
from gateway.prevention.machine import Go, No, Table, go, no

__all__ = ["REPORTS", "REPORT_NAMES", "ReportEffect", "ReportEvent", "ReportState"]


class ReportState(StrEnum):
    """How far a report has come."""

    STARTED = "started"
    """Its clock runs and nothing is written."""
    DRAFTED = "drafted"
    SIGNED = "signed"
    SENT = "sent"
    AMENDING = "amending"
    """It has been sent, and a newer version is being written."""
    AMENDMENT_SIGNED = "amendment_signed"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    """It was no accident."""


class ReportEvent(StrEnum):
    """What happens to a report."""

    DRAFT = "draft"
    SIGN = "sign"
    SEND = "send"
    FORWARD = "forward"
    """It has been passed on to the next step of the chain."""
    CLOSE = "close"
    WITHDRAW = "withdraw"


class ReportEffect(StrEnum):
    """What a transition does beside."""

    NEW_VERSION = "new_version"
    """A version of the packet is added; what was signed before is no longer the newest."""
    SEAL = "seal"
    """Who signed the newest version is noted."""
    STAMP_SENT = "stamp_sent"
    """The newest version was sent; the first time, that ends the first clock of the chain."""
    STAMP_STEP = "stamp_step"
    """A later clock of the chain ends."""
    END = "end"
    """No clock runs any more."""


REPORT_NAMES: Mapping[ReportState, Text] = MappingProxyType(
    {
        ReportState.STARTED: Text("计时中", "started"),
        ReportState.DRAFTED: Text("已起草", "drafted"),
        ReportState.SIGNED: Text("已签发", "signed"),
        ReportState.SENT: Text("已报送", "sent"),
        ReportState.AMENDING: Text("补报起草中", "amending"),
        ReportState.AMENDMENT_SIGNED: Text("补报已签发", "amendment signed"),
        ReportState.CLOSED: Text("已结束", "closed"),
        ReportState.WITHDRAWN: Text("已撤销", "withdrawn"),
    }
)

_S, _E, _F = ReportState, ReportEvent, ReportEffect
_NOTHING = no("尚未起草", "nothing is written yet")
_NOT_SIGNED = no("尚未签发", "the newest version is not signed")
_SIGNED = no("已签发", "it is signed already")
_NOT_SENT = no("尚未报送", "it has not been sent")
_SENT = no("已报送，不可撤销，请补报", "it has been sent and is not withdrawn: amend it")
_UP_TO_DATE = no("最新版本已报送", "the newest version has been sent")
_PENDING = no("补报尚未报送", "the amendment has not been sent")
_OVER = no("已结束，不可更改", "it is over and cannot be changed")


def _over() -> dict[ReportEvent, Go[ReportState, ReportEffect] | No]:
    return dict.fromkeys(ReportEvent, _OVER)


REPORTS: Table[ReportState, ReportEvent, ReportEffect] = MappingProxyType(
    {
        _S.STARTED: {
            _E.DRAFT: go(_S.DRAFTED, _F.NEW_VERSION),
            _E.SIGN: _NOTHING,
            _E.SEND: _NOTHING,
            _E.FORWARD: _NOT_SENT,
            _E.CLOSE: _NOT_SENT,
            _E.WITHDRAW: go(_S.WITHDRAWN, _F.END),
        },
        _S.DRAFTED: {
            _E.DRAFT: go(_S.DRAFTED, _F.NEW_VERSION),
            _E.SIGN: go(_S.SIGNED, _F.SEAL),
            _E.SEND: _NOT_SIGNED,
            _E.FORWARD: _NOT_SENT,
            _E.CLOSE: _NOT_SENT,
            _E.WITHDRAW: go(_S.WITHDRAWN, _F.END),
        },
        _S.SIGNED: {
            _E.DRAFT: go(_S.DRAFTED, _F.NEW_VERSION),
            _E.SIGN: _SIGNED,
            _E.SEND: go(_S.SENT, _F.STAMP_SENT),
            _E.FORWARD: _NOT_SENT,
            _E.CLOSE: _NOT_SENT,
            _E.WITHDRAW: go(_S.WITHDRAWN, _F.END),
        },
        _S.SENT: {
            _E.DRAFT: go(_S.AMENDING, _F.NEW_VERSION),
            _E.SIGN: _UP_TO_DATE,
            _E.SEND: _UP_TO_DATE,
            _E.FORWARD: go(_S.SENT, _F.STAMP_STEP),
            _E.CLOSE: go(_S.CLOSED, _F.END),
            _E.WITHDRAW: _SENT,
        },
        _S.AMENDING: {
            _E.DRAFT: go(_S.AMENDING, _F.NEW_VERSION),
            _E.SIGN: go(_S.AMENDMENT_SIGNED, _F.SEAL),
            _E.SEND: _NOT_SIGNED,
            _E.FORWARD: go(_S.AMENDING, _F.STAMP_STEP),
            _E.CLOSE: _PENDING,
            _E.WITHDRAW: _SENT,
        },
        _S.AMENDMENT_SIGNED: {
            _E.DRAFT: go(_S.AMENDING, _F.NEW_VERSION),
            _E.SIGN: _SIGNED,
            _E.SEND: go(_S.SENT, _F.STAMP_SENT),
            _E.FORWARD: go(_S.AMENDMENT_SIGNED, _F.STAMP_STEP),
            _E.CLOSE: _PENDING,
            _E.WITHDRAW: _SENT,
        },
        _S.CLOSED: _over(),
        _S.WITHDRAWN: _over(),
    }
)
