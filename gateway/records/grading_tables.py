"""The tables of grades: what was filed, what vessels make of it now, and when a band was crossed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text

from gateway.records.schema import metadata

__all__ = ["grade_event", "grade_filing", "grade_now"]

grade_filing = Table(
    "grade_filing",
    metadata,
    Column("unit", String(128), primary_key=True),
    Column("version", Integer, primary_key=True, comment="from 1, without gaps"),
    Column("enterprise", String(64), nullable=False, comment="whose the unit was"),
    Column("district", String(64), nullable=False),
    Column("filed_on", String(10), nullable=False, comment="YYYY-MM-DD on the filing; in force from then on"),
    Column("filed_ms", BigInteger, nullable=False, comment="gateway clock; when it was taken in"),
    Column("number", String(128), nullable=False, comment="of the filing (备案编号)"),
    Column("standard", String(64), nullable=False),
    Column("people", Integer, nullable=False, comment="possibly exposed outside the fence within 500 m"),
    Column("alpha", Float, nullable=False),
    Column("s", Float, nullable=False),
    Column("r", Float, nullable=False),
    Column("grade", Integer, nullable=True, comment="1-4; null: no major hazard source"),
    Column("body", Text, nullable=False, comment="gateway.grading.filings.Body, JSON: items, factors, why"),
    Column("by", String(128), nullable=False),
    Column("note", Text, nullable=False),
    Index("grade_filing_current", "unit", "filed_on", "version"),
    comment="Only ever added to.",
)

grade_now = Table(
    "grade_now",
    metadata,
    Column("unit", String(128), primary_key=True),
    Column("enterprise", String(64), nullable=False),
    Column("district", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False, comment="gateway clock"),
    Column("grade", Integer, nullable=True, comment="1-4; null: S < 1, or alpha not known"),
    Column("rank", Integer, nullable=False, comment="0: S < 1, then the bands, the mildest first; -1: not known"),
    Column("s", Float, nullable=False),
    Column("r", Float, nullable=True),
    Column("complete", Boolean, nullable=False),
    Column("body", Text, nullable=False, comment="gateway.grading.state.Standing, JSON: contents, reasons"),
    comment="The operational figures; written by the worker, read by everybody.",
)

grade_event = Table(
    "grade_event",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("unit", String(128), nullable=False),
    Column("enterprise", String(64), nullable=False),
    Column("district", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False, comment="gateway clock"),
    Column("before", Integer, nullable=True, comment="grade; null: S < 1"),
    Column("after", Integer, nullable=True),
    Column("s", Float, nullable=False),
    Column("r", Float, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("body", Text, nullable=False, comment="gateway.grading.state.Standing, JSON: as it was then"),
    Index("grade_event_at", "at_ms", "id"),
    Index("grade_event_unit", "unit", "at_ms"),
    comment="Crossings of a band by the operational R, or of S = 1.",
)
