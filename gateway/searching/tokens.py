"""What the index knows of an entry, as numbers; and which of them an entry must have to be what was asked for.

An entry that fits always has the tokens; one that has them need not fit, so that every candidate is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from zlib import crc32

from gateway.searching.folding import is_han
from gateway.searching.matching import Entry, Texts
from gateway.searching.sounds import ways

__all__ = [
    "EVERYBODYS",
    "begun",
    "grams",
    "needed",
    "number",
    "of_district",
    "of_enterprise",
    "of_kind",
    "paired",
    "part_of",
    "spoken",
    "tokens_of",
    "whole",
]

_BEGUN = 3
"""Characters of a line by which it is found from its beginning; what follows is found by its grams."""
EVERYBODYS = "@"
_PAIR, _THREE = 2, 3


def number(token: str) -> int:
    """Return the number of a token: 32 bits, signed. Two tokens may share one; then a candidate more is looked at."""
    return crc32(token.encode()) - (1 << 31)


def of_kind(kind: str) -> str:
    """Return the token of everything of a kind."""
    return f"k{kind}"


def of_enterprise(enterprise: str) -> str:
    """Return the token of everything an enterprise has."""
    return f"@e{enterprise}"


def of_district(district: str) -> str:
    """Return the token of everything in a district."""
    return f"@d{district}"


def whole(line: str) -> str:
    """Return the token of a whole line."""
    return f"={line}"


def begun(line: str) -> str:
    """Return the token of a line that begins like this."""
    return f"^{line[:_BEGUN]}"


def part_of(chars: str) -> str:
    """Return the token of a line that holds these one to three characters."""
    return f"g{chars}"


def grams(line: str) -> Iterator[str]:
    """Yield the tokens of the parts of a line: Chinese characters, pairs, and three of what is not Chinese."""
    han = [is_han(char) for char in line]
    for at, char in enumerate(line):
        if han[at]:
            yield part_of(char)
        if at + _PAIR <= len(line):
            yield part_of(line[at : at + _PAIR])
        if at + _THREE <= len(line) and not any(han[at : at + _THREE]):
            yield part_of(line[at : at + _THREE])


def needed(text: str) -> Iterator[str]:
    """Yield as few tokens of parts as find everything that holds a text; none where it is too short to look for."""
    han = [is_han(char) for char in text]
    if len(text) == 1:
        yield from grams(text) if han[0] else ()
        return
    for at in range(len(text) - 1):
        if any(han[at : at + _PAIR]) or len(text) == _PAIR:
            yield part_of(text[at : at + _PAIR])
        elif not any(han[at : at + _THREE]) and at + _THREE <= len(text):
            yield part_of(text[at : at + _THREE])


def spoken(begin: str) -> str:
    """Return the token of a reading that begins with these letters, two or more."""
    return f"p{begin}"


def paired(first: str, second: str) -> str:
    """Return the token of two characters side by side, by the first letters of their readings."""
    return f"i{first}{second}"


def tokens_of(entry: Entry, texts: Texts) -> set[int]:
    """Return all tokens of an entry."""
    named = {of_kind(entry.kind), of_enterprise(entry.enterprise), of_district(entry.district)}
    if entry.public:
        named.add(EVERYBODYS)
    found = {number(one) for one in named}
    return found.union(*(_of_line(line, said) for line, said in zip(texts.lines, texts.sounds, strict=True)))


@lru_cache(maxsize=16_384)
def _of_line(line: str, said: str) -> frozenset[int]:
    """Return the tokens of one line; many things are called the same."""
    named = {whole(line), *(begun(line[:chars]) for chars in range(1, _BEGUN + 1)), *grams(line)}
    if said:
        named.update(_sounds(said))
    return frozenset(number(one) for one in named)


def _sounds(sounds: str) -> Iterator[str]:
    firsts = []
    for char, *said in ways(sounds):
        firsts.append({one[0] for one in said} or {char})
        yield from (spoken(one[:letters]) for one in said for letters in range(2, len(one) + 1))
    for left, right in pairwise(firsts):
        yield from (paired(one, other) for one in left for other in right)
