"""Checks that are to be done again and again (排查任务): who, how often, when next."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, func, insert, or_, select, update

from config.clock import Clock
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import ConflictError, NotFoundError
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.dialects import storable
from gateway.records.risk_tables import check_task, risk, risk_measure
from gateway.records.transaction import using
from gateway.registry.store import seen_by
from gateway.risks.model import CheckTask, Unit, next_due_ms

__all__ = ["CheckTasks", "TaskDraft", "TaskFilter", "done", "task_from"]

_MOST_TASKS = 200
_t = check_task.c


@dataclass(frozen=True, slots=True)
class TaskDraft:
    """A check as somebody writes it."""

    text: str
    every: int
    unit: Unit
    post: str = ""
    responsible: bool = False


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which checks are wanted; empty: all that are."""

    risk_id: str = ""
    hazard_unit: str = ""
    enterprise: str = ""
    post: str = ""
    responsible: bool | None = None
    due_before_ms: int | None = None

    def clauses(self) -> list[ColumnElement[bool]]:
        """Return it as the database asks for it."""
        same = ("risk_id", "hazard_unit", "enterprise", "post")
        said = [_t[name] == getattr(self, name) for name in same if getattr(self, name)]
        if self.responsible is not None:
            said.append(_t.responsible.is_(self.responsible))
        if self.due_before_ms is not None:
            said.append(_t.due_ms < self.due_before_ms)
        return [*said, _t.ended_ms.is_(None)]


class CheckTasks:
    """The checks. Any thread may use it.

    Args:
        writing: For short transactions beside the pipeline.
        reader: Cannot write.
        clock: Wall.
    """

    def __init__(self, writing: Engine, reader: Engine, clock: Clock) -> None:
        self._writing = writing
        self._reader = reader
        self._clock = clock

    def add(self, measure_id: str, draft: TaskDraft, scope: Scope, by: By) -> CheckTask:
        """Write a check of a measure; it is due for the first time one cycle from now.

        Raises:
            NotFoundError: There is no such measure that may be seen.
            ConflictError: Its risk is none any more, or has as many as it may have.
        """
        now_ms = self._clock.wall_ms()
        m = risk_measure.c
        asked = select(risk_measure).where(
            m.id == measure_id, m.ended_ms.is_(None), seen_by(scope, m.enterprise, m.district)
        )
        with using(self._writing, "writing a check") as connection:
            row = connection.execute(asked).mappings().first()
            if row is None:
                raise NotFoundError(f"there is no measure {measure_id!r}（管控措施不存在）")
            _check_room(connection, row["risk_id"])
            made = CheckTask(
                id=f"CT{secrets.token_hex(12).upper()}",
                measure_id=measure_id,
                **{name: row[name] for name in ("risk_id", "enterprise", "district", "hazard_unit")},
                text=storable(draft.text)[:1000],
                every=draft.every,
                unit=draft.unit,
                post=storable(draft.post)[:128],
                responsible=draft.responsible,
                done_ms=None,
                due_ms=next_due_ms(now_ms, draft.every, draft.unit),
            )
            connection.execute(insert(check_task), asdict(made))
            detail = {"measure": measure_id, "risk": made.risk_id, "every": made.every, "unit": made.unit.value}
            audit.append(connection, [Entry(now_ms, by.account, by.origin, "check.task", made.id, detail=detail)])
        return made

    def end(self, task_id: str, scope: Scope, by: By) -> CheckTask:
        """Say that a check is not to be done any more; the same again changes nothing.

        Raises:
            NotFoundError: There is none that may be seen.
        """
        before, now_ms = self.get(task_id, scope), self._clock.wall_ms()
        with using(self._writing, "ending a check") as connection:
            open_ = (_t.id == task_id, _t.ended_ms.is_(None))
            if connection.execute(update(check_task).where(*open_).values(ended_ms=now_ms)).rowcount:
                detail = {"risk": before.risk_id}
                audit.append(connection, [Entry(now_ms, by.account, by.origin, "check.end", task_id, detail=detail)])
            row = connection.execute(select(check_task).where(_t.id == task_id)).mappings().one()
        return task_from(row)

    def get(self, task_id: str, scope: Scope) -> CheckTask:
        """Return a check.

        Raises:
            NotFoundError: There is none that may be seen.
        """
        with using(self._reader, "reading checks") as connection:
            row = connection.execute(select(check_task).where(_t.id == task_id, _seen(scope))).mappings().first()
        if row is None:
            raise NotFoundError(f"there is no check {task_id!r}（排查任务不存在）")
        return task_from(row)

    def page(self, wanted: TaskFilter, scope: Scope, after: tuple[int, str] | None, limit: int) -> list[CheckTask]:
        """Return checks, what is due first before what is due later.

        Args:
            wanted: Which.
            scope: Whose may be seen.
            after: Behind this time and id.
            limit: At most so many.
        """
        asked = select(check_task).where(*wanted.clauses(), _seen(scope)).order_by(_t.due_ms, _t.id).limit(limit)
        if after is not None:
            due_ms, name = after
            asked = asked.where(or_(_t.due_ms > due_ms, and_(_t.due_ms == due_ms, _t.id > name)))
        with using(self._reader, "reading checks") as connection:
            return [task_from(row) for row in connection.execute(asked).mappings()]

    def overdue(self, scope: Scope, now_ms: int) -> dict[str, int]:
        """Count the checks that are late, by hazard unit."""
        late = (_t.ended_ms.is_(None), _t.due_ms <= now_ms, _seen(scope))
        asked = select(_t.hazard_unit, func.count().label("many")).where(*late).group_by(_t.hazard_unit)
        with using(self._reader, "counting late checks") as connection:
            return {row.hazard_unit: row.many for row in connection.execute(asked)}


def task_from(row: Mapping[Any, Any]) -> CheckTask:
    """Return a row as a check."""
    return CheckTask(**{one.name: row[one.name] for one in fields(CheckTask)} | {"unit": Unit(row["unit"])})


def done(connection: Connection, task: CheckTask, done_ms: int) -> None:
    """Wind the clock of a check. One that was done earlier and is told of later does not turn it back."""
    due_ms = next_due_ms(done_ms, task.every, task.unit)
    earlier = or_(_t.done_ms.is_(None), _t.done_ms < done_ms)
    connection.execute(
        update(check_task)
        .where(_t.id == task.id, _t.ended_ms.is_(None), earlier)
        .values(done_ms=done_ms, due_ms=due_ms)
    )


def _check_room(connection: Connection, risk_id: str) -> None:
    live = select(risk.c.id).where(risk.c.id == risk_id, risk.c.ended_ms.is_(None)).with_for_update()
    if connection.scalar(live) is None:
        raise ConflictError(f"risk {risk_id} is none any more（风险已消除）")
    mine = select(func.count()).where(_t.risk_id == risk_id, _t.ended_ms.is_(None))
    if (connection.scalar(mine) or 0) >= _MOST_TASKS:
        raise ConflictError(f"risk {risk_id} has {_MOST_TASKS} checks already")


def _seen(scope: Scope) -> ColumnElement[bool]:
    return seen_by(scope, _t.enterprise, _t.district)
