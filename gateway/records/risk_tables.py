"""The tables of risks (双清单): risks, measures, check tasks, what was checked, grades of the moment, assessments."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text

from gateway.records.schema import metadata

__all__ = ["check_record", "check_task", "risk", "risk_assessment", "risk_change", "risk_event", "risk_measure"]

_Json = JSON(none_as_null=True)
_Number = BigInteger().with_variant(Integer, "sqlite")


def _words(name: str, length: int, comment: str = "") -> Column[str]:
    return Column(name, String(length), nullable=False, server_default="", comment=comment or None)


def _owner() -> tuple[Column[str], ...]:
    return (_words("enterprise", 64, "whose it is"), _words("district", 32), _words("hazard_unit", 128))


risk = Table(
    "risk",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    *_owner(),
    _words("site", 128),
    _words("vessel", 128),
    Column("sort", String(16), nullable=False, comment="gateway.risks.model.Sort"),
    Column("name", String(256), nullable=False),
    Column("text", Text, nullable=False, comment="what can happen, and how"),
    Column("method", String(8), nullable=False, comment="config.risks.Method"),
    Column("factors", _Json, nullable=False),
    Column("score", Float, nullable=False),
    Column("static_colour", String(8), nullable=False, comment="config.risks.Colour; never a tier of alarms"),
    Column("graded_ms", BigInteger, nullable=False),
    Column("graded_by", String(128), nullable=False),
    Column("dynamic_colour", String(8), nullable=False),
    Column("lifted", Boolean, nullable=False, comment="something lifts it, or did a while ago"),
    Column("reasons", _Json, nullable=False, comment="what lifts it: kind, ref, since_ms, until_ms, lift"),
    Column("dynamic_ms", BigInteger, nullable=False, comment="since when the colour of the moment is this"),
    Column("ended_ms", BigInteger, nullable=True, comment="is none any more"),
    Index("risk_unit", "hazard_unit", "ended_ms"),
    Index("risk_enterprise", "enterprise", "ended_ms", "id"),
    Index("risk_lifted", "lifted", "id"),
)

risk_event = Table(
    "risk_event",
    metadata,
    Column("risk_id", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at_ms", BigInteger, nullable=False, comment="gateway clock"),
    Column("by", String(128), nullable=False),
    Column("body", _Json, nullable=False, comment="the risk as it was from then on"),
    comment="What people wrote of a risk: every version.",
)

risk_change = Table(
    "risk_change",
    metadata,
    Column("seq", _Number, primary_key=True),
    Column("risk_id", String(64), nullable=False),
    Column("at_ms", BigInteger, nullable=False, comment="gateway clock"),
    Column("was", String(8), nullable=False),
    Column("now", String(8), nullable=False),
    Column("reasons", _Json, nullable=False),
    Index("risk_change_risk", "risk_id", "seq"),
    comment="How the colour of the moment went.",
)

risk_measure = Table(
    "risk_measure",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("risk_id", String(64), nullable=False),
    *_owner(),
    Column("sort", String(16), nullable=False, comment="gateway.risks.model.MeasureSort"),
    Column("text", Text, nullable=False),
    Column("ended_ms", BigInteger, nullable=True),
    Index("risk_measure_risk", "risk_id"),
)

check_task = Table(
    "check_task",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("measure_id", String(64), nullable=False),
    Column("risk_id", String(64), nullable=False),
    *_owner(),
    Column("text", String(1000), nullable=False),
    Column("every", Integer, nullable=False),
    Column("unit", String(8), nullable=False, comment="hour | day | month | year"),
    _words("post", 128, "who does it"),
    Column("responsible", Boolean, nullable=False, comment="a task of the three who answer for the unit (包保任务)"),
    Column("done_ms", BigInteger, nullable=True, comment="when last, by the clock of who did it"),
    Column("due_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger, nullable=True),
    Index("check_task_due", "ended_ms", "due_ms"),
    Index("check_task_risk", "risk_id"),
    Index("check_task_measure", "measure_id"),
)

check_record = Table(
    "check_record",
    metadata,
    Column("id", String(64), primary_key=True),
    *_owner(),
    _words("vessel", 128),
    _words("task_id", 64, "empty: of no task"),
    _words("risk_id", 64, "empty: no risk is behind it"),
    Column("done_ms", BigInteger, nullable=False, comment="by the clock of who did it"),
    Column("received_ms", BigInteger, nullable=False, comment="gateway clock"),
    Column("by", String(128), nullable=False),
    Column("result", String(8), nullable=False, comment="ok | finding"),
    Column("text", Text, nullable=False),
    Column("latitude_deg", Float, nullable=True),
    Column("longitude_deg", Float, nullable=True),
    Column("gap", Boolean, nullable=False, comment="a finding with no risk behind it (风险辨识缺口)"),
    Column("gap_risk_id", String(64), nullable=True, comment="the risk that was written for it"),
    _words("danger_id", 32, "the hidden danger it became"),
    Column("digest", String(64), nullable=False, comment="of what was said: the same id says the same"),
    Index("check_record_task", "task_id", "done_ms"),
    Index("check_record_gap", "gap", "done_ms", "id"),
    Index("check_record_enterprise", "enterprise", "done_ms", "id"),
)

risk_assessment = Table(
    "risk_assessment",
    metadata,
    Column("id", String(32), primary_key=True),
    *_owner(),
    Column("assessed_on", String(10), nullable=False, comment="day, UTC+8"),
    Column("due_on", String(10), nullable=False, comment="when the next is due"),
    Column("signed_ms", BigInteger, nullable=False, comment="gateway clock"),
    Column("signed_by", String(128), nullable=False),
    Column("document", String(256), nullable=False),
    Column("text", Text, nullable=False),
    Index("risk_assessment_unit", "hazard_unit", "signed_ms"),
)
