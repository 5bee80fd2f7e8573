"""How fast hidden dangers are read and looked after, from records with as many as nobody should have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, insert, text

from config.clock import Clock
from config.dangers import Clocked
from config.settings import RecordsAddress
from gateway.access.roles import Scope
from gateway.dangers.desk import Dangers
from gateway.dangers.intake import new_danger
from gateway.dangers.ledger import DangerLedger, DangerSort, Wanted
from gateway.dangers.model import Danger, urgency_of
from gateway.dangers.rows import row_of
from gateway.dangers.states import OVER, Grade, Source, State
from gateway.dangers.watch import DangerWatch
from gateway.records.danger_tables import danger, danger_clock
from gateway.records.database import checkpoint, open_desk, open_reader, open_writer
from gateway.registry.store import Registry
from gateway.registry.where import Where
from hazgate.bench.plant import bench_plant

__all__ = ["measure_dangers"]

_CHUNK = 25_000
_CACHE = "PRAGMA cache_size=-1000000"
"""While the records are filled: the indexes, whose pages are written all over, fit in (1 GB)."""
_DAY_MS = 86_400_000
_UNITS_EACH = 4
"""Hazard units of an enterprise."""
_DISTRICTS = 50
_OPEN = (State.REPORTED, State.GRADED, State.RECTIFYING, State.RECTIFIED, State.VERIFIED)
_OPEN_SHARE, _MAJOR_SHARE = 0.2, 0.1


def measure_dangers(
    folder: Path,
    dangers: int,
    enterprises: int,
    seed: int,
    clock: Clock,
    say: Callable[[str], None],
    address: RecordsAddress | None = None,
) -> dict[str, Any]:
    """Fill the records with hidden dangers, a fifth of them open, and ask what a gateway asks; times in ms.

    Args:
        folder: Where SQLite records are made.
        dangers: How many.
        enterprises: Whose; each has four units.
        seed: Of the generator.
        clock: For the time it takes.
        say: Told what is going on.
        address: A PostgreSQL database instead, empty.
    """
    open_writer(folder, address).dispose()
    desk, reader = open_desk(folder, address), open_reader(folder, address)
    now_ms, chance = clock.wall_ms(), np.random.default_rng(seed)
    say(f"filling the records: {dangers} hidden dangers")
    for made in _made(dangers, enterprises, now_ms, chance):
        with desk.begin() as connection:
            if address is None:
                connection.exec_driver_sql(_CACHE)
            connection.execute(insert(danger), [row_of(one) for one in made])
            connection.execute(insert(danger_clock), [_clock_of(one) for one in made])
        if address is None:
            checkpoint(desk)  # as the keeper of a gateway does
    if address is not None:
        with desk.begin() as connection:
            connection.execute(text("ANALYZE"))
    say("asking")
    found = _asked(desk, reader, clock, enterprises, chance)
    desk.dispose()
    reader.dispose()
    return {"dangers": dangers, "enterprises": enterprises, "seed": seed, **found}


def _asked(desk: Engine, reader: Engine, clock: Clock, enterprises: int, chance: np.random.Generator) -> dict[str, Any]:
    registry = Registry(desk, reader, clock)
    where = Where(registry, bench_plant(1, 1))
    room, ledger = Dangers(desk, reader, clock, registry, where), DangerLedger(reader, clock)
    watch, everything = DangerWatch(desk, reader, clock, where), Scope()
    now_ms = clock.wall_ms()

    def own(unit: int) -> Scope:
        return Scope(enterprises=frozenset({f"e{unit // _UNITS_EACH}"}))

    def page(sort: DangerSort, **wanted: Any) -> Callable[[int], object]:  # noqa: ANN401 - of Wanted
        return lambda _: ledger.page(Wanted(**wanted), everything, sort, None, 100)

    asking: dict[str, tuple[int, Callable[[int], object]]] = {
        "open_at_unit": (300, lambda unit: room.open_at(everything, hazard_unit=f"u{unit}")),
        "open_at_unit_own": (300, lambda unit: room.open_at(own(unit), hazard_unit=f"u{unit}")),
        "open_at_vessel": (300, lambda unit: room.open_at(everything, vessel=f"v{unit}-1")),
        "open_at_tag": (300, lambda unit: room.open_at(everything, tag=f"t{unit}-1")),
        "open_at_enterprise": (300, lambda unit: room.open_at(own(unit), enterprise=f"e{unit // _UNITS_EACH}")),
        "page_newest": (50, page(DangerSort.TIME)),
        "page_worst": (50, page(DangerSort.WORST)),
        "page_overdue": (50, page(DangerSort.DUE, overdue=True)),
        "page_own": (50, lambda unit: ledger.page(Wanted(), own(unit), DangerSort.TIME, None, 100)),
        "counts_all": (5, lambda _: ledger.counts(Wanted(), everything)),
        "counts_own": (50, lambda unit: ledger.counts(Wanted(), own(unit))),
        "on_time_all": (5, lambda _: ledger.on_time(now_ms - 30 * _DAY_MS, now_ms, everything)),
        "quiet_turn": (50, lambda _: watch.turn(now_ms)),
    }
    watch.turn(now_ms)
    units = enterprises * _UNITS_EACH
    return {name: _times(ask, times, units, clock, chance) for name, (times, ask) in asking.items()}


def _times(
    ask: Callable[[int], object], times: int, units: int, clock: Clock, chance: np.random.Generator
) -> dict[str, float]:
    took_ms = []
    for unit in chance.integers(0, units, times).tolist():
        began_s = clock.monotonic_s()
        ask(unit)
        took_ms.append((clock.monotonic_s() - began_s) * 1000)
    p50, p95, worst = np.percentile(took_ms, (50, 95, 100)).tolist()
    return {"p50": round(p50, 2), "p95": round(p95, 2), "max": round(worst, 2)}


def _made(dangers: int, enterprises: int, now_ms: int, chance: np.random.Generator) -> Iterator[list[Danger]]:
    blank = new_danger("", Source.PATROL, State.CLOSED, "管线法兰渗漏", now_ms, text="隐患描述" * 20)
    for start in range(0, dangers, _CHUNK):
        numbers = range(start, min(start + _CHUNK, dangers))
        of = chance.integers(0, enterprises, len(numbers))
        is_open = chance.random(len(numbers)) < _OPEN_SHARE
        major = chance.random(len(numbers)) < _MAJOR_SHARE
        yield [
            _one(blank, number, int(enterprise), now_ms, chance, is_open=bool(opened), major=bool(bad))
            for number, enterprise, opened, bad in zip(numbers, of, is_open, major, strict=True)
        ]


def _one(
    blank: Danger, number: int, enterprise: int, now_ms: int, chance: np.random.Generator, *, is_open: bool, major: bool
) -> Danger:
    unit, vessel, tag, days, due, state = (int(chance.integers(0, most)) for most in (_UNITS_EACH, 5, 10, 365, 20, 5))
    unit += enterprise * _UNITS_EACH
    made = replace(
        blank,
        id=f"HD{number:024X}",
        enterprise=f"e{enterprise}",
        district=f"d{enterprise % _DISTRICTS}",
        hazard_unit=f"u{unit}",
        vessel=f"v{unit}-{vessel}",
        tag=f"t{unit}-{tag}",
        state=_OPEN[state] if is_open else State.CLOSED,
        grade=Grade.MAJOR if major else Grade.GENERAL,
        found_ms=now_ms - days * _DAY_MS - number % _DAY_MS,
        due_ms=now_ms + (due - 1) * _DAY_MS + number % _DAY_MS if is_open else None,
    )
    level = int(made.due_ms is not None and made.due_ms < now_ms)
    return replace(made, level=level, urgency=urgency_of(made.state, made.grade, level, listed=False))


def _clock_of(one: Danger) -> dict[str, Any]:
    over = one.state in OVER
    due_ms = one.due_ms or one.found_ms + 5 * _DAY_MS
    return {
        "danger_id": one.id,
        "clock": Clocked.RECTIFY.value,
        "round": 1,
        "enterprise": one.enterprise,
        "district": one.district,
        "begun_ms": one.found_ms,
        "due_ms": due_ms,
        "next_ms": None if over else due_ms + one.level * 2 * _DAY_MS + 1,
        "level": one.level,
        "done_ms": due_ms - 1 if over else None,
        "outcome": "done" if over else "",
    }
