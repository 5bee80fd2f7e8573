"""What operators read: alarms in words, and the words for tiers, conditions, qualities and quantities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from config.contract.quality import Reason, reason_of, severity_of
from config.plant.model import LIMIT_KINDS, Condition, LimitKind, Plant, Tag, Text, Tier
from config.units import Quantity
from gateway.display import DisplayUnit, number_text, unit_of
from gateway.system import description_of

__all__ = [
    "CONDITION_NAMES",
    "QUANTITY_NAMES",
    "REASON_NAMES",
    "STATE_NAMES",
    "TIER_NAMES",
    "Lang",
    "in_words",
    "message",
    "rise_message",
]

Lang = Literal["zh", "en"]

TIER_NAMES: Mapping[Tier, Text] = {
    Tier.RED: Text("红", "Red"),
    Tier.ORANGE: Text("橙", "Orange"),
    Tier.YELLOW: Text("黄", "Yellow"),
    Tier.BLUE: Text("蓝", "Blue"),
}

CONDITION_NAMES: Mapping[Condition, Text] = {
    Condition.HH: Text("高高报警", "HIGH HIGH"),
    Condition.H: Text("高报警", "HIGH"),
    Condition.L: Text("低报警", "LOW"),
    Condition.LL: Text("低低报警", "LOW LOW"),
    Condition.STALE: Text("数据中断", "NO DATA"),
    Condition.BAD_PV: Text("测量坏值", "BAD VALUE"),
    Condition.ROC_HIGH: Text("上升过快", "RISING FAST"),
    Condition.ROC_LOW: Text("下降过快", "FALLING FAST"),
    Condition.FORECAST: Text("趋势将越限", "LIMIT AHEAD"),
    Condition.DEV: Text("偏差报警", "DEVIATION"),
    Condition.FLATLINE: Text("数值不变", "FLAT LINE"),
    Condition.SYSTEM: Text("系统故障", "SYSTEM"),
}

STATE_NAMES: Mapping[str, Text] = {
    "active": Text("报警中", "active"),
    "returned": Text("已恢复，待确认", "over, to be acknowledged"),
    "latched": Text("已恢复，待复位", "over, to be reset"),
    "cleared": Text("已恢复", "cleared"),
}

REASON_NAMES: Mapping[Reason, Text] = {
    Reason.NONE: Text("原因未明", "no reason given"),
    Reason.NOT_FINITE: Text("无有效数值", "not a number"),
    Reason.OVER_RANGE: Text("超量程上限", "above range"),
    Reason.UNDER_RANGE: Text("超量程下限", "below range"),
    Reason.FAULT_CURRENT_LOW: Text("故障电流低（≤3.6 mA，断线）", "fault current low (≤3.6 mA, open loop)"),
    Reason.FAULT_CURRENT_HIGH: Text("故障电流高（≥21 mA）", "fault current high (≥21 mA)"),
    Reason.DEVICE: Text("仪表自报故障", "reported by the device"),
    Reason.UNREADABLE: Text("数据无法解析", "unreadable payload"),
    Reason.CLOCK_SUSPECT: Text("时钟异常", "clock suspect"),
    Reason.UNDEFINED_CURRENT: Text("电流在未定义区间", "loop current undefined"),
    Reason.OTHER: Text("其他原因", "other"),
}

QUANTITY_NAMES: Mapping[Quantity, Text] = {
    Quantity.COMBUSTIBLE_GAS: Text("可燃气体", "combustible gas"),
    Quantity.TOXIC_GAS: Text("有毒气体", "toxic gas"),
    Quantity.LEVEL: Text("液位", "level"),
    Quantity.FRACTION: Text("百分比", "fraction"),
    Quantity.TEMPERATURE: Text("温度", "temperature"),
    Quantity.PRESSURE: Text("压力", "pressure"),
    Quantity.SPEED: Text("速度", "speed"),
    Quantity.MASS_FLOW: Text("质量流量", "mass flow"),
    Quantity.NUMBER: Text("数值", "number"),
}

_RISES: Mapping[str, Text] = {
    "k_of_n": Text("同一单元多点报警", "several points of one unit in alarm"),
    "together": Text("同一设备多种报警并存", "conditions together on one vessel"),
    "unacknowledged": Text("超时未确认", "not acknowledged in time"),
}
_OTHERS_NAMED = 3
"""Other alarms named in one line; the rest are counted."""

_LOWS = (Condition.L, Condition.LL)
_LESS_IS_WORSE = (Condition.FORECAST, Condition.FLATLINE)


def in_words(text: Text, lang: Lang) -> str:
    """Return one of the two languages."""
    return text.zh if lang == "zh" else text.en


def message(row: Mapping[str, Any], plant: Plant, lang: Lang) -> str:
    """Say in one line what an alarm is: where, what, by how much.

    Args:
        row: A row of `gateway.records.schema.alarm`, by column name.
        plant: Where the tag is described; a tag it no longer knows is called by its name.
        lang: The language wanted.

    >>> message(row, plant, "en")  # doctest: +SKIP
    'Methanol tank T-301 level HIGH HIGH 12.9 m ≥ 12.5 m'
    """
    condition = Condition(row["condition"])
    tag = plant.tags.get(row["tag"])
    place = row["tag"] if tag is None else in_words(tag.description, lang)
    what = in_words(CONDITION_NAMES[condition], lang)
    how_much = _how_much(row, condition, tag, plant, lang)
    if about := description_of(row["tag"], plant):
        place = in_words(about, lang)
        how_much = f"({row['basis']})" if row["basis"] else ""
    parts = [place, what, how_much]
    if row["state"] != "active":
        parts.append(in_words(STATE_NAMES[row["state"]], lang))
    if row["delayed"]:
        parts.append("（迟报）" if lang == "zh" else "(delayed)")
    if row["retrospective"]:
        parts.append("（追溯）" if lang == "zh" else "(retrospective)")
    if row.get("rise"):
        parts.append(f"[{rise_message(row['rise'], lang)}]")
    return " ".join(part for part in parts if part)


def rise_message(rise: Mapping[str, Any], lang: Lang) -> str:
    """Say in one line how far a tier rose, and why.

    Args:
        rise: As `gateway.escalation` makes it.
        lang: The language wanted.

    >>> rise_message(rise, "en")  # doctest: +SKIP
    'tier Orange → Red: several points of one unit in alarm, with GD-105 HIGH HIGH (rule gas_at_two_points)'
    """
    start, end = (in_words(TIER_NAMES[Tier(rise[side])], lang) for side in ("from", "to"))
    why, rule = in_words(_RISES[rise["when"]], lang), rise["rule"]
    named = rise["others"][:_OTHERS_NAMED]
    others = [f"{tag} {in_words(CONDITION_NAMES[Condition(condition)], lang)}" for tag, condition in named]
    more = rise["count"] - 1 - len(named)
    if lang == "zh":
        beside = "，另有 " + "、".join(others) if others else ""
        rest = f"等 {rise['count'] - 1} 条" if more > 0 else ""
        return f"升级 {start}→{end}：{why}{beside}{rest}（规则 {rule}）"
    beside = ", with " + ", ".join(others) if others else ""
    rest = f" and {more} more" if more > 0 else ""
    return f"tier {start} → {end}: {why}{beside}{rest} (rule {rule})"


def _how_much(row: Mapping[str, Any], condition: Condition, tag: Tag | None, plant: Plant, lang: Lang) -> str:
    """Return what was measured against what, in the unit of the tag."""
    if condition is Condition.BAD_PV:
        reason = REASON_NAMES[reason_of(row["quality"])] if severity_of(row["quality"]) else REASON_NAMES[Reason.NONE]
        return in_words(reason, lang)
    if condition is Condition.STALE:
        if tag is None:
            return ""
        silent_s = number_text(tag.stale_after_ms / 1000)
        return f"超过 {silent_s} s 未更新" if lang == "zh" else f"for more than {silent_s} s"
    unit = None if tag is None else unit_of(tag, plant)
    if LIMIT_KINDS[condition] is not LimitKind.VALUE:
        return _how_much_else(row, condition, unit, lang)
    limit = _with_unit(row["limit"], unit)
    if row["value"] is None:
        return limit
    sign = "≤" if condition in _LOWS else "≥"
    return f"{_with_unit(row['value'], unit)} {sign} {limit}"


def _how_much_else(row: Mapping[str, Any], condition: Condition, unit: DisplayUnit | None, lang: Lang) -> str:
    """Return what was measured where that is not the value: a rate, a deviation, a range, minutes left."""

    def shown(number: float | None) -> str:
        text = number_text(number if unit is None else unit.show_limit(condition, number))
        return text if unit is None else f"{text} {unit.limit_unit(condition)}".rstrip()

    limit, measure = shown(row["limit"]), row["measure"]
    if measure is None:
        return limit
    if condition is Condition.ROC_LOW:
        measure = -measure
    if condition is Condition.DEV:
        measure = abs(measure)
    sign = "≤" if condition in _LESS_IS_WORSE else "≥"
    said = f"{shown(measure)} {sign} {limit}"
    if condition is Condition.FORECAST and row["measure_low"] is not None and row["measure_high"] is not None:
        ends = f"{number_text(row['measure_low'])}–{number_text(row['measure_high'])} min"
        said += f"（{ends}）" if lang == "zh" else f" ({ends})"
    return said


def _with_unit(value: float | None, unit: DisplayUnit | None) -> str:
    if unit is None:
        return number_text(value)
    return f"{number_text(unit.show(value))} {unit.name}".rstrip()
