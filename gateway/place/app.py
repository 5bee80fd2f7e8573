"""Constructs what is known of the place."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine

from config.clock import Clock
from config.plant.model import Plant
from config.risks import load_risk_rules
from gateway.dangers.desk import Dangers
from gateway.dangers.ledger import DangerLedger
from gateway.dangers.watch import DangerWatch
from gateway.dangers.where import Where
from gateway.history.port import HistoryReader
from gateway.live import Board
from gateway.records.queries import Queries
from gateway.registry.care import Care
from gateway.registry.changes import Changes
from gateway.registry.rollup import RollUp
from gateway.registry.store import Registry
from gateway.registry.taking import Uptake
from gateway.risks.announcement import Announcement
from gateway.risks.assessments import Assessments
from gateway.risks.book import Risks
from gateway.risks.causes import AlarmCauses, CheckCauses, DangerCauses
from gateway.risks.checks import Checks
from gateway.risks.map import RiskMap
from gateway.risks.tasks import CheckTasks
from gateway.risks.watch import RiskWatch

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
    danger_ledger: DangerLedger
    danger_watch: DangerWatch
    risks: Risks
    check_tasks: CheckTasks
    checks: Checks
    assessments: Assessments
    risk_map: RiskMap
    announcement: Announcement
    risk_watch: RiskWatch

    def threads(self) -> dict[str, Callable[[threading.Event], None]]:
        """Return what is to run, by name, where the pipeline runs; each until its event is set."""
        return {"uptake": self.uptake.run, "dangers": self.danger_watch.run, "risks": self.risk_watch.run}


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
    changes = Changes(registry, ground.reader)
    where = Where(registry, ground.plant)
    writing, reader, clock = ground.writing, ground.reader, ground.clock
    dangers = Dangers(writing, reader, clock, registry, where)
    rules = load_risk_rules()
    risks = Risks(writing, reader, clock, where, rules)
    tasks = CheckTasks(writing, reader, clock)
    causes = (AlarmCauses(reader), CheckCauses(reader), DangerCauses(reader))
    return Place(
        registry=registry,
        uptake=Uptake(registry, ground.plant),
        changes=changes,
        care=Care(registry, changes, ground.reader, ground.clock),
        rollup=RollUp(registry, ground.reader),
        dangers=dangers,
        danger_ledger=DangerLedger(ground.reader, ground.clock),
        danger_watch=DangerWatch(writing, reader, clock, where),
        risks=risks,
        check_tasks=tasks,
        checks=Checks(writing, reader, clock, where, risks, tasks, dangers),
        assessments=Assessments(writing, reader, clock, registry, rules),
        risk_map=RiskMap(registry, reader),
        announcement=Announcement(registry, reader),
        risk_watch=RiskWatch(writing, reader, clock, rules, causes),
    )
