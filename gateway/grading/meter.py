"""Weighs every unit whenever readings change, keeps what came of it, and notes when a band is crossed."""

from __future__ import annotations

import math
import secrets
import threading
from dataclasses import dataclass
from datetime import date

import numpy as np
import structlog
from numpy.typing import NDArray

from config.clock import Clock
from config.days import day_of
from config.gb18218 import Edition, Operational, edition_on, load_gb18218
from config.plant.model import Plant
from gateway.access.roles import Scope
from gateway.errors import RecordsError
from gateway.grading.filings import Filings
from gateway.grading.ground import Grounds
from gateway.grading.inventory import UNKNOWN_RANK, Basis, Inventory, Known, graded, measure
from gateway.grading.state import Crossing, Standing, Standings, UnitNow
from gateway.grading.watch import Watch, gauges_of, known_of, watch_of
from gateway.grading.words import grade_of_rank, standing_of
from gateway.live import Board, Values

__all__ = ["Meter"]

_ALL = Scope()
_EVERY_S = 1.0
_RETRY_S = 5.0
_RENEW_MS = 30_000
"""How long what the registry and filings say is taken to be so."""
_AT_ONCE = 200
"""Units written in one transaction: nobody else waits long for it."""

_BASES = {basis.name.lower(): int(basis) for basis in Basis}
_NO_BASIS = 255

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Written:
    """What was last written, by unit and by vessel; NaN, -1: nothing."""

    at_ms: NDArray[np.int64]
    rank: NDArray[np.int8]
    s: NDArray[np.float64]
    r: NDArray[np.float64]
    complete: NDArray[np.bool_]
    basis: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class _Load:
    """What is weighed, how, and since when that is known."""

    watch: Watch
    edition: Edition
    by: Operational
    names: tuple[str, ...]
    at_ms: int


class Meter:
    """Recomputes the operational figures. `turn` is for one thread; `renew` for any.

    Args:
        grounds: Units and vessels.
        filings: Legal grades; their factors and alpha are used.
        standings: Where figures are kept.
        plant: Has the tags.
        board: What they read.
        clock: Wall.
    """

    def __init__(
        self, grounds: Grounds, filings: Filings, standings: Standings, plant: Plant, board: Board, clock: Clock
    ) -> None:
        self._grounds = grounds
        self._filings = filings
        self._standings = standings
        self._gauges = gauges_of(plant)
        self._board = board
        self._clock = clock
        self._renew = threading.Event()
        self._load: _Load | None = None
        self._known = known_of((), {})
        self._written: _Written | None = None

    def run(self, stop: threading.Event) -> None:
        """Weigh once a second until ``stop`` is set."""
        while not stop.is_set():
            wait_s = _EVERY_S
            try:
                self.turn(self._clock.wall_ms())
            except RecordsError as error:
                log.warning("grades_not_kept", error=str(error))
                wait_s = _RETRY_S
            stop.wait(wait_s)

    def renew(self) -> None:
        """Read registry and filings anew at the next turn."""
        self._renew.set()

    def turn(self, now_ms: int) -> None:
        """Weigh all units, and keep what changed.

        Raises:
            RecordsError: The records cannot be used; the next turn tries again.
        """
        values = self._board.values
        if values is None:
            return
        load = self._loaded(values, now_ms)
        written = self._written
        if written is None or not load.watch.units:
            return
        found = measure(load.watch.stock, values, self._known, load.by)
        self._known = found.known
        ranks = graded(found, written.rank, load.edition, load.by)
        due = _due(load, found, ranks, written, now_ms)[:_AT_ONCE]
        if len(due):
            self._keep(load, found, ranks, due, now_ms)

    def _loaded(self, values: Values, now_ms: int) -> _Load:
        load = self._load
        fresh = load is not None and 0 <= now_ms - load.at_ms < _RENEW_MS and load.names is values.names
        if load is not None and fresh and not self._renew.is_set():
            return load
        self._renew.clear()
        try:
            made = self._read(values, now_ms)
        except RecordsError:
            self._renew.set()
            raise
        self._carry_over(made.watch)
        self._load = made
        return made

    def _read(self, values: Values, now_ms: int) -> _Load:
        day = day_of(now_ms)
        edition = edition_on(date.fromisoformat(day))
        units = self._grounds.watched()
        names = [unit.id for unit in units]
        filed, tanks = self._filings.in_force(names, _ALL, day), self._grounds.tanks_of(names)
        held = [(unit, filed.get(unit.id), tanks[unit.id]) for unit in units]
        rows = {name: row for row, name in enumerate(values.names)}
        by = load_gb18218().operational_on(date.fromisoformat(day))
        return _Load(watch_of(held, self._gauges, rows, edition), edition, by, values.names, now_ms)

    def _carry_over(self, watch: Watch) -> None:
        """Take over what was known and written of units and vessels: by this process, else by an earlier one."""
        names = [unit.id for unit in watch.units]
        self._standings.keep_only(names)
        kept = self._standings.many(names, _ALL)
        contents = {one.vessel: one for now in kept.values() for one in now.standing.contents}
        known = known_of(watch.tanks, contents)
        if self._load is not None:
            _overlay(known, self._known, watch, self._load.watch)
        written = _nothing_written(watch)
        for row, unit in enumerate(watch.units):
            now = kept.get(unit.id)
            if now is not None:
                written.at_ms[row], written.rank[row], written.s[row] = now.at_ms, now.rank, now.s
                written.r[row], written.complete[row] = math.nan if now.r is None else now.r, now.complete
        for row, tank in enumerate(watch.tanks):
            if tank.id in contents:
                written.basis[row] = _BASES.get(contents[tank.id].basis, _NO_BASIS)
        self._known, self._written = known, written

    def _keep(self, load: _Load, found: Inventory, ranks: NDArray[np.int8], due: NDArray[np.intp], now_ms: int) -> None:
        written = self._written
        if written is None:
            return
        units, crossings = [], []
        for row in due.tolist():
            rank, before = int(ranks[row]), int(written.rank[row])
            standing = standing_of(load.watch, found, row, rank, load.edition)
            units.append(_now(load, found, row, rank, standing, now_ms))
            if before != rank and UNKNOWN_RANK not in (before, rank):
                crossings.append(_crossing(units[-1], grade_of_rank(before, load.edition)))
        self._standings.put(units, crossings)
        for one in crossings:
            log.info("grade_crossed", unit=one.unit, before=one.before, after=one.after, s=one.s, r=one.r)
        written.at_ms[due], written.rank[due] = now_ms, ranks[due]
        written.s[due], written.r[due], written.complete[due] = found.s[due], found.r[due], found.complete[due]
        of_due = np.isin(load.watch.stock.unit, due)
        written.basis[of_due] = found.basis[of_due]


