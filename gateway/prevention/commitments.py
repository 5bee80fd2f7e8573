"""The daily commitment (安全承诺): drafted from the live state, signed once, held against the live state all day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from config.days import day_of, day_start_ms
from config.prevention import CommitmentRules, at
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.errors import BadRequestError, ConflictError
from gateway.prevention.contradictions import Clash, Committed, clashes
from gateway.prevention.live import Live, Surroundings
from gateway.prevention.means import Means
from gateway.prevention.spots import spot_of
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.dialects import storable
from gateway.records.prevention_tables import commitment, contradiction
from gateway.records.transaction import using
from gateway.registry.store import seen_by

__all__ = ["Commitment", "Commitments", "Contradiction", "DayOf", "Draft"]

_DAY_MS = 86_400_000
_AT_ONCE = 50
"""Enterprises in one turn: however many there are, other clocks are kept in between."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A contradiction, since when, and until when."""

    kind: str
    subject: str
    began_ms: int
    ended_ms: int | None
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Page:
    """What is frozen."""

    committed: Committed
    live: Live
    """As it was when it was signed."""


@dataclass(frozen=True, slots=True)
class Commitment:
    """A signed commitment."""

    enterprise: str
    district: str
    day: str
    signed_ms: int
    signed_by: str
    late: bool
    hash: str
    sound: bool
    """It still fits its hash."""
    committed: Committed
    live: Live
    contradictions: tuple[Contradiction, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A commitment that is not signed: prefilled, with what would contradict it."""

    enterprise: str
    day: str
    due_ms: int
    overdue: bool
    committed: Committed
    live: Live
    clashes: tuple[Clash, ...]


@dataclass(frozen=True, slots=True)
class DayOf:
    """How an enterprise stands on a day."""

    enterprise: str
    name_zh: str
    name_en: str
    state: str
    """``signed``, ``late`` (after the hour), ``due``, ``missing`` (the hour is over), ``closed`` (out of operation)."""
    signed_ms: int | None
    contradictions: int
    """That are open now."""


class Commitments:
    """The commitments. Any thread may use it.

    Args:
        means: Records, clock, registry.
        surroundings: Knows the live state.
    """

    def __init__(self, means: Means, surroundings: Surroundings) -> None:
        self._means = means
        self._surroundings = surroundings
        self._after = ""
        """The enterprise up to which the last turn came."""

    def of(self, scope: Scope, enterprise: str, day: str) -> Commitment | None:
        """Return the commitment of an enterprise for a day; None: it has signed none, or may not be seen."""
        whose = (commitment.c.enterprise == enterprise, commitment.c.day == day)
        with using(self._means.reader, "reading a commitment") as connection:
            found = select(commitment).where(*whose, seen_by(scope, commitment.c.enterprise, commitment.c.district))
            row = connection.execute(found).mappings().first()
            return None if row is None else _read(dict(row), _kept(connection, enterprise, day))

    def draft(self, scope: Scope, enterprise: str, day: str) -> Draft:
        """Return a commitment as the live state suggests it.

        Raises:
            BadRequestError: There is no such enterprise, or the day makes no sense.
        """
        self._today(day)
        spot = spot_of(self._means, scope, enterprise=enterprise)
        now_ms, rules = self._means.clock.wall_ms(), self._rules(day)
        live = self._surroundings.of(spot.enterprise, day, now_ms)
        calm = all(tier > rules.worst_tier for tier in live.worst_tiers) and not live.overdue_checks
        stopped, majors = live.units - live.units_live, live.major_dangers or 0
        said = Committed(calm, live.units_live, stopped, 0, live.permits_planned, majors)
        due_ms = rules.due_ms(day)
        return Draft(enterprise, day, due_ms, now_ms > due_ms, said, live, tuple(clashes(said, live, rules)))

    def sign(self, scope: Scope, enterprise: str, day: str, said: Committed, by: By) -> Commitment:
        """Sign: what is committed is frozen together with the live state, and what contradicts it is listed at once.

        Raises:
            BadRequestError: There is no such enterprise, or it is another day.
            ConflictError: It is signed already.
        """
        now_ms, rules = self._today(day), self._rules(day)
        spot = spot_of(self._means, scope, enterprise=enterprise)
        live = self._surroundings.of(enterprise, day, now_ms)
        row: dict[str, Any] = {
            "enterprise": enterprise, "day": day, "district": spot.district, "signed_ms": now_ms,
            "signed_by": storable(by.account), "late": now_ms > rules.due_ms(day),
            "body": storable(msgspec.json.encode(Page(said, live), order="sorted").decode()),
        }  # fmt: skip
        row["hash"] = _seal(row)
        try:
            with using(self._means.writing, "signing a commitment") as connection:
                connection.execute(insert(commitment), row)
                detail = {"hash": row["hash"], "late": row["late"]}
                entry = Entry(now_ms, by.account, by.origin, "commitment.sign", f"{enterprise} {day}", detail=detail)
                audit.append(connection, [entry])
                _hold(connection, row, clashes(said, live, rules), now_ms)
                return _read(row, _kept(connection, enterprise, day))
        except IntegrityError:
            raise ConflictError(f"{enterprise} has signed for {day} already（当日已承诺）") from None

    def days(self, scope: Scope, day: str, after: str, limit: int) -> list[DayOf]:
        """Return how enterprises in operation stand on a day, in order of id; behind enterprise ``after``."""
        now_ms, due_ms = self._means.clock.wall_ms(), self._rules(day).due_ms(day)
        page = self._means.registry.find("enterprise", scope, after=after, limit=limit)
        ids = [one.id for one in page]
        with using(self._means.reader, "reading commitments") as connection:
            asked = select(commitment.c.enterprise, commitment.c.signed_ms, commitment.c.late).where(
                commitment.c.day == day, commitment.c.enterprise.in_(ids)
            )
            signed = {row[0]: row for row in connection.execute(asked)}
            open_ = select(contradiction.c.enterprise).where(
                contradiction.c.day == day, contradiction.c.ended_ms.is_(None), contradiction.c.enterprise.in_(ids)
            )
            clashing = list(connection.execute(open_).scalars())
        return [
            DayOf(
                enterprise=one.id,
                name_zh=one.name,
                name_en=str(one.body.get("name_en", "")),
                state=_state(signed.get(one.id), one.body, now_ms > due_ms),
                signed_ms=signed[one.id][1] if one.id in signed else None,
                contradictions=clashing.count(one.id),
            )
            for one in page
        ]

    def turn(self, now_ms: int) -> int:
        """Hold the next of what was signed for today against the live state; returns how much began or ended."""
        day = day_of(now_ms)
        changed, rules = self._end_earlier(day), self._rules(day)
        signed = select(commitment).where(commitment.c.day == day, commitment.c.enterprise > self._after)
        with using(self._means.reader, "reading commitments") as connection:
            found = connection.execute(signed.order_by(commitment.c.enterprise).limit(_AT_ONCE)).mappings()
            rows = [dict(row) for row in found]
        self._after = rows[-1]["enterprise"] if len(rows) == _AT_ONCE else ""
        for row in rows:
            live = self._surroundings.of(row["enterprise"], day, now_ms)
            said = msgspec.json.decode(row["body"], type=Page).committed
            changed += self._keep(row, clashes(said, live, rules), now_ms)
        return changed

    def _end_earlier(self, today: str) -> int:
        """End what still contradicts commitments of days that are over: with its day."""
        earlier = select(contradiction.c.day).where(contradiction.c.day < today, contradiction.c.ended_ms.is_(None))
        with using(self._means.reader, "reading contradictions") as connection:
            days = set(connection.execute(earlier.distinct()).scalars())
        changed = 0
        for day in sorted(days):
            still = (contradiction.c.day == day, contradiction.c.ended_ms.is_(None))
            with using(self._means.writing, "ending contradictions") as connection:
                ending = update(contradiction).where(*still).values(ended_ms=day_start_ms(day) + _DAY_MS)
                changed += connection.execute(ending).rowcount
        return changed

    def _keep(self, row: Mapping[str, Any], found: Sequence[Clash], now_ms: int) -> int:
        with using(self._means.reader, "reading contradictions") as connection:
            known = _open(connection, row)
        if known == {(one.kind, one.subject) for one in found}:
            return 0
        with using(self._means.writing, "noting contradictions") as connection:
            return _hold(connection, row, found, now_ms)

    def _today(self, day: str) -> int:
        now_ms = self._means.clock.wall_ms()
        if day != day_of(now_ms):
            raise BadRequestError(f"day: found {day}; allowed: today, {day_of(now_ms)}（只能承诺当日）")
        return now_ms

    def _rules(self, day: str) -> CommitmentRules:
        try:
            return at(self._means.rules.commitments, day_start_ms(day))
        except ValueError:
            raise BadRequestError(f"day: found {day!r}; allowed: YYYY-MM-DD（日期无效）") from None


def _state(signed: Any, body: Mapping[str, Any], over: bool) -> str:  # noqa: ANN401, FBT001 - a row of the database
    if signed is not None:
        return "late" if signed[2] else "signed"
    if body.get("state", "operating") != "operating":
        return "closed"
    return "missing" if over else "due"


def _seal(row: Mapping[str, Any]) -> str:
    covered = [row[name] for name in ("enterprise", "day", "signed_ms", "signed_by", "body")]
    return sha256(msgspec.json.encode(covered)).hexdigest()


def _kept(connection: Connection, enterprise: str, day: str) -> tuple[Contradiction, ...]:
    asked = select(*(contradiction.c[name] for name in Contradiction.__slots__)).where(
        contradiction.c.enterprise == enterprise, contradiction.c.day == day
    )
    return tuple(Contradiction(**row) for row in connection.execute(asked.order_by(contradiction.c.seq)).mappings())


def _open(connection: Connection, row: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return what contradicts as far as is known."""
    found = _kept(connection, row["enterprise"], row["day"])
    return {(one.kind, one.subject) for one in found if one.ended_ms is None}


def _hold(connection: Connection, row: Mapping[str, Any], found: Sequence[Clash], now_ms: int) -> int:
    """Note what began and what ended."""
    same = (contradiction.c.enterprise == row["enterprise"], contradiction.c.day == row["day"])
    known = _open(connection, row)
    now = {(one.kind, one.subject): one for one in found}
    whose = {name: row[name] for name in ("enterprise", "district", "day")}
    begun = [
        {**whose, "kind": one.kind, "subject": one.subject, "began_ms": now_ms, "ended_ms": None,
         "zh": storable(one.text.zh), "en": storable(one.text.en)}
        for key, one in now.items() if key not in known
    ]  # fmt: skip
    if begun:
        connection.execute(insert(contradiction), begun)
    for kind, subject in known - set(now):
        still = contradiction.c.ended_ms.is_(None)
        which = (*same, still, contradiction.c.kind == kind, contradiction.c.subject == subject)
        connection.execute(update(contradiction).where(*which).values(ended_ms=now_ms))
    return len(begun) + len(known - set(now))


def _read(row: Mapping[str, Any], found: tuple[Contradiction, ...]) -> Commitment:
    page = msgspec.json.decode(row["body"], type=Page)
    same = {name: row[name] for name in ("enterprise", "district", "day", "signed_ms", "signed_by", "late", "hash")}
    sound = _seal(row) == row["hash"]
    return Commitment(**same, sound=sound, committed=page.committed, live=page.live, contradictions=found)
