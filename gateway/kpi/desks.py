"""Who watches what: operators sit at desks, and figures of alarms are told for each desk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["SITE_DESK", "Desks"]

SITE_DESK = "site"


@dataclass(frozen=True, slots=True)
class Desks:
    """Which desk has which hazard unit; by default one desk has the whole site."""

    of_unit: Mapping[str, str] = field(default_factory=dict)
    """Hazard unit -> desk."""
    default: str = SITE_DESK
    """Has all other hazard units, and what belongs to none."""

    @property
    def names(self) -> tuple[str, ...]:
        """All desks, the default one first."""
        return tuple(dict.fromkeys((self.default, *self.of_unit.values())))

    def desk(self, hazard_unit: str) -> str:
        """Return the desk of a hazard unit."""
        return self.of_unit.get(hazard_unit, self.default)
