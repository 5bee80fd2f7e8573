"""An office for tests of prevention: registry, services, live values and a clock one can set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import Engine, insert

from config.prevention import load_prevention
from config.settings import RecordsAddress
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.live import Board, Values
from gateway.prevention.app import Prevention, make_prevention
from gateway.prevention.means import Means
from gateway.records import schema
from gateway.records.database import open_desk, open_reader, open_writer
from gateway.registry.store import Draft, Registry
from tests.gateway.api.world import T0, SetClock
from tests.support.plants import mini_plant
from tests.support.rows import alarm_row

__all__ = ["ACME", "ALL", "ANN", "BOB", "BRAVO", "HOUR_MS", "MINUTE_MS", "TOWN", "Office", "make_office"]

ALL = Scope()
ACME = Scope(enterprises=frozenset({"acme"}))
BRAVO = Scope(enterprises=frozenset({"bravo"}))
TOWN = Scope(districts=frozenset({"town-b"}))
"""Where bravo is."""
ANN, BOB = By("ann", "10.0.0.1"), By("bob", "10.0.0.2")
MINUTE_MS, HOUR_MS = 60_000, 3_600_000


@dataclass
class Office:
    """Everything at hand."""

    means: Means
    writer: Engine
    prevention: Prevention
    clock: SetClock

    def put(self, kind: str, name: str, **fields: object) -> None:
        """Write a record of the registry."""
        body = {"id": name, "name_zh": f"{name}号", "name_en": name, **fields}
        self.means.registry.write([Draft(kind, body)], ANN, "test")

    def alarm(self, name: str, unit: str = "u-a", **changes: object) -> None:
        """Keep an alarm."""
        row = alarm_row(alarm_id=name, **{"hazard_unit": unit, "raised_ms": self.clock.now_ms, **changes})
        with self.writer.begin() as connection:
            connection.execute(insert(schema.alarm), [row])

    def show(self, *tags: str, stale: tuple[str, ...] = ()) -> None:
        """Put fresh good values of tags on the board."""
        count = len(tags) + len(stale)
        times = np.full(count, self.clock.now_ms, np.int64)
        old = np.array([False] * len(tags) + [True] * len(stale))
        quality = np.zeros(count, np.uint8)
        self.means.board.values = Values(self.clock.now_ms, tags + stale, times, times, np.ones(count), quality, old)


def make_office(folder: Path, address: RecordsAddress | None) -> Iterator[Office]:
    """Yield an office where two enterprises have a unit, a vessel and a gas tag each."""
    writer, clock = open_writer(folder, address), SetClock(T0)
    desk, reader = open_desk(folder, address), open_reader(folder, address)
    registry = Registry(desk, reader, clock)
    means = Means(desk, reader, clock, registry, mini_plant(), Board(), load_prevention())
    office = Office(means, writer, make_prevention(means), clock)
    registry.write([draft for one, at in (("a", 0.0), ("b", 0.01)) for draft in _side(one, at)], ANN, "test")
    yield office
    for engine in (writer, desk, reader):
        engine.dispose()


def _side(one: str, north_deg: float) -> list[Draft]:
    """Return the records of one side of the road."""
    enterprise = {"a": "acme", "b": "bravo"}[one]
    at: dict[str, object] = {"district": f"town-{one}", "latitude_deg": 36.8 + north_deg, "longitude_deg": 118.0}
    unit: dict[str, object] = {"enterprise": enterprise, "hazard_unit": f"u-{one}", "district": f"town-{one}"}
    records: tuple[tuple[str, str, dict[str, object]], ...] = (
        ("district", f"town-{one}", {"level": "town", "parent": ""}),
        ("enterprise", enterprise, {"phone": "0533", **at}),
        ("hazard-unit", f"u-{one}", {"enterprise": enterprise, "cas": "7782-50-5", **at}),
        ("vessel", f"v-{one}", {**unit, "cas": "7782-50-5", **at}),
        ("tag", f"g-{one}", unit),
    )
    return [Draft(kind, {"id": name, "name_zh": f"{name}号", "name_en": name, **body}) for kind, name, body in records]
