"""tiers rise and alarms are acknowledged."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one revision up: earlier alarms were raised in their tier, do not latch, nobody saw them."""
    added: tuple[sa.Column[Any], ...] = (
        sa.Column("base_tier", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("latch", sa.Boolean(), nullable=False, server_default="0"),
        sa.Column("alarmed_ms", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("acknowledged_ms", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=128), nullable=True),
        sa.Column("rise", sa.JSON(), nullable=True),
    )
    for column in (*added, *_measured()):
        op.add_column("alarm", column)
    op.execute("UPDATE alarm SET base_tier = tier, alarmed_ms = received_ms")
    op.add_column("alarm_event", sa.Column("detail", sa.JSON(), nullable=True))
    for column in _measured():
        op.add_column("alarm_event", column)


def downgrade() -> None:
    """Go one revision down: what is latched counts as cleared."""
    op.execute("UPDATE alarm SET state = 'cleared' WHERE state = 'latched'")
    measured = [column.name for column in _measured()]
    with op.batch_alter_table("alarm_event", schema=None) as batch_op:
        for name in ("detail", *measured):
            batch_op.drop_column(name)
    with op.batch_alter_table("alarm", schema=None) as batch_op:
        for name in ("base_tier", "latch", "alarmed_ms", "acknowledged_ms", "acknowledged_by", "rise", *measured):
            batch_op.drop_column(name)


def _measured() -> tuple[sa.Column[Any], ...]:
    return tuple(sa.Column(name, sa.Float(), nullable=True) for name in ("measure", "measure_low", "measure_high"))
