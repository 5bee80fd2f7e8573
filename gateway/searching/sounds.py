"""How Chinese is read: pinyin without tones, and whether what was typed may be meant by it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from pypinyin import Style, lazy_pinyin, pinyin
from pypinyin.pinyin_dict import pinyin_dict

__all__ = ["LONGEST", "begun_syllables", "heard", "read", "syllables", "ways"]

LONGEST = 6
"""Letters of a syllable: zhuang."""
_READINGS = 2
"""Of a character by itself, beside the one it has in its phrase: the usual ones come first."""
_RUN = re.compile("[\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]+")
_LETTERS = re.compile("[a-z]+")

_UNIT, _WAY = "\t", " "
"""Between characters, and between the ways to type one; neither is in a folded line without its spaces."""


def read(line: str) -> str:
    """Return every character of a folded line but spaces, each with all readings that somebody may type, in one text.

    Empty: there is nothing to read in it.
    """
    if _RUN.search(line) is None:
        return ""
    units: list[str] = []
    for run, phrase in _runs(line):
        if phrase is None:
            units += [char for char in run if char != " "]
        else:
            units += [_WAY.join((char, *_all(char, said))) for char, said in zip(run, phrase, strict=True)]
    return _UNIT.join(units)


def ways(sounds: str) -> list[list[str]]:
    """Return the characters of what `read` returned: each as itself, then its readings."""
    return [unit.split(_WAY) for unit in sounds.split(_UNIT)]


def heard(sounds: str, typed: str) -> tuple[int, int] | None:
    """Return where what was typed stands for characters one after the other: the first such place, the shortest there.

    Every character is typed as itself, in full pinyin, or by the first letter of it; of the last one the pinyin may
    have been begun only.

    Args:
        sounds: Of a line; not empty.
        typed: Folded, without spaces.

    Returns:
        From and to before which of its characters.
    """
    units: list[list[str]] = []
    for match in _begins(typed[0]).finditer(sounds):
        units = units or ways(sounds)
        begin = sounds.count(_UNIT, 0, match.start())
        end = _end(units, begin, typed, 0)
        if end is not None:
            return begin, end
    return None


@lru_cache(maxsize=256)
def _begins(char: str) -> re.Pattern[str]:
    return re.compile(f"(?<![^{_UNIT}{_WAY}]){re.escape(char)}")


def _end(units: Sequence[Sequence[str]], index: int, typed: str, at: int) -> int | None:
    if index == len(units):
        return None
    char, *said = units[index]
    rest = len(typed) - at
    steps = {1} if typed[at] == char else set()
    for one in said:
        if one[0] != typed[at]:
            continue
        if len(one) >= rest and one.startswith(typed[at:]):
            return index + 1
        steps.add(1)
        if typed.startswith(one, at):
            steps.add(len(one))
    if rest in steps:
        return index + 1
    ends = [end for step in steps if (end := _end(units, index + 1, typed, at + step)) is not None]
    return min(ends, default=None)


@lru_cache(maxsize=1)
def syllables() -> frozenset[str]:
    """Return all syllables there are, without tones; ü is v."""
    return frozenset(_toneless(one) for said in pinyin_dict.values() for one in said.split(","))


@lru_cache(maxsize=1)
def begun_syllables() -> frozenset[str]:
    """Return everything a syllable begins with, whole ones too."""
    return frozenset(one[:letters] for one in syllables() for letters in range(1, len(one) + 1))


def _runs(line: str) -> list[tuple[str, Sequence[str] | None]]:
    """Split a line into stretches of Chinese with their readings, and what is between them."""
    found: list[tuple[str, Sequence[str] | None]] = []
    at = 0
    for match in _RUN.finditer(line):
        run = match[0]
        found += [(line[at : match.start()], None), (run, _phrase(run))]
        at = match.end()
    return [*found, (line[at:], None)]


@lru_cache(maxsize=65_536)
def _phrase(run: str) -> Sequence[str]:
    said = lazy_pinyin(run)
    return said if len(said) == len(run) else [""] * len(run)


def _all(char: str, said: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in (said, *_usual(char)) if _LETTERS.fullmatch(one)))


@lru_cache(maxsize=65_536)
def _usual(char: str) -> tuple[str, ...]:
    known = list(dict.fromkeys(pinyin(char, style=Style.NORMAL, heteronym=True)[0]))[:_READINGS]
    return tuple(known + [one.replace("v", "u") for one in known if "v" in one])


def _toneless(said: str) -> str:
    plain = unicodedata.normalize("NFD", said).replace("u\u0308", "v")
    return "".join(one for one in plain if "a" <= one <= "z")
