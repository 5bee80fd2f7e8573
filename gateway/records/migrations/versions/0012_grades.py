"""grades of hazard units: what was filed, what vessels make of it now, when a band was crossed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _of_unit() -> tuple[sa.Column[str], ...]:
    return (
        sa.Column("enterprise", sa.String(length=64), nullable=False),
        sa.Column("district", sa.String(length=64), nullable=False),
    )


def upgrade() -> None:
    """Go one revision up."""
    op.create_table(
        "grade_filing",
        sa.Column("unit", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *_of_unit(),
        sa.Column("filed_on", sa.String(length=10), nullable=False),
        sa.Column("filed_ms", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(length=128), nullable=False),
        sa.Column("standard", sa.String(length=64), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("alpha", sa.Float(), nullable=False),
        sa.Column("s", sa.Float(), nullable=False),
        sa.Column("r", sa.Float(), nullable=False),
        sa.Column("grade", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("unit", "version"),
    )
    op.create_index("grade_filing_current", "grade_filing", ["unit", "filed_on", "version"])
    op.create_table(
        "grade_now",
        sa.Column("unit", sa.String(length=128), nullable=False),
        *_of_unit(),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("grade", sa.Integer(), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("s", sa.Float(), nullable=False),
        sa.Column("r", sa.Float(), nullable=True),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("unit"),
    )
    op.create_table(
        "grade_event",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("unit", sa.String(length=128), nullable=False),
        *_of_unit(),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("before", sa.Integer(), nullable=True),
        sa.Column("after", sa.Integer(), nullable=True),
        sa.Column("s", sa.Float(), nullable=False),
        sa.Column("r", sa.Float(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("grade_event_at", "grade_event", ["at_ms", "id"])
    op.create_index("grade_event_unit", "grade_event", ["unit", "at_ms"])


def downgrade() -> None:
    """Go one revision down."""
    for name in ("grade_event", "grade_now", "grade_filing"):
        op.drop_table(name)
