"""Carries out what people ask for, on the pipeline's thread, inside the turn that will make it durable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.acts import VERBS, act_on
from gateway.alarm_rows import Decided, When
from gateway.alarms import AlarmBook
from gateway.commands import Act, Acts, By, Inhibit, Order, Outcome, Release
from gateway.errors import ConflictError, GatewayError, NotFoundError
from gateway.inhibiting import inhibit, release
from gateway.records.audit import Entry
from gateway.records.writer import Records

__all__ = ["Desk", "carry_out"]


@dataclass(slots=True)
class Desk:
    """What an order is carried out with."""

    book: AlarmBook
    records: Records
    """Where alarms that are over and earlier events are."""
    decided: Decided
    """What this turn has decided so far; what the order changes is added."""
    audit: list[Entry]
    """Takes what was asked for and what came of it."""
    now_ms: int
    """Gateway clock."""
    position: int
    """The last log row."""


def carry_out(order: Order, desk: Desk) -> None:
    """Do what an order says, or note in it why not. The same thing asked for again is done already.

    Args:
        order: Takes the outcomes; to be settled when this turn is durable.
        desk: What it is carried out with.

    Raises:
        RecordsError: The records cannot be read.
    """
    match order.command:
        case Acts() as acts:
            order.outcomes = [_act(act, acts, desk) for act in acts.acts]
        case Inhibit() as wanted:
            order.outcomes = [_inhibit(wanted, condition, desk) for condition in wanted.conditions]
        case Release() as wanted:
            order.outcomes = [_release(wanted, desk)]


def _act(act: Act, acts: Acts, desk: Desk) -> Outcome:
    key = acts.key_of(act)
    row = desk.book.find(act.alarm_id) or _over(act.alarm_id, desk)
    if row is None:
        return NotFoundError(f"there is no alarm {act.alarm_id}")
    done = _done(act, key, row, desk)
    if done is not None:
        return done
    try:
        _fits(act, row, desk)
        act_on(desk.book, desk.decided, row, act, acts.by.account, key, When.now(desk.now_ms, desk.position))
    except ConflictError as error:
        _note(desk, acts.by, f"alarm.{act.verb}", act.alarm_id, error, act.detail())
        return error
    _note(desk, acts.by, f"alarm.{act.verb}", act.alarm_id, None, {"version": row["version"], **act.detail()})
    return desk.decided.latest[act.alarm_id]


def _over(name: str, desk: Desk) -> dict[str, Any] | None:
    """Return an alarm that is not open, as this turn or an earlier one has left it."""
    known = desk.decided.latest.get(name)
    return dict(known) if known is not None else desk.records.alarm(name)


def _done(act: Act, key: str, row: Mapping[str, Any], desk: Desk) -> Outcome | None:
    """Return the alarm when this very act was recorded, in this turn or an earlier one; None when it was not."""
    if row["version"] == act.version:
        return None  # nothing has happened since it was seen
    events = [one for one in desk.decided.events if one["alarm_id"] == act.alarm_id]
    event = next((one for one in events if one["key"] == key), None) or desk.records.event_of(act.alarm_id, key)
    if event is None:
        return None
    if event["kind"] != VERBS[act.verb].kind:
        return ConflictError(f"alarm {act.alarm_id}: this idempotency key has been used for {event['kind']!r}")
    return dict(row)


def _fits(act: Act, row: Mapping[str, Any], desk: Desk) -> None:
    """Check that nothing has happened that somebody who saw an earlier version would have to know.

    Raises:
        ConflictError: It has; says what, and whose doing it was.
    """
    seen = act.version
    if VERBS[act.verb].blind or row["material_version"] <= seen <= row["version"]:
        return
    if seen > row["version"]:
        raise ConflictError(f"alarm {act.alarm_id} has version {row['version']}, not yet {seen}")
    version = row["material_version"]
    mine = [one for one in desk.decided.events if (one["alarm_id"], one["version"]) == (act.alarm_id, version)]
    event = mine[0] if mine else desk.records.event(act.alarm_id, version)
    what = "has changed"
    if event is not None:
        by = (event["detail"] or {}).get("by")
        what = f"{event['kind']} by {by}" if by else event["kind"]
    raise ConflictError(
        f"alarm {act.alarm_id}: {what} since it was seen (version {version}, seen {seen}): look again"
        "（报警已变化，请刷新后再操作）"
    )


def _inhibit(wanted: Inhibit, condition: str, desk: Desk) -> Outcome:
    name = wanted.name_of(condition)
    known = desk.decided.inhibitions.get(name) or desk.records.inhibition(name)
    if known is not None:
        return known
    detail = {"reason": wanted.reason, "until_ms": wanted.until_ms, "permit": wanted.permit, "rule": wanted.rule}
    subject = f"{wanted.tag} {condition}"
    try:
        begun = inhibit(desk.book, desk.decided, wanted, condition, When.now(desk.now_ms, desk.position))
    except (ConflictError, NotFoundError) as error:
        _note(desk, wanted.by, f"point.{wanted.event}", subject, error, detail)
        return error
    _note(desk, wanted.by, f"point.{wanted.event}", subject, None, detail)
    return begun


def _release(wanted: Release, desk: Desk) -> Outcome:
    try:
        row = release(desk.book, desk.decided, wanted, When.now(desk.now_ms, desk.position))
    except ConflictError as error:
        return error
    if row is None:
        known = desk.records.inhibition(wanted.inhibition)
        return NotFoundError(f"there is no inhibition {wanted.inhibition}") if known is None else known
    _note(desk, wanted.by, "point.release", f"{row['tag']} {row['condition']}", None, {"reason": wanted.reason})
    return row


def _note(desk: Desk, by: By, verb: str, subject: str, error: GatewayError | None, detail: Mapping[str, Any]) -> None:
    why = {} if error is None else {"why": str(error)}
    outcome = "done" if error is None else "refused"
    desk.audit.append(Entry(desk.now_ms, by.account, by.origin, verb, subject, outcome, {**detail, **why}))
