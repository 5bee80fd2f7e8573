"""Every KPI as a frozen record. What a figure means never changes silently: a changed definition has a new version.

Targets and limits are those of the source named. Where no standard gives a number it is ours, and says so. None of them
is a legal figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Final, Literal

import msgspec

from config.plant.model import Text, Tier

__all__ = [
    "ACKNOWLEDGE_MIN",
    "DEFINITIONS",
    "FLEETING_MS",
    "HANDLE_MIN",
    "Bound",
    "Definition",
    "Unit",
    "definitions_digest",
    "seal",
]

Unit = Literal["alarms", "share", "minutes", "floods"]

FLEETING_MS: Final = 30_000
ACKNOWLEDGE_MIN: Final[Mapping[Tier, int]] = {Tier.RED: 3, Tier.ORANGE: 5, Tier.YELLOW: 10, Tier.BLUE: 30}
HANDLE_MIN: Final[Mapping[Tier, int]] = {Tier.RED: 15, Tier.ORANGE: 30, Tier.YELLOW: 60, Tier.BLUE: 240}


@dataclass(frozen=True, slots=True)
class Bound:
    """What a figure shall hold to."""

    how: Literal["<", "<=", ">=", "~"]
    """``~``: about."""
    value: float


@dataclass(frozen=True, slots=True)
class Definition:
    """What one KPI is."""

    id: str
    version: int
    name: Text
    formula: Text
    unit: Unit
    target: Bound | None
    """What is aimed at."""
    limit: Bound | None
    """What can still be borne."""
    source: str
    valid_from: str
    """First day on which this version is used."""


_ISA = "ISA-18.2 / IEC 62682 / EEMUA 191"
_OURS = "HazGate default; no standard gives a number"
_TODAY = "2026-11-27"


def _make(
    id_: str,
    name: Text,
    formula: Text,
    unit: Unit,
    bounds: tuple[Bound | None, Bound | None],
    source: str,
) -> Definition:
    return Definition(id_, 1, name, formula, unit, *bounds, source, _TODAY)


_NONE: Final = (None, None)

_RATES: Final = (
    _make(
        "annunciated",
        Text("报警数", "Annunciated alarms"),
        Text(
            "窗口内（按网关收到触发样本的时刻）新产生的报警条数；级别升高不另计；搁置、设计抑制、"
            "停用中产生的及事后补判的不计入，另行统计",
            "alarms raised in the window, by the gateway's clock when the deciding sample came; a rise of the "
            "tier is no new alarm; those raised while shelved, suppressed or out of service, and retrospective "
            "ones, are left out and counted apart",
        ),
        "alarms",
        _NONE,
        _ISA,
    ),
    _make(
        "per_10_min",
        Text("平均每10分钟报警数", "Alarms per 10 min, mean"),
        Text("报警数 ÷（窗口时长 ÷ 10 分钟）", "annunciated alarms / (length of the window / 10 min)"),
        "alarms",
        (Bound("~", 1), Bound("~", 2)),
        _ISA,
    ),
    _make(
        "per_hour",
        Text("平均每小时报警数", "Alarms per hour, mean"),
        Text("报警数 ÷（窗口时长 ÷ 1 小时）", "annunciated alarms / (length of the window / 1 h)"),
        "alarms",
        (Bound("~", 6), Bound("~", 12)),
        _ISA,
    ),
    _make(
        "per_day",
        Text("平均每日报警数", "Alarms per day, mean"),
        Text("报警数 ÷（窗口时长 ÷ 24 小时）", "annunciated alarms / (length of the window / 24 h)"),
        "alarms",
        (Bound("~", 150), Bound("~", 300)),
        "ISA-18.2-2009; IEC 62682:2014 is quoted with 144",
    ),
    _make(
        "max_per_10_min",
        Text("任意10分钟最多报警数", "Most alarms in any 10 min"),
        Text(
            "窗口内任意连续 10 分钟（左开右闭，滑动）内的最多报警数",
            "most annunciated alarms in any 10 min of the window, sliding: t - 10 min < time <= t",
        ),
        "alarms",
        (Bound("<=", 10), None),
        _ISA,
    ),
    _make(
        "windows_above_10",
        Text("超过10条的10分钟段占比", "10-min windows with more than 10 alarms"),
        Text(
            "报警数大于 10 的整 10 分钟段 ÷ 窗口内全部整 10 分钟段（按时钟划分，含空段；两端不完整的段不计，"
            "其中的报警数注明）",
            "whole wall-clock 10-min windows with more than 10 annunciated alarms / all of them, empty ones "
            "included; alarms in the incomplete windows at both ends are left out and told",
        ),
        "share",
        (Bound("<", 0.01), None),
        _ISA,
    ),
    _make(
        "flood_time",
        Text("报警洪水时间占比", "Time in flood"),
        Text(
            "处于报警洪水的时间 ÷ 窗口时长；任意过去 10 分钟内超过 10 条时开始，少于 5 条时结束；回看窗口前 4 "
            "小时以确定起始状态",
            "time in flood / length of the window; a flood begins when more than 10 alarms lie in the trailing 10 "
            "min and ends when fewer than 5 do; the 4 h before the window decide the state at its beginning",
        ),
        "share",
        (Bound("<", 0.01), None),
        _ISA,
    ),
    _make(
        "floods",
        Text("报警洪水次数", "Floods"),
        Text("与窗口有重叠的报警洪水次数", "floods of which a part lies in the window"),
        "floods",
        _NONE,
        _ISA,
    ),
    _make(
        "top_10_share",
        Text("最频繁10个报警占比", "Share of the 10 most frequent"),
        Text(
            "最频繁的 10 个报警（位号加类型）的条数 ÷ 报警数",
            "annunciated alarms of the 10 most frequent (tag and condition) / annunciated alarms",
        ),
        "share",
        (Bound("<=", 0.05), None),
        _ISA,
    ),
)

_NUISANCE: Final = (
    _make(
        "chattering",
        Text("抖动报警数", "Chattering alarms"),
        Text(
            "窗口内曾在 60 秒内触发 3 次及以上的报警（位号加类型）个数",
            "alarms (tag and condition) that were annunciated 3 times or more within 60 s",
        ),
        "alarms",
        (Bound("<=", 0), None),
        "EEMUA 191 / ISA-18.2: none, with a plan of action; the 3 in 60 s are used in practice, not in the standard",
    ),
    _make(
        "fleeting",
        Text("瞬时报警数", "Fleeting alarms"),
        Text(
            "触发后 30 秒内（含）即恢复的报警条数；尚未恢复的不计，注明",
            "annunciated alarms whose condition was over 30 s after they were raised, or sooner; those not over "
            "yet are left out and told",
        ),
        "alarms",
        (Bound("<=", 0), None),
        "EEMUA 191 / ISA-18.2: none, with a plan of action; the 30 s are a HazGate default",
    ),
    _make(
        "standing_24h",
        Text("长期报警数", "Stale alarms (standing > 24 h)"),
        Text(
            "窗口内任一时刻同时存在的、持续超过 24 小时仍未恢复的报警的最大个数；含窗口开始之前产生的",
            "most alarms at any one moment of the window whose condition had held for more than 24 h; also those "
            "raised before the window",
        ),
        "alarms",
        (Bound("<", 5), None),
        _ISA,
    ),
    *(
        _make(
            f"priority_{tier.name.lower()}",
            Text(f"{zh}色报警占比", f"Share of {tier.name.lower()} alarms"),
            Text(
                f"产生时为{zh}级的报警 ÷ 报警数",
                f"annunciated alarms raised as {tier.name.lower()} / annunciated alarms",
            ),
            "share",
            (bound, None),
            "EEMUA 191 / ISA-18.2 with four levels: 80 / 15 / 5 %, and less than 1 % of the highest",
        )
        for tier, zh, bound in (
            (Tier.RED, "红", Bound("<", 0.01)),
            (Tier.ORANGE, "橙", Bound("~", 0.05)),
            (Tier.YELLOW, "黄", Bound("~", 0.15)),
            (Tier.BLUE, "蓝", Bound("~", 0.80)),
        )
    ),
)

_APART: Final = (
    *(
        _make(
            kind,
            Text(f"{zh}期间报警数", f"Alarms raised while {en}"),
            Text(
                f"窗口内在{zh}状态下产生、照常判定并记录但未向操作员提示的报警条数",
                f"alarms raised while {en}: evaluated and kept, not annunciated",
            ),
            "alarms",
            _NONE,
            "ISA-18.2: none without authorisation",
        )
        for kind, zh, en in (
            ("shelved", "搁置", "shelved"),
            ("suppressed", "设计抑制", "suppressed by design"),
            ("out_of_service", "停用", "out of service"),
        )
    ),
    _make(
        "retrospective",
        Text("补判报警数", "Retrospective alarms"),
        Text(
            "窗口内记录的、由迟到数据补判出的报警条数；从未提示，不计入其他指标",
            "alarms recorded in the window that late samples showed to have been missed; never annunciated, in no "
            "other figure",
        ),
        "alarms",
        _NONE,
        _OURS,
    ),
)

_HANDLING: Final = (
    *(
        _make(
            f"acknowledge_{tier.name.lower()}",
            Text(f"{zh}色报警确认时间中位数", f"Median time to acknowledge, {tier.name.lower()}"),
            Text(
                f"窗口内产生、现为{zh}级且已确认的报警，从产生或最后一次升级到确认的时间的中位数；未确认的不计，注明",
                "median of the time from annunciation, or the last rise of the tier, to acknowledgement, of "
                f"alarms annunciated in the window that are {tier.name.lower()} now; those not acknowledged are "
                "left out and told",
            ),
            "minutes",
            (Bound("<=", ACKNOWLEDGE_MIN[tier]), None),
            _OURS,
        )
        for tier, zh in ((Tier.RED, "红"), (Tier.ORANGE, "橙"), (Tier.YELLOW, "黄"), (Tier.BLUE, "蓝"))
    ),
    _make(
        "acknowledged_in_time",
        Text("确认及时率", "Acknowledged in time"),
        Text(
            "在时限内确认的报警 ÷ 时限在窗口内到期的报警；时限红 3、橙 5、黄 10、蓝 30 分钟，"
            "自产生或最后一次升级起算；逾期未确认的保留在分母中",
            "alarms acknowledged within their clock / alarms whose clock ran out in the window; clocks red 3, "
            "orange 5, yellow 10, blue 30 min from annunciation or the last rise; overdue ones stay in the "
            "denominator",
        ),
        "share",
        (Bound(">=", 1), None),
        _OURS,
    ),
    _make(
        "disposal_rate",
        Text("报警处置率", "Alarms closed with a cause"),
        Text(
            "已填写原因并关闭的报警 ÷ 窗口内产生的报警；忽略不算处置",
            "alarms closed with a cause / alarms annunciated in the window; ignoring is no handling",
        ),
        "share",
        (Bound(">=", 1), None),
        _OURS,
    ),
    _make(
        "disposal_in_time",
        Text("处置及时率", "Handled in time"),
        Text(
            "在时限内采取首个措施的报警 ÷ 时限在窗口内到期的报警；时限红 15、橙 30、黄 60、蓝 240 分钟，"
            "自产生或最后一次升级起算；逾期未处置的保留在分母中",
            "alarms whose first measure was taken within their clock / alarms whose clock ran out in the window; "
            "clocks red 15, orange 30, yellow 60, blue 240 min from annunciation or the last rise; overdue ones "
            "stay in the denominator",
        ),
        "share",
        (Bound(">=", 1), None),
        _OURS,
    ),
    _make(
        "valid_rate",
        Text("有效报警率", "Valid alarms"),
        Text(
            "原因不为误报的报警 ÷ 窗口内产生且已有原因的报警；尚无原因的不计，注明",
            "alarms whose cause is not 'false alarm' / alarms annunciated in the window that have a cause; those "
            "without one are left out and told",
        ),
        "share",
        _NONE,
        _OURS,
    ),
    _make(
        "online_rate",
        Text("在线率", "Points online"),
        Text(
            "有效样本秒数 ÷ 应有秒数，按点累计；应有秒数为已启用数据中断报警的每个位号的窗口时长，"
            "有效样本秒数为其减去数据中断（自最后一个样本起）与测量坏值报警的时间（重叠只计一次）；"
            "事后补传的数据不算在线；网关自身停运的时间不可见，不扣除",
            "valid-sample seconds / expected seconds, over all points; expected: the window for each tag whose "
            "STALE alarm is enabled; valid: that less the time of its STALE (from the last sample on) and BAD_PV "
            "alarms, once where they overlap; back-filled data does not count as online; time in which the "
            "gateway itself did not run is not seen and not taken off",
        ),
        "share",
        (Bound(">=", 0.995), None),
        "Press conference of the Ministry of Emergency Management, 2022-09-16: >= 99.5 %",
    ),
)

DEFINITIONS: Final[Mapping[str, Definition]] = {one.id: one for one in (*_RATES, *_NUISANCE, *_APART, *_HANDLING)}
"""Every KPI, in the order in which they are shown."""


def seal(definition: Definition) -> str:
    """Return what is different when anything in a definition is."""
    return sha256(msgspec.json.encode(asdict(definition), order="sorted")).hexdigest()[:16]


def definitions_digest() -> str:
    """Return what names all definitions in force, in their versions."""
    return sha256("".join(seal(one) for one in DEFINITIONS.values()).encode()).hexdigest()[:16]
