"""Permits of special work: who works where and until when. They add gas checks and suppress nothing."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, Select, and_, func, insert, or_, select, update

from config.prevention import PermitKind, at
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import BadRequestError, ConflictError, NotFoundError
from gateway.prevention.gas import GasState, gas_state, visible
from gateway.prevention.machine import step
from gateway.prevention.means import Means
from gateway.prevention.permit_states import PERMITS, PermitEffect, PermitEvent, PermitState
from gateway.prevention.spots import spot_of
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.dialects import storable
from gateway.records.prevention_tables import gas_check, work_permit, work_permit_event
from gateway.records.schema import alarm
from gateway.records.transaction import using
from gateway.registry.store import seen_by

__all__ = ["Asked", "Fired", "Permit", "PermitFilter", "Permits", "Work", "Worker"]

RUNNING = (PermitState.APPROVED.value, PermitState.OPEN.value)
_MINUTE_MS = 60_000
_MOST = 200
"""Alarms, overlaps, events shown with one permit."""
_SYSTEM = By("system", "gateway")


@dataclass(frozen=True, slots=True)
class Worker:
    """Somebody named on a permit."""

    name: str
    role: str
    """As people say: 作业人, 监护人, 审批人, ..."""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """What a permit says of the work."""

    title: str
    place: str = ""
    people: tuple[Worker, ...] = ()
    measures: str = ""
    gas_tags: tuple[str, ...] = ()
    """A reading counts while every one of these is live and good."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A permit that somebody wants."""

    kind: str
    level: str
    hazard_unit: str
    vessel: str
    begin_ms: int
    end_ms: int
    work: Work
    gas_every_ms: int | None = None
    """None: as often as the kind asks for."""


@dataclass(frozen=True, slots=True)
class Permit:
    """A permit, as it is."""

    id: str
    kind: str
    level: str
    enterprise: str
    district: str
    hazard_unit: str
    vessel: str
    state: PermitState
    version: int
    begin_ms: int
    end_ms: int
    made_ms: int
    made_by: str
    approved_by: str | None
    opened_ms: int | None
    ended_ms: int | None
    work: Work
    gas: GasState | None
    """None: no readings are asked for."""


@dataclass(frozen=True, slots=True)
class Fired:
    """An alarm raised while people were at work there."""

    alarm_id: str
    tag: str
    condition: str
    tier: int
    state: str
    raised_ms: int


@dataclass(frozen=True, slots=True)
class PermitFilter:
    """Which permits are wanted; what is None is not asked."""

    states: tuple[str, ...] = ()
    kind: str | None = None
    hazard_unit: str | None = None
    enterprise: str | None = None


