"""The tables of what people hand over: shift handovers, links for rescue teams, photos and papers of alarms."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from gateway.records.schema import metadata

__all__ = ["attachment", "handover", "incident_link"]

handover = Table(
    "handover",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("made_ms", BigInteger, nullable=False),
    Column("made_by", String(128), nullable=False, comment="who hands over"),
    Column("taken_by", String(128), nullable=True, comment="who takes over"),
    Column("given_ms", BigInteger, nullable=True, comment="signed by who hands over"),
    Column("taken_ms", BigInteger, nullable=True, comment="signed by who takes over: frozen from then on"),
    Column("page", Text, nullable=False, comment="gateway.shift.handover.Page, canonical JSON"),
    Column("hash", String(64), nullable=True, comment="SHA-256 over page and signatures"),
    Index("handover_made", "made_ms"),
)

incident_link = Table(
    "incident_link",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("alarm_id", String(32), nullable=False),
    Column("key", String(64), nullable=False, comment="signs the link"),
    Column("note", Text, nullable=False, comment="for whom"),
    Column("created_ms", BigInteger, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger, nullable=True),
    Column("opened", Integer, nullable=False, comment="how often it was used"),
    Column("opened_ms", BigInteger, nullable=True, comment="when last"),
    Index("incident_link_alarm", "alarm_id"),
)

attachment = Table(
    "attachment",
    metadata,
    Column("alarm_id", String(32), primary_key=True),
    Column("id", String(64), primary_key=True, comment="SHA-256 of the content"),
    Column("kind", String(32), nullable=False, comment="media type, as the content says"),
    Column("content", LargeBinary, nullable=False),
    Column("added_ms", BigInteger, nullable=False),
    Column("added_by", String(128), nullable=False),
)
