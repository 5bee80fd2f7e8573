"""What keeps a hidden danger from being closed: its alarm is still open."""

from __future__ import annotations

from sqlalchemy import Connection, and_, select

from gateway.dangers.model import Danger
from gateway.errors import ConflictError
from gateway.records.schema import OPEN_STATES, alarm

__all__ = ["check_alarm_over"]


def check_alarm_over(connection: Connection, danger: Danger) -> None:
    """Check that the alarm a danger is about is over, and no other of the same tag and condition is open.

    Raises:
        ConflictError: One is open; names it.
    """
    its = []
    if danger.alarm_id:
        its.append(alarm.c.alarm_id == danger.alarm_id)
    if danger.tag and danger.condition:
        its.append(and_(alarm.c.tag == danger.tag, alarm.c.condition == danger.condition))
    for which in its:  # one by one, so that each uses its own index
        asked = select(alarm.c.alarm_id, alarm.c.state).where(which, alarm.c.state.in_(OPEN_STATES))
        found = connection.execute(asked.order_by(alarm.c.raised_ms.desc()).limit(1)).first()
        if found is not None:
            raise ConflictError(
                f"hidden danger {danger.id}: alarm {found.alarm_id} is {found.state}; it is closed when that is over"
                "（相关报警尚未消除，不能销号）"
            )
