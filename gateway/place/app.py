"""Constructs what is known of the place."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from config.clock import Clock
from config.plant.model import Plant
from config.prevention import load_prevention
from config.risks import load_risk_rules
from gateway.dangers.desk import Dangers
from gateway.dangers.ledger import DangerLedger
from gateway.dangers.watch import DangerWatch
from gateway.grading.book import GradeBook, Readings
from gateway.grading.filings import Filings
from gateway.grading.ground import Grounds
from gateway.grading.meter import Meter
from gateway.grading.state import Standings
from gateway.history.port import HistoryReader
from gateway.live import Board
from gateway.prevention.app import Ports, Prevention, make_prevention
from gateway.prevention.into_dangers import IntoDangers
from gateway.prevention.late_checks import LateChecks
from gateway.prevention.means import Means
from gateway.records.queries import Queries
from gateway.registry.bulk import Bulk
from gateway.registry.care import Care
from gateway.registry.changes import Changes
from gateway.registry.files import tables_of
from gateway.registry.importing import Importing
from gateway.registry.imports import Imports
from gateway.registry.rollup import RollUp
from gateway.registry.store import Registry
from gateway.registry.taking import Uptake
from gateway.registry.where import Where
from gateway.risks.announcement import Announcement
from gateway.risks.assessments import Assessments
from gateway.risks.beside import FiledGrades, PermitCauses
from gateway.risks.book import Risks
from gateway.risks.causes import AlarmCauses, CheckCauses, DangerCauses
from gateway.risks.checks import Checks
from gateway.risks.map import RiskMap
from gateway.risks.tasks import CheckTasks
from gateway.risks.watch import RiskWatch
from gateway.searching.due import note_records, note_staged
from gateway.searching.indexer import Indexer
from gateway.searching.search import Search

__all__ = ["Ground", "Place", "make_place", "open_registry"]


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
    imports: Imports
    prevention: Prevention
    risks: Risks
    check_tasks: CheckTasks
    checks: Checks
    assessments: Assessments
    risk_map: RiskMap
    announcement: Announcement
    risk_watch: RiskWatch

    def threads(self) -> dict[str, Callable[[threading.Event], None]]:
        """Return what is to run, by name, where the pipeline runs; each until its event is set."""
        return {
            "uptake": self.uptake.run,
            "dangers": self.danger_watch.run,
            "grades": self.meter.run,
            "imports": self.imports.run,
            "prevention": self.prevention.rounds.run,
            "risks": self.risk_watch.run,
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


def open_registry(writing: Engine, reader: Engine, clock: Clock) -> tuple[Registry, Importing]:
    """Return the registry and what takes files into it; whatever is written through them is found by the search."""
    registry = Registry(writing, reader, clock, note_records)
    return registry, Importing(registry, Bulk(writing, clock, note_staged))


def make_place(ground: Ground, files: Path | None = None) -> Place:
    """Put together what is known of the place.

    Args:
        ground: What it is made of.
        files: Of the registry, taken in at start.

    Raises:
        BadRequestError: These files cannot be read.
    """
    registry, importing = open_registry(ground.writing, ground.reader, ground.clock)
    changes = Changes(registry, ground.reader)
    where = Where(registry, ground.plant)
    grounds = Grounds(registry, ground.plant)
    filings = Filings(ground.writing, ground.reader, ground.clock, grounds)
    standings = Standings(ground.writing, ground.reader)
    readings = Readings(ground.plant, ground.board, ground.history, ground.queries)
    writing, reader, clock = ground.writing, ground.reader, ground.clock
    dangers = Dangers(writing, reader, clock, registry, where)
    rules = load_risk_rules()
    risks = Risks(writing, reader, clock, where, rules)
    tasks = CheckTasks(writing, reader, clock)
    causes = (AlarmCauses(reader), CheckCauses(reader), DangerCauses(reader), PermitCauses(reader, rules))
    filed = FiledGrades(reader, filings)
    ports = Ports(dangers=dangers, checks=LateChecks(tasks, clock), reporting=IntoDangers(dangers))
    return Place(
        registry=registry,
        uptake=Uptake(registry, ground.plant, importing, () if files is None else tables_of(files)),
        changes=changes,
        care=Care(registry, changes, ground.reader, ground.clock),
        rollup=RollUp(registry, ground.reader),
        dangers=dangers,
        danger_ledger=DangerLedger(ground.reader, ground.clock),
        danger_watch=DangerWatch(ground.writing, ground.reader, ground.clock, where),
        grades=GradeBook(grounds, filings, standings, readings, ground.clock),
        filings=filings,
        standings=standings,
        meter=Meter(grounds, filings, standings, ground.plant, ground.board, ground.clock),
        imports=Imports(ground.writing, ground.reader, importing, ground.clock),
        prevention=make_prevention(_means(ground, registry), ports),
        risks=risks,
        check_tasks=tasks,
        checks=Checks(writing, reader, clock, where, risks, tasks, dangers),
        assessments=Assessments(writing, reader, clock, registry, rules, filed),
        risk_map=RiskMap(registry, reader, filed),
        announcement=Announcement(registry, reader),
        risk_watch=RiskWatch(writing, reader, clock, rules, causes),
        search=Search(ground.reader, ground.plant),
        indexer=Indexer(ground.writing, ground.reader),
    )


def _means(ground: Ground, registry: Registry) -> Means:
    return Means(
        writing=ground.writing,
        reader=ground.reader,
        clock=ground.clock,
        registry=registry,
        plant=ground.plant,
        board=ground.board,
        rules=load_prevention(),
    )
