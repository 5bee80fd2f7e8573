"""What people do with alarms, verb by verb: each is a row of a table and moves life, handling, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from gateway.alarm_rows import Cause, Decided, When
from gateway.alarms import AlarmBook
from gateway.commands import Act, Verb
from gateway.errors import ConflictError
from gateway.handling import ENDED, HandlingEvent, advance, review
from gateway.lifecycle import LifeEvent

__all__ = ["VERBS", "Doing", "act_on"]


@dataclass(frozen=True, slots=True)
class Doing:
    """What a verb does."""

    kind: str
    """The event as the records call it."""
    life: LifeEvent | None = None
    handling: HandlingEvent | None = None
    blind: bool = False
    """It matters not what has happened since the alarm was seen."""


VERBS: Mapping[Verb, Doing] = MappingProxyType(
    {
        Verb.ACKNOWLEDGE: Doing("acknowledged", LifeEvent.ACKNOWLEDGE, HandlingEvent.ACKNOWLEDGE),
        Verb.UNACKNOWLEDGE: Doing("unacknowledged", LifeEvent.UNACKNOWLEDGE, HandlingEvent.UNACKNOWLEDGE),
        Verb.RESET: Doing("reset", LifeEvent.RESET),
        Verb.COMMENT: Doing("commented", blind=True),
        Verb.ASSIGN: Doing("assigned", handling=HandlingEvent.ASSIGN),
        Verb.ARRIVE: Doing("arrived", handling=HandlingEvent.ARRIVE),
        Verb.VERIFY: Doing("verified", handling=HandlingEvent.VERIFY),
        Verb.MEASURE: Doing("measured", handling=HandlingEvent.MEASURE, blind=True),
        Verb.CLOSE: Doing("closed", handling=HandlingEvent.CLOSE),
    }
)


def act_on(book: AlarmBook, decided: Decided, row: dict[str, Any], act: Act, by: str, key: str, when: When) -> None:
    """Do something with an alarm, and record it.

    Args:
        book: The open alarms.
        decided: Takes the record.
        row: Of the alarm, open or over; changed.
        act: What is to be done.
        by: Who does it.
        key: Of the command.
        when: Its clocks.

    Raises:
        ConflictError: It cannot be done; says why. Nothing has changed.
    """
    doing = VERBS[act.verb]
    if row["stage"] in ENDED:
        raise ConflictError(f"alarm {act.alarm_id}: it is closed and cannot be changed（已关闭，不可更改）")
    detail = {"by": by, **act.detail()}
    changes = _changes(act, row, by, when.decided_ms)
    cause = Cause(doing.kind, when, detail, key=key, handling=doing.handling, changes=changes)
    if doing.life is not None:
        book.step(decided, row, doing.life, cause)
        return
    after = {**row, **changes}
    if doing.handling is not None:
        after["stage"] = advance(after, doing.handling).value
    if act.verb is Verb.CLOSE:
        review(row, by, book.handling)
    row |= after
    book.record(decided, row, cause)


def _changes(act: Act, row: Mapping[str, Any], by: str, now_ms: int) -> dict[str, Any]:
    """Return the columns a verb changes beside life and handling."""
    match act.verb:
        case Verb.ACKNOWLEDGE:
            changes = {
                "acknowledged_ms": now_ms,
                "acknowledged_by": by,
                "overdue": _without(row["overdue"], "acknowledge"),
            }
        case Verb.UNACKNOWLEDGE:
            changes = {"acknowledged_ms": None, "acknowledged_by": None}
        case Verb.ASSIGN:
            changes = {"assigned_to": act.assignee}
        case Verb.VERIFY:
            changes = {"verdict": act.verdict}
        case Verb.MEASURE:
            changes = {"measured_ms": row["measured_ms"] or now_ms, "overdue": _without(row["overdue"], "measure")}
        case Verb.CLOSE:
            changes = {"closed_ms": now_ms, "closed_by": by, "overdue": ""}
        case _:
            changes = {}
    hand = {act.assignee} if act.verb is Verb.ASSIGN else {by}
    if act.verb not in (Verb.COMMENT, Verb.CLOSE):
        changes["hands"] = sorted({*(row["hands"] or ()), *hand})
    return changes


def _without(overdue: str, what: str) -> str:
    return ",".join(one for one in overdue.split(",") if one and one != what)
