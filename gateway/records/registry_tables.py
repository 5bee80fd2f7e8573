"""The table of the registry: every version of every record, in one shape."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from gateway.records.schema import metadata

__all__ = ["FOREVER_MS", "record"]

FOREVER_MS = 253_402_300_799_999
"""End of the year 9999: until when a version holds that no other has followed."""

record = Table(
    "record",
    metadata,
    Column("kind", String(32), primary_key=True, comment="gateway.registry.kinds.KINDS"),
    Column("id", String(128), primary_key=True),
    Column("version", Integer, primary_key=True, comment="from 1, without gaps"),
    Column("since_ms", BigInteger, nullable=False, comment="gateway clock; holds from here"),
    Column("until_ms", BigInteger, nullable=False, comment="to before here; FOREVER_MS: holds now"),
    Column("enterprise", String(64), nullable=False, comment="whose it is; empty: everybody's"),
    Column("district", String(32), nullable=False, comment="where it is; empty: not said"),
    Column("parent", String(128), nullable=False, comment="what it is part of; its kind says of which kind"),
    Column("name", String(256), nullable=False, comment="in Chinese"),
    Column("gone", Boolean, nullable=False, comment="from here on there is none"),
    Column("body", Text, nullable=False, comment="the record, JSON"),
    Column("by", String(128), nullable=False, comment="account; plant: the plant file"),
    Column("why", Text, nullable=False),
    Index("record_now", "kind", "until_ms", "id"),
    Index("record_of_enterprise", "kind", "enterprise", "until_ms", "id"),
    Index("record_in_district", "kind", "district", "until_ms", "id"),
    Index("record_of_parent", "kind", "parent", "until_ms", "id"),
    Index("record_written", "kind", "since_ms"),
    comment="Only ever added to, but for until_ms of the version before.",
)
