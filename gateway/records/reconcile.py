"""What edges have noticed by themselves, beside what the gateway made of the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, and_, exists, or_, select

from gateway.records.schema import alarm, local_alarm

__all__ = ["local_alarms"]


def local_alarms(
    edge: str, before: tuple[int, str] | None, limit: int, tags: Sequence[str] | None = None
) -> Select[Any]:
    """Return the query for the local alarms of an edge, the newest first, each with whether the gateway has it too.

    It has it when an alarm of the same tag and condition, live or retrospective, meets it in time: after a restart an
    edge counts delays anew, so names (which hold the onset) may differ.

    Args:
        edge: Which.
        before: (raised_ms, alarm_id) of the last one already seen.
        limit: At most so many.
        tags: Only of these; None: of all.
    """
    own = local_alarm.c
    same = exists().where(
        alarm.c.tag == own.tag,
        alarm.c.condition == own.condition,
        or_(own.cleared_ms.is_(None), alarm.c.onset_ms <= own.cleared_ms),
        or_(alarm.c.cleared_ms.is_(None), alarm.c.cleared_ms >= own.onset_ms),
    )
    query = select(local_alarm, same.label("matched")).where(own.edge == edge)
    if tags is not None:
        query = query.where(own.tag.in_(tags))
    if before is not None:
        raised_ms, name = before
        query = query.where(or_(own.raised_ms < raised_ms, and_(own.raised_ms == raised_ms, own.alarm_id < name)))
    return query.order_by(own.raised_ms.desc(), own.alarm_id.desc()).limit(limit)
