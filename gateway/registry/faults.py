"""What is wrong with a row: where, what was found, what is allowed, in both languages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

__all__ = ["NOWHERE", "Fault", "Spot", "faults_of"]

_SHOWN = 200
"""What was found is repeated up to here."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A row of a table. Rows count from 1, as people see them; 0: no row in particular."""

    sheet: str = ""
    row: int = 0


NOWHERE = Spot()


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong."""

    sheet: str
    row: int
    column: str
    """Name of the field; empty: the row as a whole."""
    found: str
    zh: str
    en: str
    """What is allowed."""

    @classmethod
    def at(cls, spot: Spot, column: str, found: object, zh: str, en: str) -> Fault:
        """Make one."""
        text = "" if found is None else str(found)
        return cls(spot.sheet, spot.row, column, text if len(text) <= _SHOWN else text[:_SHOWN] + "…", zh, en)

    def __str__(self) -> str:
        where = ":".join(str(one) for one in (self.sheet, self.row or "", self.column) if one)
        return f"{where}: {self.found!r}: {self.zh} · {self.en}"


_CHINESE: Mapping[str, str] = MappingProxyType(
    {
        "missing": "必填",
        "extra_forbidden": "没有这一字段",
        "string_pattern_mismatch": "格式应为 {pattern}",
        "string_too_short": "至少 {min_length} 个字符",
        "string_too_long": "至多 {max_length} 个字符",
        "string_type": "应为文字",
        "string_unicode": "不是有效的文字",
        "literal_error": "应为其中之一：{expected}",
        "enum": "应为其中之一：{expected}",
        "greater_than": "应大于 {gt}",
        "greater_than_equal": "应不小于 {ge}",
        "less_than_equal": "应不大于 {le}",
        "finite_number": "应为有限的数",
        "float_parsing": "应为数字",
        "float_type": "应为数字",
        "int_parsing": "应为整数",
        "int_type": "应为整数",
        "int_from_float": "应为整数",
        "int_parsing_size": "数字过大",
        "tuple_type": "应为列表",
        "too_long": "至多 {max_length} 项",
    }
)
_OWN: Mapping[str, str] = MappingProxyType(
    {
        "cas": "CAS号校验不通过，例：7664-41-7",
        "uscc": "统一社会信用代码为18位，末位为校验码（GB 32100-2015）",
    }
)
"""Of fields whose validators are ours."""


def faults_of(error: ValidationError, spot: Spot) -> Iterator[Fault]:
    """Yield what a model found."""
    for one in error.errors(include_url=False):
        field = str(one["loc"][0]) if one["loc"] else ""
        found = "" if one["type"] == "missing" else one["input"]
        yield Fault.at(spot, field, found, _chinese(one, field), one["msg"].removeprefix("Value error, "))


def _chinese(one: ErrorDetails, field: str) -> str:
    if one["type"] == "value_error":
        is_cas = field == "id" and "CAS" in one["msg"]
        return _OWN.get("cas" if is_cas else field, "不含换行与制表符以外的控制字符")
    context: dict[str, Any] = one.get("ctx", {})
    return _CHINESE.get(one["type"], "格式不符").format_map(context)
