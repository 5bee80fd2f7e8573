"""figures of alarms: found by the gateway's clock, frozen by the month."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one revision up."""
    op.create_index("alarm_received", "alarm", ["received_ms"])
    op.create_index("alarm_cleared", "alarm", ["cleared_ms", "received_ms"])
    op.create_table(
        "kpi_month",
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("desk", sa.String(length=64), nullable=False),
        sa.Column("definitions", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("month", "desk"),
    )


def downgrade() -> None:
    """Go one revision down."""
    op.drop_table("kpi_month")
    op.drop_index("alarm_cleared", table_name="alarm")
    op.drop_index("alarm_received", table_name="alarm")
