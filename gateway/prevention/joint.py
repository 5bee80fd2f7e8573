"""Joint prevention (联防联控): who is near an alarm, by distance and wind, is sent one notice and gives a receipt."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from config.plant.model import Text
from config.prevention import JointRules, at
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import BadRequestError, ConflictError, NotFoundError
from gateway.prevention.around import Around, NeighbourAt
from gateway.prevention.machine import step
from gateway.prevention.means import Means
from gateway.prevention.notice_states import NOTICES, NoticeEffect, NoticeEvent, NoticeState
from gateway.prevention.spots import Spot, spot_of
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.dialects import storable
from gateway.records.prevention_tables import neighbour_notice
from gateway.records.transaction import using
from gateway.registry.store import Version, seen_by

__all__ = ["Joint", "Letter", "Notice", "Wind"]

_MOST = 500
"""Notices of one alarm."""


@dataclass(frozen=True, slots=True)
class Wind:
    """As it is told; None: not known, and then everybody around is warned."""

    from_deg: float | None = None
    m_s: float | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """What a notice says: all that who gets it learns."""

    from_zh: str
    from_en: str
    place_zh: str
    place_en: str
    cas: str
    tier: int
    zh: str
    en: str
    """The alarm in one line."""
    raised_ms: int
    distance_m: float
    bearing_deg: float
    """From the alarm to who gets it."""
    downwind: bool
    advice: str
    name_zh: str
    name_en: str
    """Of who gets it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice with its receipt."""

    id: str
    alarm_id: str
    enterprise: str
    """Who sends it."""
    to_enterprise: str
    """Empty: none of this registry; who sends it confirms for them, by telephone."""
    neighbour: str
    state: NoticeState
    sent_ms: int
    sent_by: str
    due_ms: int
    overdue: bool
    """It was not confirmed in time, though it may have been since."""
    seen_ms: int | None
    seen_by: str | None
    confirmed_ms: int | None
    confirmed_by: str | None
    note: str
    letter: Letter
    mine: bool
    """Who asks is who sent it, and not only who got it."""


class Joint:
    """The neighbours. Any thread may use it.

    Args:
        means: Records, clock, registry.
        around: Knows who is where.
    """

    def __init__(self, means: Means, around: Around) -> None:
        self._means = means
        self._around = around

    def downwind(
        self,
        scope: Scope,
        latitude_deg: float,
        longitude_deg: float,
        wind_from_deg: float | None,
        wind_m_s: float | None,
        radius_m: float,
    ) -> list[NeighbourAt]:
        """Return who is within a radius, those downwind first, then the nearest; calm or unknown wind: all are."""
        return self._around.find(scope, latitude_deg, longitude_deg, wind_from_deg, wind_m_s, radius_m, self._rules())

    def warn(
        self,
        row: Mapping[str, Any],
        words: Text,
        wind: Wind,
        advice: str,
        scope: Scope,
        by: By,
        radius_m: float | None = None,
    ) -> list[Notice]:
        """Send one notice to each neighbour of an alarm's enterprise that is downwind, or near whatever the wind.

        Who has one of this alarm gets no second.

        Args:
            row: The alarm, which who asks may see.
            words: The alarm in one line.
            wind: As it is told.
            advice: What neighbours should do.
            scope: Of who asks.
            by: Who asks.
            radius_m: None: as configured.

        Returns:
            All notices of the alarm.

        Raises:
            BadRequestError: Nobody knows where it is.
        """
        spot = _place_of(self._means, row)
        if spot.latitude_deg is None or spot.longitude_deg is None:
            raise BadRequestError(f"alarm {row['alarm_id']}: nobody knows where it is（缺少坐标）")
        rules = self._rules()
        searched = scope if scope.whole else replace(scope, enterprises=scope.enterprises | {spot.enterprise})
        found = self._around.find(
            searched, spot.latitude_deg, spot.longitude_deg, wind.from_deg, wind.m_s, radius_m or rules.radius_m, rules,
            fresh=True,
        )  # fmt: skip
        wanted = [
            one for one in found
            if one.is_enterprise != spot.enterprise
            and (one.of_enterprise == spot.enterprise or one.id == one.is_enterprise)
            and (one.downwind or one.distance_m <= rules.near_m)
        ]  # fmt: skip
        with suppress(IntegrityError):  # somebody else warns of the same alarm at the same time
            self._send(row, words, spot, wanted, advice, by)
        return self.of_alarm(row["alarm_id"], scope)

    def of_alarm(self, alarm_id: str, scope: Scope) -> list[Notice]:
        """Return the notices of an alarm that who asks has sent."""
        sent = seen_by(scope, neighbour_notice.c.enterprise, neighbour_notice.c.district)
        asked = select(neighbour_notice).where(neighbour_notice.c.alarm_id == alarm_id, sent)
        return self._many(asked.order_by(neighbour_notice.c.id).limit(_MOST), scope)

    def find(self, scope: Scope, *, state: str | None, after: tuple[int, str] | None, limit: int) -> list[Notice]:
        """Return notices that were sent or got by whom one may see, the newest first."""
        sent_ms, name = neighbour_notice.c.sent_ms, neighbour_notice.c.id
        asked = select(neighbour_notice).where(_seen(scope))
        if state is not None:
            asked = asked.where(neighbour_notice.c.state == state)
        if after is not None:
            asked = asked.where(or_(sent_ms < after[0], and_(sent_ms == after[0], name < after[1])))
        return self._many(asked.order_by(sent_ms.desc(), name.desc()).limit(limit), scope)

    def get(self, name: str, scope: Scope) -> Notice:
        """Return a notice.

        Raises:
            NotFoundError: There is none that who asks has sent or got.
        """
        with using(self._means.reader, "reading a notice") as connection:
            return _read(_row_of(connection, name, scope), scope, self._means.clock.wall_ms())

    def act(self, name: str, event: NoticeEvent, note: str, scope: Scope, by: By) -> Notice:
        """See or confirm a notice, as who got it; or, where that is no enterprise of the registry, as who sent it.

        Raises:
            ConflictError: It is confirmed, or not yours to confirm.
            NotFoundError: There is none.
        """
        now_ms = self._means.clock.wall_ms()
        with using(self._means.writing, "confirming a notice") as connection:
            row = _row_of(connection, name, scope)
            got = row["to_enterprise"] and scope.covers(row["to_enterprise"], row["to_district"])
            if not got and row["to_enterprise"]:
                raise ConflictError(f"notice {name}: confirmed by who got it（须由接收方确认）")
            changes = _moved(row, event, now_ms, by)
            if event is NoticeEvent.CONFIRM:
                changes["note"] = storable(note)
            same = (neighbour_notice.c.id == name, neighbour_notice.c.state == row["state"])
            if not connection.execute(update(neighbour_notice).where(*same).values(**changes)).rowcount:
                raise ConflictError(f"notice {name}: somebody was quicker, look again（状态已变更）")
            if changes["state"] != row["state"]:
                entry = Entry(now_ms, by.account, by.origin, f"notice.{event}", name, detail={"note": note})
                audit.append(connection, [entry])
        return _read({**row, **changes}, scope, now_ms)

    def turn(self, now_ms: int) -> int:
        """Note what was not confirmed in time; returns how many."""
        states = [NoticeState.SENT.value, NoticeState.SEEN.value]
        late = (
            neighbour_notice.c.state.in_(states),
            neighbour_notice.c.due_ms < now_ms,
            neighbour_notice.c.overdue_ms.is_(None),
        )
        with using(self._means.reader, "looking for late receipts") as connection:
            ids = list(connection.execute(select(neighbour_notice.c.id).where(*late).limit(1_000)).scalars())
        if not ids:
            return 0
        with using(self._means.writing, "noting late receipts") as connection:
            noting = update(neighbour_notice).where(neighbour_notice.c.id.in_(ids), *late)
            return connection.execute(noting.values(overdue_ms=now_ms)).rowcount

    def _send(
        self, row: Mapping[str, Any], words: Text, spot: Spot, wanted: Sequence[NeighbourAt], advice: str, by: By
    ) -> None:
        now_ms = self._means.clock.wall_ms()
        owner = self._means.registry.get("enterprise", spot.enterprise, Scope())
        plant = self._means.plant.enterprise
        from_zh = owner.name if owner is not None else plant.name.zh
        from_en = str(owner.body.get("name_en") or from_zh) if owner is not None else plant.name.en
        ids = [one.is_enterprise for one in wanted]
        there = self._means.registry.many("enterprise", ids, Scope())
        within_ms = self._rules().confirm_within_min * 60_000
        with using(self._means.writing, "warning neighbours") as connection:
            asked = select(neighbour_notice.c.neighbour).where(neighbour_notice.c.alarm_id == row["alarm_id"])
            had = set(connection.execute(asked).scalars())
            new = []
            for one in [one for one in wanted if _key(one) not in had][:_MOST]:
                to = there.get(one.is_enterprise)
                letter = Letter(
                    from_zh, from_en, spot.name.zh, spot.name.en, spot.cas, row["tier"], words.zh, words.en,
                    row["raised_ms"], one.distance_m, one.bearing_deg, one.downwind, advice, one.name.zh, one.name.en,
                )  # fmt: skip
                whose = {"alarm_id": row["alarm_id"], "enterprise": spot.enterprise, "district": spot.district}
                new.append(whose | _new(one, to, letter, now_ms, by) | {"due_ms": now_ms + within_ms})
            if new:
                connection.execute(insert(neighbour_notice), new)
                detail = {"notices": [one["id"] for one in new], "neighbours": [one["neighbour"] for one in new]}
                entry = Entry(now_ms, by.account, by.origin, "alarm.warn_neighbours", row["alarm_id"], detail=detail)
                audit.append(connection, [entry])

    def _many(self, asked: Any, scope: Scope) -> list[Notice]:  # noqa: ANN401 - SQLAlchemy's own type
        now_ms = self._means.clock.wall_ms()
        with using(self._means.reader, "reading notices") as connection:
            return [_read(dict(row), scope, now_ms) for row in connection.execute(asked).mappings()]

    def _rules(self) -> JointRules:
        return at(self._means.rules.joint, self._means.clock.wall_ms())


def _place_of(means: Means, row: Mapping[str, Any]) -> Spot:
    """Return where an alarm is: at its vessel or unit; what the plant watches and says no place of: at its site."""
    spots = []
    for name in ("vessel", "hazard_unit"):
        with suppress(BadRequestError):
            spots.append(spot_of(means, Scope(), **{name: row[name]}))
    for spot in spots:
        if spot.latitude_deg is not None:
            return spot
    plant = means.plant
    found = spots[0] if spots else Spot(plant.enterprise.id, plant.enterprise.district, plant.site.name)
    if spots and row["hazard_unit"] not in plant.hazard_units:
        return found
    return replace(found, latitude_deg=plant.site.latitude_deg, longitude_deg=plant.site.longitude_deg)


def _key(one: NeighbourAt) -> str:
    """Return by what somebody is warned once, whoever's record names them."""
    return f"enterprise:{one.is_enterprise}" if one.is_enterprise else one.id


