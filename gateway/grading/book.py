"""What the rest of the gateway asks about grades and contents: now, and as they were."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from config.clock import Clock
from config.days import day_of
from config.gb18218 import Edition, Operational, edition_on, load_gb18218
from config.plant.model import Plant, Text
from gateway.access.roles import Scope
from gateway.grading.filings import Filing, Filings
from gateway.grading.fit import misfits
from gateway.grading.ground import Grounds, Tank, Unit
from gateway.grading.inventory import UNKNOWN_RANK, Inventory, graded, measure, nothing_known
from gateway.grading.past import recall
from gateway.grading.state import Contents, Standings, UnitNow
from gateway.grading.watch import Gauges, Watch, contents_of, gauges_of, known_of, watch_of
from gateway.grading.words import grade_of_rank, standing_of
from gateway.history.port import HistoryReader
from gateway.live import Board, Values
from gateway.records.queries import Queries

__all__ = ["NOT_WEIGHED", "Account", "Contents", "GradeBook", "Readings", "UnitGrades"]

_ALL = Scope()
NOT_WEIGHED = Text("尚未计算实时存量", "the live inventory has not been weighed yet")
_NO = np.empty(0)
_NOTHING_READ = Values(
    0, (), _NO.astype(np.int64), _NO.astype(np.int64), _NO, _NO.astype(np.uint8), _NO.astype(np.bool_)
)


@dataclass(frozen=True, slots=True)
class UnitGrades:
    """Both grades of a hazard unit: two numbers that are never to be mixed."""

    unit: str
    legal_grade: int | None
    """1 (一级) to 4 (四级), from design maxima, as filed; None: not filed, or no major hazard source."""
    legal_s: float | None
    legal_r: float | None
    filed_ms: int | None
    """When the filing in force was taken in; None: there is none."""
    operational_grade: int | None
    """From what is in the vessels; None: not known, or S < 1."""
    operational_s: float | None
    operational_r: float | None
    as_of_ms: int | None
    """Of the operational figures."""
    complete: bool
    """The level of every vessel of the unit was used."""
    reasons: tuple[Text, ...]
    """What no longer fits the filing; then why the operational figures are not complete, vessel by vessel."""


@dataclass(frozen=True, slots=True)
class Account:
    """All that is known of the grades of a unit."""

    unit: Unit
    filing: Filing | None
    """In force."""
    misfits: tuple[Text, ...]
    """What no longer fits it."""
    now: UnitNow | None
    """The operational figures; None: not weighed yet."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Where it is read what gauges say, and said."""

    plant: Plant
    board: Board
    history: HistoryReader
    queries: Queries
    """Know the numbers of tags."""