def _due(load: _Load, found: Inventory, ranks: NDArray[np.int8], written: _Written, now_ms: int) -> NDArray[np.intp]:
    """Return which units are to be written: at once where a band is crossed, else what changed, now and then.

    Crossings come first, then what was written longest ago.
    """
    units, by = len(load.watch.units), load.by
    crossed = ranks != written.rank
    basis = np.bincount(load.watch.stock.unit, found.basis != written.basis, units) > 0
    changed = basis | (found.complete != written.complete)
    for now, before in ((found.s, written.s), (found.r, written.r)):
        close = np.isclose(now, before, rtol=by.write_change, atol=by.write_change * by.write_change, equal_nan=True)
        changed |= ~close
    waited = (now_ms - written.at_ms >= by.write_every_ms) | (now_ms < written.at_ms)
    due = np.flatnonzero(crossed | (changed & waited))
    return due[np.lexsort((written.at_ms[due], ~crossed[due]))]


def _now(load: _Load, found: Inventory, row: int, rank: int, standing: Standing, now_ms: int) -> UnitNow:
    unit, r = load.watch.units[row], float(found.r[row])
    return UnitNow(
        unit=unit.id,
        enterprise=unit.enterprise,
        district=unit.district,
        at_ms=now_ms,
        grade=grade_of_rank(rank, load.edition),
        rank=rank,
        s=float(found.s[row]),
        r=r if math.isfinite(r) else None,
        complete=bool(found.complete[row]),
        standing=standing,
    )


def _crossing(now: UnitNow, before: int | None) -> Crossing:
    return Crossing(
        id=secrets.token_hex(16),
        unit=now.unit,
        enterprise=now.enterprise,
        district=now.district,
        at_ms=now.at_ms,
        before=before,
        after=now.grade,
        s=now.s,
        r=now.r or 0.0,
        complete=now.complete,
        standing=now.standing,
    )


def _nothing_written(watch: Watch) -> _Written:
    units, vessels = len(watch.units), len(watch.tanks)
    return _Written(
        at_ms=np.full(units, -1, np.int64),
        rank=np.full(units, UNKNOWN_RANK, np.int8),
        s=np.full(units, np.nan),
        r=np.full(units, np.nan),
        complete=np.zeros(units, np.bool_),
        basis=np.full(vessels, _NO_BASIS, np.uint8),
    )


def _overlay(known: Known, before: Known, watch: Watch, earlier: Watch) -> None:
    """Put what this process knows over what was kept: it is newer."""
    rows = {tank.id: row for row, tank in enumerate(earlier.tanks)}
    pairs = [(row, rows[tank.id]) for row, tank in enumerate(watch.tanks) if tank.id in rows]
    new, old = (np.array(column, np.intp) for column in (zip(*pairs, strict=True) if pairs else ((), ())))
    for name in ("height", "at_ms", "temperature_c"):
        getattr(known, name)[new] = getattr(before, name)[old]
