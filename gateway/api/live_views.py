"""From the board and the records to what the API answers about the gateway itself. Pure functions."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.clock import Clock
from config.contract.messages import EdgeStatus, decode
from config.errors import ContractError
from config.plant.model import Edge, Plant
from gateway.api.live_models import (
    DeadLetter,
    EdgeItem,
    EdgeLedger,
    EdgeReport,
    EdgeShare,
    HealthView,
    Ledger,
    MarkView,
    Sum,
    TierCounts,
    ValuesEvent,
)
from gateway.api.models import Name
from gateway.api.views import QUALITY_NAMES, name_of, reason_text
from gateway.display import unit_of
from gateway.ledger import Count
from gateway.live import Board, Values
from gateway.records.queries import EdgeRecords, Row

__all__ = [
    "ALIVE_S",
    "beat_age_ms",
    "changed_rows",
    "dead_letter",
    "edge_items",
    "edge_said",
    "health_view",
    "ledger_view",
    "tier_counts",
    "values_event",
]

ALIVE_S = 10.0
"""A pipeline that has not gone round for longer stands still."""

_SUMS: tuple[tuple[Count, tuple[Count, ...]], ...] = (
    (Count.FRAMES_RECEIVED, (Count.FRAMES_KEPT, Count.FRAMES_DUPLICATE, Count.FRAMES_AHEAD, Count.FRAMES_REFUSED)),
    (Count.SAMPLES_RECEIVED, (Count.SAMPLES_STORED, Count.SAMPLES_DUPLICATE, Count.SAMPLES_REJECTED)),
    (Count.SAMPLES_STORED, (Count.SAMPLES_EVALUATED, Count.SAMPLES_LATE)),
)
"""What must hold for every edge; see `gateway.ledger`."""

_NEVER_SPOKE: Row = {"online": None, "since_ms": None, "received_ms": None}
_NOTHING_KEPT: Row = {"upto": 0, "samples": 0, "missing_frames": 0}


def beat_age_ms(board: Board, clock: Clock) -> int | None:
    """Return how long ago the pipeline last went round, or None when it never did."""
    beat_s = board.health.beat_monotonic_s
    return None if beat_s == 0.0 else max(0, round((clock.monotonic_s() - beat_s) * 1000))


def health_view(board: Board, clock: Clock, software: str, stream_clients: int) -> HealthView:
    """Return how the gateway is doing now."""
    health = board.health
    age_ms = beat_age_ms(board, clock)
    same = ("replayed", "broker_connected", "records_ok", "records_error", "history_ok", "history_error")
    figures = ("log_position", "history_position", "samples", "samples_per_s", "delay_p50_ms", "delay_p99_ms")
    return HealthView(
        at_ms=clock.wall_ms(),
        software=software,
        pipeline_alive=age_ms is not None and age_ms < ALIVE_S * 1000,
        beat_age_ms=age_ms,
        history_lag=max(0, health.log_position - health.history_position),
        stream_clients=stream_clients,
        **{name: getattr(health, name) for name in (*same, *figures)},
    )


def changed_rows(now: Values, before: Values | None) -> NDArray[np.intp]:
    """Return the rows in which ``now`` differs from ``before``; all of them when the tags themselves changed."""
    if before is None or before.names != now.names:
        return np.arange(len(now.names))
    same = (now.time_ms == before.time_ms) & (now.received_ms == before.received_ms) & (now.stale == before.stale)
    same &= (now.quality == before.quality) & ((now.value == before.value) | np.isnan(now.value))
    return np.flatnonzero(~same)


def values_event(values: Values | None, rows: NDArray[np.intp] | None, plant: Plant, now_ms: int) -> ValuesEvent:
    """Return the values of some rows (all: None), those of tags the plant has."""
    if values is None:
        return ValuesEvent(at_ms=now_ms, tags=(), time_ms=(), value=(), quality=(), reason=(), stale=())
    wanted = range(len(values.names)) if rows is None else rows.tolist()
    kept = [(row, plant.tags[values.names[row]]) for row in wanted if values.names[row] in plant.tags]
    index = [row for row, _ in kept]
    quality = values.quality[index].tolist()
    return ValuesEvent(
        at_ms=values.at_ms,
        tags=tuple(tag.name for _, tag in kept),
        time_ms=tuple(values.time_ms[index].tolist()),
        value=tuple(
            unit_of(tag, plant).show(value) for value, (_, tag) in zip(values.value[index].tolist(), kept, strict=True)
        ),
        quality=tuple(QUALITY_NAMES[packed & 0b11] for packed in quality),
        reason=tuple(reason_text(packed) for packed in quality),
        stale=tuple(values.stale[index].tolist()),
    )


def tier_counts(counts: Mapping[int, int]) -> TierCounts:
    """Return counts as JSON has them."""
    return {str(tier): count for tier, count in counts.items()}


def edge_items(plant: Plant, records: EdgeRecords, values: Values | None) -> tuple[EdgeItem, ...]:
    """Return every edge, those of the plant first."""
    stale = _stale_tags(plant, values)
    tags: dict[str, int] = {}
    for tag in plant.tags.values():
        tags[tag.edge] = tags.get(tag.edge, 0) + 1
    return tuple(
        _edge_item(edge, plant.edges.get(edge), records, tags.get(edge, 0), stale.get(edge, 0))
        for edge in _edges(plant, (records.statuses,))
    )


def ledger_view(plant: Plant, records: EdgeRecords, at_ms: int) -> Ledger:
    """Return what became of every frame and sample of every edge."""
    names = _edges(plant, (records.counts, records.marks, records.statuses))
    edges = tuple(_edge_ledger(edge, edge in plant.edges, records) for edge in names)
    return Ledger(at_ms=at_ms, holds=all(one.holds for edge in edges for one in edge.sums), edges=edges)


def dead_letter(row: Row) -> DeadLetter:
    """Return a dead letter, its beginning as text where it is text."""
    head: bytes = row["head"]
    complete = row["bytes"] <= len(head)
    try:
        # Where a large payload was cut, the last character may be cut too: that does not make it binary.
        text = codecs.getincrementaldecoder("utf-8")().decode(head, final=complete)
    except UnicodeDecodeError:
        text = None
    same = ("id", "reason", "site", "edge", "topic", "detail", "sha256", "bytes", "samples", "count")
    return DeadLetter(
        **{name: row[name] for name in (*same, "first_ms", "last_ms")},
        head=head.hex() if text is None else text,
        head_encoding="hex" if text is None else "utf-8",
        head_complete=complete,
    )


def _edges(plant: Plant, recorded: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the edges of the plant, then those only the records know, in order of name."""
    others = {edge for table in recorded for edge in table} - set(plant.edges)
    return [*plant.edges, *sorted(others)]


