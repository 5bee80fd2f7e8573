"""How long the KPIs of a month take, from records with as many alarms as nobody should have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

from config.clock import Clock
from gateway.kpi.compute import Kpis
from gateway.kpi.desks import Desks
from gateway.records.database import DATABASE_FILE, open_reader, open_writer
from gateway.records.schema import alarm
from hazgate.bench.plant import bench_plant

__all__ = ["measure_kpi"]

_BEGIN_MS = 1_793_491_200_000
_DAY_MS = 86_400_000
_TAGS = 2_000
_CONDITIONS = ("HH", "H", "L", "LL", "STALE", "BAD_PV")
_CHUNK = 10_000
_TURNS = 3
_STANDS, _SEEN = 0.001, 0.9


def measure_kpi(
    folder: Path, alarms: int, days: int, seed: int, clock: Clock, say: Callable[[str], None]
) -> dict[str, Any]:
    """Fill SQLite records with a month of alarms and compute all KPIs of it, three times.

    Half of the alarms come evenly, half in storms; a few tags have most of them; nearly all are over within minutes,
    one in a thousand stands for days; most are acknowledged.

    Args:
        folder: Where the records are made.
        alarms: How many.
        days: Length of the month.
        seed: Of the generator.
        clock: For the time it takes.
        say: Told what is going on.
    """
    say(f"filling the records: {alarms} alarms")
    writer = open_writer(folder)
    with writer.begin() as connection:
        for rows in _rows(alarms, days, np.random.default_rng(seed)):
            connection.execute(insert(alarm), rows)
    writer.dispose()
    engine = open_reader(folder)
    kpis = Kpis(engine, bench_plant(1, _TAGS), Desks())
    to_ms = _BEGIN_MS + days * _DAY_MS
    figures: dict[str, float | None] = {}
    took_s = []
    for turn in range(_TURNS):
        say(f"month, turn {turn + 1} of {_TURNS}")
        began_s = clock.monotonic_s()
        made = kpis.report(_BEGIN_MS, to_ms, to_ms).desks[0].kpis
        took_s.append(clock.monotonic_s() - began_s)
        figures = {one.id: one.figure.value for one in made}
    engine.dispose()
    return {
        "alarms": alarms,
        "days": days,
        "seed": seed,
        "records_mb": round((folder / DATABASE_FILE).stat().st_size / 1e6),
        "seconds": [round(one, 2) for one in took_s],
        "annunciated": figures["annunciated"],
        "floods": figures["floods"],
        "chattering": figures["chattering"],
    }


def _rows(alarms: int, days: int, chance: np.random.Generator) -> Iterator[list[dict[str, Any]]]:
    received = _BEGIN_MS + np.sort(_moments(alarms, days, chance))
    tag = np.minimum(chance.zipf(1.3, alarms) - 1, _TAGS - 1)
    condition = chance.integers(0, len(_CONDITIONS), alarms)
    lasts = chance.exponential(180_000, alarms).astype(np.int64) + 1
    lasts[chance.random(alarms) < _STANDS] = 3 * _DAY_MS
    seen = np.where(chance.random(alarms) < _SEEN, received + chance.exponential(240_000, alarms).astype(np.int64), -1)
    tier = chance.choice(4, alarms, p=(0.01, 0.05, 0.15, 0.79)) + 1
    columns = (received, tag, condition, lasts, seen, tier)
    for begin in range(0, alarms, _CHUNK):
        chunk = (column[begin : begin + _CHUNK].tolist() for column in columns)
        yield [_row(begin + at, *one) for at, one in enumerate(zip(*chunk, strict=True))]


def _moments(alarms: int, days: int, chance: np.random.Generator) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Half anywhere in the month, half in storms of some thousands within a quarter of an hour."""
    length_ms, stormy = days * _DAY_MS, alarms // 2
    storms = chance.integers(0, length_ms - 900_000, max(1, stormy // 5_000))
    in_storm = chance.choice(storms, stormy) + chance.integers(0, 900_000, stormy)
    return np.concatenate((chance.integers(0, length_ms, alarms - stormy), in_storm))


def _row(
    number: int, received_ms: int, tag: int, condition: int, lasts_ms: int, seen_ms: int, tier: int
) -> dict[str, Any]:
    raised_ms = received_ms - 120
    return {
        "alarm_id": f"{number:016x}", "tag": f"B{tag:05}.LEVEL", "condition": _CONDITIONS[condition], "tier": tier,
        "state": "cleared", "hazard_unit": f"unit-{tag % 20}", "vessel": "", "vehicle": "", "edge": "bench",
        "onset_ms": raised_ms - 2_000, "raised_ms": raised_ms, "cleared_ms": raised_ms + lasts_ms,
        "received_ms": received_ms, "decided_ms": received_ms + 3, "value": 80.5, "limit": 80.0, "deadband": 0.5,
        "on_delay_ms": 2_000, "quality": 0, "basis": "bench", "delayed": False, "retrospective": False, "version": 2,
        "sequence": number + 1, "base_tier": tier, "latch": False, "alarmed_ms": received_ms,
        "acknowledged_ms": None if seen_ms < 0 else seen_ms, "acknowledged_by": None if seen_ms < 0 else "Li",
        "rise": None, "measure": None, "measure_low": None, "measure_high": None,
    }  # fmt: skip
