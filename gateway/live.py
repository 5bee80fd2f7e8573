"""What is going on right now, handed from the pipeline thread to whoever shows it.

The pipeline writes, everybody else reads: a `Board` holds the latest immutable `Values` and counters, a `Hub` carries
alarm events. Neither ever makes the pipeline wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerting.engine import Engine
from gateway.system import Finding

__all__ = ["AlarmNotice", "Board", "Health", "Hub", "Values", "values_of"]


@dataclass(frozen=True, slots=True)
class Values:
    """The last evaluated sample of every tag, a copy that is never written again. Arrays of length tags."""

    at_ms: int
    """Gateway clock when the copy was made."""
    names: tuple[str, ...]
    """Row -> tag name."""
    time_ms: NDArray[np.int64]
    """Source time of the last sample; -1 when there was none."""
    received_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    stale: NDArray[np.bool_]
    """The value is older than the tag's allowance: never to be shown as good."""


def values_of(engine: Engine, names: tuple[str, ...], at_ms: int) -> Values:
    """Return a copy of what an engine holds now.

    Args:
        engine: Of which tags are the rows.
        names: Row -> tag name.
        at_ms: Gateway clock.
    """
    return Values(
        at_ms=at_ms,
        names=names,
        time_ms=engine.time_ms.copy(),
        received_ms=engine.received_ms.copy(),
        value=engine.value.copy(),
        quality=engine.quality.copy(),
        stale=engine.stale.copy(),
    )


@dataclass(frozen=True, slots=True)
class AlarmNotice:
    """One alarm event just committed: the alarm row after it, and what happened."""

    event_id: int
    kind: str
    """`gateway.api.models.EventKind`; see docs/alarm-lifecycle.md"""
    alarm: dict[str, Any]
    """A row of `gateway.records.schema.alarm`, by column name."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the pipeline is doing; rewritten at least once a second while it lives."""

    at_ms: int = 0
    beat_monotonic_s: float = 0.0
    """When the pipeline last went round, monotonic clock."""
    broker_connected: bool = False
    replayed: bool = False
    """The log has been replayed and the state is current."""
    plant: str = ""
    """Digest of the plant description by which alarms are raised; empty: not known yet."""
    records_ok: bool = True
    records_error: str = ""
    log_position: int = 0
    history_position: int = 0
    history_ok: bool = True
    history_error: str = ""
    samples: int = 0
    """Samples kept since this process started."""
    samples_per_s: float = 0.0
    delay_p50_ms: float = 0.0
    delay_p99_ms: float = 0.0
    """From source time to committed, over the last samples."""


@dataclass(slots=True)
class Board:
    """The latest of everything. Fields are replaced whole, so a reader never sees half of one."""

    values: Values | None = None
    health: Health = field(default_factory=Health)
    findings: Callable[[], Sequence[Finding]] = tuple
    """What others find wrong with the system; the pipeline asks, and alarms it."""
    untold: Callable[[], Mapping[str, int]] = dict
    """What the notifier told nobody, by what it was; empty where none runs."""
    _reporting: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def report(self, **changes: Any) -> None:  # noqa: ANN401 - fields of several types
        """Change some fields of `health`; several threads do, each its own fields."""
        with self._reporting:
            self.health = replace(self.health, **changes)


class Hub:
    """Hands alarm notices to listeners on any thread. A listener must return at once and never raise."""

    def __init__(self) -> None:
        self._listeners: tuple[Callable[[AlarmNotice], None], ...] = ()

    def listen(self, listener: Callable[[AlarmNotice], None]) -> Callable[[], None]:
        """Call ``listener`` for every notice from now on; returns what ends that."""
        self._listeners = (*self._listeners, listener)

        def stop() -> None:
            self._listeners = tuple(one for one in self._listeners if one is not listener)

        return stop

    def tell(self, notice: AlarmNotice) -> None:
        """Hand a notice to all listeners."""
        for listener in self._listeners:
            listener(notice)
