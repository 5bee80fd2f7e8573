"""Dated figures of hidden dangers (隐患): deadlines, levels of escalation, when alarms propose one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from config.days import CHINA
from config.plant.model import Text

__all__ = ["Clocked", "DangerRules", "Deadline", "Edition", "Level", "load_danger_rules", "parse_danger_rules"]

RULES_FILE = Path(__file__).with_name("dangers.yaml")
_HOUR_MS = 3_600_000


class Clocked(StrEnum):
    """What is to be done in time."""

    ACCEPT = "accept"
    GRADE = "grade"
    PLAN = "plan"
    RECTIFY = "rectify"
    VERIFY = "verify"
    CLOSE = "close"
    REPORT_REGULATOR = "report_regulator"
    REPORT_CONGRESS = "report_congress"
    SUPERVISION = "supervision"


@dataclass(frozen=True, slots=True)
class Deadline:
    """How long something may take, and where that is from."""

    general_ms: int
    major_ms: int
    holder: Text
    """The post that is to do it."""
    source: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Level:
    """Whom a late one is with, so long after its deadline."""

    after_ms: int
    holder: Text


@dataclass(frozen=True, slots=True)
class Edition:
    """The figures that hold from a day on."""

    from_ms: int
    clocks: Mapping[Clocked, Deadline]
    levels: tuple[Level, ...]
    most_extensions: int
    longest_extension_ms: int
    recurring_times: int
    recurring_ms: int
    not_counted: frozenset[str]
    """Verdicts of alarms that do not count."""
    match_before_ms: int
    match_after_ms: int
    match_radius_m: float


@dataclass(frozen=True, slots=True)
class DangerRules:
    """All editions, the oldest first."""

    editions: tuple[Edition, ...]

    def at(self, at_ms: int) -> Edition:
        """Return what holds at a time; before the first edition the first."""
        return max((one for one in self.editions if one.from_ms <= at_ms), default=self.editions[0], key=_begin)


def _begin(edition: Edition) -> int:
    return edition.from_ms


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_Hours = Annotated[float, Field(ge=0, le=87_600, allow_inf_nan=False)]
_Words = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class _Text(_Row):
    zh: _Words
    en: _Words

    def text(self) -> Text:
        return Text(self.zh, self.en)


class _ByGrade(_Row):
    general: Annotated[_Hours, Field(gt=0)]
    major: Annotated[_Hours, Field(gt=0)]


class _Clock(_Row):
    hours: _ByGrade
    holder: _Text
    source: _Words
    confidence: _Words


class _Level(_Row):
    after_hours: _Hours
    holder: Annotated[_Text, Field(alias="with")]


class _Extension(_Row):
    most: Annotated[int, Field(ge=0, le=100)]
    longest_hours: _Hours


class _Recurring(_Row):
    times: Annotated[int, Field(ge=2, le=10_000)]
    days: Annotated[float, Field(gt=0, le=366)]
    not_counted: tuple[str, ...] = ()


class _Match(_Row):
    before_minutes: Annotated[float, Field(ge=0, le=10_080)]
    after_minutes: Annotated[float, Field(ge=0, le=10_080)]
    radius_m: Annotated[float, Field(gt=0, le=100_000)]


class _Edition(_Row):
    begins: Annotated[str, Field(alias="from", pattern=r"^\d{4}-\d{2}-\d{2}$")]
    note: str = ""
    clocks: dict[Clocked, _Clock]
    levels: Annotated[tuple[_Level, ...], Field(min_length=1, max_length=9)]
    extension: _Extension
    recurring: _Recurring
    report_match: _Match

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if missing := set(Clocked) - set(self.clocks):
            raise ValueError(f"clocks: {', '.join(sorted(missing))} missing")
        steps = [level.after_hours for level in self.levels]
        if steps != sorted(set(steps)):
            raise ValueError("levels: each is later than the one before")
        return self


class _File(_Row):
    editions: Annotated[tuple[_Edition, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        days = [edition.begins for edition in self.editions]
        if days != sorted(set(days)):
            raise ValueError("editions: each begins later than the one before")
        return self


@cache
def load_danger_rules() -> DangerRules:
    """Read the figures that are shipped with the program (once)."""
    return parse_danger_rules(RULES_FILE.read_text(encoding="utf-8"))


def parse_danger_rules(text: str) -> DangerRules:
    """Return the figures of a file.

    Raises:
        ValueError: It is not as it has to be; says where.
    """
    file = _File.model_validate(yaml.load(text, Loader=yaml.CSafeLoader))
    return DangerRules(tuple(_edition(one) for one in file.editions))


def _edition(one: _Edition) -> Edition:
    begins = datetime.strptime(one.begins, "%Y-%m-%d").replace(tzinfo=CHINA).astimezone(UTC)
    return Edition(
        from_ms=round(begins.timestamp() * 1000),
        clocks=MappingProxyType({name: _deadline(clock) for name, clock in one.clocks.items()}),
        levels=tuple(Level(round(level.after_hours * _HOUR_MS), level.holder.text()) for level in one.levels),
        most_extensions=one.extension.most,
        longest_extension_ms=round(one.extension.longest_hours * _HOUR_MS),
        recurring_times=one.recurring.times,
        recurring_ms=round(one.recurring.days * 24 * _HOUR_MS),
        not_counted=frozenset(one.recurring.not_counted),
        match_before_ms=round(one.report_match.before_minutes * 60_000),
        match_after_ms=round(one.report_match.after_minutes * 60_000),
        match_radius_m=one.report_match.radius_m,
    )


def _deadline(clock: _Clock) -> Deadline:
    return Deadline(
        general_ms=round(clock.hours.general * _HOUR_MS),
        major_ms=round(clock.hours.major * _HOUR_MS),
        holder=clock.holder.text(),
        source=clock.source,
        confidence=clock.confidence,
    )
