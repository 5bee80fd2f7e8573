"""How long the search takes, over a province: enterprises, units, tags, alarms, hidden dangers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import Engine, event, func, insert, select

from config.clock import Clock
from config.settings import RecordsAddress
from gateway.access.roles import Scope
from gateway.records.danger_tables import danger
from gateway.records.database import DATABASE_FILE, checkpoint, open_desk, open_reader, open_writer
from gateway.records.registry_tables import FOREVER_MS, record
from gateway.records.schema import alarm
from gateway.records.search_tables import search_entry, search_posting
from gateway.searching.due import behind
from gateway.searching.indexer import Indexer
from gateway.searching.search import Search
from hazgate.bench.plant import bench_plant

__all__ = ["Sizes", "measure_search"]

_BEGIN_MS = 1_793_491_200_000
_CHUNK = 10_000
_TARGET_MS = 100.0
_TOWNS = 200

_PLACES = (
    "滨海", "临港", "齐鲁", "东营", "宁波", "镇海", "惠州", "茂名", "南通", "连云港", "泰州", "盐城", "沧州", "天津",
    "大连", "抚顺", "吉林", "大庆", "兰州", "银川", "重庆", "长寿", "涪陵", "岳阳", "荆门", "九江", "安庆", "福清",
    "湄洲湾", "钦州",
)  # fmt: skip
_NAMES = (
    "新材料", "石化", "化工", "精细化工", "氯碱", "化肥", "农药", "医药", "涂料", "气体", "能源", "油品储运",
    "聚合物", "氟化工", "催化剂", "硅业", "焦化", "炼化",
)  # fmt: skip
_FIRST = (
    "华", "鑫", "恒", "盛", "瑞", "泰", "金", "宏", "天", "海", "东", "中", "永", "长", "利", "兴", "德", "美", "安",
    "康", "明", "正", "大", "万", "源", "通", "达", "润", "丰", "嘉",
)  # fmt: skip
_UNITS = (
    "液氨罐区", "液氯储存区", "甲醇罐区", "苯储罐区", "环氧乙烷罐区", "丙烯球罐区", "加氢装置", "聚合装置",
    "氯化装置", "硝化装置", "汽油罐区",
)  # fmt: skip
_MEASURED = (
    "液位", "压力", "温度", "可燃气体", "有毒气体", "流量", "氧含量", "振动",
)  # fmt: skip
_WRONG = (
    "腐蚀", "泄漏", "未检定", "堵塞", "失效", "接地不良", "标识缺失", "超期", "松动", "报警频发", "未投用",
    "记录不全",
)  # fmt: skip
_WHERE = (
    "法兰", "安全阀", "紧急切断阀", "液位计", "可燃气体检测器", "静电接地", "消防水泵", "围堰", "呼吸阀", "压力表",
    "管廊", "卸车鹤管",
)  # fmt: skip
_ASKED = (
    "滨海", "海", "氯", "binhai", "bhhg", "hg", "yali", "液位", "液位计腐蚀", "鑫瑞石化", "xinruishihua", "xrsh",
    "e00042", "E00042.U2.T013", "t013", "7782-50-5", "安全阀失效", "aqfsx", "anquanf", "a", "e", "滨hai", "zhbzz",
    "装置", "有限公司", "youxiangongsi", "yxgs", "没有这个", "meiyouzhege", "zzzzzzzz", "d0000123", "0000ff",
    "液氨罐区压力", "chang", "changhua",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much there is."""

    enterprises: int = 5_000
    units: int = 20_000
    tags: int = 200_000
    alarms: int = 1_000_000
    dangers: int = 500_000


