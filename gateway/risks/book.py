"""The risks and their control measures: written, read, ended; every version of what people wrote is kept."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, case, func, insert, select, update

from config.clock import Clock
from config.risks import Colour, Method, RiskRules
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import BadRequestError, ConflictError, NotFoundError
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.dialects import storable
from gateway.records.risk_tables import check_record, check_task, risk, risk_change, risk_event, risk_measure
from gateway.records.transaction import using
from gateway.registry.store import seen_by
from gateway.registry.where import Spot, Where
from gateway.risks.grading import grade
from gateway.risks.model import Measure, MeasureSort, Risk, RiskState, Sort
from gateway.risks.moments import again, change_of

__all__ = ["Change", "RiskDraft", "Risks", "Wanted", "risk_from"]

_MOST_MEASURES = 200
_SYSTEM_FIELDS = frozenset({"dynamic_colour", "lifted", "reasons", "dynamic_ms"})


@dataclass(frozen=True, slots=True)
class RiskDraft:
    """What somebody writes of a risk."""

    name: str
    sort: Sort
    method: Method
    factors: Mapping[str, float]
    text: str = ""
    vessel: str = ""
    hazard_unit: str = ""
    site: str = ""
    enterprise: str = ""
    gap: str = ""
    """The finding that showed that it was missing."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which risks are wanted; empty: all."""

    enterprise: str = ""
    hazard_unit: str = ""
    vessel: str = ""
    static_colour: str = ""
    dynamic_colour: str = ""
    ended: bool = False

    def clauses(self) -> list[ColumnElement[bool]]:
        """Return it as the database asks for it."""
        same = ("enterprise", "hazard_unit", "vessel", "static_colour", "dynamic_colour")
        said = [risk.c[name] == getattr(self, name) for name in same if getattr(self, name)]
        return [*said, *([] if self.ended else [risk.c.ended_ms.is_(None)])]


@dataclass(frozen=True, slots=True)
class Change:
    """That the grade of the moment went to another colour."""

    at_ms: int
    was: Colour
    now: Colour
    reasons: tuple[Mapping[str, Any], ...]


