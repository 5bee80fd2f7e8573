"""The tables of accounts, sessions and tokens."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, String, Table, Text

from gateway.records.schema import metadata

__all__ = ["account", "api_token", "session"]

account = Table(
    "account",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("display", String(128), nullable=False),
    Column("role", String(16), nullable=False, comment="gateway.access.roles.Role"),
    Column("enterprises", JSON, nullable=False, comment="codes; both empty: everything"),
    Column("districts", JSON, nullable=False),
    Column("password", Text, nullable=True, comment="argon2id; null: cannot be used"),
    Column("must_change", Boolean, nullable=False, comment="the password is a one-time one"),
    Column("password_ms", BigInteger, nullable=False),
    Column("totp", String(64), nullable=True, comment="secret of the second factor"),
    Column("totp_confirmed", Boolean, nullable=False),
    Column("totp_used", BigInteger, nullable=False, comment="time step of the last code: each counts once"),
    Column("created_ms", BigInteger, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("disabled_ms", BigInteger, nullable=True),
)

session = Table(
    "session",
    metadata,
    Column("id", String(64), primary_key=True, comment="SHA-256 of what the browser has"),
    Column("account", String(64), nullable=False),
    Column("origin", String(128), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger, nullable=True),
    Index("session_account", "account", "created_ms"),
)

api_token = Table(
    "api_token",
    metadata,
    Column("id", String(64), primary_key=True, comment="SHA-256 of the token"),
    Column("name", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("enterprises", JSON, nullable=False),
    Column("districts", JSON, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger, nullable=True),
)
