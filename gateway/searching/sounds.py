"""How Chinese is read: pinyin without tones, and whether what was typed may be meant by it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from pypinyin import Style, lazy_pinyin, pinyin
from pypinyin.pinyin_dict import pinyin_dict

from gateway.searching.folding import is_han

__all__ = ["LONGEST", "Reading", "begun_syllables", "decode", "encode", "heard", "is_sounded", "read", "syllables"]

LONGEST = 6
"""Letters of a syllable: zhuang."""
_READINGS = 2
"""Of a character by itself, beside the one it has in its phrase: the usual ones come first."""
_RUN = re.compile("[\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]+")
_LETTERS = re.compile("[a-z]+")

Reading = tuple[str, tuple[str, ...]]
"""A character of a folded text, and its pinyin; none for what is not read."""


def read(line: str) -> list[Reading]:
    """Return the characters of a folded line that are no spaces, with all readings that somebody may type."""
    found: list[Reading] = []
    for run, phrase in _runs(line):
        if phrase is None:
            found += [(char, ()) for char in run if char != " "]
        else:
            found += [(char, _all(char, said)) for char, said in zip(run, phrase, strict=True)]
    return found


def is_sounded(line: str) -> bool:
    """Say whether there is anything to read in it."""
    return _RUN.search(line) is not None


def encode(readings: Sequence[Reading]) -> str:
    """Return the readings of the Chinese characters of a line in one text; `decode` takes it back."""
    return " ".join("/".join(said) for char, said in readings if is_han(char))


def decode(line: str, sounds: str) -> list[Reading]:
    """Return what `encode` was given."""
    said = iter(sounds.split(" "))
    return [
        (char, tuple(one for one in next(said).split("/") if one) if is_han(char) else ())
        for char in line
        if char != " "
    ]


def heard(readings: Sequence[Reading], typed: str) -> tuple[int, int] | None:
    """Return where what was typed stands for characters one after the other: the first such place, the shortest there.

    Every character is typed as itself, in full pinyin, or by the first letter of it; of the last one the pinyin may
    have been begun only.

    Args:
        readings: Of a line.
        typed: Folded, without spaces.

    Returns:
        From and to before which of the readings.
    """
    for begin in range(len(readings)):
        end = _end(readings, begin, typed, 0)
        if end is not None:
            return begin, end
    return None


def _end(readings: Sequence[Reading], index: int, typed: str, at: int) -> int | None:
    if index == len(readings):
        return None
    char, said = readings[index]
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
    ends = [end for step in steps if (end := _end(readings, index + 1, typed, at + step)) is not None]
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
