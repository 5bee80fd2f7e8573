"""How long a large workbook takes into the registry, and how long the pipeline cannot write meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from config.clock import Clock
from config.settings import RecordsAddress
from gateway.access.roles import Scope
from gateway.commands import By
from gateway.records.database import open_desk, open_reader, open_writer
from gateway.registry.bulk import Bulk
from gateway.registry.importing import File, Importing
from gateway.registry.kinds import KINDS
from gateway.registry.store import Draft, Registry, Version, version_of
from gateway.registry.taking import Uptake
from gateway.registry.writing import to_workbook
from hazgate.bench.plant import bench_plant

__all__ = ["measure_registry"]

_BY: Final = By("bench", "cli")
_TARGET_S: Final = 60.0
_LOCK_TARGET_S: Final = 2.0
_SHARES: Final = (("enterprise", 0.02), ("hazard-unit", 0.08), ("vessel", 0.2), ("person", 0.1), ("tag", 0.6))


def measure_registry(
    folder: Path, rows: int, tags: int, address: RecordsAddress | None, clock: Clock, say: Callable[[str], None]
) -> dict[str, Any]:
    """Take up a plant, then import a workbook twice: all new, then all changed.

    Args:
        folder: Where the records are made, when they are SQLite.
        rows: Of the workbook.
        tags: Of the plant whose records are there already.
        address: Of an empty PostgreSQL database instead.
        clock: For the time it takes.
        say: Told what is going on.
    """
    open_writer(folder, address).dispose()
    desk, reader = open_desk(folder, address), open_reader(folder, address)
    registry, bulk = Registry(desk, reader, clock), Bulk(desk, clock)
    say(f"taking up a plant of {tags} tags")
    began_s = clock.monotonic_s()
    plant = bench_plant(max(1, tags // 1_000), min(tags, 1_000))
    Uptake(registry, plant, Importing(registry, bulk)).turn()
    uptake_s = clock.monotonic_s() - began_s
    first, second = (_import(registry, bulk, _workbook(rows, turn), clock, say) for turn in ("new", "changed"))
    for engine in (desk, reader):
        engine.dispose()
    worst = max(first["total_s"], second["total_s"])
    locked = max(first["locked_s"], second["locked_s"])
    return {
        "rows": rows,
        "records": "sqlite" if address is None else "postgresql",
        "uptake_tags": tags,
        "uptake_s": round(uptake_s, 2),
        "new": first,
        "changed": second,
        "met": worst <= _TARGET_S and locked < _LOCK_TARGET_S,
    }


def _import(registry: Registry, bulk: Bulk, content: bytes, clock: Clock, say: Callable[[str], None]) -> dict[str, Any]:
    at_s: dict[str, float] = {}

    def told(stage: str, done: int, of: int) -> None:
        at_s.setdefault(stage, clock.monotonic_s())
        say(f"{stage} {done} of {of or '?'}")

    began_s = clock.monotonic_s()
    file = File(f"{round(began_s * 1e6):032x}", [(content, "")], Scope(), _BY, "benchmark", dry_run=False)
    outcome = Importing(registry, bulk).take(file, told)
    ended_s = clock.monotonic_s()
    return {
        "megabytes": round(len(content) / 1e6, 1),
        "faults": outcome.fault_count,
        "parse_s": round(at_s["checking"] - began_s, 2),
        "check_s": round(at_s.get("writing", ended_s) - at_s["checking"], 2),
        "write_s": round(ended_s - at_s.get("writing", ended_s), 2),
        "locked_s": round(bulk.locked_s, 3),
        "total_s": round(ended_s - began_s, 2),
    }


def _workbook(rows: int, turn: str) -> bytes:
    counts = {kind: max(1, round(rows * share)) for kind, share in _SHARES}
    return to_workbook((kind, _versions(kind, counts, turn)) for kind in KINDS if kind in counts)


def _versions(kind: str, counts: dict[str, int], turn: str) -> Iterable[Version]:
    return (version_of(Draft(kind, body), None) for body in _bodies(kind, counts, turn))


def _bodies(kind: str, counts: dict[str, int], turn: str) -> Iterator[dict[str, Any]]:
    enterprises, units = counts["enterprise"], counts["hazard-unit"]
    for number in range(counts[kind]):
        unit = number % units
        enterprise = f"b{unit % enterprises:05}"
        named: dict[str, Any] = {
            "name_zh": f"{KINDS[kind].title.zh} {number}",
            "name_en": turn,
            "enterprise": enterprise,
        }
        bodies: dict[str, dict[str, Any]] = {
            "enterprise": {"address": f"园区路 {number} 号", "latitude_deg": 36.85, "longitude_deg": 118.05},
            "hazard-unit": {"cas": "67-56-1", "exposed_people": number % 100},
            "vessel": {"hazard_unit": f"b{unit % enterprises:05}.u{unit}", "shape": "sphere", "capacity_m3": 1000.0},
            "person": {"phone": f"+86 138{number:08}"},
            "tag": {"hazard_unit": f"b{unit % enterprises:05}.u{unit}", "quantity": "level", "unit": "m"},
        }
        if kind == "enterprise":
            del named["enterprise"]
        letter = {"hazard-unit": "u"}.get(kind, kind[0] + kind[-1])
        name = f"b{number:05}" if kind == "enterprise" else f"{enterprise}.{letter}{number}"
        yield {"id": name, **named, **bodies[kind]}
