"""who did what: the audit log, the handling of alarms, points that are not told."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("inhibited", sa.String(length=16), nullable=True),
        sa.Column("material_version", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("stage", sa.String(length=16), nullable=False, server_default="raised"),
        sa.Column("assigned_to", sa.String(length=128), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("hands", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("measured_ms", sa.BigInteger(), nullable=True),
        sa.Column("acknowledge_due_ms", sa.BigInteger(), nullable=True),
        sa.Column("measure_due_ms", sa.BigInteger(), nullable=True),
        sa.Column("overdue", sa.String(length=32), nullable=False, server_default=""),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.String(length=128), nullable=True),
    ]


def upgrade() -> None:
    """Go one revision up."""
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.String(length=128), nullable=False),
        sa.Column("origin", sa.String(length=128), nullable=False),
        sa.Column("act", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("audit_at", "audit", ["at_ms"])
    op.create_index("audit_subject", "audit", ["subject", "seq"])
    op.create_table(
        "inhibition",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tag", sa.String(length=128), nullable=False),
        sa.Column("condition", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("permit", sa.String(length=128), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(length=128), nullable=True),
        sa.Column("ended_why", sa.String(length=16), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("inhibition_ended", "inhibition", ["ended_ms"])
    op.create_index("inhibition_tag", "inhibition", ["tag", "since_ms"])
    op.add_column("alarm_event", sa.Column("key", sa.String(length=64), nullable=True))
    for column in _columns():
        op.add_column("alarm", column)
    op.create_index("alarm_stage", "alarm", ["stage", "raised_ms"])
    # What was over before there was a handling has none; what was open is as far as somebody has acknowledged it.
    alarm = sa.table(
        "alarm",
        sa.column("state", sa.String),
        sa.column("stage", sa.String),
        sa.column("acknowledged_ms", sa.BigInteger),
        sa.column("version", sa.Integer),
        sa.column("material_version", sa.Integer),
    )
    seen = sa.case((alarm.c.acknowledged_ms.is_(None), "raised"), else_="acknowledged")
    stage = sa.case((alarm.c.state == "cleared", "closed"), else_=seen)
    op.execute(alarm.update().values(stage=stage, material_version=alarm.c.version))


def downgrade() -> None:
    """Go one revision down: what nobody has seen and is over counts as cleared."""
    op.execute("UPDATE alarm SET state = 'cleared' WHERE state = 'returned'")
    with op.batch_alter_table("alarm") as batch:
        batch.drop_index("alarm_stage")
        for column in _columns():
            batch.drop_column(column.name)
    with op.batch_alter_table("alarm_event") as batch:
        batch.drop_column("key")
    op.drop_index("inhibition_tag", table_name="inhibition")
    op.drop_index("inhibition_ended", table_name="inhibition")
    op.drop_table("inhibition")
    op.drop_index("audit_subject", table_name="audit")
    op.drop_index("audit_at", table_name="audit")
    op.drop_table("audit")
