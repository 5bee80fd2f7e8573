"""The tables of hidden dangers (隐患): what each is, what happened to it, its clocks; apart, who reported it."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Integer, String, Table, Text

from gateway.records.schema import metadata

__all__ = ["danger", "danger_clock", "danger_event", "danger_position", "danger_reporter"]

_Json = JSON(none_as_null=True)


def _words(name: str, length: int, comment: str = "") -> Column[str]:
    return Column(name, String(length), nullable=False, server_default="", comment=comment or None)


def _count(name: str, comment: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0", comment=comment)


danger = Table(
    "danger",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("version", Integer, nullable=False, server_default="1", comment="rises with what people do"),
    Column("events", Integer, nullable=False, server_default="1", comment="rises with every event"),
    _words("enterprise", 64, "whose it is; empty: not known yet"),
    _words("district", 32),
    _words("site", 128),
    _words("hazard_unit", 128),
    _words("vessel", 128),
    _words("tag", 128),
    _words("condition", 16, "of the alarm it is about"),
    _words("alarm_id", 32),
    _words("place", 512, "in words, where no record says it"),
    Column("latitude_deg", Float, nullable=True),
    Column("longitude_deg", Float, nullable=True),
    Column("source", String(16), nullable=False, comment="gateway.dangers.states.Source"),
    _words("grade", 16, "general | major; empty: not graded yet"),
    Column("state", String(16), nullable=False, comment="gateway.dangers.states.State"),
    _count("urgency", "0: over; the higher the worse; gateway.dangers.model.urgency_of"),
    Column("title", String(256), nullable=False),
    Column("text", Text, nullable=False, server_default=""),
    Column("seen_ms", BigInteger, nullable=True, comment="when it was noticed; null: when it was reported"),
    Column("found_ms", BigInteger, nullable=False, comment="reported or proposed, gateway clock"),
    _words("found_by", 128, "account that put it in; never the reporter of 12350"),
    _words("found_team", 256, "gateway.dangers.teams"),
    Column("plan", _Json, nullable=True, comment="the five fixes, gateway.dangers.model.Plan"),
    Column("hands", _Json, nullable=True, comment="accounts that had a hand in rectifying"),
    Column("deadline_ms", BigInteger, nullable=True, comment="rectified until, extensions included"),
    Column("asked_until_ms", BigInteger, nullable=True, comment="extension asked for and not decided"),
    _count("extended", "how often more time was granted"),
    Column("listed_ms", BigInteger, nullable=True, comment="under listed supervision (挂牌督办) since"),
    Column("listed_until_ms", BigInteger, nullable=True, comment="its deadline"),
    Column("notice", Text, nullable=False, server_default="", comment="what the public reads of a listed one"),
    Column("delisted_ms", BigInteger, nullable=True),
    _words("regulator_receipt", 128, "双报告: number of the regulator's receipt"),
    _words("congress_receipt", 128, "双报告: number of the workers' congress's receipt"),
    Column("rectified_ms", BigInteger, nullable=True, comment="said to be done; null again when returned"),
    Column("verified_ms", BigInteger, nullable=True),
    _words("verified_by", 128),
    Column("over_ms", BigInteger, nullable=True, comment="closed (销号) or dismissed"),
    _words("over_by", 128),
    _count("reopened", "how often it came back after it was closed"),
    _words("risk_id", 128),
    _words("finding", 128, "of a check or an inspection"),
    Column("due_ms", BigInteger, nullable=True, comment="the earliest clock that runs"),
    _count("level", "the highest level any of its running clocks has climbed to; 0: nothing is late"),
    Column(
        "recurring",
        String(160),
        nullable=True,
        unique=True,
        comment="tag|condition of a proposal that is open: one at a time",
    ),
    Index("danger_unit", "hazard_unit", "urgency", "found_ms", "id"),
    Index("danger_vessel", "vessel", "urgency", "found_ms", "id"),
    Index("danger_tag", "tag", "urgency", "found_ms", "id"),
    Index("danger_enterprise", "enterprise", "urgency", "found_ms", "id"),
    Index("danger_enterprise_state", "enterprise", "state", "found_ms", "id"),
    Index("danger_enterprise_found", "enterprise", "found_ms", "id"),
    Index("danger_district_state", "district", "state", "found_ms", "id"),
    Index("danger_district_found", "district", "found_ms", "id"),
    Index("danger_state", "state", "found_ms", "id"),
    Index("danger_found", "found_ms", "id"),
    Index("danger_due", "due_ms", "id"),
    Index("danger_urgency", "urgency", "found_ms", "id"),
    comment="Never deleted.",
)

danger_event = Table(
    "danger_event",
    metadata,
    Column("danger_id", String(32), primary_key=True),
    Column("seq", Integer, primary_key=True, comment="from 1, without gaps"),
    Column("kind", String(16), nullable=False, comment="gateway.dangers.states.Event, or overdue"),
    Column("at_ms", BigInteger, nullable=False, comment="gateway clock"),
    Column("by", String(128), nullable=False, comment="account; system: a clock or the alarms"),
    Column("state", String(16), nullable=False, comment="after it"),
    Column("detail", _Json, nullable=True, comment="what was said"),
    Column("key", String(64), nullable=True, comment="the same one again changes nothing"),
    Index("danger_event_key", "danger_id", "key", unique=True),
    comment="Only ever added to.",
)

danger_clock = Table(
    "danger_clock",
    metadata,
    Column("danger_id", String(32), primary_key=True),
    Column("clock", String(24), primary_key=True, comment="config.dangers.Clocked"),
    Column("round", Integer, primary_key=True, comment="from 1; the next one when it is begun anew"),
    Column("enterprise", String(64), nullable=False),
    Column("district", String(32), nullable=False),
    Column("begun_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("next_ms", BigInteger, nullable=True, comment="when it climbs a level; null: it does not run"),
    Column("level", Integer, nullable=False, server_default="0", comment="0: not late"),
    Column("done_ms", BigInteger, nullable=True, comment="null again when what was done is returned"),
    Column("outcome", String(16), nullable=False, server_default="", comment="empty: runs; done | void | reopened"),
    Index("danger_clock_next", "next_ms"),
    Index("danger_clock_due", "clock", "due_ms", "enterprise"),
)

danger_reporter = Table(
    "danger_reporter",
    metadata,
    Column("danger_id", String(32), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("phone", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("sealed_ms", BigInteger, nullable=False),
    comment="Who called 12350: sealed; every look at it is a row of the audit log.",
)

danger_position = Table(
    "danger_position",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("position", BigInteger, nullable=False, comment="event_id up to which alarms have been looked at"),
)
