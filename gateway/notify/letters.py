"""What is to be told, as a row that outlives the process, and as the message that a channel sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from config.duty.model import Duty
from config.plant.model import Plant, Text, Tier
from gateway.messages import TIER_NAMES, in_words, message
from gateway.notify.port import Kind, Message, Recipient

__all__ = ["Letter", "key_of", "letter_of", "message_of", "payload_of", "recipients_of", "title_of"]

_NAMED = 20
"""Alarms of a storm that a message names; the rest are counted."""

_KINDS: Mapping[Kind, Text] = {
    Kind.ALARM: Text("报警", "ALARM"),
    Kind.OVERDUE: Text("超时未处理", "OVERDUE"),
    Kind.STORM: Text("报警风暴", "ALARM STORM"),
    Kind.OVER: Text("报警恢复", "OVER"),
    Kind.SELF_TEST: Text("通知自检", "SELF TEST"),
}


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to some people over one channel: a row of `gateway.records.duty_tables.notification`."""

    key: str
    kind: Kind
    ladder: str
    tier: int
    alarm_ids: tuple[str, ...]
    alarmed_ms: int | None
    turn: int
    role: str
    people: tuple[str, ...]
    channel: str
    deadline_ms: int
    payload: str
    created_ms: int
    tries: int = 0
    next_try_ms: int = 0

    def row(self) -> dict[str, Any]:
        """Return it as a row, still to be sent."""
        return {
            "key": self.key,
            "kind": self.kind.value,
            "ladder": self.ladder,
            "tier": self.tier,
            "count": len(self.alarm_ids),
            "alarmed_ms": self.alarmed_ms,
            "turn": self.turn,
            "role": self.role,
            "people": list(self.people),
            "channel": self.channel,
            "state": "queued",
            "tries": self.tries,
            "next_try_ms": self.next_try_ms,
            "deadline_ms": self.deadline_ms,
            "error": "",
            "reference": "",
            "payload": self.payload,
            "created_ms": self.created_ms,
            "sent_ms": None,
        }


def key_of(*parts: object) -> str:
    """Return an idempotency key: the same for the same parts, in every process."""
    return sha256(msgspec.json.encode([str(part) for part in parts])).hexdigest()[:40]


def letter_of(row: Mapping[str, Any], alarm_ids: Sequence[str]) -> Letter:
    """Return the letter behind a row."""
    same = ("key", "ladder", "tier", "alarmed_ms", "turn", "role", "channel", "deadline_ms", "payload", "created_ms")
    return Letter(
        kind=Kind(row["kind"]),
        alarm_ids=tuple(alarm_ids),
        people=tuple(row["people"]),
        tries=row["tries"],
        next_try_ms=row["next_try_ms"],
        **{name: row[name] for name in same},
    )


def payload_of(kind: Kind, rows: Sequence[Mapping[str, Any]], plant: Plant, zone: str, base_url: str) -> str:
    """Return what a message says, worst alarm first, as JSON.

    Args:
        kind: What it is about.
        rows: Of the table `alarm`; none for a self test.
        plant: Where tags are described.
        zone: In which times are written.
        base_url: Of the gateway's pages; empty: not known.
    """
    worst = sorted(rows, key=lambda row: (row["tier"], row["raised_ms"], row["alarm_id"]))
    named = [dict(row) for row in worst[:_NAMED]]
    link = f"{base_url}/alarms/{worst[0]['alarm_id']}" if base_url and len(worst) == 1 else base_url
    said = {
        "title": _title(kind, worst, plant),
        "body": _body(kind, named, len(worst), plant, zone),
        "alarms": named,
        "count": max(len(worst), 1),
        "link": link,
    }
    return msgspec.json.encode(said).decode()


def message_of(letter: Letter) -> Message:
    """Return what a channel is to send."""
    said = msgspec.json.decode(letter.payload)
    return Message(
        key=letter.key,
        kind=letter.kind,
        tier=letter.tier,
        title=Text(*said["title"]),
        body=Text(*said["body"]),
        made_ms=letter.created_ms,
        alarms=tuple(said["alarms"]),
        count=said["count"],
        link=said["link"],
    )


def title_of(payload: str) -> Text:
    """Return the title of a message that is kept as a row."""
    return Text(*msgspec.json.decode(payload)["title"])


def recipients_of(letter: Letter, duty: Duty) -> tuple[Recipient, ...]:
    """Return whom a letter is for, as far as the duty file still knows them."""
    known = (duty.people[person] for person in letter.people if person in duty.people)
    return tuple(Recipient(one.id, one.name, one.phone, one.email) for one in known)


def _title(kind: Kind, rows: Sequence[Mapping[str, Any]], plant: Plant) -> tuple[str, str]:
    what = _KINDS[kind]
    if not rows:
        return f"【{what.zh}】{plant.site.name.zh}", f"[{what.en}] {plant.site.name.en}"
    colour = TIER_NAMES[Tier(rows[0]["tier"])]
    if len(rows) > 1:
        return f"【{colour.zh}·{what.zh}】{len(rows)} 条报警", f"[{colour.en} {what.en}] {len(rows)} alarms"
    return (
        f"【{colour.zh}·{what.zh}】{message(rows[0], plant, 'zh')}",
        f"[{colour.en} {what.en}] {message(rows[0], plant, 'en')}",
    )


def _body(kind: Kind, named: Sequence[Mapping[str, Any]], count: int, plant: Plant, zone: str) -> tuple[str, str]:
    if kind is Kind.SELF_TEST:
        return "每日通知自检，无需处理。", "Daily self test of notifications; nothing is to be done."
    lines: dict[str, list[str]] = {"zh": [], "en": []}
    for row in named:
        colour, at = TIER_NAMES[Tier(row["tier"])], _time_text(row["raised_ms"], zone)
        lines["zh"].append(f"{colour.zh} {at} {message(row, plant, 'zh')}")
        lines["en"].append(f"{in_words(colour, 'en')} {at} {message(row, plant, 'en')}")
    if count > len(named):
        lines["zh"].append(f"另有 {count - len(named)} 条")
        lines["en"].append(f"and {count - len(named)} more")
    return "\n".join(lines["zh"]), "\n".join(lines["en"])


def _time_text(at_ms: int, zone: str) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone))
    return at.strftime("%Y-%m-%d %H:%M:%S UTC%z")
