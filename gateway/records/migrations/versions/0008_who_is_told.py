"""who is told: notifications, how far alarms have come on ladders, swaps of rosters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one revision up."""
    op.create_table(
        "notification",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("ladder", sa.String(length=64), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("alarmed_ms", sa.BigInteger(), nullable=True),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("people", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_ms", sa.BigInteger(), nullable=False),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("reference", sa.String(length=256), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("notification_state", "notification", ["state", "id"])
    op.create_index("notification_created", "notification", ["created_ms"])
    op.create_table(
        "notification_alarm",
        sa.Column("alarm_id", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("alarm_id", "key"),
    )
    op.create_index("notification_alarm_key", "notification_alarm", ["key"])
    op.create_table(
        "escalation",
        sa.Column("ladder", sa.String(length=64), nullable=False),
        sa.Column("alarm_id", sa.String(length=32), nullable=False),
        sa.Column("alarmed_ms", sa.BigInteger(), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=True),
        sa.Column("told", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("ladder", "alarm_id"),
    )
    op.create_table(
        "roster_swap",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("roster", sa.String(length=64), nullable=False),
        sa.Column("absent", sa.String(length=64), nullable=False),
        sa.Column("instead", sa.String(length=64), nullable=False),
        sa.Column("begin_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("roster_swap_end", "roster_swap", ["end_ms"])


def downgrade() -> None:
    """Go one revision down."""
    op.drop_index("roster_swap_end", table_name="roster_swap")
    op.drop_table("roster_swap")
    op.drop_table("escalation")
    op.drop_index("notification_alarm_key", table_name="notification_alarm")
    op.drop_table("notification_alarm")
    op.drop_index("notification_created", table_name="notification")
    op.drop_index("notification_state", table_name="notification")
    op.drop_table("notification")
