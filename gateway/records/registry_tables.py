"""The table of the registry: every version of every record, in one shape."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from gateway.records.schema import metadata

__all__ = ["FOREVER_MS", "record", "registry_import", "registry_staged"]

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

registry_import = Table(
    "registry_import",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("at_ms", BigInteger, nullable=False, comment="gateway clock; when it was asked for"),
    Column("by", String(128), nullable=False),
    Column("origin", String(128), nullable=False),
    Column("scope", Text, nullable=False, comment="whose things may be written, JSON"),
    Column("kind", String(32), nullable=False, comment="of a table without sheets; empty: a workbook"),
    Column("dry_run", Boolean, nullable=False),
    Column("why", Text, nullable=False),
    Column("stage", String(16), nullable=False, comment="gateway.registry.imports.STAGES"),
    Column("done", Integer, nullable=False, comment="rows, of this stage"),
    Column("rows", Integer, nullable=False, comment="as far as they are counted"),
    Column("outcome", Text, nullable=False, comment="faults and what changes, JSON"),
    Column("ended_ms", BigInteger, nullable=True),
    Column("content", LargeBinary, nullable=True, comment="the file, until it is read in"),
    Index("registry_import_stage", "stage", "at_ms"),
)

registry_staged = Table(
    "registry_staged",
    metadata,
    Column("import_id", String(32), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("id", String(128), nullable=False),
    Column("version", Integer, nullable=False, comment="that it is to be"),
    Column("since_ms", BigInteger, nullable=False, comment="of the version before; 0: there is none"),
    Column("enterprise", String(64), nullable=False),
    Column("district", String(32), nullable=False),
    Column("parent", String(128), nullable=False),
    Column("name", String(256), nullable=False),
    Column("body", Text, nullable=False),
    comment="Versions on their way into record, which they enter all at once.",
)
