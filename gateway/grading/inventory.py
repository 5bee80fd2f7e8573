"""From levels to masses, S, R and bands of all units at once: arrays in, arrays out. No I/O.

What a gauge says counts while it is fresh and not bad; then what it last said; before it ever said anything, the
design maximum. So a gauge that fails never makes a unit look emptier than it is, and every vessel says which it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from config.contract.quality import Quality
from config.gb18218 import Edition, Operational
from gateway.grading.volumes import density_at, share_filled
from gateway.live import Values

__all__ = ["UNKNOWN_RANK", "Basis", "Inventory", "Known", "Stock", "graded", "measure", "nothing_known"]

_Floats = NDArray[np.float64]
_Rows = NDArray[np.intp]

UNKNOWN_RANK = -1
_ROUNDING = 1e-9
"""Ten tenths are one, whatever floats make of them."""


class Basis(IntEnum):
    """What the mass of a vessel is made of; the lower-case name is its spelling."""

    LEVEL = 0
    """A fresh reading."""
    UNCERTAIN = 1
    """A fresh reading that calls itself uncertain."""
    LAST_KNOWN = 2
    """What the gauge last said; it says nothing usable now."""
    DESIGN_MAX = 3
    """Never measured, or no mass follows from the level: the design maximum stands for it."""
    UNKNOWN = 4
    """Nothing is known, and nothing is counted."""


@dataclass(frozen=True, slots=True, eq=False)
class Stock:
    """Vessels of some units and the tags on them, as arrays. Of length vessels unless said otherwise; NaN: unknown."""

    unit: _Rows
    """Of the vessel, a row of ``alpha``."""
    geometry: NDArray[np.uint8]
    capacity_m3: _Floats
    height_m: _Floats
    density_kg_m3: _Floats
    density_at_c: _Floats
    expansion_per_k: _Floats
    design_max_t: _Floats
    per_s: _Floats
    """1/Q of what it holds."""
    per_r: _Floats
    """beta/Q."""
    level_row: _Rows
    """Of each level tag, where its value is."""
    level_vessel: _Rows
    level_percent: NDArray[np.bool_]
    """Of each level tag: it says percent of the height."""
    warmth_row: _Rows
    """Of each temperature tag."""
    warmth_vessel: _Rows
    alpha: _Floats
    """Of length units."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What gauges last said, by vessel."""

    height: _Floats
    """Level over inner height; NaN: never."""
    at_ms: NDArray[np.int64]
    """Source time of the level; -1: never."""
    temperature_c: _Floats


@dataclass(frozen=True, slots=True, eq=False)
class Inventory:
    """What is in all vessels, and what that makes of their units."""

    known: Known
    volume_m3: _Floats
    mass_t: _Floats
    """As counted: see ``basis``."""
    basis: NDArray[np.uint8]
    """`Basis`."""
    s: _Floats
    """By unit."""
    r: _Floats
    """By unit; NaN where alpha is not known."""
    complete: NDArray[np.bool_]
    """By unit: every vessel counts by a fresh, certain level, and its substance is known."""
    blind: NDArray[np.bool_]
    """By unit: no gauge ever said anything, and of some vessel nothing is known; so S < 1 means nothing."""


def nothing_known(vessels: int) -> Known:
    """Return what is known before any gauge has said anything."""
    return Known(np.full(vessels, np.nan), np.full(vessels, -1, np.int64), np.full(vessels, np.nan))


