"""What is in it: hazards, limits, isolation distances with their source, and what to do (处置卡)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from config.chemicals import Chemical, load_catalogue, load_chemicals
from gateway.api.models import Model, Name
from gateway.api.views import name_of
from gateway.story.case import Case
from gateway.story.telling import Said, empty, partial, said

__all__ = ["SubstanceContent", "tell_substance"]


class LimitsView(Model):
    """Limits of a substance; null: not known."""

    mac_mg_m3: float | None
    twa_mg_m3: float | None
    stel_mg_m3: float | None
    idlh_ppm: float | None
    lel_vol_percent: float | None = Field(description="By the table of this plant")
    uel_vol_percent: float | None
    critical_quantity_t: float | None = Field(description="GB 18218, the lowest of its forms")
    sources: tuple[str, ...] = Field(description="Where they are from, and how sure they are")


class DistancesView(Model):
    """How far to keep people away; large spill."""

    isolation_m: float | None = Field(description="In all directions")
    protect_day_m: float | None = Field(description="Downwind by day")
    protect_night_m: float | None
    source: str


class GuidanceView(Model):
    """What to do."""

    disposal: str = Field(description="处置卡, in Chinese")
    disposal_en: str
    first_aid: str
    protection: str
    extinguishing: str


class SubstanceContent(Model):
    """A substance."""

    cas: str
    measured_cas: str = Field(description="What the tag is calibrated for, where that is another; empty: the same")
    name: Name
    aliases: tuple[str, ...]
    un: tuple[str, ...]
    hazard_class: str
    hazards: tuple[str, ...] = Field(description="GHS hazard statements")
    signal: str
    limits: LimitsView | None
    distances: DistancesView | None
    guidance: GuidanceView | None
    note: str


_DISTANCES = ("isolation_m", "protect_day_m", "protect_night_m")
_FIGURES = ("oel_mg_m3", "idlh", "flammable_vol_percent", "quantity_t")


def tell_substance(case: Case) -> Said[SubstanceContent]:
    """Tell of the substance."""
    if not case.cas:
        return empty("未登记物质", "no substance is known here")
    cas, body = _told_of(case)
    chemical = load_chemicals().get(cas)
    if not body and chemical is None:
        return empty(f"物质目录中没有 {case.cas}", f"the catalogue has no {case.cas}")
    content = SubstanceContent(
        cas=cas,
        measured_cas="" if cas == case.cas else case.cas,
        name=name_of(chemical.name) if chemical else Name(zh=body["name_zh"], en=body.get("name_en") or cas),
        aliases=tuple(body.get("aliases", ())),
        un=tuple(body.get("un") or (chemical.un if chemical else ())),
        hazard_class=body.get("hazard_class", ""),
        hazards=tuple(body.get("hazards", ())),
        signal=body.get("signal", ""),
        limits=None if chemical is None else _limits(chemical, case),
        distances=_distances(body),
        guidance=_guidance(body),
        note="" if chemical is None else chemical.note,
    )
    if content.distances is None or content.guidance is None:
        return partial(content, "未登记隔离距离或处置卡", "isolation distances or disposal card are not registered")
    return said(content)


def _told_of(case: Case) -> tuple[str, Mapping[str, Any]]:
    """Return the substance to tell of and its record: what is measured, or what is stored when only that has a card."""
    wanted = list(dict.fromkeys(one for one in (case.cas, case.stored_cas) if one))
    found = case.sources.registry.many("chemical", wanted, case.scope)
    bodies: dict[str, Mapping[str, Any]] = {cas: found[cas].body if cas in found else {} for cas in wanted}
    return next(((cas, body) for cas, body in bodies.items() if _guidance(body)), (case.cas, bodies[case.cas]))


def _limits(chemical: Chemical, case: Case) -> LimitsView:
    oel, flammable = chemical.oel, chemical.flammable.get(case.sources.plant.lel_table)
    sources = load_catalogue().sources
    return LimitsView(
        mac_mg_m3=None if oel is None else oel.mac,
        twa_mg_m3=None if oel is None else oel.twa,
        stel_mg_m3=None if oel is None else oel.stel,
        idlh_ppm=None if chemical.idlh is None else chemical.idlh.ppm,
        lel_vol_percent=None if flammable is None else flammable.lower,
        uel_vol_percent=None if flammable is None else flammable.upper,
        critical_quantity_t=chemical.critical_quantity_t,
        sources=tuple(f"{name}: {sources[name].origin} ({sources[name].confidence})" for name in _FIGURES),
    )


def _distances(body: Mapping[str, Any]) -> DistancesView | None:
    figures = {name: body.get(name) for name in _DISTANCES}
    if all(figure is None for figure in figures.values()):
        return None
    return DistancesView(**figures, source=body.get("isolation_source", ""))


def _guidance(body: Mapping[str, Any]) -> GuidanceView | None:
    texts = {name: body.get(name, "") for name in GuidanceView.model_fields}
    return GuidanceView(**texts) if any(texts.values()) else None
