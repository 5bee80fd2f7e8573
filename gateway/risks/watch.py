"""Looks again and again at what lifts the grades of the moment, and keeps how they went."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import Connection, Engine, bindparam, insert, select, update

from config.clock import Clock
from config.risks import RiskRules
from gateway.errors import RecordsError
from gateway.records.risk_tables import risk, risk_change
from gateway.records.transaction import using
from gateway.risks.book import risk_from
from gateway.risks.causes import Causes, Reach
from gateway.risks.dynamic import Cause
from gateway.risks.model import Risk
from gateway.risks.moments import change_of, looked_at

__all__ = ["RiskWatch", "Turn"]

T = TypeVar("T")
log = structlog.get_logger(__name__)

_FIRST_LOOK_S: Final = 6.0
_LOOK_EVERY_S: Final = 15.0
_AT_ONCE: Final = 200
"""Risks in one transaction: the pipeline waits for no longer."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one look came to."""

    looked_at: int
    changed: int
    """Whose colour of the moment is another now."""
    missed: int
    """Written by somebody meanwhile; the next turn looks at them again."""


class RiskWatch:
    """Keeps the grades of the moment.

    Args:
        writing: For short transactions beside the pipeline.
        reader: Cannot write.
        clock: Wall.
        rules: What lifts by how much.
        sources: Where causes come from.
    """

    def __init__(
        self, writing: Engine, reader: Engine, clock: Clock, rules: RiskRules, sources: Sequence[Causes]
    ) -> None:
        self._writing = writing
        self._reader = reader
        self._clock = clock
        self._rules = rules
        self._sources = tuple(sources)

    def run(self, stop: threading.Event) -> None:
        """Look every now and then until ``stop`` is set."""
        stop.wait(_FIRST_LOOK_S)
        while not stop.is_set():
            try:
                self.turn(self._clock.wall_ms())
            except RecordsError as error:
                log.warning("risks_not_looked_after", error=str(error))
            stop.wait(_LOOK_EVERY_S)

    def turn(self, now_ms: int) -> Turn:
        """Look at every risk that something lifts, or lifted at the last look.

        Args:
            now_ms: Gateway clock.

        Raises:
            RecordsError: The records cannot be used; the next turn looks again.
        """
        lifting = self._rules.at(now_ms).lifting
        since_ms = now_ms - max(lifting.lifts.values(), default=0) * lifting.step_down_ms
        found = _Found()
        for source in self._sources:
            for reach, cause in source.causes(since_ms, now_ms):
                found.add(reach, cause)
        seen = changed = missed = 0
        for batch in _batches(self._concerned(found), _AT_ONCE):
            after = [(one, looked_at(one, found.of(one), now_ms, lifting)) for one in batch]
            moved, lost = self._keep([pair for pair in after if pair[0] != pair[1]], now_ms)
            seen, changed, missed = seen + len(batch), changed + moved, missed + lost
        return Turn(seen, changed, missed)

    def _concerned(self, found: _Found) -> Iterator[Risk]:
        """Yield every risk that has something to be looked at, once."""
        asked = [select(risk).where(risk.c.lifted.is_(True), risk.c.ended_ms.is_(None))]
        for column, names in (
            (risk.c.id, found.risks),
            (risk.c.hazard_unit, found.units),
            (risk.c.vessel, found.vessels),
        ):
            asked += [
                select(risk).where(column.in_(some), risk.c.ended_ms.is_(None))
                for some in _batches(sorted(names), _AT_ONCE)
            ]
        told: set[str] = set()
        with using(self._reader, "reading risks that something lifts") as connection:
            for one in asked:
                for row in connection.execute(one).mappings():
                    if row["id"] not in told:
                        told.add(row["id"])
                        yield risk_from(row)

    def _keep(self, pairs: Sequence[tuple[Risk, Risk]], now_ms: int) -> tuple[int, int]:
        """Write what is another; returns how many colours changed, and how many were written by somebody meanwhile."""
        if not pairs:
            return 0, 0
        with using(self._writing, "keeping the grades of the moment") as connection:
            kept = [pair for pair in pairs if _write(connection, pair[1])]
            rows = [change for before, after in kept if (change := change_of(before, after, now_ms)) is not None]
            if rows:
                connection.execute(insert(risk_change), rows)
        return len(rows), len(pairs) - len(kept)


class _Found:
    """Causes by what they reach."""

    def __init__(self) -> None:
        self.risks: dict[str, list[Cause]] = {}
        self.vessels: dict[str, list[Cause]] = {}
        self.units: dict[str, list[Cause]] = {}
        """Of the unit as a whole: those at no vessel of it."""
        self._inside: dict[str, list[Cause]] = {}
        """Of the vessels in a unit."""

    def add(self, reach: Reach, cause: Cause) -> None:
        """Remember a cause."""
        if reach.risk_id:
            self.risks.setdefault(reach.risk_id, []).append(cause)
        elif reach.vessel:
            self.vessels.setdefault(reach.vessel, []).append(cause)
            self._inside.setdefault(reach.hazard_unit, []).append(cause)
            self.units.setdefault(reach.hazard_unit, [])
        else:
            self.units.setdefault(reach.hazard_unit, []).append(cause)

    def of(self, one: Risk) -> list[Cause]:
        """Return what lifts a risk: of a vessel, not what is at other vessels of its unit."""
        mine = list(self.risks.get(one.id, ()))
        if one.vessel:
            mine += self.vessels.get(one.vessel, ())
        elif one.hazard_unit:
            mine += self._inside.get(one.hazard_unit, ())
        return mine + self.units.get(one.hazard_unit, []) if one.hazard_unit else mine


_WRITE = (
    update(risk)
    .where(risk.c.id == bindparam("of"), risk.c.version == bindparam("seen"), risk.c.ended_ms.is_(None))
    .values(
        dynamic_colour=bindparam("colour"),
        lifted=bindparam("lifts"),
        reasons=bindparam("why", type_=risk.c.reasons.type),
        dynamic_ms=bindparam("at"),
    )
)


def _write(connection: Connection, after: Risk) -> bool:
    said: Mapping[str, Any] = {
        "of": after.id,
        "seen": after.version,
        "colour": after.dynamic_colour.value,
        "lifts": after.lifted,
        "why": list(after.reasons),
        "at": after.dynamic_ms,
    }
    return connection.execute(_WRITE, said).rowcount == 1


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    walk = iter(items)
    while batch := list(islice(walk, size)):
        yield batch
