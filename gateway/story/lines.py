"""What the sheet says of each part, line by line: Chinese with English beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from gateway.api.models import Name
from gateway.display import number_text
from gateway.story.moments import clock_text, moment_text
from gateway.story.parts.commitment import CommitmentContent
from gateway.story.parts.contents import ContentsContent, Filling
from gateway.story.parts.dangers import DangersContent
from gateway.story.parts.grades import GradesContent
from gateway.story.parts.history import HistoryContent
from gateway.story.parts.inhibited import InhibitedContent
from gateway.story.parts.neighbours import NeighboursContent
from gateway.story.parts.papers import PapersContent
from gateway.story.parts.people import PeopleContent
from gateway.story.parts.permits import PermitsContent
from gateway.story.parts.place import PlaceContent
from gateway.story.parts.related import RelatedContent
from gateway.story.parts.resources import ResourcesContent
from gateway.story.parts.risks import RisksContent
from gateway.story.parts.standing import StandingContent
from gateway.story.parts.substance import SubstanceContent
from gateway.story.parts.tag import TagContent
from gateway.story.parts.trends import Trend, TrendsContent
from gateway.story.parts.weather import WeatherContent

__all__ = ["LINES", "Line"]

_ROLES = MappingProxyType({"principal": "主要 principal", "technical": "技术 technical", "operating": "操作 operating"})
_LEGAL = ("", "一级", "二级", "三级", "四级")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the sheet."""

    label: str
    text: str
    most: int = 1
    """It may take so many lines; the rest is cut."""


def _tag(told: TagContent) -> Iterator[Line]:
    yield Line("位号 tag", f"{told.tag} {_both(told.description)}", 2)
    if told.now is not None:
        latest = told.now.latest
        now = "–" if latest is None else f"{number_text(latest.value)} {told.now.unit} @ {clock_text(latest.time_ms)}"
        yield Line("实时值 now", now)
        yield Line("报警值 at onset", f"{number_text(told.value_at_onset)} {told.now.unit}")
        limits = (f"{one.condition} {number_text(one.limit)}" for one in told.now.conditions if one.limit is not None)
        yield Line("限值 limits", " · ".join(limits) or "–")


def _place(told: PlaceContent) -> Iterator[Line]:
    if told.enterprise is not None:
        one = told.enterprise
        yield Line("企业 enterprise", f"{_both(one.name)} {one.phone}", 2)
    if told.site is not None:
        yield Line("厂区 site", _both(told.site.name))
    if told.hazard_unit is not None:
        people = told.hazard_unit.exposed_people
        yield Line("单元 unit", f"{_both(told.hazard_unit.name)}" + ("" if people is None else f" · 500 m: {people}"))
    if told.vessel is not None:
        volume = number_text(told.vessel.capacity_m3)
        yield Line("设备 vessel", f"{told.vessel.id} {_both(told.vessel.name)} · {volume} m³")
    if told.vehicle is not None:
        yield Line("车辆 vehicle", f"{told.vehicle.plate} {_both(told.vehicle.name)}")
    if told.latitude_deg is not None and told.longitude_deg is not None:
        yield Line("坐标 position", f"{told.latitude_deg:.5f}, {told.longitude_deg:.5f}")


def _contents(told: ContentsContent) -> Iterator[Line]:
    yield Line("现在 now", _filling(told.now))
    yield Line("发生时 at onset", _filling(told.at_onset))


def _filling(one: Filling | None) -> str:
    if one is None:
        return "–"
    level = "–" if one.level_fraction is None else f"{one.level_fraction * 100:.0f} %"
    return (
        f"{number_text(one.mass_t)} t · {number_text(one.volume_m3)} m³ · {level} · {number_text(one.temperature_c)} °C"
    )


