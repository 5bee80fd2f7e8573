"""How long the story of an alarm takes over HTTP, in a province full of alarms: after a restart, and warm."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, select

from config.clock import Clock
from config.settings import RecordsAddress
from gateway.records.database import DATABASE_FILE, open_reader, open_writer
from gateway.records.schema import OPEN_STATES, alarm
from hazgate.bench.asking import text_of
from hazgate.bench.context_api import HISTORY_FILE, SCOPE_HEADER
from hazgate.bench.pipeline import BenchError, wait_for
from hazgate.bench.town import END_MS, Town
from hazgate.bench.town_rows import fill_history, fill_records
from hazgate.leash import leashed

__all__ = ["measure_context"]

_DONE_FILE = "town.json"
_P95_MS, _P99_MS = 150.0, 300.0
_LATELY_MS = 6 * 3_600_000

Asked = tuple[str, str]
"""An alarm, and the enterprise as which it is asked for; empty: as who may see everything."""


def measure_context(
    folder: Path, records: str, town: Town, asks: tuple[int, int], clock: Clock, say: Callable[[str], None]
) -> dict[str, Any]:
    """Fill stores unless they are there, then ask for the context of random alarms.

    Half of the alarms asked for are open or of the last hours, half are any; every other one is asked for as its
    enterprise, the rest as somebody who may see everything.

    Args:
        folder: Where the stores are made, or were.
        records: ``postgresql://...``; empty: SQLite in the folder.
        town: How much there is.
        asks: How many questions after a restart, and how many warm.
        clock: For the time it takes.
        say: Told what is going on.

    Raises:
        BenchError: The API does not come up, or refuses.
    """
    address = RecordsAddress.parse(records) if records else None
    _fill(folder, address, town, say)
    chosen = _choose(folder, address, town, sum(asks))
    cold, warm = chosen[: asks[0]], chosen[asks[0] :]
    dropped = _drop_page_cache(folder, address)
    say("after a restart")
    begun_s = clock.monotonic_s()
    with _api(folder, records, town) as address_of_api:
        wait_for(lambda: text_of(address_of_api, "/static/page.css") is not None, "the API", clock)
        host = urlsplit(address_of_api).netloc
        starting_s = clock.monotonic_s() - begun_s
        turns = {"restart_cold": _ask_all(host, cold, clock)}
        say("warm")
        turns["warm"] = _ask_all(host, warm, clock)
    rows = {name: _figures(answers) for name, answers in turns.items()}
    return {
        **asdict(town),
        "tags": town.tags,
        "records": address.shown.partition(":")[0] if address else "sqlite",
        "page_cache": dropped,
        "starting_s": round(starting_s, 1),
        **rows,
        "met": all(one["total_ms"]["p95"] <= _P95_MS and one["total_ms"]["p99"] <= _P99_MS for one in rows.values()),
    }


def _fill(folder: Path, address: RecordsAddress | None, town: Town, say: Callable[[str], None]) -> None:
    """Make the stores; what is there from an earlier run of the same size is used again."""
    done, wanted = folder / _DONE_FILE, {**asdict(town), "records": address.shown if address else ""}
    if done.exists():
        if json.loads(done.read_text(encoding="utf-8")) != wanted:
            raise BenchError(f"{folder} holds another town: {done.read_text(encoding='utf-8')}")
        return
    folder.mkdir(parents=True, exist_ok=True)
    writer = open_writer(folder, address)
    fill_records(writer, town, say)
    writer.dispose()
    say("filling history")
    fill_history(folder / HISTORY_FILE, town)
    done.write_text(json.dumps(wanted), encoding="utf-8")


def _choose(folder: Path, address: RecordsAddress | None, town: Town, count: int) -> list[Asked]:
    """Choose alarms at random, and as whom each is asked for."""
    reader = open_reader(folder, address)
    lately = (alarm.c.state.in_(OPEN_STATES)) | (alarm.c.raised_ms > END_MS - _LATELY_MS)
    chance = random.Random(town.seed)  # noqa: S311 - no secret
    with reader.connect() as connection:
        fresh = [row[:] for row in connection.execute(select(alarm.c.alarm_id, alarm.c.hazard_unit).where(lately))]
        total = connection.scalar(select(func.count()).select_from(alarm)) or 0
        few = select(alarm.c.alarm_id, alarm.c.hazard_unit).order_by(alarm.c.alarm_id)
        start = f"{chance.getrandbits(60):016x}"
        any_ = [row[:] for row in connection.execute(few.where(alarm.c.alarm_id > start).limit(min(total, 20 * count)))]
    reader.dispose()
    found = [chance.choice(fresh if number % 2 else any_ or fresh) for number in range(count)]
    asked_as = (lambda unit: unit.partition(".")[0], lambda _: "")  # its enterprise, everybody
    return [(row[0], asked_as[number // 2 % 2](row[1])) for number, row in enumerate(found)]


def _drop_page_cache(folder: Path, address: RecordsAddress | None) -> str:
    """Let the system forget the files of the stores; a database server's own are not ours to name."""
    for path in (folder / DATABASE_FILE, folder / HISTORY_FILE):
        if path.exists():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return "files of the folder dropped" if address is None else "history dropped; that of the server left as it was"


@contextlib.contextmanager
def _api(folder: Path, records: str, town: Town) -> Iterator[str]:
    """Run the API; yields where it listens."""
    asked = json.dumps({"folder": str(folder), "records": records, "town": asdict(town)})
    with (folder / "api.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - ours
            leashed("hazgate.bench.context_api", asked), stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        line = process.stdout.readline().strip() if process.stdout else ""
        if not line:
            raise BenchError(f"the API did not come up: {(folder / 'api.log').read_text(encoding='utf-8')[-1000:]}")
        yield line
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _ask_all(host: str, asked: Sequence[Asked], clock: Clock) -> list[tuple[float, dict[str, Any]]]:
    """Ask one after the other over one connection; returns milliseconds and answers."""
    connection, answers = http.client.HTTPConnection(host, timeout=30), []
    for name, enterprise in asked:
        begun_s = clock.monotonic_s()
        headers = {SCOPE_HEADER: enterprise} if enterprise else {}
        connection.request("GET", f"/api/v1/alarms/{name}/context", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        took_ms = (clock.monotonic_s() - begun_s) * 1000
        if answer.status != http.client.OK:
            raise BenchError(f"{name}: {answer.status} {body[:500]!r}")
        answers.append((took_ms, json.loads(body)))
    connection.close()
    return answers


def _figures(answers: Sequence[tuple[float, dict[str, Any]]]) -> dict[str, Any]:
    parts = [one["parts"] for _, one in answers]
    return {
        "asked": len(answers),
        "first_ms": round(answers[0][0], 1),
        "total_ms": _percentiles([took_ms for took_ms, _ in answers]),
        "bytes": round(sum(len(json.dumps(one, ensure_ascii=False)) for _, one in answers) / len(answers)),
        "parts_ms": {name: _percentiles([one[name]["took_ms"] for one in parts]) for name in parts[0]},
        "states": {
            name: {state: sum(one[name]["state"] == state for one in parts) for state in ("ok", "empty", "partial")}
            for name in parts[0]
        },
        "late": sum("in time" in (part["reason"] or {"en": ""})["en"] for one in parts for part in one.values()),
    }


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    at = {f"p{part}": ordered[min(len(ordered) * part // 100, len(ordered) - 1)] for part in (50, 95, 99)}
    return {name: round(value, 1) for name, value in {**at, "max": ordered[-1]}.items()}
