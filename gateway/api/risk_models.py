"""What the API takes and answers about risks (风险) and checks (排查). Times are UTC epoch milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from config.risks import COLOUR_NAMES, Colour, Method, RiskEdition
from gateway.api.acts import Line, Note, Words
from gateway.api.models import Model, Name
from gateway.api.parameters import Moment
from gateway.api.views import name_of
from gateway.risks.assessments import STANDING_NAMES, Standing, UnitStanding
from gateway.risks.book import Change
from gateway.risks.model import (
    MEASURE_NAMES,
    SORT_NAMES,
    Assessment,
    CheckRecord,
    CheckTask,
    Measure,
    MeasureSort,
    Outcome,
    Risk,
    Sort,
    Unit,
)

__all__ = [
    "AssessmentView", "ChangeView", "CheckView", "MeasureView", "NewCheck", "NewMeasure", "NewRisk", "NewTask", "Ref",
    "RiskView", "ScalesView", "Signature", "StandingView", "TaskView", "Version", "assessment_view", "change_view",
    "check_view", "measure_view", "risk_view", "scales_view", "standing_view", "task_view",
]  # fmt: skip

Ref = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,128}$")]
Version = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True, description="`version` as it was seen")]
_Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)]
_Step = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
_Factors = Annotated[
    dict[Literal["likelihood", "exposure", "consequence", "severity"], _Step],
    Field(description="`lec`: likelihood, exposure, consequence; `ls`: likelihood, severity; see /risks/scales"),
]


class Asked(BaseModel):
    """Base of what is asked: what is not declared is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Line | None = Field(None, description="Only where there are no accounts: who says so")


class NewRisk(Asked):
    """A risk as somebody writes it; whose it is follows from where it is."""

    name: _Title
    sort: Sort
    method: Method
    factors: _Factors
    text: Note = Field("", description="What can happen, and how")
    vessel: Ref = ""
    hazard_unit: Ref = ""
    site: Ref = ""
    enterprise: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,64}$")] = ""
    gap: Ref = Field("", description="Of a new risk only: the record of the finding that showed that it was missing")
    version: Version | None = Field(None, description="Of a change only: as it was seen")


class NewMeasure(Asked):
    """A control measure (管控措施)."""

    sort: MeasureSort
    text: Words