def _new(one: NeighbourAt, to: Version | None, letter: Letter, now_ms: int, by: By) -> dict[str, Any]:
    """Return the columns of a notice to somebody."""
    return {
        "id": secrets.token_hex(8), "neighbour": _key(one), "to_enterprise": "" if to is None else to.id,
        "to_district": "" if to is None else to.district, "state": NoticeState.SENT.value, "sent_ms": now_ms,
        "sent_by": storable(by.account), "overdue_ms": None, "seen_ms": None, "seen_by": None, "confirmed_ms": None,
        "confirmed_by": None, "note": "", "body": storable(msgspec.json.encode(letter).decode()),
    }  # fmt: skip


def _seen(scope: Scope) -> ColumnElement[bool]:
    """Return the condition that a notice was sent or got by whom one may see."""
    if scope.whole:
        return seen_by(scope, neighbour_notice.c.enterprise, neighbour_notice.c.district)
    sent = seen_by(scope, neighbour_notice.c.enterprise, neighbour_notice.c.district)
    got = seen_by(scope, neighbour_notice.c.to_enterprise, neighbour_notice.c.to_district)
    return or_(sent, and_(neighbour_notice.c.to_enterprise != "", got))


def _row_of(connection: Connection, name: str, scope: Scope) -> dict[str, Any]:
    asked = select(neighbour_notice).where(neighbour_notice.c.id == name, _seen(scope))
    row = connection.execute(asked).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no notice {name}（通知不存在）")
    return dict(row)


