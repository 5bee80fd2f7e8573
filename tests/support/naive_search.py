"""The slow twin of the search: goes through everything, and tries every way to say it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from pypinyin import Style, lazy_pinyin, pinyin

__all__ = ["naive_how", "plain"]


def plain(text: str) -> str:
    """Fold a text, the simple way."""
    wide = "".join(unicodedata.normalize("NFKC", one).casefold() for one in unicodedata.normalize("NFC", text))
    kept = "".join(
        " " if one.isspace() else one for one in wide if one.isspace() or unicodedata.category(one)[0] != "C"
    )
    for dot in "·•・‧∙":
        kept = kept.replace(dot, "")
    return " ".join(kept.split())


def naive_how(texts: Iterable[str], typed: str) -> int | None:
    """Return how well texts fit: 0 exactly, 1 from the beginning, 2 in part, 3 by sound; None: not at all."""
    asked = plain(typed)
    return min((how for text in texts for how in _ways(plain(text), asked)), default=None)


def _ways(text: str, asked: str) -> Iterable[int]:
    if text == asked:
        yield 0
    if text.startswith(asked):
        yield 1
    if asked in text and (len(asked) > 1 or _han(asked)):
        yield 2
    bare = asked.replace(" ", "")
    if len(bare) > 1 and any(one in "abcdefghijklmnopqrstuvwxyz" for one in bare) and any(map(_han, text)):
        said = _said(text)
        if any(_says(said[begin:], bare) for begin in range(len(said))):
            yield 3


def _says(said: list[tuple[str, set[str]]], typed: str) -> bool:
    """Say every beginning of it aloud, in all ways at once, for as long as that is what was typed."""
    spoken = {""}
    for char, readings in said:
        whole = {char} | readings | {one[0] for one in readings}
        begun = whole | {one[:letters] for one in readings for letters in range(1, len(one))}
        if any(before + one == typed for before in spoken for one in begun):
            return True
        spoken = {before + one for before in spoken for one in whole if typed.startswith(before + one)}
    return False


def _said(text: str) -> list[tuple[str, set[str]]]:
    found: list[tuple[str, set[str]]] = []
    run = ""
    for char in [*text, " "]:
        if _han(char):
            run += char
            continue
        found += [(one, _readings(one, said)) for one, said in zip(run, lazy_pinyin(run), strict=True)] if run else []
        run = ""
        found.append((char, set()))
    return [one for one in found if one[0] != " "]


def _readings(char: str, said: str) -> set[str]:
    usual = list(dict.fromkeys(pinyin(char, style=Style.NORMAL, heteronym=True)[0]))[:2]
    return {one for one in (said, *usual, *(one.replace("v", "u") for one in usual)) if one.isascii() and one.isalpha()}


def _han(char: str) -> bool:
    return "\u4e00" <= char <= "\u9fff" or "\u3400" <= char <= "\u4dbf" or char == "\u3007" or char >= "\U00020000"
