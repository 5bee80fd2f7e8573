"""Which entries may be what was asked for, from sets alone: never one too few."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.searching.folding import is_han
from gateway.searching.matching import Asked
from gateway.searching.postings import Bits, Postings
from gateway.searching.sounds import LONGEST, begun_syllables, syllables
from gateway.searching.tokens import begun, needed, number, paired, part_of, spoken, whole

__all__ = ["Wanted"]

_SOUND_CHARS = 24
"""Of what may be pinyin: what is behind is not used to find candidates."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of what was typed that may stand for one character."""

    begin: int
    end: int
    token: int | None
    """What its character must have; None: nothing, it is a first letter only."""


class Wanted:
    """The tokens of what was asked for.

    Args:
        asked: By somebody.
    """

    def __init__(self, asked: Asked) -> None:
        self._sound = asked.sound[:_SOUND_CHARS]
        self._grams = tuple({number(one) for one in needed(asked.text)})
        self._begun = (number(begun(asked.text)), *self._grams)
        self._whole = number(whole(asked.text))
        self._pieces = list(_pieces(self._sound))

    def tokens(self) -> set[int]:
        """Return all of them."""
        pairs = {pair for one in self._pieces for _, pair in self._before(one) if pair is not None}
        pieces = {one.token for one in self._pieces if one.token is not None}
        return {self._whole, *self._begun, *pairs, *pieces}

    def sets(self, postings: Postings) -> list[Bits]:
        """Return the entries that may fit exactly, from their beginning, in part, by sound."""
        part = postings.all_of(self._grams) if self._grams else postings.none()
        return [postings.of(self._whole), postings.all_of(self._begun), part, self._sounding(postings)]

    def _sounding(self, postings: Postings) -> Bits:
        """Follow all ways to take what was typed apart at once: a set for each piece that a way may have come to."""
        come: dict[_Piece, Bits] = {}
        found = postings.none()
        for piece in self._pieces:
            here = postings.none() if piece.begin else postings.every()
            for before, pair in self._before(piece):
                here |= come[before] if pair is None else come[before] & postings.of(pair)
            come[piece] = here if piece.token is None else here & postings.of(piece.token)
            if piece.end == len(self._sound):
                found |= come[piece]
        return found

    def _before(self, piece: _Piece) -> Iterator[tuple[_Piece, int | None]]:
        """Return the pieces that may stand before another, and the token of both characters side by side."""
        for one in self._pieces:
            if one.end == piece.begin:
                left, right = self._sound[one.begin], self._sound[piece.begin]
                yield one, None if is_han(left) or is_han(right) else number(paired(left, right))


def _pieces(sound: str) -> Iterator[_Piece]:
    """Yield every part that may stand for one character, in the order of where they begin."""
    for begin, char in enumerate(sound):
        if is_han(char):
            yield _Piece(begin, begin + 1, number(part_of(char)))
            continue
        yield _Piece(begin, begin + 1, None)
        for end in range(begin + 2, min(begin + LONGEST, len(sound)) + 1):
            part = sound[begin:end]
            if part in (begun_syllables() if end == len(sound) else syllables()):
                yield _Piece(begin, end, number(spoken(part)))
