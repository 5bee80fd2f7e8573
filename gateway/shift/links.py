"""Links that show one alarm to rescue teams without an account: signed, expiring, revocable, each opening noted."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Any

from sqlalchemy import Engine, insert, select, update

from config.clock import Clock
from gateway.commands import By
from gateway.errors import NotFoundError
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.desk_tables import incident_link
from gateway.records.transaction import using

__all__ = ["Links"]

_NOT_VALID = "the link is none, has expired or was ended（链接无效或已过期）"
_OPENING_MS = 60_000
"""A page that refreshes itself is on record once a minute."""


class Links:
    """The links. Any thread may use it.

    Args:
        engine: May write.
        reader: Cannot.
        clock: Wall.
    """

    def __init__(self, engine: Engine, reader: Engine, clock: Clock) -> None:
        self._engine = engine
        self._reader = reader
        self._clock = clock

    def make(self, alarm_id: str, hours: float, note: str, by: By) -> tuple[str, dict[str, Any]]:
        """Make a link to an alarm; returns what goes into the address, and its row."""
        now_ms = self._clock.wall_ms()
        row = {
            "id": secrets.token_hex(8),
            "alarm_id": alarm_id,
            "key": secrets.token_hex(32),
            "note": note,
            "created_ms": now_ms,
            "created_by": by.account,
            "expires_ms": now_ms + round(hours * 3_600_000),
            "ended_ms": None,
            "opened": 0,
            "opened_ms": None,
        }
        with using(self._engine, "making a link") as connection:
            connection.execute(insert(incident_link), row)
            detail = {"hours": hours, "note": note, "link": row["id"]}
            audit.append(connection, [Entry(now_ms, by.account, by.origin, "link.make", alarm_id, detail=detail)])
        return _token(row), row

    def end(self, name: str, by: By) -> None:
        """Let a link lead nowhere from now on.

        Raises:
            NotFoundError: There is none of that name.
        """
        now_ms = self._clock.wall_ms()
        ending = update(incident_link).where(incident_link.c.id == name, incident_link.c.ended_ms.is_(None))
        with using(self._engine, "ending a link") as connection:
            if not connection.execute(ending.values(ended_ms=now_ms)).rowcount:
                raise NotFoundError(f"there is no link {name}")
            audit.append(connection, [Entry(now_ms, by.account, by.origin, "link.end", name)])

    def of_alarm(self, alarm_id: str) -> list[dict[str, Any]]:
        """Return the links to an alarm, newest first, without what would let them be used."""
        columns = [column for column in incident_link.c if column.name != "key"]
        wanted = select(*columns).where(incident_link.c.alarm_id == alarm_id)
        with using(self._reader, "reading links") as connection:
            rows = connection.execute(wanted.order_by(incident_link.c.created_ms.desc())).mappings()
            return [dict(row) for row in rows]

    def open(self, token: str, origin: str) -> dict[str, Any]:
        """Return the link that somebody opens, and note that.

        Raises:
            NotFoundError: It is none; whichever way, the answer is the same.
        """
        now_ms, name = self._clock.wall_ms(), token.partition(".")[0]
        with using(self._reader, "opening a link") as connection:
            found = connection.execute(select(incident_link).where(incident_link.c.id == name)).mappings().first()
        if found is None or not hmac.compare_digest(_token(dict(found)).encode(), token.encode()):
            raise NotFoundError(_NOT_VALID)
        row = dict(found)
        if row["ended_ms"] is not None or row["expires_ms"] <= now_ms:
            raise NotFoundError(_NOT_VALID)
        if row["opened_ms"] is None or now_ms - row["opened_ms"] >= _OPENING_MS:
            changes = {"opened": row["opened"] + 1, "opened_ms": now_ms}
            with using(self._engine, "noting that a link was opened") as connection:
                connection.execute(update(incident_link).where(incident_link.c.id == name).values(**changes))
                audit.append(connection, [Entry(now_ms, f"link:{name}", origin, "link.open", row["alarm_id"])])
        return row


def _token(row: dict[str, Any]) -> str:
    signed = f"{row['id']}.{row['alarm_id']}.{row['expires_ms']}"
    seal = hmac.new(bytes.fromhex(row["key"]), signed.encode(), sha256).hexdigest()[:40]
    return f"{row['id']}.{seal}"
