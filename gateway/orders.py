"""Carries out what people ask for, on the pipeline's thread, inside the turn that will make it durable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.alarms import AlarmBook, Decided
from gateway.commands import Acknowledge, Order
from gateway.errors import ConflictError, NotFoundError
from gateway.records.writer import Records

__all__ = ["carry_out"]


def carry_out(order: Order, book: AlarmBook, records: Records, decided: Decided, now_ms: int, position: int) -> None:
    """Do what an order says, or note in it why not. The same thing asked for again is done already.

    Args:
        order: Takes the outcome; to be settled when this turn is durable.
        book: The open alarms.
        records: Where closed alarms and earlier events are.
        decided: What this turn has decided so far; what the order changes is added.
        now_ms: Gateway clock.
        position: The last log row.

    Raises:
        RecordsError: The records cannot be read.
    """
    command = order.command
    row = book.find(command.alarm_id)
    known = row or _just_ended(command, decided) or records.alarm(command.alarm_id)
    if known is None:
        order.outcome = NotFoundError(f"there is no alarm {command.alarm_id}")
    elif known["version"] > command.version and _is_done(command, records, decided):
        order.outcome = dict(known)
    elif row is None:
        order.outcome = ConflictError(f"alarm {command.alarm_id} is closed")
    else:
        try:
            more = book.acknowledge(command, now_ms, position)
        except ConflictError as error:
            order.outcome = error
            return
        decided.alarms += more.alarms
        decided.events += more.events
        order.outcome = more.alarms[-1]


def _just_ended(command: Acknowledge, decided: Decided) -> Mapping[str, Any] | None:
    return next((row for row in reversed(decided.alarms) if row["alarm_id"] == command.alarm_id), None)


def _is_done(command: Acknowledge, records: Records, decided: Decided) -> bool:
    """Say whether this very acknowledgement was recorded, in this turn or an earlier one."""
    key = command.alarm_id, command.version + 1
    event = next((one for one in decided.events if (one["alarm_id"], one["version"]) == key), None)
    event = event or records.event(*key)
    return event is not None and event["kind"] == "acknowledged" and event["detail"]["by"] == command.by
