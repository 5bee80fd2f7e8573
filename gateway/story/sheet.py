"""The story on one page: what goes where, how much of it, and how it is cut. For every way of printing it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from config.plant.model import Text
from gateway.story.lines import LINES, Line
from gateway.story.moments import moment_text
from gateway.story.plan import PARTS
from gateway.story.teller import AlarmContext
from gateway.story.telling import Part

__all__ = ["COLUMNS", "PAGE_LINES", "Section", "Sheet", "sheet_of"]

COLUMNS: tuple[Mapping[str, int], Mapping[str, int]] = (
    MappingProxyType(
        {"tag": 5, "place": 7, "contents": 3, "grades": 3, "people": 8, "substance": 18, "standing": 2, "papers": 3,
         "inhibited": 2}
    ),
    MappingProxyType(
        {"dangers": 5, "permits": 4, "risks": 4, "commitment": 3, "weather": 2, "neighbours": 6, "resources": 5,
         "related": 7, "history": 6, "trends": 10}
    ),
)  # fmt: skip
"""Part -> so many lines it has for sure, title not counted, for the left and the right half of the page."""

PAGE_LINES = 66
"""Lines of one half, titles and what is cut included."""
TEXT_UNITS = 54
"""Of a line behind its label: a Chinese character takes two, a Latin one."""
LABEL_UNITS = 18
_ELLIPSIS = "…"

TIER_NAMES: Mapping[int, Text] = MappingProxyType(
    {1: Text("红色", "red"), 2: Text("橙色", "orange"), 3: Text("黄色", "yellow"), 4: Text("蓝色", "blue")}
)


@dataclass(frozen=True, slots=True)
class Section:
    """One part on the sheet."""

    title: str
    lines: tuple[Line, ...]
    """Each fits its place."""
    more: int
    """Lines that were cut."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The page."""

    tier: int
    title: Text
    subtitle: str
    columns: tuple[tuple[Section, ...], tuple[Section, ...]]
    foot: Text


def sheet_of(told: AlarmContext) -> Sheet:
    """Return the page for a story."""
    alarm = told.alarm
    tier = TIER_NAMES[alarm.tier]
    return Sheet(
        tier=alarm.tier,
        title=Text(cut(alarm.message.zh, 84), cut(alarm.message.en, 110)),
        subtitle=cut(
            f"{tier.zh} {tier.en} · {alarm.alarm_id} · 发生 since {moment_text(alarm.onset_ms)}"
            f" · 截至 as of {moment_text(told.at_ms)}",
            130,
        ),
        columns=(_column(told, COLUMNS[0]), _column(told, COLUMNS[1])),
        foot=Text(
            "本系统仅作监测与提示，不构成安全仪表功能；处置以现场指挥和企业预案为准。时间为北京时间。",
            "Monitoring only, no safety function; the commander on site and the plan of the enterprise decide. UTC+8.",
        ),
    )


def cut(text: str, units: int) -> str:
    """Return a text that is no longer than so many units, with an ellipsis where something was cut."""
    text = " ".join(text.split())
    if width(text) <= units:
        return text
    kept, left = [], units - width(_ELLIPSIS)
    for sign in text:
        left -= width(sign)
        if left < 0:
            break
        kept.append(sign)
    return "".join(kept).rstrip() + _ELLIPSIS


def width(text: str) -> int:
    """Return how many units a text takes."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WFA" else 1 for sign in text)


def wrapped(line: Line) -> Iterable[Line]:
    """Return a line as so many as it needs, at most what it says of itself; the last one is cut."""
    rest, label = " ".join(line.text.split()), line.label
    for number in range(line.most):
        if number == line.most - 1 or width(rest) <= TEXT_UNITS:
            yield Line(cut(label, LABEL_UNITS), cut(rest, TEXT_UNITS))
            return
        piece = _piece(rest)
        yield Line(cut(label, LABEL_UNITS), piece)
        rest, label = rest[len(piece) :].lstrip(), ""


def _piece(text: str) -> str:
    """Return what fits into one line, broken behind a space where there is one near."""
    used = 0
    for place, sign in enumerate(text):
        used += width(sign)
        if used > TEXT_UNITS:
            space = text.rfind(" ", place - 12, place)
            return text[: space if space > 0 else place]
    return text


def _column(told: AlarmContext, parts: Mapping[str, int]) -> tuple[Section, ...]:
    """Return one half of the page. Lines that parts leave over go to those that were cut, what to do first."""
    written = {name: _written(name, getattr(told.parts, name)) for name in parts}
    room = dict(parts)
    spare = PAGE_LINES - len(parts) - sum(min(len(written[name]), most) for name, most in parts.items())
    for name in sorted(parts, key=lambda one: one != "substance"):
        more = min(spare, max(0, len(written[name]) - room[name]))
        room[name] += more
        spare -= more
    return tuple(_section(name, written[name], most) for name, most in room.items())


def _written(name: str, part: Part[Any]) -> list[Line]:
    write: Callable[[Any], Iterable[Line]] = LINES[name]
    written = [] if part.content is None else [one for line in write(part.content) for one in wrapped(line)]
    if part.reason is not None:
        mark = "◌" if part.state == "empty" else "⚠"
        written += wrapped(Line("", f"{mark} {part.reason.zh} {part.reason.en}"))
    return written


def _section(name: str, written: list[Line], most: int) -> Section:
    more = max(0, len(written) - most)
    kept = written if not more else written[: most - 1]
    title = PARTS[name].title
    return Section(f"{title.zh} {title.en}", tuple(kept), len(written) - len(kept))
