"""Fills records and history of the benchmarks with a province full of alarms and hidden dangers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np
from sqlalchemy import Engine, Table, insert, text

from gateway.history.duckdb_store import HistoryStore
from gateway.records.danger_tables import danger
from gateway.records.database import checkpoint
from gateway.records.registry_tables import FOREVER_MS, record
from gateway.records.schema import alarm, alarm_event, inhibition, tag
from gateway.registry.kinds import KINDS
from hazgate.bench.town import CAS, END_MS, Town, UnitOf, district_id, enterprise_id, tags_of
from hazgate.bench.town_rooms import rooms_of

__all__ = ["fill_history", "fill_records"]

_DAY_MS, _HOUR_MS, _MINUTE_MS = 86_400_000, 3_600_000, 60_000
_CHUNK = 10_000
_CONDITIONS = ("HH", "H", "L", "LL", "STALE", "BAD_PV")
_OPEN, _OPEN_DANGERS, _INHIBITED = 0.005, 0.1, 0.01
_STORMY = 0.3
_ROLES = ("principal", "technical", "operating")

Row = dict[str, Any]


def fill_records(engine: Engine, town: Town, say: Callable[[str], None]) -> None:
    """Write everything into empty records; a few minutes for a million alarms."""
    names = [name for unit in town.of_units() for name, _ in tags_of(unit)]
    of_tag = [(unit, name, vessel) for unit in town.of_units() for name, vessel in tags_of(unit)]
    chance = np.random.default_rng(town.seed)
    tables: tuple[tuple[Table, Iterable[Row]], ...] = (
        (tag, ({"tag_id": number, "name": name} for number, name in enumerate(names))),
        (record, _records(town)),
        (alarm, _alarms(town, of_tag, chance)),
        (alarm_event, _events(town)),
        (danger, _dangers(town, chance)),
        (inhibition, _inhibitions(names)),
        *rooms_of(town),
    )
    for table, rows in tables:
        say(f"filling {table.name}")
        waiting = iter(rows)
        while chunk := list(islice(waiting, _CHUNK)):
            with engine.begin() as connection:
                connection.execute(insert(table), chunk)
            if engine.dialect.name == "sqlite":  # else the write-ahead log holds all of it
                checkpoint(engine)
    if engine.dialect.name == "postgresql":  # autovacuum would do it within minutes
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("ANALYZE"))


def fill_history(path: Path, town: Town, hours: int = 2) -> None:
    """Write a sample a minute of every tag, up to the present of the province."""
    HistoryStore(path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            """
            INSERT INTO settled
            SELECT
                tag, $begin + minute * 60000, $begin + minute * 60000 + 80, 50 + 20 * sin(minute / 9.0 + tag), 0, false
            FROM range($tags) AS tags (tag), range($minutes) AS minutes (minute) ORDER BY tag, minute
            """,
            {"begin": END_MS - hours * _HOUR_MS, "tags": town.tags, "minutes": hours * 60},
        )


def _records(town: Town) -> Iterator[Row]:
    for number in range(town.enterprises):
        yield from _of_enterprise(number)
    for unit in town.of_units():
        yield from _of_unit(unit)
    for cas in CAS:
        more = {"isolation_m": 100, "protect_day_m": 500, "isolation_source": "benchmark", "disposal": "处置" * 200}
        yield _record("chemical", cas, "", "", "", {"name_zh": cas, "hazards": ["H225", "H301"], **more})


def _of_enterprise(number: int) -> Iterator[Row]:
    name, district = enterprise_id(number), district_id(number)
    place = _point(UnitOf(0, number))
    yield _record(
        "enterprise", name, name, district, "", {"name_zh": f"{number}号化工企业", "phone": "0531-1", **place}
    )
    yield _record("site", f"{name}.S", name, district, "", {"name_zh": "厂区", "enterprise": name, **place})
    yield _record(
        "resource", f"{name}.R", name, district, "", {"name_zh": "专职消防队", "sort": "team", "phone": "119", **place}
    )
    for one in range(2):
        near = {"latitude_deg": place["latitude_deg"] + 0.01 * one, "longitude_deg": place["longitude_deg"] + 0.01}
        body = {"name_zh": "村庄", "enterprise": name, "sort": "residential", "people": 300, **near}
        yield _record("neighbour", f"{name}.N{one}", name, district, f"{name}.S", {**body, "site": f"{name}.S"})
    for one in range(6):
        person = {"name_zh": f"{number}-{one}", "enterprise": name, "phone": "13800000000"}
        yield _record("person", f"{name}.P{one}", name, district, "", person)


def _of_unit(unit: UnitOf) -> Iterator[Row]:
    name, district = enterprise_id(unit.enterprise), unit.district
    whose = {"enterprise": name, "district": district}
    site = {**whose, "site": f"{name}.S", "cas": unit.cas, **_point(unit)}
    yield _record("hazard-unit", unit.id, name, district, f"{name}.S", {"name_zh": f"{unit.number}号单元", **site})
    for vessel in unit.vessels:
        holds = {"name_zh": "储罐", "shape": "vertical_tank", "capacity_m3": 1000, "height_m": 10, "design_max_t": 700}
        body = {**whose, **holds, "hazard_unit": unit.id, "cas": unit.cas, "density_kg_m3": 790}
        yield _record("vessel", vessel, name, district, unit.id, body)
    for name_of_tag, vessel in tags_of(unit):
        body = {"name_zh": "测点", **whose, "hazard_unit": unit.id, "vessel": vessel}
        yield _record("tag", name_of_tag, name, district, unit.id, body)
    for number, role in enumerate(_ROLES):
        person = f"{name}.P{(unit.number + number) % 6}"
        duty = {"hazard_unit": unit.id, "role": role, "person": person, "every_days": 7, "done_on": "2026-11-01"}
        yield _record("responsibility", f"{unit.id}.{role}", name, district, unit.id, {**whose, **duty})
    plan = {**whose, "name_zh": "应急预案", "about_kind": "hazard-unit", "about": unit.id, "sort": "plan"}
    yield _record("document", f"{unit.id}.D", name, district, unit.id, {**plan, "text": "第一步" * 100})


def _record(kind: str, name: str, enterprise: str, district: str, parent: str, body: Row) -> Row:
    whole = KINDS[kind].model.model_validate({"id": name, **body}).model_dump(mode="json")
    return {
        "kind": kind, "id": name, "version": 1, "since_ms": END_MS - 90 * _DAY_MS, "until_ms": FOREVER_MS,
        "enterprise": enterprise, "district": district, "parent": parent, "name": str(body.get("name_zh", "")),
        "gone": False, "body": msgspec.json.encode(whole).decode(), "by": "bench", "why": "bench",
    }  # fmt: skip


def _point(unit: UnitOf) -> dict[str, float]:
    latitude_deg, longitude_deg = unit.place
    return {"latitude_deg": latitude_deg, "longitude_deg": longitude_deg}


def _alarms(town: Town, of_tag: list[tuple[UnitOf, str, str]], chance: np.random.Generator) -> Iterator[Row]:
    """Alarms of the last 30 days: most anywhere, some of a few tags that chatter; one in two hundred is open."""
    count = town.alarms
    raised = END_MS - 30 * _DAY_MS + np.sort(chance.integers(0, 30 * _DAY_MS, count))
    anywhere, chatter = chance.integers(0, town.tags, count), (chance.zipf(1.5, count) - 1) % town.tags
    tags = np.where(chance.random(count) < _STORMY, chatter, anywhere)
    condition = chance.integers(0, len(_CONDITIONS), count)
    lasts = chance.exponential(180_000, count).astype(np.int64) + 1
    tier, is_open = chance.choice(4, count, p=(0.01, 0.05, 0.15, 0.79)) + 1, chance.random(count) < _OPEN
    columns = zip(*(one.tolist() for one in (raised, tags, condition, lasts, tier, is_open)), strict=True)
    for number, (raised_ms, tag_id, condition_id, lasts_ms, worst, still) in enumerate(columns):
        unit, name, vessel = of_tag[tag_id]
        yield {
            "alarm_id": alarm_id(number), "tag": name, "condition": _CONDITIONS[condition_id], "tier": worst,
            "state": "active" if still else "cleared", "hazard_unit": unit.id, "vessel": vessel, "vehicle": "",
            "edge": "edge", "onset_ms": raised_ms - 2_000, "raised_ms": raised_ms,
            "cleared_ms": None if still else raised_ms + lasts_ms, "received_ms": raised_ms + 120,
            "decided_ms": raised_ms + 123, "value": 80.5, "limit": 80.0, "deadband": 0.5, "on_delay_ms": 2_000,
            "quality": 0, "basis": "bench", "delayed": False, "retrospective": False, "version": 2,
            "sequence": 2 * number + 2, "base_tier": worst, "latch": False, "alarmed_ms": raised_ms + 120,
            "acknowledged_ms": raised_ms + 60_000, "acknowledged_by": "li", "material_version": 1,
            "stage": "raised", "overdue": "",
        }  # fmt: skip


def alarm_id(number: int) -> str:
    """Return the id of the n-th alarm, spread as real ones are."""
    return f"{number * 0x9E3779B97F4A7C15 % (1 << 64):016x}"


def _events(town: Town) -> Iterator[Row]:
    for number in range(town.alarms):
        for turn, kind in enumerate(("raised", "acknowledged")):
            yield {
                "event_id": 2 * number + turn + 1, "alarm_id": alarm_id(number), "kind": kind, "version": turn + 1,
                "at_ms": END_MS - _DAY_MS, "received_ms": END_MS - _DAY_MS, "decided_ms": END_MS - _DAY_MS,
                "value": 80.5, "quality": 0, "position": number, "detail": {"by": "li"} if turn else None,
            }  # fmt: skip


def _dangers(town: Town, chance: np.random.Generator) -> Iterator[Row]:
    units = chance.integers(0, town.units, town.dangers).tolist()
    still = (chance.random(town.dangers) < _OPEN_DANGERS).tolist()
    for number, (of_unit, is_open) in enumerate(zip(units, still, strict=True)):
        unit = UnitOf(of_unit, of_unit % town.enterprises)
        found_ms = END_MS - number * 60_000
        yield {
            "id": f"{number:016x}", "enterprise": enterprise_id(unit.enterprise), "district": unit.district,
            "hazard_unit": unit.id, "vessel": unit.vessels[number % 2], "source": "patrol", "grade": "general",
            "state": "rectifying" if is_open else "closed", "urgency": 30 if is_open else 0,
            "title": f"{number}号隐患", "text": "法兰渗漏" * 20, "found_ms": found_ms, "found_by": "li",
            "deadline_ms": found_ms + 30 * _DAY_MS, "over_ms": None if is_open else found_ms + _DAY_MS,
        }  # fmt: skip


def _inhibitions(names: list[str]) -> Iterator[Row]:
    step = round(1 / _INHIBITED)
    for number, name in enumerate(names[::step]):
        yield {
            "id": f"{number:016x}", "tag": name, "condition": "H", "kind": "shelved", "since_ms": END_MS - _HOUR_MS,
            "until_ms": END_MS + _HOUR_MS, "reason": "检修", "permit": "", "rule": "", "by": "li",
            "ended_ms": END_MS - _MINUTE_MS if number % 10 else None, "ended_by": None, "ended_why": None,
        }  # fmt: skip