class Permits:
    """The permits. Any thread may use it.

    Args:
        means: Records, clock, registry, live values.
    """

    def __init__(self, means: Means) -> None:
        self._means = means

    def make(self, asked: Asked, scope: Scope, by: By) -> Permit:
        """Draft a permit.

        Raises:
            BadRequestError: Place, kind, level, times or tags make no sense.
        """
        now_ms = self._means.clock.wall_ms()
        rule = self._rule(asked, now_ms)
        spot = spot_of(self._means, scope, vessel=asked.vessel, hazard_unit=asked.hazard_unit)
        for tag in asked.work.gas_tags:
            spot_of(self._means, scope, tag=tag)
        every_ms = None if rule.gas is None else rule.gas.every_min * 60_000
        if asked.gas_every_ms is not None:
            every_ms = asked.gas_every_ms if every_ms is None else min(every_ms, asked.gas_every_ms)
        row: dict[str, Any] = {
            "id": secrets.token_hex(8), "enterprise": spot.enterprise, "district": spot.district,
            "hazard_unit": spot.hazard_unit, "vessel": spot.vessel, "kind": asked.kind, "level": asked.level,
            "state": PermitState.DRAFT.value, "version": 1, "begin_ms": asked.begin_ms, "end_ms": asked.end_ms,
            "made_ms": now_ms, "made_by": storable(by.account), "approved_by": None, "opened_ms": None,
            "ended_ms": None, "gas_every_ms": every_ms, "seen_ms": None, "missed_ms": None,
            "body": storable(msgspec.json.encode(asked.work).decode()),
        }  # fmt: skip
        with using(self._means.writing, "drafting a permit") as connection:
            connection.execute(insert(work_permit), row)
            _note(connection, row["id"], now_ms, "draft", by, "")
        return self._permit(row, now_ms)

    def act(self, name: str, event: PermitEvent, version: int, note: str, scope: Scope, by: By) -> Permit:
        """Let something happen to a permit.

        Args:
            name: Of the permit.
            event: What.
            version: Of the permit as it was seen.
            note: Why.
            scope: Whose permits may be seen.
            by: Who.

        Raises:
            ConflictError: It has changed since, or its state, time, approver or gas does not allow it.
            NotFoundError: There is none.
        """
        now_ms = self._means.clock.wall_ms()
        with using(self._means.writing, "changing a permit") as connection:
            row = _row_of(connection, name, scope)
            self._may(connection, row, event, now_ms, by)
            changes = _moved(row, event, now_ms, by)
            _write(connection, row, version, changes)
            _note(connection, name, now_ms, event.value, by, note)
        return self._permit({**row, **changes}, now_ms)

    def check(self, name: str, at_ms: int, readings: Mapping[str, Any], *, safe: bool, scope: Scope, by: By) -> Permit:
        """Record a reading of gas.

        Raises:
            BadRequestError: Read in the future, or before the permit was made.
            ConflictError: The permit is over or not approved.
            NotFoundError: There is none.
        """
        now_ms = self._means.clock.wall_ms()
        with using(self._means.writing, "recording a gas reading") as connection:
            row = _row_of(connection, name, scope)
            if not row["made_ms"] <= at_ms <= now_ms:
                raise BadRequestError(f"at: {at_ms}; allowed: from {row['made_ms']} to now（检测时间无效）")
            step(PERMITS, PermitState(row["state"]), PermitEvent.CHECK, f"permit {name}")
            connection.execute(
                insert(gas_check),
                {"permit_id": name, "at_ms": at_ms, "recorded_ms": now_ms, "by": storable(by.account), "safe": safe,
                 "body": storable(msgspec.json.encode(readings).decode())},
            )  # fmt: skip
            changes = {"seen_ms": max(at_ms, row["seen_ms"] or 0), "missed_ms": None}
            connection.execute(update(work_permit).where(work_permit.c.id == name).values(**changes))
            _note(connection, name, now_ms, "check", by, "" if safe else "unsafe")
        return self._permit({**row, **changes}, now_ms)

    def get(self, name: str, scope: Scope) -> Permit:
        """Return a permit.

        Raises:
            NotFoundError: There is none.
        """
        with using(self._means.reader, "reading a permit") as connection:
            return self._permit(_row_of(connection, name, scope), self._means.clock.wall_ms())

    def active(self, scope: Scope, hazard_unit: str, at_ms: int) -> list[Permit]:
        """Return the permits under which people are, or were, at work in a unit at a time, the oldest first."""
        asked = select(work_permit).where(
            work_permit.c.hazard_unit == hazard_unit,
            work_permit.c.end_ms > at_ms,
            work_permit.c.opened_ms <= at_ms,
            or_(work_permit.c.ended_ms.is_(None), work_permit.c.ended_ms > at_ms),
            seen_by(scope, work_permit.c.enterprise, work_permit.c.district),
        )
        return self._many(asked.order_by(work_permit.c.opened_ms, work_permit.c.id).limit(_MOST))

    def running(self, enterprise: str, at_ms: int) -> dict[str, int]:
        """Return kind -> how many permits of an enterprise are open at a time."""
        asked = (
            select(work_permit.c.kind, func.count())
            .where(work_permit.c.state == PermitState.OPEN.value, work_permit.c.end_ms > at_ms)
            .where(work_permit.c.enterprise == enterprise)
            .group_by(work_permit.c.kind)
        )
        with using(self._means.reader, "counting permits") as connection:
            return {row[0]: row[1] for row in connection.execute(asked)}

    def planned(self, enterprise: str, begin_ms: int, end_ms: int) -> dict[str, int]:
        """Return kind -> how many permits of an enterprise are approved or open for a part of a span."""
        asked = (
            select(work_permit.c.kind, func.count())
            .where(work_permit.c.state.in_(RUNNING), work_permit.c.end_ms > begin_ms)
            .where(work_permit.c.begin_ms < end_ms, work_permit.c.enterprise == enterprise)
            .group_by(work_permit.c.kind)
        )
        with using(self._means.reader, "counting permits") as connection:
            return {row[0]: row[1] for row in connection.execute(asked)}

    def find(self, wanted: PermitFilter, scope: Scope, after: tuple[int, str] | None, limit: int) -> list[Permit]:
        """Return permits, the newest first."""
        made, name = work_permit.c.made_ms, work_permit.c.id
        asked = select(work_permit).where(seen_by(scope, work_permit.c.enterprise, work_permit.c.district))
        if wanted.states:
            asked = asked.where(work_permit.c.state.in_(wanted.states))
        for column in ("kind", "hazard_unit", "enterprise"):
            value = getattr(wanted, column)
            asked = asked if value is None else asked.where(work_permit.c[column] == value)
        if after is not None:
            asked = asked.where(or_(made < after[0], and_(made == after[0], name < after[1])))
        return self._many(asked.order_by(made.desc(), name.desc()).limit(limit))

    def beside(self, permit: Permit, scope: Scope) -> list[Permit]:
        """Return the other works at the same place at the same time: same vessel, or same unit."""
        asked = select(work_permit).where(
            work_permit.c.hazard_unit == permit.hazard_unit,
            work_permit.c.id != permit.id,
            work_permit.c.end_ms > permit.begin_ms,
            work_permit.c.begin_ms < permit.end_ms,
            work_permit.c.state.in_((*RUNNING, PermitState.DRAFT.value)),
            seen_by(scope, work_permit.c.enterprise, work_permit.c.district),
        )
        if not permit.hazard_unit:
            asked = asked.where(work_permit.c.vessel == permit.vessel, work_permit.c.enterprise == permit.enterprise)
        return self._many(asked.order_by(work_permit.c.begin_ms, work_permit.c.id).limit(_MOST))

    def fired(self, permit: Permit) -> list[Fired]:
        """Return the alarms that were raised there while people were at work, the newest first."""
        if permit.opened_ms is None:
            return []
        where = alarm.c.hazard_unit == permit.hazard_unit if permit.hazard_unit else alarm.c.vessel == permit.vessel
        until_ms = permit.ended_ms if permit.ended_ms is not None else permit.end_ms
        columns = [alarm.c[name] for name in Fired.__slots__]
        asked = select(*columns).where(where, alarm.c.raised_ms >= permit.opened_ms, alarm.c.raised_ms < until_ms)
        with using(self._means.reader, "reading the alarms of a permit") as connection:
            rows = connection.execute(asked.order_by(alarm.c.raised_ms.desc()).limit(_MOST)).mappings()
            return [Fired(**row) for row in rows]

    def story(self, name: str) -> tuple[list[RowMapping], list[RowMapping]]:
        """Return (events, gas readings) of a permit, the newest first."""
        events = select(work_permit_event).where(work_permit_event.c.permit_id == name)
        checks = select(gas_check).where(gas_check.c.permit_id == name)
        with using(self._means.reader, "reading what happened to a permit") as connection:
            return (
                list(connection.execute(events.order_by(work_permit_event.c.seq.desc()).limit(_MOST)).mappings()),
                list(connection.execute(checks.order_by(gas_check.c.seq.desc()).limit(_MOST)).mappings()),
            )

    def turn(self, now_ms: int) -> int:
        """Let what is over expire, and note which gas readings are missing; returns how many permits changed."""
        over = select(work_permit).where(
            work_permit.c.state.in_((PermitState.DRAFT.value, *RUNNING)), work_permit.c.end_ms <= now_ms
        )
        read = select(work_permit).where(
            work_permit.c.state == PermitState.OPEN.value, work_permit.c.gas_every_ms.is_not(None)
        )
        with using(self._means.reader, "looking at permits") as connection:
            ended = [dict(row) for row in connection.execute(over.limit(1_000)).mappings()]
            gases = [dict(row) for row in connection.execute(read).mappings() if row["end_ms"] > now_ms]
        seen = visible(self._means.board.values, {tag for row in gases for tag in _work(row).gas_tags})
        noted = [(row, changes) for row in gases if (changes := _gas_changes(row, seen, now_ms))]
        if not ended and not noted:
            return 0
        with using(self._means.writing, "keeping time of permits") as connection:
            return sum(_expire(connection, row, now_ms) for row in ended) + sum(
                _keep_gas(connection, row, changes, now_ms) for row, changes in noted
            )

    def _many(self, asked: Select[Any]) -> list[Permit]:
        with using(self._means.reader, "reading permits") as connection:
            rows = [dict(row) for row in connection.execute(asked).mappings()]
        now_ms = self._means.clock.wall_ms()
        seen = visible(self._means.board.values, {tag for row in rows for tag in _work(row).gas_tags})
        return [_permit(row, seen, now_ms) for row in rows]

    def _permit(self, row: Mapping[str, Any], now_ms: int) -> Permit:
        return _permit(row, visible(self._means.board.values, set(_work(row).gas_tags)), now_ms)

    def _rule(self, asked: Asked, now_ms: int) -> PermitKind:
        rule = at(self._means.rules.permits, asked.begin_ms).kinds.get(asked.kind)
        if rule is None:
            raise BadRequestError(f"kind: found {asked.kind!r}; allowed: a kind of special work（作业类别无效）")
        longest = rule.longest_min.get(asked.level)
        if longest is None:
            raise BadRequestError(
                f"level: found {asked.level!r}; allowed for {asked.kind}: {sorted(rule.longest_min)}（作业级别无效）"
            )
        if not asked.begin_ms < asked.end_ms <= asked.begin_ms + longest * 60_000 or asked.end_ms <= now_ms:
            raise BadRequestError(
                f"end: {asked.kind} {asked.level} may last {longest} min at most, and ends in the future（有效期超限）"
            )
        return rule

    def _may(self, connection: Connection, row: Mapping[str, Any], event: PermitEvent, now_ms: int, by: By) -> None:
        """Check what the table cannot know."""
        name = row["id"]
        step(PERMITS, PermitState(row["state"]), event, f"permit {name}")
        if event in (PermitEvent.APPROVE, PermitEvent.OPEN) and now_ms >= row["end_ms"]:
            raise ConflictError(f"permit {name}: its time is over（已过有效期）")
        if event is PermitEvent.APPROVE and storable(by.account) == row["made_by"]:
            raise ConflictError(
                f"permit {name}: approved by somebody else than {by.account}, who made it（须由他人审批）"
            )
        if event is PermitEvent.OPEN:
            if now_ms < row["begin_ms"]:
                raise ConflictError(f"permit {name}: begins at {row['begin_ms']}（未到作业开始时间）")
            self._gas_allows(connection, row, now_ms)

    def _gas_allows(self, connection: Connection, row: Mapping[str, Any], now_ms: int) -> None:
        if row["gas_every_ms"] is None:
            return
        rule = at(self._means.rules.permits, row["begin_ms"]).kinds[row["kind"]]
        before_ms = row["gas_every_ms"] if rule.gas is None else rule.gas.before_min * 60_000
        newest = select(gas_check).where(gas_check.c.permit_id == row["id"])
        last = connection.execute(newest.order_by(gas_check.c.at_ms.desc()).limit(1)).mappings().first()
        if last is not None and not last["safe"]:
            raise ConflictError(f"permit {row['id']}: the last gas reading was not safe（气体检测不合格）")
        tags = _work(row).gas_tags
        live = bool(tags) and visible(self._means.board.values, set(tags)) == set(tags)
        if not live and (last is None or last["at_ms"] < now_ms - before_ms):
            raise ConflictError(
                f"permit {row['id']}: no gas reading of the last {before_ms // 60_000} min（作业前须有有效气体检测）"
            )