def measure(stock: Stock, values: Values, known: Known, by: Operational) -> Inventory:
    """Weigh all vessels by what gauges say now.

    Args:
        stock: Its rows are those of ``values``.
        values: What tags read.
        known: What gauges said before.
        by: How live figures are made.
    """
    now, uncertain = _now(stock, values, by)
    fresh = np.isfinite(now.height)
    known = Known(
        height=np.where(fresh, now.height, known.height),
        at_ms=np.where(fresh, now.at_ms, known.at_ms),
        temperature_c=np.where(np.isfinite(now.temperature_c), now.temperature_c, known.temperature_c),
    )
    volume = share_filled(stock.geometry, known.height) * stock.capacity_m3
    density = density_at(known.temperature_c, stock.density_kg_m3, stock.density_at_c, stock.expansion_per_k)
    weighed = volume * density / 1000
    follows, designed = np.isfinite(weighed), np.isfinite(stock.design_max_t)
    basis = np.select(
        [fresh & follows & ~uncertain, fresh & follows, follows, designed],
        [Basis.LEVEL, Basis.UNCERTAIN, Basis.LAST_KNOWN, Basis.DESIGN_MAX],
        Basis.UNKNOWN,
    ).astype(np.uint8)
    mass = np.where(follows, weighed, stock.design_max_t)
    units = len(stock.alpha)
    s, weighed_s = (np.bincount(stock.unit, np.nan_to_num(mass * per), units) for per in (stock.per_s, stock.per_r))
    counted = (basis == Basis.LEVEL) & np.isfinite(stock.per_s)
    complete = ~_some(stock.unit, ~counted, units) & (np.bincount(stock.unit, minlength=units) > 0)
    complete &= np.isfinite(stock.alpha)
    blind = (_some(stock.unit, basis == Basis.UNKNOWN, units)) & ~_some(stock.unit, basis <= Basis.LAST_KNOWN, units)
    return Inventory(known, volume, mass, basis, s.astype(np.float64), stock.alpha * weighed_s, complete, blind)


def graded(inventory: Inventory, before: NDArray[np.int8], edition: Edition, by: Operational) -> NDArray[np.int8]:
    """Return the rank of every unit: 0 no major hazard source, then the bands, the mildest first; -1: not known.

    A band is entered at its edge and left downwards only a deadband below it.

    Args:
        inventory: S and R.
        before: The rank each unit had; -1: none.
        edition: Its bands.
        by: Its deadband.
    """
    edges = np.array([float(band.from_r) for band in edition.bands])
    reached = _rank(inventory.s, inventory.r, edges)
    held = _rank(inventory.s / (1 - by.deadband), inventory.r / (1 - by.deadband), edges)
    ranks = np.maximum(reached, np.minimum(before, held))
    return np.where(inventory.blind & (ranks == 0), UNKNOWN_RANK, ranks).astype(np.int8)


def _rank(s: _Floats, r: _Floats, edges: _Floats) -> NDArray[np.int8]:
    bands = np.searchsorted(edges, r * (1 + _ROUNDING), side="right")
    rank = np.where(s * (1 + _ROUNDING) >= 1, bands, 0)
    return np.where(np.isfinite(r), rank, UNKNOWN_RANK).astype(np.int8)


def _some(unit: _Rows, holds: NDArray[np.bool_], units: int) -> NDArray[np.bool_]:
    """Say of every unit whether something holds of some vessel of it."""
    return np.bincount(unit, holds, units) > 0


def _now(stock: Stock, values: Values, by: Operational) -> tuple[Known, NDArray[np.bool_]]:
    """Return what gauges say now, NaN where nothing usable; and which of the levels call themselves uncertain.

    Of several gauges on a vessel the highest level and the lowest temperature count: both give the greater mass.
    """
    vessels = len(stock.unit)
    now, worst = nothing_known(vessels), np.zeros(vessels, np.bool_)
    if len(stock.level_row):
        usable, value, time_ms, severity = _read(values, stock.level_row)
        vessel = stock.level_vessel
        height = np.where(stock.level_percent, value / 100, value / stock.height_m[vessel])
        usable &= height >= -by.zero_drift
        vessel, height = vessel[usable], np.clip(height[usable], 0, 1)
        np.fmax.at(now.height, vessel, height)
        np.maximum.at(now.at_ms, vessel, time_ms[usable])
        decides = height == now.height[vessel]
        np.logical_or.at(worst, vessel[decides], severity[usable][decides] != Quality.GOOD)
    if len(stock.warmth_row):
        usable, value, _, _ = _read(values, stock.warmth_row)
        np.fmin.at(now.temperature_c, stock.warmth_vessel[usable], value[usable])
    return now, worst


def _read(values: Values, rows: _Rows) -> tuple[NDArray[np.bool_], _Floats, NDArray[np.int64], NDArray[np.uint8]]:
    """Return of some tags which can be used, what they say, since when, and how sure they are."""
    value, severity = values.value[rows], values.quality[rows] & 0b11
    usable = ~values.stale[rows] & (severity < Quality.BAD) & np.isfinite(value)
    return usable, value, values.time_ms[rows], severity.astype(np.uint8)
