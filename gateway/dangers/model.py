"""What a hidden danger is, as it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from config.dangers import Clocked
from gateway.dangers.states import OVER, Grade, Source, State

__all__ = ["RECEIPTS", "Danger", "Rank", "danger_from", "rank_of", "urgency_of"]


@dataclass(frozen=True, slots=True)
class Danger:
    """A hidden danger; every field is a column of `gateway.records.danger_tables.danger`."""

    id: str
    version: int
    """Rises with what people do."""
    events: int
    enterprise: str
    """Empty: not known yet."""
    district: str
    site: str
    hazard_unit: str
    vessel: str
    tag: str
    condition: str
    alarm_id: str
    place: str
    latitude_deg: float | None
    longitude_deg: float | None
    source: Source
    grade: Grade
    state: State
    urgency: int
    title: str
    text: str
    seen_ms: int | None
    found_ms: int
    found_by: str
    found_team: str
    plan: Mapping[str, Any] | None
    hands: tuple[str, ...]
    deadline_ms: int | None
    asked_until_ms: int | None
    extended: int
    listed_ms: int | None
    listed_until_ms: int | None
    notice: str
    """What the public reads of a listed one."""
    delisted_ms: int | None
    regulator_receipt: str
    congress_receipt: str
    rectified_ms: int | None
    verified_ms: int | None
    verified_by: str
    over_ms: int | None
    over_by: str
    reopened: int
    risk_id: str
    finding: str
    due_ms: int | None
    """The earliest clock that runs."""
    level: int
    """0: nothing is late."""
    recurring: str | None

    @property
    def listed(self) -> bool:
        """Under listed supervision (挂牌督办) now."""
        return self.listed_ms is not None and self.delisted_ms is None


RECEIPTS: Mapping[Clocked, str] = MappingProxyType(
    {Clocked.REPORT_REGULATOR: "regulator_receipt", Clocked.REPORT_CONGRESS: "congress_receipt"}
)
"""The two reports of a major one (双报告), and where their receipts are."""

_NAMES = tuple(field.name for field in fields(Danger))


def danger_from(row: Mapping[str, Any]) -> Danger:
    """Return the danger that a row of the table holds."""
    found = {name: row[name] for name in _NAMES}
    found["source"], found["grade"], found["state"] = Source(row["source"]), Grade(row["grade"]), State(row["state"])
    found["hands"] = tuple(row["hands"] or ())
    return Danger(**found)


_UNGRADED = 2
_LISTED = 5
_RANKS: Mapping[Grade, int] = MappingProxyType({Grade.NONE: _UNGRADED, Grade.GENERAL: 3, Grade.MAJOR: 4})


@dataclass(frozen=True, slots=True)
class Rank:
    """What an urgency above 0 is made of."""

    grade: Grade
    level: int
    listed: bool


def urgency_of(state: State, grade: Grade, level: int, *, listed: bool) -> int:
    """Return how bad it is: worse grades first, within one what is later; 0: it is over."""
    if state in OVER:
        return 0
    rank = 1 if state is State.PROPOSED else _RANKS[grade]
    return 10 * (_LISTED if listed else rank) + min(level, 9)


def rank_of(urgency: int) -> Rank:
    """Return what an urgency above 0 was made of (a level above 9 counts as 9)."""
    rank, level = divmod(urgency, 10)
    grades = {number: grade for grade, number in _RANKS.items()} | {1: Grade.NONE, _LISTED: Grade.MAJOR}
    return Rank(grades[rank], level, rank == _LISTED)
