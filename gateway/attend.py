"""What time does to alarms: shelving ends, rules begin and end, clocks run out, old alarms are told anew."""

from __future__ import annotations

from typing import Any

from config.plant.model import Plant
from gateway.agenda import Due
from gateway.alarm_rows import Cause, Decided, When
from gateway.alarms import AlarmBook
from gateway.inhibiting import end_what_is_due, follow_rules
from gateway.lifecycle import LifeEvent
from gateway.records.writer import Records

__all__ = ["attend"]


def attend(book: AlarmBook, plant: Plant, records: Records, decided: Decided, now_ms: int, position: int) -> None:
    """Do what is due.

    Args:
        book: The open alarms.
        plant: Its rules suppress.
        records: Where alarms are that are over and still to be handled.
        decided: What this turn has decided so far; what time does is added.
        now_ms: Gateway clock.
        position: The last log row.

    Raises:
        RecordsError: The records cannot be read.
    """
    when = When.now(now_ms, position)
    end_what_is_due(book, decided, when)
    follow_rules(book, plant, decided, when)
    for name, due, at_ms in book.agenda.take(now_ms):
        row = book.find(name) or _over(name, records, decided)
        if row is None or book.agenda.due_ms(row, due) != at_ms:
            continue  # done meanwhile, or the clock began anew
        if due is Due.RE_ALARM:
            after_ms = at_ms - row["acknowledged_ms"]
            book.step(decided, row, LifeEvent.RE_ALARM, Cause("re_alarmed", when, {"after_ms": after_ms}))
        else:
            row["overdue"] = ",".join(filter(None, (row["overdue"], due.value)))
            book.record(decided, row, Cause("overdue", when, {"what": due.value, "due_ms": at_ms}))


def _over(name: str, records: Records, decided: Decided) -> dict[str, Any] | None:
    known = decided.latest.get(name)
    return dict(known) if known is not None else records.alarm(name)
