"""What the records say of alarms around one, in reads that an index bounds however many alarms there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from gateway.records.queries import STATES, Row
from gateway.records.schema import OPEN_STATES, alarm, alarm_event, tag
from gateway.records.transaction import using

__all__ = ["Around", "Neighbourhood"]

_EARLIER = 5
_EACH = 25
"""Alarms of each state, the newest."""
_FIRST = 3
"""And those that came first."""
_COUNTED = 500


@dataclass(frozen=True, slots=True)
class Around:
    """Alarms around one, itself included."""

    rows: tuple[Row, ...]
    open: int
    """How many are open; not more than are counted."""


class Neighbourhood:
    """Any thread may ask. Every method raises `RecordsError` when the records cannot be read.

    Args:
        reader: To read from.
    """

    def __init__(self, reader: Engine) -> None:
        self._reader = reader

    def around(self, row: Row, unit: str, tags: Sequence[str], span_ms: int) -> Around:
        """Return the alarms of a unit (without one: of some tags) that are open, or were raised near one in time.

        Args:
            row: The alarm in the middle.
            unit: Empty: of none.
            tags: Then of these.
            span_ms: So near.
        """
        here = alarm.c.hazard_unit == unit if unit else alarm.c.tag.in_(tags)
        near = row["raised_ms"] - span_ms, row["raised_ms"] + span_ms
        found: dict[str, Row] = {}
        still = select(alarm.c.raised_ms).where(here, alarm.c.state.in_(OPEN_STATES)).limit(_COUNTED)
        with using(self._reader, "reading alarms around one") as connection:
            for state in STATES:
                asked = select(alarm).where(here, alarm.c.state == state)
                lately = asked.where(alarm.c.raised_ms.between(*near))
                newest = (asked if state in OPEN_STATES else lately).order_by(alarm.c.raised_ms.desc()).limit(_EACH)
                rows = [dict(one) for one in connection.execute(newest).mappings()]
                if len(rows) == _EACH:  # else all are among them
                    first = lately.order_by(alarm.c.raised_ms).limit(_FIRST)
                    rows += [dict(one) for one in connection.execute(first).mappings()]
                found |= {row["alarm_id"]: row for row in rows}
            count = connection.scalar(select(func.count()).select_from(still.subquery())) or 0
        return Around(tuple(found.values()), count)

    def like(self, row: Row, span_ms: int, limit: int) -> tuple[int, list[Row]]:
        """Return how many alarms of the same tag and condition there are up to one, and the last before it.

        Args:
            row: The alarm.
            span_ms: So far back.
            limit: No more than one above this are counted.
        """
        same = (
            alarm.c.tag == row["tag"],
            alarm.c.condition == row["condition"],
            alarm.c.raised_ms.between(row["raised_ms"] - span_ms, row["raised_ms"]),
        )
        order = alarm.c.raised_ms.desc()
        with using(self._reader, "reading alarms like one") as connection:
            counted = select(alarm.c.raised_ms).where(*same).order_by(order).limit(limit + 1).subquery()
            times = connection.scalar(select(func.count()).select_from(counted)) or 0
            before = select(alarm).where(*same, alarm.c.alarm_id != row["alarm_id"]).order_by(order).limit(_EARLIER)
            return times, [dict(one) for one in connection.execute(before).mappings()]

    def events(self, alarm_id: str, limit: int) -> list[Row]:
        """Return the latest events of an alarm, oldest first."""
        newest = select(alarm_event).where(alarm_event.c.alarm_id == alarm_id)
        with using(self._reader, "reading the events of an alarm") as connection:
            rows = connection.execute(newest.order_by(alarm_event.c.event_id.desc()).limit(limit)).mappings().all()
        return [dict(one) for one in reversed(rows)]

    def tag_ids(self, names: Sequence[str]) -> dict[str, int]:
        """Return the numbers of some tags in the history, of those that have one."""
        with using(self._reader, "reading numbers of tags") as connection:
            return {row.name: row.tag_id for row in connection.execute(select(tag).where(tag.c.name.in_(names)))}
