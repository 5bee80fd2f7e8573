"""Figures of districts: of each itself, and of each with all that is below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from gateway.access.roles import Scope
from gateway.records.registry_tables import FOREVER_MS, record
from gateway.records.transaction import using
from gateway.registry.store import Registry, Version, seen_by

__all__ = ["COUNTED", "DistrictFigures", "RollUp"]

COUNTED = ("enterprise", "site", "hazard-unit", "vessel")
"""Kinds that are counted."""


@dataclass(frozen=True, slots=True)
class DistrictFigures:
    """How much there is in a district, of what may be seen."""

    id: str
    name: str
    parent: str
    level: str
    itself: Mapping[str, int]
    """Kind -> how many say that they are in it."""
    with_below: Mapping[str, int]


class RollUp:
    """Counts by district. Any thread may use it.

    Args:
        registry: What there is.
        reader: Cannot write.
    """

    def __init__(self, registry: Registry, reader: Engine) -> None:
        self._registry = registry
        self._reader = reader

    def figures(self, scope: Scope) -> list[DistrictFigures]:
        """Return the figures of all districts in which there is something that may be seen, in order of id.

        Who may see everything gets every district, also empty ones.
        """
        own = _counts(self._reader, scope)
        tree = _tree(self._registry)
        below: dict[str, Counter[str]] = {name: Counter(counts) for name, counts in own.items()}
        for name, counts in own.items():
            seen = {name}
            above = tree[name].parent if name in tree else ""
            while above and above not in seen:
                below.setdefault(above, Counter()).update(counts)
                seen.add(above)
                above = tree[above].parent if above in tree else ""
        named = sorted(set(below) | (set(tree) if scope.whole else scope.districts | scope.below))
        return [_figures(name, tree.get(name), own.get(name, Counter()), below.get(name, Counter())) for name in named]


def _figures(name: str, there: Version | None, own: Counter[str], below: Counter[str]) -> DistrictFigures:
    return DistrictFigures(
        id=name,
        name=there.name if there else name,
        parent=there.parent if there else "",
        level=str(there.body.get("level", "")) if there else "",
        itself={kind: own[kind] for kind in COUNTED},
        with_below={kind: below[kind] for kind in COUNTED},
    )


def _counts(reader: Engine, scope: Scope) -> dict[str, Counter[str]]:
    asked = (
        select(record.c.district, record.c.kind, func.count())
        .where(
            record.c.kind.in_(COUNTED),
            record.c.until_ms == FOREVER_MS,
            record.c.gone.is_(False),
            record.c.district != "",
            seen_by(scope, record.c.enterprise, record.c.district),
        )
        .group_by(record.c.district, record.c.kind)
    )
    counts: dict[str, Counter[str]] = {}
    with using(reader, "counting by district") as connection:
        for district, kind, count in connection.execute(asked):
            counts.setdefault(district, Counter())[kind] = count
    return counts


def _tree(registry: Registry) -> dict[str, Version]:
    found: dict[str, Version] = {}
    after = ""
    while page := registry.find("district", Scope(), after=after):
        found |= {one.id: one for one in page}
        after = page[-1].id
    return found
