"""the records of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one revision up."""
    op.create_table(
        "alarm",
        sa.Column("alarm_id", sa.String(length=32), nullable=False),
        sa.Column("tag", sa.String(length=128), nullable=False),
        sa.Column("condition", sa.String(length=16), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False, comment="active | cleared"),
        sa.Column("hazard_unit", sa.String(length=64), nullable=False),
        sa.Column("vessel", sa.String(length=64), nullable=False),
        sa.Column("vehicle", sa.String(length=64), nullable=False),
        sa.Column("edge", sa.String(length=64), nullable=False),
        sa.Column("onset_ms", sa.BigInteger(), nullable=False),
        sa.Column("raised_ms", sa.BigInteger(), nullable=False),
        sa.Column("cleared_ms", sa.BigInteger(), nullable=True),
        sa.Column(
            "received_ms", sa.BigInteger(), nullable=False, comment="when the deciding sample arrived, gateway clock"
        ),
        sa.Column("decided_ms", sa.BigInteger(), nullable=False, comment="when it was decided, gateway clock"),
        sa.Column("value", sa.Float(), nullable=True, comment="canonical unit"),
        sa.Column("limit", sa.Float(), nullable=True, comment="canonical unit"),
        sa.Column("deadband", sa.Float(), nullable=False),
        sa.Column("on_delay_ms", sa.BigInteger(), nullable=False),
        sa.Column("quality", sa.Integer(), nullable=False, comment="packed quality of the deciding sample"),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("delayed", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="rises with every event"),
        sa.Column("sequence", sa.BigInteger(), nullable=False, comment="event_id of its last event"),
        sa.PrimaryKeyConstraint("alarm_id"),
    )
    with op.batch_alter_table("alarm", schema=None) as batch_op:
        batch_op.create_index("alarm_raised", ["raised_ms", "alarm_id"], unique=False)
        batch_op.create_index("alarm_state_tier", ["state", "tier", "raised_ms"], unique=False)
        batch_op.create_index("alarm_tag", ["tag", "raised_ms"], unique=False)

    op.create_table(
        "alarm_event",
        sa.Column(
            "event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("alarm_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="raised | cleared"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False, comment="event time"),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_ms", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="log row that decided it"),
        sa.PrimaryKeyConstraint("event_id"),
    )
    with op.batch_alter_table("alarm_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alarm_event_alarm_id"), ["alarm_id"], unique=False)

    op.create_table(
        "dead_letter",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("edge", sa.String(length=64), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column(
            "sha256",
            sa.String(length=64),
            nullable=False,
            comment="of the payload (of the tag name for single samples)",
        ),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False, comment="the payload, or its first 1024 bytes"),
        sa.Column("samples", sa.BigInteger(), nullable=False, comment="samples set aside under this row, where known"),
        sa.Column("count", sa.BigInteger(), nullable=False, comment="how often the same thing arrived"),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("reason", "topic", "sha256"),
    )
    op.create_table(
        "edge_status",
        sa.Column("edge", sa.String(length=64), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False, comment="when online last changed, gateway clock"),
        sa.Column("payload", sa.Text(), nullable=False, comment="the last online EdgeStatus, JSON"),
        sa.PrimaryKeyConstraint("edge"),
    )
    op.create_table(
        "follower",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="everything up to here has been told"),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "ledger",
        sa.Column("edge", sa.String(length=64), nullable=False, comment="? collects what names no edge of the plant"),
        sa.Column("frames_received", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("frames_kept", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("frames_duplicate", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("frames_ahead", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("frames_refused", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("frames_missing", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("samples_shed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("points_received", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("samples_received", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("samples_stored", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("samples_evaluated", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("samples_late", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("samples_duplicate", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("samples_rejected", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("samples_bad", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("samples_skewed", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("edge"),
        comment="What became of every sample and frame of an edge, counted in the transaction that decided it.",
    )
    op.create_table(
        "log",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("kind", sa.Integer(), nullable=False, comment="gateway.records.log.Kind"),
        sa.Column("received_ms", sa.BigInteger(), nullable=False, comment="gateway clock"),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False, comment="columns; see gateway.records.log"),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_table(
        "mark",
        sa.Column("edge", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.String(length=64), nullable=False),
        sa.Column("upto", sa.BigInteger(), nullable=False, comment="highest seq that is durable"),
        sa.Column("frames", sa.BigInteger(), nullable=False, comment="frames of this epoch kept"),
        sa.Column("samples", sa.BigInteger(), nullable=False, comment="samples of this epoch kept"),
        sa.Column("missing_frames", sa.BigInteger(), nullable=False, comment="frames the edge says will never come"),
        sa.Column("shed_samples", sa.BigInteger(), nullable=False, comment="of which the edge had shed, in samples"),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("edge", "epoch"),
    )
    op.create_table(
        "snapshot",
        sa.Column("position", sa.BigInteger(), nullable=False, comment="log row it includes"),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_table(
        "tag",
        sa.Column("tag_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("tag_id"),
        sa.UniqueConstraint("name"),
        comment="Rows of the tags in every array; a number is never given to another tag.",
    )


def downgrade() -> None:
    """Go one revision down."""
    op.drop_table("tag")
    op.drop_table("snapshot")
    op.drop_table("mark")
    op.drop_table("log")
    op.drop_table("ledger")
    op.drop_table("follower")
    op.drop_table("edge_status")
    op.drop_table("dead_letter")
    with op.batch_alter_table("alarm_event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alarm_event_alarm_id"))

    op.drop_table("alarm_event")
    with op.batch_alter_table("alarm", schema=None) as batch_op:
        batch_op.drop_index("alarm_tag")
        batch_op.drop_index("alarm_state_tier")
        batch_op.drop_index("alarm_raised")

    op.drop_table("alarm")
