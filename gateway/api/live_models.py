"""What the API answers about the gateway itself: ledger, edges, dead letters, health, and the events of the stream."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, RootModel

from config.plant.model import Condition, EdgeKind, Tier
from gateway.api.models import AlarmItem, EventKind, Model, Name, QualityName
from gateway.ledger import Count

__all__ = [
    "AlarmEvent",
    "DeadLetter",
    "DeadLetterPage",
    "EdgeItem",
    "EdgeLedger",
    "EdgeList",
    "EdgeReport",
    "EdgeShare",
    "HealthView",
    "Ledger",
    "Live",
    "LocalAlarmItem",
    "LocalAlarmPage",
    "MarkView",
    "Ready",
    "ResetEvent",
    "ResetReason",
    "SnapshotEvent",
    "StreamEvent",
    "Sum",
    "TickEvent",
    "TierCounts",
    "ValuesEvent",
]

ResetReason = Literal["overflow", "too_far_behind", "unknown_event_id", "records_unavailable"]
"""Why a client must begin afresh."""

TierCounts = dict[str, int]
"""Tier as text ('1' to '4') -> alarms, as JSON has it."""


class EdgeReport(Model):
    """What an edge last said about itself."""

    at_ms: int = Field(description="Edge clock")
    epoch: str
    made_samples: int
    made_frames: int
    kept_frames: int = Field(description="Highest seq a gateway confirmed to the edge")
    outbox_frames: int
    outbox_bytes: int
    shed_samples: int
    backlog_frames: int = Field(description="Frames of an earlier outage that wait behind the live ones")
    backlog_eta_s: int | None = Field(description="When they will be here at the present rate; null: unknown")
    local_alarms: int = Field(description="Alarms active by the edge's own judgement")
    unreadable: dict[str, int]
    faults: tuple[str, ...] = Field(description="What does not work at the edge now; see `EdgeStatus` of the contract")
    software: str


class EdgeItem(Model):
    """One edge and how it does."""

    edge: str
    name: Name
    kind: EdgeKind | None = Field(description="null for an edge the plant description does not have")
    known: bool
    online: bool | None = Field(description="null when it never said so; plain sensors never do")
    since_ms: int | None = Field(description="When `online` last changed, gateway clock")
    received_ms: int | None = Field(description="When it last spoke about itself, gateway clock")
    report: EdgeReport | None
    tags: int
    stale_tags: int = Field(description="Tags without a fresh value")
    missing_frames: int = Field(description="Frames that will never come, in all epochs")
    shed_samples: int = Field(description="Samples the edge had to shed, in all epochs")


class LocalAlarmItem(Model):
    """An alarm an edge has noticed by itself, and whether the gateway has it too."""

    alarm_id: str
    tag: str
    condition: Condition
    tier: Tier
    state: Literal["active", "cleared"]
    onset_ms: int = Field(description="Source time")
    raised_ms: int
    cleared_ms: int | None
    value: float | None = Field(description="Canonical unit of the tag")
    limit: float | None
    cut: bool = Field(description="The edge had no connection to the gateway when it raised it")
    received_ms: int = Field(description="When the gateway last heard of it, gateway clock")
    matched: bool = Field(
        description="The gateway has an alarm of this tag and condition at that time, live or retrospective. While the "
        "backlog of an outage is on its way, false is to be expected"
    )


class LocalAlarmPage(Model):
    """Local alarms of an edge, the newest first."""

    items: tuple[LocalAlarmItem, ...]
    next_cursor: str | None


class EdgeList(Model):
    """Edges in the order of the plant description, unknown ones last."""

    items: tuple[EdgeItem, ...]


class MarkView(Model):
    """How far one epoch of an edge is durable."""

    epoch: str
    upto: int = Field(description="Highest seq that is durable")
    frames: int
    samples: int
    missing_frames: int
    shed_samples: int
    first_ms: int
    last_ms: int


class Sum(Model):
    """A sum that must hold, and whether it does."""

    name: str = Field(description="E.g. `frames_received = frames_kept + …`")
    left: int
    right: int
    difference: int = Field(description="left - right")
    holds: bool


class EdgeShare(Model):
    """What an edge says it made of its present epoch, against what is kept of it here."""

    epoch: str
    as_of_ms: int = Field(description="When the edge said so, gateway clock")
    made_frames: int
    made_samples: int
    durable_frames: int = Field(description="Highest seq durable here")
    kept_samples: int
    shed_samples: int
    missing_frames: int
    frames_at_edge: int = Field(description="Made, but not durable here yet")


class EdgeLedger(Model):
    """What became of every frame and sample of one edge."""

    edge: str = Field(description="`?` collects what names no edge of the plant")
    known: bool
    online: bool | None
    counts: dict[Count, int]
    sums: tuple[Sum, ...]
    marks: tuple[MarkView, ...]
    share: EdgeShare | None = Field(description="null when the edge never spoke about itself")


class Ledger(Model):
    """The loss ledger."""

    at_ms: int
    holds: bool = Field(description="Every sum of every edge holds")
    edges: tuple[EdgeLedger, ...]


class DeadLetter(Model):
    """Something that was set aside whole, and why."""

    id: int
    reason: str
    site: str
    edge: str
    topic: str
    detail: str
    sha256: str
    bytes: int
    head: str = Field(description="The payload, or the beginning of a large one")
    head_encoding: Literal["utf-8", "hex"]
    head_complete: bool
    samples: int
    count: int = Field(description="How often the same thing arrived")
    first_ms: int
    last_ms: int


class DeadLetterPage(Model):
    """Dead letters, the newest first."""

    items: tuple[DeadLetter, ...]
    next_cursor: str | None


class HealthView(Model):
    """How the gateway is doing."""

    at_ms: int = Field(description="Gateway clock")
    software: str
    pipeline_alive: bool = Field(description="It went round within the last 10 s")
    beat_age_ms: int | None = Field(description="null when it never went round")
    replayed: bool
    broker_connected: bool
    records_ok: bool
    records_error: str
    history_ok: bool
    history_error: str
    log_position: int
    history_position: int
    history_lag: int = Field(description="Rows of the log that history has not taken yet")
    samples: int = Field(description="Kept since start")
    samples_per_s: float
    delay_p50_ms: float
    delay_p99_ms: float
    stream_clients: int


class Live(Model):
    """The pipeline goes round."""

    status: Literal["ok"] = "ok"
    beat_age_ms: int


class Ready(Model):
    """Readings are taken in and kept."""

    status: Literal["ok"] = "ok"


class ValuesEvent(Model):
    """Values of tags; columns of equal length. In a snapshot all tags, afterwards those that changed."""

    event: Literal["values"] = "values"
    at_ms: int
    tags: tuple[str, ...]
    time_ms: tuple[int, ...] = Field(description="Source time; -1 when there never was a sample")
    value: tuple[float | None, ...] = Field(description="In `unit` of the tag")
    quality: tuple[QualityName, ...]
    reason: tuple[str, ...]
    stale: tuple[bool, ...]


class TickEvent(Model):
    """Once a second. When none comes for 3 s the stream has stalled and nothing on the screen may be trusted."""

    event: Literal["tick"] = "tick"
    at_ms: int
    last_event_id: int = Field(description="Of the latest alarm event sent on this gateway's streams")
    active_by_tier: TierCounts | None = Field(description="null when not known: keep what was known")
    edges: tuple[EdgeItem, ...] | None = Field(description="null when not known: keep what was known")
    health: HealthView


class SnapshotEvent(Model):
    """Everything needed to begin with. Replaces what the client had."""

    event: Literal["snapshot"] = "snapshot"
    at_ms: int
    last_event_id: int
    alarms: tuple[AlarmItem, ...] = Field(description="Active, worst tier first, newest first")
    active_by_tier: TierCounts = Field(description="All open alarms that are told, also those beyond `alarms`")
    cleared: tuple[AlarmItem, ...] = Field(description="The latest cleared, latest first")
    values: ValuesEvent
    edges: tuple[EdgeItem, ...]
    health: HealthView


class AlarmEvent(Model):
    """Something happened to an alarm: `kind` says what. `alarm.version` tells which of two is newer."""

    event: Literal["alarm"] = "alarm"
    event_id: int
    kind: EventKind
    alarm: AlarmItem


class ResetEvent(Model):
    """Forget what was sent: a snapshot follows, or the stream ends and is to be opened again."""

    event: Literal["reset"] = "reset"
    reason: ResetReason


class StreamEvent(
    RootModel[
        Annotated[SnapshotEvent | AlarmEvent | ValuesEvent | TickEvent | ResetEvent, Field(discriminator="event")]
    ]
):
    """The `data` of one event; its `event` field repeats the name of the event."""
