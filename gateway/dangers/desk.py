"""The hidden dangers of a place: reported, worked on, looked up."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, select
from sqlalchemy.exc import IntegrityError

from config.clock import Clock
from config.dangers import Clocked, DangerRules, load_danger_rules
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.dangers.acts import Act, Case, Who, changes_of
from gateway.dangers.clocks import ClockState, apply_effects, begin, clocks_of
from gateway.dangers.guards import check_alarm_over
from gateway.dangers.intake import Found, Intake, Reporter, name_of, new_danger, seal
from gateway.dangers.matching import Matching
from gateway.dangers.model import Danger, danger_from
from gateway.dangers.rows import add, is_done, locked, seen_at_place, write
from gateway.dangers.states import Event, State, step
from gateway.dangers.teams import check_judge, team_of
from gateway.errors import ConflictError, NotFoundError
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.danger_tables import danger, danger_event, danger_reporter
from gateway.records.dialects import storable
from gateway.records.transaction import using
from gateway.registry.store import Registry, seen_by
from gateway.registry.where import Where

__all__ = ["Dangers"]


class Dangers:
    """The hidden dangers. Any thread may use it.

    Args:
        writing: For short transactions beside the pipeline.
        reader: Cannot write.
        clock: Wall.
        registry: Knows whose a place is.
        where: Of all places.
        rules: Deadlines; left out: those shipped with the program.
    """

    def __init__(
        self,
        writing: Engine,
        reader: Engine,
        clock: Clock,
        registry: Registry,
        where: Where,
        rules: DangerRules | None = None,
    ) -> None:
        self._writing = writing
        self._reader = reader
        self._clock = clock
        self._registry = registry
        self._intake = Intake(reader, where)
        self.rules = rules or load_danger_rules()
        self.matching = Matching(reader, where, self.rules)
        self.where = where

    def report(self, found: Found, scope: Scope, by: By, key: str = "") -> Danger:
        """Take a hidden danger in; the same key of the same account again is the same danger.

        Args:
            found: What was found, where.
            scope: What who reports it may see; widened.
            by: Who reports it; of 12350: who takes the call.
            key: Idempotency key; empty: every report is a new danger.

        Returns:
            The new danger.

        Raises:
            BadRequestError: A place does not exist or may not be seen, or nothing says whose it is.
            ConflictError: The key was used for something else.
        """
        name, now_ms = name_of(by.account, key), self._clock.wall_ms()
        if (before := self._before(name, found, scope)) is not None:
            return before
        spot, condition = self._intake.locate(found, scope)
        words = {field: storable(getattr(found, field)) for field in ("text", "risk_id", "finding")}
        same = ("alarm_id", "latitude_deg", "longitude_deg", "seen_ms")
        new = new_danger(
            name,
            found.source,
            State.REPORTED,
            storable(found.title)[:256],
            now_ms,
            **words,
            **{field: getattr(found, field) for field in same},
            **asdict(spot),
            condition=condition,
            place=storable(found.place)[:512],
            found_by=by.account,
            found_team=team_of(self._registry, by.account, spot.enterprise, scope),
        )
        try:
            with using(self._writing, "reporting a hidden danger") as connection:
                return self._add(connection, new, found, by)
        except IntegrityError:
            if (before := self._before(name, found, scope)) is not None:
                return before
            raise ConflictError("Idempotency-Key: it was used for another report") from None

    def act(self, act: Act, who: Who) -> Danger:
        """Do something with a danger; the same again changes nothing.

        Raises:
            NotFoundError: There is none that may be seen.
            BadRequestError: Something it needs was not said.
            ConflictError: It is not as it was seen, or not so that this can be done.
            ForbiddenError: It is not theirs to do.
        """
        seen = self.get(act.danger_id, who.scope)
        team = team_of(self._registry, who.by.account, seen.enterprise, who.scope)
        now_ms = self._clock.wall_ms()
        placed = act if act.place is None else replace(act, place=self.where.spot(act.place, who.scope))
        with using(self._writing, "working on a hidden danger") as connection:
            before = locked(connection, act.danger_id) or seen
            if not who.scope.covers(before.enterprise, before.district):  # handed over a moment ago
                raise _none(act.danger_id)
            key = act.key_by(who.by.account)
            if is_done(connection, act.danger_id, key):
                return before
            if act.version not in (None, before.version):
                raise ConflictError(
                    f"hidden danger {before.id} is at version {before.version} now, not {act.version}: look again"
                    "（隐患已有新变化，请刷新后再办）"
                )
            case = Case(before, placed, who, team, now_ms, self.rules.at(now_ms))
            move = step(before.id, before.state, act.event)
            check_judge(case)
            if act.event is Event.CLOSE:
                check_alarm_over(connection, before)
            after = replace(before, state=move.to, version=before.version + 1, **changes_of(case))
            apply_effects(connection, before, after, move.effects, now_ms, self.rules)
            after = write(connection, after, act.event.value, who.by.account, now_ms, placed.detail(), key)
            detail = {"danger": after.id, "version": after.version, "state": after.state.value, **placed.detail()}
            name = f"danger.{act.event.value}"
            audit.append(connection, [Entry(now_ms, who.by.account, who.by.origin, name, after.id, detail=detail)])
            return after

    def get(self, danger_id: str, scope: Scope) -> Danger:
        """Return a danger.

        Raises:
            NotFoundError: There is none that may be seen.
        """
        asked = select(danger).where(danger.c.id == danger_id, _seen(scope))
        with using(self._reader, "reading hidden dangers") as connection:
            row = connection.execute(asked).mappings().first()
        if row is None:
            raise _none(danger_id)
        return danger_from(dict(row))

    def _before(self, name: str, found: Found, scope: Scope) -> Danger | None:
        """Return what a report made when it was asked for before, or None.

        Raises:
            ConflictError: It was another report.
        """
        try:
            there = self.get(name, scope)
        except NotFoundError:
            return None
        with using(self._reader, "reading hidden dangers") as connection:
            same = is_done(connection, name, found.digest())
        if same:
            return there
        raise ConflictError(f"Idempotency-Key: it was used for another report, hidden danger {name}")

    def _add(self, connection: Connection, new: Danger, found: Found, by: By) -> Danger:
        now_ms = new.found_ms
        add(connection, new)
        if found.reporter is not None:
            seal(connection, new.id, found.reporter, now_ms)
        due_ms = now_ms + self.rules.at(now_ms).clocks[Clocked.GRADE].general_ms
        begin(connection, new, Clocked.GRADE, due_ms, now_ms)
        detail = {"source": new.source.value, "title": new.title}
        new = write(connection, new, "report", by.account, now_ms, detail, found.digest())
        audit.append(connection, [Entry(now_ms, by.account, by.origin, "danger.report", new.id, detail=detail)])
        return new

    def timeline(self, danger_id: str, scope: Scope) -> list[dict[str, Any]]:
        """Return what happened to a danger, oldest first."""
        self.get(danger_id, scope)
        asked = select(danger_event).where(danger_event.c.danger_id == danger_id).order_by(danger_event.c.seq)
        with using(self._reader, "reading hidden dangers") as connection:
            return [dict(row) for row in connection.execute(asked).mappings()]

    def clocks(self, danger_id: str, scope: Scope) -> list[ClockState]:
        """Return every clock a danger ever had."""
        self.get(danger_id, scope)
        with using(self._reader, "reading hidden dangers") as connection:
            return clocks_of(connection, danger_id)

    def reporter(self, danger_id: str, who: Who) -> Reporter:
        """Open the seal of who reported a danger to 12350; that is on record.

        Raises:
            NotFoundError: There is no danger that may be seen, or nobody is sealed with it.
        """
        self.get(danger_id, who.scope)
        now_ms = self._clock.wall_ms()
        with using(self._writing, "opening a seal") as connection:
            asked = select(danger_reporter).where(danger_reporter.c.danger_id == danger_id)
            row = connection.execute(asked).mappings().first()
            if row is None:
                raise NotFoundError(f"no reporter is sealed with hidden danger {danger_id}")
            audit.append(connection, [Entry(now_ms, who.by.account, who.by.origin, "danger.unseal", danger_id)])
        return Reporter(row["name"], row["phone"], row["text"])

    def open_at(
        self,
        scope: Scope,
        *,
        hazard_unit: str = "",
        vessel: str = "",
        tag: str = "",
        enterprise: str = "",
        limit: int = 20,
    ) -> list[Danger]:
        """Return what is wrong somewhere and not over, the worst first, then the newest.

        Args:
            scope: Whose may be seen.
            hazard_unit: At this unit.
            vessel: At this vessel.
            tag: At this tag.
            enterprise: Of this enterprise.
            limit: At most so many.
        """
        places = {"hazard_unit": hazard_unit, "vessel": vessel, "tag": tag, "enterprise": enterprise}
        within = seen_at_place if hazard_unit or vessel or tag else _seen
        asked = select(danger).where(danger.c.urgency > 0, within(scope))
        for name, value in places.items():
            if value:
                asked = asked.where(danger.c[name] == value)
        worst = (danger.c.urgency.desc(), danger.c.found_ms.desc(), danger.c.id.desc())
        with using(self._reader, "reading hidden dangers") as connection:
            rows = connection.execute(asked.order_by(*worst).limit(limit)).mappings()
            return [danger_from(dict(row)) for row in rows]


def _seen(scope: Scope) -> ColumnElement[bool]:
    return seen_by(scope, danger.c.enterprise, danger.c.district)


def _none(danger_id: str) -> NotFoundError:
    return NotFoundError(f"there is no hidden danger {danger_id!r}（不存在）")
