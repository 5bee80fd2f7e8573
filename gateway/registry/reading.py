"""Workbooks and tables read as rows of the registry; whatever they hold, nothing of it is run."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from openpyxl import load_workbook

from gateway.registry.cells import Cell, CellError, Column, columns, read_cell, sheet_name
from gateway.registry.checking import Row
from gateway.registry.faults import Fault, Spot
from gateway.registry.kinds import KINDS

__all__ = ["GUIDE", "MOST_BYTES", "MOST_ROWS", "Reading", "is_workbook", "read_table", "read_workbook"]

GUIDE: Final = "填写说明 guide"
"""The sheet of a template that is for people."""
MOST_BYTES: Final = 16 << 20
MOST_ROWS: Final = 50_000
"""Of all sheets together."""
_MOST_UNPACKED: Final = 128 << 20
_MOST_PARTS: Final = 200
_MOST_SHEETS: Final = 20
_MOST_COLUMNS: Final = 60
_TOLD_EVERY: Final = 500
_CHUNK: Final = 1 << 20

Say = Callable[[int], None]
"""Told how many rows have been read."""


@dataclass(slots=True)
class Reading:
    """What was read."""

    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, spot: Spot, column: str, found: object, zh: str, en: str) -> None:
        """Note what is wrong."""
        self.faults.append(Fault.at(spot, column, found, zh, en))


def is_workbook(content: bytes) -> bool:
    """Say whether a file is meant as a workbook: those are ZIP files."""
    return content[:4] == b"PK\x03\x04"


def read_table(content: bytes, kind: str, say: Say = lambda _: None) -> Reading:
    """Read a table (CSV, UTF-8 or GB 18030) of one kind."""
    reading = Reading()
    sheet = f"{kind}.csv"
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("gb18030", "replace")
    try:
        _read_sheet(csv.reader(io.StringIO(text, newline=""), strict=True), kind, sheet, reading, say)
    except csv.Error as error:
        reading.fault(Spot(sheet), "", error, "CSV 格式", "CSV as of RFC 4180")
    return reading


def read_workbook(content: bytes, say: Say = lambda _: None) -> Reading:
    """Read a workbook, one sheet for each kind."""
    reading = Reading()
    refused = _unsafe(content)
    if refused:
        reading.fault(Spot(), "", refused, "xlsx 工作簿", "a workbook (xlsx) without anything unusual inside")
        return reading
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        try:
            _read_book(book, reading, say)
        finally:
            book.close()
    except Exception as error:  # noqa: BLE001 - the library raises whatever a broken file makes it stumble over
        reading.fault(
            Spot(), "", f"{type(error).__name__}: {error}", "完好的 xlsx 工作簿", "a workbook (xlsx) that is whole"
        )
    return reading


def _read_book(book: Any, reading: Reading, say: Say) -> None:  # noqa: ANN401 - the library's own types
    if len(book.worksheets) > _MOST_SHEETS:
        reading.fault(
            Spot(), "", f"{len(book.worksheets)} sheets", f"至多 {_MOST_SHEETS} 张表", f"at most {_MOST_SHEETS} sheets"
        )
        return
    known = {name: kind for kind in KINDS for name in (kind, sheet_name(kind), KINDS[kind].title.zh)}
    for sheet in book.worksheets:
        if sheet.title == GUIDE:
            continue
        kind = known.get(sheet.title.strip())
        if kind is None:
            names = [sheet_name(one) for one in KINDS]
            reading.fault(
                Spot(sheet.title), "", sheet.title, f"表名：{'、'.join(names)}", f"a sheet of {', '.join(names)}"
            )
            continue
        sheet.reset_dimensions()  # what a file says of its own size need not be so
        cells = sheet.iter_rows(max_col=_MOST_COLUMNS, values_only=True)
        _read_sheet(cells, kind, sheet.title, reading, say)


def _read_sheet(lines: Iterable[Sequence[Cell]], kind: str, sheet: str, reading: Reading, say: Say) -> None:
    numbered = enumerate(lines, 1)
    first = next(numbered, None)
    if first is None:
        return
    heads = _headings(first[1], kind, sheet, reading)
    if heads is None:
        return
    for number, line in islice(numbered, 2 * MOST_ROWS):
        if not any(cell not in (None, "") for cell in line):
            continue
        if len(reading.rows) >= MOST_ROWS:
            reading.fault(Spot(sheet, number), "", "", f"至多 {MOST_ROWS} 行", f"at most {MOST_ROWS} rows")
            return
        row = _read_row(line, heads, kind, Spot(sheet, number), reading)
        if row is not None:
            reading.rows.append(row)
            if len(reading.rows) % _TOLD_EVERY == 0:
                say(len(reading.rows))


def _headings(line: Sequence[Cell], kind: str, sheet: str, reading: Reading) -> list[Column | None] | None:
    """Return what each column is; None: it cannot be read at all."""
    known = columns(kind)
    found: list[Column | None] = []
    faults = len(reading.faults)
    for cell in line:
        words = plain_words(cell)
        name = words[-1] if words else ""
        column = known.get(name)
        if name and column is None:
            reading.fault(Spot(sheet, 1), name, cell, f"列：{'、'.join(known)}", f"a column of {', '.join(known)}")
        elif column is not None and column in found:
            reading.fault(Spot(sheet, 1), name, cell, "每列只出现一次", "each column once")
        found.append(column)
    if known["id"] not in found:
        reading.fault(Spot(sheet, 1), "id", "", "须有 id 列", "a column id")
    return found if len(reading.faults) == faults else None


def plain_words(cell: Cell) -> list[str]:
    """Return the words of a heading: its name comes last."""
    return str(cell).split() if cell is not None else []


def _read_row(
    line: Sequence[Cell], heads: Sequence[Column | None], kind: str, spot: Spot, reading: Reading
) -> Row | None:
    said: dict[str, Any] = {}
    faults = len(reading.faults)
    for at, cell in enumerate(line):
        column = heads[at] if at < len(heads) else None
        if column is None:
            if cell not in (None, ""):
                reading.fault(spot, "", cell, "没有列标题", "nothing: its column has no heading")
            continue
        if isinstance(cell, str) and cell.startswith("="):
            reading.fault(
                spot, column.name, cell, "不计算公式；文字前加 '", "a value: formulas are not run; text has a ' before"
            )
            continue
        try:
            value = read_cell(cell, column)
        except CellError as error:
            reading.fault(spot, column.name, cell, error.zh, error.en)
            continue
        said[column.name] = _default(kind, column) if value is None else value
    if not said.get("id"):
        if len(reading.faults) == faults:
            reading.fault(spot, "id", "", "必填", "required")
        return None
    if len(reading.faults) > faults:
        return None
    return Row(kind, said, spot)


def _default(kind: str, column: Column) -> Any:  # noqa: ANN401 - what records hold
    """Return what an empty cell stands for."""
    return "" if column.needed else KINDS[kind].model.model_fields[column.name].get_default()


def _unsafe(content: bytes) -> str:
    """Return what in a packed file no workbook has; empty: nothing."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            parts = packed.infolist()
            if len(parts) > _MOST_PARTS:
                return f"{len(parts)} parts"
            unpacked = sum(part.file_size for part in parts)  # no more than that is ever unpacked of a part
            if unpacked > _MOST_UNPACKED:
                return f"{unpacked} bytes when unpacked, more than {_MOST_UNPACKED}"
            for part in parts:
                if part.filename.endswith((".xml", ".rels")) and _declares(packed, part):
                    return f"{part.filename} with declarations of its own"
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        return f"not a ZIP file: {error}"
    return ""


def _declares(packed: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    """Say whether a part declares entities, with which a small text can stand for an endless one."""
    before = b""
    with packed.open(part) as file:
        for chunk in _chunks(file.read):
            if (
                b"<!DOCTYPE" in before + chunk
                or b"<!ENTITY" in before + chunk
                or chunk[:2] in (b"\xff\xfe", b"\xfe\xff")
            ):
                return True
            before = chunk[-16:]
    return False


def _chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while chunk := read(_CHUNK):
        yield chunk
