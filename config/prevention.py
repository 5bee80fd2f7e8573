"""Dated figures of prevention: special work, daily commitment, warnings of neighbours, findings, accident reports."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from config.days import day_of, day_start_ms

__all__ = [
    "CommitmentRules",
    "Edition",
    "FindingRules",
    "JointRules",
    "PermitKind",
    "PermitRules",
    "Prevention",
    "ReportRules",
    "at",
    "load_prevention",
]

FILE: Final = Path(__file__).with_name("prevention.yaml")
_MINUTE_MS: Final = 60_000

Minutes = Annotated[int, Field(gt=0, le=366 * 1440)]
Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
StepName = Literal["county", "city", "province", "state"]
LevelName = Literal["extraordinary", "major", "larger", "general"]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Named(_Row):
    """A name in both languages."""

    zh: str
    en: str


class Edition(_Row):
    """What holds from a day on."""

    from_day: Day
    source: str


class Gas(_Row):
    """Readings of gas that a kind of work asks for."""

    every_min: Minutes
    before_min: Minutes


class PermitKind(_Row):
    """One kind of special work (特殊作业)."""

    name: Named
    longest_min: dict[str, Minutes]
    """By level; ``""``: it has no levels."""
    gas: Gas | None = None


class PermitRules(Edition):
    """Of permits of special work."""

    kinds: dict[str, PermitKind]


class CommitmentRules(Edition):
    """Of the daily commitment."""

    due_min: Annotated[int, Field(ge=0, lt=1440)]
    """Minutes after midnight, UTC+8."""
    worst_tier: Annotated[int, Field(ge=1, le=4)]

    def due_ms(self, day: str) -> int:
        """Return until when the commitment of a day is due."""
        return day_start_ms(day) + self.due_min * _MINUTE_MS


class JointRules(Edition):
    """Of warnings of neighbours."""

    half_angle_deg: Annotated[float, Field(gt=0, le=180)]
    calm_m_s: Annotated[float, Field(ge=0)]
    radius_m: Annotated[float, Field(gt=0)]
    near_m: Annotated[float, Field(ge=0)]
    confirm_within_min: Minutes


class FindingRules(Edition):
    """Of findings that terminals send."""

    ahead_min: Minutes


class ReportStep(_Row):
    """One step of the chain."""

    name: Named
    within_min: Minutes


class AccidentLevel(_Row):
    """Accidents from so many deaths, injuries or so much loss on."""

    name: Named
    deaths: Annotated[int, Field(ge=0)]
    injured: Annotated[int, Field(ge=0)]
    loss_10k_cny: Annotated[float, Field(ge=0)]
    up_to: StepName


class AmendWithin(_Row):
    """For how many days changes of casualties are reported."""

    general: Annotated[int, Field(gt=0)]
    traffic_or_fire: Annotated[int, Field(gt=0)]


class ReportRules(Edition):
    """Of direct reports of accidents."""

    starts_at_tier: Annotated[int, Field(ge=1, le=4)]
    look_back_min: Minutes
    chain: dict[StepName, ReportStep]
    levels: dict[LevelName, AccidentLevel]
    amend_within_days: AmendWithin

    def level_of(self, deaths: int, injured: int, loss_10k_cny: float) -> LevelName:
        """Return the level of an accident: the worst that one of the figures reaches ("above" includes)."""
        for name, level in self.levels.items():
            if deaths >= level.deaths or injured >= level.injured or loss_10k_cny >= level.loss_10k_cny:
                return name
        return "general"

    def steps(self, level: LevelName) -> dict[StepName, int]:
        """Return step -> milliseconds after the clock began, as far up as a level goes."""
        found: dict[StepName, int] = {}
        minutes = 0
        for name, step in self.chain.items():
            minutes += step.within_min
            found[name] = minutes * _MINUTE_MS
            if name == self.levels[level].up_to:
                break
        return found


class SourceNote(_Row):
    """Where figures are from, and how sure they are."""

    origin: Annotated[str, Field(alias="from")]
    confidence: Literal["V", "S", "M", "D"]
    note: str = ""


class Prevention(_Row):
    """Every edition, the oldest first."""

    sources: dict[str, SourceNote]
    permits: Annotated[tuple[PermitRules, ...], Field(min_length=1)]
    commitments: Annotated[tuple[CommitmentRules, ...], Field(min_length=1)]
    joint: Annotated[tuple[JointRules, ...], Field(min_length=1)]
    findings: Annotated[tuple[FindingRules, ...], Field(min_length=1)]
    reports: Annotated[tuple[ReportRules, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _sound(self) -> Self:
        """Check that editions follow one another, name their sources, and that levels go from the worst down."""
        for name in ("permits", "commitments", "joint", "findings", "reports"):
            editions: Sequence[Edition] = getattr(self, name)
            days = [one.from_day for one in editions]
            if days != sorted(set(days)):
                raise ValueError(f"{name}: from_day has to rise from one edition to the next, found {days}")
            if unknown := {one.source for one in editions} - set(self.sources):
                raise ValueError(f"{name}: no such source: {sorted(unknown)}")
        for rules in self.reports:
            if list(rules.levels) != ["extraordinary", "major", "larger", "general"]:
                raise ValueError("reports: levels are to be extraordinary, major, larger, general, in this order")
        return self


E = TypeVar("E", bound=Edition)


def at(editions: Sequence[E], at_ms: int) -> E:
    """Return the edition in force; before the first one: the first one."""
    day = day_of(at_ms)
    return max((one for one in editions if one.from_day <= day), key=lambda one: one.from_day, default=editions[0])


@cache
def load_prevention() -> Prevention:
    """Read the figures that are shipped with the program (once)."""
    return Prevention.model_validate(yaml.load(FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
