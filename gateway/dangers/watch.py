"""What happens to hidden dangers by itself: late ones climb to other posts, alarms that recur propose one."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import Connection, Engine, select, update

from config.clock import Clock
from config.dangers import DangerRules, Edition, load_danger_rules
from gateway.dangers.clocks import level_at, next_at
from gateway.dangers.proposals import Proposals
from gateway.dangers.rows import locked, write
from gateway.errors import RecordsError
from gateway.records.danger_tables import danger_clock
from gateway.records.transaction import using
from gateway.registry.where import Where

__all__ = ["DangerWatch", "Turn"]

log = structlog.get_logger(__name__)

_FIRST_LOOK_S: Final = 5.0
_LOOK_EVERY_S: Final = 15.0
_AT_ONCE: Final = 50
"""Clocks in one transaction: the pipeline waits for no longer."""
_SYSTEM: Final = "system"
_c = danger_clock.c


@dataclass(frozen=True, slots=True)
class Turn:
    """What one look found."""

    climbed: int
    proposed: int


class DangerWatch:
    """Looks after the clocks and the alarms.

    Args:
        writing: For short transactions beside the pipeline.
        reader: Cannot write.
        clock: Wall.
        where: Of all places.
        rules: Left out: those shipped with the program.
    """

    def __init__(
        self, writing: Engine, reader: Engine, clock: Clock, where: Where, rules: DangerRules | None = None
    ) -> None:
        self._writing = writing
        self._reader = reader
        self._clock = clock
        self._rules = rules or load_danger_rules()
        self._proposals = Proposals(writing, reader, where, self._rules)

    def run(self, stop: threading.Event) -> None:
        """Look every now and then until ``stop`` is set."""
        stop.wait(_FIRST_LOOK_S)
        while not stop.is_set():
            try:
                self.turn(self._clock.wall_ms())
            except RecordsError as error:
                log.warning("dangers_not_looked_after", error=str(error))
            stop.wait(_LOOK_EVERY_S)

    def turn(self, now_ms: int) -> Turn:
        """Do everything that is due.

        Args:
            now_ms: Gateway clock.

        Raises:
            RecordsError: The records cannot be used; the next turn goes on from there.
        """
        climbed = 0
        while (batch := self._climb(now_ms)) > 0:
            climbed += batch
        return Turn(climbed, self._proposals.look(now_ms))

    def _climb(self, now_ms: int) -> int:
        """Let some late clocks climb; returns how many."""
        edition = self._rules.at(now_ms)
        asked = select(_c.danger_id).where(_c.next_ms <= now_ms).order_by(_c.next_ms).limit(_AT_ONCE)
        with using(self._reader, "looking for late hidden dangers") as connection:
            names = sorted(set(connection.scalars(asked)))
        if not names:
            return 0
        with using(self._writing, "letting late hidden dangers climb") as connection:
            return sum(self._climb_one(connection, name, edition, now_ms) for name in names)

    def _climb_one(self, connection: Connection, name: str, edition: Edition, now_ms: int) -> int:
        one = locked(connection, name)
        late = select(danger_clock).where(_c.danger_id == name, _c.next_ms <= now_ms).order_by(_c.clock)
        rows = connection.execute(late).mappings().all() if one is not None else []
        for row in rows:
            level = level_at(edition, row["due_ms"], now_ms)
            changes = {"level": level, "next_ms": next_at(edition, row["due_ms"], level)}
            same = (_c.danger_id == name, _c.clock == row["clock"], _c.round == row["round"])
            connection.execute(update(danger_clock).where(*same).values(**changes))
            detail = {"clock": row["clock"], "due_ms": row["due_ms"], "level": level}
            if one is not None and level > row["level"]:
                one = write(connection, one, "overdue", _SYSTEM, now_ms, detail)
        return len(rows)
