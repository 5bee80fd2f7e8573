"""Credit and blacklists: how an enterprise stood on a day, by whose word, and what came of an appeal."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select
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
from gateway.records.prevention_tables import credit
from gateway.records.transaction import using
from gateway.registry.store import seen_by

__all__ = ["Appeal", "Credit", "CreditStatus", "Standing"]


class Standing(StrEnum):
    """How an enterprise stands; the first is the worst."""

    BLACKLISTED = "blacklisted"
    WATCHED = "watched"
    GOOD = "good"


class Appeal(StrEnum):
    """What came of an appeal."""

    NONE = "none"
    FILED = "filed"
    REJECTED = "rejected"
    UPHELD = "upheld"
    """The entry does not count."""


_NEXT: Mapping[Appeal, tuple[Appeal, ...]] = {
    Appeal.NONE: (Appeal.FILED,),
    Appeal.FILED: (Appeal.REJECTED, Appeal.UPHELD),
    Appeal.REJECTED: (Appeal.FILED,),
    Appeal.UPHELD: (),
}


@dataclass(frozen=True, slots=True)
class CreditStatus:
    """A version of an entry."""

    id: str
    version: int
    enterprise: str
    district: str
    standing: Standing
    from_day: str
    until_day: str
    """Last day; empty: for good."""
    source: str
    reason: str
    appeal: Appeal
    made_ms: int
    by: str


class Credit:
    """The entries. Any thread may use it.

    Args:
        means: Records, clock, registry.
    """

    def __init__(self, means: Means) -> None:
        self._means = means

    def of(self, enterprise: str, at_ms: int) -> CreditStatus | None:
        """Return how an enterprise stood at a time, as was known then; the worst that held; None: nothing was known.

        Who asks for somebody has to check first that the enterprise may be seen.
        """
        day = day_of(at_ms)
        asked = select(credit).where(credit.c.enterprise == enterprise, credit.c.made_ms <= at_ms)
        with using(self._means.reader, "reading credit") as connection:
            rows = [_status(dict(row)) for row in connection.execute(asked.order_by(credit.c.version)).mappings()]
        newest = {one.id: one for one in rows}
        held = [
            one
            for one in newest.values()
            if one.from_day <= day and (not one.until_day or day <= one.until_day) and one.appeal is not Appeal.UPHELD
        ]
        held.sort(key=lambda one: (list(Standing).index(one.standing), one.from_day, one.id))
        return held[0] if held else None

    def history(self, scope: Scope, enterprise: str) -> list[CreditStatus]:
        """Return every version of every entry of an enterprise, the oldest first.

        Raises:
            BadRequestError: There is no such enterprise.
        """
        spot_of(self._means, scope, enterprise=enterprise)
        asked = select(credit).where(credit.c.enterprise == enterprise)
        with using(self._means.reader, "reading credit") as connection:
            return [
                _status(dict(row))
                for row in connection.execute(asked.order_by(credit.c.made_ms, credit.c.version)).mappings()
            ]

    def enter(self, asked: CreditStatus, scope: Scope, by: By) -> CreditStatus:
        """Enter how an enterprise stands.

        Raises:
            BadRequestError: There is no such enterprise, or the last day is before the first.
        """
        if asked.until_day and asked.until_day < asked.from_day:
            raise BadRequestError(f"until_day: found {asked.until_day}; allowed: {asked.from_day} or later（日期倒置）")
        spot = spot_of(self._means, scope, enterprise=asked.enterprise)
        row = {name: getattr(asked, name) for name in CreditStatus.__slots__}
        row |= {"id": secrets.token_hex(8), "version": 1, "district": spot.district, "appeal": Appeal.NONE.value}
        with using(self._means.writing, "entering credit") as connection:
            return self._put(connection, row, by)

    def appeal(self, name: str, to: Appeal, reason: str, scope: Scope, by: By) -> CreditStatus:
        """Note what came of an appeal, as a new version.

        Raises:
            ConflictError: That does not follow what came before.
            NotFoundError: There is no such entry.
        """
        try:
            with using(self._means.writing, "noting an appeal") as connection:
                seen = seen_by(scope, credit.c.enterprise, credit.c.district)
                asked = select(credit).where(credit.c.id == name, seen).order_by(credit.c.version.desc()).limit(1)
                row = connection.execute(asked).mappings().first()
                if row is None:
                    raise NotFoundError(f"there is no entry {name}（信用记录不存在）")
                allowed = _NEXT[Appeal(row["appeal"])]
                if to not in allowed:
                    raise ConflictError(
                        f"appeal is {row['appeal']}: may become {[str(one) for one in allowed]}（申诉状态不符）"
                    )
                changes = {"version": row["version"] + 1, "appeal": to.value, "reason": reason or row["reason"]}
                return self._put(connection, {**row, **changes}, by)
        except IntegrityError:
            raise ConflictError(f"entry {name}: somebody was quicker, look again（记录已被修改）") from None

    def _put(self, connection: Connection, row: dict[str, Any], by: By) -> CreditStatus:
        now_ms = self._means.clock.wall_ms()
        row |= {"made_ms": now_ms, "by": storable(by.account), "standing": str(row["standing"])}
        row |= {"source": storable(row["source"]), "reason": storable(row["reason"])}
        connection.execute(insert(credit), row)
        detail = {name: row[name] for name in ("version", "enterprise", "standing", "from_day", "until_day", "appeal")}
        audit.append(connection, [Entry(now_ms, by.account, by.origin, "credit.write", row["id"], detail=detail)])
        return _status(row)


def _status(row: Mapping[str, Any]) -> CreditStatus:
    return CreditStatus(**{**row, "standing": Standing(row["standing"]), "appeal": Appeal(row["appeal"])})