class NewTask(Asked):
    """A check that is to be done again and again (排查任务)."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
    every: Annotated[int, Field(ge=1, le=1000, strict=True)]
    unit: Unit
    post: Annotated[str, StringConstraints(strip_whitespace=True, max_length=128)] = Field(
        "", description="Who does it"
    )
    responsible: bool = Field(default=False, description="包保任务: of the three who answer for the unit")


class NewCheck(Asked):
    """That something was checked. It may be told late, and more than once."""

    key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,128}$")] = Field(
        description="Made by the terminal, once for each check: the same again is the same record"
    )
    done: Moment = Field(description="When it was done, by the clock of who did it")
    result: Outcome
    text: Note = Field("", description="What was found; its first line names the hidden danger")
    task_id: Ref = ""
    risk_id: Ref = ""
    vessel: Ref = ""
    hazard_unit: Ref = ""
    latitude_deg: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)] | None = None
    longitude_deg: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] | None = None


class Signature(Asked):
    """That the risks of a unit were gone through (风险评估)."""

    hazard_unit: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
    assessed_on: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="Day in China; not later")]
    document: _Title = Field(description="Number or link of the report")
    text: Note = ""


class ReasonView(Model):
    """Something that lifts a grade."""

    kind: str = Field(description="`alarm.1`, `check.overdue`, `danger.major` and so on, as configured")
    ref: str = Field(description="Id of the alarm, the check, the hidden danger")
    since_ms: int
    until_ms: int | None = Field(description="null: it lasts; else it is over and falls back step by step")
    lift: int = Field(description="By how many colours just now; the strongest decides")


class RiskView(Model):
    """A risk. Its colours are no tiers of alarms."""

    risk_id: str
    version: int
    enterprise: str
    district: str
    site: str
    hazard_unit: str
    vessel: str
    sort: Sort
    sort_name: Name
    name: str
    text: str
    method: Method
    factors: dict[str, float]
    score: float
    static_colour: Colour
    static_colour_name: Name
    graded_ms: int
    graded_by: str
    dynamic_colour: Colour = Field(description="Of the moment: never better than the static one")
    dynamic_colour_name: Name
    dynamic_ms: int = Field(description="Since when it is this")
    reasons: tuple[ReasonView, ...]
    ended_ms: int | None


class MeasureView(Model):
    """A control measure."""

    measure_id: str
    risk_id: str
    sort: MeasureSort
    sort_name: Name
    text: str


class ChangeView(Model):
    """That the colour of the moment went to another."""

    at_ms: int
    was: Colour
    now: Colour
    reasons: tuple[ReasonView, ...]


class TaskView(Model):
    """A check that is to be done."""

    task_id: str
    measure_id: str
    risk_id: str
    enterprise: str
    district: str
    hazard_unit: str
    text: str
    every: int
    unit: Unit
    post: str
    responsible: bool = Field(description="包保任务")
    done_ms: int | None
    due_ms: int
    overdue: bool
    ended_ms: int | None


class CheckView(Model):
    """What was checked."""

    record_id: str
    enterprise: str
    district: str
    hazard_unit: str
    vessel: str
    task_id: str
    risk_id: str
    done_ms: int
    received_ms: int
    by: str
    result: Outcome
    text: str
    latitude_deg: float | None
    longitude_deg: float | None
    gap: bool = Field(description="A finding with no risk behind it (风险辨识缺口)")
    gap_risk_id: str | None = Field(description="The risk that was written for it")
    danger_id: str = Field(description="The hidden danger it became; empty: nothing was found")


class AssessmentView(Model):
    """A signed assessment."""

    assessment_id: str
    enterprise: str
    district: str
    hazard_unit: str
    assessed_on: str
    due_on: str = Field(description="The last day on which it holds")
    signed_ms: int
    signed_by: str
    document: str
    text: str


class ReopeningView(Model):
    """What changed after the assessment was signed."""

    kind: str
    id: str
    version: int
    at_ms: int


class StandingView(Model):
    """How it stands with the assessment of a unit."""

    hazard_unit: str
    name: str
    enterprise: str
    standing: Standing
    standing_name: Name
    last: AssessmentView | None
    changes: tuple[ReopeningView, ...]


class StepView(Model):
    """One step of a factor."""

    value: float
    name: Name


class BandView(Model):
    """A span of scores."""

    low: float
    open: bool = Field(description="The low end itself belongs to the next band")
    colour: Colour
    name: Name


class ScaleView(Model):
    """One way of grading."""

    method: Method
    factors: dict[str, tuple[StepView, ...]]
    bands: tuple[BandView, ...] = Field(description="The worst first")
    source: str
    confidence: str


class ScalesView(Model):
    """Both ways of grading, and what lifts a grade."""

    scales: tuple[ScaleView, ...]
    lifts: dict[str, int]
    step_down_ms: int
    lifts_source: str
    lifts_confidence: str


def risk_view(one: Risk) -> RiskView:
    """Return a risk as it is sent."""
    same = _same(RiskView, one, "risk_id", "reasons")
    return RiskView(
        **{**same, "factors": dict(one.factors)},
        risk_id=one.id,
        sort_name=name_of(SORT_NAMES[one.sort]),
        static_colour_name=name_of(COLOUR_NAMES[one.static_colour]),
        dynamic_colour_name=name_of(COLOUR_NAMES[one.dynamic_colour]),
        reasons=_reasons(one.reasons),
    )


def measure_view(one: Measure) -> MeasureView:
    """Return a measure as it is sent."""
    same = _same(MeasureView, one, "measure_id")
    return MeasureView(**same, measure_id=one.id, sort_name=name_of(MEASURE_NAMES[one.sort]))


def change_view(one: Change) -> ChangeView:
    """Return a change of colour as it is sent."""
    return ChangeView(at_ms=one.at_ms, was=one.was, now=one.now, reasons=_reasons(one.reasons))


def task_view(one: CheckTask, now_ms: int) -> TaskView:
    """Return a check as it is sent."""
    late = one.ended_ms is None and one.due_ms <= now_ms
    return TaskView(**_same(TaskView, one, "task_id"), task_id=one.id, overdue=late)


def check_view(one: CheckRecord) -> CheckView:
    """Return a record as it is sent."""
    return CheckView(**_same(CheckView, one, "record_id"), record_id=one.id)


def assessment_view(one: Assessment) -> AssessmentView:
    """Return an assessment as it is sent."""
    return AssessmentView(**_same(AssessmentView, one, "assessment_id"), assessment_id=one.id)


def standing_view(one: UnitStanding) -> StandingView:
    """Return how it stands with a unit as it is sent."""
    return StandingView(
        **_same(StandingView, one, "last", "changes"),
        standing_name=name_of(STANDING_NAMES[one.standing]),
        last=None if one.last is None else assessment_view(one.last),
        changes=tuple(
            ReopeningView(kind=change.kind, id=change.id, version=change.version, at_ms=change.at_ms)
            for change in one.changes
        ),
    )


def scales_view(edition: RiskEdition) -> ScalesView:
    """Return the figures that hold."""
    lifting = edition.lifting
    return ScalesView(
        scales=tuple(
            ScaleView(
                method=method,
                factors={
                    name: tuple(StepView(value=float(step.value), name=name_of(step.name)) for step in steps)
                    for name, steps in scale.factors.items()
                },
                bands=tuple(
                    BandView(low=float(band.low), open=band.open, colour=band.colour, name=name_of(band.name))
                    for band in scale.bands
                ),
                source=scale.source,
                confidence=scale.confidence,
            )
            for method, scale in edition.scales.items()
        ),
        lifts=dict(lifting.lifts),
        step_down_ms=lifting.step_down_ms,
        lifts_source=lifting.source,
        lifts_confidence=lifting.confidence,
    )


def _reasons(reasons: tuple[Mapping[str, Any], ...]) -> tuple[ReasonView, ...]:
    return tuple(ReasonView(**reason) for reason in reasons)


def _same(view: type[Model], one: object, *but: str) -> dict[str, Any]:
    """Return the fields of an answer that are called the same where they come from."""
    names = [name for name in view.model_fields if name not in but and not name.endswith("_name")]
    return {name: getattr(one, name) for name in names if name != "overdue"}
