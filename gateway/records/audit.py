"""The audit log: who did what, when, from where. Rows are only ever added, and each seals all before it.

A row's hash covers its own columns and the hash before it (SHA-256 over canonical JSON), so that a row that is changed,
taken out or put in afterwards is found and named by `verify`. What a chain cannot show is that its newest rows were cut
off, or that all of it was written anew; for that its head is to be noted elsewhere (`head`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, text

from gateway.records.dialects import storable
from gateway.records.schema import audit

__all__ = ["KEEP_AT_LEAST_DAYS", "Broken", "Entry", "append", "head", "rows", "trim", "verify"]

KEEP_AT_LEAST_DAYS = 180
"""Whatever is configured: six months of logs are asked for by the Cybersecurity Law."""

TRIMMED = "audit.trimmed"
_NOTHING = "0" * 64
_LOCK = 0x48617A41756474
"""'HazAudt': whoever adds rows on PostgreSQL holds it to the end of its transaction."""
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that somebody did, or tried to do."""

    at_ms: int
    """Gateway clock."""
    account: str
    """Who: the name of an account, ``token:NAME`` of a machine, ``system``, or what an unknown one called itself."""
    origin: str
    """From where: a network address, ``cli``, ``gateway``."""
    act: str
    """What, such as ``alarm.acknowledge`` or ``session.open``."""
    subject: str = ""
    """On what: an alarm, an account."""
    outcome: str = "done"
    """``done`` or ``refused``."""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Broken:
    """Where the chain does not hold."""

    seq: int
    why: str


def append(connection: Connection, entries: Sequence[Entry]) -> int:
    """Add rows at the end of the chain, inside the caller's transaction.

    Args:
        connection: In a transaction that may write. On SQLite it holds the write lock; on PostgreSQL a lock is taken.
        entries: In the order in which they happened.

    Returns:
        The number of the last row.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    seq, previous = head(connection)
    made = []
    for entry in entries:
        seq += 1
        row = {
            "seq": seq,
            "at_ms": entry.at_ms,
            "account": storable(entry.account)[:128],
            "origin": storable(entry.origin)[:128],
            "act": entry.act,
            "subject": storable(entry.subject)[:256],
            "outcome": entry.outcome,
            "detail": storable(msgspec.json.encode(entry.detail, order="sorted").decode()),
            "previous": previous,
        }
        previous = row["hash"] = _seal(row)
        made.append(row)
    if made:
        connection.execute(insert(audit), made)
    return seq


def head(connection: Connection) -> tuple[int, str]:
    """Return number and hash of the newest row; (0, zeros) when there is none."""
    newest = connection.execute(select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).first()
    return (0, _NOTHING) if newest is None else (newest.seq, newest.hash)


def rows(connection: Connection, after: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the rows behind number ``after``, oldest first."""
    while True:
        found = connection.execute(
            select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(_AT_ONCE)
        ).mappings()
        page = [dict(row) for row in found]
        yield from page
        if len(page) < _AT_ONCE:
            return
        after = page[-1]["seq"]


def verify(connection: Connection) -> tuple[int, list[Broken]]:
    """Go through the whole chain.

    Returns:
        How many rows there are, and every place where the chain does not hold.
    """
    count, broken = 0, []
    expected: tuple[int, str] | None = None
    begins: tuple[int, str] | None = None
    trimmed = {(0, _NOTHING)}
    for row in rows(connection):
        count += 1
        begins = begins or (row["seq"] - 1, row["previous"])
        if row["act"] == TRIMMED:
            told = msgspec.json.decode(row["detail"])
            trimmed.add((told["upto"], told["hash"]))
        if expected is not None and row["seq"] != expected[0] + 1:
            broken.append(Broken(row["seq"], f"rows {expected[0] + 1} to {row['seq'] - 1} are missing"))
        elif expected is not None and row["previous"] != expected[1]:
            broken.append(Broken(row["seq"], f"does not follow row {expected[0]}: one of the two was changed"))
        if _seal(row) != row["hash"]:
            broken.append(Broken(row["seq"], "was changed: its content does not fit its hash"))
        expected = row["seq"], row["hash"]
    if begins is not None and begins not in trimmed:
        broken.insert(0, Broken(begins[0] + 1, "does not begin where the log was begun or last trimmed"))
    return count, broken


def trim(connection: Connection, now_ms: int, keep_days: float) -> int:
    """Let go of rows that are old enough, and say so in a row of the chain.

    Args:
        connection: As for `append`.
        now_ms: Gateway clock.
        keep_days: How long rows are kept; less than `KEEP_AT_LEAST_DAYS` counts as that.

    Returns:
        How many rows are gone.
    """
    before_ms = now_ms - round(max(keep_days, KEEP_AT_LEAST_DAYS) * 86_400_000)
    # By number, not by time: a clock that was set back must not make a hole in the chain.
    first_kept = connection.scalar(select(func.min(audit.c.seq)).where(audit.c.at_ms >= before_ms))
    upto = (first_kept or 0) - 1
    last = connection.execute(select(audit.c.seq, audit.c.hash).where(audit.c.seq == upto)).first()
    if last is None:
        return 0
    gone = connection.execute(delete(audit).where(audit.c.seq <= upto)).rowcount
    told = {"upto": last.seq, "hash": last.hash, "rows": gone}
    append(connection, [Entry(now_ms, "system", "gateway", TRIMMED, detail=told)])
    return int(gone)


def _seal(row: Mapping[str, Any]) -> str:
    covered = [row[name] for name in _COVERED]
    return sha256(msgspec.json.encode(covered)).hexdigest()


_COVERED = ("previous", "seq", "at_ms", "account", "origin", "act", "subject", "outcome", "detail")
