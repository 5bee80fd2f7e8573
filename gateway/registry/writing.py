"""Records as workbooks and tables: to be read by people, changed, and read in again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from gateway.access.roles import Scope
from gateway.errors import BadRequestError
from gateway.registry.cells import Column, columns, sheet_name, to_cell
from gateway.registry.kinds import KINDS
from gateway.registry.reading import GUIDE, MOST_ROWS
from gateway.registry.store import Registry, Version, Wanted
from gateway.registry.titles import heading

__all__ = ["XLSX", "records_of", "template", "to_table", "to_workbook"]

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_PAGE: Final = 1_000
_MOST_RECORDS: Final = 100_000
_LINES: Final = (
    "每种记录一张表；第一行是列名，请勿改动。 One sheet for each kind; leave the first row as it is.",
    "空单元格表示默认值；删去某列则该项保持不变。 An empty cell is the default; no column: it stays as it is.",
    "企业、区域可不填，取自上级。 Enterprise and district, left empty, are those of what the record is part of.",
    "日期写作 2026-01-31；多项用分号分隔。 Days as 2026-01-31; several items separated by semicolons.",
    "以 = + - @ 开头的文字前加 '。公式不计算。 Text that begins with = + - @ has a ' before it. Formulas are not run.",
    "缺少的行不会删除记录。 A row that is missing removes nothing.",
)


def records_of(
    registry: Registry, kind: str, scope: Scope, wanted: Wanted, at_ms: int | None = None
) -> Iterator[Version]:
    """Yield the records of a kind that may be seen and are wanted, in order of id.

    Raises:
        BadRequestError: They are more than fit into one file.
    """
    after, count = "", 0
    while page := registry.page(kind, scope, wanted, at_ms=at_ms, after=after, limit=_PAGE):
        count += len(page)
        if count > _MOST_RECORDS:
            raise BadRequestError(
                f"{kind}: more than {_MOST_RECORDS} records: ask for one enterprise or district（请缩小范围）"
            )
        yield from page
        after = page[-1].id


def to_table(kind: str, records: Iterable[Version]) -> bytes:
    """Return records of a kind as CSV, which spreadsheets know for UTF-8."""
    made = io.StringIO(newline="")
    table = csv.writer(made)
    known = columns(kind)
    table.writerow([heading(name) for name in known])
    for one in records:
        table.writerow(["" if cell is None else cell for cell in _cells(one, known)])
    return made.getvalue().encode("utf-8-sig")


def to_workbook(sheets: Iterable[tuple[str, Iterable[Version]]]) -> bytes:
    """Return records as a workbook, a sheet for each kind; without any it is a template to be filled in."""
    book = Workbook(write_only=True)
    guide = book.create_sheet(GUIDE)
    guide.column_dimensions["A"].width = 120
    for line in _LINES:
        guide.append([line])
    for kind, records in sheets:
        sheet = book.create_sheet(sheet_name(kind))
        sheet.freeze_panes = "B2"
        known = columns(kind)
        heads = []
        for at, column in enumerate(known.values(), 1):
            letter = get_column_letter(at)
            sheet.column_dimensions[letter].width = 20
            if column.choices:
                allowed = DataValidation(
                    "list", formula1=f'"{",".join(column.choices)}"', allow_blank=not column.needed
                )
                allowed.error = ", ".join(column.choices)[:250]
                allowed.add(f"{letter}2:{letter}{MOST_ROWS}")
                sheet.data_validations.append(allowed)
            head = WriteOnlyCell(sheet, heading(column.name))
            head.font = Font(bold=True, italic=not column.needed)
            heads.append(head)
        sheet.append(heads)
        for one in records:
            sheet.append(_cells(one, known))
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def template(kinds: Sequence[str] = tuple(KINDS)) -> bytes:
    """Return a workbook to be filled in."""
    return to_workbook((kind, ()) for kind in kinds)


def _cells(one: Version, known: Iterable[str] | dict[str, Column]) -> list[str | int | float | None]:
    return [to_cell(one.body.get(name)) for name in known]
