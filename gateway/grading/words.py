"""What arrays say of a unit, in words: what is in it, why it is graded so, and what is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from config.days import CHINA
from config.gb18218 import Edition
from config.plant.model import Text
from gateway.grading.assessment import GRADE_NAMES
from gateway.grading.inventory import Inventory
from gateway.grading.state import Contents, Standing
from gateway.grading.watch import Watch, contents_of

__all__ = ["grade_of_rank", "name_of_rank", "standing_of"]


def standing_of(watch: Watch, inventory: Inventory, unit: int, rank: int, edition: Edition) -> Standing:
    """Return what is in a unit, why, and what is missing."""
    rows = np.flatnonzero(watch.stock.unit == unit).tolist()
    contents = tuple(contents_of(watch, inventory, row) for row in rows)
    reasons = [text for row, one in zip(rows, contents, strict=True) for text in _reasons(watch, row, one)]
    if not rows:
        reasons.append(Text("本单元没有登记设备", "no vessel of this unit is registered"))
    if math.isnan(watch.stock.alpha[unit]):
        reasons.append(watch.alphas[unit])
    lines = [_line(one, watch.factors[row]) for row, one in zip(rows, contents, strict=True)]
    s, r, name = inventory.s[unit], inventory.r[unit], name_of_rank(rank, contents, edition)
    sign = "≥" if any(one.basis == "unknown" for one in contents) else "="
    zh, en = (f"，R {sign} {r:.4g}", f", R {sign} {r:.4g}") if math.isfinite(r) else ("，R 未知", ", R not known")
    lines += [
        watch.alphas[unit],
        Text(f"实时 S {sign} {s:.4g}{zh}：{name.zh}", f"operational S {sign} {s:.4g}{en}: {name.en}"),
    ]
    return Standing(contents, tuple(reasons), tuple(lines), name)


def grade_of_rank(rank: int, edition: Edition) -> int | None:
    """Return the grade of a rank; None: below S = 1, or not known."""
    return edition.bands[rank - 1].grade if rank > 0 else None


def name_of_rank(rank: int, contents: Sequence[Contents], edition: Edition) -> Text:
    """Return what a rank is called; that S < 1 is said only where everything is known."""
    if rank < 0:
        return Text("等级未知", "grade not known")
    if rank == 0 and any(one.basis == "unknown" for one in contents):
        return Text("部分存量未知，尚不能判定", "cannot be told: some contents are not known")
    return GRADE_NAMES[grade_of_rank(rank, edition)]


def _reasons(watch: Watch, row: int, one: Contents) -> list[Text]:
    """Return what keeps a vessel from being complete."""
    loose = watch.tanks[row].loose
    zh, en = (one.vessel, one.vessel) if loose else (f"设备 {one.vessel}", f"vessel {one.vessel}")
    since = "" if one.at_ms is None else _clock(one.at_ms)
    said = {
        "uncertain": Text(f"{zh}：液位读数不确定", f"{en}: the level calls itself uncertain"),
        "last_known": Text(
            f"{zh}：液位无可用读数，沿用 {since} 的读数", f"{en}: no usable level now, that of {since} stands for it"
        ),
        "design_max": Text(f"{zh}：按设计最大量计", f"{en}: counted at its design maximum"),
        "unknown": Text(f"{zh}：存量未知，未计入", f"{en}: its contents are not known and not counted"),
    }.get(one.basis)
    unweighed = [] if one.basis in {"level", "uncertain"} else watch.unweighed[row]
    return [*unweighed, *([said] if said else []), *watch.unshared[row]]


def _line(one: Contents, factors: Text) -> Text:
    level = "–" if one.level_fraction is None else f"{100 * one.level_fraction:.1f} %"
    volume = "–" if one.volume_m3 is None else f"{one.volume_m3:.1f} m³"
    mass = "–" if one.mass_t is None else f"{one.mass_t:.2f} t"
    warm = "–" if one.temperature_c is None else f"{one.temperature_c:.1f} °C"
    return Text(
        f"{one.vessel} {one.cas}：液位 {level}，体积 {volume}，温度 {warm}，存量 {mass}；{factors.zh}",
        f"{one.vessel} {one.cas}: level {level}, volume {volume}, {warm}, mass {mass}; {factors.en}",
    )


def _clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(CHINA).strftime("%m-%d %H:%M:%S")
