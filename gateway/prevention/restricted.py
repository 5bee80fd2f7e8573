"""The restricted catalogue (禁限控): what may not be, or within limits or with an approval, where, from when."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from config.days import day_of
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import BadRequestError, ConflictError, NotFoundError
from gateway.prevention.means import Means
from gateway.prevention.spots import spot_of
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.dialects import storable
from gateway.records.prevention_tables import restricted, restricted_approval
from gateway.records.transaction import using
from gateway.registry.store import seen_by

__all__ = ["Approval", "Level", "Outcome", "Restricted", "Restriction", "Status", "Transfer", "Verdict"]


class Level(StrEnum):
    """How a substance is restricted; the first is the strictest."""

    PROHIBITED = "prohibited"
    RESTRICTED = "restricted"
    CONTROLLED = "controlled"
    FREE = "free"
    """An entry that no longer restricts."""


_STRICTEST = list(Level)


@dataclass(frozen=True, slots=True)
class Restriction:
    """A version of an entry. It holds from its day until a later version does, or its last day is over."""

    id: str
    version: int
    cas: str
    area: str
    """District, with all below it; empty: everywhere."""
    level: Level
    limit_t: float | None
    approval: bool
    from_day: str
    until_day: str
    source: str
    why: str
    made_ms: int = 0
    by: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """How a substance stands somewhere, at a time."""

    cas: str
    district: str
    at_ms: int
    level: Level
    limit_t: float | None
    """The least of all that hold."""
    approval: bool
    entries: tuple[Restriction, ...]
    """Every one that holds, the strictest first."""


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval for an enterprise."""

    id: str
    enterprise: str
    district: str
    cas: str
    most_t: float
    """Per transfer."""
    from_day: str
    until_day: str
    number: str
    made_ms: int
    by: str
    ended_ms: int | None


@dataclass(frozen=True, slots=True)
class Transfer:
    """Something to be received or loaded."""

    cas: str
    quantity_t: float
    enterprise: str
    """Where it goes."""
    approval: str = ""


