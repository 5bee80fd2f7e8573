"""What people do with a hidden danger, event by event: what each needs, and what it changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import msgspec

from config.dangers import Clocked, Edition
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.dangers.model import RECEIPTS, Danger
from gateway.dangers.states import Event, Grade, Source
from gateway.errors import BadRequestError, ConflictError, ForbiddenError
from gateway.records.dialects import storable
from gateway.registry.where import Spot

__all__ = ["Act", "Case", "Plan", "Who", "changes_of"]

_PHONE = re.compile(r"(?<!\d)(1[3-9]\d{9}|0\d{2,3}[- ]?\d{7,8})(?!\d)")
_ONLY_OUTSIDE = (Source.REPORT_12350, Source.INSPECTION)
"""What came from outside is not for the enterprise to dismiss."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who does something."""

    by: By
    scope: Scope
    """Whose things may be seen; widened."""
    supervises: bool = False
    """May list for supervision, and open seals."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The five fixes (五落实): without any one of them no rectifying begins."""

    responsible: str
    """责任: account or name."""
    measures: str
    """措施."""
    funds_yuan: float
    """资金: 0 is an answer."""
    deadline_ms: int
    """时限."""
    precautions: str
    """预案: what keeps people safe meanwhile, and what to do when it goes wrong."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to be done with one danger."""

    event: Event
    danger_id: str
    version: int | None = None
    """Of the danger as it was seen; None: whatever has happened since."""
    text: str = ""
    grade: Grade = Grade.NONE
    """Of GRADE."""
    plan: Plan | None = None
    """Of PLAN."""
    until_ms: int | None = None
    """Of ASK, LIST and REOPEN."""
    receipt: Clocked | None = None
    """Of RECEIPT: of which report."""
    number: str = ""
    """Of RECEIPT."""
    place: Spot | None = None
    """Of ASSIGN: where it is, and so whose."""
    key: str = ""
    """Idempotency key; empty: the same words by the same person are the same thing."""

    def key_by(self, account: str) -> str:
        """Return the name under which it is known to have been done."""
        words: Any = self.key or asdict(self)
        return sha256(msgspec.json.encode((account, self.danger_id, words))).hexdigest()

    def detail(self) -> dict[str, Any]:
        """Return what is said beside the event."""
        said: dict[str, Any] = {
            "text": storable(self.text),
            "grade": self.grade.value,
            "plan": None if self.plan is None else plan_row(self.plan),
            "until_ms": self.until_ms,
            "receipt": None if self.receipt is None else self.receipt.value,
            "number": storable(self.number),
            "place": None if self.place is None else {name: one for name, one in asdict(self.place).items() if one},
        }
        return {name: one for name, one in said.items() if one not in ("", None)}


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a change depends on."""

    danger: Danger
    act: Act
    who: Who
    team: str
    """Of who does it (`gateway.dangers.teams`)."""
    now_ms: int
    edition: Edition

    def no(self, en: str, zh: str) -> ConflictError:
        """Return the refusal, which names the danger."""
        return ConflictError(f"hidden danger {self.danger.id}: {en}（{zh}）")


def plan_row(plan: Plan) -> dict[str, Any]:
    """Return the five fixes as they are kept."""
    return {name: storable(one) if isinstance(one, str) else one for name, one in asdict(plan).items()}


def changes_of(case: Case) -> dict[str, Any]:
    """Return the fields of a danger that an event changes beside state, clocks and versions.

    Raises:
        BadRequestError: What it needs was not said, or makes no sense.
        ConflictError: The danger is not so that it can be done.
        ForbiddenError: It is somebody else's to do.
    """
    return _CHANGES[case.act.event](case)


def _accept(case: Case) -> dict[str, Any]:
    return {"found_by": case.who.by.account, "found_team": case.team}


def _dismiss(case: Case) -> dict[str, Any]:
    _say(case, "text", case.act.text)
    if (case.danger.source in _ONLY_OUTSIDE or case.danger.listed) and not case.who.supervises:
        raise ForbiddenError(
            f"hidden danger {case.danger.id}: reports to 12350, findings of inspections and listed ones are dismissed"
            " by the authority (danger.supervise)（举报、检查发现和挂牌督办的隐患须由监管部门判定）"
        )
    return _over(case)


def _assign(case: Case) -> dict[str, Any]:
    _say(case, "text", case.act.text)
    spot = case.act.place
    if spot is None or not spot.enterprise:
        raise BadRequestError("enterprise: one of tag, vessel, hazard_unit, site, enterprise is needed（须指明地点）")
    if case.danger.alarm_id or case.danger.listed:
        raise case.no("what an alarm is about, or is listed, stays where it is", "报警或挂牌隐患不能改变地点")
    return asdict(spot)


def _grade(case: Case) -> dict[str, Any]:
    if case.act.grade is Grade.NONE:
        raise BadRequestError("grade: general or major is allowed")
    if case.act.grade is case.danger.grade:
        raise case.no(f"it is {case.danger.grade} already", "评级未变")
    if case.danger.grade is Grade.MAJOR:
        _say(case, "text", case.act.text)
    if case.danger.listed:
        raise case.no("it is under listed supervision and stays major", "挂牌督办的隐患不能改级")
    return {"grade": case.act.grade}


def _plan(case: Case) -> dict[str, Any]:
    plan = case.act.plan
    if plan is None:
        raise BadRequestError("plan: responsible, measures, funds_yuan, deadline, precautions are all needed")
    for name in ("responsible", "measures", "precautions"):
        _say(case, name, getattr(plan, name))
    longest_ms = _longest_ms(case, Clocked.RECTIFY)
    _within(case, "deadline", plan.deadline_ms, case.now_ms, case.now_ms + longest_ms)
    return {"plan": plan_row(plan), "deadline_ms": plan.deadline_ms, "hands": _hands(case, plan.responsible)}


def _ask(case: Case) -> dict[str, Any]:
    _say(case, "text", case.act.text)
    if case.danger.extended >= case.edition.most_extensions:
        raise case.no(
            f"it was extended {case.danger.extended} times, more is not granted", "延期次数已满，请作为风险管控"
        )
    deadline_ms = case.danger.deadline_ms or case.now_ms
    _within(case, "until", case.act.until_ms, deadline_ms, deadline_ms + case.edition.longest_extension_ms)
    return {"asked_until_ms": case.act.until_ms, "hands": _hands(case)}


def _grant(case: Case) -> dict[str, Any]:
    until_ms = _asked(case)
    if case.who.by.account in case.danger.hands:
        raise case.no("somebody who is not rectifying it grants more time", "延期须由未参与整改的人员批准")
    return {"deadline_ms": until_ms, "asked_until_ms": None, "extended": case.danger.extended + 1}


def _refuse(case: Case) -> dict[str, Any]:
    _asked(case)
    _say(case, "text", case.act.text)
    return {"asked_until_ms": None}


def _rectify(case: Case) -> dict[str, Any]:
    _say(case, "text", case.act.text)
    return {"rectified_ms": case.now_ms, "asked_until_ms": None, "hands": _hands(case)}


def _return(case: Case) -> dict[str, Any]:
    _say(case, "text", case.act.text)
    return {"rectified_ms": None, "verified_ms": None, "verified_by": ""}


def _verify(case: Case) -> dict[str, Any]:
    _say(case, "text", case.act.text)
    return {"verified_ms": case.now_ms, "verified_by": case.who.by.account}


def _list(case: Case) -> dict[str, Any]:
    if case.danger.grade is not Grade.MAJOR:
        raise case.no("only major ones are listed for supervision", "只有重大隐患才挂牌督办")
    _say(case, "notice", case.act.text)
    if phone := _PHONE.search(case.act.text):
        raise BadRequestError(f"notice: found a telephone number, {phone[0]!r}（公示内容不得含电话）")
    _within(case, "until", case.act.until_ms, case.now_ms, case.now_ms + _longest_ms(case, Clocked.SUPERVISION))
    since_ms = case.danger.listed_ms if case.danger.listed else case.now_ms
    return {
        "listed_ms": since_ms,
        "listed_until_ms": case.act.until_ms,
        "delisted_ms": None,
        "notice": storable(case.act.text),
    }


def _delist(case: Case) -> dict[str, Any]:
    if not case.danger.listed:
        raise case.no("it is not listed", "未挂牌督办")
    return {"delisted_ms": case.now_ms}


def _receipt(case: Case) -> dict[str, Any]:
    if case.danger.grade is not Grade.MAJOR:
        raise case.no("only major ones are reported twice", "只有重大隐患须双报告")
    _say(case, "number", case.act.number)
    column = RECEIPTS.get(case.act.receipt) if case.act.receipt else None
    if column is None:
        raise BadRequestError(f"receipt: {' or '.join(RECEIPTS)} is allowed")
    if getattr(case.danger, column):
        raise case.no(f"there is that receipt already: {getattr(case.danger, column)}", "该回执已登记")
    return {column: storable(case.act.number)[:128]}


def _close(case: Case) -> dict[str, Any]:
    _say(case, "text", case.act.text)
    if case.danger.listed:
        raise case.no("the authority delists it first", "须先摘牌再销号")
    missing = [name.value for name, column in RECEIPTS.items() if not getattr(case.danger, column)]
    if case.danger.grade is Grade.MAJOR and missing:
        raise case.no(f"receipts are missing: {', '.join(missing)}", "双报告回执不全，不能销号")
    return _over(case)


def _reopen(case: Case) -> dict[str, Any]:
    _say(case, "text", case.act.text)
    _within(case, "until", case.act.until_ms, case.now_ms, case.now_ms + _longest_ms(case, Clocked.RECTIFY))
    undone = dict.fromkeys(("rectified_ms", "verified_ms", "over_ms"), None) | {"verified_by": "", "over_by": ""}
    again = {"deadline_ms": case.act.until_ms, "reopened": case.danger.reopened + 1, "extended": 0}
    return {**undone, **again}


def _comment(case: Case) -> dict[str, Any]:
    _say(case, "text", case.act.text)
    return {}


_CHANGES: Mapping[Event, Callable[[Case], dict[str, Any]]] = MappingProxyType(
    {
        Event.ACCEPT: _accept,
        Event.DISMISS: _dismiss,
        Event.ASSIGN: _assign,
        Event.GRADE: _grade,
        Event.PLAN: _plan,
        Event.ASK: _ask,
        Event.GRANT: _grant,
        Event.REFUSE: _refuse,
        Event.RECTIFY: _rectify,
        Event.RETURN: _return,
        Event.VERIFY: _verify,
        Event.LIST: _list,
        Event.DELIST: _delist,
        Event.RECEIPT: _receipt,
        Event.CLOSE: _close,
        Event.REOPEN: _reopen,
        Event.COMMENT: _comment,
    }
)


def _over(case: Case) -> dict[str, Any]:
    return {"over_ms": case.now_ms, "over_by": case.who.by.account, "recurring": None}


def _asked(case: Case) -> int:
    if case.danger.asked_until_ms is None:
        raise case.no("nobody has asked for more time", "没有待批的延期申请")
    return case.danger.asked_until_ms


def _hands(case: Case, *more: str) -> tuple[str, ...]:
    return tuple(sorted({*case.danger.hands, case.who.by.account, *map(storable, more)}))


def _say(case: Case, name: str, said: str) -> None:
    if not said.strip():
        raise BadRequestError(f"{name}: {case.act.event} needs it in words（必填）")


def _longest_ms(case: Case, clock: Clocked) -> int:
    deadline = case.edition.clocks[clock]
    return deadline.major_ms if case.danger.grade is Grade.MAJOR else deadline.general_ms


def _within(case: Case, name: str, at_ms: int | None, after_ms: int, upto_ms: int) -> None:
    """Check a deadline.

    Raises:
        BadRequestError: It is none, not later than ``after_ms``, or too far away.
    """
    if at_ms is None or not after_ms < at_ms <= upto_ms:
        raise BadRequestError(f"{name}: found {at_ms}; allowed: after {after_ms}, at most {upto_ms} (UTC ms)")
    supervised_ms = case.danger.listed_until_ms
    if case.act.event is not Event.LIST and case.danger.listed and supervised_ms and at_ms > supervised_ms:
        raise case.no(f"supervision ends at {supervised_ms}: not later than that", "不得晚于督办期限")
