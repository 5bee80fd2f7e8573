"""the registry: every version of every record."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_INDEXES = {
    "record_now": ["kind", "until_ms", "id"],
    "record_of_enterprise": ["kind", "enterprise", "until_ms", "id"],
    "record_in_district": ["kind", "district", "until_ms", "id"],
    "record_of_parent": ["kind", "parent", "until_ms", "id"],
}


def upgrade() -> None:
    """Go one revision up."""
    op.create_table(
        "record",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("enterprise", sa.String(length=64), nullable=False),
        sa.Column("district", sa.String(length=32), nullable=False),
        sa.Column("parent", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", "version"),
    )
    for name, columns in _INDEXES.items():
        op.create_index(name, "record", columns)


def downgrade() -> None:
    """Go one revision down."""
    for name in _INDEXES:
        op.drop_index(name, table_name="record")
    op.drop_table("record")
