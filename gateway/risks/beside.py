"""What the rooms beside this one say: permits of special work lift grades, filings of GB 18218 re-open assessments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Engine, and_, or_, select

from config.days import day_of
from config.risks import RiskRules
from gateway.access.roles import Scope
from gateway.grading.filings import Filings
from gateway.prevention.permit_states import PermitState
from gateway.records.grading_tables import grade_filing
from gateway.records.prevention_tables import work_permit
from gateway.records.transaction import using
from gateway.risks.assessments import Reopening
from gateway.risks.causes import Reach
from gateway.risks.dynamic import Cause

__all__ = ["FiledGrades", "PermitCauses"]

_AT_ONCE = 500
_OTHER = "permit.other"


class PermitCauses:
    """Permits under which people are at work.

    Args:
        reader: Cannot write.
        rules: Know which kinds of work lift by a figure of their own.
    """

    def __init__(self, reader: Engine, rules: RiskRules) -> None:
        self._reader = reader
        self._rules = rules

    def causes(self, since_ms: int, now_ms: int) -> Iterator[tuple[Reach, Cause]]:
        """See `gateway.risks.causes.Causes`."""
        c = work_permit.c
        over = and_(c.opened_ms.is_not(None), c.ended_ms >= since_ms)
        asked = select(c.id, c.kind, c.hazard_unit, c.vessel, c.opened_ms, c.begin_ms, c.ended_ms).where(
            or_(c.state == PermitState.OPEN.value, over), or_(c.hazard_unit != "", c.vessel != "")
        )
        known = self._rules.at(now_ms).lifting.lifts
        with using(self._reader, "reading permits") as connection:
            for row in connection.execute(asked).mappings():
                own = f"permit.{row['kind']}"
                began_ms = row["begin_ms"] if row["opened_ms"] is None else row["opened_ms"]
                cause = Cause(own if own in known else _OTHER, row["id"], began_ms, row["ended_ms"])
                yield Reach(hazard_unit=row["hazard_unit"], vessel=row["vessel"]), cause


class FiledGrades:
    """Filings, as the map and the assessments ask for them.

    Args:
        reader: Cannot write.
        filings: All of them.
    """

    def __init__(self, reader: Engine, filings: Filings) -> None:
        self._reader = reader
        self._filings = filings

    def grades(self, units: Sequence[str], scope: Scope, at_ms: int) -> Mapping[str, int | None]:
        """See `gateway.risks.map.LegalGrades`."""
        return {unit: filing.grade for unit, filing in self._filings.in_force(units, scope, day_of(at_ms)).items()}

    def filed_since(self, signed_ms: Mapping[str, int]) -> Iterable[tuple[str, Reopening]]:
        """See `gateway.risks.assessments.Filed`."""
        c, units = grade_filing.c, list(signed_ms)
        with using(self._reader, "reading filings") as connection:
            for start in range(0, len(units), _AT_ONCE):
                asked = select(c.unit, c.version, c.filed_ms, c.number).where(
                    c.unit.in_(units[start : start + _AT_ONCE])
                )
                for row in connection.execute(asked.order_by(c.unit, c.version)):
                    if row.filed_ms > signed_ms[row.unit]:
                        yield row.unit, Reopening("filing", row.number, row.version, row.filed_ms)
