"""A desk of hidden dangers with a clock one can set, on either database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from config.dangers import Clocked
from config.plant.load import read_plant
from config.settings import RecordsAddress
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.dangers.acts import Act, Plan, Who
from gateway.dangers.desk import Dangers
from gateway.dangers.intake import Found
from gateway.dangers.ledger import DangerLedger
from gateway.dangers.model import Danger
from gateway.dangers.states import Event, Grade, Source, State
from gateway.dangers.watch import DangerWatch
from gateway.records import schema
from gateway.records.database import open_desk, open_reader
from gateway.registry.store import Draft, Registry
from gateway.registry.where import Where
from tests.gateway.api.people import TWO_ENTERPRISES
from tests.gateway.api.world import SetClock
from tests.support.rows import alarm_row, event_row

ALL = Scope()
ACME = Scope(enterprises=frozenset({"acme"}))
BRAVO = Scope(enterprises=frozenset({"bravo"}))
ON_BOTH = pytest.mark.parametrize("office", ["sqlite", "postgresql"], indirect=True)
"""For tests of what the two databases may do differently."""
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def who(account: str, scope: Scope = ALL, *, supervises: bool = False) -> Who:
    return Who(By(account, "10.0.0.1"), scope, supervises)


@dataclass
class Office:
    """Everything around a desk."""

    engine: Engine
    dangers: Dangers
    ledger: DangerLedger
    watch: DangerWatch
    registry: Registry
    clock: SetClock = field(default_factory=SetClock)
    events: int = 0

    def found(self, account: str = "li", scope: Scope = ALL, key: str = "", **said: Any) -> Danger:  # noqa: ANN401
        place = {} if {"tag", "enterprise", "alarm_id", "district"} & set(said) else {"hazard_unit": "meoh"}
        what = Found(**{"title": "阀门渗漏", "source": Source.PATROL, **place, **said})
        return self.dangers.report(what, scope, By(account, "10.0.0.1"), key)

    def do(self, one: Danger, event: Event, account: str = "sun", **said: Any) -> Danger:  # noqa: ANN401
        """Do something with a danger as it is now."""
        scope, supervises = said.pop("scope", ALL), said.pop("supervises", False)
        act = Act(event, one.id, **{"text": "说明", "version": one.version, **said})
        return self.dangers.act(act, who(account, scope, supervises=supervises))

    def in_state(self, state: State, grade: Grade = Grade.GENERAL, **said: Any) -> Danger:  # noqa: ANN401
        """Return a danger that was brought into a state."""
        if state is State.PROPOSED:
            return self.proposed()
        one = self.found(**said)
        if state is State.DISMISSED:
            return self.do(one, Event.DISMISS, supervises=True)
        for event in (Event.GRADE, Event.PLAN, Event.RECTIFY, Event.VERIFY, Event.CLOSE):
            if one.state is state:
                return one
            one = self.move(one, event, grade)
        return one

    def proposed(self) -> Danger:
        """Return a danger that alarms of a tag of its own propose."""
        tag = f"X-{self.events}"
        for number in range(5):
            self.alarm(f"{tag}-{number}", tag, state="cleared")
        assert self.turn()[1] == 1
        (one,) = self.dangers.open_at(ALL, tag=tag)
        return one

    def move(self, one: Danger, event: Event, grade: Grade = Grade.GENERAL) -> Danger:
        match event:
            case Event.GRADE:
                return self.do(one, event, grade=grade)
            case Event.PLAN:
                return self.do(one, event, "wang", plan=self.plan())
            case Event.RECTIFY:
                return self.do(one, event, "wang")
            case Event.CLOSE if grade is Grade.MAJOR:
                return self.do(self.receipts(one), event, "zhao")
        return self.do(one, event, "zhao")

    def receipts(self, one: Danger) -> Danger:
        for clock in (Clocked.REPORT_REGULATOR, Clocked.REPORT_CONGRESS):
            one = self.do(one, Event.RECEIPT, receipt=clock, number=f"{clock}-1")
        return one

    def plan(self, days: float = 5, **changes: Any) -> Plan:  # noqa: ANN401
        until_ms = self.clock.now_ms + round(days * DAY_MS)
        return replace(Plan("wang", "更换密封", 3000.0, until_ms, "停用泵，备消防水"), **changes)

    def alarm(self, alarm_id: str, tag: str = "T-1.LEVEL", **changes: Any) -> None:  # noqa: ANN401
        """Keep a raised alarm and its event."""
        self.events += 1
        place = {"hazard_unit": "cl2", "vessel": ""} if tag == "GD-1" else {"hazard_unit": "meoh", "vessel": "T-1"}
        now_ms = self.clock.now_ms
        row = alarm_row(alarm_id=alarm_id, tag=tag, **{**place, "raised_ms": now_ms, "received_ms": now_ms, **changes})
        event = event_row(event_id=self.events, alarm_id=alarm_id, kind="raised")
        with self.engine.begin() as connection:
            connection.execute(insert(schema.alarm), [row])
            connection.execute(insert(schema.alarm_event), [event])

    def clear(self, alarm_id: str) -> None:
        with self.engine.begin() as connection:
            changed = update(schema.alarm).where(schema.alarm.c.alarm_id == alarm_id)
            connection.execute(changed.values(state="cleared", cleared_ms=self.clock.now_ms))

    def turn(self, **later: float) -> tuple[int, int]:
        """Let time pass, and look."""
        self.clock.now_ms += round(later.get("days", 0) * DAY_MS + later.get("hours", 0) * HOUR_MS)
        done = self.watch.turn(self.clock.now_ms)
        return done.climbed, done.proposed

    def put(self, kind: str, name: str, **fields: object) -> None:
        self.registry.write([Draft(kind, {"id": name, "name_zh": name, **fields})], By("ann"), "test")

    def audited(self) -> list[tuple[str, str]]:
        with self.engine.begin() as connection:
            rows = connection.execute(select(schema.audit).order_by(schema.audit.c.seq)).all()
        return [(row.account, row.act) for row in rows if row.act.startswith("danger.")]


@contextmanager
def an_office(folder: Path, address: RecordsAddress | None = None) -> Iterator[Office]:
    desk, reader, clock = open_desk(folder, address), open_reader(folder, address), SetClock()
    schema.metadata.create_all(desk)  # quicker than the migrations, which have a test of their own
    registry = Registry(desk, reader, clock)
    where = Where(registry, read_plant(TWO_ENTERPRISES, "two.yaml"))
    yield Office(
        desk,
        Dangers(desk, reader, clock, registry, where),
        DangerLedger(reader, clock),
        DangerWatch(desk, reader, clock, where),
        registry,
        clock,
    )
    desk.dispose()
    reader.dispose()