def _grades(told: GradesContent) -> Iterator[Line]:
    legal, live = told.legal, told.operational
    yield Line("法定 legal", f"{_grade(legal.grade)} · R {number_text(legal.r)} · {moment_text(legal.filed_ms)}")
    complete = "" if live.complete else " · 不完整 incomplete"
    yield Line("实时 live", f"{_grade(live.grade)} · R {number_text(live.r)}{complete}")


def _grade(grade: int | None) -> str:
    return "–" if grade is None else f"{_LEGAL[grade]} ({grade})"


def _people(told: PeopleContent) -> Iterator[Line]:
    for one in told.responsible:
        marks = ("在岗 on duty" if one.on_duty else "", "包保逾期 overdue" if one.overdue else "")
        yield Line(_ROLES[one.role], " · ".join(filter(None, (f"{_both(one.name)} {one.phone}", one.post, *marks))))
    for person in told.on_duty:
        yield Line(f"值班 {person.role}", f"{person.name} {person.phone}")


def _substance(told: SubstanceContent) -> Iterator[Line]:
    un = ", ".join(f"UN {one}" for one in told.un)
    yield Line("名称 name", f"{_both(told.name)} · CAS {told.cas} · {un} {told.hazard_class}", 2)
    if told.measured_cas:
        yield Line("检测 measured as", f"CAS {told.measured_cas}")
    if told.hazards:
        yield Line("GHS", f"{told.signal} {' '.join(told.hazards)}")
    if told.limits is not None:
        one = told.limits
        figures = {
            "MAC": one.mac_mg_m3, "TWA": one.twa_mg_m3, "STEL": one.stel_mg_m3, "IDLH ppm": one.idlh_ppm,
            "LEL %": one.lel_vol_percent,
        }  # fmt: skip
        known = (f"{name} {number_text(figure)}" for name, figure in figures.items() if figure is not None)
        yield Line("限值 limits", " · ".join(known) or "–")
    if told.distances is not None:
        far = told.distances
        yield Line("隔离 isolate", f"{number_text(far.isolation_m)} m")
        day, night = number_text(far.protect_day_m), number_text(far.protect_night_m)
        yield Line("下风向 downwind", f"昼 day {day} m · 夜 night {night} m")
        yield Line("来源 source", far.source or "–")
    if told.guidance is not None:
        texts = told.guidance
        yield Line("处置 action", texts.disposal, 6)
        for label, text in (
            ("防护 wear", texts.protection), ("急救 first aid", texts.first_aid), ("灭火 fire", texts.extinguishing),
        ):  # fmt: skip
            if text:
                yield Line(label, text, 2)
        if texts.disposal_en:
            yield Line("action", texts.disposal_en, 6)


def _papers(told: PapersContent) -> Iterator[Line]:
    for one in told.items:
        late = " · 已过期 expired" if one.expired else ""
        yield Line(one.sort, f"{_both(one.name)} {one.number}{late}")


def _dangers(told: DangersContent) -> Iterator[Line]:
    for one in told.items:
        marks = ("逾期 late" if one.late else "", "挂牌督办 listed" if one.listed else "")
        text = " · ".join(filter(None, (one.title, _both(one.state_name), *marks)))
        yield Line(_both(one.grade_name), text)


def _permits(told: PermitsContent) -> Iterator[Line]:
    for one in told.items:
        people = ", ".join(f"{who.name} {who.phone}" for who in one.people)
        late = " · 气体检测逾期 gas overdue" if one.gas_overdue else ""
        yield Line(one.kind, f"{one.title} → {clock_text(one.end_ms)}{late} · {people}", 2)


def _risks(told: RisksContent) -> Iterator[Line]:
    for one in told.items:
        risen = f" ↑ {one.dynamic_colour}" if one.lifted else ""
        yield Line(f"{one.static_colour}{risen}", f"{one.name} · {'; '.join(one.measures)}")


