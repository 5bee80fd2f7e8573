"""A backtest as one picture (SVG): alarms a day before and after, and when each difference was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from gateway.backtest_report import BacktestReport, Compared

__all__ = ["plot"]

_WIDTH, _LEFT, _RIGHT = 1_100, 260, 70
_ROW = 34
_TOP, _FOOT = 92, 54
_MOST_ROWS = 60
_COLOURS = {"today": "#7a8794", "proposed": "#1f6feb", "added": "#d1242f", "removed": "#2da44e", "moved": "#bf8700"}
_WORDS = {
    "today": "现行 today",
    "proposed": "拟用 proposed",
    "added": "新增 added",
    "removed": "取消 removed",
    "moved": "变动 moved",
}
_HALF = 360
"""Width of the bars; the time line has the rest."""


def plot(report: BacktestReport) -> str:
    """Return the picture; the rows with the most alarms, at most sixty."""
    busiest = sorted(report.conditions, key=lambda one: -max(one.today.alarms, one.proposed.alarms))[:_MOST_ROWS]
    rows = [one for one in report.conditions if one in busiest]
    height = _TOP + _ROW * max(1, len(rows)) + _FOOT
    parts = [*_head(report, height), *_legend(), *_axis(report, height)]
    most = max((max(one.today.per_day, one.proposed.per_day) for one in rows), default=0.0) or 1.0
    for number, row in enumerate(rows):
        parts += _bars(row, _TOP + _ROW * number, most)
        parts += _marks(report, row, _TOP + _ROW * number)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _head(report: BacktestReport, height: int) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#24292f">'
    )
    yield f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
    title = (
        f"报警回测 backtest: {_day(report.from_ms)} – {_day(report.to_ms)} UTC, "
        f"{report.today.per_day:.3g} → {report.proposed.per_day:.3g} alarms/day"
    )
    yield _text(20, 28, title, 'font-size="17" font-weight="600"')


def _legend() -> Iterator[str]:
    for number, (name, colour) in enumerate(_COLOURS.items()):
        x = 20 + 150 * number
        yield f'<rect x="{x}" y="44" width="12" height="12" fill="{colour}"/>'
        yield _text(x + 18, 55, _WORDS[name])


def _axis(report: BacktestReport, height: int) -> Iterator[str]:
    begin, end = _LEFT + _HALF, _WIDTH - _RIGHT
    yield _text(_LEFT, _TOP - 12, "每日报警 alarms per day", 'fill="#57606a"')
    for part in (0.0, 0.5, 1.0):
        x = begin + part * (end - begin)
        at_ms = report.from_ms + part * (report.to_ms - report.from_ms)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 4}" y2="{height - _FOOT + 6}" stroke="#d0d7de"/>'
        yield _text(x, height - _FOOT + 24, _day(int(at_ms)), 'text-anchor="middle" fill="#57606a"')


def _bars(row: Compared, top: int, most: float) -> Iterator[str]:
    yield _text(_LEFT - 10, top + 19, f"{row.tag} {row.condition.value}", 'text-anchor="end"')
    for number, (name, side) in enumerate((("today", row.today), ("proposed", row.proposed))):
        width = side.per_day / most * (_HALF - 90)
        y = top + 4 + 12 * number
        yield f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="10" fill="{_COLOURS[name]}"/>'
        yield _text(_LEFT + width + 6, y + 9, f"{side.per_day:.3g}", 'font-size="11" fill="#57606a"')


def _marks(report: BacktestReport, row: Compared, top: int) -> Iterator[str]:
    begin, span = _LEFT + _HALF, _WIDTH - _RIGHT - _LEFT - _HALF
    scale = span / (report.to_ms - report.from_ms)
    yield f'<line x1="{begin}" x2="{begin + span}" y1="{top + 16}" y2="{top + 16}" stroke="#eaeef2"/>'
    for change in report.changes:
        if change.tag == row.tag and change.condition is row.condition:
            x = begin + (change.raised_ms - report.from_ms) * scale
            width = max(1.5, (change.cleared_ms - change.raised_ms) * scale)
            yield f'<rect x="{x:.1f}" y="{top + 8}" width="{width:.1f}" height="16" fill="{_COLOURS[change.kind]}"/>'


def _text(x: float, y: float, words: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(words)}</text>'


def _day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M}"
