"""Units, their vessels and the tags on them, made into arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from config.chemicals import load_catalogue
from config.gb18218 import Edition
from config.plant.model import InstrumentKind, Plant, Tag, Text
from config.units import Quantity
from gateway.errors import DeclarationError
from gateway.grading.factors import Item, factors_of
from gateway.grading.filings import Filing
from gateway.grading.ground import Tank, Unit
from gateway.grading.inventory import Basis, Inventory, Known, Stock, nothing_known
from gateway.grading.state import Contents
from gateway.grading.volumes import GEOMETRY
from gateway.registry.kinds import VesselShape

__all__ = ["Gauges", "Watch", "contents_of", "gauges_of", "known_of", "watch_of"]


@dataclass(frozen=True, slots=True)
class Gauges:
    """The tags that say what is in a vessel."""

    levels: tuple[Tag, ...] = ()
    """In metres, or in percent of the height."""
    warmths: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """Units that are weighed together."""

    units: tuple[Unit, ...]
    tanks: tuple[Tank, ...]
    stock: Stock
    """Its rows are ``units`` and ``tanks``."""
    unweighed: tuple[tuple[Text, ...], ...]
    """By tank: why no mass can follow from a level."""
    unshared: tuple[tuple[Text, ...], ...]
    """By tank: why it has no share of S."""
    alphas: tuple[Text, ...]
    """By unit: where alpha is from."""
    factors: tuple[Text, ...]
    """By tank: Q and beta."""


def gauges_of(plant: Plant) -> dict[str, Gauges]:
    """Return the gauges of every vessel that has any."""
    found: dict[str, Gauges] = {}
    for tag in plant.tags.values():
        if not tag.vessel:
            continue
        before = found.get(tag.vessel, Gauges())
        percent = tag.quantity is Quantity.FRACTION and tag.kind is InstrumentKind.LEVEL_TRANSMITTER
        if tag.quantity is Quantity.LEVEL or percent:
            found[tag.vessel] = Gauges((*before.levels, tag), before.warmths)
        elif tag.quantity is Quantity.TEMPERATURE:
            found[tag.vessel] = Gauges(before.levels, (*before.warmths, tag))
    return found


def watch_of(
    units: Sequence[tuple[Unit, Filing | None, Sequence[Tank]]],
    gauges: Mapping[str, Gauges],
    rows: Mapping[str, int],
    edition: Edition,
) -> Watch:
    """Put units together.

    Args:
        units: Each with its filing in force and its vessels.
        gauges: By vessel.
        rows: Tag -> row of its value.
        edition: Of the standard.
    """
    units = [(unit, filing, [*held, *_loose(unit, filing, held)]) for unit, filing, held in units]
    tanks = [tank for *_, held in units for tank in held]
    weights = [_weights(tank, filing, edition) for _, filing, held in units for tank in held]
    alphas = [_alpha(unit, filing, edition) for unit, filing, _ in units]
    levels = [
        (rows[tag.name], number, tag.quantity is Quantity.FRACTION)
        for number, tank in enumerate(tanks)
        for tag in gauges.get(tank.id, Gauges()).levels
        if tag.name in rows
    ]
    warmths = [
        (rows[tag.name], number)
        for number, tank in enumerate(tanks)
        for tag in gauges.get(tank.id, Gauges()).warmths
        if tag.name in rows
    ]
    stock = Stock(
        unit=np.array([number for number, (*_, held) in enumerate(units) for _ in held], np.intp),
        geometry=np.array([GEOMETRY[tank.shape] for tank in tanks], np.uint8),
        capacity_m3=_floats(tank.capacity_m3 for tank in tanks),
        height_m=_floats(tank.height_m or None for tank in tanks),
        density_kg_m3=_floats(tank.density_kg_m3 for tank in tanks),
        density_at_c=_floats(tank.density_at_c for tank in tanks),
        expansion_per_k=_floats(tank.expansion_per_k for tank in tanks),
        design_max_t=_floats(tank.design_max_t for tank in tanks),
        per_s=_floats(one.per_s for one in weights),
        per_r=_floats(one.per_r for one in weights),
        level_row=np.array([row for row, *_ in levels], np.intp),
        level_vessel=np.array([vessel for _, vessel, _ in levels], np.intp),
        level_percent=np.array([percent for *_, percent in levels], np.bool_),
        warmth_row=np.array([row for row, _ in warmths], np.intp),
        warmth_vessel=np.array([vessel for _, vessel in warmths], np.intp),
        alpha=_floats(alpha for alpha, _ in alphas),
    )
    return Watch(
        units=tuple(unit for unit, *_ in units),
        tanks=tuple(tanks),
        stock=stock,
        unweighed=tuple(tuple(_unweighed(tank, gauges.get(tank.id, Gauges()), rows)) for tank in tanks),
        unshared=tuple(one.faults for one in weights),
        alphas=tuple(text for _, text in alphas),
        factors=tuple(one.text for one in weights),
    )


def known_of(tanks: Sequence[Tank], kept: Mapping[str, Contents]) -> Known:
    """Return what was last known of vessels, from what was kept."""
    known = nothing_known(len(tanks))
    for row, tank in enumerate(tanks):
        one = kept.get(tank.id)
        if one is not None:
            known.height[row] = math.nan if one.level_fraction is None else one.level_fraction
            known.at_ms[row] = -1 if one.at_ms is None else one.at_ms
            known.temperature_c[row] = math.nan if one.temperature_c is None else one.temperature_c
    return known


def contents_of(watch: Watch, inventory: Inventory, row: int) -> Contents:
    """Return what is in one vessel."""
    known, at_ms = inventory.known, int(inventory.known.at_ms[row])
    return Contents(
        vessel=watch.tanks[row].id,
        cas=watch.tanks[row].cas,
        level_fraction=_number(known.height[row]),
        volume_m3=_number(inventory.volume_m3[row]),
        mass_t=_number(inventory.mass_t[row]),
        temperature_c=_number(known.temperature_c[row]),
        at_ms=None if at_ms < 0 else at_ms,
        basis=Basis(int(inventory.basis[row])).name.lower(),
    )


@dataclass(frozen=True, slots=True)
class _Weights:
    per_s: float | None
    per_r: float | None
    text: Text
    faults: tuple[Text, ...] = ()


def _loose(unit: Unit, filing: Filing | None, tanks: Sequence[Tank]) -> list[Tank]:
    """Return what was filed, is in no vessel there is, and so can never be weighed: it counts as filed."""
    in_vessels = {tank.cas for tank in tanks}
    return [
        Tank(
            id=f"#{number} {line.name}",
            enterprise=unit.enterprise,
            district=unit.district,
            unit=unit.id,
            shape=VesselShape.CYLINDER_STORE,
            cas=line.cas,
            design_max_t=float(Fraction(line.quantity_t)),
            loose=True,
        )
        for number, line in enumerate(() if filing is None else filing.lines, 1)
        if not line.vessel and (not line.cas or line.cas not in in_vessels)
    ]


def _weights(tank: Tank, filing: Filing | None, edition: Edition) -> _Weights:
    """Return 1/Q and beta/Q of what is in a vessel: as filed, else as the standard says of the pure substance."""
    lines = () if filing is None else filing.lines
    filed = [one for one in lines if one.vessel == tank.id and tank.cas in ("", one.cas)]
    filed = filed or [one for one in lines if tank.cas and one.cas == tank.cas]
    filed = filed or [one for number, one in enumerate(lines, 1) if tank.id == f"#{number} {one.name}"]
    if filed:
        line = min(filed, key=lambda one: (Fraction(one.critical_t), -Fraction(one.beta)))
        critical, beta = Fraction(line.critical_t), Fraction(line.beta)
        text = Text(
            f"Q = {float(critical):g} t，β = {float(beta):g}（备案第{filing.version if filing else 0}版）",
            f"Q = {float(critical):g} t, beta = {float(beta):g} (filing {filing.version if filing else 0})",
        )
        return _Weights(float(1 / critical), float(beta / critical), text)
    unknown = Text("Q、β 未知", "Q and beta not known")
    if not tank.cas:
        fault = Text(f"设备 {tank.id}：未登记物质，未计入", f"vessel {tank.id}: no substance registered, not counted")
        return _Weights(None, None, unknown, (fault,))
    try:
        by = factors_of(Item(tank.cas, tank.cas, Fraction(1)), edition, load_catalogue())
    except DeclarationError as error:
        fault = Text(
            f"设备 {tank.id}（{tank.cas}）：临界量不明，未计入，备案时须给出危险性类别",
            f"vessel {tank.id} ({tank.cas}): not counted, {error}",
        )
        return _Weights(None, None, unknown, (fault,))
    text = Text(
        f"Q = {float(by.quantity_t):g} t（{by.quantity_basis.zh}），β = {float(by.beta):g}（{by.beta_basis.zh}）",
        f"Q = {float(by.quantity_t):g} t ({by.quantity_basis.en}), beta = {float(by.beta):g} ({by.beta_basis.en})",
    )
    return _Weights(float(1 / by.quantity_t), float(by.beta / by.quantity_t), text)


def _alpha(unit: Unit, filing: Filing | None, edition: Edition) -> tuple[float | None, Text]:
    if filing is not None:
        said = f"{filing.alpha:g}"
        return filing.alpha, Text(
            f"α = {said}（备案第{filing.version}版，{filing.people} 人）",
            f"alpha = {said} (filing {filing.version}, {filing.people} people)",
        )
    if unit.people is None:
        return None, Text(
            "未备案，也未登记暴露人员：α 未知", "not filed, exposed people not registered: alpha not known"
        )
    alpha = float(edition.alpha_of(unit.people))
    return alpha, Text(
        f"α = {alpha:g}（未备案，按登记的 {unit.people} 人）",
        f"alpha = {alpha:g} (not filed; by {unit.people} people registered)",
    )


def _unweighed(tank: Tank, gauges: Gauges, rows: Mapping[str, int]) -> list[Text]:
    levels = [tag for tag in gauges.levels if tag.name in rows]
    metres = any(tag.quantity is Quantity.LEVEL for tag in levels)
    missing = [
        (not levels, Text("没有液位位号", "has no level tag")),
        (tank.capacity_m3 is None, Text("容积未登记", "its capacity is not registered")),
        (metres and not tank.height_m, Text("内高未登记", "its height is not registered")),
        (tank.density_kg_m3 is None, Text("密度未知", "the density of what it holds is not known")),
    ]
    if tank.loose:
        return [Text(f"{tank.id}：备案未指明设备", f"{tank.id}: filed, and in no vessel that is registered")]
    return [Text(f"设备 {tank.id}：{one.zh}", f"vessel {tank.id}: {one.en}") for holds, one in missing if holds]


def _floats(values: Iterable[float | None]) -> NDArray[np.float64]:
    return np.array([math.nan if value is None else value for value in values], np.float64)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