def _commitment(told: CommitmentContent) -> Iterator[Line]:
    control = "风险受控 under control" if told.under_control else "风险未受控 not under control"
    yield Line(told.day, f"{told.signed_by} {clock_text(told.signed_ms)} · {control}")
    for one in told.contradictions:
        yield Line("矛盾 but", _both(one.text))


def _standing(told: StandingContent) -> Iterator[Line]:
    if told.restriction is not None:
        limit = "" if told.restriction.limit_t is None else f" ≤ {number_text(told.restriction.limit_t)} t"
        yield Line("禁限控 substance", f"{told.restriction.level}{limit} · {', '.join(told.restriction.sources)}")
    if told.credit is not None:
        yield Line("信用 credit", f"{told.credit.standing} · {told.credit.from_day} · {told.credit.source}")


def _neighbours(told: NeighboursContent) -> Iterator[Line]:
    for one in told.items:
        wind = "下风 downwind · " if one.downwind and told.wind_from_deg is not None else ""
        people = "" if one.people is None else f" · {one.people} 人 people"
        label = f"{one.distance_m / 1000:.1f} km {one.bearing_deg:.0f}°"
        yield Line(label, f"{wind}{_both(one.name)}{people} {one.contact} {one.phone}")


def _inhibited(told: InhibitedContent) -> Iterator[Line]:
    for one in told.items:
        yield Line(one.kind, f"{one.tag} {one.condition} → {moment_text(one.until_ms)} {one.reason}")


def _weather(told: WeatherContent) -> Iterator[Line]:
    wind = f"{number_text(told.wind_from_deg)}° · {number_text(told.wind_m_s)} m/s"
    yield Line("风 wind from", f"{wind} · {number_text(told.temperature_c)} °C")


def _resources(told: ResourcesContent) -> Iterator[Line]:
    for one in told.items:
        amount = "" if one.amount is None else f" {number_text(one.amount)} {one.unit}"
        yield Line(f"{one.distance_m / 1000:.1f} km", f"{_both(one.name)}{amount} {one.contact} {one.phone}")


def _related(told: RelatedContent) -> Iterator[Line]:
    yield Line("未结束 open", str(told.open))
    for one in told.items:
        first = "首发 first · " if one.alarm.alarm_id == told.first_out else ""
        yield Line(clock_text(one.alarm.onset_ms), f"{first}{one.alarm.tag} {one.alarm.condition} {one.alarm.state}")


def _history(told: HistoryContent) -> Iterator[Line]:
    yield Line("30 天 30 days", f"{'≥ ' if told.at_least else ''}{told.times_30d} 次 times")
    for one in told.timeline:
        yield Line(clock_text(one.at_ms), " · ".join(filter(None, (one.kind, one.by, one.comment))))


def _trends(told: TrendsContent) -> Iterator[Line]:
    for one in told.tags:
        yield Line(one.tag, _range(one))


def _range(one: Trend) -> str:
    low = [value for value in one.minimum if value is not None]
    high = [value for value in one.maximum if value is not None]
    if not low or not high:
        return "无数据 no data"
    ends = f"{number_text(low[0])} → {number_text(high[-1])}"
    return f"{ends} [{number_text(min(low))} … {number_text(max(high))}] {one.unit}"


def _both(name: Name) -> str:
    return name.zh if name.zh == name.en else f"{name.zh} {name.en}"


LINES: Mapping[str, Callable[[Any], Iterable[Line]]] = MappingProxyType(
    {
        "tag": _tag,
        "place": _place,
        "contents": _contents,
        "grades": _grades,
        "people": _people,
        "substance": _substance,
        "papers": _papers,
        "dangers": _dangers,
        "permits": _permits,
        "risks": _risks,
        "commitment": _commitment,
        "standing": _standing,
        "neighbours": _neighbours,
        "inhibited": _inhibited,
        "weather": _weather,
        "resources": _resources,
        "related": _related,
        "history": _history,
        "trends": _trends,
    }
)
"""Part -> how it is written."""
