"""The tables of the records database, once, for every database it may live in."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from gateway.ledger import Count

__all__ = [
    "OPEN_STATES",
    "alarm",
    "alarm_event",
    "audit",
    "command",
    "dead_letter",
    "edge_status",
    "follower",
    "inhibition",
    "ledger",
    "local_alarm",
    "log",
    "mark",
    "metadata",
    "snapshot",
    "tag",
    "worker",
]

metadata = MetaData()

OPEN_STATES = ("active", "returned", "latched")
"""States of an alarm that somebody still has to look at."""

_Key = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only for a column typed exactly INTEGER."""

_Json = JSON(none_as_null=True)


def _measured() -> tuple[Column[float], ...]:
    """What the engine measured when it decided; what that is depends on the condition."""
    return (
        Column("measure", Float, nullable=True, comment="slope, minutes left, deviation or range; canonical unit"),
        Column("measure_low", Float, nullable=True, comment="low end of its interval, or what it was compared with"),
        Column("measure_high", Float, nullable=True),
    )


tag = Table(
    "tag",
    metadata,
    Column("tag_id", Integer, primary_key=True, autoincrement=False),
    Column("name", String(128), nullable=False, unique=True),
    comment="Rows of the tags in every array; a number is never given to another tag.",
)

log = Table(
    "log",
    metadata,
    Column("position", _Key, primary_key=True, autoincrement=False),
    Column("kind", Integer, nullable=False, comment="gateway.records.log.Kind"),
    Column("received_ms", BigInteger, nullable=False, comment="gateway clock"),
    Column("samples", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False, comment="columns; see gateway.records.log"),
)

mark = Table(
    "mark",
    metadata,
    Column("edge", String(64), primary_key=True),
    Column("epoch", String(64), primary_key=True),
    Column("upto", BigInteger, nullable=False, comment="highest seq that is durable"),
    Column("frames", BigInteger, nullable=False, comment="frames of this epoch kept"),
    Column("samples", BigInteger, nullable=False, comment="samples of this epoch kept"),
    Column("missing_frames", BigInteger, nullable=False, comment="frames the edge says will never come"),
    Column("shed_samples", BigInteger, nullable=False, comment="of which the edge had shed, in samples"),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
)

ledger = Table(
    "ledger",
    metadata,
    Column("edge", String(64), primary_key=True, comment="? collects what names no edge of the plant"),
    *(Column(count.value, BigInteger, nullable=False, server_default="0") for count in Count),
    comment="What became of every sample and frame of an edge, counted in the transaction that decided it.",
)