class GradeBook:
    """Answers what the grades of a unit and the contents of a vessel are, or were. Any thread may use it.

    Args:
        grounds: Units and vessels.
        filings: Legal grades.
        standings: Operational figures, as the worker keeps them.
        readings: What gauges say, and said.
        clock: Wall.
    """

    def __init__(
        self, grounds: Grounds, filings: Filings, standings: Standings, readings: Readings, clock: Clock
    ) -> None:
        self._grounds = grounds
        self._filings = filings
        self._standings = standings
        self._readings = readings
        self._clock = clock
        self._gauges = gauges_of(readings.plant)
        self._row_of: tuple[tuple[str, ...], dict[str, int]] = ((), {})

    def of_unit(self, unit: str, scope: Scope, at_ms: int | None = None) -> UnitGrades | None:
        """Return both grades of a unit; None: there is no such unit that may be seen.

        Args:
            unit: Id.
            scope: Whose things may be seen; widened.
            at_ms: As it was then; None: now.

        Raises:
            RecordsError: The records cannot be read.
            HistoryError: The history cannot be read; only for a time in the past.
        """
        found = self.account(unit, scope, at_ms)
        if found is None:
            return None
        filing, now = found.filing, found.now
        return UnitGrades(
            unit=unit,
            legal_grade=filing.grade if filing else None,
            legal_s=filing.s if filing else None,
            legal_r=filing.r if filing else None,
            filed_ms=filing.filed_ms if filing else None,
            operational_grade=now.grade if now else None,
            operational_s=now.s if now else None,
            operational_r=now.r if now else None,
            as_of_ms=now.at_ms if now else None,
            complete=now is not None and now.complete,
            reasons=(*found.misfits, *(now.standing.reasons if now else (NOT_WEIGHED,))),
        )

    def account(self, unit: str, scope: Scope, at_ms: int | None = None) -> Account | None:
        """Return all that is known of the grades of a unit; see `of_unit`."""
        owner = self._grounds.unit(unit, scope, at_ms)
        if owner is None:
            return None
        moment = self._clock.wall_ms() if at_ms is None else at_ms
        filing = self._filings.current(unit, scope, day_of(moment))
        tanks = self._grounds.tanks(unit, at_ms)
        fits = () if filing is None else misfits(filing, owner, tanks, _rules(moment)[0])
        if at_ms is None:
            return Account(owner, filing, fits, self._standings.of_unit(unit, scope))
        return Account(owner, filing, fits, self._back_then(owner, filing, tanks, at_ms))

    def contents(self, vessel: str, scope: Scope, at_ms: int | None = None) -> Contents | None:
        """Return what is in a vessel; None: there is no such vessel that may be seen.

        Args:
            vessel: Id.
            scope: Whose things may be seen; widened.
            at_ms: As it was then; None: now.

        Raises:
            RecordsError: The records cannot be read.
            HistoryError: The history cannot be read; only for a time in the past.
        """
        tank = self._grounds.tank(vessel, scope, at_ms)
        if tank is None:
            return None
        unit = Unit(tank.unit, tank.enterprise, tank.district, "", "", None)
        edition, by = _rules(self._clock.wall_ms() if at_ms is None else at_ms)
        if at_ms is not None:
            watch, found = self._recalled(unit, None, [tank], at_ms)
            return contents_of(watch, found, 0)
        kept = self._standings.of_unit(tank.unit, _ALL) if tank.unit else None
        known = known_of([tank], {one.vessel: one for one in kept.standing.contents} if kept else {})
        values = self._readings.board.values
        watch = watch_of([(unit, None, [tank])], self._gauges, self._rows(values), edition)
        return contents_of(watch, measure(watch.stock, values or _NOTHING_READ, known, by), 0)

    def _rows(self, values: Values | None) -> Mapping[str, int]:
        """Return where each tag is on the board."""
        if values is None:
            return {}
        names, rows = self._row_of
        if names is not values.names:
            rows = {name: row for row, name in enumerate(values.names)}
            self._row_of = values.names, rows
        return rows

    def _back_then(self, owner: Unit, filing: Filing | None, tanks: Sequence[Tank], at_ms: int) -> UnitNow:
        watch, found = self._recalled(owner, filing, tanks, at_ms)
        edition, by = _rules(at_ms)
        rank = int(graded(found, np.array([UNKNOWN_RANK], np.int8), edition, by)[0])
        r = float(found.r[0])
        return UnitNow(
            unit=owner.id,
            enterprise=owner.enterprise,
            district=owner.district,
            at_ms=at_ms,
            grade=grade_of_rank(rank, edition),
            rank=rank,
            s=float(found.s[0]),
            r=r if math.isfinite(r) else None,
            complete=bool(found.complete[0]),
            standing=standing_of(watch, found, 0, rank, edition),
        )

    def _recalled(
        self, owner: Unit, filing: Filing | None, tanks: Sequence[Tank], at_ms: int
    ) -> tuple[Watch, Inventory]:
        """Weigh vessels by what their gauges said at a time."""
        gauges = [self._gauges.get(tank.id, Gauges()) for tank in tanks]
        tags = [tag for one in gauges for tag in (*one.levels, *one.warmths)]
        edition, by = _rules(at_ms)
        numbered = [(tag, self._readings.queries.tag_id(tag.name)) for tag in tags]
        found = recall(self._readings.history, numbered, at_ms, by.look_back_ms)
        rows = {tag.name: row for row, tag in enumerate(tags)}
        watch = watch_of([(owner, filing, tanks)], self._gauges, rows, edition)
        known = measure(watch.stock, found.before, nothing_known(len(tanks)), by).known
        return watch, measure(watch.stock, found.then, known, by)


def _rules(at_ms: int) -> tuple[Edition, Operational]:
    day = date.fromisoformat(day_of(at_ms))
    return edition_on(day), load_gb18218().operational_on(day)
