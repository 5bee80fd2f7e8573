"""Dated figures of risks (风险): steps of both gradings, colours, what lifts a grade, when to assess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from config.days import CHINA
from config.plant.model import Text

__all__ = [
    "COLOUR_NAMES",
    "Band",
    "Colour",
    "Lifting",
    "Method",
    "RiskEdition",
    "RiskRules",
    "Scale",
    "Step",
    "load_risk_rules",
    "parse_risk_rules",
]

RULES_FILE = Path(__file__).with_name("risks.yaml")


class Colour(StrEnum):
    """The four colours of risks (红橙黄蓝), the worst first: another scale than the tiers of alarms, never mixed."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    BLUE = "blue"

    @property
    def rank(self) -> int:
        """1 to 4; 1 is the worst."""
        return list(Colour).index(self) + 1

    def lifted(self, steps: int) -> Colour:
        """Return the colour so many steps worse."""
        return list(Colour)[max(self.rank - 1 - steps, 0)]


COLOUR_NAMES: Mapping[Colour, Text] = MappingProxyType(
    {
        Colour.RED: Text("重大风险（红）", "major risk (red)"),
        Colour.ORANGE: Text("较大风险（橙）", "larger risk (orange)"),
        Colour.YELLOW: Text("一般风险（黄）", "general risk (yellow)"),
        Colour.BLUE: Text("低风险（蓝）", "low risk (blue)"),
    }
)


class Method(StrEnum):
    """How a risk is graded."""

    LEC = "lec"
    LS = "ls"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a scale."""

    value: Fraction
    name: Text


@dataclass(frozen=True, slots=True)
class Band:
    """A span of scores, from its low end to the next better one's."""

    low: Fraction
    open: bool
    """The low end itself belongs to the next band."""
    colour: Colour
    name: Text

    def holds(self, score: Fraction) -> bool:
        """Say whether a score is in it or above."""
        return score > self.low if self.open else score >= self.low


@dataclass(frozen=True, slots=True)
class Scale:
    """One way of grading: the score is the product of one step of each factor."""

    factors: Mapping[str, tuple[Step, ...]]
    bands: tuple[Band, ...]
    """The worst first; the last one holds what is left."""
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Lifting:
    """What lifts a grade for a while."""

    lifts: Mapping[str, int]
    """Kind of cause -> colours."""
    step_down_ms: int
    """How long each colour lasts when the cause is over."""
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class RiskEdition:
    """The figures that hold from a day on."""

    from_ms: int
    scales: Mapping[Method, Scale]
    lifting: Lifting
    assess_every_years: int
    remind_days: int
    ahead_ms: int
    """By how much the clock of who checks may be ahead."""


@dataclass(frozen=True, slots=True)
class RiskRules:
    """All editions, the oldest first."""

    editions: tuple[RiskEdition, ...]

    def at(self, at_ms: int) -> RiskEdition:
        """Return what holds at a time; before the first edition the first."""
        held = [one for one in self.editions if one.from_ms <= at_ms]
        return held[-1] if held else self.editions[0]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_Words = Annotated[str, StringConstraints(min_length=1, max_length=500)]
_Number = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class _Step(_Row):
    value: Annotated[_Number, Field(gt=0)]
    zh: _Words
    en: _Words


class _Band(_Row):
    above: _Number | None = None
    begins: Annotated[_Number | None, Field(alias="from")] = None
    colour: Colour
    zh: _Words
    en: _Words

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if (self.above is None) == (self.begins is None):
            raise ValueError("a band has either `above` or `from`")
        return self

    @property
    def low(self) -> float:
        return self.begins if self.above is None else self.above  # type: ignore[return-value]  # one of them is


_Steps = Annotated[tuple[_Step, ...], Field(min_length=2)]


class _Scale(_Row):
    source: _Words
    confidence: _Words
    bands: Annotated[tuple[_Band, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        lows = [band.low for band in self.bands]
        if lows != sorted(set(lows), reverse=True):
            raise ValueError("bands: each begins lower than the one before")
        ranks = [band.colour.rank for band in self.bands]
        if ranks != sorted(ranks):
            raise ValueError("bands: the worst colour comes first")
        return self


class _Lec(_Scale):
    likelihood: _Steps
    exposure: _Steps
    consequence: _Steps


class _Ls(_Scale):
    likelihood: _Steps
    severity: _Steps


class _Dynamic(_Row):
    source: _Words
    confidence: _Words
    step_down_minutes: Annotated[_Number, Field(gt=0)]
    lifts: dict[str, Annotated[int, Field(ge=0, le=3)]]


class _Assessment(_Row):
    source: _Words
    confidence: _Words
    every_years: Annotated[int, Field(ge=1, le=10)]
    remind_days: Annotated[int, Field(ge=0, le=366)]


class _Checks(_Row):
    source: _Words
    confidence: _Words
    ahead_minutes: _Number


class _Edition(_Row):
    begins: Annotated[str, Field(alias="from", pattern=r"^\d{4}-\d{2}-\d{2}$")]
    lec: _Lec
    ls: _Ls
    dynamic: _Dynamic
    assessment: _Assessment
    checks: _Checks


class _File(_Row):
    editions: Annotated[tuple[_Edition, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        days = [edition.begins for edition in self.editions]
        if days != sorted(set(days)):
            raise ValueError("editions: each begins later than the one before")
        return self


@cache
def load_risk_rules() -> RiskRules:
    """Read the figures that are shipped with the program (once)."""
    return parse_risk_rules(RULES_FILE.read_text(encoding="utf-8"))


def parse_risk_rules(text: str) -> RiskRules:
    """Return the figures of a file.

    Raises:
        ValueError: It is not as it has to be; says where.
    """
    file = _File.model_validate(yaml.load(text, Loader=yaml.CSafeLoader))
    return RiskRules(tuple(_edition(one) for one in file.editions))


def _edition(one: _Edition) -> RiskEdition:
    begins = datetime.strptime(one.begins, "%Y-%m-%d").replace(tzinfo=CHINA).astimezone(UTC)
    lec = {name: _steps(getattr(one.lec, name)) for name in ("likelihood", "exposure", "consequence")}
    ls = {name: _steps(getattr(one.ls, name)) for name in ("likelihood", "severity")}
    return RiskEdition(
        from_ms=round(begins.timestamp() * 1000),
        scales=MappingProxyType({Method.LEC: _scale(one.lec, lec), Method.LS: _scale(one.ls, ls)}),
        lifting=Lifting(
            MappingProxyType(dict(one.dynamic.lifts)),
            round(one.dynamic.step_down_minutes * 60_000),
            one.dynamic.source,
            one.dynamic.confidence,
        ),
        assess_every_years=one.assessment.every_years,
        remind_days=one.assessment.remind_days,
        ahead_ms=round(one.checks.ahead_minutes * 60_000),
    )


def _scale(one: _Scale, factors: Mapping[str, tuple[Step, ...]]) -> Scale:
    bands = tuple(
        Band(Fraction(str(band.low)), band.above is not None, band.colour, Text(band.zh, band.en)) for band in one.bands
    )
    return Scale(MappingProxyType(dict(factors)), bands, one.source, one.confidence)


def _steps(steps: tuple[_Step, ...]) -> tuple[Step, ...]:
    return tuple(Step(Fraction(str(step.value)), Text(step.zh, step.en)) for step in steps)
