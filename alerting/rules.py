"""The alarm rules of a plant, compiled once into aligned arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerting.errors import RulesError
from config.plant.model import CONDITIONS, WINDOWED, Condition, Plant

__all__ = [
    "BAD_PV",
    "DEV",
    "FLATLINE",
    "FORECAST",
    "HIGHS",
    "LIMITS",
    "LOWS",
    "NOBODY",
    "QUANTA",
    "ROC_HIGH",
    "ROC_LOW",
    "SATURATION_ABOVE",
    "SATURATION_BELOW",
    "SIGNS",
    "SLOTS",
    "STALE",
    "WINDOWED_CONDITIONS",
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
ROC_HIGH: Final = CONDITIONS.index(Condition.ROC_HIGH)
ROC_LOW: Final = CONDITIONS.index(Condition.ROC_LOW)
FORECAST: Final = CONDITIONS.index(Condition.FORECAST)
DEV: Final = CONDITIONS.index(Condition.DEV)
FLATLINE: Final = CONDITIONS.index(Condition.FLATLINE)
WINDOWED_CONDITIONS: Final = tuple(CONDITIONS.index(condition) for condition in WINDOWED)
_ALWAYS: Final = (*LIMITS, BAD_PV)
_SOMETIMES: Final = (ROC_HIGH, ROC_LOW, FORECAST, DEV, FLATLINE)

SLOTS: Final = 16
"""A window is remembered in so many slots."""
QUANTA: Final = 1 << 30
"""The range of an instrument in whole numbers, so that sums do not depend on their order."""
NOBODY: Final = -1
"""No partner."""

SATURATION_ABOVE: Final = 0.03125
"""NAMUR NE 43: 20.5 mA, the end of the saturation band, as a part of the span above the range."""
SATURATION_BELOW: Final = 0.0125
"""NAMUR NE 43: 3.8 mA, the end of the saturation band, as a part of the span below the range."""

_TABLES: Final = ("limit", "deadband", "on_delay_ms", "off_delay_ms", "enabled", "tier")
_COLUMNS: Final = ("hold_ms", "stale_after_ms", "range_low", "range_high", "window_ms")
_PARTNERS: Final = 2


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
    """Canonical unit; of a rate per minute; of FORECAST in minutes; NaN for STALE and BAD_PV."""
    deadband: NDArray[np.float64]
    """In the unit of the limit, >= 0."""
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
    window_ms: NDArray[np.int64]
    """How far back the conditions of `config.plant.model.WINDOWED` look; >= 0."""
    partners: NDArray[np.int64]
    """[2, row]: rows of the tags that DEV compares with; NOBODY where there is none."""

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
    sampled: NDArray[np.int64] = field(init=False)
    """Conditions that samples decide and that some tag has: limits and BAD_PV first."""
    step_ms: NDArray[np.int64] = field(init=False)
    """[row]: width of a slot of the window."""
    quantum: NDArray[np.float64] = field(init=False)
    """[row]: the range divided by `QUANTA`."""
    ring: NDArray[np.int64] = field(init=False)
    """[row]: where the window of the tag is kept; NOBODY when no condition looks at it."""
    ringed: NDArray[np.int64] = field(init=False)
    """[ring]: the row it belongs to."""
    digest: str = field(init=False)
    """SHA-256 of everything above; names the rules a snapshot belongs to."""

    def __post_init__(self) -> None:
        for name, dtype in zip((*_TABLES, *_COLUMNS, "partners"), _DTYPES, strict=True):
            rows = {name: len(CONDITIONS) for name in _TABLES} | {"partners": _PARTNERS}
            shape = (rows[name], self.count) if name in rows else (self.count,)
            array: NDArray[np.generic] = np.array(getattr(self, name), dtype=dtype, order="C")
            if array.shape != shape:
                raise RulesError(f"rules: {name} has the shape {array.shape}; {self.count} names need {shape}")
            self._set(name, array)
        self._derive_thresholds()
        span = self.range_high - self.range_low
        self._set("floor", self.range_low - SATURATION_BELOW * span)
        self._set("ceiling", self.range_high + SATURATION_ABOVE * span)
        self._derive_windows()
        object.__setattr__(self, "digest", self.digest_of(self.count))

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.names)

    @property
    def looks_beyond(self) -> bool:
        """Some condition looks at more than the last sample of its tag."""
        return len(self.sampled) > len(_ALWAYS)

    def digest_of(self, rows: int) -> str:
        """Return the digest the rules would have if they ended after ``rows`` rows."""
        digest = hashlib.sha256()
        digest.update("\n".join((*CONDITIONS, "", *self.names[:rows])).encode())
        for name in (*_TABLES, *_COLUMNS, "partners"):
            array: NDArray[np.generic] = getattr(self, name)
            digest.update(np.ascontiguousarray(array[..., :rows]).data)
        return digest.hexdigest()

    def _derive_thresholds(self) -> None:
        raise_at = SIGNS * np.where(self.enabled[LIMITS, :], self.limit[LIMITS, :], np.nan)
        self._set("raise_at", raise_at)
        self._set("clear_at", raise_at - self.deadband[LIMITS, :])
        self._set("calm_low", -np.fmin.reduce(raise_at[len(HIGHS) :], axis=0, initial=np.inf))
        self._set("calm_high", np.fmin.reduce(raise_at[: len(HIGHS)], axis=0, initial=np.inf))

    def _derive_windows(self) -> None:
        beyond = [one for one in _SOMETIMES if self.enabled[one].any()]
        self._set("sampled", np.array([*_ALWAYS, *beyond], np.int64))
        windowed = np.logical_or.reduce(self.enabled[WINDOWED_CONDITIONS, :], axis=0)
        span = np.where(windowed, self.range_high - self.range_low, 1.0)
        fit = np.isfinite(span) & np.greater(span, 0) & (np.greater_equal(self.window_ms, SLOTS) | ~windowed)
        wrong = np.flatnonzero(np.logical_not(fit))
        if len(wrong):
            row = int(wrong[0])
            raise RulesError(
                f"rules: {self.names[row]!r} has a condition over a window: it needs a finite range and at least "
                f"{SLOTS} ms, found {self.range_low[row]:g} to {self.range_high[row]:g} and {self.window_ms[row]} ms"
            )
        self._set("quantum", span / QUANTA)
        self._set("step_ms", np.maximum(1, -(-self.window_ms // SLOTS)))
        ringed = np.flatnonzero(windowed)
        ring = np.full(self.count, NOBODY, np.int64)
        ring[ringed] = np.arange(len(ringed))
        self._set("ringed", ringed)
        self._set("ring", ring)
        partners = np.where(self.enabled[DEV], self.partners, NOBODY)
        strange = (partners >= self.count) | (partners < NOBODY) | (partners == np.arange(self.count))
        if bool(strange.any()) or bool((self.enabled[DEV] & (partners[0] == NOBODY)).any()):
            raise RulesError("rules: DEV needs another tag as its first partner, and partners that are rows")

    def _set(self, name: str, array: NDArray[np.generic]) -> None:
        array.setflags(write=False)
        object.__setattr__(self, name, array)


_DTYPES: Final = (
    *(np.float64, np.float64, np.int64, np.int64, np.bool_, np.uint8),
    *(np.int64, np.int64, np.float64, np.float64, np.int64),
    np.int64,
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
    window_ms, partners = np.zeros(len(names), np.int64), np.full((_PARTNERS, len(names)), NOBODY, np.int64)
    rows = {name: row for row, name in enumerate(names)}
    for row, name in enumerate(names):
        tag = plant.tags.get(name)
        if tag is None:
            continue
        hold_ms[row], stale_after_ms[row] = tag.hold_ms, tag.stale_after_ms
        range_low[row], range_high[row], window_ms[row] = tag.range_low, tag.range_high, tag.window_ms
        for rule in tag.conditions:
            at = CONDITIONS.index(rule.condition), row
            limit[at], deadband[at] = rule.limit, rule.deadband
            on_delay_ms[at], off_delay_ms[at] = rule.on_delay_ms, rule.off_delay_ms
            enabled[at], tier[at] = rule.enabled, rule.tier
            for which, partner in enumerate(rule.partners):
                partners[which, row] = rows.get(partner, NOBODY)
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
        window_ms=window_ms,
        partners=partners,
    )
