"""Finished months: their KPIs as they were when the month was frozen. A row is written once and never changed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, String, Table, Text

from gateway.records.schema import metadata

__all__ = ["kpi_month"]

kpi_month = Table(
    "kpi_month",
    metadata,
    Column("month", String(7), primary_key=True, comment="yyyy-mm, local time of the site"),
    Column("desk", String(64), primary_key=True),
    Column("definitions", String(64), nullable=False, comment="digest of the definitions it was made by"),
    Column("payload", Text, nullable=False, comment="canonical JSON: what the hash covers, to the letter"),
    Column("hash", String(64), nullable=False, comment="SHA-256 of month, desk, definitions, payload and made_ms"),
    Column("made_ms", BigInteger, nullable=False, comment="gateway clock"),
    comment="See gateway.kpi.months.",
)
