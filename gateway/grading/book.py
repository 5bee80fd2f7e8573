"""What the rest of the gateway asks about grades and contents: now, and as they were."""

from __future__ import annotations

from dataclasses import dataclass

from config.plant.model import Text
from gateway.access.roles import Scope

__all__ = ["Contents", "GradeBook", "UnitGrades"]


@dataclass(frozen=True, slots=True)
class UnitGrades:
    """Both grades of a hazard unit: two numbers that are never to be mixed."""

    unit: str
    legal_grade: int | None
    """1 (一级) to 4 (四级), from design maxima, as filed; None: not filed, or no major hazard source."""
    legal_s: float | None
    legal_r: float | None
    filed_ms: int | None
    """When the filing in force was taken in; None: there is none."""
    operational_grade: int | None
    """From what is in the vessels; None: not known, or S < 1."""
    operational_s: float | None
    operational_r: float | None
    as_of_ms: int | None
    """Of the operational figures."""
    complete: bool
    """The level of every vessel of the unit was used."""
    reasons: tuple[Text, ...]
    """Why the operational figures are not complete, vessel by vessel, and what no longer fits the filing."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a vessel."""

    vessel: str
    cas: str
    level_fraction: float | None
    """Of the inner height, 0 to 1."""
    volume_m3: float | None
    mass_t: float | None
    temperature_c: float | None
    at_ms: int | None
    """When the level was measured; None: never."""
    basis: str
    """``level``: measured; ``last_known``: measured earlier, the gauge says nothing usable now; ``design_max``: never
    measured, the design maximum stands for it; ``unknown``."""


class GradeBook:
    """Answers what the grades of a unit and the contents of a vessel are, or were."""

    def of_unit(self, unit: str, scope: Scope, at_ms: int | None = None) -> UnitGrades | None:
        """Return both grades of a unit; None: there is no such unit that may be seen.

        Args:
            unit: Id.
            scope: Whose things may be seen; widened.
            at_ms: As it was then; None: now.
        """
        raise NotImplementedError

    def contents(self, vessel: str, scope: Scope, at_ms: int | None = None) -> Contents | None:
        """Return what is in a vessel; None: there is no such vessel that may be seen.

        Args:
            vessel: Id.
            scope: Whose things may be seen; widened.
            at_ms: As it was then; None: now.
        """
        raise NotImplementedError