def measure_search(
    folder: Path,
    address: RecordsAddress | None,
    sizes: Sizes,
    seed: int,
    rounds: int,
    clock: Clock,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Fill a records database, take it all up into the index, and search, as who sees everything and as others.

    Args:
        folder: Where SQLite records are made.
        address: An empty PostgreSQL database instead.
        sizes: How much there is.
        seed: Of the generator.
        rounds: How often everything is asked.
        clock: For the time it takes.
        say: Told what is going on.
    """
    writer = open_writer(folder, address)
    say("filling the records")
    _fill(writer, sizes, np.random.default_rng(seed))
    desk, reader = open_desk(folder, address), open_reader(folder, address)
    indexer = Indexer(desk, reader)
    began_s = clock.monotonic_s()
    indexer.begin_anew()
    forgot_s = clock.monotonic_s() - began_s
    held = _writing(desk, clock)
    turns = _take_up(indexer, clock, say, None if address else writer)
    index_s = clock.monotonic_s() - began_s
    say("searching")
    search = Search(reader, bench_plant(1, 100))
    scopes = {
        "everything": Scope(),
        "a district": Scope(districts=frozenset(f"town-{number:03}" for number in range(20))),
        "an enterprise": Scope(enterprises=frozenset({_of(min(42, sizes.enterprises - 1))})),
    }
    figures = {name: _ask(search, scope, rounds, clock) for name, scope in scopes.items()}
    made = {
        "sizes": {name: getattr(sizes, name) for name in Sizes.__slots__},
        "seed": seed,
        "records": "sqlite" if address is None else "postgresql",
        "index": {
            "seconds": round(index_s, 1),
            "begin_anew_s": round(forgot_s, 2),
            "turn_ms": turns,
            "write_ms": _spread(held),
            **_size(reader),
        },
        "records_mb": round((folder / DATABASE_FILE).stat().st_size / 1e6) if address is None else None,
        "search_ms": figures,
        "met": all(one["p95"] <= _TARGET_MS for one in figures.values()),
    }
    for engine in (writer, desk, reader):
        engine.dispose()
    return made


def _ask(search: Search, scope: Scope, rounds: int, clock: Clock) -> dict[str, Any]:
    took: list[float] = []
    slowest: dict[str, float] = {}
    found = 0
    for typed in _ASKED * rounds:
        began_s = clock.monotonic_s()
        groups = search.find(typed, scope).groups
        ms = (clock.monotonic_s() - began_s) * 1000
        took.append(ms)
        found += sum(len(group.hits) for group in groups)
        slowest[typed] = max(slowest.get(typed, 0.0), ms)
    p50, p95, p99 = (round(float(one), 1) for one in np.percentile(took, (50, 95, 99)))
    worst = sorted(slowest.items(), key=lambda one: -one[1])[:3]
    return {
        "p50": p50,
        "p95": p95,
        "p99": p99,
        "max": round(max(took), 1),
        "found": found,
        "slowest": {typed: round(ms, 1) for typed, ms in worst},
    }


def _take_up(indexer: Indexer, clock: Clock, say: Callable[[str], None], sqlite: Engine | None) -> dict[str, float]:
    took = []
    more = True
    while more:
        began_s = clock.monotonic_s()
        more = indexer.turn()
        took.append((clock.monotonic_s() - began_s) * 1000)
        if len(took) % 100 == 0:
            say(f"taking up: {len(took)} turns")
            if sqlite is not None:  # as gateway.records.keeper does beside a running gateway
                checkpoint(sqlite)
    return _spread(took)


def _spread(took: list[float]) -> dict[str, float]:
    p50, p99 = (round(float(one), 1) for one in np.percentile(took, (50, 99)))
    return {"p50": p50, "p99": p99, "max": round(max(took), 1)}


def _writing(desk: Engine, clock: Clock) -> list[float]:
    """Return the list that gets how long every transaction lasts: so long the pipeline may wait."""
    held: list[float] = []
    began: list[float] = []

    @event.listens_for(desk, "begin")
    def _begin(_connection: object) -> None:
        began.append(clock.monotonic_s())

    @event.listens_for(desk, "commit")
    def _commit(_connection: object) -> None:
        held.append((clock.monotonic_s() - began.pop()) * 1000)

    return held


def _size(reader: Engine) -> dict[str, int]:
    size = func.sum(func.length(search_posting.c.docs))
    with reader.connect() as connection:
        rows, held = connection.execute(select(func.count(), size).select_from(search_posting)).one()
        entries = connection.scalar(select(func.count()).select_from(search_entry)) or 0
        left = behind(connection)
    return {"entries": entries, "behind": left, "posting_rows": rows, "posting_mb": round((held or 0) / 1e6)}


def _fill(writer: Engine, sizes: Sizes, chance: np.random.Generator) -> None:
    names = [_enterprise_name(chance) for _ in range(sizes.enterprises)]
    units = chance.integers(0, len(_UNITS), sizes.units)
    with writer.begin() as connection:
        for table, rows in (
            (record, _records(sizes, names, units, chance)),
            (danger, _dangers(sizes, chance)),
            (alarm, _alarms(sizes, chance)),
        ):
            while chunk := list(islice(rows, _CHUNK)):
                connection.execute(insert(table), chunk)


def _enterprise_name(chance: np.random.Generator) -> str:
    first = "".join(chance.choice(_FIRST, 2))
    return f"{chance.choice(_PLACES)}{first}{chance.choice(_NAMES)}有限公司"


def _records(
    sizes: Sizes, names: list[str], units: Iterable[int], chance: np.random.Generator
) -> Iterator[dict[str, Any]]:
    for number, name in enumerate(names):
        body = {"name_zh": name, "name_en": f"Chemical works {number}", "uscc": f"91370300MA{number:07}X"}
        yield _record("enterprise", _of(number), number, body)
    for number, what in enumerate(units):
        enterprise = number % sizes.enterprises
        body = {"name_zh": _UNITS[what], "name_en": f"Unit {number}", "cas": "7782-50-5" if what == 1 else ""}
        yield _record("hazard-unit", f"{_of(enterprise)}.U{number // sizes.enterprises}", enterprise, body)
    measured = chance.integers(0, len(_MEASURED), sizes.tags)
    for number in range(sizes.tags):
        enterprise = number % sizes.enterprises
        place = number // sizes.enterprises
        body = {"name_zh": f"{place + 1}号罐{_MEASURED[measured[number]]}", "name_en": ""}
        yield _record("tag", f"{_of(enterprise)}.U{place % 4}.T{place:03}", enterprise, body)


def _of(enterprise: int) -> str:
    return f"E{enterprise:05}"


def _record(kind: str, name: str, enterprise: int, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": kind, "id": name, "version": 1, "since_ms": _BEGIN_MS, "until_ms": FOREVER_MS,
        "enterprise": _of(enterprise), "district": f"town-{enterprise % _TOWNS:03}", "parent": "",
        "name": body["name_zh"], "gone": False, "body": msgspec.json.encode({"id": name, **body}).decode(),
        "by": "bench", "why": "",
    }  # fmt: skip


def _dangers(sizes: Sizes, chance: np.random.Generator) -> Iterator[dict[str, Any]]:
    where, wrong, unit = (chance.integers(0, len(of), sizes.dangers) for of in (_WHERE, _WRONG, _UNITS))
    whose = chance.integers(0, sizes.enterprises, sizes.dangers)
    for number in range(sizes.dangers):
        enterprise = int(whose[number])
        yield {
            "id": f"d{number:07}", "enterprise": _of(enterprise), "district": f"town-{enterprise % _TOWNS:03}",
            "source": "patrol", "state": "closed", "found_ms": _BEGIN_MS + number,
            "title": f"{_UNITS[unit[number]]}{number % 40 + 1}号{_WHERE[where[number]]}{_WRONG[wrong[number]]}",
        }  # fmt: skip


def _alarms(sizes: Sizes, chance: np.random.Generator) -> Iterator[dict[str, Any]]:
    numbers = chance.integers(0, 1 << 32, sizes.alarms)
    for number in range(sizes.alarms):
        at_ms = _BEGIN_MS + number * 100
        tag = number * 7 % max(sizes.tags, 1)
        enterprise, place = tag % sizes.enterprises, tag // sizes.enterprises
        yield {
            "alarm_id": f"{numbers[number]:08x}{number:08x}", "condition": "H", "tier": 3, "state": "cleared",
            "tag": f"{_of(enterprise)}.U{place % 4}.T{place:03}", "hazard_unit": f"{_of(enterprise)}.U{place % 4}",
            "vessel": "", "vehicle": "", "edge": "bench", "onset_ms": at_ms, "raised_ms": at_ms,
            "cleared_ms": at_ms + 60_000, "received_ms": at_ms, "decided_ms": at_ms, "deadband": 0.5,
            "on_delay_ms": 2_000, "quality": 0, "basis": "bench", "delayed": False, "version": 2,
            "sequence": number + 1,
        }  # fmt: skip
