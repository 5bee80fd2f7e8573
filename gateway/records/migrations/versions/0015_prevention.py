"""prevention: permits, commitments, notices, findings, restricted substances, credit, accident reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_INDEXES: dict[str, tuple[str, list[str], bool]] = {
    "work_permit_made": ("work_permit", ["made_ms", "id"], False),
    "work_permit_of": ("work_permit", ["enterprise", "made_ms"], False),
    "work_permit_state": ("work_permit", ["state", "end_ms"], False),
    "work_permit_unit": ("work_permit", ["hazard_unit", "end_ms"], False),
    "work_permit_event_of": ("work_permit_event", ["permit_id", "seq"], False),
    "gas_check_of": ("gas_check", ["permit_id", "at_ms"], False),
    "commitment_day": ("commitment", ["day", "enterprise"], False),
    "contradiction_of": ("contradiction", ["enterprise", "day"], False),
    "contradiction_open": ("contradiction", ["day", "ended_ms"], False),
    "neighbour_notice_alarm": ("neighbour_notice", ["alarm_id", "neighbour"], True),
    "neighbour_notice_due": ("neighbour_notice", ["state", "due_ms"], False),
    "neighbour_notice_sent": ("neighbour_notice", ["sent_ms", "id"], False),
    "neighbour_notice_to": ("neighbour_notice", ["to_enterprise", "sent_ms"], False),
    "finding_found": ("finding", ["found_ms", "id"], False),
    "finding_of": ("finding", ["enterprise", "found_ms"], False),
    "finding_unit": ("finding", ["hazard_unit", "found_ms"], False),
    "restricted_cas": ("restricted", ["cas"], False),
    "restricted_approval_of": ("restricted_approval", ["enterprise", "cas"], False),
    "credit_of": ("credit", ["enterprise", "from_day"], False),
    "accident_report_alarm": ("accident_report", ["alarm_id"], False),
    "accident_report_began": ("accident_report", ["began_ms", "id"], False),
    "accident_report_state": ("accident_report", ["state", "began_ms"], False),
    "accident_report_unit": ("accident_report", ["hazard_unit", "began_ms"], False),
    "accident_step_due": ("accident_step", ["done_ms", "due_ms"], False),
}


def _key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _work_permit() -> None:
    op.create_table(
        "work_permit",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("enterprise", sa.String(length=64), nullable=False),
        sa.Column("district", sa.String(length=32), nullable=False),
        sa.Column("hazard_unit", sa.String(length=128), nullable=False),
        sa.Column("vessel", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("begin_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(length=128), nullable=False),
        sa.Column("approved_by", sa.String(length=128), nullable=True),
        sa.Column("opened_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("gas_every_ms", sa.BigInteger(), nullable=True),
        sa.Column("seen_ms", sa.BigInteger(), nullable=True),
        sa.Column("missed_ms", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _work_permit_event() -> None:
    op.create_table(
        "work_permit_event",
        sa.Column("seq", _key(), nullable=False),
        sa.Column("permit_id", sa.String(length=32), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )


def _gas_check() -> None:
    op.create_table(
        "gas_check",
        sa.Column("seq", _key(), nullable=False),
        sa.Column("permit_id", sa.String(length=32), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("recorded_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("safe", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )


def _commitment() -> None:
    op.create_table(
        "commitment",
        sa.Column("enterprise", sa.String(length=64), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("district", sa.String(length=32), nullable=False),
        sa.Column("signed_ms", sa.BigInteger(), nullable=False),
        sa.Column("signed_by", sa.String(length=128), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("enterprise", "day"),
    )


def _contradiction() -> None:
    op.create_table(
        "contradiction",
        sa.Column("seq", _key(), nullable=False),
        sa.Column("enterprise", sa.String(length=64), nullable=False),
        sa.Column("district", sa.String(length=32), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("began_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("zh", sa.Text(), nullable=False),
        sa.Column("en", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )


def _neighbour_notice() -> None:
    op.create_table(
        "neighbour_notice",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("alarm_id", sa.String(length=32), nullable=False),
        sa.Column("neighbour", sa.String(length=128), nullable=False),
        sa.Column("enterprise", sa.String(length=64), nullable=False),
        sa.Column("district", sa.String(length=32), nullable=False),
        sa.Column("to_enterprise", sa.String(length=64), nullable=False),
        sa.Column("to_district", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("sent_ms", sa.BigInteger(), nullable=False),
        sa.Column("sent_by", sa.String(length=128), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("overdue_ms", sa.BigInteger(), nullable=True),
        sa.Column("seen_ms", sa.BigInteger(), nullable=True),
        sa.Column("seen_by", sa.String(length=128), nullable=True),
        sa.Column("confirmed_ms", sa.BigInteger(), nullable=True),
        sa.Column("confirmed_by", sa.String(length=128), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _finding() -> None:
    op.create_table(
        "finding",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("enterprise", sa.String(length=64), nullable=False),
        sa.Column("district", sa.String(length=32), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("hazard_unit", sa.String(length=128), nullable=False),
        sa.Column("vessel", sa.String(length=128), nullable=False),
        sa.Column("tag", sa.String(length=128), nullable=False),
        sa.Column("found_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("danger_id", sa.String(length=64), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _finding_photo() -> None:
    op.create_table(
        "finding_photo",
        sa.Column("finding_id", sa.String(length=32), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("finding_id", "sha256"),
    )


def _restricted() -> None:
    op.create_table(
        "restricted",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("cas", sa.String(length=16), nullable=False),
        sa.Column("area", sa.String(length=128), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("limit_t", sa.Float(), nullable=True),
        sa.Column("approval", sa.Boolean(), nullable=False),
        sa.Column("from_day", sa.String(length=10), nullable=False),
        sa.Column("until_day", sa.String(length=10), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id", "version"),
    )


def _restricted_approval() -> None:
    op.create_table(
        "restricted_approval",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("enterprise", sa.String(length=64), nullable=False),
        sa.Column("district", sa.String(length=32), nullable=False),
        sa.Column("cas", sa.String(length=16), nullable=False),
        sa.Column("most_t", sa.Float(), nullable=False),
        sa.Column("from_day", sa.String(length=10), nullable=False),
        sa.Column("until_day", sa.String(length=10), nullable=False),
        sa.Column("number", sa.String(length=128), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def _credit() -> None:
    op.create_table(
        "credit",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("enterprise", sa.String(length=64), nullable=False),
        sa.Column("district", sa.String(length=32), nullable=False),
        sa.Column("standing", sa.String(length=16), nullable=False),
        sa.Column("from_day", sa.String(length=10), nullable=False),
        sa.Column("until_day", sa.String(length=10), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("appeal", sa.String(length=16), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id", "version"),
    )


def _accident_report() -> None:
    op.create_table(
        "accident_report",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("enterprise", sa.String(length=64), nullable=False),
        sa.Column("district", sa.String(length=32), nullable=False),
        sa.Column("hazard_unit", sa.String(length=128), nullable=False),
        sa.Column("alarm_id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("began_ms", sa.BigInteger(), nullable=False),
        sa.Column("began_by", sa.String(length=128), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("packet", sa.Integer(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _accident_version() -> None:
    op.create_table(
        "accident_version",
        sa.Column("report_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(length=128), nullable=False),
        sa.Column("signed_ms", sa.BigInteger(), nullable=True),
        sa.Column("signed_by", sa.String(length=128), nullable=True),
        sa.Column("sent_ms", sa.BigInteger(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("report_id", "version"),
    )


def _accident_step() -> None:
    op.create_table(
        "accident_step",
        sa.Column("report_id", sa.String(length=32), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("overdue_ms", sa.BigInteger(), nullable=True),
        sa.Column("done_ms", sa.BigInteger(), nullable=True),
        sa.Column("done_by", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("report_id", "step"),
    )


_TABLES = (
    _work_permit,
    _work_permit_event,
    _gas_check,
    _commitment,
    _contradiction,
    _neighbour_notice,
    _finding,
    _finding_photo,
    _restricted,
    _restricted_approval,
    _credit,
    _accident_report,
    _accident_version,
    _accident_step,
)


def upgrade() -> None:
    """Go one revision up."""
    for make in _TABLES:
        make()
    for name, (table, columns, unique) in _INDEXES.items():
        op.create_index(name, table, columns, unique=unique)


def downgrade() -> None:
    """Go one revision down."""
    for name, (table, _, _) in _INDEXES.items():
        op.drop_index(name, table_name=table)
    for make in reversed(_TABLES):
        op.drop_table(make.__name__.removeprefix("_"))
