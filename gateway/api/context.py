"""What every endpoint is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from config.clock import Clock
from config.plant.model import Plant
from gateway.api.feed import Feed
from gateway.commands import Asking
from gateway.history.port import HistoryReader
from gateway.kpi.compute import Kpis
from gateway.kpi.lately import Lately
from gateway.kpi.months import Months
from gateway.kpi.now import Now
from gateway.live import Board
from gateway.notify.desk import DutyDesk
from gateway.place.app import Place
from gateway.records.queries import Queries
from gateway.shift.attachments import Attachments
from gateway.shift.handover import Handovers
from gateway.shift.links import Links
from gateway.story.teller import Teller

if TYPE_CHECKING:
    from gateway.api.guard import Gate

__all__ = ["Context", "Desk", "InContext"]


@dataclass(frozen=True, slots=True)
class Desk:
    """What people hand over, beside the pipeline."""

    handovers: Handovers
    links: Links
    attachments: Attachments
    duty: DutyDesk


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
    gate: Gate
    desk: Desk
    kpis: Kpis
    months: Months
    now: Now
    lately: Lately
    place: Place
    teller: Teller
    seen: dict[frozenset[str], Plant] = field(default_factory=dict)
    """The plant as those may see it who may see some hazard units only."""


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


InContext = Annotated[Context, Depends(_context)]
