"""Direct reports of accidents (事故直报): a clock that starts by itself, versions that are all kept, late ones late."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, func, insert, or_, select, update

from config.prevention import LevelName, ReportRules, at
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import BadRequestError, ConflictError, NotFoundError
from gateway.prevention.machine import step
from gateway.prevention.means import Means
from gateway.prevention.packets import Packet, Said, encoded, fill
from gateway.prevention.report_states import REPORTS, ReportEffect, ReportEvent, ReportState
from gateway.prevention.spots import Spot, spot_of
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.dialects import storable
from gateway.records.prevention_tables import accident_report, accident_step, accident_version
from gateway.records.schema import alarm, alarm_event
from gateway.records.transaction import using
from gateway.registry.store import seen_by

__all__ = ["Report", "Reports", "Step", "Version"]

OVER = (ReportState.CLOSED.value, ReportState.WITHDRAWN.value)
_SYSTEM = By("system", "gateway")
_FIRST = "county"


@dataclass(frozen=True, slots=True)
class Step:
    """A clock of the chain."""

    step: str
    due_ms: int
    done_ms: int | None
    done_by: str | None
    late: bool
    """Done after its time, or not done and its time is over."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the packet."""

    version: int
    made_ms: int
    made_by: str
    signed_ms: int | None
    signed_by: str | None
    sent_ms: int | None
    late: bool | None
    """None: not sent."""
    hash: str
    sound: bool
    packet: Packet


@dataclass(frozen=True, slots=True)
class Report:
    """A report."""

    id: str
    enterprise: str
    district: str
    hazard_unit: str
    alarm_id: str
    state: ReportState
    level: LevelName
    began_ms: int
    began_by: str
    version: int
    ended_ms: int | None
    why: str
    steps: tuple[Step, ...]
    versions: tuple[Version, ...]
    """The oldest first."""