class Risks:
    """The risks. Any thread may use it.

    Args:
        writing: For short transactions beside the pipeline.
        reader: Cannot write.
        clock: Wall.
        where: Of all places.
        rules: Steps, bands, what lifts.
    """

    def __init__(self, writing: Engine, reader: Engine, clock: Clock, where: Where, rules: RiskRules) -> None:
        self._writing = writing
        self._reader = reader
        self._clock = clock
        self._where = where
        self.rules = rules

    def add(self, draft: RiskDraft, scope: Scope, by: By) -> Risk:
        """Write a new risk.

        Raises:
            BadRequestError: A place does not exist, a factor is no step, or the finding is no gap (any more).
        """
        now_ms = self._clock.wall_ms()
        new = self._made(f"RK{secrets.token_hex(12).upper()}", 1, draft, scope, by, now_ms)
        with using(self._writing, "writing a risk") as connection:
            connection.execute(insert(risk), _row(new))
            if draft.gap:
                _close_gap(connection, draft.gap, new.id, scope)
            self._note(connection, new, "risk.add", by, now_ms)
        return new

    def change(self, risk_id: str, draft: RiskDraft, expected: int | None, scope: Scope, by: By) -> Risk:
        """Write a risk anew; the grade of the moment follows at once.

        Raises:
            NotFoundError: There is none that may be seen.
            ConflictError: It is at another version, or ended.
            BadRequestError: As `add`.
        """
        self.get(risk_id, scope)
        now_ms = self._clock.wall_ms()
        with using(self._writing, "writing a risk") as connection:
            before = _locked(connection, risk_id, expected)
            made = self._made(risk_id, before.version + 1, draft, scope, by, now_ms)
            kept = {name: getattr(before, name) for name in _SYSTEM_FIELDS}
            after = again(replace(made, **kept), now_ms, self.rules.at(now_ms).lifting)
            connection.execute(update(risk).where(risk.c.id == risk_id).values(_row(after)))
            if (moved := change_of(before, after, now_ms)) is not None:
                connection.execute(insert(risk_change), moved)
            self._note(connection, after, "risk.change", by, now_ms)
        return after

    def end(self, risk_id: str, expected: int | None, scope: Scope, by: By) -> Risk:
        """Say that a risk is none any more; its tasks end with it.

        Raises:
            NotFoundError: There is none that may be seen.
            ConflictError: It is at another version, or ended already.
        """
        self.get(risk_id, scope)
        now_ms = self._clock.wall_ms()
        with using(self._writing, "ending a risk") as connection:
            before = _locked(connection, risk_id, expected)
            after = replace(before, version=before.version + 1, ended_ms=now_ms)
            connection.execute(update(risk).where(risk.c.id == risk_id).values(_row(after)))
            for table in (check_task, risk_measure):
                open_ = (table.c.risk_id == risk_id, table.c.ended_ms.is_(None))
                connection.execute(update(table).where(*open_).values(ended_ms=now_ms))
            self._note(connection, after, "risk.end", by, now_ms)
        return after

    def get(self, risk_id: str, scope: Scope) -> Risk:
        """Return a risk.

        Raises:
            NotFoundError: There is none that may be seen.
        """
        asked = select(risk).where(risk.c.id == risk_id, _seen(scope))
        with using(self._reader, "reading risks") as connection:
            row = connection.execute(asked).mappings().first()
        if row is None:
            raise NotFoundError(f"there is no risk {risk_id!r}（风险不存在）")
        return risk_from(row)

    def page(self, wanted: Wanted, scope: Scope, after: str, limit: int) -> list[Risk]:
        """Return risks behind an id, in order of id."""
        asked = select(risk).where(risk.c.id > after, _seen(scope), *wanted.clauses()).order_by(risk.c.id).limit(limit)
        with using(self._reader, "reading risks") as connection:
            return [risk_from(row) for row in connection.execute(asked).mappings()]

    def counts(self, scope: Scope) -> dict[tuple[str, str], int]:
        """Count the risks that are: (static colour, colour of the moment) -> how many."""
        colours = (risk.c.static_colour, risk.c.dynamic_colour)
        asked = select(*colours, func.count().label("many")).where(risk.c.ended_ms.is_(None), _seen(scope))
        with using(self._reader, "counting risks") as connection:
            rows = connection.execute(asked.group_by(*colours)).all()
        return {(row.static_colour, row.dynamic_colour): row.many for row in rows}

    def of_unit(self, unit: str, scope: Scope, limit: int = 20) -> list[RiskState]:
        """Return the risks of a hazard unit with their measures, the worst of the moment first."""
        worst = case({colour.value: colour.rank for colour in Colour}, value=risk.c.dynamic_colour, else_=9)
        asked = select(risk).where(risk.c.hazard_unit == unit, risk.c.ended_ms.is_(None), _seen(scope))
        with using(self._reader, "reading the risks of a unit") as connection:
            rows = connection.execute(asked.order_by(worst, risk.c.score.desc(), risk.c.id).limit(limit)).mappings()
            found = [risk_from(row) for row in rows]
            measures = _measures(connection, [one.id for one in found])
        return [RiskState(one, tuple(measures.get(one.id, ()))) for one in found]

    def measures(self, risk_id: str, scope: Scope) -> list[Measure]:
        """Return the measures against a risk.

        Raises:
            NotFoundError: There is no such risk that may be seen.
        """
        self.get(risk_id, scope)
        with using(self._reader, "reading measures") as connection:
            return _measures(connection, [risk_id]).get(risk_id, [])

    def add_measure(self, risk_id: str, sort: MeasureSort, text: str, scope: Scope, by: By) -> Measure:
        """Write a control measure against a risk.

        Raises:
            NotFoundError: There is no such risk that may be seen.
            ConflictError: The risk is none any more, or has as many as it may have.
        """
        of, now_ms = self.get(risk_id, scope), self._clock.wall_ms()
        made = Measure(f"RM{secrets.token_hex(12).upper()}", risk_id, sort, storable(text))
        with using(self._writing, "writing a measure") as connection:
            _locked(connection, risk_id, None)
            mine = select(func.count()).where(risk_measure.c.risk_id == risk_id, risk_measure.c.ended_ms.is_(None))
            if (connection.scalar(mine) or 0) >= _MOST_MEASURES:
                raise ConflictError(f"risk {risk_id} has {_MOST_MEASURES} measures already")
            owner = {name: getattr(of, name) for name in ("enterprise", "district", "hazard_unit")}
            connection.execute(insert(risk_measure), {**asdict(made), **owner})
            detail = {"measure": made.id, "sort": sort.value}
            audit.append(connection, [Entry(now_ms, by.account, by.origin, "risk.measure", risk_id, detail=detail)])
        return made

    def history(self, risk_id: str, scope: Scope) -> list[tuple[int, int, str, Mapping[str, Any]]]:
        """Return every version: (version, at_ms, by, as it was written), the oldest first.

        Raises:
            NotFoundError: There is no such risk that may be seen.
        """
        self.get(risk_id, scope)
        asked = select(risk_event).where(risk_event.c.risk_id == risk_id).order_by(risk_event.c.version)
        with using(self._reader, "reading the history of a risk") as connection:
            rows = connection.execute(asked).mappings().all()
        return [(row["version"], row["at_ms"], row["by"], row["body"]) for row in rows]

    def changes(self, risk_id: str, scope: Scope, limit: int = 100) -> list[Change]:
        """Return how the colour of the moment went, the newest first.

        Raises:
            NotFoundError: There is no such risk that may be seen.
        """
        self.get(risk_id, scope)
        asked = select(risk_change).where(risk_change.c.risk_id == risk_id).order_by(risk_change.c.seq.desc())
        with using(self._reader, "reading the colours of a risk") as connection:
            rows = connection.execute(asked.limit(limit)).mappings().all()
        return [Change(row["at_ms"], Colour(row["was"]), Colour(row["now"]), tuple(row["reasons"])) for row in rows]

    def _made(self, name: str, version: int, draft: RiskDraft, scope: Scope, by: By, now_ms: int) -> Risk:
        places = {key: getattr(draft, key) for key in ("vessel", "hazard_unit", "site", "enterprise")}
        spot = self._where.spot(Spot(**places), scope)
        graded = grade(draft.method, draft.factors, self.rules.at(now_ms))
        return Risk(
            id=name,
            version=version,
            enterprise=spot.enterprise,
            district=spot.district,
            site=spot.site,
            hazard_unit=spot.hazard_unit,
            vessel=spot.vessel,
            sort=draft.sort,
            name=storable(draft.name)[:256],
            text=storable(draft.text),
            method=draft.method,
            factors=dict(draft.factors),
            score=graded.score,
            static_colour=graded.colour,
            graded_ms=now_ms,
            graded_by=by.account,
            dynamic_colour=graded.colour,
            lifted=True,  # to be looked at: something may lift it already
            reasons=(),
            dynamic_ms=now_ms,
        )

    def _note(self, connection: Connection, one: Risk, act: str, by: By, now_ms: int) -> None:
        body = {key: value for key, value in _row(one).items() if key not in _SYSTEM_FIELDS}
        row = {"risk_id": one.id, "version": one.version, "at_ms": now_ms, "by": by.account, "body": body}
        connection.execute(insert(risk_event), row)
        detail = {"version": one.version, "static_colour": one.static_colour.value, "score": one.score}
        audit.append(connection, [Entry(now_ms, by.account, by.origin, act, one.id, detail=detail)])