def _work(row: Mapping[str, Any]) -> Work:
    return msgspec.json.decode(row["body"], type=Work)


def _permit(row: Mapping[str, Any], seen: set[str], now_ms: int) -> Permit:
    work = _work(row)
    same = {name: row[name] for name in Permit.__slots__ if name not in ("state", "work", "gas")}
    state = PermitState(row["state"])
    return Permit(**same, state=state, work=work, gas=gas_state(row, work.gas_tags, seen, now_ms))


def _row_of(connection: Connection, name: str, scope: Scope) -> dict[str, Any]:
    seen = seen_by(scope, work_permit.c.enterprise, work_permit.c.district)
    row = connection.execute(select(work_permit).where(work_permit.c.id == name, seen)).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no permit {name}（作业票不存在）")
    return dict(row)


def _moved(row: Mapping[str, Any], event: PermitEvent, now_ms: int, by: By) -> dict[str, Any]:
    """Return the columns an event changes."""
    cell = step(PERMITS, PermitState(row["state"]), event, f"permit {row['id']}")
    changes: dict[str, Any] = {"state": cell.to.value, "version": row["version"] + 1}
    if PermitEffect.SIGN in cell.effects:
        changes["approved_by"] = storable(by.account)
    if PermitEffect.BEGIN in cell.effects:
        changes["opened_ms"] = now_ms
    if PermitEffect.END in cell.effects:
        changes |= {"ended_ms": min(now_ms, row["end_ms"]), "missed_ms": None}
    return changes