def _moved(row: Mapping[str, Any], event: NoticeEvent, now_ms: int, by: By) -> dict[str, Any]:
    cell = step(NOTICES, NoticeState(row["state"]), event, f"notice {row['id']}")
    changes: dict[str, Any] = {"state": cell.to.value}
    if NoticeEffect.STAMP_SEEN in cell.effects:
        changes |= {"seen_ms": now_ms, "seen_by": storable(by.account)}
    if NoticeEffect.STAMP_CONFIRMED in cell.effects:
        changes |= {"confirmed_ms": now_ms, "confirmed_by": storable(by.account)}
        if now_ms > row["due_ms"] and row["overdue_ms"] is None:
            changes["overdue_ms"] = now_ms  # late, though no turn has come in between
    return changes


def _read(row: Mapping[str, Any], scope: Scope, now_ms: int) -> Notice:
    """Return a notice as somebody may see it: who only got it learns what it says, and nothing of the alarm."""
    mine = scope.covers(row["enterprise"], row["district"])
    waiting = row["state"] != NoticeState.CONFIRMED.value and now_ms > row["due_ms"]
    same = ("id", "to_enterprise", "sent_ms", "due_ms", "seen_ms", "seen_by", "confirmed_ms", "confirmed_by", "note")
    hidden = ("alarm_id", "enterprise", "neighbour", "sent_by")
    said: dict[str, Any] = {name: row[name] if mine else "" for name in hidden}
    return Notice(
        **said,
        **{name: row[name] for name in same},
        state=NoticeState(row["state"]),
        overdue=row["overdue_ms"] is not None or waiting,
        letter=msgspec.json.decode(row["body"], type=Letter),
        mine=mine,
    )
