"""The tables of prevention: permits, commitments, notices to neighbours, findings, restricted substances, reports."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from gateway.records.schema import _Key, metadata

__all__ = [
    "accident_report",
    "accident_step",
    "accident_version",
    "commitment",
    "contradiction",
    "credit",
    "finding",
    "finding_photo",
    "gas_check",
    "neighbour_notice",
    "restricted",
    "restricted_approval",
    "work_permit",
    "work_permit_event",
]


def _whose() -> tuple[Column[str], Column[str]]:
    """Whose a row is, and where: what scope is about."""
    return (
        Column("enterprise", String(64), nullable=False),
        Column("district", String(32), nullable=False, comment="empty: not said"),
    )


work_permit = Table(
    "work_permit",
    metadata,
    Column("id", String(32), primary_key=True),
    *_whose(),
    Column("hazard_unit", String(128), nullable=False),
    Column("vessel", String(128), nullable=False),
    Column("kind", String(32), nullable=False, comment="of config/prevention.yaml"),
    Column("level", String(16), nullable=False, comment="empty: the kind has none"),
    Column("state", String(16), nullable=False, comment="gateway.prevention.permit_states.PermitState"),
    Column("version", Integer, nullable=False, comment="rises with every change"),
    Column("begin_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False, comment="it ends by itself then"),
    Column("made_ms", BigInteger, nullable=False),
    Column("made_by", String(128), nullable=False),
    Column("approved_by", String(128), nullable=True),
    Column("opened_ms", BigInteger, nullable=True),
    Column("ended_ms", BigInteger, nullable=True, comment="closed, void, expired"),
    Column("gas_every_ms", BigInteger, nullable=True, comment="null: none asked for"),
    Column("seen_ms", BigInteger, nullable=True, comment="the last gas reading, recorded or visible"),
    Column("missed_ms", BigInteger, nullable=True, comment="since when one is missing; null: none is"),
    Column("body", Text, nullable=False, comment="gateway.prevention.permits.Work, JSON"),
    Index("work_permit_unit", "hazard_unit", "end_ms"),
    Index("work_permit_of", "enterprise", "made_ms"),
    Index("work_permit_made", "made_ms", "id"),
    Index("work_permit_state", "state", "end_ms"),
)

work_permit_event = Table(
    "work_permit_event",
    metadata,
    Column("seq", _Key, primary_key=True),
    Column("permit_id", String(32), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("event", String(16), nullable=False),
    Column("by", String(128), nullable=False),
    Column("note", Text, nullable=False),
    Index("work_permit_event_of", "permit_id", "seq"),
)

gas_check = Table(
    "gas_check",
    metadata,
    Column("seq", _Key, primary_key=True),
    Column("permit_id", String(32), nullable=False),
    Column("at_ms", BigInteger, nullable=False, comment="when it was read"),
    Column("recorded_ms", BigInteger, nullable=False),
    Column("by", String(128), nullable=False),
    Column("safe", Boolean, nullable=False, comment="as who read it judged"),
    Column("body", Text, nullable=False, comment="readings, JSON"),
    Index("gas_check_of", "permit_id", "at_ms"),
)

commitment = Table(
    "commitment",
    metadata,
    Column("enterprise", String(64), primary_key=True),
    Column("day", String(10), primary_key=True, comment="UTC+8"),
    Column("district", String(32), nullable=False),
    Column("signed_ms", BigInteger, nullable=False),
    Column("signed_by", String(128), nullable=False),
    Column("late", Boolean, nullable=False),
    Column("body", Text, nullable=False, comment="what was committed and what was live then, canonical JSON"),
    Column("hash", String(64), nullable=False),
    Index("commitment_day", "day", "enterprise"),
)

contradiction = Table(
    "contradiction",
    metadata,
    Column("seq", _Key, primary_key=True),
    *_whose(),
    Column("day", String(10), nullable=False),
    Column("kind", String(32), nullable=False, comment="gateway.prevention.contradictions.RULES"),
    Column("subject", String(128), nullable=False, comment="alarm, permit, kind of work"),
    Column("began_ms", BigInteger, nullable=False, comment="when it was first found"),
    Column("ended_ms", BigInteger, nullable=True),
    Column("zh", Text, nullable=False),
    Column("en", Text, nullable=False),
    Index("contradiction_of", "enterprise", "day"),
    Index("contradiction_open", "day", "ended_ms"),
)

neighbour_notice = Table(
    "neighbour_notice",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("alarm_id", String(32), nullable=False),
    Column("neighbour", String(128), nullable=False, comment="record of the registry: neighbour or enterprise"),
    *_whose(),
    Column("to_enterprise", String(64), nullable=False, comment="empty: none of the registry"),
    Column("to_district", String(32), nullable=False),
    Column("state", String(16), nullable=False, comment="gateway.prevention.notice_states.NoticeState"),
    Column("sent_ms", BigInteger, nullable=False),
    Column("sent_by", String(128), nullable=False),
    Column("due_ms", BigInteger, nullable=False, comment="until when it is to be confirmed"),
    Column("overdue_ms", BigInteger, nullable=True),
    Column("seen_ms", BigInteger, nullable=True),
    Column("seen_by", String(128), nullable=True),
    Column("confirmed_ms", BigInteger, nullable=True),
    Column("confirmed_by", String(128), nullable=True),
    Column("note", Text, nullable=False, comment="of who confirmed"),
    Column("body", Text, nullable=False, comment="what it says, JSON"),
    Index("neighbour_notice_alarm", "alarm_id", "neighbour", unique=True),
    Index("neighbour_notice_sent", "sent_ms", "id"),
    Index("neighbour_notice_to", "to_enterprise", "sent_ms"),
    Index("neighbour_notice_due", "state", "due_ms"),
)

finding = Table(
    "finding",
    metadata,
    Column("id", String(32), primary_key=True, comment="made of account and client_id"),
    *_whose(),
    Column("client_id", String(64), nullable=False, comment="made by the terminal"),
    Column("hazard_unit", String(128), nullable=False),
    Column("vessel", String(128), nullable=False),
    Column("tag", String(128), nullable=False),
    Column("found_ms", BigInteger, nullable=False, comment="the terminal's own time"),
    Column("received_ms", BigInteger, nullable=False),
    Column("by", String(128), nullable=False),
    Column("hash", String(64), nullable=False, comment="of what the terminal said"),
    Column("danger_id", String(64), nullable=True, comment="the hidden danger it was made"),
    Column("body", Text, nullable=False, comment="gateway.prevention.findings.Said, JSON"),
    Index("finding_found", "found_ms", "id"),
    Index("finding_of", "enterprise", "found_ms"),
    Index("finding_unit", "hazard_unit", "found_ms"),
)

finding_photo = Table(
    "finding_photo",
    metadata,
    Column("finding_id", String(32), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("kind", String(32), nullable=False, comment="media type, as the content says"),
    Column("content", LargeBinary, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("by", String(128), nullable=False),
)

restricted = Table(
    "restricted",
    metadata,
    Column("id", String(64), primary_key=True, comment="of the entry"),
    Column("version", Integer, primary_key=True),
    Column("cas", String(16), nullable=False),
    Column("area", String(128), nullable=False, comment="district, with all below it; empty: everywhere"),
    Column("level", String(16), nullable=False, comment="prohibited | restricted | controlled | free"),
    Column("limit_t", Float, nullable=True, comment="more than that is refused; null: no limit"),
    Column("approval", Boolean, nullable=False, comment="an approval is needed"),
    Column("from_day", String(10), nullable=False),
    Column("until_day", String(10), nullable=False, comment="last day; empty: for good"),
    Column("source", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("by", String(128), nullable=False),
    Index("restricted_cas", "cas"),
)

restricted_approval = Table(
    "restricted_approval",
    metadata,
    Column("id", String(32), primary_key=True),
    *_whose(),
    Column("cas", String(16), nullable=False),
    Column("most_t", Float, nullable=False, comment="per transfer"),
    Column("from_day", String(10), nullable=False),
    Column("until_day", String(10), nullable=False),
    Column("number", String(128), nullable=False, comment="of the paper"),
    Column("made_ms", BigInteger, nullable=False),
    Column("by", String(128), nullable=False),
    Column("ended_ms", BigInteger, nullable=True, comment="withdrawn"),
    Index("restricted_approval_of", "enterprise", "cas"),
)

credit = Table(
    "credit",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("version", Integer, primary_key=True),
    *_whose(),
    Column("standing", String(16), nullable=False, comment="good | watched | blacklisted"),
    Column("from_day", String(10), nullable=False),
    Column("until_day", String(10), nullable=False, comment="last day; empty: for good"),
    Column("source", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("appeal", String(16), nullable=False, comment="none | filed | rejected | upheld"),
    Column("made_ms", BigInteger, nullable=False),
    Column("by", String(128), nullable=False),
    Index("credit_of", "enterprise", "from_day"),
)

accident_report = Table(
    "accident_report",
    metadata,
    Column("id", String(32), primary_key=True),
    *_whose(),
    Column("hazard_unit", String(128), nullable=False),
    Column("alarm_id", String(32), nullable=False, comment="that started the clock; empty: somebody did"),
    Column("state", String(24), nullable=False, comment="gateway.prevention.report_states.ReportState"),
    Column("level", String(16), nullable=False, comment="of config/prevention.yaml"),
    Column("began_ms", BigInteger, nullable=False, comment="when the clock began"),
    Column("began_by", String(128), nullable=False),
    Column("version", Integer, nullable=False, comment="rises with every change"),
    Column("packet", Integer, nullable=False, comment="newest version of the packet; 0: none"),
    Column("ended_ms", BigInteger, nullable=True),
    Column("why", Text, nullable=False, comment="why it was started, withdrawn or closed"),
    Index("accident_report_began", "began_ms", "id"),
    Index("accident_report_unit", "hazard_unit", "began_ms"),
    Index("accident_report_alarm", "alarm_id"),
    Index("accident_report_state", "state", "began_ms"),
)

accident_version = Table(
    "accident_version",
    metadata,
    Column("report_id", String(32), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("made_ms", BigInteger, nullable=False),
    Column("made_by", String(128), nullable=False),
    Column("signed_ms", BigInteger, nullable=True),
    Column("signed_by", String(128), nullable=True),
    Column("sent_ms", BigInteger, nullable=True),
    Column("late", Boolean, nullable=True, comment="sent after its time; null: not sent"),
    Column("body", Text, nullable=False, comment="gateway.prevention.packets.Packet, canonical JSON"),
    Column("hash", String(64), nullable=False, comment="over id, version and body"),
)

accident_step = Table(
    "accident_step",
    metadata,
    Column("report_id", String(32), primary_key=True),
    Column("step", String(16), primary_key=True),
    Column("place", Integer, nullable=False, comment="first, second, ... of the chain"),
    Column("due_ms", BigInteger, nullable=False),
    Column("overdue_ms", BigInteger, nullable=True, comment="when it was noticed"),
    Column("done_ms", BigInteger, nullable=True),
    Column("done_by", String(128), nullable=True),
    Index("accident_step_due", "done_ms", "due_ms"),
)
