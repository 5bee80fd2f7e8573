"""The alarm rules of a plant, compiled once into aligned arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.errors import RulesError
from config.plant.model import CONDITIONS, Condition, Plant

__all__ = [
    "BAD_PV",
    "HIGHS",
    "LIMITS",
    "LOWS",
    "SATURATION_ABOVE",
    "SATURATION_BELOW",
    "SIGNS",
    "STALE",
    "Rules",
    "compile_rules",
]

HIGHS: Final = (CONDITIONS.index(Condition.HH), CONDITIONS.index(Condition.H))
LOWS: Final = (CONDITIONS.index(Condition.L), CONDITIONS.index(Condition.LL))
LIMITS: Final = HIGHS + LOWS
SIGNS: Final = np.array([[1.0 if limit in HIGHS else -1.0] for limit in LIMITS])
"""[len(LIMITS), 1]: turns lows into highs: y = value for highs, -value for lows."""
STALE: Final = CONDITIONS.index(Condition.STALE)
BAD_PV: Final = CONDITIONS.index(Condition.BAD_PV)

SATURATION_ABOVE: Final = 0.03125
"""NAMUR NE 43: 20.5 mA, the end of the saturation band, as a part of the span above the range."""
SATURATION_BELOW: Final = 0.0125
"""NAMUR NE 43: 3.8 mA, the end of the saturation band, as a part of the span below the range."""

_TABLES: Final = ("limit", "deadband", "on_delay_ms", "off_delay_ms", "enabled", "tier")
_COLUMNS: Final = ("hold_ms", "stale_after_ms", "range_low", "range_high")


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """Rules of all tags; read-only arrays. Tables are [condition, row], columns are [row].

    Conditions are numbered as in `config.plant.model.CONDITIONS`. Arrays given are copied. A limit condition with
    the limit NaN never holds.

    Raises:
        RulesError: An array has not the shape it needs.
    """

    names: tuple[str, ...]
    """Row -> tag name."""
    limit: NDArray[np.float64]
    """Canonical unit; NaN for STALE and BAD_PV."""
    deadband: NDArray[np.float64]
    """Canonical unit, >= 0."""
    on_delay_ms: NDArray[np.int64]
    off_delay_ms: NDArray[np.int64]
    enabled: NDArray[np.bool_]
    tier: NDArray[np.uint8]
    """A `config.plant.model.Tier`; 0 where the tag has no such condition."""
    hold_ms: NDArray[np.int64]
    """How long a sample stands for the process."""
    stale_after_ms: NDArray[np.int64]
    range_low: NDArray[np.float64]
    """Instrument range, canonical unit."""
    range_high: NDArray[np.float64]

    raise_at: NDArray[np.float64] = field(init=False)
    """[len(LIMITS), row]: where y begins to hold, NaN when disabled; y is the value times `SIGNS`."""
    clear_at: NDArray[np.float64] = field(init=False)
    """[len(LIMITS), row]: below this y is over; NaN when disabled."""
    calm_low: NDArray[np.float64] = field(init=False)
    """[row]: between these two, exclusive, no limit condition holds."""
    calm_high: NDArray[np.float64] = field(init=False)
    floor: NDArray[np.float64] = field(init=False)
    """[row]: below this a reading is under the instrument's range."""
    ceiling: NDArray[np.float64] = field(init=False)
    """[row]: above this a reading is over the instrument's range."""
    digest: str = field(init=False)
    """SHA-256 of everything above; names the rules a snapshot belongs to."""

    def __post_init__(self) -> None:
        for name, dtype in zip((*_TABLES, *_COLUMNS), _DTYPES, strict=True):
            shape = (len(CONDITIONS), self.count) if name in _TABLES else (self.count,)
            array: NDArray[np.generic] = np.array(getattr(self, name), dtype=dtype, order="C")
            if array.shape != shape:
                raise RulesError(f"rules: {name} has the shape {array.shape}; {self.count} names need {shape}")
            self._set(name, array)
        self._derive_thresholds()
        span = self.range_high - self.range_low
        self._set("floor", self.range_low - SATURATION_BELOW * span)
        self._set("ceiling", self.range_high + SATURATION_ABOVE * span)
        object.__setattr__(self, "digest", self.digest_of(self.count))

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.names)

    def digest_of(self, rows: int) -> str:
        """Return the digest the rules would have if they ended after ``rows`` rows."""
        digest = hashlib.sha256()
        digest.update("\n".join((*CONDITIONS, "", *self.names[:rows])).encode())
        for name in (*_TABLES, *_COLUMNS):
            array: NDArray[np.generic] = getattr(self, name)
            digest.update(np.ascontiguousarray(array[..., :rows]).data)
        return digest.hexdigest()

    def _derive_thresholds(self) -> None:
        raise_at = SIGNS * np.where(self.enabled[LIMITS, :], self.limit[LIMITS, :], np.nan)
        self._set("raise_at", raise_at)
        self._set("clear_at", raise_at - self.deadband[LIMITS, :])
        self._set("calm_low", -np.fmin.reduce(raise_at[len(HIGHS) :], axis=0, initial=np.inf))
        self._set("calm_high", np.fmin.reduce(raise_at[: len(HIGHS)], axis=0, initial=np.inf))

    def _set(self, name: str, array: NDArray[np.generic]) -> None:
        array.setflags(write=False)
        object.__setattr__(self, name, array)


_DTYPES: Final = (
    *(np.float64, np.float64, np.int64, np.int64, np.bool_, np.uint8),
    *(np.int64, np.int64, np.float64, np.float64),
)


def compile_rules(plant: Plant, names: Sequence[str]) -> Rules:
    """Lay the rules of a plant out as arrays.

    Args:
        plant: Where limits, delays and allowances come from.
        names: Tag name of each row. Under a name the plant no longer has everything is disabled, and its value is
            never shown as fresh.
    """
    shape = (len(CONDITIONS), len(names))
    limit, deadband = np.full(shape, np.nan), np.zeros(shape)
    on_delay_ms, off_delay_ms = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    enabled, tier = np.zeros(shape, np.bool_), np.zeros(shape, np.uint8)
    hold_ms, stale_after_ms = np.zeros(len(names), np.int64), np.zeros(len(names), np.int64)
    range_low, range_high = np.full(len(names), -np.inf), np.full(len(names), np.inf)
    for row, name in enumerate(names):
        tag = plant.tags.get(name)
        if tag is None:
            continue
        hold_ms[row], stale_after_ms[row] = tag.hold_ms, tag.stale_after_ms
        range_low[row], range_high[row] = tag.range_low, tag.range_high
        for rule in tag.conditions:
            at = CONDITIONS.index(rule.condition), row
            limit[at], deadband[at] = rule.limit, rule.deadband
            on_delay_ms[at], off_delay_ms[at] = rule.on_delay_ms, rule.off_delay_ms
            enabled[at], tier[at] = rule.enabled, rule.tier
    return Rules(
        names=tuple(names),
        limit=limit,
        deadband=deadband,
        on_delay_ms=on_delay_ms,
        off_delay_ms=off_delay_ms,
        enabled=enabled,
        tier=tier,
        hold_ms=hold_ms,
        stale_after_ms=stale_after_ms,
        range_low=range_low,
        range_high=range_high,
    )
