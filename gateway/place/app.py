"""Constructs what is known of the place."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from config.clock import Clock
from config.plant.model import Plant
from config.prevention import load_prevention
from gateway.history.port import HistoryReader
from gateway.live import Board
from gateway.prevention.app import Prevention, make_prevention
from gateway.prevention.means import Means
from gateway.records.queries import Queries
from gateway.registry.store import Registry

__all__ = ["Ground", "Place", "make_place"]


@dataclass(frozen=True, slots=True)
class Place:
    """Everything that is known of the place."""

    registry: Registry
    prevention: Prevention

    def threads(self) -> dict[str, Callable[[threading.Event], None]]:
        """Return what is to run, by name, where the pipeline runs; each until its event is set."""
        return {"prevention": self.prevention.rounds.run}


@dataclass(frozen=True, slots=True)
class Ground:
    """What it is made of.

    Args:
        writing: For short transactions beside the pipeline.
        reader: Cannot write.
        queries: Of the alarms.
        history: Of the samples.
        plant: What is watched.
        board: What it reads now.
        clock: Wall.
    """

    writing: Engine
    reader: Engine
    queries: Queries
    history: HistoryReader
    plant: Plant
    board: Board
    clock: Clock


def make_place(ground: Ground) -> Place:
    """Put together what is known of the place."""
    registry = Registry(ground.writing, ground.reader, ground.clock)
    means = Means(
        writing=ground.writing,
        reader=ground.reader,
        clock=ground.clock,
        registry=registry,
        plant=ground.plant,
        board=ground.board,
        rules=load_prevention(),
    )
    return Place(registry=registry, prevention=make_prevention(means))
