"""Constructs what is known of the place."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from config.clock import Clock
from config.plant.model import Plant
from gateway.dangers.desk import Dangers
from gateway.dangers.ledger import DangerLedger
from gateway.dangers.watch import DangerWatch
from gateway.dangers.where import Where
from gateway.grading.book import GradeBook, Readings
from gateway.grading.filings import Filings
from gateway.grading.ground import Grounds
from gateway.grading.meter import Meter
from gateway.grading.state import Standings
from gateway.history.port import HistoryReader
from gateway.live import Board
from gateway.records.queries import Queries
from gateway.registry.care import Care
from gateway.registry.changes import Changes
from gateway.registry.rollup import RollUp
from gateway.registry.store import Registry
from gateway.registry.taking import Uptake
from gateway.searching.due import note_records
from gateway.searching.indexer import Indexer
from gateway.searching.search import Search

__all__ = ["Ground", "Place", "make_place"]


@dataclass(frozen=True, slots=True)
class Place:
    """Everything that is known of the place."""

    registry: Registry
    uptake: Uptake
    changes: Changes
    care: Care
    rollup: RollUp
    dangers: Dangers
    search: Search
    indexer: Indexer
    danger_ledger: DangerLedger
    danger_watch: DangerWatch
    grades: GradeBook
    filings: Filings
    standings: Standings
    meter: Meter

    def threads(self) -> dict[str, Callable[[threading.Event], None]]:
        """Return what is to run, by name, where the pipeline runs; each until its event is set."""
        return {
            "uptake": self.uptake.run,
            "dangers": self.danger_watch.run,
            "grades": self.meter.run,
            "search": self.indexer.run,
        }


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
    changes = Changes(registry, ground.reader)
    where = Where(registry, ground.plant)
    grounds = Grounds(registry, ground.plant)
    filings = Filings(ground.writing, ground.reader, ground.clock, grounds)
    standings = Standings(ground.writing, ground.reader)
    readings = Readings(ground.plant, ground.board, ground.history, ground.queries)
    return Place(
        registry=registry,
        uptake=Uptake(registry, ground.plant),
        changes=changes,
        care=Care(registry, changes, ground.reader, ground.clock),
        rollup=RollUp(registry, ground.reader),
        dangers=Dangers(ground.writing, ground.reader, ground.clock, registry, where),
        danger_ledger=DangerLedger(ground.reader, ground.clock),
        danger_watch=DangerWatch(ground.writing, ground.reader, ground.clock, where),
        grades=GradeBook(grounds, filings, standings, readings, ground.clock),
        filings=filings,
        standings=standings,
        meter=Meter(grounds, filings, standings, ground.plant, ground.board, ground.clock),
        search=Search(ground.reader, ground.plant),
        indexer=Indexer(ground.writing, ground.reader),
    )
