"""What every endpoint is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from config.clock import Clock
from config.plant.model import Plant, Tag
from gateway.api.feed import Feed
from gateway.api.problems import NoSuchThingError
from gateway.commands import Asking
from gateway.history.port import HistoryReader
from gateway.kpi.compute import Kpis
from gateway.kpi.lately import Lately
from gateway.kpi.months import Months
from gateway.kpi.now import Now
from gateway.live import Board
from gateway.records.queries import Queries

__all__ = ["Context", "InContext"]


@dataclass(frozen=True, slots=True)
class Context:
    """Where endpoints find their answers."""

    plant: Plant
    board: Board
    queries: Queries
    history: HistoryReader
    clock: Clock
    software_version: str
    feed: Feed
    inbox: Asking
    kpis: Kpis
    months: Months
    now: Now
    lately: Lately

    def tag(self, name: str) -> Tag:
        """Return a tag of the plant.

        Raises:
            NoSuchThingError: The plant has no such tag.
        """
        tag = self.plant.tags.get(name)
        if tag is None:
            raise NoSuchThingError("tag", name, "a tag listed at /api/v1/tags")
        return tag


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


InContext = Annotated[Context, Depends(_context)]
