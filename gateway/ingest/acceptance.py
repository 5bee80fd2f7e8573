"""Take what is new, once and in order: go-back-N per (edge, epoch), and an account of everything else (design 6.2).

Pure: marks and decoded messages in, an `Intake` out; nothing is changed until the intake has been committed.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from alerting.batch import Batch
from config.contract.alarms import LocalAlarm
from config.contract.messages import EdgeStatus, Refusal
from config.contract.topics import parse_edge_topic
from gateway.ingest.decode import FrameIn, Item, LocalAlarmIn, PointIn, Refused, StatusIn
from gateway.ingest.transport import Message
from gateway.ledger import Count

__all__ = ["DeadLetter", "Intake", "Mark", "Verdict", "judge", "take_in"]

_HEAD_BYTES = 1024


class Verdict(StrEnum):
    """What becomes of a frame, and why."""

    NEXT = "next"
    """It is the one expected."""
    AFTER_GAP = "after_gap"
    """Frames before it will never come: its edge says it holds nothing older."""
    DUPLICATE = "duplicate"
    """It is durable already."""
    AHEAD = "ahead"
    """Frames before it are still to come; the edge resends in order."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far one epoch of one edge is durable (a row of the table `mark`)."""

    edge: str
    epoch: str
    upto: int = 0
    frames: int = 0
    samples: int = 0
    missing_frames: int = 0
    shed_samples: int = 0
    first_ms: int = 0
    last_ms: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One thing set aside (a row of the table `dead_letter`; the same thing again only counts)."""

    reason: str
    site: str
    edge: str
    topic: str
    detail: str
    sha256: str
    size: int
    head: bytes
    samples: int


@dataclass(slots=True)
class Intake:
    """Everything one poll brought, sorted."""

    received_ms: int
    batch: Batch
    """The live samples accepted, in order of arrival; quality as the edge gave it."""
    backlog: Batch
    """Those of an earlier epoch: too old to be told as live."""
    marks: dict[tuple[str, str], Mark] = field(default_factory=dict)
    """Marks that move with this intake."""
    announce: dict[tuple[str, str], list[Refusal]] = field(default_factory=dict)
    """Whom to tell `kept`, and which of their frames were refused."""
    counts: dict[str, Counter[Count]] = field(default_factory=dict)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    statuses: dict[str, EdgeStatus] = field(default_factory=dict)
    local_alarms: dict[str, tuple[str, LocalAlarm]] = field(default_factory=dict)
    """What edges have noticed by themselves: alarm id -> (edge, alarm), the latest state of each."""


def judge(upto: int, seq: int, *, oldest: bool) -> Verdict:
    """Say what becomes of frame ``seq`` of an epoch that is durable up to ``upto``."""
    if seq <= upto:
        return Verdict.DUPLICATE
    if seq == upto + 1:
        return Verdict.NEXT
    return Verdict.AFTER_GAP if oldest else Verdict.AHEAD


class _Columns:
    """Samples gathered from many frames, one list per column."""

    def __init__(self) -> None:
        self.rows: list[NDArray[np.int32]] = []
        self.quality: list[NDArray[np.uint8]] = []
        self.times_ms: list[int] = []
        self.values: list[float | None] = []

    def batch(self) -> Batch:
        if not self.rows:
            return Batch(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8))
        rows = np.concatenate(self.rows)
        batch = Batch(
            rows,
            np.frombuffer(struct.pack(f"={len(rows)}q", *self.times_ms), np.int64),
            _floats(self.values),
            np.concatenate(self.quality),
        )
        known = rows >= 0
        if known.all():
            return batch
        return Batch(batch.tag[known], batch.time_ms[known], batch.value[known], batch.quality[known])


def _floats(values: Sequence[float | None]) -> NDArray[np.float64]:
    """Return values as an array; None becomes NaN.

    Packed where no None stands in the way: numpy looks at each object to find out what it is, a third slower at least.
    """
    try:
        return np.frombuffer(struct.pack(f"={len(values)}d", *values), np.float64)
    except struct.error:
        return np.array(values, np.float64)


def take_in(
    items: Sequence[Item],
    marks: Mapping[tuple[str, str], Mark],
    received_ms: int,
) -> Intake:
    """Sort what was read: samples to evaluate, marks to move, what to tell the edges, what to set aside.

    Args:
        items: Decoded messages in order of arrival.
        marks: How far every (edge, epoch) is durable now.
        received_ms: Gateway clock.
    """
    columns, backlog = _Columns(), _Columns()
    intake = Intake(received_ms, columns.batch(), backlog.batch())
    for item in items:
        match item:
            case FrameIn():
                _take_frame(intake, backlog if item.backlog else columns, marks, item)
            case PointIn():
                _take_point(intake, columns, item)
            case StatusIn():
                intake.statuses[item.edge] = item.status
            case LocalAlarmIn():
                intake.local_alarms[item.alarm.alarm_id] = (item.edge, item.alarm)
            case Refused():
                _take_refused(intake, marks, item)
    intake.batch, intake.backlog = columns.batch(), backlog.batch()
    return intake


def _count(intake: Intake, edge: str) -> Counter[Count]:
    counts = intake.counts.get(edge)
    if counts is None:
        counts = intake.counts[edge] = Counter()
    return counts


def _admit(intake: Intake, marks: Mapping[tuple[str, str], Mark], frame: FrameIn | Refused) -> bool:
    """Let a frame take its turn: moves its mark and says True when it is the next one of its epoch."""
    counts = _count(intake, frame.edge)
    counts[Count.FRAMES_RECEIVED] += 1
    key = (frame.edge, frame.epoch)
    mark = intake.marks.get(key) or marks.get(key) or Mark(*key, first_ms=intake.received_ms)
    verdict = judge(mark.upto, frame.seq, oldest=frame.oldest)
    intake.announce.setdefault(key, [])
    if verdict is Verdict.DUPLICATE:
        counts[Count.FRAMES_DUPLICATE] += 1
        return False
    if verdict is Verdict.AHEAD:
        counts[Count.FRAMES_AHEAD] += 1
        return False
    missing = frame.seq - mark.upto - 1
    shed = frame.shed_samples if isinstance(frame, FrameIn) and missing else mark.shed_samples
    counts[Count.FRAMES_MISSING] += missing
    counts[Count.SAMPLES_SHED] += max(0, shed - mark.shed_samples)
    intake.marks[key] = Mark(
        edge=frame.edge,
        epoch=frame.epoch,
        upto=frame.seq,
        frames=mark.frames + 1,
        samples=mark.samples + (len(frame.values) if isinstance(frame, FrameIn) else 0),
        missing_frames=mark.missing_frames + missing,
        shed_samples=max(shed, mark.shed_samples),
        first_ms=mark.first_ms,
        last_ms=intake.received_ms,
    )
    return True


def _take_frame(intake: Intake, columns: _Columns, marks: Mapping[tuple[str, str], Mark], frame: FrameIn) -> None:
    if not _admit(intake, marks, frame):
        return
    counts = _count(intake, frame.edge)
    counts[Count.FRAMES_KEPT] += 1
    counts[Count.SAMPLES_RECEIVED] += len(frame.values)
    columns.rows.append(frame.rows)
    columns.quality.append(frame.quality)
    columns.times_ms += frame.times_ms
    columns.values += frame.values
    if frame.rejected:
        counts[Count.SAMPLES_REJECTED] += len(frame.rejected)
        for (tag, reason), times in Counter(frame.rejected).items():
            intake.dead_letters.append(_rejected(frame, tag, reason, times))


def _take_point(intake: Intake, columns: _Columns, point: PointIn) -> None:
    counts = _count(intake, point.edge)
    counts[Count.POINTS_RECEIVED] += 1
    counts[Count.SAMPLES_RECEIVED] += 1
    columns.rows.append(np.array([point.row], np.int32))
    columns.quality.append(np.array([point.quality], np.uint8))
    columns.times_ms.append(intake.received_ms if point.time_ms is None else point.time_ms)
    columns.values.append(point.value)


def _take_refused(intake: Intake, marks: Mapping[tuple[str, str], Mark], refused: Refused) -> None:
    """Set a message aside; a broken frame whose envelope can be read takes its turn, so that it blocks nothing.

    It is shown at once, also when its turn is still to come: perhaps nobody ever sends it again.
    """
    counts = _count(intake, refused.edge)
    if not refused.epoch:
        counts[Count.FRAMES_RECEIVED] += 1
        counts[Count.FRAMES_REFUSED] += 1
    elif _admit(intake, marks, refused):
        counts[Count.FRAMES_REFUSED] += 1
        intake.announce[refused.edge, refused.epoch].append(Refusal(refused.seq, refused.reason))
    intake.dead_letters.append(_dead_letter(refused, refused.message))


def _dead_letter(refused: Refused, message: Message) -> DeadLetter:
    return DeadLetter(
        reason=refused.reason,
        site=refused.site,
        edge=refused.edge,
        topic=message.topic,
        detail=refused.detail[:500],
        sha256=sha256(message.payload).hexdigest(),
        size=len(message.payload),
        head=message.payload[:_HEAD_BYTES],
        samples=0,
    )


def _rejected(frame: FrameIn, tag: str, reason: str, times: int) -> DeadLetter:
    return DeadLetter(
        reason=reason,
        site=parse_edge_topic(frame.message.topic).site,
        edge=frame.edge,
        topic=frame.message.topic,
        detail=f"tag {tag!r} in frame {frame.seq} of epoch {frame.epoch}"[:500],
        sha256=sha256(tag.encode()).hexdigest(),
        size=len(tag.encode()),
        head=tag.encode(),
        samples=times,
    )
