"""Constructs what is known of the place."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from config.clock import Clock
from config.plant.model import Plant
from gateway.dangers.desk import Dangers
from gateway.history.port import HistoryReader
from gateway.live import Board
from gateway.records.queries import Queries
from gateway.registry.store import Registry
from gateway.searching.indexer import Indexer, note_records
from gateway.searching.search import Search

__all__ = ["Ground", "Place", "make_place"]


@dataclass(frozen=True, slots=True)
class Place:
    """Everything that is known of the place."""

    registry: Registry
    dangers: Dangers
    search: Search
    indexer: Indexer

    def threads(self) -> dict[str, Callable[[threading.Event], None]]:
        """Return what is to run, by name, where the pipeline runs; each until its event is set."""
        return {"search index": self.indexer.run}


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
    registry = Registry(ground.writing, ground.reader, ground.clock, on_written=note_records)
    return Place(
        registry=registry,
        dangers=Dangers(ground.writing, ground.reader, ground.clock, registry),
        search=Search(ground.reader, ground.plant),
        indexer=Indexer(ground.writing, ground.reader),
    )