class Reports:
    """The reports. Any thread may use it.

    Args:
        means: Records, clock, registry.
    """

    def __init__(self, means: Means) -> None:
        self._means = means

    def start(self, scope: Scope, where: Mapping[str, str], alarm_id: str, began_ms: int, why: str, by: By) -> Report:
        """Start the clock by hand.

        Args:
            scope: Whose units may be seen.
            where: ``hazard_unit``, or ``enterprise`` where it is at none; or both.
            alarm_id: That tells of it; empty: none. Who asks may see it.
            began_ms: When it was known.
            why: In words.
            by: Who.

        Raises:
            BadRequestError: There is no such unit, or it begins in the future.
            ConflictError: A report of that unit runs already.
        """
        now_ms = self._means.clock.wall_ms()
        if began_ms > now_ms:
            raise BadRequestError(f"began: {began_ms}; allowed: now or earlier（时间在未来）")
        spot = spot_of(self._means, scope, **where)
        with using(self._means.writing, "starting a report") as connection:
            running = select(accident_report.c.id).where(
                accident_report.c.enterprise == spot.enterprise,
                accident_report.c.hazard_unit == spot.hazard_unit,
                accident_report.c.state.not_in(OVER),
            )
            if (known := connection.execute(running).scalar()) is not None:
                raise ConflictError(f"report {known} of the same place runs already（该处直报计时已启动）")
            name = self._begin(connection, spot, alarm_id, began_ms, why, by)
        return self.get(name, scope)

    def draft(self, name: str, said: Said, level: LevelName | None, version: int, scope: Scope, by: By) -> Report:
        """Write a version of the packet: what people say, and what the data say right now.

        Raises:
            ConflictError: It has changed since, or is over.
            NotFoundError: There is none.
        """
        now_ms = self._means.clock.wall_ms()
        with using(self._means.reader, "reading a report") as connection:
            seen = _row_of(connection, name, scope)
        filled = fill(self._means, seen, now_ms)
        rules = self._rules(seen["began_ms"])
        figures = rules.level_of(said.deaths or 0, said.injured or 0, said.loss_10k_cny or 0.0)
        packet = Packet(level or figures, figures, said, filled)
        body = storable(encoded(packet))
        with using(self._means.writing, "drafting a report") as connection:
            row = _row_of(connection, name, scope)
            number = row["packet"] + 1
            changes = _moved(row, ReportEvent.DRAFT) | {"packet": number, "level": packet.level}
            _write(connection, row, version, changes)
            connection.execute(
                insert(accident_version),
                {"report_id": name, "version": number, "made_ms": now_ms, "made_by": storable(by.account),
                 "signed_ms": None, "signed_by": None, "sent_ms": None, "late": None, "body": body,
                 "hash": _seal(name, number, body)},
            )  # fmt: skip
            _put_steps(connection, name, rules.steps(level or figures), row["began_ms"], now_ms)
            _note(connection, name, now_ms, "draft", by, {"version": number, "level": packet.level})
        return self.get(name, scope)

    def act(
        self, name: str, event: ReportEvent, version: int, note: str, scope: Scope, by: By, *, to: str = ""
    ) -> Report:
        """Sign, send, pass on, close or withdraw.

        Args:
            name: Of the report.
            event: What.
            version: Of the report as it was seen.
            note: Why.
            scope: Whose reports may be seen.
            by: Who.
            to: Of FORWARD: the step of the chain.

        Raises:
            BadRequestError: There is no such step in the chain of this level.
            ConflictError: It has changed since, its state does not allow it, or the step is done or not yet at hand.
            NotFoundError: There is none.
        """
        now_ms = self._means.clock.wall_ms()
        with using(self._means.writing, "changing a report") as connection:
            row = _row_of(connection, name, scope)
            effects = step(REPORTS, ReportState(row["state"]), event, f"report {name}").effects
            changes = _moved(row, event)
            if ReportEffect.END in effects:
                changes |= {"ended_ms": now_ms, "why": storable(note)}
            _write(connection, row, version, changes)
            newest = (accident_version.c.report_id == name, accident_version.c.version == row["packet"])
            if ReportEffect.SEAL in effects:
                signing = {"signed_ms": now_ms, "signed_by": storable(by.account)}
                connection.execute(update(accident_version).where(*newest).values(**signing))
            if ReportEffect.STAMP_SENT in effects:
                late = self._late(connection, row, now_ms)
                connection.execute(update(accident_version).where(*newest).values(sent_ms=now_ms, late=late))
                if row["packet"] == 1 or not _done(connection, name, _FIRST):
                    _stamp(connection, name, _FIRST, now_ms, by)
            if ReportEffect.STAMP_STEP in effects:
                _forward(connection, name, to, now_ms, by)
            _note(connection, name, now_ms, event.value, by, {"note": note, "to": to, "packet": row["packet"]})
        return self.get(name, scope)

    def get(self, name: str, scope: Scope) -> Report:
        """Return a report with its chain and every version.

        Raises:
            NotFoundError: There is none.
        """
        with using(self._means.reader, "reading a report") as connection:
            return self._read(connection, _row_of(connection, name, scope))

    def find(
        self,
        scope: Scope,
        *,
        states: tuple[str, ...] = (),
        late: bool | None = None,
        after: tuple[int, str] | None = None,
        limit: int = 100,
    ) -> list[Report]:
        """Return reports, the newest first; ``late``: a clock of theirs was missed."""
        began_ms, name = accident_report.c.began_ms, accident_report.c.id
        asked = select(accident_report).where(seen_by(scope, accident_report.c.enterprise, accident_report.c.district))
        if states:
            asked = asked.where(accident_report.c.state.in_(states))
        if late is not None:
            now_ms = self._means.clock.wall_ms()
            done_ms = func.coalesce(accident_step.c.done_ms, accident_report.c.ended_ms, now_ms)
            missed = select(accident_step.c.step).where(
                accident_step.c.report_id == name, accident_report.c.state != ReportState.WITHDRAWN.value,
                accident_step.c.due_ms < done_ms,
            )  # fmt: skip
            asked = asked.where(missed.exists() if late else ~missed.exists())
        if after is not None:
            asked = asked.where(or_(began_ms < after[0], and_(began_ms == after[0], name < after[1])))
        with using(self._means.reader, "reading reports") as connection:
            rows = connection.execute(asked.order_by(began_ms.desc(), name.desc()).limit(limit)).mappings().all()
            return [self._read(connection, dict(row)) for row in rows]

    def turn(self, now_ms: int) -> int:
        """Start clocks of alarms that were verified as true, and note steps that are overdue; returns how many."""
        rules = self._rules(now_ms)
        verified = (
            select(alarm.c.alarm_id, alarm.c.hazard_unit, alarm.c.raised_ms)
            .where(alarm.c.stage.in_(("verified", "measures", "recovered", "closed")))
            .where(alarm.c.raised_ms >= now_ms - rules.look_back_min * 60_000)
            .where(alarm.c.verdict == "true", alarm.c.tier <= rules.starts_at_tier, alarm.c.hazard_unit != "")
            .where(alarm.c.alarm_id.not_in(select(accident_report.c.alarm_id)))
        )
        late = (
            accident_step.c.done_ms.is_(None),
            accident_step.c.due_ms < now_ms,
            accident_step.c.overdue_ms.is_(None),
        )
        open_ = accident_step.c.report_id.in_(select(accident_report.c.id).where(accident_report.c.state.not_in(OVER)))
        with using(self._means.reader, "looking for accidents") as connection:
            rows = [dict(row) for row in connection.execute(verified.order_by(alarm.c.raised_ms).limit(100)).mappings()]
            overdue = connection.execute(select(accident_step).where(*late, open_).limit(1_000)).mappings().all()
        started = sum(self._start_by_alarm(row) for row in rows)
        if not overdue:
            return started
        with using(self._means.writing, "noting late reports") as connection:
            for one in overdue:
                which = (accident_step.c.report_id == one["report_id"], accident_step.c.step == one["step"])
                connection.execute(update(accident_step).where(*which, *late).values(overdue_ms=now_ms))
                _note(connection, one["report_id"], now_ms, "overdue", _SYSTEM, {"step": one["step"]})
        return started + len(overdue)

    def _start_by_alarm(self, row: Mapping[str, Any]) -> int:
        try:
            spot = spot_of(self._means, Scope(), hazard_unit=row["hazard_unit"])
        except BadRequestError:
            return 0  # neither the registry nor the plant knows the unit: there is nobody to report
        seen = select(func.min(alarm_event.c.decided_ms)).where(
            alarm_event.c.alarm_id == row["alarm_id"], alarm_event.c.kind == "verified"
        )
        with using(self._means.writing, "starting a report") as connection:
            running = select(func.count()).where(
                accident_report.c.hazard_unit == row["hazard_unit"], accident_report.c.state.not_in(OVER)
            )
            same = select(func.count()).where(accident_report.c.alarm_id == row["alarm_id"])
            if connection.execute(running).scalar() or connection.execute(same).scalar():
                return 0
            began_ms = connection.execute(seen).scalar() or row["raised_ms"]
            self._begin(connection, spot, row["alarm_id"], began_ms, "verified as true（报警核实为真）", _SYSTEM)
        return 1

    def _begin(self, connection: Connection, spot: Spot, alarm_id: str, began_ms: int, why: str, by: By) -> str:
        name, now_ms = secrets.token_hex(8), self._means.clock.wall_ms()
        row = {
            "id": name, "enterprise": spot.enterprise, "district": spot.district, "hazard_unit": spot.hazard_unit,
            "alarm_id": alarm_id, "state": ReportState.STARTED.value, "level": "general", "began_ms": began_ms,
            "began_by": storable(by.account), "version": 1, "packet": 0, "ended_ms": None, "why": storable(why),
        }  # fmt: skip
        connection.execute(insert(accident_report), row)
        _put_steps(connection, name, self._rules(began_ms).steps("general"), began_ms, now_ms)
        _note(connection, name, now_ms, "start", by, {"alarm": alarm_id, "began_ms": began_ms, "why": why})
        return name

    def _late(self, connection: Connection, row: Mapping[str, Any], now_ms: int) -> bool:
        """Say whether sending now is late: the first time by the chain, later by the days amendments have."""
        if not _done(connection, row["id"], _FIRST):
            due = select(accident_step.c.due_ms).where(
                accident_step.c.report_id == row["id"], accident_step.c.step == _FIRST
            )
            return bool(now_ms > (connection.execute(due).scalar() or 0))
        days = self._rules(row["began_ms"]).amend_within_days.general
        return bool(now_ms > row["began_ms"] + days * 86_400_000)

    def _read(self, connection: Connection, row: Mapping[str, Any]) -> Report:
        name = row["id"]
        chain = select(accident_step).where(accident_step.c.report_id == name).order_by(accident_step.c.place)
        papers = select(accident_version).where(accident_version.c.report_id == name)
        until_ms = self._means.clock.wall_ms() if row["ended_ms"] is None else row["ended_ms"]
        rows = connection.execute(papers.order_by(accident_version.c.version)).mappings().all()
        same = {one: row[one] for one in Report.__slots__ if one not in ("state", "steps", "versions")}
        return Report(
            **same,
            state=ReportState(row["state"]),
            steps=tuple(_step(dict(one), until_ms) for one in connection.execute(chain).mappings()),
            versions=tuple(_version(dict(one)) for one in rows),
        )

    def _rules(self, at_ms: int) -> ReportRules:
        return at(self._means.rules.reports, at_ms)


