"""The room of risks with a clock one can set, on either database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from config.plant.load import read_plant
from config.risks import Method, load_risk_rules
from config.settings import RecordsAddress
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.dangers.acts import Act, Who
from gateway.dangers.desk import Dangers
from gateway.dangers.states import Event, Grade
from gateway.grading.filings import Filings
from gateway.grading.ground import Grounds
from gateway.records import schema
from gateway.records.database import open_desk, open_reader
from gateway.registry.store import Draft, Registry
from gateway.registry.where import Where
from gateway.risks.assessments import Assessments
from gateway.risks.beside import FiledGrades, PermitCauses
from gateway.risks.book import RiskDraft, Risks
from gateway.risks.causes import AlarmCauses, CheckCauses, DangerCauses
from gateway.risks.checks import CheckDraft, Checks
from gateway.risks.model import CheckRecord, CheckTask, MeasureSort, Outcome, Risk, Sort, Unit
from gateway.risks.tasks import CheckTasks, TaskDraft
from gateway.risks.watch import RiskWatch
from tests.gateway.api.people import TWO_ENTERPRISES
from tests.gateway.api.world import SetClock
from tests.support.rows import alarm_row

ALL = Scope()
ACME = Scope(enterprises=frozenset({"acme"}))
BRAVO = Scope(enterprises=frozenset({"bravo"}))
LI = By("li", "10.0.0.1")
ON_BOTH = pytest.mark.parametrize("office", ["sqlite", "postgresql"], indirect=True)
"""For tests of what the two databases may do differently."""
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
LOW = {"likelihood": 2, "severity": 2}
MAJOR = {"likelihood": 5, "severity": 5}


@dataclass
class Office:
    """Everything around the risks."""

    engine: Engine
    registry: Registry
    dangers: Dangers
    risks: Risks
    tasks: CheckTasks
    checks: Checks
    assessments: Assessments
    watch: RiskWatch
    clock: SetClock = field(default_factory=SetClock)

    def risk(self, scope: Scope = ALL, **said: Any) -> Risk:  # noqa: ANN401 - fields of RiskDraft
        place = {} if {"vessel", "hazard_unit", "site", "enterprise"} & set(said) else {"hazard_unit": "meoh"}
        draft = {"name": "泄漏", "sort": Sort.EQUIPMENT, "method": Method.LS, "factors": LOW, **place, **said}
        return self.risks.add(RiskDraft(**draft), scope, LI)

    def task(self, risk: Risk, every: int = 1, unit: Unit = Unit.DAY) -> CheckTask:
        measure = self.risks.add_measure(risk.id, MeasureSort.MANAGEMENT, "巡检", ALL, LI)
        return self.tasks.add(measure.id, TaskDraft("查法兰", every, unit, "巡检工"), ALL, LI)

    def check(self, key: str, scope: Scope = ALL, by: By = LI, **said: Any) -> CheckRecord:  # noqa: ANN401
        draft = {"key": key, "done_ms": self.clock.now_ms, "result": Outcome.OK, **said}
        return self.checks.record(CheckDraft(**draft), scope, by)

    def alarm(self, alarm_id: str, **changes: Any) -> None:  # noqa: ANN401 - columns
        row = alarm_row(alarm_id, raised_ms=self.clock.now_ms, **changes)
        with self.engine.begin() as connection:
            connection.execute(insert(schema.alarm), [row])

    def clear(self, alarm_id: str) -> None:
        changes = {"state": "cleared", "cleared_ms": self.clock.now_ms}
        with self.engine.begin() as connection:
            connection.execute(update(schema.alarm).where(schema.alarm.c.alarm_id == alarm_id).values(changes))

    def grade(self, danger_id: str, grade: Grade) -> None:
        one = self.dangers.get(danger_id, ALL)
        self.dangers.act(Act(Event.GRADE, danger_id, one.version, "说明", grade=grade), Who(LI, ALL, False))  # noqa: FBT003

    def colour(self, risk: Risk) -> str:
        return self.risks.get(risk.id, ALL).dynamic_colour.value

    def turn(self, later_ms: int = 0) -> int:
        """Let time pass and look; returns how many colours changed."""
        self.clock.now_ms += later_ms
        return self.watch.turn(self.clock.now_ms).changed

    def register(self, kind: str, **body: Any) -> None:  # noqa: ANN401 - fields of the record
        self.registry.write([Draft(kind, body)], By("ann"), "test")

    def acts(self) -> list[str]:
        with self.engine.begin() as connection:
            return list(connection.scalars(select(schema.audit.c.act).order_by(schema.audit.c.seq)))


@contextmanager
def an_office(folder: Path, address: RecordsAddress | None = None) -> Iterator[Office]:
    desk, reader, clock = open_desk(folder, address), open_reader(folder, address), SetClock()
    schema.metadata.create_all(desk)  # quicker than the migrations, which have a test of their own
    registry, rules = Registry(desk, reader, clock), load_risk_rules()
    where = Where(registry, read_plant(TWO_ENTERPRISES, "two.yaml"))
    dangers = Dangers(desk, reader, clock, registry, where)
    risks, tasks = Risks(desk, reader, clock, where, rules), CheckTasks(desk, reader, clock)
    sources = (AlarmCauses(reader), CheckCauses(reader), DangerCauses(reader), PermitCauses(reader, rules))
    filings = Filings(desk, reader, clock, Grounds(registry, read_plant(TWO_ENTERPRISES, "two.yaml")))
    yield Office(
        desk,
        registry,
        dangers,
        risks,
        tasks,
        Checks(desk, reader, clock, where, risks, tasks, dangers),
        Assessments(desk, reader, clock, registry, rules, FiledGrades(reader, filings)),
        RiskWatch(desk, reader, clock, rules, sources),
        clock,
    )
    desk.dispose()
    reader.dispose()