class Outcome(StrEnum):
    """Whether a transfer may be."""

    ALLOWED = "allowed"
    NEEDS_APPROVAL = "needs_approval"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a transfer may be, and why."""

    outcome: Outcome
    reasons: tuple[str, ...]
    status: Status


class Restricted:
    """The catalogue, which is public, and the approvals, which are not. Any thread may use it.

    Args:
        means: Records, clock, registry.
    """

    def __init__(self, means: Means) -> None:
        self._means = means

    def status(self, cas: str, at_ms: int, district: str) -> Status:
        """Return how a substance stands in a district at a time; what holds above a district holds in it."""
        areas = {"", *self._upward(district)}
        with using(self._means.reader, "reading the restricted catalogue") as connection:
            asked = select(restricted).where(restricted.c.cas == cas).order_by(restricted.c.id, restricted.c.version)
            rows = [_restriction(dict(row)) for row in connection.execute(asked).mappings()]
        held = [one for one in holding(rows, day_of(at_ms)) if one.area in areas]
        held.sort(key=lambda one: (_STRICTEST.index(one.level), one.id))
        limits = [one.limit_t for one in held if one.limit_t is not None]
        return Status(
            cas=cas,
            district=district,
            at_ms=at_ms,
            level=held[0].level if held else Level.FREE,
            limit_t=min(limits, default=None),
            approval=any(one.approval for one in held),
            entries=tuple(held),
        )

    def entries(self, after: tuple[str, int], limit: int, cas: str | None = None) -> list[Restriction]:
        """Return every version of every entry, in order of id and version, behind one."""
        name, version = restricted.c.id, restricted.c.version
        asked = select(restricted).where((name > after[0]) | ((name == after[0]) & (version > after[1])))
        if cas is not None:
            asked = asked.where(restricted.c.cas == cas)
        with using(self._means.reader, "reading the restricted catalogue") as connection:
            return [
                _restriction(dict(row))
                for row in connection.execute(asked.order_by(name, version).limit(limit)).mappings()
            ]

    def write(self, entry: Restriction, by: By) -> Restriction:
        """Write the next version of an entry; ``entry.version`` is that which was seen, 0: there is none.

        Raises:
            BadRequestError: The last day is before the first, or there is no such district.
            ConflictError: There is another version by now, or of another substance or area.
        """
        if entry.until_day and entry.until_day < entry.from_day:
            raise BadRequestError(f"until_day: found {entry.until_day}; allowed: {entry.from_day} or later（日期倒置）")
        if entry.area and self._means.registry.get("district", entry.area, Scope()) is None:
            raise BadRequestError(f"area: there is no district {entry.area!r}（区域不存在）")
        now_ms = self._means.clock.wall_ms()
        row = {name: getattr(entry, name) for name in Restriction.__slots__}
        row |= {"version": entry.version + 1, "level": entry.level.value, "made_ms": now_ms, "by": storable(by.account)}
        row |= {"source": storable(entry.source), "why": storable(entry.why)}
        try:
            with using(self._means.writing, "writing the restricted catalogue") as connection:
                self._fits(connection, entry)
                connection.execute(insert(restricted), row)
                detail = {"version": row["version"], "cas": entry.cas, "level": row["level"], "why": entry.why}
                audit.append(
                    connection, [Entry(now_ms, by.account, by.origin, "restricted.write", entry.id, detail=detail)]
                )
        except IntegrityError:
            raise ConflictError(f"{entry.id}: somebody was quicker, look again（条目已被修改）") from None
        return _restriction(row)

    def approve(self, asked: Approval, scope: Scope, by: By) -> Approval:
        """Approve transfers of a substance to an enterprise.

        Raises:
            BadRequestError: There is no such enterprise, or the last day is before the first.
        """
        if asked.until_day < asked.from_day:
            raise BadRequestError(f"until_day: found {asked.until_day}; allowed: {asked.from_day} or later（日期倒置）")
        spot = spot_of(self._means, scope, enterprise=asked.enterprise)
        now_ms, name = self._means.clock.wall_ms(), secrets.token_hex(8)
        row = {one: getattr(asked, one) for one in Approval.__slots__}
        row |= {"id": name, "district": spot.district, "made_ms": now_ms, "by": storable(by.account), "ended_ms": None}
        row["number"] = storable(asked.number)
        with using(self._means.writing, "approving") as connection:
            connection.execute(insert(restricted_approval), row)
            detail = {"cas": asked.cas, "enterprise": asked.enterprise, "most_t": asked.most_t, "number": asked.number}
            audit.append(connection, [Entry(now_ms, by.account, by.origin, "restricted.approve", name, detail=detail)])
        return Approval(**row)

    def withdraw(self, name: str, scope: Scope, by: By) -> Approval:
        """Let an approval hold no longer.

        Raises:
            NotFoundError: There is none that holds.
        """
        now_ms = self._means.clock.wall_ms()
        seen = seen_by(scope, restricted_approval.c.enterprise, restricted_approval.c.district)
        which = (restricted_approval.c.id == name, restricted_approval.c.ended_ms.is_(None), seen)
        with using(self._means.writing, "withdrawing an approval") as connection:
            if not connection.execute(update(restricted_approval).where(*which).values(ended_ms=now_ms)).rowcount:
                raise NotFoundError(f"there is no approval {name}（审批不存在）")
            audit.append(connection, [Entry(now_ms, by.account, by.origin, "restricted.withdraw", name)])
            found = select(restricted_approval).where(restricted_approval.c.id == name)
            return Approval(**connection.execute(found).mappings().one())

    def approvals(self, scope: Scope, after: str, limit: int) -> list[Approval]:
        """Return approvals, in order of id, behind one."""
        seen = seen_by(scope, restricted_approval.c.enterprise, restricted_approval.c.district)
        asked = select(restricted_approval).where(seen, restricted_approval.c.id > after)
        with using(self._means.reader, "reading approvals") as connection:
            rows = connection.execute(asked.order_by(restricted_approval.c.id).limit(limit)).mappings()
            return [Approval(**row) for row in rows]

    def check(self, asked: Transfer, scope: Scope, at_ms: int | None = None) -> Verdict:
        """Say whether a transfer may be: blocked, in need of an approval, or allowed, with every reason.

        Raises:
            BadRequestError: There is no such enterprise.
        """
        spot = spot_of(self._means, scope, enterprise=asked.enterprise)
        when_ms = self._means.clock.wall_ms() if at_ms is None else at_ms
        status = self.status(asked.cas, when_ms, spot.district)
        reasons = []
        if status.level is Level.PROHIBITED:
            reasons.append(
                f"{asked.cas} is prohibited here（禁止）: {status.entries[0].id}, {status.entries[0].source}"
            )
        if status.limit_t is not None and asked.quantity_t > status.limit_t:
            reasons.append(f"{asked.quantity_t:g} t is more than {status.limit_t:g} t（超过限量）")
        if reasons:
            return Verdict(Outcome.BLOCKED, tuple(reasons), status)
        if not status.approval:
            return Verdict(Outcome.ALLOWED, (), status)
        why = self._approved(asked, spot.enterprise, when_ms)
        return Verdict(Outcome.NEEDS_APPROVAL if why else Outcome.ALLOWED, (why,) if why else (), status)

    def _approved(self, asked: Transfer, enterprise: str, at_ms: int) -> str:
        """Return why a transfer is not approved; empty: it is."""
        if not asked.approval:
            return "an approval is needed: give its id（须提供审批编号）"
        found = select(restricted_approval).where(
            restricted_approval.c.id == asked.approval, restricted_approval.c.enterprise == enterprise
        )
        with using(self._means.reader, "reading an approval") as connection:
            row = connection.execute(found).mappings().first()
        # Whatever is wrong with it, somebody else's approval answers like none.
        if row is None or row["cas"] != asked.cas:
            return f"{asked.approval} is no approval of this for {enterprise}（审批不适用）"
        day = day_of(at_ms)
        if not row["from_day"] <= day <= row["until_day"] or (row["ended_ms"] is not None and row["ended_ms"] <= at_ms):
            return f"approval {asked.approval} does not hold on {day}（审批不在有效期）"
        if asked.quantity_t > row["most_t"]:
            return f"approval {asked.approval} is for {row['most_t']:g} t at most（超过审批数量）"
        return ""

    def _fits(self, connection: Connection, entry: Restriction) -> None:
        """Check that the version was seen, and that an entry stays about one substance and area."""
        asked = select(restricted).where(restricted.c.id == entry.id).order_by(restricted.c.version.desc()).limit(1)
        last = connection.execute(asked).mappings().first()
        there = 0 if last is None else last["version"]
        if there != entry.version:
            raise ConflictError(
                f"{entry.id} is at version {there} now, not {entry.version}: look again（条目已被修改）"
            )
        if last is not None and (last["cas"], last["area"]) != (entry.cas, entry.area):
            raise ConflictError(
                f"{entry.id} is about {last['cas']} in {last['area'] or 'all areas'}: write another entry（请另建条目）"
            )

    def _upward(self, district: str) -> list[str]:
        found: list[str] = []
        while district and district not in found:
            found.append(district)
            one = self._means.registry.get("district", district, Scope())
            district = "" if one is None else str(one.body.get("parent", ""))
        return found


def holding(versions: Sequence[Restriction], day: str) -> list[Restriction]:
    """Return of each entry the version that holds on a day: the newest that has begun, if its last day is not over."""
    newest: dict[str, Restriction] = {}
    for one in versions:
        before = newest.get(one.id)
        if one.from_day <= day and (before is None or one.version > before.version):
            newest[one.id] = one
    return [one for one in newest.values() if not one.until_day or day <= one.until_day]


def _restriction(row: Mapping[str, Any]) -> Restriction:
    return Restriction(**{**row, "level": Level(row["level"])})
