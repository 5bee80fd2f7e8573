"""What stands in the cells of a table: records as rows, and rows read back as what records hold."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, Final

from gateway.registry.kinds import KINDS

__all__ = [
    "Cell",
    "CellError",
    "CellSort",
    "Column",
    "columns",
    "neutral",
    "plain",
    "read_cell",
    "sheet_name",
    "to_cell",
]

Cell = str | int | float | bool | datetime | date | None
"""What a spreadsheet gives."""
_ACTIVE: Final = re.compile(r"'*[=+\-@\t\r]")
"""What a spreadsheet would take for a formula, or what was kept from being one."""
_SPLIT: Final = re.compile(r"\s*[;；]\s*")


class CellSort(StrEnum):
    """What a column holds."""

    TEXT = "text"
    NUMBER = "number"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: a field of a record."""

    name: str
    sort: CellSort
    choices: tuple[str, ...]
    """Empty: anything."""
    needed: bool


class CellError(ValueError):
    """A cell holds what none can.

    Attributes:
        zh: What is allowed, in Chinese.
        en: In English.
    """

    def __init__(self, zh: str, en: str) -> None:
        self.zh, self.en = zh, en
        super().__init__(en)


@cache
def columns(kind: str) -> Mapping[str, Column]:
    """Return the columns of a kind, in the order of its fields."""
    model = KINDS[kind].model
    schema = model.model_json_schema()
    found = {}
    for name, field in model.model_fields.items():
        described = schema["properties"][name]
        parts = [described, *described.get("anyOf", ())]
        parts += [schema["$defs"][part["$ref"].rpartition("/")[2]] for part in parts if "$ref" in part]
        types = {part.get("type") for part in parts}
        sort = CellSort.LIST if "array" in types else CellSort.TEXT
        if types & {"number", "integer"}:
            sort = CellSort.NUMBER
        choices = next((tuple(part["enum"]) for part in parts if "enum" in part), ())
        found[name] = Column(name, sort, tuple(one for one in choices if one), field.is_required())
    return found


def sheet_name(kind: str) -> str:
    """Return the name of the sheet of a kind."""
    return f"{KINDS[kind].title.zh} {kind}"


def neutral(text: str) -> str:
    """Return a text as no spreadsheet takes it for a formula."""
    return f"'{text}" if _ACTIVE.match(text) else text


def plain(text: str) -> str:
    """Return a text as it was before `neutral`."""
    return text[1:] if text.startswith("'") and _ACTIVE.match(text) else text


def to_cell(value: Any) -> str | int | float | None:  # noqa: ANN401 - what records hold
    """Return what stands in a cell for a field."""
    if value is None or value in ("", []):
        return None
    if isinstance(value, str):
        return neutral(value)
    if isinstance(value, int | float):
        # A workbook holds 16 digits; what needs 17 is written as text, which is read as the same number.
        return value if float(f"{value:.16g}") == value else repr(value)
    items = [str(one) for one in value]
    simple = all(item and not re.search(r"[;；\n]", item) for item in items) and not items[0].startswith("[")
    return neutral("; ".join(items) if simple else json.dumps(items, ensure_ascii=False))


def read_cell(cell: Cell, column: Column) -> Any:  # noqa: ANN401 - what records hold
    """Return what a cell says; None: nothing.

    Raises:
        CellError: It holds what cannot be meant.
    """
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if isinstance(cell, bool):
        raise CellError("不接受逻辑值 TRUE/FALSE", "no TRUE or FALSE")
    if isinstance(cell, datetime | date):
        return cell.strftime("%Y-%m-%d") if column.sort is CellSort.TEXT else cell.isoformat()
    if isinstance(cell, str):
        text = plain(cell)
        return _items(text) if column.sort is CellSort.LIST else text.strip()
    if column.sort is CellSort.NUMBER:
        return cell
    text = str(int(cell)) if isinstance(cell, int) or cell.is_integer() else repr(cell)
    return [text] if column.sort is CellSort.LIST else text


def _items(text: str) -> list[str]:
    if text.startswith("["):
        try:
            read = json.loads(text)
        except json.JSONDecodeError as error:
            raise CellError("用分号分隔，或 JSON 列表", "items separated by semicolons, or a JSON list") from error
        if isinstance(read, list):
            return [str(one) for one in read]
    return [one for one in _SPLIT.split(text.strip()) if one]
