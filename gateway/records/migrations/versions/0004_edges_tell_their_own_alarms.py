"""edges tell their own alarms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one revision up."""
    op.create_table(
        "local_alarm",
        sa.Column("edge", sa.String(length=64), nullable=False),
        sa.Column("alarm_id", sa.String(length=32), nullable=False),
        sa.Column("tag", sa.String(length=128), nullable=False),
        sa.Column("condition", sa.String(length=16), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("onset_ms", sa.BigInteger(), nullable=False),
        sa.Column("raised_ms", sa.BigInteger(), nullable=False),
        sa.Column("cleared_ms", sa.BigInteger(), nullable=True),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("limit", sa.Float(), nullable=True),
        sa.Column("cut", sa.Boolean(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("edge", "alarm_id"),
        comment="What edges have noticed by themselves; the gateway's own alarms are in alarm.",
    )
    op.create_index("local_alarm_raised", "local_alarm", ["raised_ms"])


def downgrade() -> None:
    """Go one revision down."""
    op.drop_index("local_alarm_raised", table_name="local_alarm")
    op.drop_table("local_alarm")
