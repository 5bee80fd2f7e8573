"""The KPIs of a window, desk by desk, from the records alone: read only, and nothing is left out unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Table
from sqlalchemy.exc import DBAPIError

from alerting.rates import NOT_YET, covered_ms, most_frequent, standing
from config.plant.model import Condition, Plant, Tag, Text
from gateway.kpi.definitions import DEFINITIONS, Bound, definitions_digest
from gateway.kpi.desks import Desks
from gateway.kpi.figures import FIGURES, Figure, Online, Scene, scene_of
from gateway.kpi.rows import AlarmColumns, ReadAlarms, read_alarms
from gateway.records.dialects import meaning_of
from gateway.records.schema import alarm

__all__ = ["ChatterRow", "DeskReport", "FloodRow", "FrequentRow", "KpiReport", "KpiRow", "Kpis", "StandingRow"]

_LISTED: Final = 100
"""Rows of a list; how many there are is told beside it."""
_INVALID: Final = (Condition.STALE.value, Condition.BAD_PV.value)


@dataclass(frozen=True, slots=True)
class FloodRow:
    """One flood."""

    begin_ms: int
    end_ms: int | None
    """None: it goes on at the end of the window."""
    count: int
    peak: int


@dataclass(frozen=True, slots=True)
class FrequentRow:
    """One of the most frequent alarms."""

    tag: str
    condition: str
    count: int


@dataclass(frozen=True, slots=True)
class ChatterRow:
    """One episode of chattering."""

    tag: str
    condition: str
    begin_ms: int
    end_ms: int
    count: int


@dataclass(frozen=True, slots=True)
class StandingRow:
    """An alarm that stands at the end of the window."""

    tag: str
    condition: str
    raised_ms: int


@dataclass(frozen=True, slots=True)
class KpiRow:
    """One KPI with what it was when it was computed: a frozen month is to be read without this release."""

    id: str
    version: int
    name: Text
    unit: str
    target: Bound | None
    limit: Bound | None
    figure: Figure


@dataclass(frozen=True, slots=True)
class DeskReport:
    """The KPIs of one desk. Lists hold the first of many; the figures count them all."""

    desk: str
    kpis: tuple[KpiRow, ...]
    most_frequent: tuple[FrequentRow, ...]
    """At most ten."""
    floods: tuple[FloodRow, ...]
    """The latest."""
    chattering: tuple[ChatterRow, ...]
    """The longest, by count."""
    standing: tuple[StandingRow, ...]
    """The oldest."""


@dataclass(frozen=True, slots=True)
class KpiReport:
    """The KPIs of a window."""

    from_ms: int
    to_ms: int
    """Not behind the present."""
    definitions: str
    """Digest of the definitions in force."""
    desks: tuple[DeskReport, ...]


class Kpis:
    """Computes KPIs. Thread-safe: every call takes its own connection.

    Args:
        engine: Of `gateway.records.database.open_reader`.
        plant: Says which points there are.
        desks: Who watches what.
        table: The alarms.
    """

    def __init__(self, engine: Engine, plant: Plant, desks: Desks, table: Table = alarm) -> None:
        self._engine = engine
        self._plant = plant
        self._desks = desks
        self._table = table

    @property
    def engine(self) -> Engine:
        """To read from."""
        return self._engine

    @property
    def desks(self) -> Desks:
        """Who watches what."""
        return self._desks

    def report(self, from_ms: int, to_ms: int, now_ms: int, desk: str | None = None) -> KpiReport:
        """Return the KPIs of ``from_ms <= t < to_ms``, as far as that is not in the future.

        Args:
            from_ms: Beginning of the window.
            to_ms: Its end.
            now_ms: Gateway clock.
            desk: Of this desk alone; None: of all.

        Raises:
            RecordsError: The records cannot be read.
        """
        to_ms = max(from_ms, min(to_ms, now_ms))
        with self._read() as connection:
            found = read_alarms(connection, from_ms, to_ms, self._table)
        names = self._desks.names
        of_key = np.array([names.index(self._desks.desk(key.hazard_unit)) for key in found.keys], np.int64)
        of_row = of_key[found.columns.key] if len(of_key) else found.columns.key
        desks = []
        for number, name in enumerate(names):
            if desk in {None, name}:
                alarms = found.columns if len(names) == 1 else found.columns.where(of_row == number)
                online = self._online(name, alarms, found, (from_ms, to_ms))
                scene = scene_of(alarms, from_ms, to_ms, found.missing, online)
                desks.append(_desk_report(name, scene, found))
        return KpiReport(from_ms, to_ms, definitions_digest(), tuple(desks))

    def _online(self, desk: str, alarms: AlarmColumns, found: ReadAlarms, window: tuple[int, int]) -> Online:
        """Take from the expected time of each point that of its alarms of silence and of bad values."""
        from_ms, to_ms = window
        points = [tag for tag in self._plant.tags.values() if self._desks.desk(tag.hazard_unit) == desk]
        watched = [one.name for one in points if _is_watched(one)]
        rows = {name: row for row, name in enumerate(watched)}
        of_key = np.array(
            [rows.get(key.tag, -1) if key.condition in _INVALID else -1 for key in found.keys] or [-1], np.int64
        )
        row = of_key[alarms.key]
        counts = (row >= 0) & ~alarms.retrospective
        begin_ms = np.maximum(alarms.onset_ms[counts], from_ms)
        cleared_ms = alarms.cleared_ms[counts]
        end_ms = np.where(cleared_ms == NOT_YET, to_ms, np.minimum(cleared_ms, to_ms))
        lost_ms = int(covered_ms(row[counts], begin_ms, end_ms, max(len(rows), 1)).sum())
        expected_ms = len(rows) * (to_ms - from_ms)
        return Online(len(rows), (expected_ms - lost_ms) / 1000, expected_ms / 1000, len(points) - len(rows))

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise meaning_of(error)(f"reading the records database: {error.orig}") from error


def _is_watched(tag: Tag) -> bool:
    return any(rule.condition is Condition.STALE and rule.enabled for rule in tag.conditions)


def _desk_report(desk: str, scene: Scene, found: ReadAlarms) -> DeskReport:
    frequent = most_frequent(scene.told.key)
    return DeskReport(
        desk=desk,
        kpis=tuple(
            KpiRow(one.id, one.version, one.name, one.unit, one.target, one.limit, FIGURES[one.id](scene))
            for one in DEFINITIONS.values()
        ),
        most_frequent=tuple(
            FrequentRow(found.keys[key].tag, found.keys[key].condition, count)
            for key, count in zip(frequent.key.tolist(), frequent.count.tolist(), strict=True)
        ),
        floods=_flood_rows(scene),
        chattering=_chatter_rows(scene, found),
        standing=_standing_rows(scene, found),
    )


def _flood_rows(scene: Scene) -> tuple[FloodRow, ...]:
    columns = (scene.floods.begin_ms, scene.floods.end_ms, scene.floods.count, scene.floods.peak)
    rows = zip(*(one[-_LISTED:].tolist() for one in columns), strict=True)
    return tuple(FloodRow(begin, None if end == NOT_YET else end, count, peak) for begin, end, count, peak in rows)


def _chatter_rows(scene: Scene, found: ReadAlarms) -> tuple[ChatterRow, ...]:
    chatter = scene.chatter
    worst = np.lexsort((chatter.begin_ms, -chatter.count))[:_LISTED]
    columns = (chatter.key, chatter.begin_ms, chatter.end_ms, chatter.count)
    rows = zip(*(one[worst].tolist() for one in columns), strict=True)
    keys = found.keys
    return tuple(ChatterRow(keys[key].tag, keys[key].condition, *rest) for key, *rest in rows)


def _standing_rows(scene: Scene, found: ReadAlarms) -> tuple[StandingRow, ...]:
    alarms: AlarmColumns = scene.all
    stands: NDArray[np.int64] = np.flatnonzero(standing(alarms.raised_ms, alarms.cleared_ms, scene.to_ms))
    oldest = stands[np.argsort(alarms.raised_ms[stands], kind="stable")][:_LISTED]
    rows = zip(alarms.key[oldest].tolist(), alarms.raised_ms[oldest].tolist(), strict=True)
    return tuple(StandingRow(found.keys[key].tag, found.keys[key].condition, raised) for key, raised in rows)
