"""From a number as read to a value in the canonical unit of its tag, with a quality that tells the truth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from config.contract.quality import Quality, Reason
from config.plant.model import Source, Tag
from config.units import IDENTITY, Conversion, Substance, conversion
from edge.current_loop import fault_of, span
from edge.reading import Reading, Sample

__all__ = ["Normalizer"]


@dataclass(frozen=True, slots=True)
class _Scaling:
    """What turns the numbers of one tag into its canonical unit."""

    source: Source
    low: float
    high: float
    unit: Conversion
    """Not used for a current loop, whose range is in the canonical unit."""


class Normalizer:
    """Scales the readings of the tags it was made for.

    Args:
        tags: The tags of one edge; those without a source are left out.
        substances: By CAS number; for gas concentrations that depend on the substance.

    Raises:
        UnitError: The unit of a source cannot be converted.
    """

    def __init__(self, tags: Iterable[Tag], substances: Mapping[str, Substance]) -> None:
        self._scalings = {
            tag.name: _Scaling(
                tag.source,
                tag.range_low,
                tag.range_high,
                IDENTITY
                if tag.source.current_loop
                else conversion(tag.source.unit, tag.quantity, substances.get(tag.cas)),
            )
            for tag in tags
            if tag.source is not None
        }

    def sample(self, reading: Reading, received_ms: int) -> Sample:
        """Return the sample a reading stands for.

        A number that is not finite, before or after scaling, becomes None and bad: whatever else the reading says,
        there is nothing to compare with a limit.

        Args:
            reading: Of a tag this was made for.
            received_ms: Taken as its time when the source has none, UTC.
        """
        time_ms = received_ms if reading.time_ms is None else reading.time_ms
        number, severity, reason = reading.number, reading.severity, reading.reason
        if number is None:
            return Sample(reading.tag, time_ms, None, Quality.BAD, reason or Reason.NOT_FINITE)
        value, fault = self._value(self._scalings[reading.tag], number)
        if fault is not Reason.NONE:
            return Sample(reading.tag, time_ms, None, Quality.BAD, fault)
        return Sample(reading.tag, time_ms, value, severity, reason)

    @staticmethod
    def _value(scaling: _Scaling, number: float) -> tuple[float, Reason]:
        """Scale; for a current loop the scaled number is the current in mA."""
        scaled = number * scaling.source.scale + scaling.source.offset
        if scaling.source.current_loop:
            fault = fault_of(scaled) if math.isfinite(scaled) else Reason.NOT_FINITE
            return span(scaled, scaling.low, scaling.high), fault
        value = scaling.unit.to_canonical(scaled)
        return value, Reason.NONE if math.isfinite(value) else Reason.NOT_FINITE
