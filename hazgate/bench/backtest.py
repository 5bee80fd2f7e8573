"""How fast a backtest goes through the embedded history."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from config.clock import Clock
from config.plant.model import Condition, Plant
from gateway.app import HISTORY_FILE
from gateway.backtest import Crew, Period, run_backtest
from gateway.backtest_report import report_of
from gateway.history.duckdb_store import HistoryStore
from hazgate.bench.plant import bench_plant

__all__ = ["measure_backtest"]

_BEGIN_MS = 1_793_491_200_000
_DAY_S = 86_400
_FILL = """
INSERT INTO settled
SELECT $tag, $begin + second * 1000, $begin + second * 1000 + 50,
    50 + 30 * sin(second / 9000.0 + $tag) + (hash(second * 1000 + $tag) % 1000) / 1000.0, 0, false
FROM range($seconds) AS every(second)
"""


def measure_backtest(
    folder: Path, tags: int, days: int, threads: int, clock: Clock, say: Callable[[str], None]
) -> dict[str, Any]:
    """Fill a history with one sample a second and run two sets of rules over it, all of which differ.

    The values swing between 20 and 81 with noise; H lies at 70 today and at 72 in the proposed rules, so that every
    tag is in alarm a part of each day. In force are HH, H, L, LL, STALE and BAD_PV.

    Args:
        folder: Where the history is made.
        tags: How many.
        days: Of samples.
        threads: That evaluate.
        clock: For the time it takes.
        say: Told what is going on.
    """
    today = bench_plant(1, tags)
    names = list(today.tags)
    numbers = {name: number for number, name in enumerate(names)}
    path = folder / HISTORY_FILE
    HistoryStore(path).close()
    say(f"filling the history: {tags} tags, {days} days")
    with duckdb.connect(str(path)) as connection:
        for number in numbers.values():
            values = {"tag": number, "begin": _BEGIN_MS, "seconds": days * _DAY_S}
            connection.execute(_FILL, values)
    say("backtest")
    period = Period(_BEGIN_MS, _BEGIN_MS + days * _DAY_S * 1000)
    with closing(HistoryStore(path)) as history:
        began_s = clock.monotonic_s()
        plants = (_with_high(today, 70.0), _with_high(today, 72.0))
        crew, stop = Crew(threads=threads), threading.Event()
        report = report_of(run_backtest(history, numbers.get, plants, names, period, stop=stop, crew=crew), period)
        took_s = clock.monotonic_s() - began_s
    return {
        "tags": tags,
        "days": days,
        "threads": threads,
        "samples": report.samples,
        "seconds": round(took_s, 2),
        "samples_per_s": round(report.samples / took_s),
        "history_mb": round(path.stat().st_size / 1e6),
        "alarms_today": report.today.alarms,
        "alarms_proposed": report.proposed.alarms,
        "moved": report.moved,
    }


def _with_high(plant: Plant, limit: float) -> Plant:
    tags = {
        name: replace(
            tag,
            conditions=tuple(
                replace(rule, limit=limit) if rule.condition is Condition.H else rule for rule in tag.conditions
            ),
        )
        for name, tag in plant.tags.items()
    }
    return replace(plant, tags=tags)