def _write(connection: Connection, row: Mapping[str, Any], version: int, changes: Mapping[str, Any]) -> None:
    changed = update(work_permit).where(work_permit.c.id == row["id"], work_permit.c.version == version)
    if row["version"] != version or not connection.execute(changed.values(**changes)).rowcount:
        raise ConflictError(
            f"permit {row['id']} is at version {row['version']} now, not {version}: look again（作业票已变更，请刷新）"
        )


def _note(connection: Connection, name: str, now_ms: int, event: str, by: By, note: str) -> None:
    said = {"permit_id": name, "at_ms": now_ms, "event": event, "by": storable(by.account), "note": storable(note)}
    connection.execute(insert(work_permit_event), said)
    detail = {"note": note} if note else {}
    audit.append(connection, [Entry(now_ms, by.account, by.origin, f"permit.{event}", name, detail=detail)])


def _gas_changes(row: Mapping[str, Any], seen: set[str], now_ms: int) -> dict[str, Any]:
    gas = gas_state(row, _work(row).gas_tags, seen, now_ms)
    if gas is None:
        return {}
    if gas.live and (row["seen_ms"] is None or row["missed_ms"] or now_ms - row["seen_ms"] >= _MINUTE_MS):
        return {"seen_ms": now_ms, "missed_ms": None}
    return {"missed_ms": gas.due_ms} if gas.overdue and row["missed_ms"] is None else {}


def _expire(connection: Connection, row: Mapping[str, Any], now_ms: int) -> int:
    changes = _moved(row, PermitEvent.EXPIRE, now_ms, _SYSTEM)
    same = (work_permit.c.id == row["id"], work_permit.c.version == row["version"])
    if not connection.execute(update(work_permit).where(*same).values(**changes)).rowcount:
        return 0  # somebody was quicker
    _note(connection, row["id"], now_ms, "expire", _SYSTEM, "")
    return 1


def _keep_gas(connection: Connection, row: Mapping[str, Any], changes: Mapping[str, Any], now_ms: int) -> int:
    still = work_permit.c.seen_ms.is_(None) if row["seen_ms"] is None else work_permit.c.seen_ms == row["seen_ms"]
    same = (work_permit.c.id == row["id"], work_permit.c.state == PermitState.OPEN.value, still)
    if not connection.execute(update(work_permit).where(*same).values(**changes)).rowcount:
        return 0
    if changes.get("missed_ms"):
        _note(connection, row["id"], now_ms, "check_missed", _SYSTEM, "")
    return 1
