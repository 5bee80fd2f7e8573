"""What a risk is, and what is done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from config.days import CHINA
from config.plant.model import Text
from config.risks import Colour, Method

__all__ = [
    "MEASURE_NAMES",
    "SORT_NAMES",
    "Assessment",
    "CheckRecord",
    "CheckTask",
    "Measure",
    "MeasureSort",
    "Outcome",
    "Risk",
    "RiskState",
    "Sort",
    "Unit",
    "next_due_ms",
]


class Sort(StrEnum):
    """What bears the risk."""

    PROCESS = "process"
    EQUIPMENT = "equipment"
    MATERIAL = "material"
    POST = "post"
    WORK = "work"
    PLACE = "place"


SORT_NAMES: Mapping[Sort, Text] = {
    Sort.PROCESS: Text("工艺", "process"),
    Sort.EQUIPMENT: Text("设备设施", "equipment"),
    Sort.MATERIAL: Text("物料", "material"),
    Sort.POST: Text("岗位", "post"),
    Sort.WORK: Text("作业活动", "work"),
    Sort.PLACE: Text("场所", "place"),
}


class MeasureSort(StrEnum):
    """Of what kind a control measure is."""

    ENGINEERING = "engineering"
    MANAGEMENT = "management"
    TRAINING = "training"
    PROTECTION = "protection"
    EMERGENCY = "emergency"


MEASURE_NAMES: Mapping[MeasureSort, Text] = {
    MeasureSort.ENGINEERING: Text("工程技术", "engineering"),
    MeasureSort.MANAGEMENT: Text("管理", "management"),
    MeasureSort.TRAINING: Text("培训教育", "training"),
    MeasureSort.PROTECTION: Text("个体防护", "personal protection"),
    MeasureSort.EMERGENCY: Text("应急处置", "emergency response"),
}


class Unit(StrEnum):
    """In what the cycle of a check is counted."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


class Outcome(StrEnum):
    """What a check found."""

    OK = "ok"
    FINDING = "finding"


@dataclass(frozen=True, slots=True)
class Measure:
    """A control measure (管控措施)."""

    id: str
    risk_id: str
    sort: MeasureSort
    text: str
    ended_ms: int | None = None


@dataclass(frozen=True, slots=True)
class CheckTask:
    """A check that is to be done again and again (排查任务)."""

    id: str
    measure_id: str
    risk_id: str
    enterprise: str
    district: str
    hazard_unit: str
    text: str
    every: int
    unit: Unit
    post: str
    responsible: bool
    """One of the three who answer for the unit does it (包保任务)."""
    done_ms: int | None
    due_ms: int
    ended_ms: int | None = None


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """That something was checked."""

    id: str
    enterprise: str
    district: str
    hazard_unit: str
    vessel: str
    task_id: str
    """Empty: of no task."""
    risk_id: str
    """Empty: no risk is behind it."""
    done_ms: int
    """By the clock of who did it."""
    received_ms: int
    by: str
    result: Outcome
    text: str
    latitude_deg: float | None
    longitude_deg: float | None
    gap: bool
    """A finding with no risk behind it (风险辨识缺口)."""
    gap_risk_id: str | None
    """The risk that was written for it."""
    danger_id: str
    """The hidden danger it became; empty: none."""
    digest: str


@dataclass(frozen=True, slots=True)
class Risk:
    """A risk (风险)."""

    id: str
    version: int
    enterprise: str
    district: str
    site: str
    hazard_unit: str
    vessel: str
    sort: Sort
    name: str
    text: str
    method: Method
    factors: Mapping[str, float]
    score: float
    static_colour: Colour
    graded_ms: int
    graded_by: str
    dynamic_colour: Colour
    lifted: bool
    reasons: tuple[Mapping[str, Any], ...]
    """What lifts it now: ``kind``, ``ref``, ``since_ms``, ``until_ms``, ``lift``."""
    dynamic_ms: int
    ended_ms: int | None = None


@dataclass(frozen=True, slots=True)
class RiskState:
    """A risk with what is done about it, for who looks at its place."""

    risk: Risk
    measures: tuple[Measure, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Assessment:
    """That the risks of a unit were gone through (风险评估)."""

    id: str
    enterprise: str
    district: str
    hazard_unit: str
    assessed_on: str
    due_on: str
    signed_ms: int
    signed_by: str
    document: str
    text: str


def next_due_ms(done_ms: int, every: int, unit: Unit) -> int:
    """Return when a check is due again; months and years go by the calendar of UTC+8, their last day where shorter."""
    match unit:
        case Unit.HOUR:
            return done_ms + every * 3_600_000
        case Unit.DAY:
            return done_ms + every * 86_400_000
        case Unit.MONTH | Unit.YEAR:
            months = every * (12 if unit is Unit.YEAR else 1)
            at = datetime.fromtimestamp(done_ms / 1000, CHINA)
            year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
            day = next(day for day in range(at.day, 0, -1) if _is_day(year, month + 1, day))
            return round(at.replace(year=year, month=month + 1, day=day).astimezone(UTC).timestamp() * 1000)


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        datetime(year, month, day, tzinfo=CHINA)
    except ValueError:
        return False
    return True