def _stale_tags(plant: Plant, values: Values | None) -> dict[str, int]:
    """Count the tags without a fresh value per edge; a tag that never had one is among them."""
    fresh = set() if values is None else {values.names[row] for row in np.flatnonzero(_is_fresh(values)).tolist()}
    counts: dict[str, int] = {}
    for tag in plant.tags.values():
        if tag.name not in fresh:
            counts[tag.edge] = counts.get(tag.edge, 0) + 1
    return counts


def _is_fresh(values: Values) -> NDArray[np.bool_]:
    return (values.time_ms >= 0) & ~values.stale


def _edge_item(name: str, edge: Edge | None, records: EdgeRecords, tags: int, stale_tags: int) -> EdgeItem:
    status = records.statuses.get(name)
    spoken = status or _NEVER_SPOKE
    counts = records.counts.get(name, {})
    return EdgeItem(
        edge=name,
        name=Name(zh=name, en=name) if edge is None else name_of(edge.name),
        kind=None if edge is None else edge.kind,
        known=edge is not None,
        online=spoken["online"],
        since_ms=spoken["since_ms"],
        received_ms=spoken["received_ms"],
        report=_report(status),
        tags=tags,
        stale_tags=stale_tags,
        missing_frames=counts.get(Count.FRAMES_MISSING, 0),
        shed_samples=counts.get(Count.SAMPLES_SHED, 0),
    )


def _report(status: Row | None) -> EdgeReport | None:
    said = edge_said(status)
    if said is None:
        return None
    names = (field for field in EdgeReport.model_fields)
    return EdgeReport(**{name: getattr(said, name) for name in names})


def edge_said(status: Row | None) -> EdgeStatus | None:
    """Read what an edge last said; a status only a newer gateway could read counts as none."""
    if status is None:
        return None
    try:
        return decode(status["payload"].encode(), EdgeStatus)
    except ContractError:
        return None


def _edge_ledger(name: str, known: bool, records: EdgeRecords) -> EdgeLedger:  # noqa: FBT001  # one caller, one meaning
    counted = records.counts.get(name, {})
    counts = {count: counted.get(count.value, 0) for count in Count}
    marks = records.marks.get(name, ())
    status = records.statuses.get(name)
    return EdgeLedger(
        edge=name,
        known=known,
        online=(status or _NEVER_SPOKE)["online"],
        counts=counts,
        sums=tuple(_sum(left, right, counts) for left, right in _SUMS),
        marks=tuple(MarkView(**{field: mark[field] for field in MarkView.model_fields}) for mark in marks),
        share=_share(status, marks),
    )


def _sum(left: Count, right: tuple[Count, ...], counts: Mapping[Count, int]) -> Sum:
    one, other = counts[left], sum(counts[count] for count in right)
    name = f"{left.value} = {' + '.join(count.value for count in right)}"
    return Sum(name=name, left=one, right=other, difference=one - other, holds=one == other)


def _share(status: Row | None, marks: Sequence[Row]) -> EdgeShare | None:
    said = edge_said(status)
    if status is None or said is None or not said.epoch:
        return None
    mark = next((mark for mark in marks if mark["epoch"] == said.epoch), _NOTHING_KEPT)
    return EdgeShare(
        epoch=said.epoch,
        as_of_ms=status["received_ms"],
        made_frames=said.made_frames,
        made_samples=said.made_samples,
        durable_frames=mark["upto"],
        kept_samples=mark["samples"],
        shed_samples=said.shed_samples,
        missing_frames=mark["missing_frames"],
        frames_at_edge=max(0, said.made_frames - mark["upto"]),
    )
