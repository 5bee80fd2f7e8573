"""The duty as the API asks for it, in every process beside the notifier: what was told, who is on duty, swaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from config.clock import Clock
from config.duty.model import Duty
from gateway.commands import By
from gateway.errors import ConflictError, NotFoundError
from gateway.notify.port import Delivery, Kind
from gateway.notify.roster import Swap
from gateway.records import audit
from gateway.records.dialects import meaning_of, storable
from gateway.records.duty_tables import notification, notification_alarm, roster_swap
from gateway.records.queries import Row

__all__ = ["DutyDesk", "Figures"]

_LAST = 1_000
"""Messages over which the delay is told."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How the notifications are doing."""

    queued: int
    oldest_queued_ms: int | None
    """When the oldest of them was made."""
    counts: Mapping[tuple[str, str], int]
    """(channel, state) -> messages kept."""
    delay_p50_ms: float | None
    """From alarmed to sent over the first channel, over the last alarms; None: there are none."""
    delay_p99_ms: float | None


class DutyDesk:
    """Any thread may ask. Every method raises `RecordsBusyError` or `RecordsError` when the records cannot be used.

    Args:
        duty: What the duty file says.
        desk: May write, in short transactions.
        reader: To read from.
        clock: Wall.
    """

    def __init__(self, duty: Duty, desk: Engine, reader: Engine, clock: Clock) -> None:
        self.duty = duty
        self._desk = desk
        self._reader = reader
        self._clock = clock

    def notifications(
        self, states: Sequence[str], alarm_id: str | None, before_id: int | None, limit: int
    ) -> list[Row]:
        """Return at most ``limit`` notifications below ``before_id``, the newest first, each with its ``alarm_ids``."""
        wanted = select(notification)
        if states:
            wanted = wanted.where(notification.c.state.in_(states))
        if alarm_id is not None:
            keys = select(notification_alarm.c.key).where(notification_alarm.c.alarm_id == alarm_id)
            wanted = wanted.where(notification.c.key.in_(keys))
        if before_id is not None:
            wanted = wanted.where(notification.c.id < before_id)
        with _using(self._reader) as connection:
            found = connection.execute(wanted.order_by(notification.c.id.desc()).limit(limit)).mappings()
            rows = {row["key"]: dict(row) | {"alarm_ids": []} for row in found}
            links = select(notification_alarm).where(notification_alarm.c.key.in_(list(rows)))
            for link in connection.execute(links.order_by(notification_alarm.c.alarm_id)).mappings():
                rows[link["key"]]["alarm_ids"].append(link["alarm_id"])
        return list(rows.values())

    def swap_rows(self, now_ms: int) -> list[Row]:
        """Return the swaps that hold now or later, the oldest first."""
        wanted = select(roster_swap).where(roster_swap.c.ended_ms.is_(None), roster_swap.c.end_ms > now_ms)
        with _using(self._reader) as connection:
            found = connection.execute(wanted.order_by(roster_swap.c.created_ms, roster_swap.c.id)).mappings()
            return [dict(row) for row in found]

    def swaps(self, now_ms: int) -> list[Swap]:
        """Return the same, as `gateway.notify.roster` takes them."""
        return [Swap(*(row[name] for name in Swap.__dataclass_fields__)) for row in self.swap_rows(now_ms)]

    def add_swap(self, swap: Swap, reason: str, by: By) -> Row:
        """Let one person do duty for another; written into the audit log as well. The id of ``swap`` is not used.

        Raises:
            ConflictError: It makes no sense with this duty file.
        """
        now_ms = self._clock.wall_ms()
        self._check(swap, now_ms)
        row = {
            "id": uuid4().hex,
            "roster": swap.roster,
            "absent": swap.absent,
            "instead": swap.instead,
            "begin_ms": swap.begin_ms,
            "end_ms": swap.end_ms,
            "reason": storable(reason),
            "by": storable(by.account)[:128],
            "created_ms": now_ms,
            "ended_ms": None,
            "ended_by": None,
        }
        with _using(self._desk) as connection:
            connection.execute(insert(roster_swap), row)
            detail = {name: row[name] for name in ("roster", "absent", "instead", "begin_ms", "end_ms", "reason")}
            _note(connection, now_ms, by, "duty.swap", str(row["id"]), detail)
        return row

    def end_swap(self, swap_id: str, by: By) -> Row:
        """Take a swap back; returns it.

        Raises:
            NotFoundError: There is none, or it was taken back before.
        """
        now_ms = self._clock.wall_ms()
        open_ = roster_swap.c.id == swap_id, roster_swap.c.ended_ms.is_(None)
        with _using(self._desk) as connection:
            ended = {"ended_ms": now_ms, "ended_by": storable(by.account)[:128]}
            if not connection.execute(update(roster_swap).where(*open_).values(**ended)).rowcount:
                raise NotFoundError(f"there is no swap {swap_id!r}（没有此换班）")
            _note(connection, now_ms, by, "duty.swap_back", swap_id, {})
            found = connection.execute(select(roster_swap).where(roster_swap.c.id == swap_id)).mappings().one()
            return dict(found)

    def figures(self) -> Figures:
        """Return how the notifications are doing."""
        columns = notification.c
        with _using(self._reader) as connection:
            by = select(columns.channel, columns.state, func.count()).group_by(columns.channel, columns.state)
            counts = {(row[0], row[1]): row[2] for row in connection.execute(by)}
            oldest = connection.scalar(select(func.min(columns.created_ms)).where(columns.state == "queued"))
            first = columns.kind == Kind.ALARM.value, columns.turn == 0, columns.sent_ms.is_not(None)
            told = select(columns.alarmed_ms, columns.sent_ms).where(*first, columns.alarmed_ms.is_not(None))
            sent = connection.execute(told.order_by(columns.id.desc()).limit(_LAST)).all()
        delays = sorted(row.sent_ms - row.alarmed_ms for row in sent)
        queued = sum(count for (_, state), count in counts.items() if state == Delivery.QUEUED.value)
        return Figures(queued, oldest, counts, _at(delays, 0.5), _at(delays, 0.99))

    def _check(self, swap: Swap, now_ms: int) -> None:
        duty = self.duty
        if swap.roster not in duty.rosters:
            raise ConflictError(f"there is no roster {swap.roster!r}（没有此值班表）: {', '.join(duty.rosters)}")
        for person in (swap.absent, swap.instead):
            if person not in duty.people:
                raise ConflictError(f"there is nobody {person!r}（没有此人员）: {', '.join(duty.people)}")
        if swap.absent == swap.instead:
            raise ConflictError("somebody cannot do duty for themselves（不能与本人换班）")
        if not swap.begin_ms < swap.end_ms or swap.end_ms <= now_ms:
            raise ConflictError("a swap ends after it begins, and not in the past（结束时间须晚于开始时间和当前时间）")


def _at(ordered: Sequence[float], part: float) -> float | None:
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else None


def _note(connection: Connection, now_ms: int, by: By, act: str, subject: str, detail: Mapping[str, Any]) -> None:
    audit.append(connection, [audit.Entry(now_ms, by.account, by.origin, act, subject, detail=detail)])


@contextmanager
def _using(engine: Engine) -> Iterator[Connection]:
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise meaning_of(error)(f"the duty in the records: {error.orig}") from error
