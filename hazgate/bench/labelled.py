"""Labelled series: what was recorded, what of it is normal, and when something was wrong."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hazgate.bench.pipeline import BenchError

__all__ = ["Labelled", "read_labelled"]

_SKAB_NORMAL_ROWS: Final = 400
_NAB_NORMAL_PART: Final = 0.15
"""NAB calls the first 15 % of a file its probationary period."""
_FREE_NORMAL_PART: Final = 0.5
"""Of a file without any fault, the first half."""
_LABELS: Final = ("anomaly", "changepoint")


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """One file, in the order of time."""

    name: str
    time_ms: NDArray[np.int64]
    """[n]: UTC; equal times may occur."""
    channels: tuple[str, ...]
    value: NDArray[np.float64]
    """[channels, n]: NaN for none."""
    windows: tuple[tuple[int, int], ...]
    """Begin and end of each labelled fault, ms UTC, both inclusive."""
    normal_rows: int
    """Limits may be learnt from the first so many rows: before every fault."""

    @property
    def period_ms(self) -> int:
        """Usual time between rows."""
        return max(int(np.median(np.diff(self.time_ms))), 1)


def read_labelled(data: Path) -> list[Labelled]:
    """Read every labelled file under ``skab/`` and ``nab/``.

    Raises:
        BenchError: There is none, or one cannot be read.
    """
    if not data.is_dir():
        raise BenchError(f"--data {data}: no such directory; it holds skab/ (waico/SKAB) or nab/ (numenta/NAB)")
    found = [_read_skab(path, data) for path in sorted((data / "skab").glob("*/*.csv"))]
    windows = data / "nab" / "windows.json"
    if windows.is_file():
        found += _read_nab(windows, data)
    if not found:
        raise BenchError(f"--data {data}: neither skab/*/*.csv nor nab/windows.json with its CSV files is there")
    return found


def _read_skab(path: Path, data: Path) -> Labelled:
    """Read a file of SKAB: ``;``-separated, a fault where ``anomaly`` is 1."""
    header, rows = _rows(path, ";")
    time_ms = np.array([_ms(row[0]) for row in rows], np.int64)
    channels = tuple(name for name in header[1:] if name not in _LABELS)
    numbers = {name: _numbers(rows, at) for at, name in enumerate(header) if at}
    fault = numbers.get("anomaly", np.zeros(len(rows))) == 1.0
    edges = np.diff(np.concatenate(([False], fault, [False])).astype(np.int8))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    windows = tuple((int(time_ms[begin]), int(time_ms[end])) for begin, end in zip(begins, ends, strict=True))
    normal_rows = min(_SKAB_NORMAL_ROWS, int(begins[0])) if len(begins) else int(len(rows) * _FREE_NORMAL_PART)
    value = np.array([numbers[name] for name in channels])
    return Labelled(str(path.relative_to(data)), time_ms, channels, value, windows, normal_rows)


def _read_nab(windows_file: Path, data: Path) -> list[Labelled]:
    """Read the files of NAB that ``windows.json`` names and that are there."""
    try:
        windows = json.loads(windows_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(f"{windows_file}: {error}") from error
    found = []
    for name, spans in windows.items():
        path = windows_file.parent / Path(name).name
        if not path.is_file():
            continue
        header, rows = _rows(path, ",")
        rows.sort(key=lambda row: row[0])  # an hour of one file comes twice: a clock was put back
        time_ms = np.array([_ms(row[0]) for row in rows], np.int64)
        faults = tuple((_ms(begin), _ms(end)) for begin, end in spans)
        before = int(np.searchsorted(time_ms, faults[0][0])) if faults else len(rows)
        normal_rows = min(int(len(rows) * _NAB_NORMAL_PART), before)
        value = _numbers(rows, 1)[None, :]
        found.append(Labelled(str(path.relative_to(data)), time_ms, (header[1],), value, faults, normal_rows))
    return found


def _rows(path: Path, separator: str) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=separator)
            header = next(reader, [])
            rows = [row for row in reader if len(row) == len(header)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchError(f"{path}: {error}") from error
    if len(rows) < 2:  # noqa: PLR2004 - a period needs two
        raise BenchError(f"{path}: {len(rows)} rows separated by {separator!r}; at least 2 are needed")
    return header, rows


def _numbers(rows: list[list[str]], at: int) -> NDArray[np.float64]:
    return np.array([float(row[at]) if row[at].strip() else np.nan for row in rows])


def _ms(text: str) -> int:
    try:
        return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError as error:
        raise BenchError(f"time {text!r}: {error}") from error
