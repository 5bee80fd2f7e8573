"""Recorded data as the stream of messages its sensors would publish."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path

from config.chemicals import load_chemicals
from config.errors import Problem, UnitError
from config.plant.load import DEMO_PLANT, load_plant
from config.plant.model import Plant, Source, Tag
from config.plant.yaml_lines import LinedYaml
from config.units import Conversion, conversion
from simulators.errors import EncodingError, ReplayError
from simulators.faults import Reading
from simulators.files import problem_at, read_model
from simulators.payloads import Message, TagEncoder, check_topics, encode_payload
from simulators.recording import ColumnPart, Recording, ReplayMap, Row, Spoiled

__all__ = ["REPLAYS", "Replay", "Shift", "Survey", "open_replay", "shift_ms", "shipped_maps"]

REPLAYS = Path(__file__).parent / "replays"


class Shift(StrEnum):
    """What becomes of recorded times."""

    NOW = "now"
    """Moved so that the last row is sent at its own source time; nothing lies in the future."""
    KEEP = "keep"
    """Kept, as UTC."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a recording holds."""

    rows: int
    samples: int
    first_ms: int
    """Source time of the first row, UTC."""
    last_ms: int
    """The latest source time of all."""
    spoiled: Spoiled


@dataclass(frozen=True, slots=True)
class _Column:
    """How a column becomes readings."""

    encoder: TagEncoder
    unit: Conversion


class Replay:
    """A recording with its map and plant, ready to be published."""

    def __init__(self, recording: Recording, columns: tuple[_Column, ...], plant: Plant, limit: int | None) -> None:
        self.plant = plant
        self._recording = recording
        self._columns = columns
        self._limit = limit

    def survey(self) -> Survey:
        """Read it once from end to end.

        Raises:
            ReplayError: It cannot be read, or no row of it can be used.
        """
        spoiled = Spoiled()
        rows = samples = 0
        first_ms, last_ms = -1, -1
        for row in self._rows(spoiled):
            rows += 1
            samples += sum(value is not None for value in row.values)
            first_ms = row.time_ms if first_ms < 0 else first_ms
            last_ms = max(last_ms, row.time_ms)
        if not rows:
            found = f"no usable row, {spoiled.rows} unusable"
            raise ReplayError((*spoiled.first, Problem("(recording)", 0, "(rows)", found, "at least one row")))
        return Survey(rows, samples, first_ms, last_ms, spoiled)

    def messages(self, shift_ms: int = 0) -> Iterator[Message]:
        """Yield what is published, row by row in the order of the file.

        A row whose time goes back (a clock that was put back) is sent at once, with its own time.

        Args:
            shift_ms: Added to every recorded time.
        """
        first_ms, due_ms = -1, 0
        for row in self._rows(Spoiled()):
            first_ms = row.time_ms if first_ms < 0 else first_ms
            due_ms = max(due_ms, row.time_ms - first_ms)
            yield from self._of_row(row, due_ms, shift_ms)

    def _rows(self, spoiled: Spoiled) -> Iterator[Row]:
        return islice(self._recording.rows(spoiled), self._limit)

    def _of_row(self, row: Row, due_ms: int, shift_ms: int) -> Iterator[Message]:
        """Yield a message per topic of one row."""
        topics: dict[str, list[tuple[TagEncoder, Reading]]] = {}
        for column, value in zip(self._columns, row.values, strict=True):
            if value is not None:
                reading = Reading(due_ms, row.time_ms + shift_ms, column.unit.to_canonical(value))
                topics.setdefault(column.encoder.topic, []).append((column.encoder, reading))
        for topic, parts in topics.items():
            samples = tuple(encoder.sample(reading, 0) for encoder, reading in parts)
            yield Message(due_ms, topic, encode_payload(parts, 0), parts[0][0].qos, samples)


def shipped_maps() -> dict[str, Path]:
    """Return the maps that come with the program by their short names."""
    return {path.name.removesuffix(".map.yaml"): path for path in sorted(REPLAYS.glob("*.map.yaml"))}


def shift_ms(survey: Survey, shift: Shift, now_ms: int, speed: float) -> int:
    """Return what to add to recorded times.

    Args:
        survey: Of the recording.
        shift: What is wanted.
        now_ms: UTC, when the replay starts.
        speed: Times real time; `math.inf` for at once.
    """
    if shift is Shift.KEEP:
        return 0
    lasts_ms = 0.0 if math.isinf(speed) else (survey.last_ms - survey.first_ms) / speed
    return round(now_ms + lasts_ms) - survey.last_ms


def open_replay(data: Path, map_file: Path, limit: int | None = None) -> Replay:
    """Open a recording with its map.

    Args:
        data: The recording.
        map_file: What its columns are.
        limit: Rows to replay, at most.

    Raises:
        ReplayError: The map is wrong or does not fit its plant; with every problem found.
        PlantError: The plant of the map is wrong.
    """
    described, document, problems = read_model(map_file, ReplayMap)
    if described is None:
        raise ReplayError(problems)
    plant_file = DEMO_PLANT if described.plant == "demo" else map_file.parent / described.plant
    if not plant_file.is_file():
        found = f"no file {described.plant!r}"
        raise ReplayError((problem_at(document, str(map_file), ("plant",), found, "demo, or a file beside it"),))
    plant = load_plant(plant_file)
    columns = _columns(described, plant, document, str(map_file))
    return Replay(Recording(data, described), columns, plant, limit)


def _columns(described: ReplayMap, plant: Plant, document: LinedYaml, file: str) -> tuple[_Column, ...]:
    """Find the tag, unit and payload form of every column."""
    columns: list[_Column] = []
    problems: list[Problem] = []
    for name, part in described.columns.items():
        tag = plant.tags.get(part.tag)
        if tag is None:
            allowed = f"one of {', '.join(list(plant.tags)[:20])}"
            problems.append(problem_at(document, file, ("columns", name, "tag"), f"no tag {part.tag!r}", allowed))
            continue
        try:
            columns.append(_column(part, tag, plant))
        except (UnitError, EncodingError) as error:
            problems.append(problem_at(document, file, ("columns", name), str(error), "another unit or source"))
    try:
        check_topics(column.encoder for column in columns)
    except EncodingError as error:
        problems.append(problem_at(document, file, ("columns",), str(error), "topics of their own"))
    if problems:
        raise ReplayError(tuple(problems))
    return tuple(columns)


def _column(part: ColumnPart, tag: Tag, plant: Plant) -> _Column:
    if part.source is not None:
        given = part.source
        source = Source(
            driver="mqtt_sensor",
            topic=given.topic,
            format=given.format,
            path=given.path,
            time_path=given.time_path,
            quality_path=(),
            current_loop=False,
            scale=1.0,
            offset=0.0,
            unit=part.unit or tag.unit,
            qos=1,
        )
        tag = replace(tag, source=source)
    chemical = load_chemicals().get(tag.cas)
    substance = chemical.substance(plant.lel_table, plant.reference_air) if chemical else None
    return _Column(TagEncoder(tag, plant), conversion(part.unit or tag.unit, tag.quantity, substance))
