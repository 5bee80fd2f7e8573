"""Readings as the payloads a tag's source declares: the inverse of what an edge reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from config.chemicals import load_chemicals
from config.contract.messages import Point, encode
from config.contract.topics import point_topic
from config.plant.model import Plant, Source, SourceFormat, Tag
from config.units import IDENTITY, Conversion, conversion
from simulators.errors import EncodingError
from simulators.faults import Reading

__all__ = ["Message", "Sample", "TagEncoder", "check_topics", "encode_payload", "encoders"]

Json: TypeAlias = "dict[str, Json] | list[Json] | float | int | None"

_RAW_DIGITS = 12
"""Significant digits of a transmitter's raw number, where they say the value exactly."""
_LOOP_DIGITS = 3
"""A loop current is digitized to 1 µA."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a receiver of a message has to understand."""

    tag: str
    time_ms: int
    """UTC source time; for a source without time, when it was sent."""
    value: float | None
    """Canonical unit, as the digits on the wire say it."""
    quality: int
    """0 good, 1 uncertain, 2 bad."""


@dataclass(frozen=True, slots=True)
class Message:
    """One publication."""

    due_ms: int
    """When to send it, from the start of the run."""
    topic: str
    payload: bytes
    qos: int
    samples: tuple[Sample, ...]


class TagEncoder:
    """Turns readings of one tag into the numbers of its source."""

    def __init__(self, tag: Tag, plant: Plant) -> None:
        self.tag = tag
        self.source = tag.source
        self.topic = tag.source.topic if tag.source else point_topic(plant.site.id, tag.edge, tag.name)
        self.qos = tag.source.qos if tag.source else 1
        self._conversion = _conversion(tag, plant)
        self.json = tag.source is not None and tag.source.format is SourceFormat.JSON
        if self.json and tag.source and not tag.source.path and (tag.source.time_path or tag.source.quality_path):
            message = f"tag {tag.name}: a JSON payload that is only the value has no room for time or quality"
            raise EncodingError(message)

    def number(self, reading: Reading) -> float | None:
        """Return what stands in the payload for the value."""
        source = self.source
        if source is None:
            return reading.value
        if source.current_loop:
            return self._loop_number(source, reading)
        if reading.value is None:
            return None
        if self._conversion is IDENTITY and source.scale == 1.0 and source.offset == 0.0:
            return reading.value
        return self._shortest((self._conversion.from_canonical(reading.value) - source.offset) / source.scale)

    def value(self, number: float) -> float:
        """Return the canonical value a number of the payload stands for (a fault current stands for none)."""
        source = self.source
        if source is None:
            return number
        if source.current_loop:
            current_ma = number * source.scale + source.offset
            return self.tag.range_low + (current_ma - 4.0) / 16.0 * self._span
        return self._conversion.to_canonical(number * source.scale + source.offset)

    def sample(self, reading: Reading, start_ms: int) -> Sample:
        """Return what a receiver has to understand of a reading."""
        number = self.number(reading)
        value = None if number is None or reading.current_ma is not None else self.value(number)
        failed = reading.current_ma is not None or number is None
        return Sample(self.tag.name, start_ms + reading.time_ms, value, 2 if failed else reading.quality)

    def _loop_number(self, source: Source, reading: Reading) -> float | None:
        """Return the number that stands for a loop current."""
        current_ma = reading.current_ma
        if current_ma is None:
            if reading.value is None:
                return None
            current_ma = round(4.0 + 16.0 * (reading.value - self.tag.range_low) / self._span, _LOOP_DIGITS)
        return (current_ma - source.offset) / source.scale

    def _shortest(self, number: float) -> float:
        """Return the number with fewer digits where they say the same value."""
        short = float(f"{number:.{_RAW_DIGITS}g}")
        return short if self.value(short) == self.value(number) else number

    @property
    def _span(self) -> float:
        return self.tag.range_high - self.tag.range_low


def encoders(plant: Plant) -> dict[str, TagEncoder]:
    """Return the encoder of every tag of a plant.

    Raises:
        EncodingError: A source that cannot carry its tag, or tags that cannot share a topic.
    """
    made = {name: TagEncoder(tag, plant) for name, tag in plant.tags.items()}
    check_topics(made.values())
    return made


def check_topics(made: Iterable[TagEncoder]) -> None:
    """Check that only tags that can share a topic do.

    Raises:
        EncodingError: Two cannot.
    """
    first: dict[str, TagEncoder] = {}
    for one in made:
        other = first.setdefault(one.topic, one)
        if other is not one and not (_shares(one) and _shares(other)):
            message = f"tags {other.tag.name} and {one.tag.name} publish on {one.topic}: only JSON with paths can share"
            raise EncodingError(message)


def encode_payload(parts: Sequence[tuple[TagEncoder, Reading]], start_ms: int) -> bytes:
    """Return one payload that carries readings of the same moment and topic."""
    encoder, reading = parts[0]
    source = encoder.source
    if source is None:
        return encode(Point(reading.value, start_ms + reading.time_ms, reading.quality))
    if not encoder.json:
        number = encoder.number(reading)
        return b"nan" if number is None else repr(number).encode()
    root: dict[str, Json] = {}
    for one, part in parts:
        if one.source is None or not one.source.path:
            return msgspec.json.encode(one.number(part))
        _put(root, one.source.path, one.number(part))
        if one.source.time_path:
            _put(root, one.source.time_path, start_ms + part.time_ms)
        if one.source.quality_path:
            _put(root, one.source.quality_path, part.quality)
    return msgspec.json.encode(_lists(root))


def _shares(encoder: TagEncoder) -> bool:
    return encoder.json and encoder.source is not None and bool(encoder.source.path)


def _conversion(tag: Tag, plant: Plant) -> Conversion:
    source = tag.source
    if source is None or source.current_loop:
        return IDENTITY
    chemical = load_chemicals().get(tag.cas)
    substance = chemical.substance(plant.lel_table, plant.reference_air) if chemical else None
    return conversion(source.unit, tag.quantity, substance)


def _put(root: dict[str, Json], path: Sequence[str], value: Json) -> None:
    """Set what stands at the end of a path, making the objects on the way."""
    for key in path[:-1]:
        inner = root.setdefault(key, {})
        if not isinstance(inner, dict):
            message = f"path {'.'.join(path)} goes through {key!r}, where another path ends"
            raise EncodingError(message)
        root = inner
    root[path[-1]] = value


def _lists(node: Json) -> Json:
    """Turn objects whose keys are all decimal into lists, as paths with indexes mean them."""
    if not isinstance(node, dict):
        return node
    inner = {key: _lists(value) for key, value in node.items()}
    if not all(key.isdecimal() for key in inner):
        return inner
    items: list[Json] = [None] * (max(map(int, inner)) + 1)
    for key, value in inner.items():
        items[int(key)] = value
    return items