def _step(row: Mapping[str, Any], until_ms: int) -> Step:
    done_ms = row["done_ms"]
    late = row["due_ms"] < (until_ms if done_ms is None else done_ms)
    return Step(row["step"], row["due_ms"], done_ms, row["done_by"], late)


def _version(row: Mapping[str, Any]) -> Version:
    same = {name: row[name] for name in Version.__slots__ if name not in ("sound", "packet")}
    sound = _seal(row["report_id"], row["version"], row["body"]) == row["hash"]
    return Version(**same, sound=sound, packet=msgspec.json.decode(row["body"], type=Packet))


def _seal(name: str, version: int, body: str) -> str:
    return sha256(msgspec.json.encode((name, version, body))).hexdigest()


def _row_of(connection: Connection, name: str, scope: Scope) -> dict[str, Any]:
    seen = seen_by(scope, accident_report.c.enterprise, accident_report.c.district)
    row = connection.execute(select(accident_report).where(accident_report.c.id == name, seen)).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no report {name}（直报不存在）")
    return dict(row)


def _moved(row: Mapping[str, Any], event: ReportEvent) -> dict[str, Any]:
    cell = step(REPORTS, ReportState(row["state"]), event, f"report {row['id']}")
    return {"state": cell.to.value, "version": row["version"] + 1}


