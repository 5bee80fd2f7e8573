"""Whether an entry is what was asked for, how well, and where one sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from gateway.searching.folding import Folded, composed, fold, is_han
from gateway.searching.sounds import heard, read

__all__ = ["Asked", "Entry", "How", "Match", "Shown", "Texts", "match", "shown", "texts_of"]

_LEAST = 2
"""Letters for a search by sound: one alone fits nearly everything."""


class How(IntEnum):
    """How something was found, the best first."""

    EXACT = 0
    PREFIX = 1
    PART = 2
    SOUND = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """What can be found."""

    kind: str
    id: str
    enterprise: str
    district: str
    public: bool
    """Everybody may see it; else who may see the enterprise's or the district's things."""
    title_zh: str
    title_en: str
    fields: tuple[tuple[str, str], ...]
    """Field, and what it holds; the more telling ones first."""


@dataclass(frozen=True, slots=True)
class Texts:
    """What is compared of an entry."""

    lines: tuple[str, ...]
    """Its fields, folded."""
    sounds: tuple[str, ...]
    """Their readings (`gateway.searching.sounds.read`); empty: nothing to read."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody typed."""

    text: str
    """Folded."""

    @classmethod
    def of(cls, typed: str) -> Asked:
        """Fold what was typed."""
        return cls(fold(composed(typed)).text)

    @property
    def sound(self) -> str:
        """What may be pinyin, without spaces; empty: nothing."""
        bare = self.text.replace(" ", "")
        return bare if len(bare) >= _LEAST and any("a" <= one <= "z" for one in bare) else ""


@dataclass(frozen=True, slots=True)
class Match:
    """How well something fits; the smaller the better."""

    how: How
    chars: int
    """Of the line it is in: the shorter, the more of it was meant."""
    line: int


@dataclass(frozen=True, slots=True)
class Shown:
    """Why something was found."""

    field: str
    text: str
    begin: int
    end: int
    """The characters of ``text`` that fit, from and to before."""


def texts_of(entry: Entry) -> Texts:
    """Return what is compared of an entry."""
    lines = tuple(fold(text).text for _, text in entry.fields)
    return Texts(lines, tuple(read(line) for line in lines))


def match(texts: Texts, asked: Asked) -> Match | None:
    """Return how well something fits what was asked for; None: not at all."""
    found = [
        Match(how, len(line), number)
        for number, line in enumerate(texts.lines)
        if (how := _how(line, asked.text)) is not None
    ]
    if found:
        return min(found, key=_order)
    if not asked.sound:
        return None
    return min(_sounding(texts, asked.sound), key=_order, default=None)


def shown(entry: Entry, texts: Texts, asked: Asked, found: Match) -> Shown:
    """Return what shows somebody why an entry was found."""
    field, text = entry.fields[found.line]
    folded = fold(text)
    begin, end = _span(folded, texts, asked, found)
    return Shown(field, text, folded.places[begin], folded.places[end - 1] + 1)


def _order(one: Match) -> tuple[int, int, int]:
    return one.how, one.chars, one.line


def _how(line: str, text: str) -> How | None:
    at = line.find(text)
    if at > 0:
        return How.PART if len(text) > 1 or is_han(text) else None
    if at < 0:
        return None
    return How.EXACT if len(line) == len(text) else How.PREFIX


def _sounding(texts: Texts, sound: str) -> Sequence[Match]:
    return [
        Match(How.SOUND, len(line), number)
        for number, (line, said) in enumerate(zip(texts.lines, texts.sounds, strict=True))
        if said and heard(said, sound)
    ]


def _span(folded: Folded, texts: Texts, asked: Asked, found: Match) -> tuple[int, int]:
    """Return the characters of a folded line that fit."""
    if found.how is not How.SOUND:
        begin = folded.text.index(asked.text)
        return begin, begin + len(asked.text)
    place = heard(texts.sounds[found.line], asked.sound)
    if place is None:
        raise AssertionError("what was found is there")
    solid = [index for index, char in enumerate(folded.text) if char != " "]
    return solid[place[0]], solid[place[1] - 1] + 1
