"""The tables of the search index: what can be found, by which tokens, and what is still to be taken up."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from gateway.records.schema import metadata

__all__ = ["search_due", "search_entry", "search_posting", "search_version"]

_Key = BigInteger().with_variant(Integer, "sqlite")

search_entry = Table(
    "search_entry",
    metadata,
    Column("doc", Integer, primary_key=True, autoincrement=False, comment="its bit in search_posting"),
    Column("kind", String(32), nullable=False, comment="gateway.searching.sources.SOURCES"),
    Column("id", String(128), nullable=False),
    Column("enterprise", String(64), nullable=False, comment="whose it is; empty: nobody's"),
    Column("district", String(32), nullable=False),
    Column("public", Boolean, nullable=False, comment="everybody may see it"),
    Column("title_zh", Text, nullable=False),
    Column("title_en", Text, nullable=False),
    Column("fields", Text, nullable=False, comment="[[field, text], ...], JSON: what can be found of it"),
    Column("lines", Text, nullable=False, comment="these texts, folded; each between line feeds"),
    Column("sounds", Text, nullable=False, comment="the same, as it is read; as many lines"),
    Index("search_entry_of", "kind", "id", unique=True),
)

search_posting = Table(
    "search_posting",
    metadata,
    Column("block", Integer, primary_key=True, autoincrement=False, comment="of docs; see gateway.searching.postings"),
    Column("token", Integer, primary_key=True, autoincrement=False, comment="hash; see gateway.searching.tokens"),
    Column("docs", LargeBinary, nullable=False, comment="which docs of the block"),
    sqlite_with_rowid=False,  # what is written together lies together
    comment="Every entry that has a token, and perhaps some that no longer have it; never one too few.",
)

search_due = Table(
    "search_due",
    metadata,
    Column("seq", _Key, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("id", String(128), nullable=False),
    comment="What was written and is to be taken up; a row is written with what it names, in one transaction.",
)

search_version = Table(
    "search_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False, comment="by which the index was made"),
)
