"""From the limits written for a tag, and the house defaults, to its alarm conditions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from config.chemicals import GasLimit
from config.plant.derived import DERIVED, Note, derived_rule
from config.plant.document import ConditionDocument
from config.plant.model import CONDITIONS, Condition, ConditionRule, InstrumentKind, Tier
from config.units import Conversion, Quantity

__all__ = ["LIMIT_CONDITIONS", "Instrument", "condition_rules"]

LIMIT_CONDITIONS = (Condition.LL, Condition.L, Condition.H, Condition.HH)
"""Conditions with a limit, from the lowest to the highest."""

_TIERS = {Condition.HH: Tier.ORANGE, Condition.H: Tier.BLUE, Condition.L: Tier.BLUE, Condition.LL: Tier.ORANGE}
_GAS_FAULT_TIER, _FAULT_TIER = Tier.YELLOW, Tier.BLUE
"""A blind gas detector is worse than a blind gauge: nothing else sees the gas."""


@dataclass(frozen=True, slots=True)
class _Habit:
    """Starting points for deadband and delays (reference: EEMUA 191 / ISA-18.2 tables)."""

    deadband_of_span: float
    on_delay_ms: int
    off_delay_ms: int


_HABITS = {
    Quantity.LEVEL: _Habit(0.05, 60_000, 60_000),
    Quantity.FRACTION: _Habit(0.01, 15_000, 15_000),
    Quantity.TEMPERATURE: _Habit(0.01, 60_000, 60_000),
    Quantity.PRESSURE: _Habit(0.02, 15_000, 15_000),
    Quantity.MASS_FLOW: _Habit(0.05, 15_000, 15_000),
    Quantity.SPEED: _Habit(0.02, 10_000, 10_000),
    Quantity.NUMBER: _Habit(0.01, 15_000, 15_000),
    Quantity.COMBUSTIBLE_GAS: _Habit(0.01, 0, 10_000),
    Quantity.TOXIC_GAS: _Habit(0.01, 0, 10_000),
}
_GAS_DEADBAND_OF_LIMIT = 0.1
_BAD_PV_OFF_DELAY_MS = 10_000
"""A loose wire flickers: one alarm for it, not twenty."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the defaults and checks of conditions depend on; ranges in the canonical unit."""

    kind: InstrumentKind
    quantity: Quantity
    unit: str
    conversion: Conversion
    range_low: float
    range_high: float


def condition_rules(
    instrument: Instrument,
    written: Mapping[Condition, ConditionDocument],
    defaults: Iterable[GasLimit],
    note: Note,
) -> tuple[ConditionRule, ...]:
    """Return the conditions of a tag in the order of `CONDITIONS`, noting what is wrong with them.

    Args:
        instrument: What measures.
        written: What the file says, by condition.
        defaults: Limits by the catalogue; they hold where none is written.
        note: Takes what is wrong.
    """
    by_catalogue = {default.condition: default for default in defaults}
    limits: dict[Condition, float] = {}
    bases: dict[Condition, str] = {}
    for condition in LIMIT_CONDITIONS:
        found = _limit(condition, instrument, written.get(condition), by_catalogue.get(condition), note)
        if found is not None:
            limits[condition], bases[condition] = found
    _check_order(instrument, limits, written, note)
    rules: list[ConditionRule] = []
    for condition in CONDITIONS:
        document = written.get(condition, ConditionDocument())
        if condition in limits:
            rules.append(_limit_rule(condition, instrument, limits, bases[condition], document, note))
        elif condition in DERIVED:
            rules += _derived_rules(condition, instrument, limits, written.get(condition), note)
        elif condition not in LIMIT_CONDITIONS:
            rules.append(_fault_rule(condition, instrument, document, note))
    for condition, document in written.items():
        if document.partners is not None and condition not in DERIVED:
            note(condition, "partners", f"partners of {condition.value}", "partners of DEV alone")
    return tuple(rules)


def _derived_rules(
    condition: Condition,
    instrument: Instrument,
    limits: Mapping[Condition, float],
    document: ConditionDocument | None,
    note: Note,
) -> list[ConditionRule]:
    """Return the rule of a condition that holds only where it is written."""
    if document is None:
        return []
    rule = derived_rule(condition, document, instrument.conversion, instrument.unit, note)
    if condition is Condition.FORECAST and rule is not None and not limits:
        note(condition, "limit", "nothing to forecast", "at least one of HH, H, L, LL on the same tag")
    return [] if rule is None else [rule]


