"""What goes wrong with a transmitter: each fault changes what one tag sends between two moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from config.plant.model import Tag
from simulators.instruments import Instrument

__all__ = ["Channel", "Fault", "FaultKind", "Reading", "cannot_carry"]

_FAULT_LOW_MA = 3.5
_FAULT_HIGH_MA = 21.5
_BEYOND_MA = 20.8
"""Above what a loop may measure (20.5 mA), below its fault current (21 mA)."""
_BEYOND_SHARE = 0.2
"""Of the span above the range, for a transmitter without a current loop."""


class FaultKind(StrEnum):
    """Names as in scenario files."""

    STUCK = "stuck"
    DRIFT = "drift"
    SPIKE = "spike"
    DROPOUT = "dropout"
    OVER_RANGE = "over_range"
    FAULT_CURRENT = "fault_current"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    CLOCK_SKEW = "clock_skew"


_NEED_TIME = {FaultKind.DUPLICATE, FaultKind.REORDER, FaultKind.CLOCK_SKEW}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one tag, from ``start_ms`` (included) to ``end_ms`` of the run."""

    kind: FaultKind
    start_ms: int
    end_ms: int
    amount: float = 0.0
    """drift: per second; spike: its height (both canonical unit); clock_skew: ms ahead; fault_current: sign."""
    every: int = 1
    """spike, duplicate: every how many samples."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a transmitter sends once."""

    due_ms: int
    """When it is sent, from the start of the run."""
    time_ms: int
    """Its source time, from the start of the run; the same but for clock skew and reordering."""
    value: float | None
    """Canonical unit."""
    quality: int = 0
    """0 good, 1 uncertain, 2 bad, where the source can say it."""
    current_ma: float | None = None
    """The loop current when it stands for no value."""


def cannot_carry(tag: Tag, kind: FaultKind) -> str:
    """Say why a tag cannot show a fault; empty when it can."""
    if kind in _NEED_TIME and tag.source is not None and not tag.source.time_path:
        return "its source sends no time (time_path), so a receiver cannot tell"
    return ""


class Channel:
    """The output of one transmitter with all its faults."""

    def __init__(self, tag: Tag, instrument: Instrument, faults: Sequence[Fault]) -> None:
        self._tag = tag
        self._instrument = instrument
        self._faults = tuple(faults)
        self._last: float | None = None
        self._seen: dict[Fault, int] = {}
        self._held: Reading | None = None

    def send(self, at_ms: int, measured: float) -> list[Reading]:
        """Return what is sent when ``measured`` is in front of the output; often one reading, sometimes none or two."""
        value = self._instrument.render(measured)
        active = [fault for fault in self._faults if fault.start_ms <= at_ms < fault.end_ms]
        reading = Reading(at_ms, at_ms, value)
        if not any(fault.kind is FaultKind.STUCK for fault in active):
            self._last = value
        for fault in active:
            reading = self._spoil(reading, fault)
        return self._deliver(reading, active)

    def flush(self) -> list[Reading]:
        """Return what is still held back at the end of a run."""
        held, self._held = self._held, None
        return [held] if held else []

    def _spoil(self, reading: Reading, fault: Fault) -> Reading:
        """Change the content of one reading."""
        value = reading.value
        match fault.kind:
            case FaultKind.STUCK:
                self._last = value if self._last is None else self._last
                reading = replace(reading, value=self._last)
            case FaultKind.DRIFT if value is not None:
                reading = self._shift(reading, value, fault.amount * (reading.due_ms - fault.start_ms) / 1000.0)
            case FaultKind.SPIKE if value is not None and self._turn(fault):
                reading = self._shift(reading, value, fault.amount)
            case FaultKind.OVER_RANGE:
                reading = self._beyond(reading)
            case FaultKind.FAULT_CURRENT:
                reading = self._fail(reading, fault)
            case FaultKind.CLOCK_SKEW:
                reading = replace(reading, time_ms=reading.time_ms + int(fault.amount))
            case _:
                pass  # delivery faults leave the content alone
        return reading

    def _deliver(self, reading: Reading, active: Sequence[Fault]) -> list[Reading]:
        """Decide whether and in which order readings go out."""
        kinds = {fault.kind: fault for fault in active}
        if FaultKind.DROPOUT in kinds:
            return []
        out = [reading]
        if (duplicate := kinds.get(FaultKind.DUPLICATE)) and self._turn(duplicate):
            out.append(reading)
        if self._held is not None:
            out.append(replace(self._held, due_ms=reading.due_ms))
            self._held = None
        elif FaultKind.REORDER in kinds:
            self._held = reading
            return []
        return out

    def _shift(self, reading: Reading, value: float, by: float) -> Reading:
        """Add to a value as far as the output can say it."""
        return replace(reading, value=self._instrument.render(value + by))

    def _turn(self, fault: Fault) -> bool:
        """Say whether it is this sample's turn, counting from the start of the fault."""
        seen = self._seen.get(fault, 0)
        self._seen[fault] = seen + 1
        return seen % fault.every == 0

    def _beyond(self, reading: Reading) -> Reading:
        """Go beyond the range."""
        tag = self._tag
        if tag.source is not None and tag.source.current_loop:
            return replace(reading, value=None, current_ma=_BEYOND_MA)
        return replace(reading, value=tag.range_high + _BEYOND_SHARE * (tag.range_high - tag.range_low))

    def _fail(self, reading: Reading, fault: Fault) -> Reading:
        """Say that the transmitter itself is at fault, as far as its source can."""
        source = self._tag.source
        if source is not None and source.current_loop:
            return replace(reading, value=None, current_ma=_FAULT_HIGH_MA if fault.amount > 0 else _FAULT_LOW_MA)
        if source is None or source.quality_path:
            return replace(reading, quality=2)
        return replace(reading, value=None)
