"""Texts as they are compared: one width, one case, no marks that nobody types; and back to where each letter was."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["LINE_CHARS", "Folded", "composed", "fold", "is_han"]

LINE_CHARS = 256
"""Of a folded text; what is behind is not found."""
_UNTYPED = frozenset("·•・‧∙")
"""Dots inside plates and names (鲁C·12345), which some write and others do not."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text."""

    text: str
    places: tuple[int, ...]
    """Of every character: where it was in the text, in characters."""


def composed(text: str) -> str:
    """Return a text as it is kept and shown: letters and their accents in one."""
    return unicodedata.normalize("NFC", text)


def fold(text: str) -> Folded:
    """Fold a composed text: NFKC, casefold, single spaces; no control characters, no middle dots."""
    made: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        for one in _folded(char):
            if one != " " or (made and made[-1] != " "):
                made.append(one)
                places.append(place)
        if len(made) > LINE_CHARS:
            break
    del made[LINE_CHARS:], places[LINE_CHARS:]
    if made and made[-1] == " ":
        made.pop(), places.pop()
    return Folded("".join(made), tuple(places))


def is_han(char: str) -> bool:
    """Say whether it is a Chinese character."""
    return (
        "\u4e00" <= char <= "\u9fff"
        or "\u3400" <= char <= "\u4dbf"
        or char == "\u3007"
        or "\U00020000" <= char <= "\U0003ffff"
    )


@lru_cache(maxsize=65_536)
def _folded(char: str) -> str:
    if char in _UNTYPED:
        return ""
    wide = unicodedata.normalize("NFKC", char).casefold()
    return "".join(
        " " if one.isspace() else one for one in wide if one.isspace() or unicodedata.category(one)[0] != "C"
    )
