"""The definitions as a part of docs/kpi.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.kpi.definitions import DEFINITIONS, Bound, Definition, Unit, seal

__all__ = ["BEGIN", "END", "definitions_page"]

BEGIN: Final = "<!-- definitions: made by gateway.kpi.page -->\n"
END: Final = "<!-- definitions: end -->"

_UNITS: Final[Mapping[Unit, str]] = {
    "alarms": "条 · alarms",
    "share": "比例 · share (0 to 1)",
    "minutes": "分钟 · minutes",
    "floods": "次 · floods",
}
_HOW: Final = {"<": "<", "<=": "≤", ">=": "≥", "~": "about"}


def definitions_page() -> str:
    """Return every definition in force, in the order in which they are shown."""
    return "\n" + "\n".join(_section(one) for one in DEFINITIONS.values())


def _section(one: Definition) -> str:
    return (
        f"### {one.name.zh} · {one.name.en}\n\n"
        f"`{one.id}` version {one.version}, from {one.valid_from}, seal `{seal(one)}`\n\n"
        f"- 算法：{one.formula.zh}。\n"
        f"- Formula: {one.formula.en}.\n"
        f"- 单位 · Unit: {_UNITS[one.unit]}\n"
        f"- 目标 · Target: {_bound(one.target)}; 限度 · limit: {_bound(one.limit)}\n"
        f"- 出处 · Source: {one.source}\n"
    )


def _bound(bound: Bound | None) -> str:
    return "–" if bound is None else f"{_HOW[bound.how]} {bound.value:g}"
