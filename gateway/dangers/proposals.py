"""Alarms that recur propose a hidden danger: one for a tag and condition, as long as that one is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import structlog
from sqlalchemy import ColumnElement, Connection, Engine, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from config.dangers import Clocked, DangerRules, Edition
from gateway.access.roles import Scope
from gateway.dangers.clocks import begin
from gateway.dangers.intake import name_of, new_danger
from gateway.dangers.model import Danger
from gateway.dangers.rows import add, write
from gateway.dangers.states import Source, State
from gateway.records.danger_tables import danger, danger_position
from gateway.records.schema import alarm, alarm_event
from gateway.records.transaction import using
from gateway.registry.where import Spot, Where

__all__ = ["Proposals"]

log = structlog.get_logger(__name__)

_EVENTS_AT_ONCE: Final = 5_000
_SYSTEM: Final = "system"
_POSITION: Final = "recurring"


class Proposals:
    """Looks at alarms in the order in which they were raised, and remembers how far it has come.

    Args:
        writing: For short transactions beside the pipeline.
        reader: Cannot write.
        where: Of all places.
        rules: Say what is too often.
    """

    def __init__(self, writing: Engine, reader: Engine, where: Where, rules: DangerRules) -> None:
        self._writing = writing
        self._reader = reader
        self._where = where
        self._rules = rules

    def look(self, now_ms: int) -> int:
        """Look at the alarms raised since the last look; returns how many dangers they propose."""
        edition, proposed = self._rules.at(now_ms), 0
        while True:
            with using(self._reader, "looking at alarms") as connection:
                asked = select(danger_position.c.position).where(danger_position.c.name == _POSITION)
                after = connection.scalar(asked)
                upto, points = _raised(connection, after, now_ms - edition.recurring_ms, edition.recurring_times)
            for tag, condition in points:
                proposed += self._consider(tag, condition, edition, now_ms)
            if upto == after:
                return proposed
            with using(self._writing, "noting which alarms were looked at") as connection:
                _note(connection, after, upto)

    def _consider(self, tag: str, condition: str, edition: Edition, now_ms: int) -> bool:
        """Propose a danger for a tag and condition that alarm too often; says whether it did."""
        with using(self._reader, "counting alarms") as connection:
            since_ms = _counts_from(connection, tag, condition, now_ms - edition.recurring_ms)
            if since_ms is None:
                return False
            which = _counted(tag, condition, since_ms, edition)
            times = connection.scalar(select(func.count()).select_from(alarm).where(*which)) or 0
            if times < edition.recurring_times:
                return False
            newest = select(alarm).where(*which).order_by(alarm.c.raised_ms.desc()).limit(1)
            row = connection.execute(newest).mappings().one()
        new = self._danger(row, times, edition, now_ms)
        try:
            with using(self._writing, "proposing a hidden danger") as connection:
                add(connection, new)
                due_ms = now_ms + edition.clocks[Clocked.ACCEPT].general_ms
                begin(connection, new, Clocked.ACCEPT, due_ms, now_ms)
                write(connection, new, "propose", _SYSTEM, now_ms, {"times": times, "alarm_id": new.alarm_id})
        except IntegrityError:  # another process was quicker
            return False
        log.info("hidden_danger_proposed", danger=new.id, tag=tag, condition=condition, times=times)
        return True

    def _danger(self, row: Mapping[Any, Any], times: int, edition: Edition, now_ms: int) -> Danger:
        spot = self._where.of_alarm(row, Scope())
        days, tag, condition = edition.recurring_ms // 86_400_000, row["tag"], row["condition"]
        return new_danger(
            name_of(_SYSTEM, ""),
            Source.ALARM,
            State.PROPOSED,
            f"{tag} {condition}：{days}天内报警{times}次 · {times} alarms in {days} days"[:256],
            now_ms,
            **asdict(spot or Spot(tag=tag)),
            condition=condition,
            alarm_id=row["alarm_id"],
            found_by=_SYSTEM,
            recurring=f"{tag}|{condition}",
        )


def _counted(tag: str, condition: str, since_ms: int, edition: Edition) -> tuple[ColumnElement[bool], ...]:
    verdict = or_(alarm.c.verdict.is_(None), alarm.c.verdict.not_in(sorted(edition.not_counted)))
    return alarm.c.tag == tag, alarm.c.condition == condition, alarm.c.raised_ms > since_ms, verdict


def _raised(connection: Connection, after: int | None, since_ms: int, times: int) -> tuple[int, list[tuple[str, str]]]:
    """Return up to which event was looked, and the points that alarmed; at first those that did so often enough."""
    newest = connection.scalar(select(func.max(alarm_event.c.event_id))) or 0
    point = (alarm.c.tag, alarm.c.condition)
    if after is None:
        often = select(*point).where(alarm.c.raised_ms > since_ms).group_by(*point).having(func.count() >= times)
        return newest, [(row.tag, row.condition) for row in connection.execute(often)]
    upto = max(after, min(newest, after + _EVENTS_AT_ONCE))
    event = alarm_event.c
    new = (event.event_id > after, event.event_id <= upto, event.kind == "raised")
    raised = select(*point).distinct().join(alarm_event, event.alarm_id == alarm.c.alarm_id).where(*new)
    return upto, [(row.tag, row.condition) for row in connection.execute(raised)]


def _counts_from(connection: Connection, tag: str, condition: str, since_ms: int) -> int | None:
    """Return after which moment alarms count; None: a danger is open. When the last one was over, all before was."""
    asked = select(danger.c.urgency, danger.c.over_ms).where(danger.c.tag == tag, danger.c.condition == condition)
    for row in connection.execute(asked):
        if row.urgency > 0:
            return None
        since_ms = max(since_ms, row.over_ms or 0)
    return since_ms


def _note(connection: Connection, before: int | None, upto: int) -> None:
    values = {"name": _POSITION, "position": upto}
    if before is None:
        connection.execute(insert(danger_position), values)
    else:
        connection.execute(update(danger_position).where(danger_position.c.name == _POSITION).values(**values))
