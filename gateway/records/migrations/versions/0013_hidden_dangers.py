"""hidden dangers: what each is, what happened to it, its clocks, who reported it, how far the alarms were read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_INDEXES = (
    ("danger_district_found", "danger", ["district", "found_ms", "id"], False),
    ("danger_district_state", "danger", ["district", "state", "found_ms", "id"], False),
    ("danger_due", "danger", ["due_ms", "id"], False),
    ("danger_enterprise", "danger", ["enterprise", "urgency", "found_ms", "id"], False),
    ("danger_enterprise_found", "danger", ["enterprise", "found_ms", "id"], False),
    ("danger_enterprise_state", "danger", ["enterprise", "state", "found_ms", "id"], False),
    ("danger_found", "danger", ["found_ms", "id"], False),
    ("danger_state", "danger", ["state", "found_ms", "id"], False),
    ("danger_tag", "danger", ["tag", "urgency", "found_ms", "id"], False),
    ("danger_unit", "danger", ["hazard_unit", "urgency", "found_ms", "id"], False),
    ("danger_urgency", "danger", ["urgency", "found_ms", "id"], False),
    ("danger_vessel", "danger", ["vessel", "urgency", "found_ms", "id"], False),
    ("danger_clock_due", "danger_clock", ["clock", "due_ms", "enterprise"], False),
    ("danger_clock_next", "danger_clock", ["next_ms"], False),
    ("danger_event_key", "danger_event", ["danger_id", "key"], True),
)


def upgrade() -> None:
    """Go one revision up."""
    op.create_table(
        "danger",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("events", sa.Integer(), server_default="1", nullable=False),
        sa.Column("enterprise", sa.String(length=64), server_default="", nullable=False),
        sa.Column("district", sa.String(length=32), server_default="", nullable=False),
        sa.Column("site", sa.String(length=128), server_default="", nullable=False),
        sa.Column("hazard_unit", sa.String(length=128), server_default="", nullable=False),
        sa.Column("vessel", sa.String(length=128), server_default="", nullable=False),
        sa.Column("tag", sa.String(length=128), server_default="", nullable=False),
        sa.Column("condition", sa.String(length=16), server_default="", nullable=False),
        sa.Column("alarm_id", sa.String(length=32), server_default="", nullable=False),
        sa.Column("place", sa.String(length=512), server_default="", nullable=False),
        sa.Column("latitude_deg", sa.Float(), nullable=True),
        sa.Column("longitude_deg", sa.Float(), nullable=True),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("grade", sa.String(length=16), server_default="", nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("urgency", sa.Integer(), server_default="0", nullable=False),
        sa.Column("title", sa.String(length=256), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=True),
        sa.Column("found_ms", sa.BigInteger(), nullable=False),
        sa.Column("found_by", sa.String(length=128), server_default="", nullable=False),
        sa.Column("found_team", sa.String(length=256), server_default="", nullable=False),
        sa.Column("plan", sa.JSON(), nullable=True),
        sa.Column("hands", sa.JSON(), nullable=True),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=True),
        sa.Column("asked_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("extended", sa.Integer(), server_default="0", nullable=False),
        sa.Column("listed_ms", sa.BigInteger(), nullable=True),
        sa.Column("listed_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("notice", sa.Text(), server_default="", nullable=False),
        sa.Column("delisted_ms", sa.BigInteger(), nullable=True),
        sa.Column("regulator_receipt", sa.String(length=128), server_default="", nullable=False),
        sa.Column("congress_receipt", sa.String(length=128), server_default="", nullable=False),
        sa.Column("rectified_ms", sa.BigInteger(), nullable=True),
        sa.Column("verified_ms", sa.BigInteger(), nullable=True),
        sa.Column("verified_by", sa.String(length=128), server_default="", nullable=False),
        sa.Column("over_ms", sa.BigInteger(), nullable=True),
        sa.Column("over_by", sa.String(length=128), server_default="", nullable=False),
        sa.Column("reopened", sa.Integer(), server_default="0", nullable=False),
        sa.Column("risk_id", sa.String(length=128), server_default="", nullable=False),
        sa.Column("finding", sa.String(length=128), server_default="", nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=True),
        sa.Column("level", sa.Integer(), server_default="0", nullable=False),
        sa.Column("recurring", sa.String(length=160), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("recurring"),
    )
    op.create_table(
        "danger_clock",
        sa.Column("danger_id", sa.String(length=32), nullable=False),
        sa.Column("clock", sa.String(length=24), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("enterprise", sa.String(length=64), nullable=False),
        sa.Column("district", sa.String(length=32), nullable=False),
        sa.Column("begun_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("next_ms", sa.BigInteger(), nullable=True),
        sa.Column("level", sa.Integer(), server_default="0", nullable=False),
        sa.Column("done_ms", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(length=16), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("danger_id", "clock", "round"),
    )
    op.create_table(
        "danger_event",
        sa.Column("danger_id", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.Column("key", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("danger_id", "seq"),
    )
    op.create_table(
        "danger_position",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "danger_reporter",
        sa.Column("danger_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("phone", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sealed_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("danger_id"),
    )
    for name, table, columns, unique in _INDEXES:
        op.create_index(name, table, columns, unique=unique)


def downgrade() -> None:
    """Go one revision down."""
    for name, table, _, _ in _INDEXES:
        op.drop_index(name, table_name=table)
    for table in ("danger_reporter", "danger_position", "danger_event", "danger_clock", "danger"):
        op.drop_table(table)
