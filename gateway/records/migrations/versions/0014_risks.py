"""risks: what can happen, what is done about it, what was checked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Go one revision up."""
    op.create_table(
        "risk",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("enterprise", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("district", sa.String(length=32), nullable=False, server_default=""),
        sa.Column("hazard_unit", sa.String(length=128), nullable=False, server_default=""),
        sa.Column("site", sa.String(length=128), nullable=False, server_default=""),
        sa.Column("vessel", sa.String(length=128), nullable=False, server_default=""),
        sa.Column("sort", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("factors", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("static_colour", sa.String(length=8), nullable=False),
        sa.Column("graded_ms", sa.BigInteger(), nullable=False),
        sa.Column("graded_by", sa.String(length=128), nullable=False),
        sa.Column("dynamic_colour", sa.String(length=8), nullable=False),
        sa.Column("lifted", sa.Boolean(), nullable=False),
        sa.Column("reasons", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("dynamic_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("risk_enterprise", "risk", ["enterprise", "ended_ms", "id"])
    op.create_index("risk_lifted", "risk", ["lifted", "id"])
    op.create_index("risk_unit", "risk", ["hazard_unit", "ended_ms"])
    op.create_table(
        "risk_event",
        sa.Column("risk_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("body", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("risk_id", "version"),
    )
    op.create_table(
        "risk_change",
        sa.Column("seq", _NUMBER, nullable=False),
        sa.Column("risk_id", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("was", sa.String(length=8), nullable=False),
        sa.Column("now", sa.String(length=8), nullable=False),
        sa.Column("reasons", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("risk_change_risk", "risk_change", ["risk_id", "seq"])
    op.create_table(
        "risk_measure",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("risk_id", sa.String(length=64), nullable=False),
        sa.Column("enterprise", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("district", sa.String(length=32), nullable=False, server_default=""),
        sa.Column("hazard_unit", sa.String(length=128), nullable=False, server_default=""),
        sa.Column("sort", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("risk_measure_risk", "risk_measure", ["risk_id"])
    op.create_table(
        "check_task",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("measure_id", sa.String(length=64), nullable=False),
        sa.Column("risk_id", sa.String(length=64), nullable=False),
        sa.Column("enterprise", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("district", sa.String(length=32), nullable=False, server_default=""),
        sa.Column("hazard_unit", sa.String(length=128), nullable=False, server_default=""),
        sa.Column("text", sa.String(length=1000), nullable=False),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(length=8), nullable=False),
        sa.Column("post", sa.String(length=128), nullable=False, server_default=""),
        sa.Column("responsible", sa.Boolean(), nullable=False),
        sa.Column("done_ms", sa.BigInteger(), nullable=True),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("check_task_due", "check_task", ["ended_ms", "due_ms"])
    op.create_index("check_task_measure", "check_task", ["measure_id"])
    op.create_index("check_task_risk", "check_task", ["risk_id"])
    op.create_table(
        "check_record",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("enterprise", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("district", sa.String(length=32), nullable=False, server_default=""),
        sa.Column("hazard_unit", sa.String(length=128), nullable=False, server_default=""),
        sa.Column("vessel", sa.String(length=128), nullable=False, server_default=""),
        sa.Column("task_id", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("risk_id", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("done_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("result", sa.String(length=8), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("latitude_deg", sa.Float(), nullable=True),
        sa.Column("longitude_deg", sa.Float(), nullable=True),
        sa.Column("gap", sa.Boolean(), nullable=False),
        sa.Column("gap_risk_id", sa.String(length=64), nullable=True),
        sa.Column("danger_id", sa.String(length=32), nullable=False, server_default=""),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("check_record_enterprise", "check_record", ["enterprise", "done_ms", "id"])
    op.create_index("check_record_gap", "check_record", ["gap", "done_ms", "id"])
    op.create_index("check_record_task", "check_record", ["task_id", "done_ms"])
    op.create_table(
        "risk_assessment",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("enterprise", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("district", sa.String(length=32), nullable=False, server_default=""),
        sa.Column("hazard_unit", sa.String(length=128), nullable=False, server_default=""),
        sa.Column("assessed_on", sa.String(length=10), nullable=False),
        sa.Column("due_on", sa.String(length=10), nullable=False),
        sa.Column("signed_ms", sa.BigInteger(), nullable=False),
        sa.Column("signed_by", sa.String(length=128), nullable=False),
        sa.Column("document", sa.String(length=256), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("risk_assessment_unit", "risk_assessment", ["hazard_unit", "signed_ms"])


def downgrade() -> None:
    """Go one revision down."""
    for name in (
        "risk_assessment",
        "check_record",
        "check_task",
        "risk_measure",
        "risk_change",
        "risk_event",
        "risk",
    ):
        op.drop_table(name)
