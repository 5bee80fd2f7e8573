"""Makes hidden dangers of findings."""

from __future__ import annotations

from gateway.access.roles import Scope
from gateway.commands import By
from gateway.dangers.desk import Dangers
from gateway.dangers.intake import Found
from gateway.dangers.states import Source
from gateway.prevention.findings import Finding

__all__ = ["IntoDangers"]

_TITLE_CHARS = 100


class IntoDangers:
    """Fulfils `gateway.prevention.ports.TurnsIntoDanger`.

    Args:
        dangers: Takes them in.
    """

    def __init__(self, dangers: Dangers) -> None:
        self._dangers = dangers

    def take(self, finding: Finding, scope: Scope, by: By) -> str:
        """Make a finding a hidden danger; returns the danger's id. The same finding again is the same danger."""
        said = finding.said
        found = Found(
            title=said.text[:_TITLE_CHARS],
            source=Source.INSPECTION,
            text=said.text,
            tag=finding.tag,
            vessel=finding.vessel,
            hazard_unit=finding.hazard_unit,
            latitude_deg=said.latitude_deg,
            longitude_deg=said.longitude_deg,
            seen_ms=finding.found_ms,
            finding=finding.id,
        )
        return self._dangers.report(found, scope, by, key=f"finding:{finding.id}").id
