"""Shift handover (交接班): a page of what is, gone through item by item, signed by both, frozen with a hash."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, insert, select, update

from config.clock import Clock
from gateway.commands import By
from gateway.errors import ConflictError, NotFoundError
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.desk_tables import handover
from gateway.records.queries import AlarmFilter, AlarmSort, Queries
from gateway.records.schema import OPEN_STATES
from gateway.records.transaction import using

__all__ = ["Handovers", "Item", "Page", "drafted", "seal"]

_AT_MOST = 5_000
"""Items of one kind on a page; more are counted."""
_RED = 1


class Item(msgspec.Struct, frozen=True):
    """One thing the next shift has to know."""

    key: str
    kind: str
    """open | unhandled | shelved | suppressed | out_of_service | stale"""
    subject: str
    """Alarm id, or tag (and condition)."""
    text_zh: str
    text_en: str
    tier: int = 0
    owner: str = ""
    overdue: str = ""
    version: int = 0
    accepted_by: str = ""
    accepted_ms: int = 0
    note: str = ""


class Page(msgspec.Struct, frozen=True):
    """What is handed over."""

    items: tuple[Item, ...]
    note: str = ""
    left_out: int = 0
    """Items beyond the most that a page holds: too many to be gone through one by one."""


def drafted(items: Sequence[Item], earlier: Page | None = None) -> Page:
    """Return a page of items; what was accepted of an earlier draft stays so while the thing is as it was."""
    known = {item.key: item for item in earlier.items} if earlier else {}
    kept = []
    for item in items:
        old = known.get(item.key)
        if old is not None and (old.version, old.tier, old.owner) == (item.version, item.tier, item.owner):
            kept.append(
                msgspec.structs.replace(item, accepted_by=old.accepted_by, accepted_ms=old.accepted_ms, note=old.note)
            )
        else:
            kept.append(item)
    return Page(tuple(kept), earlier.note if earlier else "")


def seal(row: Mapping[str, Any]) -> str:
    """Return the hash of a signed page: over what is on it, and over who signed when."""
    covered = [row[name] for name in ("id", "made_ms", "made_by", "taken_by", "given_ms", "taken_ms", "page")]
    return sha256(msgspec.json.encode(covered)).hexdigest()


class Handovers:
    """The handovers. Any thread may use it.

    Args:
        engine: May write.
        queries: Read side of the records.
        clock: Wall.
    """

    def __init__(self, engine: Engine, queries: Queries, clock: Clock) -> None:
        self._engine = engine
        self._queries = queries
        self._clock = clock

    def begin(self, items: Sequence[Item], by: By) -> dict[str, Any]:
        """Draft a page; returns its row.

        Raises:
            ConflictError: One is begun already.
        """
        name = secrets.token_hex(8)
        row = {
            "id": name,
            "made_ms": self._clock.wall_ms(),
            "made_by": by.account,
            "taken_by": None,
            "given_ms": None,
            "taken_ms": None,
            "page": _text(drafted(items)),
            "hash": None,
        }
        with using(self._engine, "beginning a handover") as connection:
            unfinished = connection.execute(select(handover.c.id).where(handover.c.taken_ms.is_(None))).first()
            if unfinished is not None:
                raise ConflictError(f"handover {unfinished.id} is not finished yet（上一次交接尚未完成）")
            connection.execute(insert(handover), row)
            self._note(connection, by, "handover.begin", name)
        return row

    def get(self, name: str) -> dict[str, Any]:
        """Return one.

        Raises:
            NotFoundError: There is none of that name.
        """
        with using(self._engine, "reading a handover") as connection:
            return self._row(connection, name)

    def latest(self, limit: int) -> list[dict[str, Any]]:
        """Return the latest ones, newest first."""
        with using(self._engine, "reading handovers") as connection:
            rows = connection.execute(select(handover).order_by(handover.c.made_ms.desc()).limit(limit)).mappings()
            return [dict(row) for row in rows]

    def refresh(self, name: str, items: Sequence[Item], by: By) -> dict[str, Any]:
        """Draft a page anew; what was accepted and has not changed stays accepted, a signature does not.

        Raises:
            ConflictError: It is frozen.
        """

        def work(_row: Mapping[str, Any], page: Page) -> dict[str, Any]:
            return {"page": drafted(items, page), "given_ms": None}

        return self._change(name, by, "handover.refresh", work)

    def accept(self, name: str, keys: Sequence[str], note: str, by: By) -> dict[str, Any]:
        """Let who takes over say that items are understood, one by one or several.

        Raises:
            NotFoundError: There is no such item.
            ConflictError: It is frozen, or that is who hands over.
        """

        def work(row: Mapping[str, Any], page: Page) -> dict[str, Any]:
            if row["made_by"] == by.account:
                raise ConflictError("who hands over cannot take over as well（交班人不能同时接班）")
            missing = set(keys) - {item.key for item in page.items}
            if missing:
                raise NotFoundError(f"there is no item {min(missing)} on the page")
            now_ms = self._clock.wall_ms()
            items = tuple(
                msgspec.structs.replace(item, accepted_by=by.account, accepted_ms=now_ms, note=note or item.note)
                if item.key in keys
                else item
                for item in page.items
            )
            return {"page": msgspec.structs.replace(page, items=items), "taken_by": by.account}

        return self._change(name, by, "handover.accept", work)

    def sign(self, name: str, current: Sequence[Item], note: str, by: By) -> dict[str, Any]:
        """Sign: first who hands over, then who takes over, when every item is accepted.

        Args:
            name: Of the handover.
            current: What there is now: what is new since the draft has to be on it.
            note: Words for the page; of who hands over.
            by: Who signs.

        Raises:
            ConflictError: Not yet; says what is missing.
        """

        def work(row: Mapping[str, Any], page: Page) -> dict[str, Any]:
            self._complete(page, current)
            if row["given_ms"] is None:
                if row["made_by"] != by.account:
                    raise ConflictError(f"{row['made_by']} hands over and signs first（须由交班人先签字）")
                return {
                    "page": msgspec.structs.replace(page, note=note or page.note),
                    "given_ms": self._clock.wall_ms(),
                }
            if row["made_by"] == by.account:
                raise ConflictError("signed already: now who takes over（已签字，等待接班人签字）")
            waiting = [item.key for item in page.items if item.accepted_by != by.account]
            if waiting:
                raise ConflictError(
                    f"{len(waiting)} items are not accepted yet, the first: {waiting[0]}（尚有未确认项）"
                )
            return {"page": page, "taken_by": by.account, "taken_ms": self._clock.wall_ms()}

        return self._change(name, by, "handover.sign", work)

    def items(self, texts: Any, stale: Sequence[str]) -> list[Item]:  # noqa: ANN401 - words of a row, see below
        """Return what there is to hand over now.

        Args:
            texts: ``texts(row)`` returns an alarm in words, (zh, en).
            stale: Tags without fresh values.
        """
        read = self._queries.alarms
        open_ = read(AlarmFilter(states=OPEN_STATES, inhibited=(None,)), AlarmSort.TIER, None, _AT_MOST)
        stages = ("raised", "acknowledged", "assigned", "on_site", "verified", "measures", "recovered")
        unhandled = read(AlarmFilter(states=("cleared",), stages=stages), AlarmSort.TIER, None, _AT_MOST)
        put = self._queries.inhibitions(in_force=True, kind=None, tags=None, before=None, limit=_AT_MOST)
        found = [_of_alarm("open", row, texts(row)) for row in open_]
        found += [_of_alarm("unhandled", row, texts(row)) for row in unhandled]
        found += [_of_inhibition(row) for row in put]
        found += [Item(f"stale {tag}", "stale", tag, f"{tag} 数据中断", f"{tag} has no fresh values") for tag in stale]
        return found

    @staticmethod
    def _complete(page: Page, current: Sequence[Item]) -> None:
        """Check that nothing is missing on a page, and that nobody's red alarm is handed on.

        Raises:
            ConflictError: Something is.
        """
        red = [item for item in current if item.kind == "open" and item.tier == _RED and not item.owner]
        if red:
            raise ConflictError(
                f"red alarm {red[0].subject} has nobody who sees to it: assign it first（红色报警无人负责）"
            )
        listed = {(item.key, item.tier) for item in page.items}
        new = [item for item in current if (item.key, item.tier) not in listed]
        if new:
            raise ConflictError(f"{len(new)} things are new since the draft, the first: {new[0].text_en}; refresh it")

    def _change(self, name: str, by: By, act: str, work: Any) -> dict[str, Any]:  # noqa: ANN401 - row, page -> columns
        with using(self._engine, "changing a handover") as connection:
            row = self._row(connection, name)
            if row["taken_ms"] is not None:
                raise ConflictError(f"handover {name} is signed by both and frozen（已双方签字并冻结）")
            changes = work(row, msgspec.json.decode(row["page"], type=Page))
            row |= {**changes, "page": _text(changes["page"])}
            row["hash"] = seal(row) if "taken_ms" in changes else None
            connection.execute(update(handover).where(handover.c.id == name).values(**row))
            self._note(connection, by, act, name, {"hash": row["hash"]} if row["hash"] else {})
        return row

    @staticmethod
    def _row(connection: Connection, name: str) -> dict[str, Any]:
        row = connection.execute(select(handover).where(handover.c.id == name)).mappings().first()
        if row is None:
            raise NotFoundError(f"there is no handover {name}")
        return dict(row)

    def _note(
        self, connection: Connection, by: By, act: str, name: str, detail: Mapping[str, Any] | None = None
    ) -> None:
        audit.append(connection, [Entry(self._clock.wall_ms(), by.account, by.origin, act, name, detail=detail or {})])


def _text(page: Page) -> str:
    return msgspec.json.encode(page).decode()


def _of_alarm(kind: str, row: Mapping[str, Any], words: tuple[str, str]) -> Item:
    return Item(
        key=f"{kind} {row['alarm_id']}",
        kind=kind,
        subject=row["alarm_id"],
        text_zh=words[0],
        text_en=words[1],
        tier=row["tier"],
        owner=row["assigned_to"] or "",
        overdue=row["overdue"],
        version=row["material_version"],
    )


def _of_inhibition(row: Mapping[str, Any]) -> Item:
    point, why = f"{row['tag']} {row['condition']}", row["reason"]
    return Item(f"{row['kind']} {row['id']}", row["kind"], point, f"{point}：{why}", f"{point}: {why}", owner=row["by"])
