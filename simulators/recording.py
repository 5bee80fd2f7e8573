"""Recorded tables: a map that says what their columns are, and their rows read one by one with what is wrong."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

from config.errors import Problem
from config.plant.model import SourceFormat
from simulators.errors import ReplayError

__all__ = ["ColumnPart", "Recording", "ReplayMap", "Row", "Spoiled", "TimePart"]

_SHOWN = 20
"""Problems of a recording that are told one by one; all are counted."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TimePart(_Part):
    """Where a row says when it was."""

    column: str
    format: str = "iso"
    """``iso``, ``epoch_s``, ``epoch_ms``, or a pattern as of `datetime.strptime`."""
    timezone: str = "UTC"
    """IANA name, for times that do not say it themselves."""

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            message = "a time zone this machine knows, such as UTC or Asia/Shanghai"
            raise ValueError(message) from None
        return name


class SourcePart(_Part):
    """Where to publish, when not where the plant says."""

    topic: Annotated[str, Field(min_length=1, pattern=r"^[^#+]+$")]
    format: SourceFormat = SourceFormat.JSON
    path: tuple[str, ...] = ()
    time_path: tuple[str, ...] = ()


class ColumnPart(_Part):
    """What a column is."""

    tag: str
    unit: str | None = None
    """Of the recorded numbers; the tag's when not said."""
    source: SourcePart | None = None


class ReplayMap(_Part):
    """One map file."""

    plant: str
    """``demo``, or a plant file beside the map."""
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    time: TimePart
    columns: Annotated[dict[str, ColumnPart], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Row:
    """One usable row."""

    line: int
    time_ms: int
    """UTC."""
    values: tuple[float | None, ...]
    """In the order of the map's columns, in their recorded units; None where there was no number."""


@dataclass(slots=True)
class Spoiled:
    """What of a recording cannot be replayed."""

    rows: int = 0
    """Without a readable time, or cut short."""
    cells: int = 0
    """Empty, not finite or no number, in rows that are replayed otherwise."""
    first: list[Problem] = field(default_factory=list)
    """The first few of them."""

    def add(self, problem: Problem, *, row: bool) -> None:
        """Count one, and keep it when it is among the first."""
        if row:
            self.rows += 1
        else:
            self.cells += 1
        if len(self.first) < _SHOWN:
            self.first.append(problem)


class Recording:
    """A separated text file with a header, read row by row; as long as one likes."""

    def __init__(self, path: Path, described: ReplayMap) -> None:
        self._path = path
        self._map = described
        self._zone: tzinfo = ZoneInfo(described.time.timezone)

    def rows(self, spoiled: Spoiled | None = None) -> Iterator[Row]:
        """Yield the usable rows in the order of the file.

        Args:
            spoiled: Takes what is wrong.

        Raises:
            ReplayError: The file cannot be read, or lacks a column of the map.
        """
        wrong = Spoiled() if spoiled is None else spoiled
        try:
            with self._path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
                reader = csv.reader(file, delimiter=self._map.separator)
                time_at, columns = self._places(next(reader, []))
                for cells in reader:
                    row = self._row(reader.line_num, cells, time_at, columns, wrong)
                    if row is not None:
                        yield row
        except (OSError, csv.Error) as error:
            problem = Problem(str(self._path), 0, "(file)", f"cannot be read: {error}", "a separated text file")
            raise ReplayError((problem,)) from None

    def _places(self, header: Sequence[str]) -> tuple[int, list[int]]:
        """Return the positions of the time and of the mapped columns."""
        names = [name.strip() for name in header]
        wanted = [self._map.time.column, *self._map.columns]
        missing = [name for name in wanted if name not in names]
        if missing:
            allowed = f"one of {', '.join(names) or 'none'} (separator {self._map.separator!r})"
            raise ReplayError(tuple(Problem(str(self._path), 1, name, "no such column", allowed) for name in missing))
        first, *rest = [names.index(name) for name in wanted]
        return first, rest

    def _row(
        self, line: int, cells: Sequence[str], time_at: int, columns: Sequence[int], spoiled: Spoiled
    ) -> Row | None:
        """Read one row; None when it has no time or is cut short."""
        if not cells:
            return None  # an empty line is none
        if max(time_at, *columns) >= len(cells):
            found = f"{len(cells)} cells"
            spoiled.add(self._problem(line, "(row)", found, f"at least {max(time_at, *columns) + 1}"), row=True)
            return None
        time_ms = self._time_ms(cells[time_at])
        if time_ms is None:
            allowed = f"a time as {self._map.time.format}"
            spoiled.add(self._problem(line, self._map.time.column, repr(cells[time_at][:40]), allowed), row=True)
            return None
        values = [_number(cells[at]) for at in columns]
        for name, at, value in zip(self._map.columns, columns, values, strict=True):
            if value is None:
                spoiled.add(self._problem(line, name, repr(cells[at][:40]), "a finite number"), row=False)
        return Row(line, time_ms, tuple(values))

    def _time_ms(self, text: str) -> int | None:
        """Read a time as UTC milliseconds; None when it is none."""
        form = self._map.time.format
        try:
            if form in ("epoch_s", "epoch_ms"):
                moment_ms = float(text) * (1000.0 if form == "epoch_s" else 1.0)
                return round(moment_ms) if moment_ms >= 0.0 else None
            moment = (
                datetime.fromisoformat(text.strip()) if form == "iso" else datetime.strptime(text.strip(), form)  # noqa: DTZ007 - the zone is put in just below
            )
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=self._zone)
            return round(moment.timestamp() * 1000.0)
        except (ValueError, OverflowError):
            return None

    def _problem(self, line: int, key: str, found: str, allowed: str) -> Problem:
        return Problem(str(self._path), line, key, found, allowed)


def _number(text: str) -> float | None:
    """Read a finite decimal number; None when it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None
