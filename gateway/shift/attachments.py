"""Photos and papers of alarms: what they are is read from their content, and they are named by it."""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import Engine, func, insert, select

from config.clock import Clock
from gateway.commands import By
from gateway.errors import BadRequestError, ConflictError, NotFoundError
from gateway.records import audit
from gateway.records.audit import Entry
from gateway.records.desk_tables import attachment
from gateway.records.transaction import using

__all__ = ["MOST_BYTES", "Attachments"]

MOST_BYTES = 5 * 1024 * 1024
_PER_ALARM = 50
_BEGINNINGS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"%PDF-", "application/pdf"),
)


def kind_of(content: bytes) -> str:
    """Return the media type of a content.

    Raises:
        BadRequestError: It is nothing that is taken.
    """
    for beginning, kind in _BEGINNINGS:
        if content.startswith(beginning):
            return kind
    raise BadRequestError("attachment: neither JPEG, PNG nor PDF（仅接受 JPEG、PNG、PDF）")


class Attachments:
    """The attachments. Any thread may use it.

    Args:
        engine: May write.
        reader: Cannot.
        clock: Wall.
    """

    def __init__(self, engine: Engine, reader: Engine, clock: Clock) -> None:
        self._engine = engine
        self._reader = reader
        self._clock = clock

    def add(self, alarm_id: str, content: bytes, by: By) -> str:
        """Keep something of an alarm; returns its id, which is the same for the same content.

        Raises:
            BadRequestError: It is nothing that is taken, or too much.
            ConflictError: The alarm has as many as it may have.
        """
        if len(content) > MOST_BYTES:
            raise BadRequestError(f"attachment: at most {MOST_BYTES} bytes（附件过大）")
        name, kind, now_ms = sha256(content).hexdigest(), kind_of(content), self._clock.wall_ms()
        mine = select(func.count()).where(attachment.c.alarm_id == alarm_id)
        row = {"alarm_id": alarm_id, "id": name, "kind": kind, "content": content, "added_ms": now_ms}
        with using(self._engine, "keeping an attachment") as connection:
            if connection.scalar(mine.where(attachment.c.id == name)):
                return name
            if (connection.scalar(mine) or 0) >= _PER_ALARM:
                raise ConflictError(f"alarm {alarm_id} has {_PER_ALARM} attachments already")
            connection.execute(insert(attachment), {**row, "added_by": by.account})
            detail = {"id": name, "kind": kind, "bytes": len(content)}
            audit.append(connection, [Entry(now_ms, by.account, by.origin, "alarm.attach", alarm_id, detail=detail)])
        return name

    def get(self, alarm_id: str, name: str) -> tuple[str, bytes]:
        """Return (media type, content).

        Raises:
            NotFoundError: There is none.
        """
        wanted = select(attachment.c.kind, attachment.c.content).where(
            attachment.c.alarm_id == alarm_id, attachment.c.id == name
        )
        with using(self._reader, "reading an attachment") as connection:
            row = connection.execute(wanted).first()
        if row is None:
            raise NotFoundError(f"alarm {alarm_id} has no attachment {name}")
        return row.kind, row.content
