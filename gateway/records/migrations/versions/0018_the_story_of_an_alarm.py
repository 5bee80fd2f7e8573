"""the story of an alarm: alarms of a unit, alarms like one, and what was written last are found by an index."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_INDEXES = {
    "alarm_unit": ("alarm", ["hazard_unit", "state", "raised_ms"]),
    "alarm_point": ("alarm", ["tag", "condition", "raised_ms"]),
    "record_written": ("record", ["kind", "since_ms"]),
}


def upgrade() -> None:
    """Go one revision up."""
    for name, (table, columns) in _INDEXES.items():
        op.create_index(name, table, columns)


def downgrade() -> None:
    """Go one revision down."""
    for name, (table, _) in _INDEXES.items():
        op.drop_index(name, table_name=table)