def _limit(
    condition: Condition,
    instrument: Instrument,
    document: ConditionDocument | None,
    default: GasLimit | None,
    note: Note,
) -> tuple[float, str] | None:
    """Return limit and basis of one condition; None when there is no such condition."""
    if document is not None and document.limit is not None:
        limit, basis = instrument.conversion.to_canonical(document.limit), document.basis or "plant file"
    elif default is not None:
        limit, basis = default.limit, (document.basis if document else None) or default.basis
    else:
        if document is not None and document.enabled is not False:
            note(condition, "limit", "no limit", f"a limit in {instrument.unit}; only known gases have default limits")
        return None
    if not instrument.range_low <= limit <= instrument.range_high:
        whence = "" if document is not None and document.limit is not None else f", the default by {basis}"
        note(condition, "limit", _shown(limit, instrument) + whence, _range(instrument))
    return limit, basis


def _check_order(
    instrument: Instrument,
    limits: Mapping[Condition, float],
    written: Mapping[Condition, ConditionDocument],
    note: Note,
) -> None:
    """Check LL < L < H < HH."""
    present = [condition for condition in LIMIT_CONDITIONS if condition in limits]
    for lower, upper in itertools.pairwise(present):
        if limits[lower] < limits[upper]:
            continue
        blamed, other, side = (upper, lower, "above") if upper in written else (lower, upper, "below")
        allowed = f"{side} {other.value} at {_shown(limits[other], instrument)} (LL < L < H < HH)"
        note(blamed, "limit", _shown(limits[blamed], instrument), allowed)


def _limit_rule(
    condition: Condition,
    instrument: Instrument,
    limits: Mapping[Condition, float],
    basis: str,
    document: ConditionDocument,
    note: Note,
) -> ConditionRule:
    habit = _HABITS[instrument.quantity]
    return ConditionRule(
        condition=condition,
        tier=document.tier or _TIERS[condition],
        limit=limits[condition],
        deadband=_deadband(condition, instrument, limits, document, note),
        on_delay_ms=habit.on_delay_ms if document.on_delay is None else document.on_delay,
        off_delay_ms=habit.off_delay_ms if document.off_delay is None else document.off_delay,
        enabled=document.enabled is not False,
        basis=basis,
        latch=document.latch is True,
    )


def _deadband(
    condition: Condition,
    instrument: Instrument,
    limits: Mapping[Condition, float],
    document: ConditionDocument,
    note: Note,
) -> float:
    """Return the deadband in the canonical unit: as written, else the habit but at most half the room there is."""
    room = _room(condition, instrument, limits)
    multiplier, divisor = instrument.conversion.multiplier, instrument.conversion.divisor
    if document.deadband is not None:
        deadband = document.deadband * multiplier / divisor
        if deadband >= room > 0:
            widest = f"{room * divisor / multiplier:.6g} {instrument.unit}"
            allowed = f"less than {widest}, the room to the next limit or the end of the range"
            note(condition, "deadband", f"{document.deadband:g} {instrument.unit}", allowed)
        return deadband
    if instrument.quantity in (Quantity.COMBUSTIBLE_GAS, Quantity.TOXIC_GAS):
        habitual = abs(limits[condition]) * _GAS_DEADBAND_OF_LIMIT
    else:
        habitual = _HABITS[instrument.quantity].deadband_of_span * (instrument.range_high - instrument.range_low)
    return min(habitual, max(room, 0.0) / 2)


def _room(condition: Condition, instrument: Instrument, limits: Mapping[Condition, float]) -> float:
    """Return the distance from a limit back to the next limit (or the end of the range) that it clears towards."""
    limit = limits[condition]
    if condition in (Condition.H, Condition.HH):
        return limit - max((other for other in limits.values() if other < limit), default=instrument.range_low)
    return min((other for other in limits.values() if other > limit), default=instrument.range_high) - limit


def _fault_rule(condition: Condition, instrument: Instrument, document: ConditionDocument, note: Note) -> ConditionRule:
    """Return STALE or BAD_PV, which every tag has."""
    for key in ("limit", "deadband"):
        if getattr(document, key) is not None:
            note(condition, key, f"{key} {getattr(document, key):g}", f"{condition.value} has no {key}")
    off_delay_ms = _BAD_PV_OFF_DELAY_MS if condition is Condition.BAD_PV else 0
    is_gas = instrument.kind is InstrumentKind.GAS_DETECTOR
    return ConditionRule(
        condition=condition,
        tier=document.tier or (_GAS_FAULT_TIER if is_gas else _FAULT_TIER),
        limit=math.nan,
        deadband=0.0,
        on_delay_ms=document.on_delay or 0,
        off_delay_ms=off_delay_ms if document.off_delay is None else document.off_delay,
        enabled=document.enabled is not False,
        basis=document.basis or "house rule for every tag",
        latch=document.latch is True,
    )


def _shown(canonical: float, instrument: Instrument) -> str:
    return f"{instrument.conversion.from_canonical(canonical):.6g} {instrument.unit}"


def _range(instrument: Instrument) -> str:
    low = instrument.conversion.from_canonical(instrument.range_low)
    return f"within the range {low:.6g} to {_shown(instrument.range_high, instrument)}"
