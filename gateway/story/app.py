"""Constructs who tells the story of an alarm."""

from __future__ import annotations

from config.chemicals import load_chemicals
from config.clock import Clock
from config.plant.model import Plant
from gateway.history.port import HistoryReader
from gateway.live import Board
from gateway.notify.desk import DutyDesk
from gateway.place.app import Place
from gateway.records.queries import Queries
from gateway.story.case import Readings, Sources
from gateway.story.hands import Hands
from gateway.story.nearby import Nearby
from gateway.story.neighbourhood import Neighbourhood
from gateway.story.ports import Others
from gateway.story.surroundings import Surroundings
from gateway.story.teller import Teller

__all__ = ["make_teller"]


def make_teller(
    plant: Plant, board: Board, queries: Queries, history: HistoryReader, clock: Clock, place: Place, duty: DutyDesk
) -> Teller:
    """Put together who tells the story of an alarm."""
    load_chemicals()  # takes half a second once: not when the first alarm is asked for
    sources = Sources(
        plant=plant,
        surroundings=Surroundings(plant),
        readings=Readings(board),
        queries=queries,
        history=history,
        registry=place.registry,
        duty=duty,
        nearby=Nearby(queries.engine),
        neighbourhood=Neighbourhood(queries.engine),
        others=Others(place.grades, place.dangers, place.risks, place.prevention),
        clock=clock,
    )
    return Teller(sources, Hands(clock))
