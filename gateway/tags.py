"""Rows: the number under which a tag appears in every array, snapshot and log row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from config.plant.model import EdgeKind, Plant

__all__ = ["Rows", "assign_rows"]


def assign_rows(known: Sequence[str], plant: Plant) -> tuple[str, ...]:
    """Return the names by row: those known keep theirs for ever, new tags of the plant are appended."""
    have = set(known)
    return (*known, *(name for name in plant.tags if name not in have))


class Rows:
    """Which row a tag of an edge has.

    Args:
        names: Row -> tag name.
        plant: Says which tags exist (a row whose tag has left the plant is never found) and on which edge.
    """

    def __init__(self, names: Sequence[str], plant: Plant) -> None:
        self.names = tuple(names)
        self._by_edge: dict[str, dict[str, int]] = {edge: {} for edge in plant.edges}
        for row, name in enumerate(self.names):
            if name in plant.tags:
                self._by_edge[plant.tags[name].edge][name] = row
        self._edge_of: Mapping[str, str] = {name: tag.edge for name, tag in plant.tags.items()}
        self._kinds = {edge.id: edge.kind for edge in plant.edges.values()}

    def knows_edge(self, edge: str) -> bool:
        """Say whether the plant has this edge."""
        return edge in self._by_edge

    def takes_points(self, edge: str) -> bool:
        """Say whether the tags of this edge are published as plain points straight to the gateway."""
        return self._kinds.get(edge) is EdgeKind.DIRECT

    def find(self, edge: str, tags: Iterable[str]) -> list[int]:
        """Return the row of each tag, -1 for one that is not a tag of this edge."""
        get = self._by_edge[edge].get
        return [get(tag, -1) for tag in tags]

    def why_not(self, tag: str) -> str:
        """Name the reason a tag was not found: ``unknown_tag`` or ``foreign_tag`` (it is another edge's)."""
        return "foreign_tag" if tag in self._edge_of else "unknown_tag"
