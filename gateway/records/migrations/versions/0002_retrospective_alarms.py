"""alarms that were missed, found when late samples came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one revision up."""
    with op.batch_alter_table("alarm") as alarm:
        alarm.add_column(
            sa.Column(
                "retrospective",
                sa.Boolean(),
                nullable=False,
                server_default=sa.false(),
                comment="missed live, found when late samples came; never was active",
            )
        )


def downgrade() -> None:
    """Go one revision down."""
    with op.batch_alter_table("alarm") as alarm:
        alarm.drop_column("retrospective")
