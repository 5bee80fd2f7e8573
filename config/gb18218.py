"""GB 18218: categories, correction factors, steps and bands, by edition; and this house's choices for live figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from config.chemicals import SourceNote, is_cas
from config.plant.model import Text

__all__ = ["Band", "Category", "Edition", "Operational", "Standard", "Step", "ToxicGas", "edition_on", "load_gb18218"]

_FILE = Path(__file__).with_name("gb18218.yaml")


@dataclass(frozen=True, slots=True)
class Category:
    """A row of table 2 with its factor of table 4."""

    symbol: str
    name: Text
    quantity_t: Fraction
    beta: Fraction


@dataclass(frozen=True, slots=True)
class ToxicGas:
    """A row of table 3."""

    cas: str
    name: Text
    beta: Fraction


@dataclass(frozen=True, slots=True)
class Step:
    """A step of alpha: from so many exposed people on."""

    from_people: int
    alpha: Fraction


@dataclass(frozen=True, slots=True)
class Band:
    """A grade, and the R from which on it holds."""

    grade: int
    from_r: Fraction


@dataclass(frozen=True, slots=True)
class Edition:
    """The standard as it holds from a day on."""

    standard: str
    in_force: date
    sources: Mapping[str, SourceNote]
    categories: Mapping[str, Category]
    toxic_gases: Mapping[str, ToxicGas]
    """By CAS number."""
    alpha: tuple[Step, ...]
    """The fewest people first; the first is of nobody."""
    bands: tuple[Band, ...]
    """The mildest grade first; the first is of R = 0."""

    def alpha_of(self, people: int) -> Fraction:
        """Return alpha for so many exposed people."""
        return max((step for step in self.alpha if step.from_people <= people), key=lambda one: one.from_people).alpha

    def grade_of(self, r: Fraction) -> int:
        """Return the grade of a major hazard source."""
        return max((band for band in self.bands if band.from_r <= r), key=lambda one: one.from_r).grade


@dataclass(frozen=True, slots=True)
class Operational:
    """How the live figures are made, from a day on."""

    in_force: date
    source: SourceNote
    deadband: float
    """Share of an edge below which a band is left downwards."""
    zero_drift: float
    """Share of the height by which a level may be below empty and is still believed."""
    write_every_ms: int
    write_change: float
    """Share of S that is a change."""
    look_back_ms: int


@dataclass(frozen=True, slots=True)
class Standard:
    """All there is in the file."""

    editions: tuple[Edition, ...]
    """The oldest first."""
    operational: tuple[Operational, ...]

    def operational_on(self, day: date) -> Operational:
        """Return how live figures are made on a day; before the first, as by the first."""
        return max(
            (one for one in self.operational if one.in_force <= day),
            key=lambda one: one.in_force,
            default=self.operational[0],
        )


def edition_on(day: date) -> Edition:
    """Return the edition in force on a day; before the first, the first."""
    editions = load_gb18218().editions
    return max((one for one in editions if one.in_force <= day), key=lambda one: one.in_force, default=editions[0])


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _checked(cas: str) -> str:
    if not is_cas(cas):
        raise ValueError(f"{cas}: not a CAS number")
    return cas


class _Source(_Row):
    origin: Annotated[str, Field(alias="from")]
    confidence: str
    note: str = ""

    def made(self) -> SourceNote:
        return SourceNote(self.origin, self.confidence, self.note)


class _Category(_Row):
    quantity_t: Annotated[float, Field(gt=0)]
    beta: Annotated[float, Field(gt=0)]
    zh: str
    en: str
    note: str = ""


class _ToxicGas(_Row):
    cas: Annotated[str, AfterValidator(_checked)]
    zh: str
    en: str
    beta: Annotated[float, Field(gt=0)]


class _Step(_Row):
    from_people: Annotated[int, Field(ge=0)]
    alpha: Annotated[float, Field(gt=0)]


class _Band(_Row):
    grade: Annotated[int, Field(ge=1, le=4)]
    from_r: Annotated[float, Field(ge=0)]


class _Edition(_Row):
    standard: str
    in_force: date
    sources: dict[str, _Source]
    categories: dict[str, _Category]
    toxic_gases: tuple[_ToxicGas, ...]
    alpha: tuple[_Step, ...]
    bands: tuple[_Band, ...]

    @model_validator(mode="after")
    def _begin_at_nothing(self) -> Self:
        people, edges = [one.from_people for one in self.alpha], [one.from_r for one in self.bands]
        for name, found in (("alpha", people), ("bands", edges)):
            if not found or found[0] or sorted(set(found)) != found:
                raise ValueError(f"{self.standard}: {name} must begin at 0 and rise")
        return self


class _Operational(_Row):
    in_force: date
    source: _Source
    deadband_percent: Annotated[float, Field(ge=0, lt=100)]
    zero_drift_percent: Annotated[float, Field(ge=0, lt=100)]
    write_every_s: Annotated[float, Field(gt=0)]
    write_change_percent: Annotated[float, Field(ge=0)]
    look_back_s: Annotated[float, Field(gt=0)]


class _File(_Row):
    editions: Annotated[tuple[_Edition, ...], Field(min_length=1)]
    operational: Annotated[tuple[_Operational, ...], Field(min_length=1)]


@cache
def load_gb18218() -> Standard:
    """Read what is shipped with the program (once)."""
    file = _File.model_validate(yaml.load(_FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
    return Standard(
        tuple(sorted(map(_edition, file.editions), key=lambda one: one.in_force)),
        tuple(sorted(map(_operational, file.operational), key=lambda one: one.in_force)),
    )


def _edition(row: _Edition) -> Edition:
    return Edition(
        standard=row.standard,
        in_force=row.in_force,
        sources=MappingProxyType({name: one.made() for name, one in row.sources.items()}),
        categories=MappingProxyType(
            {
                symbol: Category(symbol, Text(one.zh, one.en), _exact(one.quantity_t), _exact(one.beta))
                for symbol, one in row.categories.items()
            }
        ),
        toxic_gases=MappingProxyType(
            {one.cas: ToxicGas(one.cas, Text(one.zh, one.en), _exact(one.beta)) for one in row.toxic_gases}
        ),
        alpha=tuple(Step(one.from_people, _exact(one.alpha)) for one in row.alpha),
        bands=tuple(Band(one.grade, _exact(one.from_r)) for one in row.bands),
    )


def _operational(row: _Operational) -> Operational:
    return Operational(
        in_force=row.in_force,
        source=row.source.made(),
        deadband=row.deadband_percent / 100,
        zero_drift=row.zero_drift_percent / 100,
        write_every_ms=round(row.write_every_s * 1000),
        write_change=row.write_change_percent / 100,
        look_back_ms=round(row.look_back_s * 1000),
    )


def _exact(figure: float) -> Fraction:
    """Return a figure as it is printed: 1.2 is 6/5."""
    return Fraction(str(figure))
