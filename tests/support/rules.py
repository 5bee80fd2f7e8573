"""Rules for tests: from a few named limits, or drawn by Hypothesis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from alerting.rules import NOBODY, Rules
from config.plant.model import CONDITIONS, Condition

__all__ = ["Cell", "Row", "make_rules", "rules_strategy"]

G = TypeVar("G", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Cell:
    """One enabled condition of one tag."""

    limit: float = float("nan")
    deadband: float = 0.0
    on_delay_ms: int = 0
    off_delay_ms: int = 0
    enabled: bool = True
    tier: int = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One tag."""

    conditions: Mapping[Condition, Cell] = field(default_factory=dict)
    hold_ms: int = 3_000
    stale_after_ms: int = 60_000
    range_low: float = 0.0
    range_high: float = 100.0
    window_ms: int = 16
    partners: tuple[int, ...] = ()


def make_rules(rows: Sequence[Row], names: Sequence[str] | None = None) -> Rules:
    """Lay out rows as rules; tags are called T0, T1, ... unless named."""
    none = Cell(enabled=False, tier=0)
    cells = [[row.conditions.get(condition, none) for row in rows] for condition in CONDITIONS]

    def table(name: str, dtype: type[G]) -> NDArray[G]:
        values = [[getattr(cell, name) for cell in line] for line in cells]
        return np.array(values, dtype).reshape(len(CONDITIONS), len(rows))

    return Rules(
        names=tuple(names or (f"T{index}" for index in range(len(rows)))),
        limit=table("limit", np.float64),
        deadband=table("deadband", np.float64),
        on_delay_ms=table("on_delay_ms", np.int64),
        off_delay_ms=table("off_delay_ms", np.int64),
        enabled=table("enabled", np.bool_),
        tier=table("tier", np.uint8),
        hold_ms=np.array([row.hold_ms for row in rows], np.int64),
        stale_after_ms=np.array([row.stale_after_ms for row in rows], np.int64),
        range_low=np.array([row.range_low for row in rows], np.float64),
        range_high=np.array([row.range_high for row in rows], np.float64),
        window_ms=np.array([row.window_ms for row in rows], np.int64),
        partners=np.array([(*row.partners, NOBODY, NOBODY)[:2] for row in rows], np.int64).reshape(-1, 2).T,
    )


DELAYS_MS = (0, 0, 1, 2, 5, 9)
"""Small numbers that meet often: every boundary is hit within a few samples."""
VALUES = (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0)


LIMITS_OF = {
    Condition.ROC_HIGH: (0.0, 2_000.0, 6_000.0, 20_000.0, 60_000.0, float("nan")),
    Condition.ROC_LOW: (0.0, 2_000.0, 6_000.0, 20_000.0, 60_000.0, float("nan")),
    Condition.FORECAST: (1e-5, 1e-4, 3e-4, 1e-3, 1e-2, float("nan")),
    Condition.DEV: (0.0, 0.5, 1.0, 2.0, 3.0, float("nan")),
    Condition.FLATLINE: (0.0, 0.1, 0.5, 1.0, 2.0, float("nan")),
}
"""A value moves by about 1 in a millisecond: 60 000 a minute."""


@st.composite
def cells(draw: st.DrawFn, condition: Condition) -> Cell:
    """Draw one condition; limits lie on the values streams use."""
    limits = LIMITS_OF.get(condition, (*VALUES, float("nan")) if condition in "HHLL" else (float("nan"),))
    limit = draw(st.sampled_from(limits))
    deadband = draw(st.sampled_from((0.0, 0.5, 1.0, 2.0)))
    return Cell(
        limit=limit,
        deadband=deadband * limit if condition in LIMITS_OF else deadband,
        on_delay_ms=draw(st.sampled_from(DELAYS_MS)),
        off_delay_ms=draw(st.sampled_from(DELAYS_MS)),
        enabled=draw(st.sampled_from((True, True, True, False))),
        tier=draw(st.integers(1, 4)),
    )


@st.composite
def rows(draw: st.DrawFn, row: int, count: int, conditions: Sequence[Condition]) -> Row:
    """Draw one tag of ``count``, with some of its conditions."""
    others = [other for other in range(count) if other != row]
    partners = tuple(draw(st.lists(st.sampled_from(others), unique=True, min_size=1, max_size=2))) if others else ()
    having = [one for one in conditions if one is not Condition.DEV or partners]
    return Row(
        conditions={condition: draw(cells(condition)) for condition in having},
        hold_ms=draw(st.sampled_from((0, 2, 4, 100))),
        stale_after_ms=draw(st.sampled_from((1, 5, 20, 1_000_000))),
        range_low=-1.5,
        range_high=2.5,
        window_ms=draw(st.sampled_from((16, 16, 30, 80))),
        partners=partners if Condition.DEV in having else (),
    )


@st.composite
def rules_strategy(
    draw: st.DrawFn, max_rows: int = 4, conditions: Sequence[Condition] = CONDITIONS, min_rows: int = 1
) -> Rules:
    """Draw rules of a few tags."""
    count = draw(st.integers(min_rows, max_rows))
    return make_rules([draw(rows(row, count, conditions)) for row in range(count)])