def risk_from(row: Mapping[Any, Any]) -> Risk:
    """Return a row as a risk."""
    typed = {
        "sort": Sort(row["sort"]),
        "method": Method(row["method"]),
        "static_colour": Colour(row["static_colour"]),
        "dynamic_colour": Colour(row["dynamic_colour"]),
        "reasons": tuple(row["reasons"]),
    }
    return Risk(**{one.name: row[one.name] for one in fields(Risk)} | typed)


def _row(one: Risk) -> dict[str, Any]:
    return {**asdict(one), "reasons": list(one.reasons)}


def _seen(scope: Scope) -> ColumnElement[bool]:
    return seen_by(scope, risk.c.enterprise, risk.c.district)


def _locked(connection: Connection, risk_id: str, expected: int | None) -> Risk:
    row = connection.execute(select(risk).where(risk.c.id == risk_id).with_for_update()).mappings().one()
    before = risk_from(row)
    if expected not in (None, before.version):
        raise ConflictError(
            f"risk {risk_id} is at version {before.version} now, not {expected}（风险已被修改，请刷新）"
        )
    if before.ended_ms is not None:
        raise ConflictError(f"risk {risk_id} is none any more（风险已消除）")
    return before


def _close_gap(connection: Connection, finding: str, risk_id: str, scope: Scope) -> None:
    c = check_record.c
    mine = (c.id == finding, c.gap.is_(True), c.gap_risk_id.is_(None), seen_by(scope, c.enterprise, c.district))
    if not connection.execute(update(check_record).where(*mine).values(gap_risk_id=risk_id)).rowcount:
        raise BadRequestError(f"gap: there is no open gap {finding!r}（无此未闭合的风险辨识缺口）")


def _measures(connection: Connection, risks: Sequence[str]) -> dict[str, list[Measure]]:
    asked = select(risk_measure).where(risk_measure.c.risk_id.in_(risks), risk_measure.c.ended_ms.is_(None))
    found: dict[str, list[Measure]] = {}
    rows: Iterable[Mapping[Any, Any]] = connection.execute(asked.order_by(risk_measure.c.id)).mappings()
    for row in rows:
        made = {one.name: row[one.name] for one in fields(Measure)} | {"sort": MeasureSort(row["sort"])}
        found.setdefault(row["risk_id"], []).append(Measure(**made))
    return found