def _write(connection: Connection, row: Mapping[str, Any], version: int, changes: Mapping[str, Any]) -> None:
    changed = update(accident_report).where(accident_report.c.id == row["id"], accident_report.c.version == version)
    if row["version"] != version or not connection.execute(changed.values(**changes)).rowcount:
        raise ConflictError(
            f"report {row['id']} is at version {row['version']} now, not {version}: look again（直报已变更，请刷新）"
        )


def _put_steps(connection: Connection, name: str, steps: Mapping[Any, int], began_ms: int, now_ms: int) -> None:
    """Let the chain go as far up as the level does. Steps that are done or late stay, though the level falls."""
    known = set(connection.execute(select(accident_step.c.step).where(accident_step.c.report_id == name)).scalars())
    new = [
        {"report_id": name, "step": one, "place": place, "due_ms": began_ms + after_ms, "overdue_ms": None,
         "done_ms": None, "done_by": None}
        for place, (one, after_ms) in enumerate(steps.items()) if one not in known
    ]  # fmt: skip
    if new:
        connection.execute(insert(accident_step), new)
    above = (accident_step.c.step.not_in(list(steps)), accident_step.c.due_ms >= now_ms)
    gone = (accident_step.c.report_id == name, accident_step.c.done_ms.is_(None), *above)
    connection.execute(accident_step.delete().where(*gone))


def _done(connection: Connection, name: str, which: str) -> bool:
    asked = select(accident_step.c.done_ms).where(accident_step.c.report_id == name, accident_step.c.step == which)
    return connection.execute(asked).scalar() is not None


def _stamp(connection: Connection, name: str, which: str, now_ms: int, by: By) -> None:
    same = (accident_step.c.report_id == name, accident_step.c.step == which)
    connection.execute(update(accident_step).where(*same).values(done_ms=now_ms, done_by=storable(by.account)))


def _forward(connection: Connection, name: str, to: str, now_ms: int, by: By) -> None:
    chain = select(accident_step).where(accident_step.c.report_id == name).order_by(accident_step.c.place)
    rows = connection.execute(chain).mappings().all()
    if to not in [row["step"] for row in rows]:
        raise BadRequestError(f"to: found {to!r}; allowed: {[row['step'] for row in rows]}（无此上报环节）")
    waiting = [row["step"] for row in rows if row["done_ms"] is None]
    if not waiting or waiting[0] != to:
        raise ConflictError(f"report {name}: next is {waiting[:1]}, not {to}（上报环节顺序不符）")
    _stamp(connection, name, to, now_ms, by)


def _note(connection: Connection, name: str, now_ms: int, act: str, by: By, detail: Mapping[str, Any]) -> None:
    audit.append(connection, [Entry(now_ms, by.account, by.origin, f"accident_report.{act}", name, detail=detail)])
