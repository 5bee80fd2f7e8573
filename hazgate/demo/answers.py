"""The parts of the API's answers the demo looks at; what it does not look at is left out."""

from __future__ import annotations

import msgspec

__all__ = [
    "AlarmEvent",
    "AlarmItem",
    "AlarmPage",
    "EdgeItem",
    "EdgeList",
    "EdgeReport",
    "Health",
    "Ledger",
    "Name",
    "Rise",
    "Snapshot",
    "Tick",
    "Values",
]


class Name(msgspec.Struct, frozen=True):
    """A text in both languages."""

    zh: str
    en: str


class Rise(msgspec.Struct, frozen=True):
    """The last rise of a tier."""

    at_ms: int


class AlarmItem(msgspec.Struct, frozen=True):
    """One alarm."""

    alarm_id: str
    tag: str
    description: Name
    condition: str
    tier: int
    base_tier: int
    """As it was raised."""
    state: str
    inhibited: str | None
    message: Name
    onset_ms: int
    raised_ms: int
    cleared_ms: int | None
    decided_ms: int
    value: float | None
    limit: float | None
    unit: str
    version: int
    rise: Rise | None = None


class AlarmPage(msgspec.Struct, frozen=True):
    """A page of alarms."""

    items: list[AlarmItem]
    next_cursor: str | None


class EdgeReport(msgspec.Struct, frozen=True):
    """What an edge said about itself."""

    outbox_frames: int
    faults: tuple[str, ...] = ()


class EdgeItem(msgspec.Struct, frozen=True):
    """One edge."""

    edge: str
    name: Name
    online: bool | None
    tags: int
    stale_tags: int
    report: EdgeReport | None = None


class EdgeList(msgspec.Struct, frozen=True):
    """All edges."""

    items: list[EdgeItem]


class Health(msgspec.Struct, frozen=True):
    """How the gateway does."""

    broker_connected: bool
    history_lag: int
    history_ok: bool
    samples_per_s: float
    delay_p50_ms: float
    delay_p99_ms: float


class EdgeLedger(msgspec.Struct, frozen=True):
    """What became of the frames and samples of one edge: name of a count -> count."""

    edge: str
    counts: dict[str, int]


class Ledger(msgspec.Struct, frozen=True):
    """What became of every frame and sample."""

    holds: bool
    edges: list[EdgeLedger]

    def total(self, count: str) -> int:
        """Return one count, over all edges."""
        return sum(edge.counts.get(count, 0) for edge in self.edges)


class Values(msgspec.Struct, frozen=True):
    """Values of tags that changed; columns of equal length."""

    tags: list[str]
    value: list[float | None]
    stale: list[bool]


class Snapshot(msgspec.Struct, frozen=True):
    """First event of the stream."""

    alarms: list[AlarmItem]
    values: Values
    edges: list[EdgeItem]
    health: Health


class AlarmEvent(msgspec.Struct, frozen=True):
    """Something happened to an alarm."""

    kind: str
    alarm: AlarmItem


class Tick(msgspec.Struct, frozen=True):
    """Once a second."""

    edges: list[EdgeItem] | None
    health: Health
