"""The hidden dangers of a place: reported, worked on, looked up."""

from __future__ import annotations

from sqlalchemy import Engine, select

from config.clock import Clock
from gateway.access.roles import Scope
from gateway.dangers.model import Danger, danger_from
from gateway.records.danger_tables import danger
from gateway.records.transaction import using
from gateway.registry.store import Registry, seen_by

__all__ = ["Dangers"]


class Dangers:
    """The hidden dangers. Any thread may use it.

    Args:
        writing: For short transactions beside the pipeline.
        reader: Cannot write.
        clock: Wall.
        registry: Knows whose a place is.
    """

    def __init__(self, writing: Engine, reader: Engine, clock: Clock, registry: Registry) -> None:
        self._writing = writing
        self._reader = reader
        self._clock = clock
        self._registry = registry

    def open_at(
        self,
        scope: Scope,
        *,
        hazard_unit: str = "",
        vessel: str = "",
        tag: str = "",
        enterprise: str = "",
        limit: int = 20,
    ) -> list[Danger]:
        """Return what is wrong somewhere and not over, the worst first, then the newest.

        Args:
            scope: Whose may be seen.
            hazard_unit: At this unit.
            vessel: At this vessel.
            tag: At this tag.
            enterprise: Of this enterprise.
            limit: At most so many.
        """
        places = {"hazard_unit": hazard_unit, "vessel": vessel, "tag": tag, "enterprise": enterprise}
        asked = select(danger).where(danger.c.urgency > 0, seen_by(scope, danger.c.enterprise, danger.c.district))
        for name, value in places.items():
            if value:
                asked = asked.where(danger.c[name] == value)
        worst = (danger.c.urgency.desc(), danger.c.found_ms.desc(), danger.c.id.desc())
        with using(self._reader, "reading hidden dangers") as connection:
            rows = connection.execute(asked.order_by(*worst).limit(limit)).mappings()
            return [danger_from(dict(row)) for row in rows]
