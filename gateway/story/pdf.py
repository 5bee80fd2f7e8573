"""The sheet as a PDF of one page of A4."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

from reportlab.lib.colors import Color, HexColor, white  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
from reportlab.lib.units import mm  # type: ignore[import-untyped]
from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped]
from reportlab.pdfbase.cidfonts import UnicodeCIDFont  # type: ignore[import-untyped]
from reportlab.pdfbase.ttfonts import TTFError, TTFont  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from gateway.story.sheet import Section, Sheet

__all__ = ["FONT_FILES", "pdf_of"]

FONT_FILES = (
    Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"),
    Path("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc"),
    Path("/usr/share/fonts/truetype/arphic/uming.ttc"),
)
"""Chinese fonts that may be embedded, where a system has them (fonts-wqy-microhei of Debian); the first is taken."""

_READERS_OWN = "STSong-Light"
"""Else the reader's: every PDF reader that shows Chinese knows it by this name."""

_WIDTH, _HEIGHT = A4
_MARGIN, _GAP = 9 * mm, 4 * mm
_COLUMN = (_WIDTH - 2 * _MARGIN - _GAP) / 2
_LABEL = 66.0
_SIZE, _LEADING = 7.2, 10.9
_TITLE_SIZE, _SMALL = 13.0, 6.4
_TOP = _HEIGHT - _MARGIN - 46

_INK, _DIM, _RULE = HexColor(0x1A1A1A), HexColor(0x5A5A5A), HexColor(0xC8C8C8)
_TIERS: dict[int, Color] = {
    1: HexColor(0xC62828), 2: HexColor(0xE65100), 3: HexColor(0xB8860B), 4: HexColor(0x1565C0)
}  # fmt: skip


def pdf_of(sheet: Sheet) -> bytes:
    """Return the page. The same sheet gives the same bytes."""
    kept = io.BytesIO()
    canvas = Canvas(kept, pagesize=A4, invariant=1, pageCompression=1)
    canvas.setTitle(f"{sheet.title.zh} {sheet.title.en}")
    canvas.setCreator("HazGate")
    font = font_name()
    _head(canvas, sheet, font)
    for place, column in enumerate(sheet.columns):
        _column(canvas, column, _MARGIN + place * (_COLUMN + _GAP), font)
    canvas.setFillColor(_DIM)
    for place, text in enumerate((sheet.foot.zh, sheet.foot.en)):
        _write(canvas, text, (_MARGIN, _MARGIN + 8 - 8 * place), _WIDTH - 2 * _MARGIN, (font, _SMALL))
    canvas.showPage()
    canvas.save()
    return kept.getvalue()


@cache
def font_name() -> str:
    """Return the font for everything, made known to reportlab."""
    for file in FONT_FILES:
        try:
            pdfmetrics.registerFont(TTFont("sheet", file, subfontIndex=0))
        except (OSError, TTFError):
            continue
        return "sheet"
    pdfmetrics.registerFont(UnicodeCIDFont(_READERS_OWN))
    return _READERS_OWN


def _head(canvas: Canvas, sheet: Sheet, font: str) -> None:
    top = _HEIGHT - _MARGIN
    canvas.setFillColor(_TIERS[sheet.tier])
    canvas.rect(_MARGIN, top - 38, _WIDTH - 2 * _MARGIN, 38, stroke=0, fill=1)
    canvas.setFillColor(white)
    across = _WIDTH - 2 * _MARGIN - 12
    for text, down, size in ((sheet.title.zh, 14, _TITLE_SIZE), (sheet.title.en, 25, 8.0), (sheet.subtitle, 34, 7.0)):
        _write(canvas, text, (_MARGIN + 6, top - down), across, (font, size))


def _column(canvas: Canvas, sections: tuple[Section, ...], left: float, font: str) -> None:
    down = _TOP
    for section in sections:
        canvas.setStrokeColor(_RULE)
        canvas.line(left, down - 2.5, left + _COLUMN, down - 2.5)
        canvas.setFillColor(_INK)
        _write(canvas, section.title, (left, down), _COLUMN, (font, _SIZE + 0.8))
        for line in section.lines:
            down -= _LEADING
            canvas.setFillColor(_DIM)
            _write(canvas, line.label, (left, down), _LABEL - 4, (font, _SMALL))
            canvas.setFillColor(_INK)
            _write(canvas, line.text, (left + _LABEL, down), _COLUMN - _LABEL, (font, _SIZE))
        if section.more:
            down -= _LEADING
            canvas.setFillColor(_DIM)
            _write(
                canvas, f"… 另有 {section.more} 行 {section.more} more", (left + _LABEL, down), _COLUMN, (font, _SMALL)
            )
        down -= _LEADING


def _write(canvas: Canvas, text: str, at: tuple[float, float], room: float, font: tuple[str, float]) -> None:
    """Write a text at a place, narrowed a little where it would not fit the room, cut where that is not enough."""
    name, size = font
    needs = pdfmetrics.stringWidth(text, name, size)
    while text and needs > room * 1.2:
        text = text[:-2].rstrip() + "…" if len(text) > 2 else ""  # noqa: PLR2004 - two of them: the sign and the mark
        needs = pdfmetrics.stringWidth(text, name, size)
    written = canvas.beginText(*at)
    written.setFont(name, size)
    written.setHorizScale(100.0 if needs <= room else 100.0 * room / needs)
    written.textOut(text)
    canvas.drawText(written)
