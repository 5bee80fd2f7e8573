"""The tables of the duty: what is to be told to whom, how far alarms have come on ladders, swaps of rosters."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from gateway.records.schema import _Json, _Key, metadata

__all__ = ["escalation", "notification", "notification_alarm", "roster_swap"]

notification = Table(
    "notification",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("key", String(64), nullable=False, unique=True, comment="idempotency key: travels with the message"),
    Column("kind", String(16), nullable=False, comment="gateway.notify.port.Kind"),
    Column("ladder", String(64), nullable=False, comment="empty: none"),
    Column("tier", Integer, nullable=False),
    Column("count", Integer, nullable=False, comment="alarms it is about"),
    Column("alarmed_ms", BigInteger, nullable=True, comment="life of the alarm it is about; a storm has several"),
    Column("turn", Integer, nullable=False, comment="steps taken before, repetitions counted"),
    Column("role", String(64), nullable=False),
    Column("people", _Json, nullable=False, comment="ids"),
    Column("channel", String(64), nullable=False),
    Column("state", String(16), nullable=False, comment="gateway.notify.port.Delivery"),
    Column("tries", Integer, nullable=False),
    Column("next_try_ms", BigInteger, nullable=False),
    Column("deadline_ms", BigInteger, nullable=False, comment="after that it has failed"),
    Column("error", Text, nullable=False),
    Column("reference", String(256), nullable=False, comment="the provider's name for it"),
    Column("payload", Text, nullable=False, comment="what it says; gateway.notify.letters"),
    Column("created_ms", BigInteger, nullable=False),
    Column("sent_ms", BigInteger, nullable=True),
    Index("notification_state", "state", "id"),
    Index("notification_created", "created_ms"),
)

notification_alarm = Table(
    "notification_alarm",
    metadata,
    Column("alarm_id", String(32), primary_key=True),
    Column("key", String(64), primary_key=True, comment="of the notification"),
    Index("notification_alarm_key", "key"),
)

escalation = Table(
    "escalation",
    metadata,
    Column("ladder", String(64), primary_key=True),
    Column("alarm_id", String(32), primary_key=True),
    Column("alarmed_ms", BigInteger, nullable=False, comment="with tier: which life of the alarm"),
    Column("tier", Integer, nullable=False),
    Column("taken", Integer, nullable=False, comment="steps taken"),
    Column("due_ms", BigInteger, nullable=True, comment="when the next one is; null: none is"),
    Column("told", _Json, nullable=False, comment="[channel, role, people] that were told, to be told that it is over"),
    comment="How far open alarms have come on their ladders; gone when an alarm is over.",
)

roster_swap = Table(
    "roster_swap",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("roster", String(64), nullable=False),
    Column("absent", String(64), nullable=False),
    Column("instead", String(64), nullable=False),
    Column("begin_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", String(128), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger, nullable=True, comment="taken back"),
    Column("ended_by", String(128), nullable=True),
    Index("roster_swap_end", "end_ms"),
)
