"""What the other rooms keep of the province: grades, risks, permits, commitments, credit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from sqlalchemy import Table

from gateway.grading.filings import Body
from gateway.grading.state import Contents, Standing
from gateway.prevention.commitments import Page
from gateway.prevention.contradictions import Committed
from gateway.prevention.live import Live
from gateway.prevention.permits import Work, Worker
from gateway.records.grading_tables import grade_filing, grade_now
from gateway.records.prevention_tables import commitment, credit, work_permit
from gateway.records.risk_tables import risk, risk_measure
from gateway.story.moments import day_text
from hazgate.bench.town import END_MS, Town, UnitOf, district_id, enterprise_id, tags_of

__all__ = ["rooms_of"]

Row = dict[str, Any]
_DAY_MS, _HOUR_MS = 86_400_000, 3_600_000
_RISKS = 3


def rooms_of(town: Town) -> tuple[tuple[Table, Iterable[Row]], ...]:
    """Return tables and rows: two risks in three are worked on by two measures; one unit in five has people at work."""
    return (
        (grade_filing, _filings(town)),
        (grade_now, _grades(town)),
        (risk, _risks(town)),
        (risk_measure, _measures(town)),
        (work_permit, _permits(town)),
        (commitment, _commitments(town)),
        (credit, _credit(town)),
    )


def _filings(town: Town) -> Iterator[Row]:
    body = msgspec.json.encode(Body((), ())).decode()
    for unit in town.of_units():
        yield {
            **_whose(unit), "version": 1, "filed_on": "2026-01-05", "filed_ms": END_MS - 300 * _DAY_MS,
            "number": "BA-1", "standard": "GB 18218-2018", "people": 10, "alpha": 1.0, "s": 2.8, "r": 2.8, "grade": 4,
            "body": body, "by": "bench", "note": "",
        }  # fmt: skip


def _grades(town: Town) -> Iterator[Row]:
    for unit in town.of_units():
        held = tuple(Contents(name, unit.cas, 0.55, 550.0, 434.5, 55.0, END_MS - 500, "level") for name in unit.vessels)
        body = msgspec.json.encode(Standing(held, ())).decode()
        figures = {"at_ms": END_MS - 9_000, "grade": 4, "rank": 1, "s": 1.7, "r": 1.7, "complete": True}
        yield {**_whose(unit), **figures, "body": body}


def _risks(town: Town) -> Iterator[Row]:
    for unit in town.of_units():
        for number in range(_RISKS):
            yield {
                "id": f"{unit.id}.RK{number}", "version": 1, "enterprise": enterprise_id(unit.enterprise),
                "district": unit.district, "hazard_unit": unit.id, "sort": "equipment", "name": f"{number}号风险",
                "text": "泄漏", "method": "ls", "factors": {"L": 3, "S": 4}, "score": 12.0, "static_colour": "yellow",
                "graded_ms": END_MS - 90 * _DAY_MS, "graded_by": "li", "dynamic_colour": "yellow", "lifted": False,
                "reasons": [], "dynamic_ms": END_MS - _DAY_MS, "ended_ms": None,
            }  # fmt: skip


def _measures(town: Town) -> Iterator[Row]:
    for unit in town.of_units():
        whose = {"enterprise": enterprise_id(unit.enterprise), "district": unit.district, "hazard_unit": unit.id}
        for number in range(2 * _RISKS):
            of = {"id": f"{unit.id}.M{number}", "risk_id": f"{unit.id}.RK{number % _RISKS}"}
            yield {**of, **whose, "sort": "management", "text": "每班巡检", "ended_ms": None}


def _permits(town: Town) -> Iterator[Row]:
    for unit in town.of_units():
        for number in range(5):
            is_open = number == unit.number % 25
            begin_ms = END_MS - (0 if is_open else 10 * _DAY_MS) - _HOUR_MS
            work = Work("动火作业", "罐顶", (Worker("李四", "监护人", "137"),), "清洗置换", (tags_of(unit)[-1][0],))
            yield {
                "id": f"{unit.number * 5 + number:016x}", "enterprise": enterprise_id(unit.enterprise),
                "district": unit.district, "hazard_unit": unit.id, "vessel": unit.vessels[0], "kind": "hot_work",
                "level": "second", "state": "open" if is_open else "closed", "version": 3, "begin_ms": begin_ms,
                "end_ms": begin_ms + 8 * _HOUR_MS, "made_ms": begin_ms - _HOUR_MS, "made_by": "li",
                "approved_by": "wang", "opened_ms": begin_ms, "ended_ms": None if is_open else begin_ms + _HOUR_MS,
                "gas_every_ms": 7_200_000, "seen_ms": begin_ms, "missed_ms": None,
                "body": msgspec.json.encode(work).decode(),
            }  # fmt: skip


def _commitments(town: Town) -> Iterator[Row]:
    said = Committed(
        under_control=True, units_running=4, units_stopped=0, units_in_repair=0, permits={}, major_dangers=0
    )
    live = Live(END_MS, 4, 4, {}, (), (), {}, {}, 0, 0, ())
    body = msgspec.json.encode(Page(said, live)).decode()
    for number in range(town.enterprises):
        for day in range(30):
            yield {
                "enterprise": enterprise_id(number), "day": day_text(END_MS - day * _DAY_MS),
                "district": district_id(number), "signed_ms": END_MS - day * _DAY_MS - _HOUR_MS, "signed_by": "li",
                "late": False, "body": body, "hash": "",
            }  # fmt: skip


def _credit(town: Town) -> Iterator[Row]:
    for number in range(0, town.enterprises, 10):
        yield {
            "id": f"{number:016x}", "version": 1, "enterprise": enterprise_id(number), "district": district_id(number),
            "standing": "watched", "from_day": "2026-01-01", "until_day": "", "source": "公告", "reason": "",
            "by": "li", "appeal": "none", "made_ms": END_MS - 90 * _DAY_MS,
        }  # fmt: skip


def _whose(unit: UnitOf) -> Row:
    return {"unit": unit.id, "enterprise": enterprise_id(unit.enterprise), "district": unit.district}
