"""The life of a hidden danger (隐患) as a table. ``docs/hidden-dangers.md`` shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from config.plant.model import Text
from gateway.errors import ConflictError

__all__ = [
    "EVENT_NAMES",
    "GRADE_NAMES",
    "OVER",
    "SOURCE_NAMES",
    "STATES",
    "STATE_NAMES",
    "Effect",
    "Event",
    "Go",
    "Grade",
    "No",
    "Source",
    "State",
    "step",
]


class Source(StrEnum):
    """How it was found."""

    SELF_CHECK = "self_check"
    PATROL = "patrol"
    ALARM = "alarm"
    REPORT_12350 = "report_12350"
    INSPECTION = "inspection"


class Grade(StrEnum):
    """How bad it is; general ones are fixed at once, major ones need a stop, time, or help."""

    NONE = ""
    GENERAL = "general"
    MAJOR = "major"


class State(StrEnum):
    """How far it has come."""

    PROPOSED = "proposed"
    """A recurring alarm suggests it; somebody is to say whether it is one."""
    REPORTED = "reported"
    GRADED = "graded"
    RECTIFYING = "rectifying"
    RECTIFIED = "rectified"
    VERIFIED = "verified"
    CLOSED = "closed"
    DISMISSED = "dismissed"


class Event(StrEnum):
    """What people do with it."""

    ACCEPT = "accept"
    DISMISS = "dismiss"
    ASSIGN = "assign"
    GRADE = "grade"
    PLAN = "plan"
    ASK = "ask"
    GRANT = "grant"
    REFUSE = "refuse"
    RECTIFY = "rectify"
    RETURN = "return"
    VERIFY = "verify"
    LIST = "list"
    DELIST = "delist"
    RECEIPT = "receipt"
    CLOSE = "close"
    REOPEN = "reopen"
    COMMENT = "comment"


class Effect(StrEnum):
    """What happens beside the move, in this order: what ends comes before what begins."""

    DONE = "done"
    """The clock of what was waited for stops."""
    VOID = "void"
    """It was none: all its clocks end without a verdict."""
    BACK = "back"
    """What was said to be rectified counts as not done: its clock runs on."""
    AGAIN = "again"
    """Rectifying begins anew; the round before counts as failed."""
    MOVE = "move"
    """The deadline of rectifying moves."""
    REPORT = "report"
    """A major one: two reports are due (双报告); no longer a major one: they are not."""
    RECEIVED = "received"
    """The clock of a report stops."""
    PLACE = "place"
    """Its clocks count for whom it is handed to."""
    ENTER = "enter"
    """Into the list of supervised ones; its clock begins."""
    LEAVE = "leave"
    GRADE_BY = "grade-by"
    """Clocks that begin: what is to be done next, until when."""
    PLAN_BY = "plan-by"
    RECTIFY_BY = "rectify-by"
    VERIFY_BY = "verify-by"
    CLOSE_BY = "close-by"


@dataclass(frozen=True, slots=True)
class Go:
    """A move that is made."""

    to: State
    effects: frozenset[Effect] = frozenset()


@dataclass(frozen=True, slots=True)
class No:
    """A move that is refused, and why."""

    why: Text


OVER = (State.CLOSED, State.DISMISSED)

STATE_NAMES: Mapping[State, Text] = MappingProxyType(
    {
        State.PROPOSED: Text("系统建议，待确认", "proposed, to be accepted"),
        State.REPORTED: Text("已上报，待评级", "reported, to be graded"),
        State.GRADED: Text("已评级，待五落实", "graded, the five fixes to be planned"),
        State.RECTIFYING: Text("整改中", "being rectified"),
        State.RECTIFIED: Text("已整改，待验收", "rectified, to be verified"),
        State.VERIFIED: Text("已验收，待销号", "verified, to be closed"),
        State.CLOSED: Text("已销号", "closed"),
        State.DISMISSED: Text("不成立", "dismissed"),
    }
)
SOURCE_NAMES: Mapping[Source, Text] = MappingProxyType(
    {
        Source.SELF_CHECK: Text("企业自查", "self-check"),
        Source.PATROL: Text("巡检", "patrol"),
        Source.ALARM: Text("报警", "alarm"),
        Source.REPORT_12350: Text("12350举报", "report to 12350"),
        Source.INSPECTION: Text("监督检查", "inspection"),
    }
)
GRADE_NAMES: Mapping[Grade, Text] = MappingProxyType(
    {
        Grade.NONE: Text("未评级", "not graded"),
        Grade.GENERAL: Text("一般隐患", "general"),
        Grade.MAJOR: Text("重大隐患", "major"),
    }
)
EVENT_NAMES: Mapping[Event, Text] = MappingProxyType(
    {
        Event.ACCEPT: Text("确认建议", "accept"),
        Event.DISMISS: Text("判定不成立", "dismiss"),
        Event.ASSIGN: Text("交办", "hand over to whose it is"),
        Event.GRADE: Text("评级", "grade"),
        Event.PLAN: Text("制定整改方案（五落实）", "plan the five fixes"),
        Event.ASK: Text("申请延期", "ask for more time"),
        Event.GRANT: Text("批准延期", "grant more time"),
        Event.REFUSE: Text("不予延期", "refuse more time"),
        Event.RECTIFY: Text("报告整改完成", "say it is rectified"),
        Event.RETURN: Text("退回整改", "return"),
        Event.VERIFY: Text("验收", "verify"),
        Event.LIST: Text("挂牌督办", "list for supervision"),
        Event.DELIST: Text("摘牌", "delist"),
        Event.RECEIPT: Text("登记双报告回执", "note a receipt"),
        Event.CLOSE: Text("销号", "close"),
        Event.REOPEN: Text("重新开启", "reopen"),
        Event.COMMENT: Text("备注", "comment"),
    }
)

_S, _E, _F = State, Event, Effect


def _go(to: State, *effects: Effect) -> Go:
    return Go(to, frozenset(effects))


def _no(zh: str, en: str) -> No:
    return No(Text(zh, en))


_ACCEPT_FIRST = _no("系统建议尚未确认", "accept or dismiss the proposal first")
_NO_PROPOSAL = _no("不是待确认的系统建议", "it is no proposal that waits")
_GRADE_FIRST = _no("请先评级", "grade it first")
_PLAN_FIRST = _no("请先落实责任、措施、资金、时限、预案", "plan the five fixes first")
_RECTIFY_FIRST = _no("尚未报告整改完成", "it is not rectified yet")
_VERIFY_FIRST = _no("请先验收", "verify it first")
_NOT_OVER = _no("尚未销号", "it is not closed")
_TOO_LATE = _no("已进入整改，不能再判定不成立", "it has a plan: it can no longer be dismissed")
_ITS = _no("已进入整改，不能再交办他处", "it has a plan: it stays whose it is")
_PLANNED = _no("整改方案已定", "it has its plan")
_SUBMITTED = _no("已报告整改完成", "it is rectified already")
_VERIFIED = _no("已验收", "it is verified already")
_NOTHING_ASKED = _no("此时没有可延的期限", "there is no time to be extended now")
_NOT_WHILE = _no("须先验收再摘牌", "delisted only when it is verified")
_CLOSED = _no("已销号，如再次出现请重新开启", "it is closed; reopen it when it is back")
_DISMISSED = _no("已判定不成立，不可更改", "it was dismissed and cannot be changed")

_TIME: Mapping[Event, Go | No] = {_E.ASK: _NOTHING_ASKED, _E.GRANT: _NOTHING_ASKED, _E.REFUSE: _NOTHING_ASKED}


def _row(state: State, rest: No, **cells: Go | No) -> Mapping[Event, Go | No]:
    """Return the row of a state: what is not named is refused for one reason, but words and receipts."""
    row: dict[Event, Go | No] = dict.fromkeys(Event, rest)
    usual = {_E.ACCEPT: _NO_PROPOSAL, _E.REOPEN: _NOT_OVER, _E.DELIST: _NOT_WHILE, _E.COMMENT: _go(state), **_TIME}
    return MappingProxyType(row | usual | {Event(name.rstrip("_")): cell for name, cell in cells.items()})


_HERE = {state: _go(state) for state in State}

STATES: Mapping[State, Mapping[Event, Go | No]] = MappingProxyType(
    {
        _S.PROPOSED: _row(
            _S.PROPOSED,
            _ACCEPT_FIRST,
            accept=_go(_S.REPORTED, _F.DONE, _F.GRADE_BY),
            dismiss=_go(_S.DISMISSED, _F.VOID),
        ),
        _S.REPORTED: _row(
            _S.REPORTED,
            _GRADE_FIRST,
            dismiss=_go(_S.DISMISSED, _F.VOID),
            assign=_go(_S.REPORTED, _F.PLACE),
            grade=_go(_S.GRADED, _F.DONE, _F.PLAN_BY, _F.REPORT),
        ),
        _S.GRADED: _row(
            _S.GRADED,
            _PLAN_FIRST,
            dismiss=_go(_S.DISMISSED, _F.VOID),
            assign=_go(_S.GRADED, _F.PLACE),
            grade=_go(_S.GRADED, _F.REPORT),
            plan=_go(_S.RECTIFYING, _F.DONE, _F.RECTIFY_BY),
            list=_go(_S.GRADED, _F.ENTER),
            receipt=_go(_S.GRADED, _F.RECEIVED),
        ),
        _S.RECTIFYING: _row(
            _S.RECTIFYING,
            _RECTIFY_FIRST,
            dismiss=_TOO_LATE,
            assign=_ITS,
            grade=_go(_S.RECTIFYING, _F.REPORT),
            plan=_PLANNED,
            ask=_HERE[_S.RECTIFYING],
            grant=_go(_S.RECTIFYING, _F.MOVE),
            refuse=_HERE[_S.RECTIFYING],
            rectify=_go(_S.RECTIFIED, _F.DONE, _F.VERIFY_BY),
            list=_go(_S.RECTIFYING, _F.ENTER),
            receipt=_go(_S.RECTIFYING, _F.RECEIVED),
        ),
        _S.RECTIFIED: _row(
            _S.RECTIFIED,
            _VERIFY_FIRST,
            dismiss=_TOO_LATE,
            assign=_ITS,
            grade=_SUBMITTED,
            plan=_PLANNED,
            rectify=_SUBMITTED,
            return_=_go(_S.RECTIFYING, _F.DONE, _F.BACK),
            verify=_go(_S.VERIFIED, _F.DONE, _F.CLOSE_BY),
            list=_go(_S.RECTIFIED, _F.ENTER),
            receipt=_go(_S.RECTIFIED, _F.RECEIVED),
        ),
        _S.VERIFIED: _row(
            _S.VERIFIED,
            _VERIFIED,
            dismiss=_TOO_LATE,
            assign=_ITS,
            return_=_go(_S.RECTIFYING, _F.DONE, _F.BACK),
            delist=_go(_S.VERIFIED, _F.LEAVE),
            receipt=_go(_S.VERIFIED, _F.RECEIVED),
            close=_go(_S.CLOSED, _F.DONE),
        ),
        _S.CLOSED: _row(
            _S.CLOSED,
            _CLOSED,
            delist=_CLOSED,
            reopen=_go(_S.RECTIFYING, _F.AGAIN, _F.RECTIFY_BY),
        ),
        _S.DISMISSED: MappingProxyType(dict.fromkeys(Event, _DISMISSED)),
    }
)
"""Every cell is written."""


def step(name: str, state: State, event: Event) -> Go:
    """Return the move that an event makes.

    Args:
        name: Of the danger, for the error.
        state: It is in.
        event: What is to be done.

    Raises:
        ConflictError: The state does not allow it; says why.
    """
    cell = STATES[state][event]
    if isinstance(cell, No):
        raise ConflictError(f"hidden danger {name} ({state}): {cell.why.en}（{cell.why.zh}）")
    return cell
