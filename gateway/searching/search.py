"""The search: what was typed in, what fits best out, for each kind of thing, of what somebody may see."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Engine

from config.plant.model import Plant
from gateway.access.roles import Scope
from gateway.errors import BadRequestError
from gateway.records.transaction import using
from gateway.searching.due import behind
from gateway.searching.hits import Group, best
from gateway.searching.index import look
from gateway.searching.live import LIVE, Finding
from gateway.searching.matching import Asked
from gateway.searching.sources import SOURCES

__all__ = ["Found", "Search"]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found."""

    groups: tuple[Group, ...]
    """The best first."""
    behind: int
    """Things that were written and are not in the index yet."""


class Search:
    """Finds things. Any thread may use it.

    Args:
        reader: Cannot write.
        plant: Whose vehicles and tags are known besides.
    """

    def __init__(self, reader: Engine, plant: Plant) -> None:
        self._reader = reader
        self._plant = plant

    def find(self, typed: str, scope: Scope, kinds: Collection[str] = (), limit: int = 10) -> Found:
        """Return what fits what was typed.

        Args:
            typed: By somebody.
            scope: Whose things may be seen; widened (`gateway.registry.store.Registry.widened`).
            kinds: Of `SOURCES` and `LIVE`; none: all.
            limit: At most so many of each kind.

        Raises:
            BadRequestError: There is nothing to search for in it.
            RecordsError: The records cannot be read.
        """
        asked = Asked.of(typed)
        if not asked.text:
            raise BadRequestError("q: nothing to search for; allowed: letters, digits, Chinese（请输入要搜索的内容）")
        wanted = {kind for kind in (*SOURCES, *LIVE) if not kinds or kind in kinds}
        indexed = (wanted | ({"tag"} if "alarm" in wanted else set())) & set(SOURCES)
        with using(self._reader, "searching") as connection:
            found = look(connection, asked, scope, indexed, limit)
            finding = Finding(asked, scope, found["tag"].hits if "tag" in found else (), limit + 1)
            for kind in sorted(wanted & set(LIVE)):
                found[kind] = best(kind, LIVE[kind].find(connection, self._plant, finding), limit)
            waiting = behind(connection)
        groups = [found[kind] for kind in (*SOURCES, *LIVE) if kind in wanted and kind in found and found[kind].hits]
        return Found(tuple(sorted(groups, key=lambda group: group.hits[0].found.how)), waiting)
