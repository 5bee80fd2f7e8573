"""Shelving, suppressing by design, taking out of service: the rules of each, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from config.duty.handling import Handling
from config.plant.model import Condition, Plant, Text
from gateway.alarm_rows import Cause, Decided, Point, When
from gateway.alarms import AlarmBook
from gateway.commands import By, Inhibit, Release
from gateway.errors import ConflictError, NotFoundError
from gateway.lifecycle import INHIBITIONS, TABLE, Life, LifeEvent, No

__all__ = ["end_what_is_due", "follow_rules", "inhibit", "release"]

_KINDS: Mapping[LifeEvent, str] = MappingProxyType(
    {LifeEvent.SHELVE: "shelved", LifeEvent.SUPPRESS: "suppressed", LifeEvent.REMOVE: "removed"}
)
_BACK: Mapping[str, str] = MappingProxyType(
    {"shelved": "unshelved", "suppressed": "unsuppressed", "out_of_service": "in_service"}
)
"""The events as the records call them."""
_GATEWAY = "system"


def inhibit(book: AlarmBook, decided: Decided, wanted: Inhibit, condition: str, when: When) -> dict[str, Any]:
    """Keep a point from being told until a time; returns the inhibition.

    Args:
        book: The open alarms.
        decided: Takes the record.
        wanted: What is asked for.
        condition: Of the point.
        when: Its clocks.

    Raises:
        ConflictError: It is not allowed; says why. Nothing has changed.
        NotFoundError: There is no such point.
    """
    point = wanted.tag, Condition(condition)
    rule = book.rule(point)
    if rule is None:
        raise NotFoundError(f"{wanted.tag} has no condition {condition}")
    row = book.row(point)
    _allowed(wanted, min(int(rule.tier), row["tier"] if row else 4), book.handling, when.decided_ms)
    begun = {
        **_inhibition(wanted.name_of(condition), point, INHIBITIONS[wanted.event], when.at_ms, wanted.until_ms),
        "reason": wanted.reason,
        "permit": wanted.permit,
        "rule": wanted.rule,
        "by": wanted.by.account,
    }
    _begin(book, decided, point, wanted.event, begun, wanted.by, when)
    return begun


def release(book: AlarmBook, decided: Decided, wanted: Release, when: When) -> dict[str, Any] | None:
    """End an inhibition before its time; returns its row, or None when none such is in force.

    Raises:
        ConflictError: It follows a rule.
    """
    found = book.inhibitions.find(wanted.inhibition)
    if found is None:
        return None
    point, row = found
    if row["until_ms"] is None:
        raise ConflictError(f"{row['tag']} {row['condition']}: suppressed as long as rule {row['rule']} holds")
    return _leave(book, decided, point, wanted.by, "released", when, wanted.reason)


def end_what_is_due(book: AlarmBook, decided: Decided, when: When) -> None:
    """Let every point come back whose time is up."""
    for point in book.inhibitions.due(when.decided_ms):
        _leave(book, decided, point, By(_GATEWAY, "gateway"), "time", when)


def follow_rules(book: AlarmBook, plant: Plant, decided: Decided, when: When) -> None:
    """Suppress what a rule of the plant file says is to be suppressed now, and let go of what it no longer says."""
    wanted = {
        point: rule.id
        for rule in reversed(tuple(plant.suppressions.values()))  # of two the first one wins
        if rule.while_alarm is not None and book.is_told(rule.while_alarm)
        for point in rule.points
    }
    held = book.inhibitions.of_rules()
    by = By(_GATEWAY, "gateway")
    for point in held.keys() - wanted.keys():
        _leave(book, decided, point, by, "rule", when)
    for point in wanted.keys() - held.keys():
        if isinstance(TABLE[book.life(point)][LifeEvent.SUPPRESS], No):
            continue  # out of service: that is more
        name = sha256(f"{wanted[point]}\n{point}\n{when.at_ms}".encode()).hexdigest()[:32]
        rule = plant.suppressions[wanted[point]]
        begun = {
            **_inhibition(name, point, Life.SUPPRESSED, when.at_ms, None),
            "reason": rule.name.zh,
            "permit": "",
            "rule": rule.id,
            "by": _GATEWAY,
        }
        _begin(book, decided, point, LifeEvent.SUPPRESS, begun, by, when)


def _allowed(wanted: Inhibit, worst: int, handling: Handling, now_ms: int) -> None:
    lasts_ms = wanted.until_ms - now_ms
    longest_ms = {
        LifeEvent.SHELVE: handling.shelving.longest_ms,
        LifeEvent.SUPPRESS: handling.suppress_longest_ms,
        LifeEvent.REMOVE: handling.out_of_service_longest_ms,
    }[wanted.event]
    if lasts_ms <= 0:
        raise _refusal(wanted, Text("结束时间已过", "its end is past"))
    if lasts_ms > longest_ms:
        hours = f"{longest_ms / 3_600_000:g}"
        raise _refusal(wanted, Text(f"最长 {hours} 小时", f"at most {hours} h"))
    if wanted.event is LifeEvent.SHELVE and worst in handling.shelving.forbidden_tiers:
        raise _refusal(wanted, Text("该级别禁止搁置", "alarms of this tier are never shelved"))


def _refusal(wanted: Inhibit, why: Text) -> ConflictError:
    return ConflictError(f"{wanted.tag} {wanted.event}: {why.en}（{why.zh}）")


def _inhibition(name: str, point: Point, kind: Life, since_ms: int, until_ms: int | None) -> dict[str, Any]:
    return {
        "id": name,
        "tag": point[0],
        "condition": point[1].value,
        "kind": kind.value,
        "since_ms": since_ms,
        "until_ms": until_ms,
        "ended_ms": None,
        "ended_by": None,
        "ended_why": None,
    }


def _begin(
    book: AlarmBook,
    decided: Decided,
    point: Point,
    event: LifeEvent,
    begun: dict[str, Any],
    by: By,
    when: When,
) -> None:
    cell = TABLE[book.life(point)][event]
    if isinstance(cell, No):
        raise ConflictError(f"{point[0]} {point[1].value}: {cell.why.en}（{cell.why.zh}）")
    row = book.row(point)
    book.inhibitions.begin(decided, point, begun, by)
    if row is not None:
        told = {"by": by.account, "reason": begun["reason"], "until_ms": begun["until_ms"]}
        more = {name: begun[name] for name in ("permit", "rule") if begun[name]}
        book.step(decided, row, event, Cause(_KINDS[event], when, told | more))


def _leave(
    book: AlarmBook, decided: Decided, point: Point, by: By, why: str, when: When, reason: str = ""
) -> dict[str, Any]:
    ended = book.inhibitions.end(decided, point, when.at_ms, by, why)
    row = book.row(point)
    if row is not None:
        event = LifeEvent.LEAVE_ACTIVE if book.is_active(point) else LifeEvent.LEAVE_OVER
        told = {"by": by.account, "why": why} | ({"reason": reason} if reason else {})
        book.step(decided, row, event, Cause(_BACK[ended["kind"]], when, told))
    return ended
