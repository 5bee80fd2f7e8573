"""What lifts grades of the moment: alarms, late checks, hidden dangers. Another room gives more by the same port."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Engine, and_, or_, select

from gateway.dangers.states import Grade
from gateway.records.danger_tables import danger
from gateway.records.risk_tables import check_task, risk
from gateway.records.schema import alarm
from gateway.records.transaction import using
from gateway.risks.dynamic import Cause

__all__ = ["AlarmCauses", "Causes", "CheckCauses", "DangerCauses", "Reach"]

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Reach:
    """Which risks a cause lifts: those named, those of the vessel and of its unit as a whole, those of the unit."""

    risk_id: str = ""
    hazard_unit: str = ""
    vessel: str = ""


class Causes(Protocol):
    """Where causes come from. Reads only; nothing of it is shown but by way of a risk that may be seen."""

    def causes(self, since_ms: int, now_ms: int) -> Iterator[tuple[Reach, Cause]]:
        """Yield what is so now, and what is known to be over since a time.

        Args:
            since_ms: What was over before lifts nothing any more.
            now_ms: Gateway clock.
        """
        ...


class AlarmCauses:
    """Alarms, as they are in the records. A shelved one is silent, not over; one out of service says nothing."""

    def __init__(self, reader: Engine) -> None:
        self._reader = reader

    def causes(self, since_ms: int, now_ms: int) -> Iterator[tuple[Reach, Cause]]:  # noqa: ARG002 - see `Causes`
        """See `Causes`."""
        c = alarm.c
        lasts = and_(c.state == "active", c.cleared_ms.is_(None))
        asked = select(c.alarm_id, c.tier, c.hazard_unit, c.vessel, c.raised_ms, c.state, c.cleared_ms).where(
            or_(lasts, c.cleared_ms >= since_ms),
            c.retrospective.is_(False),
            or_(c.inhibited.is_(None), c.inhibited == "shelved"),
            or_(c.hazard_unit != "", c.vessel != ""),
        )
        for row in _rows(self._reader, asked):
            cause = Cause(f"alarm.{row['tier']}", row["alarm_id"], row["raised_ms"], row["cleared_ms"])
            yield Reach(hazard_unit=row["hazard_unit"], vessel=row["vessel"]), cause


class CheckCauses:
    """Checks that are late."""

    def __init__(self, reader: Engine) -> None:
        self._reader = reader

    def causes(self, since_ms: int, now_ms: int) -> Iterator[tuple[Reach, Cause]]:  # noqa: ARG002 - see `Causes`
        """See `Causes`."""
        c = check_task.c
        asked = select(c.id, c.risk_id, c.due_ms).where(c.ended_ms.is_(None), c.due_ms <= now_ms)
        for row in _rows(self._reader, asked):
            yield Reach(risk_id=row["risk_id"]), Cause("check.overdue", row["id"], row["due_ms"])


class DangerCauses:
    """Hidden dangers that are major and not over; the listed ones lift more."""

    def __init__(self, reader: Engine) -> None:
        self._reader = reader

    def causes(self, since_ms: int, now_ms: int) -> Iterator[tuple[Reach, Cause]]:  # noqa: ARG002 - see `Causes`
        """See `Causes`."""
        c = danger.c
        listed: ColumnElement[bool] = and_(c.listed_ms.is_not(None), c.delisted_ms.is_(None))
        # Whoever reports a danger writes the id of a risk; it lifts those of its own enterprise alone.
        own = and_(risk.c.id == c.risk_id, risk.c.enterprise == c.enterprise)
        columns = (c.id, risk.c.id.label("risk_id"), c.hazard_unit, c.vessel, c.found_ms, listed.label("listed"))
        asked = (
            select(*columns).select_from(danger.outerjoin(risk, own)).where(c.urgency > 0, c.grade == Grade.MAJOR.value)
        )
        for row in _rows(self._reader, asked):
            cause = Cause("danger.listed" if row["listed"] else "danger.major", row["id"], row["found_ms"])
            if row["hazard_unit"] or row["vessel"]:
                yield Reach(hazard_unit=row["hazard_unit"], vessel=row["vessel"]), cause
            if row["risk_id"]:
                yield Reach(risk_id=row["risk_id"]), cause


def _rows(reader: Engine, asked: Any) -> Iterator[Any]:  # noqa: ANN401 - SQLAlchemy's own types
    with using(reader, "reading what lifts risks") as connection:
        yield from connection.execution_options(yield_per=_AT_ONCE).execute(asked).mappings()
