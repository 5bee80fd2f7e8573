"""The alarm core's measure: the limits of docs/alarm-conditions.md as one loop compiled by numba.

What `alerting.quality.assess` and `alerting.engine.Engine.evaluate` do for `HH H L LL`, `BAD_PV` and the end of a
silence, sample by sample in order of arrival: the same verdicts, the same transitions in the same order, bit by bit
(tests/hazgate/test_compiled.py). It is single-threaded, screens quiet samples as the engine does, and allocates nothing
but its results. It exists to be measured against; the product does not import it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from alerting.batch import Batch, Change, Disposition, Evaluation, Transitions
from alerting.quality import CLOCK_AHEAD_MS, CLOCK_SUSPECT
from alerting.rules import BAD_PV, HIGHS, LIMITS, SIGNS, STALE, Rules
from config.contract.quality import Quality, Reason, pack

__all__ = ["CompiledEngine"]

_WATCHED: Final = (*LIMITS, BAD_PV)
"""Conditions of the columns of every table here; BAD_PV is the last."""
_MOST: Final = 2 * len(_WATCHED) + 1
"""Transitions one sample can cause: each condition twice, and the end of a silence."""

# numba takes plain numbers from here as constants; enumerations it would look up.
_BAD = int(Quality.BAD)
_SUSPECT = int(CLOCK_SUSPECT)
_NOT_FINITE = pack(Quality.BAD, Reason.NOT_FINITE)
_OVER = pack(Quality.BAD, Reason.OVER_RANGE)
_UNDER = pack(Quality.BAD, Reason.UNDER_RANGE)
_LATE, _DUPLICATE, _SAME_TIME = int(Disposition.LATE), int(Disposition.DUPLICATE), int(Disposition.SAME_TIME)
_RAISED, _CLEARED = int(Change.RAISED), int(Change.CLEARED)
_IDLE, _SUSPENDED, _COUNTING = 0, 1, 2
_OFF, _ON, _BETWEEN, _FROZEN = 0, 1, 2, 3
_LIMITS, _HIGHS, _COLUMNS, _STALE = len(LIMITS), len(HIGHS), len(_WATCHED), STALE
_CODES = np.array(_WATCHED, np.uint8)


F = TypeVar("F", bound=Callable[..., object])
G = TypeVar("G", bound=np.generic)


class _Thresholds(NamedTuple):
    """The rules, a row per tag: what one sample needs lies together."""

    floor: NDArray[np.float64]
    ceiling: NDArray[np.float64]
    calm_low: NDArray[np.float64]
    calm_high: NDArray[np.float64]
    hold_ms: NDArray[np.int64]
    raise_at: NDArray[np.float64]
    clear_at: NDArray[np.float64]
    limit: NDArray[np.float64]
    on_delay_ms: NDArray[np.int64]
    off_delay_ms: NDArray[np.int64]
    enabled: NDArray[np.bool_]


class _Memory(NamedTuple):
    """What is remembered of each tag, and of each condition of it."""

    clock_ms: NDArray[np.int64]
    received_ms: NDArray[np.int64]
    heard_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    stale: NDArray[np.bool_]
    stale_onset_ms: NDArray[np.int64]
    """Of the active STALE alarm; -1 when there is none."""
    stale_changed_ms: NDArray[np.int64]
    busy: NDArray[np.bool_]
    active: NDArray[np.bool_]
    pending: NDArray[np.uint8]
    onset_ms: NDArray[np.int64]
    held_ms: NDArray[np.int64]
    changed_ms: NDArray[np.int64]


_TOLD = np.dtype(
    [
        *(("tag", np.int32), ("condition", np.uint8), ("change", np.uint8), ("quality", np.uint8)),
        *(("onset_ms", np.int64), ("time_ms", np.int64), ("value", np.float64), ("limit", np.float64)),
    ],
    align=True,
)
"""One transition: the columns of `Transitions`."""


class CompiledEngine:
    """Evaluates samples as `Engine` does, limits only, ticks left out.

    Args:
        rules: The rules in force; conditions other than limits, BAD_PV and STALE are not looked at.
    """

    def __init__(self, rules: Rules) -> None:
        self._thresholds = _thresholds(rules)
        self._memory = _fresh(rules.count)
        self._told = np.empty(1 << 10, _TOLD)

    def adopt_silence(self, tag: NDArray[np.int32], onset_ms: NDArray[np.int64]) -> None:
        """Take STALE as raised for some tags."""
        self._memory.stale[tag] = True
        self._memory.stale_onset_ms[tag] = onset_ms

    def evaluate(self, batch: Batch, received_ms: int) -> Evaluation:
        """Assess and evaluate samples in order of arrival.

        Args:
            batch: Samples with the quality they came with.
            received_ms: Gateway clock when they came.

        Returns:
            What became of each sample, and the transitions they caused.
        """
        disposition = np.empty(len(batch), np.uint8)
        quality = np.empty(len(batch), np.uint8)
        columns = (batch.tag, batch.time_ms, batch.value, batch.quality)
        at, count = 0, 0
        while at < len(batch):
            if count + _MOST > len(self._told):
                self._told = np.concatenate([self._told, np.empty_like(self._told)])
            at, count = _take(
                *(columns, self._thresholds, self._memory, self._told, disposition, quality, received_ms, at, count)
            )
        return Evaluation(disposition, self._transitions(count))

    @property
    def active(self) -> NDArray[np.bool_]:
        """[row, (HH, H, L, LL, BAD_PV)]: the alarm is raised."""
        return self._memory.active

    def _transitions(self, count: int) -> Transitions:
        if not count:
            return Transitions.empty()
        told = self._told[:count]
        order = np.lexsort((told["condition"], told["tag"], told["time_ms"]))
        told = told.take(order)
        columns = {name: told[name] for name in _TOLD.names or ()}
        # Columns that only other conditions fill.
        columns |= {name: np.full(count, np.nan) for name in Transitions.__slots__ if name not in columns}
        return Transitions(**columns)


def _thresholds(rules: Rules) -> _Thresholds:
    def by_row(table: NDArray[G]) -> NDArray[G]:
        return np.ascontiguousarray(table[list(_WATCHED)].T)

    raise_at = SIGNS * np.where(rules.enabled[list(LIMITS)], rules.limit[list(LIMITS)], np.nan)
    return _Thresholds(
        floor=rules.floor,
        ceiling=rules.ceiling,
        calm_low=-np.fmin.reduce(raise_at[_HIGHS:], axis=0, initial=np.inf),
        calm_high=np.fmin.reduce(raise_at[:_HIGHS], axis=0, initial=np.inf),
        hold_ms=rules.hold_ms,
        raise_at=np.ascontiguousarray(raise_at.T),
        clear_at=np.ascontiguousarray((raise_at - rules.deadband[list(LIMITS)]).T),
        limit=by_row(rules.limit),
        on_delay_ms=by_row(rules.on_delay_ms),
        off_delay_ms=by_row(rules.off_delay_ms),
        enabled=by_row(rules.enabled),
    )


def _fresh(rows: int) -> _Memory:
    table = (rows, _COLUMNS)
    return _Memory(
        clock_ms=np.full(rows, -1, np.int64),
        received_ms=np.full(rows, -1, np.int64),
        heard_ms=np.full(rows, -1, np.int64),
        value=np.full(rows, np.nan),
        quality=np.full(rows, _NOT_FINITE, np.uint8),
        stale=np.zeros(rows, np.bool_),
        stale_onset_ms=np.full(rows, -1, np.int64),
        stale_changed_ms=np.zeros(rows, np.int64),
        busy=np.zeros(rows, np.bool_),
        active=np.zeros(table, np.bool_),
        pending=np.zeros(table, np.uint8),
        onset_ms=np.zeros(table, np.int64),
        held_ms=np.zeros(table, np.int64),
        changed_ms=np.zeros(table, np.int64),
    )


def _compiled(function: F) -> F:
    """Let numba compile a function; to type checkers it stays what it is."""
    return cast("F", numba.njit(function))


@_compiled
def _assess(value: float, quality: int, ahead_ms: int, floor: float, ceiling: float) -> int:
    """Return the quality byte in force."""
    if ahead_ms > CLOCK_AHEAD_MS:
        return _SUSPECT
    if quality & 3 >= _BAD:
        return quality
    if not np.isfinite(value):
        return _NOT_FINITE
    if value > ceiling:
        return _OVER
    if value < floor:
        return _UNDER
    return quality


@_compiled
def _classify(column: int, value: float, quality: int, raise_at: float, clear_at: float) -> int:
    """Say what a sample means to a condition."""
    bad = quality & 3 >= _BAD
    if column == _LIMITS:
        return _ON if bad else _OFF
    y = value if column < _HIGHS else -value
    holds = y >= raise_at
    if bad:
        return _ON if holds and quality == (_OVER if column < _HIGHS else _UNDER) else _FROZEN
    if holds:
        return _ON
    return _OFF if y < clear_at else _BETWEEN


@_compiled
def _older(time_ms: int, clock_ms: int, value: float, last_value: float, last_quality: int) -> int:
    """Return the verdict on a sample that is not newer than the clock of its tag."""
    if time_ms < clock_ms:
        return _LATE
    same = value == last_value or (np.isnan(value) and np.isnan(last_value))
    return _DUPLICATE if same and last_quality != _SUSPECT else _SAME_TIME


@_compiled
def _apply(active: bool, pending: int, onset_ms: int, held_ms: int, says: int, time_ms: int) -> tuple[int, int, int]:
    """Let a sample begin, go on with, suspend or break a run; return pending, onset and held time."""
    if says == _FROZEN:
        return (_IDLE if pending == _IDLE else _SUSPENDED), onset_ms, held_ms
    if says != (_OFF if active else _ON):
        return _IDLE, onset_ms if active else 0, 0
    if pending == _IDLE and not active:
        onset_ms = time_ms
    return _COUNTING, onset_ms, held_ms


@_compiled
def _tell(  # noqa: PLR0917 - numba knows no keywords here
    told: NDArray[np.void],
    count: int,
    row: int,
    condition: int,
    raised: bool,
    onset_ms: int,
    time_ms: int,
    value: float,
    quality: int,
    limit: float,
) -> int:
    """Write one transition; return how many there are."""
    one = told[count]
    one.tag = row
    one.condition = condition
    one.change = _RAISED if raised else _CLEARED
    one.onset_ms = onset_ms
    one.time_ms = time_ms
    one.value = value
    one.quality = quality
    one.limit = limit
    return count + 1


@_compiled
def _take(  # noqa: C901, PLR0912, PLR0915, PLR0917 - one piece: numba would count references to arrays at every call
    batch: tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.uint8]],
    rules: _Thresholds,
    memory: _Memory,
    told: NDArray[np.void],
    disposition: NDArray[np.uint8],
    found: NDArray[np.uint8],
    received_ms: int,
    at: int,
    count: int,
) -> tuple[int, int]:
    """Take samples from ``at`` on while there is room to tell; return how far it came and how much was told."""
    tags, times_ms, values, qualities = batch
    (floor, ceiling, calm_low, calm_high, hold_ms) = rules[:5]
    (raise_at, clear_at, limit, on_delay_ms, off_delay_ms, enabled) = rules[5:]
    (clock_ms, last_received_ms, heard_ms, last_value, last_quality) = memory[:5]
    (stale, stale_onset_ms, stale_changed_ms, busy) = memory[5:9]
    (active, pending, onset_ms, held_ms, changed_ms) = memory[9:]
    room = len(told) - _MOST
    while at < len(tags) and count <= room:
        row, time_ms, value = tags[at], times_ms[at], values[at]
        quality = _assess(value, qualities[at], time_ms - received_ms, floor[row], ceiling[row])
        found[at] = quality
        before_ms, before_value, before_quality = clock_ms[row], last_value[row], last_quality[row]
        verdict = 0
        if quality == _SUSPECT:
            time_ms = received_ms
        elif time_ms <= before_ms:
            verdict = _older(time_ms, before_ms, value, before_value, before_quality)
        disposition[at] = verdict
        at += 1
        if verdict in (_LATE, _DUPLICATE):
            continue

        if stale[row]:
            stale[row] = False
            begun_ms = stale_onset_ms[row]
            if begun_ms >= 0:
                stale_onset_ms[row] = -1
                stale_changed_ms[row] = max(stale_changed_ms[row], received_ms)
                at_ms = stale_changed_ms[row]
                count = _tell(told, count, row, _STALE, False, begun_ms, at_ms, value, quality, np.nan)

        calm = calm_low[row] < value < calm_high[row] and quality & 3 < _BAD
        if busy[row] or not calm:
            last_ms = last_received_ms[row] if before_quality == _SUSPECT else before_ms
            span_ms = min(max(0, time_ms - last_ms), hold_ms[row])
            alive = False
            for column in range(_COLUMNS):
                if not enabled[row, column]:
                    continue
                code, threshold = _CODES[column], limit[row, column]
                on, run, onset, held = (
                    active[row, column],
                    pending[row, column],
                    onset_ms[row, column],
                    held_ms[row, column],
                )
                if run == _COUNTING:
                    left_ms = (off_delay_ms[row, column] if on else on_delay_ms[row, column]) - held
                    if span_ms < left_ms:
                        held += span_ms
                    else:
                        on = not on
                        at_ms = max(changed_ms[row, column], last_ms + left_ms)
                        changed_ms[row, column] = at_ms
                        count = _tell(told, count, row, code, on, onset, at_ms, before_value, before_quality, threshold)
                        run, held, onset = _IDLE, 0, onset if on else 0
                says = _classify(column, value, quality, raise_at[row, column], clear_at[row, column])
                run, onset, held = _apply(on, run, onset, held, says, time_ms)
                if run == _COUNTING and (off_delay_ms[row, column] if on else on_delay_ms[row, column]) == 0:
                    on = not on
                    at_ms = max(changed_ms[row, column], time_ms)
                    changed_ms[row, column] = at_ms
                    count = _tell(told, count, row, code, on, onset, at_ms, value, quality, threshold)
                    run, held, onset = _IDLE, 0, onset if on else 0
                active[row, column], pending[row, column] = on, run
                onset_ms[row, column], held_ms[row, column] = onset, held
                alive = alive or on or run != _IDLE
            busy[row] = alive

        last_value[row], last_quality[row] = value, quality
        last_received_ms[row], heard_ms[row] = received_ms, received_ms
        if quality != _SUSPECT:
            clock_ms[row] = time_ms
    return at, count
