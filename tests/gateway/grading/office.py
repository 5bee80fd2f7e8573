"""A plant with its registry, filings, meter and grade book, on records that may be on SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from sqlalchemy import Engine, create_engine, insert

from config.plant.load import read_plant
from config.plant.model import Plant
from config.settings import RecordsAddress
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.grading.factors import Item
from gateway.grading.filings import Declaration, Filing
from gateway.live import Board, Values
from gateway.place.app import Ground, Place, make_place
from gateway.records import schema
from gateway.records.database import DATABASE_FILE, open_desk, open_reader, open_writer
from gateway.records.queries import Queries
from gateway.registry.store import Draft
from tests.gateway.api.world import ListHistory, SetClock
from tests.support.plants import MINI_PLANT

ALL = Scope()
ACME, BRAVO = Scope(frozenset({"acme"})), Scope(frozenset({"bravo"}))
ANN = By("ann", "10.0.0.1")
METHANOL, CHLORINE = "67-56-1", "7782-50-5"

_PERCENT = """\
  {vessel}.LEVEL:
    description: {{zh: "液位", en: "level"}}
    kind: level_transmitter
    quantity: fraction
    unit: "%"
    range: [0, 100]
    period: 1s
    edge: edge-b
    vessel: {vessel}
"""
_VESSELS = """\
  T-2: {name: {zh: "2号罐", en: "Tank 2"}, kind: sphere, hazard_unit: meoh, capacity_m3: 1000, height_m: 12}
  C-1: {name: {zh: "氯罐", en: "Chlorine 1"}, kind: horizontal_tank, hazard_unit: cl2, capacity_m3: 30, height_m: 2}
"""
PLANT = MINI_PLANT.replace("cas: 7782-50-5}", "cas: 7782-50-5, enterprise: bravo}")
PLANT = PLANT.replace("edges:\n", f"{_VESSELS}edges:\n", 1)
PLANT = PLANT.replace("  GD-1:", _PERCENT.format(vessel="T-2") + _PERCENT.format(vessel="C-1") + "  GD-1:", 1)


def grading_plant() -> Plant:
    """Methanol of acme (T-1 standing, T-2 a sphere), chlorine of bravo (C-1 lying)."""
    return read_plant(PLANT, "grading.yaml")


def item(cas: str, tonnes: float, vessel: str = "") -> Item:
    return Item(cas, cas, Fraction(str(tonnes)), vessel=vessel)


@dataclass
class Office:
    """The place, and the hands to change it."""

    place: Place
    board: Board
    clock: SetClock
    history: ListHistory
    plant: Plant
    now: dict[str, tuple[float, int, bool]] = field(default_factory=dict)
    """Tag -> value, quality, stale."""

    def put(self, kind: str, name: str, **fields: object) -> None:
        self.place.registry.write([Draft(kind, {"id": name, "name_zh": name, **fields})], ANN, "test")
        self.place.meter.renew()

    def file(self, unit: str, *items: Item, people: int = 1, scope: Scope = ALL, **more: str) -> Filing:
        self.place.meter.renew()
        return self.place.filings.file(unit, Declaration(items, people, **more), scope, ANN)

    def show(self, tag: str, value: float, quality: int = 0, *, stale: bool = False) -> None:
        """Put a value on the board."""
        self.now[tag] = value, quality, stale
        names = tuple(self.plant.tags)
        known = [self.now.get(name, (float("nan"), 0, True)) for name in names]
        times = np.full(len(names), self.clock.now_ms, np.int64)
        same = self.board.values.names if self.board.values else names
        self.board.values = Values(
            self.clock.now_ms,
            same,
            times,
            times,
            np.array([one[0] for one in known]),
            np.array([one[1] for one in known], np.uint8),
            np.array([one[2] for one in known]),
        )

    def turn(self, later_ms: int = 1000) -> None:
        self.clock.now_ms += later_ms
        self.place.meter.turn(self.clock.now_ms)


def make_office(folder: Path, address: RecordsAddress | None) -> Iterator[Office]:
    """Yield an office with empty records and numbered tags."""
    plant, board, clock, history = grading_plant(), Board(), SetClock(), ListHistory()
    writer = _writer(folder, address)
    with writer.begin() as connection:
        rows = [{"tag_id": row, "name": name} for row, name in enumerate(plant.tags)]
        connection.execute(insert(schema.tag), rows)
    desk, reader = open_desk(folder, address), open_reader(folder, address)
    ground = Ground(desk, reader, Queries(reader), history, plant, board, clock)
    yield Office(make_place(ground), board, clock, history, plant)
    for engine in (desk, reader, writer):
        engine.dispose()


def _writer(folder: Path, address: RecordsAddress | None) -> Engine:
    if address is not None:
        return open_writer(folder, address)
    engine = create_engine(f"sqlite:///{folder / DATABASE_FILE}")
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    schema.metadata.create_all(engine)  # as the migrations do, and quicker
    return engine
