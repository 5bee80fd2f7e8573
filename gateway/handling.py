"""The handling of an alarm (处置闭环) as a table: from raised to reviewed and closed, beside its life.

The life (`gateway.lifecycle`) says whether an alarm is active and seen; the handling says what people made of it. It
goes on when the life is over, and ends with a review. ``docs/alarm-lifecycle.md`` shows the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from config.duty.handling import Handling
from config.plant.model import Text
from gateway.errors import ConflictError
from gateway.lifecycle import Life, No, life_of

__all__ = ["ENDED", "STAGES", "STAGE_NAMES", "VERDICT_NAMES", "HandlingEvent", "Stage", "Verdict", "advance", "review"]


class Stage(StrEnum):
    """How far the handling of an alarm has come."""

    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    ON_SITE = "on_site"
    VERIFIED = "verified"
    MEASURES = "measures"
    RECOVERED = "recovered"
    """Verified, and its condition is over."""
    CLOSED = "closed"
    MERGED = "merged"
    """Superseded by a newer alarm of its point before anybody took it up; handled with that one."""


class HandlingEvent(StrEnum):
    """What moves the handling on."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    ASSIGN = "assign"
    ARRIVE = "arrive"
    VERIFY = "verify"
    MEASURE = "measure"
    RECOVER = "recover"
    """The alarm's life is over."""
    EXPIRE = "expire"
    """Over, and nobody need have seen it."""
    MERGE = "merge"
    CLOSE = "close"


class Verdict(StrEnum):
    """What an alarm turned out to be."""

    TRUE = "true"
    FALSE = "false"
    INSTRUMENT = "instrument"
    MAINTENANCE = "maintenance"
    TEST = "test"


STAGE_NAMES: Mapping[Stage, Text] = MappingProxyType(
    {
        Stage.RAISED: Text("已报警", "raised"),
        Stage.ACKNOWLEDGED: Text("已确认", "acknowledged"),
        Stage.ASSIGNED: Text("已派人", "assigned"),
        Stage.ON_SITE: Text("已到场", "on site"),
        Stage.VERIFIED: Text("已核实", "verified"),
        Stage.MEASURES: Text("处置中", "measures taken"),
        Stage.RECOVERED: Text("已恢复，待复核", "recovered, to be reviewed"),
        Stage.CLOSED: Text("已关闭", "closed"),
        Stage.MERGED: Text("并入后续报警", "merged into a later alarm"),
    }
)
VERDICT_NAMES: Mapping[Verdict, Text] = MappingProxyType(
    {
        Verdict.TRUE: Text("真实报警", "true alarm"),
        Verdict.FALSE: Text("误报", "false alarm"),
        Verdict.INSTRUMENT: Text("仪表故障", "instrument fault"),
        Verdict.MAINTENANCE: Text("检修作业", "maintenance"),
        Verdict.TEST: Text("测试", "test"),
    }
)

ENDED = (Stage.CLOSED, Stage.MERGED)
"""An alarm in one of these is never changed again."""

_E, _S = HandlingEvent, Stage
_IMMUTABLE = No(Text("已关闭，不可更改", "it is closed and cannot be changed"))
_VERIFY_FIRST = No(Text("请先核实（给出结论）再关闭", "verify it (give a verdict) before it is closed"))
_STILL_ACTIVE = No(
    Text("报警尚未恢复或未确认，不能关闭", "it is still open: closed only when it is over and acknowledged")
)


def _open(stage: Stage, **moves: Stage) -> dict[HandlingEvent, Stage | No]:
    """Return the row of a stage: what is not named leaves it where it is; closing is refused unless it is named."""
    row: dict[HandlingEvent, Stage | No] = dict.fromkeys(HandlingEvent, stage)
    row[_E.CLOSE] = _VERIFY_FIRST
    return row | {HandlingEvent(name): to for name, to in moves.items()}


STAGES: Mapping[Stage, Mapping[HandlingEvent, Stage | No]] = MappingProxyType(
    {
        _S.RAISED: _open(
            _S.RAISED,
            acknowledge=_S.ACKNOWLEDGED,
            assign=_S.ASSIGNED,
            arrive=_S.ON_SITE,
            expire=_S.CLOSED,
            merge=_S.MERGED,
            verify=_S.VERIFIED,
        ),
        _S.ACKNOWLEDGED: _open(
            _S.ACKNOWLEDGED, unacknowledge=_S.RAISED, assign=_S.ASSIGNED, arrive=_S.ON_SITE, verify=_S.VERIFIED
        ),
        _S.ASSIGNED: _open(_S.ASSIGNED, arrive=_S.ON_SITE, verify=_S.VERIFIED),
        _S.ON_SITE: _open(_S.ON_SITE, verify=_S.VERIFIED),
        _S.VERIFIED: _open(_S.VERIFIED, measure=_S.MEASURES, recover=_S.RECOVERED) | {_E.CLOSE: _STILL_ACTIVE},
        _S.MEASURES: _open(_S.MEASURES, recover=_S.RECOVERED) | {_E.CLOSE: _STILL_ACTIVE},
        _S.RECOVERED: _open(_S.RECOVERED, close=_S.CLOSED),
        _S.CLOSED: dict.fromkeys(HandlingEvent, _IMMUTABLE),
        _S.MERGED: dict.fromkeys(HandlingEvent, _IMMUTABLE),
    }
)
"""Every cell is written. A measure before the verdict is noted and leaves the stage; so does a second verdict."""


def advance(alarm: Mapping[str, Any], event: HandlingEvent) -> Stage:
    """Return the stage after an event.

    Args:
        alarm: A row of `gateway.records.schema.alarm`, its life as it is after the event.
        event: What happened.

    Raises:
        ConflictError: The stage does not allow it; says why.
    """
    after = STAGES[Stage(alarm["stage"])][event]
    if isinstance(after, No):
        raise ConflictError(f"alarm {alarm['alarm_id']}: {after.why.en}（{after.why.zh}）")
    if event is not _E.RECOVER and after not in ENDED and life_of(alarm) is Life.NORMAL:
        return advance({**alarm, "stage": after}, _E.RECOVER)  # it was over before people came so far
    return after


def review(alarm: Mapping[str, Any], by: str, handling: Handling) -> None:
    """Check that somebody may close an alarm that has recovered.

    Args:
        alarm: A row of `gateway.records.schema.alarm`.
        by: The reviewer.
        handling: Says for which tiers it must be another person.

    Raises:
        ConflictError: What is missing.
    """
    name = alarm["alarm_id"]
    if alarm["verdict"] == Verdict.TRUE and alarm["measured_ms"] is None:
        raise ConflictError(
            f"alarm {name}: a true alarm is closed with at least one measure（真实报警须先登记处置措施）"
        )
    if alarm["tier"] in handling.other_reviewer_tiers and by in (alarm["hands"] or ()):
        raise ConflictError(
            f"alarm {name}: red and orange ones are closed by somebody who had no hand in it, not by {by}"
            "（红、橙色报警须由他人复核关闭）"
        )
