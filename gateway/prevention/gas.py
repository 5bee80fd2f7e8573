"""Whether the gas readings that a permit asks for are there: recorded by somebody, or visible on its tags. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from config.contract.quality import severity_of
from gateway.live import Values
from gateway.prevention.permit_states import PermitState

__all__ = ["GasState", "gas_state", "visible"]


@dataclass(frozen=True, slots=True)
class GasState:
    """Readings of gas at a work."""

    every_ms: int
    tags: tuple[str, ...]
    silent: tuple[str, ...]
    """Of the tags: those that show nothing good now."""
    live: bool
    """Every tag shows something good now."""
    seen_ms: int | None
    due_ms: int | None
    """When the next reading is due; None: work has not begun, or is over."""
    overdue: bool


def visible(values: Values | None, wanted: AbstractSet[str]) -> set[str]:
    """Return those of some tags that show a good, fresh value."""
    if values is None or not wanted:
        return set()
    return {
        name
        for row, name in enumerate(values.names)
        if name in wanted and not values.stale[row] and severity_of(int(values.quality[row])) == 0
    }


def gas_state(row: Mapping[str, Any], tags: Sequence[str], seen: AbstractSet[str], now_ms: int) -> GasState | None:
    """Return how the readings of a permit stand; None: it asks for none.

    Args:
        row: Of `work_permit`.
        tags: That the permit names.
        seen: Tags that show a good value now.
        now_ms: Gateway clock.
    """
    every_ms = row["gas_every_ms"]
    if every_ms is None:
        return None
    silent = tuple(tag for tag in tags if tag not in seen)
    at_work = row["state"] == PermitState.OPEN.value and now_ms < row["end_ms"]
    live = bool(tags) and not silent
    last_ms = now_ms if live and at_work else row["seen_ms"]
    # A reading from before the work counts from the moment it was read, never from when the work began.
    due_ms = (last_ms if last_ms is not None else row["opened_ms"]) + every_ms if at_work else None
    return GasState(every_ms, tuple(tags), silent, live, last_ms, due_ms, due_ms is not None and now_ms > due_ms)