edge_status = Table(
    "edge_status",
    metadata,
    Column("edge", String(64), primary_key=True),
    Column("received_ms", BigInteger, nullable=False),
    Column("online", Boolean, nullable=False),
    Column("since_ms", BigInteger, nullable=False, comment="when online last changed, gateway clock"),
    Column("payload", Text, nullable=False, comment="the last online EdgeStatus, JSON"),
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("reason", String(64), nullable=False),
    Column("site", String(64), nullable=False),
    Column("edge", String(64), nullable=False),
    Column("topic", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("sha256", String(64), nullable=False, comment="of the payload (of the tag name for single samples)"),
    Column("bytes", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False, comment="the payload, or its first 1024 bytes"),
    Column("samples", BigInteger, nullable=False, comment="samples set aside under this row, where known"),
    Column("count", BigInteger, nullable=False, comment="how often the same thing arrived"),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    UniqueConstraint("reason", "topic", "sha256"),
)

alarm = Table(
    "alarm",
    metadata,
    Column("alarm_id", String(32), primary_key=True),
    Column("tag", String(128), nullable=False),
    Column("condition", String(16), nullable=False),
    Column("tier", Integer, nullable=False),
    Column("state", String(16), nullable=False, comment="active | returned | latched | cleared"),
    Column("hazard_unit", String(64), nullable=False),
    Column("vessel", String(64), nullable=False),
    Column("vehicle", String(64), nullable=False),
    Column("edge", String(64), nullable=False),
    Column("onset_ms", BigInteger, nullable=False),
    Column("raised_ms", BigInteger, nullable=False),
    Column("cleared_ms", BigInteger, nullable=True, comment="when its condition was over, also while latched"),
    Column("received_ms", BigInteger, nullable=False, comment="when the deciding sample arrived, gateway clock"),
    Column("decided_ms", BigInteger, nullable=False, comment="when it was decided, gateway clock"),
    Column("value", Float, nullable=True, comment="canonical unit"),
    Column("limit", Float, nullable=True, comment="canonical unit"),
    Column("deadband", Float, nullable=False),
    Column("on_delay_ms", BigInteger, nullable=False),
    Column("quality", Integer, nullable=False, comment="packed quality of the deciding sample"),
    Column("basis", Text, nullable=False),
    Column("delayed", Boolean, nullable=False),
    Column(
        "retrospective",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="missed live, found when late samples came; never was active",
    ),
    Column("version", Integer, nullable=False, comment="rises with every event"),
    Column("sequence", BigInteger, nullable=False, comment="event_id of its last event"),
    Column("base_tier", Integer, nullable=False, server_default="0", comment="as raised; tier may have risen since"),
    Column("latch", Boolean, nullable=False, server_default="0", comment="stays until acknowledged"),
    Column("alarmed_ms", BigInteger, nullable=False, server_default="0", comment="raised or tier risen, gateway clock"),
    Column(
        "acknowledged_ms", BigInteger, nullable=True, comment="gateway clock; null: nobody has, or a rise voided it"
    ),
    Column("acknowledged_by", String(128), nullable=True),
    Column("rise", _Json, nullable=True, comment="the last rise of its tier; see gateway.escalation"),
    *_measured(),
    Column("inhibited", String(16), nullable=True, comment="shelved | suppressed | out_of_service: recorded, not told"),
    Column(
        "material_version", Integer, nullable=False, server_default="0", comment="what was seen must be this or later"
    ),
    Column("stage", String(16), nullable=False, server_default="raised", comment="gateway.handling.Stage"),
    Column("assigned_to", String(128), nullable=True),
    Column("verdict", String(16), nullable=True, comment="gateway.handling.Verdict"),
    Column("hands", _Json, nullable=True, comment="accounts that had a hand in it"),
    Column("measured_ms", BigInteger, nullable=True, comment="first measure, gateway clock"),
    Column("acknowledge_due_ms", BigInteger, nullable=True),
    Column("measure_due_ms", BigInteger, nullable=True),
    Column("overdue", String(32), nullable=False, server_default="", comment="of acknowledge, measure: what is late"),
    Column("closed_ms", BigInteger, nullable=True, comment="reviewed and closed, gateway clock"),
    Column("closed_by", String(128), nullable=True, comment="null: by itself"),
    Index("alarm_state_tier", "state", "tier", "raised_ms"),
    Index("alarm_raised", "raised_ms", "alarm_id"),
    Index("alarm_tag", "tag", "raised_ms"),
    Index("alarm_stage", "stage", "raised_ms"),
    Index("alarm_unit", "hazard_unit", "state", "raised_ms"),
    Index("alarm_point", "tag", "condition", "raised_ms"),
    Index("alarm_received", "received_ms"),
    Index("alarm_cleared", "cleared_ms", "received_ms"),
)

alarm_event = Table(
    "alarm_event",
    metadata,
    Column("event_id", _Key, primary_key=True, autoincrement=False),
    Column("alarm_id", String(32), nullable=False, index=True),
    Column("kind", String(16), nullable=False, comment="see docs/alarm-lifecycle.md"),
    Column("version", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False, comment="event time"),
    Column("received_ms", BigInteger, nullable=False),
    Column("decided_ms", BigInteger, nullable=False),
    Column("value", Float, nullable=True),
    Column("quality", Integer, nullable=False),
    Column("position", BigInteger, nullable=False, comment="log row that decided it"),
    Column("detail", _Json, nullable=True, comment="tier_raised: why; acknowledged: by whom, comment; and so on"),
    Column(
        "key", String(64), nullable=True, comment="of the command it comes from: the same one again changes nothing"
    ),
    *_measured(),
)

local_alarm = Table(
    "local_alarm",
    metadata,
    Column("edge", String(64), primary_key=True),
    Column("alarm_id", String(32), primary_key=True),
    Column("tag", String(128), nullable=False),
    Column("condition", String(16), nullable=False),
    Column("tier", Integer, nullable=False),
    Column("state", String(16), nullable=False, comment="active | cleared"),
    Column("onset_ms", BigInteger, nullable=False),
    Column("raised_ms", BigInteger, nullable=False),
    Column("cleared_ms", BigInteger, nullable=True),
    Column("value", Float, nullable=True),
    Column("limit", Float, nullable=True),
    Column("cut", Boolean, nullable=False, comment="the edge had no connection to the gateway when it was raised"),
    Column("received_ms", BigInteger, nullable=False, comment="gateway clock"),
    Index("local_alarm_raised", "raised_ms"),
    comment="What edges have noticed by themselves; the gateway's own alarms are in alarm.",
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("position", BigInteger, primary_key=True, comment="log row it includes"),
    Column("created_ms", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

worker = Table(
    "worker",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("health", Text, nullable=False, comment="gateway.live.Health, JSON"),
)

command = Table(
    "command",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("created_ms", BigInteger, nullable=False, index=False),
    Column("payload", Text, nullable=False, comment="gateway.commands.Command, JSON"),
    Column("outcome", Text, nullable=True, comment="list of gateway.records.desk.Answer, JSON; null: not done yet"),
    Index("command_created", "created_ms"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", _Key, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False, comment="gateway clock"),
    Column("account", String(128), nullable=False),
    Column("origin", String(128), nullable=False, comment="network address, cli, gateway"),
    Column("act", String(64), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("outcome", String(16), nullable=False, comment="done | refused"),
    Column("detail", Text, nullable=False, comment="canonical JSON: what the hash covers, to the letter"),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("audit_at", "at_ms"),
    Index("audit_subject", "subject", "seq"),
    comment="Only ever added to; see gateway.records.audit.",
)

inhibition = Table(
    "inhibition",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tag", String(128), nullable=False),
    Column("condition", String(16), nullable=False),
    Column("kind", String(16), nullable=False, comment="shelved | suppressed | out_of_service"),
    Column("since_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=True, comment="null: as long as its rule holds"),
    Column("reason", Text, nullable=False),
    Column("permit", String(128), nullable=False, comment="work permit; out of service only"),
    Column("rule", String(64), nullable=False, comment="of the plant file; suppressed only"),
    Column("by", String(128), nullable=False, comment="account; the rule's own when it came by itself"),
    Column("ended_ms", BigInteger, nullable=True),
    Column("ended_by", String(128), nullable=True),
    Column("ended_why", String(16), nullable=True, comment="time | released | replaced | rule | plant"),
    Index("inhibition_ended", "ended_ms"),
    Index("inhibition_tag", "tag", "since_ms"),
    comment="Points that are evaluated and recorded, and not told: what, why, how long, by whom.",
)

follower = Table(
    "follower",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("position", BigInteger, nullable=False, comment="everything up to here has been told"),
)
