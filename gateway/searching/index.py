"""Looks things up in the index: candidates from sets, and every candidate is looked at before anybody hears of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, RowMapping, or_, select

from gateway.access.roles import Scope
from gateway.records.search_tables import search_entry
from gateway.registry.store import seen_by
from gateway.searching.candidates import Wanted
from gateway.searching.hits import Group, Hit, hit_of, rank
from gateway.searching.matching import Asked, Entry, Match, Texts, match
from gateway.searching.postings import Postings, docs_in
from gateway.searching.sources import SOURCES
from gateway.searching.tokens import EVERYBODYS, number, of_district, of_enterprise, of_kind

__all__ = ["look"]

_FEW = 2_000
"""Who may see no more things than this: all of them are looked at, and nothing is asked that others' things answer."""
_LOOK_AT = 200
"""Candidates of a kind that are looked at at once."""
_LOOKS = 3
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _Fit:
    """An entry that fits."""

    row: RowMapping
    texts: Texts
    found: Match


def look(connection: Connection, asked: Asked, scope: Scope, kinds: Collection[str], limit: int) -> dict[str, Group]:
    """Return what fits of some kinds, and may be seen.

    Args:
        connection: In a transaction.
        asked: Not empty.
        scope: Whose things may be seen; widened.
        kinds: Of `SOURCES`.
        limit: At most so many of each kind.
    """
    owners = [] if scope.whole else _owners(scope)
    postings = Postings(connection)
    if owners:
        postings.load(owners)
        mine = docs_in(postings.any_of(owners), _FEW + 1)
        if len(mine) <= _FEW:
            fits = _by_kind(_fitting(connection, mine, asked, scope))
            return {kind: _group(kind, found, asked, limit) for kind, found in fits.items() if kind in kinds}
    left = _candidates(postings, asked, owners, kinds)
    fits = defaultdict(list)
    for turn in range(_LOOKS):
        docs = [
            doc
            for kind, some in left.items()
            if len(fits[kind]) <= limit
            for doc in some[turn * _LOOK_AT : (turn + 1) * _LOOK_AT]
        ]
        if not docs:
            break
        for kind, found in _by_kind(_fitting(connection, docs, asked, scope)).items():
            fits[kind] += found
    return {kind: _group(kind, fits[kind], asked, limit, more=len(left[kind]) == _LOOK_AT * _LOOKS) for kind in kinds}


def _owners(scope: Scope) -> list[int]:
    of_all = (
        EVERYBODYS,
        *map(of_enterprise, scope.enterprises),
        *map(of_district, scope.districts | scope.below),
    )
    return [number(one) for one in of_all]


def _candidates(postings: Postings, asked: Asked, owners: Sequence[int], kinds: Iterable[str]) -> dict[str, list[int]]:
    """Return the entries that are worth a look, by kind, in the order in which they are."""
    wanted = Wanted(asked)
    of_kinds = {kind: number(of_kind(kind)) for kind in kinds}
    postings.load({*wanted.tokens(), *of_kinds.values()})
    seen = postings.any_of(owners) if owners else postings.every()
    sets = [one & seen for one in wanted.sets(postings)]
    at_most = _LOOK_AT * _LOOKS
    return {
        kind: list(dict.fromkeys(doc for one in sets for doc in docs_in(one & postings.of(token), at_most)))[:at_most]
        for kind, token in of_kinds.items()
    }


def _fitting(connection: Connection, docs: Sequence[int], asked: Asked, scope: Scope) -> list[_Fit]:
    """Return those of some entries that fit, and may be seen."""
    table = search_entry.c
    seen = or_(table.public, seen_by(scope, table.enterprise, table.district))
    found: list[_Fit] = []
    for start in range(0, len(docs), _AT_ONCE):
        rows = select(search_entry).where(table.doc.in_(docs[start : start + _AT_ONCE]), seen)
        for row in connection.execute(rows).mappings():
            texts = Texts(tuple(row["lines"].split("\n")), tuple(row["sounds"].split("\n")))
            fits = match(texts, asked)
            if fits is not None:
                found.append(_Fit(row, texts, fits))
    return found


def _by_kind(fits: Iterable[_Fit]) -> Mapping[str, list[_Fit]]:
    found: dict[str, list[_Fit]] = defaultdict(list)
    for fit in fits:
        found[fit.row["kind"]].append(fit)
    return found


def _group(kind: str, fits: Sequence[_Fit], asked: Asked, limit: int, *, more: bool = False) -> Group:
    ordered = sorted(fits, key=lambda fit: rank(fit.found, fit.row["title_zh"], fit.row["id"]))
    return Group(kind, tuple(_hit(fit, asked) for fit in ordered[:limit]), more or len(ordered) > limit)


def _hit(fit: _Fit, asked: Asked) -> Hit:
    row = fit.row
    fields = tuple((field, text) for field, text in msgspec.json.decode(row["fields"]))
    entry = Entry(
        kind=row["kind"],
        id=row["id"],
        enterprise=row["enterprise"],
        district=row["district"],
        public=row["public"],
        title_zh=row["title_zh"],
        title_en=row["title_en"],
        fields=fields,
    )
    return hit_of(entry, fit.texts, asked, fit.found, SOURCES[row["kind"]].path.format(id=row["id"]))
