"""What was found, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.searching.matching import Asked, Entry, Match, Shown, Texts, shown

__all__ = ["Group", "Hit", "best", "hit_of", "rank"]


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found."""

    kind: str
    id: str
    title_zh: str
    title_en: str
    enterprise: str
    path: str
    """Where the API shows it."""
    found: Match
    why: Shown
    at_ms: int = 0
    """Of what fits equally well: when it was, ms; 0: it has no time."""


@dataclass(frozen=True, slots=True)
class Group:
    """What was found of one kind."""

    kind: str
    hits: tuple[Hit, ...]
    """The best first."""
    more: bool
    """There are more than these, or may be."""


def rank(found: Match, title: str, name: str) -> tuple[int, int, str, str]:
    """Return by what is sorted, the best first: how it fits, the shorter text, the title, the id."""
    return found.how, found.chars, title, name


def best(kind: str, hits: Sequence[Hit], limit: int) -> Group:
    """Return the best of everything that was found of a kind."""
    ordered = sorted(hits, key=lambda one: (one.found.how, -one.at_ms, rank(one.found, one.title_zh, one.id)))
    return Group(kind, tuple(ordered[:limit]), len(ordered) > limit)


def hit_of(entry: Entry, texts: Texts, asked: Asked, found: Match, path: str) -> Hit:
    """Return what is told of an entry that fits."""
    why = shown(entry, texts, asked, found)
    return Hit(entry.kind, entry.id, entry.title_zh, entry.title_en, entry.enterprise, path, found, why)
