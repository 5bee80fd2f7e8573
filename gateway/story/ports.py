"""What the story asks of other rooms; each may be absent, and its part is then empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from config.plant.model import Text
from gateway.access.roles import Scope

__all__ = ["Contents", "Grades", "Others", "UnitGrades"]


class UnitGrades(Protocol):
    """Both grades of a hazard unit; see `gateway.grading.book`."""

    @property
    def legal_grade(self) -> int | None: ...
    @property
    def legal_s(self) -> float | None: ...
    @property
    def legal_r(self) -> float | None: ...
    @property
    def filed_ms(self) -> int | None: ...
    @property
    def operational_grade(self) -> int | None: ...
    @property
    def operational_s(self) -> float | None: ...
    @property
    def operational_r(self) -> float | None: ...
    @property
    def as_of_ms(self) -> int | None: ...
    @property
    def complete(self) -> bool: ...
    @property
    def reasons(self) -> tuple[Text, ...]: ...


class Contents(Protocol):
    """What is in a vessel; see `gateway.grading.book`."""

    @property
    def cas(self) -> str: ...
    @property
    def level_fraction(self) -> float | None: ...
    @property
    def volume_m3(self) -> float | None: ...
    @property
    def mass_t(self) -> float | None: ...
    @property
    def temperature_c(self) -> float | None: ...
    @property
    def at_ms(self) -> int | None: ...
    @property
    def basis(self) -> str: ...


class Grades(Protocol):
    """Grades and contents, now and as they were."""

    def of_unit(self, unit: str, scope: Scope, at_ms: int | None = None) -> UnitGrades | None: ...

    def contents(self, vessel: str, scope: Scope, at_ms: int | None = None) -> Contents | None: ...


@dataclass(frozen=True, slots=True)
class Others:
    """The other rooms; None: this gateway has none."""

    grades: Grades | None = None
